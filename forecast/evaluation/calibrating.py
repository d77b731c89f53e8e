"""The intervals of models and naive forecasts: calibrated on the validation span, and updated by what came since."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from forecast.config import Config
from forecast.data.prepare import Rows
from forecast.data.windows import Forecaster, Windows
from forecast.evaluation.chunks import chunks_of
from forecast.intervals.adaptive import AdaptiveIntervals
from forecast.intervals.conformal import Intervals, calibrate

# Points that intervals are calibrated on; more of them change nothing.
_POINTS_OF_CALIBRATION = 2_000_000

# With fewer windows there is too little to say how large errors are.
_FEWEST_WINDOWS = 4


def calibrate_intervals(
    rows: Rows, windows: Windows, models: Mapping[str, Forecaster], season: int, config: Config
) -> Intervals | None:
    """Calibrate the intervals of models and naive forecasts on a span after training and before the test.

    Args:
        rows: The rows that the windows point into.
        windows: The windows of that span.
        models: By name.
        season: m.
        config: The run's resolved configuration.

    Returns:
        The intervals; None where no level is asked for, or the span has too few windows.
    """
    windows = windows.subsample(max(_FEWEST_WINDOWS, _POINTS_OF_CALIBRATION // (windows.horizon * rows.n_targets)))
    levels = config.intervals.levels
    if not levels or len(windows) < _FEWEST_WINDOWS:
        return None
    chunks = list(chunks_of(rows, windows, models, season))
    y_true = np.concatenate([chunk.y_true for chunk in chunks])
    series = np.concatenate([chunk.series for chunk in chunks])
    calibrations = {
        name: calibrate(
            y_true,
            np.concatenate([chunk.forecasts[name] for chunk in chunks]),
            series,
            rows.panel.n_series,
            levels,
            config.network.quantiles,
            rows.logged,
            windows.spacing if config.intervals.adaptive else None,
        )
        for name in chunks[0].forecasts
    }
    return Intervals(levels, config.intervals.adaptive, calibrations)


def calibration_warnings(config: Config, n_windows: int) -> tuple[str, ...]:
    """What to know of intervals that were calibrated on so few windows, a sentence each."""
    levels = config.intervals.levels
    if levels and n_windows < _FEWEST_WINDOWS:
        return (f"no intervals: the validation span has {n_windows} windows, and they need {_FEWEST_WINDOWS}",)
    # To lie above 97.5 % of what comes, a rank must be the 39th of 39 at the least.
    rough = [f"{level}%" for level in levels if n_windows + 1 < 2 / (1 - level / 100)]
    if not rough:
        return ()
    # The chance that one more of n + 1 exchangeable errors lies between the least and the largest of the others.
    held = (n_windows - 1) / (n_windows + 1)
    return (
        f"{n_windows} validation windows are too few for intervals of {' and '.join(rough)}: they are the range of "
        f"{n_windows} errors, which holds {held:.0%} at best, and less where windows overlap",
    )


def update_intervals(
    rows: Rows, windows: Windows, models: Mapping[str, Forecaster], season: int, intervals: Intervals
) -> Intervals:
    """The intervals of some models after these windows, whose outcomes are known, from those before the first one."""
    if not len(windows):
        return intervals
    adaptive = adaptive_intervals(rows, windows, intervals)
    for chunk in chunks_of(rows, windows, models, season, intervals):
        adaptive.quantiles(chunk.y_true, chunk.forecasts, chunk.series)
    return adaptive.intervals()


def adaptive_intervals(rows: Rows, windows: Windows, intervals: Intervals) -> AdaptiveIntervals:
    """Intervals that will follow the errors over these windows, from those before the first one."""
    return AdaptiveIntervals(intervals, windows.spacing, longest=int(np.bincount(rows.series[windows.starts]).max()))
