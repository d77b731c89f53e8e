"""What is said of intervals that rest on little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm, t

from configs import plain_config
from forecast.commands.train.interval_warnings import calibration_warnings
from forecast.intervals.calibrate import calibrate
from forecast.intervals.conformal import Intervals

LEVELS = (80, 95)


def intervals_of_walks(n_windows: int, horizon: int) -> Intervals:
    walks = np.cumsum(np.random.default_rng(0).normal(size=(n_windows + horizon, 50)), axis=0)
    errors = np.stack([walks[h : n_windows + h] - walks[:n_windows] for h in range(1, horizon + 1)], axis=1)
    one = calibrate(errors, np.zeros(errors.shape), np.zeros(n_windows, int), 1, LEVELS, (), False)
    return Intervals(LEVELS, True, {"lstm": one})


def test_outcomes_are_counted_not_windows() -> None:
    config = plain_config(horizon=13)
    (said,) = calibration_warnings(config, 40, intervals_of_walks(40, 13), "lstm")
    assert said.startswith(
        "4 steps ahead the intervals rest on about 16 independent outcomes, 13 steps ahead on about 6"
    )
    assert "the errors of the 40 validation windows depend on each other" in said
    (said,) = calibration_warnings(plain_config(horizon=13, least_observed=0.5), 40, intervals_of_walks(40, 13), "lstm")
    assert "the errors of the 40 validation windows depend on each other or are missing: " in said
    assert not calibration_warnings(config, 400, intervals_of_walks(400, 13), "lstm")
    assert not calibration_warnings(config, 40, intervals_of_walks(40, 1), "lstm")


def test_what_may_be_held_is_what_samples_of_so_many_outcomes_hold() -> None:
    intervals = intervals_of_walks(40, 13)
    one = intervals.calibrations["lstm"]
    six = replace(intervals, calibrations={"lstm": replace(one, outcomes=np.full(one.outcomes.shape, 6.0))})
    (said,) = calibration_warnings(plain_config(horizon=13), 40, six, "lstm")
    sizes = np.sqrt((np.random.default_rng(1).normal(size=(200_000, 6)) ** 2).mean(axis=1))
    for level in LEVELS:
        held = 2 * norm.cdf(t.ppf((1 + level / 100) / 2, 6) * sizes) - 1
        assert f"{np.quantile(held, 0.1):.0%} instead of {level}%" in said


def test_few_windows_are_not_said_to_depend_on_each_other() -> None:
    errors = np.random.default_rng(3).normal(size=(12, 3, 1))
    one = calibrate(errors, np.zeros(errors.shape), np.zeros(12, int), 1, LEVELS, (), False)
    one = replace(one, outcomes=np.full(one.outcomes.shape, 12.0))
    (said,) = calibration_warnings(plain_config(horizon=3), 12, Intervals(LEVELS, True, {"lstm": one}), "lstm")
    assert said.startswith("1 step ahead the intervals rest on about 12 independent outcomes, for there are 12 valid")


def test_a_constant_has_no_outcomes_and_is_not_said_to_have_two() -> None:
    still = np.full((40, 3, 1), 0.005)
    one = calibrate(still, still, np.zeros(40, int), 1, LEVELS, (), False)
    assert (one.outcomes == 0).all()
    (said,) = calibration_warnings(plain_config(horizon=3), 40, Intervals(LEVELS, True, {"lstm": one}), "lstm")
    assert said.startswith("the intervals rest on no errors")
    # Beside others that have errors, it does not count.
    both = calibrate(
        np.concatenate([still, np.random.default_rng(0).normal(size=(400, 3, 1))]),
        np.zeros((440, 3, 1)) + np.repeat([0.005, 0], [40, 400])[:, None, None],
        np.repeat([0, 1], [40, 400]),
        2,
        LEVELS,
        (),
        False,
    )
    assert not calibration_warnings(plain_config(horizon=3), 440, Intervals(LEVELS, True, {"lstm": both}), "lstm")


@pytest.mark.parametrize(("levels", "said"), [("80,95", 1), ("none", 0)])
def test_a_span_of_few_windows_is_told(levels: str, said: int) -> None:
    warnings = calibration_warnings(plain_config(levels=levels), 3, None, "lstm")
    assert len(warnings) == said
    assert all("the validation span has 3 windows" in warning for warning in warnings)
