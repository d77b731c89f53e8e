"""The rows of a run and those that came since, as one panel."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from forecast.data.panel import Panel
from forecast.errors import DataError, phrase, quote
from forecast.progress import NullProgress, Progress
from forecast.runs.rows import new_rows, read_like, source_of, training_panel
from forecast.runs.run import Run
from forecast.sources.formulas import with_derived
from forecast.sources.read import Source, is_built_in, named_together, on_disk
from forecast.sources.services.refresh import refresh
from forecast.sources.sql import is_database
from forecast.tables.folders import absolute


def old_and_new_rows(run: Run, source: Source | None, fetch: bool, progress: Progress) -> tuple[Panel, Source]:
    """The rows of a run and those that came since, of the series that it was trained on; and where they are read again.

    Args:
        run: The version in place.
        source: All rows, or only those that came since; None for the run's own source, which has grown.
        fetch: Whether the service that the source comes from is asked first.
        progress: Receives notes, warnings and progress.

    Raises:
        DataError: If they cannot be read, a series is missing, or the old rows are not there any more.
        ForecastError: As `refresh` raises it.
    """
    named: Source = named_together(source_of(run) if source is None else source)
    if isinstance(named, (str, Path)):
        named = on_disk(str(named), progress)
        named = refresh(Path(named), progress) if fetch else named
    panel, known = new_rows(run, named, progress), run.data["series_ids"]
    if more := panel.n_series - len({*known} & {*panel.series_ids}):
        progress.warn(f"{more} series that {run.name} was not trained on {'is' if more == 1 else 'are'} passed over")
    # Of a file that has dropped its oldest rows, those that are left are all that there are.
    is_own = source is None or _is_same_file(named, run.manifest["source"])
    if not is_own and panel.times.min() > np.datetime64(run.manifest["data"]["first"]):
        panel, named = _joined(run, panel, named)
    if absent := [name for name in known if name not in panel.series_ids]:
        raise DataError(
            f"There are no rows of {quote(absent[0])} any more, of which {run.name} was trained.",
            "Bring its old rows back, which need not go on; or train a run of the series that are left.",
        )
    return panel.named(known), named


def _joined(run: Run, new: Panel, named: Source) -> tuple[Panel, Source]:
    """The rows of a run and newer ones below them, which the next version keeps itself.

    Where forecasts were known ahead they are read again, as files that follow one another.
    """
    old, last = training_panel(run), np.datetime64(run.data["last"])
    if old.issues is not None and new.times.min() > last and _is_file(before := source_of(run)) and _is_file(named):
        parts = [path for one in (before, named) for path in str(one).split(os.pathsep)]
        together = absolute(os.pathsep.join(dict.fromkeys(parts)))
        both = read_like(together, run.read_options)
        if {*run.data["series_ids"]} <= {*both.series_ids}:
            return new_rows(run, together, NullProgress()), together
    missing = [name for name in old.columns if name not in new.columns]
    if missing or old.issues is not None:
        raise DataError(
            f"The rows begin at {run.clock.format(new.times.min())}, after those of {run.name}, and cannot be put "
            "below them.",
            f"Give a source with all of them, as {phrase('SOURCE', 'source')}.",
        )
    new = new.select(old.columns)
    values, times, offsets = [], [], [0]
    for series, name in enumerate(old.series_ids):
        rows = old.rows(series)
        values.append(old.values[rows])
        times.append(old.times[rows])
        if name in new.series_ids:
            own = new.rows(new.series_ids.index(name))
            later = new.times[own] > (old.times[rows][-1] if rows.stop > rows.start else np.datetime64("0000"))
            values.append(new.values[own][later])
            times.append(new.times[own][later])
        offsets.append(sum(map(len, times)))
    both = replace(
        old, values=np.concatenate(values), times=np.concatenate(times), offsets=tuple(offsets), coded={}, texts={}
    )
    if derived := run.config.read.derived:  # a return needs the row before, which is an old one
        measured = tuple(name for name in both.columns if name not in derived)
        both = with_derived(both.select(measured), derived).select(old.columns)
    return both, both


def _is_same_file(source: Source, recorded: str | None) -> bool:
    return isinstance(source, (str, Path)) and absolute(str(source)) == recorded


def _is_file(source: Source) -> bool:
    return (
        isinstance(source, (str, Path)) and str(source) != "-" and not is_database(source) and not is_built_in(source)
    )
