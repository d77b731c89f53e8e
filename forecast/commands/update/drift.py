"""What an update finds out before it trains: which forecasts have come due, and what has changed."""

from __future__ import annotations

import numpy as np

from forecast.archive.drift import alarms_of
from forecast.archive.due import Alarm, DueForecasts
from forecast.archive.live import score_live
from forecast.archive.store import Archive
from forecast.data.panel import Panel
from forecast.errors import DataError, RunError
from forecast.progress import Progress
from forecast.runs.run import Run


def score_and_watch(run: Run, observed: Panel, progress: Progress) -> tuple[int, tuple[Alarm, ...]]:
    """How many kept forecasts have come due and were scored, and what has changed since the run was trained.

    Where no forecast was kept, or none is due, the inputs alone are watched.

    Args:
        run: The version in place.
        observed: The rows, arranged as its network takes them.
        progress: Is told why nothing was scored.
    """
    try:
        live = score_live(run, observed, Archive.open(run))
    except (RunError, DataError) as error:
        progress.note(f"{error.message.removesuffix('.')}: nothing is scored")
        return 0, tuple(alarms_of(run, _none_due(run), observed))
    return len(live.due), live.alarms


def _none_due(run: Run) -> DueForecasts:
    horizon, never = run.config.data.horizon, np.zeros(0, "datetime64[us]")
    return DueForecasts(
        unique_ids=np.zeros(0, object),
        cutoffs=never,
        issued=never,
        versions=np.zeros(0, np.int64),
        times=np.zeros((0, horizon), "datetime64[us]"),
        y=np.zeros((0, horizon)),
        forecasts={},
        model=run.config.network.model,
        angles=np.zeros(0, bool),
    )
