"""Forecasts that follow a growing series, row by row, at the same cost however long it grows."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from forecast.commands.stream.recent_rows import Tail
from forecast.data.lines import LineReader, lines_of
from forecast.data.newest import newest_rows
from forecast.data.panel import Clock, Floats, Panel
from forecast.data.prepare import Rows, arrange, in_units
from forecast.data.quality import mask_sentinels
from forecast.data.read import Source, read
from forecast.data.windows import Forecasting, Ints
from forecast.errors import DataError, RunError
from forecast.inference.network import Network
from forecast.inference.newest import newest_forecast
from forecast.intervals.conformal import Intervals
from forecast.progress import NullProgress, Progress
from forecast.runs.calibration import intervals_of
from forecast.runs.files import read_within, write_atomically
from forecast.runs.find import find
from forecast.runs.run import Run
from forecast.tables.source import Source as TextSource
from forecast.workflows.networks import averaged, networks_of

# Bytes of a number or a time in a state file, and the states that a unit of the largest cell has.
_LONGEST_NUMBER = 40
_MOST_STATES = 4


class _SavedTail(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    times: list[str]
    values: list[list[FiniteFloat | None]]
    states: dict[str, list[list[list[FiniteFloat]]]]


class _Saved(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    schema_: Annotated[int, Field(alias="schema", ge=1, le=1)]
    weights: str
    tails: dict[str, _SavedTail]


class Stream:
    """A run that is fed one row after another, and answers each with the newest forecast.

    A run that was trained to carry its state (``stateful``, fed step by step, not normalised by window) carries it from
    row to row, and so remembers the whole stream. Any other sees the window that it was trained on: the last L rows.
    Either way a row costs the same however many came before it, and the forecasts are those of an uninterrupted stream.

    Args:
        run: A run or its name.
        state: A file that keeps what is remembered between calls; None keeps it in memory.
        runs_dir: Where runs live.

    ``refused`` says why the last row got no forecast, one sentence for each series of the window.

    Raises:
        RunError: If the file is damaged, or belongs to another training.
    """

    def __init__(self, run: Run | str, state: Path | None = None, *, runs_dir: Path | None = None) -> None:
        self.run = find(run, runs_dir=runs_dir)
        config = self.run.config
        self.columns = config.data.target + config.data.covariates + config.data.known
        self.clock, self.state = Clock(self.run.data["freq"]), state
        self.series_ids: tuple[str, ...] = tuple(self.run.data["series_ids"])
        self.carries = config.network.stateful and config.network.segment == 1 and config.network.normalise == "none"
        self._scaler, n_known = self.run.scaler, len(config.data.known)
        self._intervals = intervals_of(self.run, "end")
        self._longest = max(config.data.lookback, config.data.season) + config.data.longest_fill
        self._longest += config.data.horizon if n_known else 0
        self._empty = Tail(np.zeros(0, "datetime64[us]"), np.zeros((0, len(self.columns))), n_known)
        self._tails: dict[str, Tail] = {}
        self._grown: set[str] = set()
        self._networks: dict[str, list[Network]] = {}
        self.refused: tuple[str, ...] = ()
        if state is not None and state.exists():
            self._tails = self._loaded(state)

    def push(self, time: object, values: Mapping[str, float], series_id: str | None = None) -> pd.DataFrame | None:
        """Take one row, and forecast the H steps after it.

        Args:
            time: The row's timestamp.
            values: The run's columns by name; NaN or None where missing.
            series_id: Which series; may be left out where there is only one.

        Returns:
            unique_id, ds, cutoff and a column for each model, as from `predict`; None while there are too few rows,
            too many of their values are missing, or the row was there already.

        Raises:
            DataError: If the row is out of order, leaves a gap, or lacks a column. It then changes nothing.
        """
        missing = [name for name in self.columns if name not in values]
        if missing:
            raise DataError(
                f"Column {missing[0]!r} is missing; the run {self.run.name} takes "
                f"{', '.join(map(repr, self.columns))}.",
                "Give every column, NaN for what was not measured.",
            )
        row = np.array([np.nan if values[name] is None else values[name] for name in self.columns], np.float64)
        if np.isinf(row).any():
            raise DataError(f"Column {self.columns[int(np.argmax(np.isinf(row)))]!r} is infinite.", "Give a number.")
        return self.take(_moment(time), row, self.known_series(series_id))

    def take(self, time: np.datetime64, row: Floats, series_id: str, forecast: bool = True) -> pd.DataFrame | None:
        """The same as `push` for a row that has been read: values [C] in the order of ``columns``.

        Args:
            time: The row's timestamp.
            row: Values [C].
            series_id: Which series.
            forecast: Whether to forecast, or only to remember.
        """
        before = self._tails.get(series_id, self._empty)
        row = row if self.run.config.read.keep_sentinels else _without_sentinels(before, row)
        # A source that is read again from its beginning repeats what has long been let go.
        if before.has(time, row) or (before.begins_after(time) and series_id not in self._grown):
            return None
        after = before.grown(time, row, self.clock, self._longest)
        if not forecast and not self.carries:
            self._accept(series_id, after)
            return None
        data = self.run.config.data
        panel = Panel(after.values, after.times, self.columns, self.clock, (series_id,), name=self.run.name)
        newest = newest_rows(arrange(panel, data), data, self._scaler)
        carried: dict[str, Forecasting] = {}
        if self.carries:
            after, carried = self._stepped(after, newest.rows)
        found = None
        if forecast and len(newest.windows):
            models = {
                name: in_units(model, newest.rows, self._scaler)
                for name, model in (carried or self._windowed(newest.rows)).items()
            }
            found = newest_forecast(newest, models, data.season, self._intervals_of(newest.rows))
        self.refused = newest.refused
        self._accept(series_id, after)
        return found

    def remember(self, source: Source) -> None:
        """Take the rows of a source without forecasting: the history that a stream goes on from.

        Args:
            source: Anything that `read` takes; of each series the rows since its last gap count.

        Raises:
            DataError: If it does not fit the run.
        """
        panel = read(source, self.run.config.read)
        if panel.clock.freq != self.clock.freq:
            raise DataError(f"The clock of the rows is {panel.clock.freq}; the run's is {self.clock.freq}.")
        lone = panel.n_series == len(self.series_ids) == 1
        picked, stretches = panel.select(self.columns), panel.stretches()
        for series, name in enumerate(panel.series_ids):
            rows = panel.rows(series)
            last = rows.start + int(np.searchsorted(stretches[rows], stretches[rows.stop - 1]))
            first = last if self.carries else max(last, rows.stop - self._longest)
            for number in range(first, rows.stop):
                self.take(panel.times[number], picked.values[number], self.known_series(None if lone else name), False)
        self._grown.clear()  # what is pushed next may begin before the end of the history

    def newest(self, series_id: str | None = None) -> pd.Timestamp | None:
        """The newest time of a series; None before its first row."""
        tail = self._tails.get(self.known_series(series_id), self._empty)
        return pd.Timestamp(tail.times[-1]) if len(tail.times) else None

    def save(self) -> None:
        """Write what is remembered to the state file, whole or not at all."""
        if self.state is None:
            return
        tails = {
            name: {
                "times": np.datetime_as_string(tail.times).tolist(),
                "values": [[None if np.isnan(value) else value for value in row] for row in tail.values.tolist()],
                "states": {name: [part.tolist() for part in parts] for name, parts in tail.states.items()},
            }
            for name, tail in self._tails.items()
        }
        saved = {"schema": 1, "weights": self._identity(), "tails": tails}
        write_atomically(self.state, json.dumps(saved, allow_nan=False).encode())

    def _accept(self, series_id: str, tail: Tail) -> None:
        self._tails[series_id] = tail
        self._grown.add(series_id)

    def known_series(self, series_id: str | None) -> str:
        """The name of a series of the run, or of its only one.

        Raises:
            DataError: If the run was not trained on it.
        """
        if series_id is None and len(self.series_ids) == 1:
            return self.series_ids[0]
        if series_id not in self.series_ids:
            listed = ", ".join(map(repr, self.series_ids[:10]))
            raise DataError(f"The run {self.run.name} knows no series {series_id!r}.", f"It knows {listed}.")
        return str(series_id)

    def _identity(self) -> str:
        return str(self.run.manifest["files"]["weights.npz"]["sha256"])

    def _loaded(self, path: Path) -> dict[str, Tail]:
        again = "Begin anew with --restart."
        try:
            content = read_within(Path(os.path.realpath(path.parent)), path.name, self._largest_state())
            saved = _Saved.model_validate_json(content)
            tails = {
                name: Tail(
                    np.array(tail.times, dtype="datetime64[us]"),
                    np.array(tail.values, np.float64).reshape(len(tail.times), len(self.columns)),
                    self._empty.n_known,
                    {key: tuple(np.array(part, np.float32) for part in parts) for key, parts in tail.states.items()},
                )
                for name, tail in saved.tails.items()
            }
        except RunError as error:
            raise RunError(error.message, again) from None
        except ValueError:
            raise RunError(f"{path} is no state of a stream, or is damaged.", again) from None
        if saved.weights != self._identity() or not set(tails) <= set(self.series_ids):
            raise RunError(f"{path} is the state of another training than {self.run.name}.", again)
        return tails

    def _largest_state(self) -> int:
        """Bytes that the state of this run has at most: of each series its rows, and what every network carries."""
        config, rows = self.run.config, self._longest * (2 + len(self.columns))
        carried = 2 * config.training.ensemble * _MOST_STATES * sum(config.network.units) if self.carries else 0
        return _LONGEST_NUMBER * (1000 + len(self.series_ids) * (rows + carried))

    def _windowed(self, rows: Rows) -> dict[str, Forecasting]:
        """The networks over the newest rows, each of which sees its window."""
        return {
            name: averaged([member.over(rows) for member in members])
            for name, members in self._networks_for(rows).items()
        }

    def _intervals_of(self, rows: Rows) -> Intervals | None:
        """The intervals of these series as they stood when the run was made: they do not follow the stream."""
        order = self._scaler.positions(rows.panel.series_ids)
        return None if self._intervals is None else self._intervals.of_series(order)

    def _stepped(self, tail: Tail, rows: Rows) -> tuple[Tail, dict[str, Forecasting]]:
        """The tail with the states after its newest row, and the forecasts from them.

        Raises:
            DataError: If the row cannot be fed, because a value is missing for too long.
            RunError: If what was remembered is of another network.
        """
        cutoffs = np.array(rows.panel.offsets[1:]) - self.run.config.data.horizon - 1
        if not rows.usable[cutoffs].all():
            raise DataError(
                f"The row of {pd.Timestamp(tail.times[-1])} lacks a value that has been missing for more than "
                f"{self.run.config.data.longest_fill} rows, and the state cannot go on without it.",
                "Fill it in, or forget all before with --restart.",
            )
        states: dict[str, tuple[NDArray[np.float32], ...]] = {}
        carried: dict[str, Forecasting] = {}
        for name, members in self._networks_for(rows).items():
            answers = []
            for number, member in enumerate(members):
                key = f"{name}/{number + 1}"
                before = tail.states.get(key)
                if before is not None and [part.shape for part in before] != member.state_shapes(len(cutoffs)):
                    raise RunError(f"The saved state {key} is not of this network.", "Begin anew with --restart.")
                answer, after = member.step(rows, cutoffs, before)
                answers.append(answer)
                states[key] = tuple(after)
            carried[name] = _of_series(np.mean(answers, axis=0), rows)
        return replace(tail, states=states), carried

    def _networks_for(self, rows: Rows) -> dict[str, list[Network]]:
        """The networks by column; built at the first row."""
        if not self._networks:
            lookback, carrying = (1, rows.panel.n_series) if self.carries else (None, None)
            self._networks = networks_of(self.run, rows, self.run.forecast_weights, lookback, carrying)
        return self._networks


def stream_rows(
    stream: Stream,
    source: str = "-",
    *,
    follow: bool = False,
    date_format: str | None = None,
    progress: Progress | None = None,
) -> Iterator[pd.DataFrame]:
    """Read rows as they come, and yield the forecast after each; what is remembered is saved at every pause.

    Args:
        stream: Where the rows go.
        source: A CSV file with a header, or ``-`` for standard input.
        follow: Wait at the end of a file for it to grow.
        date_format: How the time is written; None infers it from each line, or takes what the run was given.
        progress: Is told why rows get no forecast.

    Raises:
        DataError: If a line cannot be read or does not follow; the rows before it are saved.
    """
    progress = progress or NullProgress()
    options, several = stream.run.config.read, len(stream.series_ids) > 1
    if date_format is not None:
        options = options.model_copy(update={"date_format": date_format})
    label = "standard input" if source == "-" else Path(source).name
    origin = TextSource(b"", label, shlex.quote(source), Path(source).stem)
    reader: LineReader | None = None
    waiting = False
    number = 0
    try:
        for line in lines_of(source, follow):
            if line is None:
                stream.save()
                continue
            number += 1
            text = _decoded(line, options.encoding or "utf-8", f"{label}, line {number}")
            if reader is None:
                reader = LineReader(text, stream.columns, stream.clock, options, origin, several)
                continue
            if not text.strip():
                continue
            row = reader.read(text, number)
            try:
                forecast = stream.take(row.time, row.values, stream.known_series(row.series if several else None))
            except DataError as error:
                message, advice = error.args
                raise DataError(f"{label}, line {number}: {message}", advice) from None
            if forecast is not None:
                yield forecast
            elif stream.refused and not waiting:
                progress.warn(f"no forecast yet: {stream.refused[0]}")
            waiting = forecast is None
    finally:
        stream.save()


def _decoded(line: bytes, encoding: str, place: str) -> str:
    try:
        return line.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise DataError(f"{place}: cannot be read as {encoding}: {error}.", "Send text in UTF-8.") from None


def _moment(time: Any) -> np.datetime64:
    """A timestamp as the rows have them: without a zone, in UTC where it had one."""
    stamp = pd.Timestamp(time)
    return (stamp if stamp.tz is None else stamp.tz_convert(None)).to_datetime64().astype("datetime64[us]")


def _without_sentinels(tail: Tail, row: Floats) -> Floats:
    """The row with codes such as -9999 taken for missing, where they are far from all that was seen."""
    seen = np.concatenate([tail.values, row[None]])
    for column in range(len(row)):
        mask_sentinels(seen[:, column])
    return seen[-1]


def _of_series(answers: NDArray[np.float32], rows: Rows) -> Forecasting:
    """Forecasts that are there already, one for each series, as a function of windows."""

    def forecast(starts: Ints) -> NDArray[np.float32]:
        return answers[rows.series[starts]]

    return forecast
