"""What intervals hold along a test span, of forecasters that know how their series go on: by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from forecast.data.panel import Floats
from forecast.intervals.adaptive import AdaptiveIntervals
from forecast.intervals.calibrate import calibrate
from forecast.intervals.conformal import Intervals, interval

LEVELS = (80, 95)

# Rows, series, horizon, and how many points coverage may be off: in the mean, and at the last step.
LENGTHS = {"1,500 hours": (1500, 20, 24, 2, 4), "520 weeks": (520, 100, 13, 2, 4), "400 days": (400, 50, 12, 4, 7)}


def noise(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return rng.normal(size=shape)


def bursts(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """GARCH(1, 1)."""
    shocks, variance = rng.normal(size=shape), np.ones(shape[1])
    for t in range(shape[0]):
        shocks[t] *= np.sqrt(variance)
        variance = 0.05 + 0.1 * shocks[t] ** 2 + 0.85 * variance
    return shocks


def counts(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    return rng.poisson(6, shape) - 6.0


KINDS = {
    "noise": (noise, 0.0),
    "AR(1)": (noise, 0.8),
    "random walk": (noise, 1.0),
    "counts": (counts, 0.0),
    "GARCH": (bursts, 0.5),
}


def held(
    y: Floats,
    coefficient: float,
    horizon: int,
    calibration_from: int,
    test_from: int,
    since: int = 0,
    missing: float = 0.0,
) -> dict[int, Floats]:
    """The share within the interval of each level, by step, [H], of series [T, D] that the last value tells of.

    Args:
        y: The series.
        coefficient: How much of the last value is left after one step.
        horizon: H.
        calibration_from: The first row of the calibration span.
        test_from: The first row of the test span.
        since: Windows with an earlier first row of their horizon are not counted.
        missing: The share of the outcomes that are not observed, at random; what was before the origin is.
    """
    gone = np.random.default_rng(3).random(y.shape) < missing

    def outcomes(first: int, last: int) -> tuple[Floats, Floats]:
        origins = np.arange(first - 1, last - horizon)[:, None]
        steps = np.arange(1, horizon + 1)
        return np.where(gone, np.nan, y)[origins + steps], y[origins] * coefficient ** steps[:, None]

    (known, forecasts), (y_true, y_pred) = outcomes(calibration_from, test_from), outcomes(test_from, len(y))
    one = calibrate(known, forecasts, np.zeros(len(known), int), 1, LEVELS, (), logged=False, spacing=1)
    adapting = AdaptiveIntervals(Intervals(LEVELS, True, {"model": one}))
    quantiles = adapting.quantiles(y_true, {"model": y_pred}, np.zeros(len(y_true), int))["model"]
    within = {}
    for level in LEVELS:
        low, high = interval(quantiles, one.probabilities, level)
        inside = np.where(np.isnan(y_true), np.nan, (low <= y_true) & (y_true <= high))
        within[level] = np.nanmean(inside[max(0, since - test_from) :], axis=(0, 2))
    return within


@pytest.mark.parametrize("length", LENGTHS)
def test_intervals_hold_what_they_promise_far_ahead_and_on_short_series(length: str) -> None:
    n, n_series, horizon, in_the_mean, at_the_end = LENGTHS[length]
    for kind, (shocks, coefficient) in KINDS.items():
        y = lfilter([1], [1, -coefficient], shocks(np.random.default_rng(1), (n, n_series)), axis=0)
        for level, within in held(y, coefficient, horizon, round(0.7 * n), round(0.8 * n)).items():
            assert within.mean() == pytest.approx(level / 100, abs=in_the_mean / 100), (kind, level)
            assert within[-1] == pytest.approx(level / 100, abs=at_the_end / 100), (kind, level)


def test_a_level_shift_that_goes_unnoticed_is_held_again_after_forty_rows() -> None:
    y = np.random.default_rng(2).normal(size=(400, 40))
    y[340:] += 5
    within = held(y, 0.0, 7, calibration_from=280, test_from=320)
    after = held(y, 0.0, 7, calibration_from=280, test_from=320, since=380)
    for level in LEVELS:
        assert within[level].mean() < level / 100 - 0.1
        assert after[level].mean() > level / 100


@pytest.mark.parametrize("kind", ["random walk", "GARCH"])
def test_intervals_hold_as_much_where_a_third_of_the_outcomes_is_missing(kind: str) -> None:
    shocks, coefficient = KINDS[kind]
    y = lfilter([1], [1, -coefficient], shocks(np.random.default_rng(1), (1500, 20)), axis=0)
    whole, holed = (held(y, coefficient, 24, 1050, 1200, missing=missing) for missing in (0.0, 0.3))
    for level in LEVELS:
        assert holed[level].mean() == pytest.approx(whole[level].mean(), abs=0.01)
        assert holed[level] == pytest.approx(whole[level], abs=0.04)
