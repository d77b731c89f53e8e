"""Windows with their forecasts, some at a time, so that memory does not grow with the number of windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Floats
from forecast.data.prepare import Rows
from forecast.data.windows import Flags, Forecaster, Ints, Windows
from forecast.intervals.conformal import Intervals
from forecast.models.naive import naive_forecasts

_POINTS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Chunk:
    """Some windows and their forecasts.

    Args:
        numbers: Their numbers among all windows, [n].
        series: Their series, ascending, [n].
        y_true: Observed, [n, H, D]; NaN where nothing was.
        forecasts: By model, [n, H, D], or [n, H, D, Q] of a quantile head.
    """

    numbers: Ints
    series: Ints
    y_true: Floats
    forecasts: Mapping[str, Floats]

    @cached_property
    def missing(self) -> Flags | None:
        """Which points were not observed, [n, H, D]; None where all were."""
        missing = np.isnan(self.y_true)
        return missing if missing.any() else None

    def of_observed(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values of the points [n, H, D]; 0 at those that were not observed, which so add to no sum."""
        return values if self.missing is None else np.where(self.missing, 0, values)


def chunks_of(
    rows: Rows, windows: Windows, models: Mapping[str, Forecaster], season: int, intervals: Intervals | None = None
) -> Iterator[Chunk]:
    """The windows in order, with the forecasts of models and naive forecasts, and no more of them than fit in memory.

    Args:
        rows: The rows that the windows point into.
        windows: N windows.
        models: By name.
        season: m.
        intervals: Those whose quantiles will stand beside each point; None for none.
    """
    numbers_per_window = windows.horizon * rows.n_targets
    if intervals is not None:  # each point has quantiles of every forecaster beside it
        numbers_per_window *= len(intervals.calibrations) * len(intervals.probabilities)
    size = max(1, _POINTS_AT_ONCE // numbers_per_window)
    for first in range(0, len(windows), size):
        picked = slice(first, min(first + size, len(windows)))
        series, y_true = rows.series[windows.starts[picked]], rows.observed(windows.future(picked))
        forecasts = {name: model(windows.starts[picked]) for name, model in models.items()}
        forecasts |= naive_forecasts(rows, windows, picked, season)
        yield Chunk(
            numbers=np.arange(picked.start, picked.stop),
            series=series,
            y_true=y_true,
            forecasts={name: rows.bounds.unwrap_towards(values, y_true, series) for name, values in forecasts.items()},
        )
