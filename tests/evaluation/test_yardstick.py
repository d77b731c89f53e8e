"""What scaled errors are divided by: naive errors by hand, those that are only rounding, and those of one value."""

from __future__ import annotations

import math

import numpy as np
import pytest

from forecast.data.panel import Floats
from forecast.evaluation import yardstick
from forecast.evaluation.yardstick import outstanding_value, seasonal_naive_error

RNG = np.random.default_rng(17)


@pytest.mark.parametrize(
    ("y", "season", "expected"),
    [
        ([1, 4, 2, 10], 1, (3 + 2 + 8) / 3),
        ([1, 4, 2, 10], 2, (1 + 6) / 2),
        ([1, 4, math.nan, 10], 1, 3),  # a pair with a missing value is passed over
        ([1, 4, math.nan, 10], 3, 9),
        ([1, 4, 2, 10], 4, math.nan),
        ([1, 4, 2, 10], 9, math.nan),
        ([1, math.nan, 2, math.nan], 1, math.nan),
        ([5, 5, 5], 1, 0),
        ([], 1, math.nan),
    ],
)
def test_seasonal_naive_error(y: list[float], season: int, expected: float) -> None:
    assert seasonal_naive_error(np.array(y, float), season).mae == pytest.approx(expected, nan_ok=True)


def test_the_root_mean_squared_naive_error() -> None:
    assert seasonal_naive_error(np.array([1.0, 4.0, 2.0]), 1).rmse == pytest.approx(math.sqrt((9 + 4) / 2))


def test_errors_of_angles_take_the_short_way() -> None:
    assert seasonal_naive_error(np.array([0.0, 350.0, 720.0]), 1, turn=360).mae == pytest.approx(10)


def test_pieces_of_a_long_series_give_the_same_seasonal_naive_error(monkeypatch: pytest.MonkeyPatch) -> None:
    y, stretches = np.random.default_rng(0).normal(size=100), np.repeat([0, 1], [41, 59])
    y[[13, 77]] = np.nan
    was, whole = y[30], seasonal_naive_error(y, 7, stretches)
    y[30] = 500.0
    outlier = outstanding_value(y, 7, stretches)
    monkeypatch.setattr(yardstick, "_PAIRS_AT_ONCE", 9)
    assert outlier is not None
    assert outstanding_value(y, 7, stretches) == pytest.approx(outlier)
    y[30] = was
    assert seasonal_naive_error(y, 7, stretches)[:2] == pytest.approx(whole[:2])


@pytest.mark.parametrize("n_hours", [500, 50_000])
def test_differences_that_are_rounding_are_none(n_hours: int) -> None:
    sine = 20 + np.sin(2 * np.pi * np.arange(n_hours) / 24)  # repeats itself, but for 1e-15
    assert np.abs(sine[24:] - sine[:-24]).max() > 0
    assert seasonal_naive_error(sine, 24) == (0.0, 0.0, None)
    assert seasonal_naive_error(1e6 + 1e-4 * RNG.normal(size=500), 1).mae > 0


@pytest.mark.parametrize("season", [1, 12])
def test_a_value_that_makes_most_of_the_naive_error_is_found(season: int) -> None:
    y = RNG.normal(size=300)
    y[117] = 900.0
    differences = np.abs(y[season:] - y[:-season])
    without = np.delete(differences, [117 - season, 117])
    found = outstanding_value(y, season)
    assert found is not None
    row, share, mae = found
    assert row == 117
    assert share == pytest.approx(1 - without.sum() / differences.sum())
    assert mae == pytest.approx(without.mean())


@pytest.mark.parametrize("at", [0, 299])
def test_it_is_found_at_either_end_where_it_has_one_difference(at: int) -> None:
    y = RNG.normal(size=300)
    y[at] = -9999.0
    found = outstanding_value(y, 1)
    assert found is not None
    assert found[0] == at


def garch(n: int) -> Floats:
    noise, returns, variance = RNG.standard_t(4, n) / math.sqrt(2), np.zeros(n), 1.0
    for t in range(n):
        returns[t] = math.sqrt(variance) * noise[t]
        variance = 0.02 + 0.1 * returns[t] ** 2 + 0.88 * variance
    return returns


# Name -> how a series of n rows is drawn: tails are heavy, and no value is wrong.
HONEST = {
    "returns": garch,
    "prices": lambda n: 100 * np.exp(0.01 * np.cumsum(garch(n))),
    "rain": lambda n: np.where(RNG.random(n) < 0.3, RNG.gamma(0.7, 8, n), 0),
    "sales of a slow mover": lambda n: np.where(RNG.random(n) < 0.1, 1 + RNG.poisson(3, n), 0),
    "lognormal": lambda n: RNG.lognormal(0, 1, n),
    "level shift": lambda n: RNG.normal(size=n) + np.where(np.arange(n) > n // 2, 1000, 0),
}


@pytest.mark.parametrize("draw", HONEST.values(), ids=HONEST)
def test_heavy_tails_are_no_outliers(draw: object) -> None:
    found = [outstanding_value(draw(400), season) for season in (1, 12) for _ in range(50)]
    assert sum(outlier is not None for outlier in found) <= 1
