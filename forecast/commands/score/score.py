"""How the forecasts that were kept of a run did, once what they forecast has been observed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.archive.due import LiveScores
from forecast.archive.live import score_live
from forecast.archive.store import Archive
from forecast.commands.progress import shown_by_default
from forecast.data.clock import STEP
from forecast.errors import ConfigError, quote, setting
from forecast.progress import Progress
from forecast.runs.find import find
from forecast.runs.rows import new_panel, source_of
from forecast.runs.run import Run
from forecast.sources.read import Source


def score(
    run: Run | str,
    source: Source | None = None,
    *,
    since: Any = None,
    last: int | None = None,
    archive: str | None = None,
    runs_dir: Path | None = None,
    progress: Progress | None = None,
) -> LiveScores:
    """How the forecasts of a run did that have come due, beside the naive forecasts of the same origins.

    Forecasts are kept by ``keep=True`` of `predict` and `Stream`, and by ``--keep``. One that is due in part counts
    with the steps that are. An observation that differs from the one that it was scored against before is named.

    Args:
        run: A run or its name.
        source: The rows that were observed; None for the source that it was trained on, which has grown since.
        since: A time; only forecasts from origins since then are read and scored. None for all.
        last: Only the forecasts of so many newest origins are scored; None for all.
        archive: The database where they were kept; None for FORECAST_ARCHIVE, or else the run's folder.
        runs_dir: Where runs live.
        progress: Receives notes, warnings and progress.

    Raises:
        ConfigError: If ``since`` is no time.
        RunError: If no forecast was kept, or the archive is damaged.
        DataError: If none is due, or the rows do not fit the run.
    """
    run = find(run, runs_dir=runs_dir)
    kept = Archive.open(run, archive)
    first = None if since is None else _time_of(run, since)
    kept.check_not_empty()
    observed = new_panel(run, source_of(run) if source is None else source, progress or shown_by_default())
    return score_live(run, observed, kept, first, last)


def _time_of(run: Run, since: Any) -> np.datetime64:
    """A time, or the number of a step, as panels keep it."""
    try:
        return np.datetime64(int(since), "us") if run.clock.freq == STEP else run.clock.to_utc(pd.Timestamp(since))
    except (ValueError, TypeError):
        raise ConfigError(
            f"{setting('since')} takes a time. Received: {quote(since)}.", "For example: 2024-01-31 13:00"
        ) from None
