"""What a user should know about intervals that rest on little."""

from __future__ import annotations

import numpy as np

from forecast.config import Config
from forecast.evaluation.calibrating import FEWEST_WINDOWS
from forecast.intervals.calibrate import FEWEST_OUTCOMES
from forecast.intervals.conformal import Intervals

# With fewer independent outcomes, what an interval holds is told to be uncertain: with so many, one of 80 % holds 71 %
# or less in one run of ten.
_ENOUGH_OUTCOMES = 20


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
        return (f"no intervals: the validation span has {n_windows} windows, and they need {FEWEST_WINDOWS}",)
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
