"""The forecasts of a stream: those of networks that carry their state from row to row, as models to score."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from forecast.data.panel import Floats
from forecast.data.prepare import Rows
from forecast.data.windows import Forecaster, Ints, Windows
from forecast.errors import ConfigError, setting
from forecast.model import Model, load_models
from forecast.progress import Progress
from forecast.runs.run import Run

# How often progress is told, in rows.
_TOLD = 500


def check_states(run: Run) -> None:
    """Check that a run's networks carry their states from row to row.

    Raises:
        ConfigError: If they do not.
    """
    if not run.config.network.carries_states:
        raise ConfigError(
            f"The networks of {run.name} carry no state from row to row: a stream of it forecasts from windows, and "
            "scores as they do.",
            f"Leave {setting('stream', True)} out.",
        )


def carried_forecasts(run: Run, rows: Rows, windows: Windows, progress: Progress) -> dict[str, Forecaster]:
    """Each network of a run as a function of windows, fed one row after another from the first row of its series on.

    The state begins anew after a gap, and after a row that lacks a value for too long: there a stream is refused.

    Args:
        run: The run; `check_states` passed it.
        rows: The rows.
        windows: Those that are scored: from the cut-off of each there is a forecast.
        progress: Receives how many rows are done.
    """
    models = load_models(run, "model", 1, 1)
    found = {name: _fed_row_by_row(model, rows, windows, name, progress) for name, model in models.items()}
    return {name: partial(_at_cutoffs, values, windows) for name, values in found.items()}


def _fed_row_by_row(model: Model, rows: Rows, windows: Windows, name: str, progress: Progress) -> Floats:
    """The forecasts of a network from the cut-off of each window, [N, H, D] or [N, H, D, Q]."""
    window_of = dict(zip(windows.cutoffs.tolist(), range(len(windows)), strict=True))
    begins = np.diff(rows.panel.stretches(), prepend=-1) != 0
    nothing: list[Any] = [None] * len(model.members)
    states, result = nothing, np.empty(0)
    last = int(windows.cutoffs.max()) + 1
    for row in range(last):
        if begins[row] or not rows.usable[row]:
            states = nothing
        if rows.usable[row]:
            forecast, after = model.step(rows, np.array([row]), states)
            states = [*after]
            if not len(result):
                result = np.empty((len(windows), *forecast.shape[1:]))
            if row in window_of:
                result[window_of[row]] = forecast[0]
        if row % _TOLD == 0 or row == last - 1:
            progress.counted(f"streaming to {name}", row + 1, last)
    return result


def _at_cutoffs(forecasts: Floats, windows: Windows, starts: Ints) -> Floats:
    return forecasts[np.searchsorted(windows.starts, starts)]
