"""The rows of a run: those that it was trained on, read again; new ones; and the windows that it has not seen."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from forecast.config import ReadOptions, parse_missing
from forecast.data.clock import Clock, Times
from forecast.data.panel import Panel
from forecast.data.prepare import Rows, arrange, count_targets, lay_out, values_without_logarithm, windows_of
from forecast.data.scaling import Scaler
from forecast.data.split import at_or_after, split_by_series
from forecast.data.unseen import with_unseen_series
from forecast.data.windows import Flags, Windows
from forecast.errors import DataError, Sentence, listed, phrase, setting, without_settings
from forecast.progress import Progress
from forecast.runs.own_rows import ROWS, own_rows
from forecast.runs.run import Run
from forecast.sources.formulas import raw_columns
from forecast.sources.issues import IN_SOURCE
from forecast.sources.read import Source, is_there, kept, read, report_notes
from forecast.sources.training_ranges import far_from_training

# Series that a sentence names.
_NAMED = 5

_SOURCE = phrase("SOURCE behind the run", "source")


def source_of(run: Run) -> Source:
    """Where the rows are that a run was trained on: their file, or the frame that this process trained on.

    Raises:
        DataError: If they came from memory, and are there no longer.
    """
    source: Source | None = run.manifest["source"] if run.source is None else run.source
    if source is None and ROWS in run.manifest["files"]:
        raise DataError(
            f"Version {run.version} of {run.name} keeps its rows itself, old and newer ones: no source holds them all.",
            f"Give those that came since as {_SOURCE}.",
        )
    if source is None:
        raise DataError(f"{run.name} was trained on rows that cannot be read again.", f"Give them as {_SOURCE}.")
    return source


def training_panel(run: Run, source: Source | None = None) -> Panel:
    """The rows that a run was trained on, read again; of a source that has grown since, those that were there.

    Args:
        run: A run.
        source: Where they are now; None for where they were.

    Raises:
        DataError: If they are no longer there, or are others.
    """
    return training_rows(run, source)[0]


def training_rows(run: Run, source: Source | None = None) -> tuple[Panel, Source | None]:
    """The same, and the source that holds them and no others; None if there is none. Arguments as of `training_panel`.

    Raises:
        DataError: As `training_panel` raises it.
    """
    if source is None and (own := own_rows(run)) is not None:
        return own, None
    current = source_of(run) if source is None else source
    if source is None and run.source is None and not is_there(str(current)):  # no pipe either
        raise DataError(
            f"{current}, which {run.name} was trained on, is no longer there.", f"Give its rows as {_SOURCE}."
        )
    panel = read(current, run.read_options).named(run.data["series_ids"])  # of a source of many groups, its own
    if panel.clock.freq == run.clock.freq:  # a run of an earlier version shows its times without a zone
        panel = replace(panel, clock=run.clock)
    fingerprint = run.manifest["data"]["fingerprint"]
    if panel.fingerprint() == fingerprint:
        return panel, current
    if panel.n_rows:
        before = _before_it_grew(run, panel)
        if before.fingerprint() == fingerprint:
            return before, None
    if source is not None:
        raise DataError(
            f"The source given does not hold the rows that {run.name} was trained on: {panel.n_rows:,} rows from "
            f"{panel.clock.format(panel.times.min())} on, where the run had {run.manifest['data']['rows']:,} from "
            f"{run.clock.format(np.datetime64(run.manifest['data']['first']))} on, or the same with other values or "
            "columns.",
            "Give the rows as they were.",
        )
    raise DataError(
        f"{current if run.source is None else 'The frame'} has changed since {run.name} was trained on it.",
        f"Bring the old file back, or give the rows that it holds now as {_SOURCE}.",
    )


def _before_it_grew(run: Run, panel: Panel) -> Panel:
    """The rows of a source up to the last one of a run, and its columns if it has them all."""
    before = panel.only(panel.times <= np.datetime64(run.data["last"]))
    columns = tuple(run.data["columns"])
    before = before if not {*columns} <= {*before.columns} or columns == before.columns else before.select(columns)
    more = panel.n_rows - before.n_rows
    since = f"{more:,} row{' has' if more == 1 else 's have'} come since {run.name} was trained, passed over here"
    return replace(before, warnings=(*before.warnings, Sentence(f"{since}: give them as {_SOURCE}.")))


def fitted_until(run: Run, panel: Panel) -> Times:
    """The time of each series of a panel [S] before which its rows are no test of a run.

    Of a series that it was trained on they were used for that; of another, before its own share for the test, they say
    its scale.
    """
    unseen = run.scaler.unseen(panel.series_ids)
    if not len(unseen):
        return run.test_from[run.scaler.positions(panel.series_ids)]
    since = split_by_series(panel, run.config.data).test_from
    trained = np.setdiff1d(np.arange(panel.n_series), unseen)
    if len(trained):
        since[trained] = fitted_until(run, panel.of_series(trained))
    return since


def scaler_of(run: Run, panel: Panel, since: Times | None = None) -> Scaler:
    """A run's scaler, and beside it that of the series of a panel that the run was not trained on.

    Args:
        run: A run.
        panel: Arranged rows.
        since: Where the rows of each series begin that are forecast from rows before them; None if none are.
    """
    known_rows = np.ones(panel.n_rows, bool) if since is None else ~at_or_after(panel, since)
    return with_unseen_series(run.scaler, panel, known_rows, run.config.data)


def unseen_windows(run: Run, rows: Rows) -> Windows:
    """The windows of some rows that a run has not seen: it was neither trained nor chosen by them.

    Raises:
        DataError: If there are none, or as of `windows_to_score`.
    """
    windows = windows_to_score(run, rows)
    if not len(windows):
        refuse_no_window(run, rows.panel)
    return windows


def refuse_no_window(run: Run, panel: Panel) -> NoReturn:
    """Say why some rows hold no window that a run has not seen.

    Raises:
        DataError: Always.
    """
    clock = run.clock
    raise DataError(
        f"There is no window to score: the rows end at {clock.format(panel.times.max())}, and those before "
        f"{clock.format(fitted_until(run, panel).min())} were used for training. "
        f"A window needs {run.config.data.lookback} rows before and {run.config.data.horizon} after its cut-off."
    )


def windows_to_score(run: Run, rows: Rows) -> Windows:
    """The windows of `unseen_windows`, of which there may be none here.

    Raises:
        DataError: If the rows are beyond all numbers, or do not tell what was known when.
    """
    if lacks_issues(run, rows.panel):
        raise DataError(
            f"{run.name} was trained on values as they were known at the time, and these rows do not tell when theirs "
            "were issued.",
            f"Give a file that does: {setting('known_forecasts')}, or rows with the column of {setting('issued_at')}.",
        )
    refuse_no_numbers(run, np.nan_to_num(rows.scaled, posinf=np.inf, neginf=-np.inf))
    return windows_of(rows, at_or_after(rows.panel, fitted_until(run, rows.panel)), run.config.data)


def read_like(source: Source, options: ReadOptions, clock: Clock | None = None) -> Panel:
    """New rows, read by the options of a run; a time that says it all may be written otherwise.

    Args:
        source: The rows.
        options: Those of the run.
        clock: On which they are where they are too few to show it; None if that is no matter.

    Raises:
        DataError: If they cannot be read.
    """
    source = kept(source)
    try:
        return read(source, options)
    except DataError:
        others = [options.model_copy(update={"time_column": None, "date_format": None, "freq": None})]
        if clock is not None and options.resample is None:
            others.append(options.model_copy(update={"freq": clock.freq}))
        for other in others:
            with suppress(DataError):
                if other != options:
                    return read(source, other)
        raise


def with_forecasts_of(run: Run, path: str | None) -> Run:
    """The run, for which forecasts of its inputs are read from another file; itself for None.

    Raises:
        DataError: If its inputs are none that are forecast.
    """
    if path is None:
        return run
    if run.config.read.known_forecasts is None:
        raise DataError(f"{run.name} was trained on no forecasts of its inputs: it has no use for {path}.")
    return replace(run, config=run.config.replace(read={"known_forecasts": path}))


def lacks_issues(run: Run, panel: Panel) -> bool:
    """Whether a run was trained on what was known at the time, and a panel does not tell when that was.

    Only its newest rows can be forecast from then: what they hold is what is known.
    """
    read = run.config.read
    return (read.known_forecasts is not None or read.issued_at is not None) and panel.issues is None


def new_rows(run: Run, source: Source, progress: Progress, reads_forecasts: bool = True) -> Panel:
    """New rows as they are, with the columns and on the clock that the run's network takes.

    Args:
        run: A run.
        source: New rows.
        progress: Receives notes, warnings and progress.
        reads_forecasts: Whether forecasts of inputs are read from the run's file of them, if it is still there; else
            what the rows hold ahead is what is known.

    Raises:
        DataError: If a column is missing, or the clock is another.
    """
    config = run.config
    options = read_options(run)
    if not reads_forecasts or (
        not os.path.isfile(str(options.known_forecasts)) and options.known_forecasts != IN_SOURCE
    ):
        options = options.model_copy(update={"known_forecasts": None})
    panel = read_like(source, options, run.clock)
    report_notes(replace(panel, warnings=tuple(map(without_settings, panel.warnings))), progress)  # the run has them
    needed = config.data.target + (config.data.covariates or ()) + config.data.known
    missing = [name for name in needed if name not in panel.columns]
    unmeasured: list[str] = []
    if config.data.least_observed < 1:  # the network can do without them
        unmeasured = [name for name in missing if name in config.data.covariates]
        missing = [name for name in missing if name not in unmeasured]
    if missing:
        raise DataError(
            f"Column {missing[0]!r} is missing: the run {run.name} was trained on {', '.join(map(repr, needed))}.",
            f"The source has {', '.join(map(repr, panel.columns))}.",
        )
    extra = [name for name in panel.columns if name not in run.data["columns"]]
    if extra:
        are = "column that the run does not know was" if len(extra) == 1 else "columns that the run does not know were"
        progress.warn(f"{len(extra)} {are} passed over: {', '.join(extra)}")
    freq, tz = run.clock.freq, run.clock.tz
    if panel.clock.freq != freq and panel.clock.freq.partition(" ")[0] == freq.partition(" ")[0]:
        panel = read_like(source, options.model_copy(update={"freq": freq}))
    if panel.clock.freq != freq:
        raise DataError(
            f"The clock of the rows is {panel.clock.freq}; the run {run.name} was trained on {freq}.",
            f"Bring the rows onto the clock {freq}, or train a run on theirs.",
        )
    if panel.clock.is_zoned and tz is None and "tz" in run.data:
        raise DataError(
            f"The times have the zone {panel.clock.tz}; the rows that {run.name} was trained on had none.",
            "Give local times, without an offset.",
        )
    if unmeasured:
        progress.warn(f"not in these rows, and fed as missing: {listed(list(map(repr, unmeasured)), _NAMED)}")
        empty = np.full((panel.n_rows, len(unmeasured)), np.nan)
        panel = replace(panel, values=np.hstack([panel.values, empty]), columns=(*panel.columns, *unmeasured))
    panel = replace(panel, clock=run.clock)
    trained_ids = run.data["series_ids"]
    if panel.n_series == len(trained_ids) == 1:  # a lone series may carry another name in another file
        panel = replace(panel, series_ids=tuple(trained_ids))
    return panel


def new_panel(run: Run, source: Source, progress: Progress, reads_forecasts: bool = True) -> Panel:
    """New rows, arranged as the run's network takes them; arguments as of `new_rows`.

    Raises:
        DataError: If a column is missing, the clock is another, or a series is unknown.
    """
    return arranged_for(run, new_rows(run, source, progress, reads_forecasts), progress)


def arranged_for(run: Run, panel: Panel, progress: Progress) -> Panel:
    """What `new_rows` returned, arranged as the run's network takes it; warns of series and values unlike the run's.

    Raises:
        DataError: If a series is unknown.
    """
    config = run.config
    for warning in values_without_logarithm(panel, config.data).values():
        progress.warn(without_settings(warning))
    arranged = lay_out(arrange(panel, config.data), config.data)
    if unseen := unseen_in_words(run, arranged):
        progress.warn(unseen)
    since = np.datetime64(run.data["last"])
    if (arranged.times > since).any():
        judged = arranged.times > since
    else:  # all are older than the run's own: judged, unless they are the run's own
        judged = np.full(arranged.n_rows, panel.fingerprint() != run.manifest["data"]["fingerprint"])
    for warning in far_rows(run, arranged, judged).values():
        progress.warn(warning)
    return arranged


def unseen_in_words(run: Run, arranged: Panel) -> str:
    """Which series of a panel a run was not trained on, in a sentence; empty if there is none.

    Raises:
        DataError: If the run forecasts only series that it was trained on; lists those.
    """
    unseen = [arranged.series_ids[number] for number in run.scaler.unseen(arranged.series_ids)]
    if not unseen:
        return ""
    if not run.takes_unseen_series:
        run.scaler.positions(arranged.series_ids)
    if unseen == [""]:
        column = setting("series_id")
        return Sentence(
            f"not trained on: these rows, unless {column} says of which series they are; scaled by themselves"
        )
    whose = "its" if len(unseen) == 1 else "their"
    return f"not trained on: {listed(unseen, _NAMED)}; scaled by {whose} own rows"


def far_rows(run: Run, arranged: Panel, judged: Flags) -> dict[tuple[str, str], str]:
    """What is said of rows that lie far from those that the run was trained on, by column and kind.

    Args:
        run: A run.
        arranged: Rows, arranged as the run's network takes them.
        judged: Which of them are judged, [T].

    Raises:
        DataError: If a series is unknown.
    """
    unseen = run.scaler.unseen(arranged.series_ids)  # whose ranges are not known
    if len(unseen):
        trained = np.setdiff1d(np.arange(arranged.n_series), unseen)
        if not len(trained):
            return {}
        judged, arranged = judged[np.isin(arranged.series_of_row(), trained)], arranged.of_series(trained)
    series = run.scaler.positions(arranged.series_ids)
    angles = arranged.columns[: count_targets(run.config.data)] if run.config.data.circular else ()
    return far_from_training(arranged, judged, run.ranges, series, without=(*angles, *run.config.categories))


def refuse_no_numbers(run: Run, numbers: NDArray[np.floating]) -> None:
    """Refuse rows that lead a run beyond all numbers.

    Args:
        run: A run.
        numbers: What comes of the rows.

    Raises:
        DataError: If one of the numbers is not finite.
    """
    if not np.isfinite(numbers).all():
        raise DataError(
            f"The rows are so far from those that {run.name} was trained on that its forecast is not a number.",
            "Are they in the same units?",
        )


def read_options(run: Run) -> ReadOptions:
    """How new rows are read: as those of the training, without rules for columns that the run does not use."""
    data, options = run.config.data, run.read_options
    used = (None, *raw_columns((*data.target, *data.covariates, *data.known)))
    return options.model_copy(
        update={"missing": tuple(rule for rule in options.missing if parse_missing(rule).column in used)}
    )
