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
from forecast.intervals.calibrate import FEWEST_OUTCOMES, calibrate
from forecast.intervals.conformal import Intervals

# Points that intervals are calibrated on; more of them change nothing.
_POINTS_OF_CALIBRATION = 2_000_000

# With fewer windows there is too little to say how large errors are.
_FEWEST_WINDOWS = 4

# With fewer independent outcomes, what an interval holds is told to be uncertain: with so many, one of 80 % holds 71 %
# or less in one run of ten.
_ENOUGH_OUTCOMES = 20


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
    windows = windows.subsample(max(_FEWEST_WINDOWS, _POINTS_OF_CALIBRATION // (windows.horizon * rows.n_targets)))
    levels = config.intervals.levels
    if not levels or len(windows) < _FEWEST_WINDOWS:
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


def calibration_warnings(config: Config, n_windows: int, intervals: Intervals | None, model: str) -> tuple[str, ...]:
    """What to know of intervals that rest on little, a sentence each.

    Args:
        config: The run's resolved configuration.
        n_windows: Windows of the validation span.
        intervals: As `calibrate_intervals` made them of it.
        model: The judged model.
    """
    if intervals is None:
        if not config.intervals.levels:
            return ()
        return (f"no intervals: the validation span has {n_windows} windows, and they need {_FEWEST_WINDOWS}",)
    outcomes = intervals.calibrations[model].outcomes  # [S, H, D]
    known = np.where(outcomes > 0, outcomes, np.nan)
    if np.isnan(known).all():
        return (
            f"the intervals rest on no errors: in the {n_windows} validation windows there are none, or no series "
            "moves, so that how wide intervals must be is not known",
        )
    by_step = np.array([np.inf if np.isnan(step).all() else np.nanmedian(step) for step in np.moveaxis(known, 1, 0)])
    few = np.flatnonzero(by_step < _ENOUGH_OUTCOMES)
    if not len(few):
        return ()
    nearest, least = int(few[0]), int(np.argmin(by_step))
    n_outcomes = by_step[least]
    where = f"{_steps(nearest)} ahead the intervals rest on about {by_step[nearest]:.0f} independent outcomes"
    where += " of each series" if len(outcomes) > 1 else ""
    where += f", {_steps(least)} ahead on about {n_outcomes:.0f}" if least != nearest else ""
    windows = f"{n_windows} validation windows" + (f" of {len(outcomes)} series" if len(outcomes) > 1 else "")
    fewer = n_outcomes < 0.9 * n_windows / len(outcomes)
    or_missing = " or are missing" if config.data.least_observed < 1 else ""
    why = f"the errors of the {windows} depend on each other{or_missing}" if fewer else f"there are {windows}"
    held = [f"{_held_in_nine_of_ten(level / 100, n_outcomes):.0%} instead of {level}%" for level in intervals.levels]
    of_ten = "for one series of ten" if len(outcomes) > 1 else "in one run of ten"
    remains = f"they are wider for it, and {of_ten} still hold at most {' and '.join(held)}"
    return (f"{where}, for {why}: {remains}",)


def _steps(step: int) -> str:
    return "1 step" if step == 0 else f"{step + 1} steps"


def _held_in_nine_of_ten(level: float, n_outcomes: float) -> float:
    """What a normal interval by Student's t holds at least in nine samples of ten."""
    from scipy.special import chdtri, ndtr, stdtrit

    least_size = np.sqrt(chdtri(n_outcomes, 0.9) / n_outcomes)  # the lowest tenth of chi-square
    return float(2 * ndtr(stdtrit(max(n_outcomes, FEWEST_OUTCOMES), (1 + level) / 2) * least_size) - 1)


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
