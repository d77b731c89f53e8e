"""The intervals of models and naive forecasts: calibrated on the validation span, and updated by what came since."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from forecast.config import Config
from forecast.data.prepare import Rows
from forecast.data.windows import Forecaster, Windows
from forecast.evaluation.chunks import chunks_of
from forecast.evaluation.yardstick import NaiveError, figure_by_series
from forecast.intervals.adaptive import AdaptiveIntervals
from forecast.intervals.calibrate import calibrate
from forecast.intervals.conformal import Intervals

# Points that intervals are calibrated on; more of them change nothing.
_POINTS_OF_CALIBRATION = 2_000_000

# With fewer windows there is too little to say how large errors are.
FEWEST_WINDOWS = 4


def calibrate_intervals(
    rows: Rows,
    windows: Windows,
    models: Mapping[str, Forecaster],
    config: Config,
    naive_error: Mapping[str, NaiveError],
) -> Intervals | None:
    """Calibrate the intervals of models and naive forecasts on a span after training and before the test.

    Args:
        rows: The rows that the windows point into.
        windows: The windows of that span.
        models: By name.
        config: The run's resolved configuration.
        naive_error: The seasonal naive's error on the training rows, for each unique id (see `naive_errors`): the size
            of the errors of a series that does not move on that span.

    Returns:
        The intervals; None where no level is asked for, or the span has too few windows.
    """
    windows = windows.subsample(max(FEWEST_WINDOWS, _POINTS_OF_CALIBRATION // (windows.horizon * rows.n_targets)))
    levels = config.intervals.levels
    if not levels or len(windows) < FEWEST_WINDOWS:
        return None
    chunks = list(chunks_of(rows, windows, models, config.data.season))
    y_true = np.concatenate([chunk.y_true for chunk in chunks])
    series = np.concatenate([chunk.series for chunk in chunks])
    usual_change = figure_by_series(rows, naive_error, "mae")
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
            None if rows.logged else usual_change,  # which is not of logarithms
        )
        for name in chunks[0].forecasts
    }
    return Intervals(levels, config.intervals.adaptive, calibrations)


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
