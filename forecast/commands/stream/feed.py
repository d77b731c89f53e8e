"""Feed a stream with the lines of a file or a pipe, and keep what is needed to go on after any end."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.commands.progress import shown_by_default
from forecast.commands.stream.lines import lines_of
from forecast.commands.stream.recent_rows import check_slot
from forecast.commands.stream.stream import Stream
from forecast.errors import DataError, Sentence, phrase
from forecast.progress import Progress, StopRequested
from forecast.sources.from_table import dialect_of
from forecast.sources.infer_clock import snap
from forecast.tables.input import Input
from forecast.tables.lines import LineReader

# What lets a stream that begins forecast at once.
_EARLIER = " Rows that came before may be given: " + phrase("--history FILE", "Stream.remember") + "."


def stream_rows(
    stream: Stream,
    source: str = "-",
    *,
    follow: bool = False,
    date_format: str | None = None,
    save_rows: int = 100,
    save_seconds: float = 1.0,
    progress: Progress | None = None,
) -> Generator[pd.DataFrame]:
    """Read rows as they come, and yield the forecast after each.

    Whatever ends the process, the next one goes on from the state that was saved last, and yields again what was
    yielded since. ``number``, the last column, is that of the row in its series, and the same both times: who keeps the
    highest of each series takes every forecast once. A forecast that could not be passed on is taken back with
    `Stream.undo`, and comes again as well.

    Args:
        stream: Takes the rows.
        source: A CSV file with a header, or ``-`` for standard input.
        follow: Wait at the end of a file for it to grow, and go on with the next one when it is rotated.
        date_format: How the time is written; None infers it from each line, or takes what the run was given.
        save_rows: The state is saved after so many rows,
        save_seconds: or so many seconds after it was saved last, whichever comes first.
        progress: Receives what happened to the file, and a warning where rows get no forecast.

    A row that was there already is passed over, told with the next one that was not; a last line without an end is not
    used, unless it is that of a file which nobody follows. A header may come again, such as in the next file.

    Raises:
        DataError: If a line cannot be read or is not the next row; the rows before it are saved.
    """
    progress = progress or shown_by_default()
    options, several = stream.run.config.read, len(stream.series_ids) > 1
    if date_format is not None:
        options = options.model_copy(update={"date_format": date_format})
    label = "standard input" if source == "-" else Path(source).name
    dialect, reader = dialect_of(options), None

    is_wide = bool(options.wide)
    columns = stream.series_ids if is_wide else stream.columns

    def reader_of(header: str) -> LineReader:
        found = Input(label, source)
        return LineReader(header, columns, found, dialect, options.tz, several and not is_wide, is_wide)

    had_forecast, n_unsaved, saved_at = True, 0, time.monotonic()
    network = stream.run.config.network
    if network.stateful and not stream.carries_states:
        from forecast.choices.plan import carries_nothing  # which few streams need, and takes its time

        progress.warn(carries_nothing(network))
    if options.resample is not None:
        progress.note(f"Each row is taken for the mean of a whole {stream.clock.describe().removeprefix('1 ')}.")
    try:
        for numbered in lines_of(source, follow, progress.warn):
            number, line = numbered or (0, b"")
            # Once a file is replaced, the rows of the one before are not there to be read again.
            is_due = number == 1 or n_unsaved >= save_rows or time.monotonic() - saved_at >= save_seconds
            if n_unsaved and is_due:
                stream.save()
                n_unsaved, saved_at = 0, time.monotonic()
            if numbered is None:
                _tell_passed_over(progress, stream)
                continue
            text = _decode(line, options.encoding or "utf-8", f"{label}, line {number}")
            if number == 1:
                stream.expect_repeats()
            if reader is None or number == 1 or text == stream.header:
                try:
                    reader, stream.header = reader_of(text), text
                    continue
                except DataError:
                    if not stream.header:
                        raise
                    reader = reader_of(stream.header)  # the file goes on where the one before ended
            if not text.strip():
                continue
            for row in reader.read(text, number):
                passed_over = stream.passed_over
                try:
                    when = stream.time_of(row)
                    check_slot(when, when, stream.clock)  # a weekend, which would become a Friday
                    when = snap(np.array([when]), np.zeros(1, np.int64), stream.clock).times[0]
                    forecast = stream.push_local(when, row.values, stream.check_series(row.series if several else None))
                    if stream.passed_over > passed_over:
                        continue
                    for warning in stream.warnings:
                        progress.warn(warning)
                    if forecast is None and stream.refused and had_forecast:
                        is_new = stream.number < stream.run.config.data.lookback
                        progress.warn(Sentence(f"no forecast yet: {stream.refused[0]}{_EARLIER if is_new else ''}"))
                    had_forecast, n_unsaved = forecast is not None, n_unsaved + 1
                    if forecast is not None:
                        forecast["number"] = stream.number
                        yield forecast
                except DataError as error:
                    message, advice = error.args
                    raise DataError(f"{label}, line {number}: {message}", advice) from None
                except (StopRequested, KeyboardInterrupt):
                    stream.undo()
                    raise
        _tell_passed_over(progress, stream)
    finally:
        stream.save()


def _tell_passed_over(progress: Progress, stream: Stream) -> None:
    if stream.passed_over:
        rows = "1 row was" if stream.passed_over == 1 else f"{stream.passed_over:,} rows were"
        progress.note(f"{rows} already there, and passed over")
        stream.passed_over = 0


def _decode(line: bytes, encoding: str, where: str) -> str:
    try:
        return line.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise DataError(f"{where}: cannot be read as {encoding}: {error}.", "Send text in UTF-8.") from None
