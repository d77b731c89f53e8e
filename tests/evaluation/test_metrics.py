"""Metrics against hand-computed cases, and against loops over points."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from forecast.evaluation.metrics import mae, mase, rmse, seasonal_naive_error, skill, smape

RNG = np.random.default_rng(0)
Y_TRUE = RNG.normal(10, 4, (7, 5, 3))
Y_PRED = Y_TRUE + RNG.normal(0, 2, (7, 5, 3))


def test_by_hand() -> None:
    # Errors -1, 0, 2; their shares of |y| + |f| are 1/3, 0 and 2/4.
    y_true, y_pred = [1, 2, 3], [2, 2, 1]
    assert mae(y_true, y_pred) == 1
    assert rmse(y_true, y_pred) == pytest.approx(math.sqrt(5 / 3), rel=1e-15)
    assert smape(y_true, y_pred) == pytest.approx(200 * (1 / 3 + 1 / 2) / 3, rel=1e-15)
    assert mase(y_true, y_pred, naive_error=4) == 0.25


def test_against_loops() -> None:
    absolute = squared = symmetric = 0.0
    for n in range(7):
        for step in range(5):
            for target in range(3):
                y, f = Y_TRUE[n, step, target], Y_PRED[n, step, target]
                absolute += abs(y - f)
                squared += (y - f) ** 2
                symmetric += 200 * abs(y - f) / (abs(y) + abs(f))
    assert mae(Y_TRUE, Y_PRED) == pytest.approx(absolute / 105, rel=1e-13)
    assert rmse(Y_TRUE, Y_PRED) == pytest.approx(math.sqrt(squared / 105), rel=1e-13)
    assert smape(Y_TRUE, Y_PRED) == pytest.approx(symmetric / 105, rel=1e-13)
    assert mase(Y_TRUE, Y_PRED, 2.5) == pytest.approx(absolute / 105 / 2.5, rel=1e-13)


def test_float32_forecasts_are_scored_in_float64() -> None:
    # 16777217 has no float32; scored in float32, an error of 1 would vanish.
    assert mae(np.array([16_777_217.0]), np.array([16_777_216], np.float32)) == 1


@pytest.mark.parametrize(
    ("y_true", "y_pred", "expected"),
    [([0.0], [0.0], 0), ([0.0], [5.0], 200), ([-3.0], [3.0], 200), ([0.0, 2.0], [0.0, 2.0], 0), ([0, 1], [0, 3], 50)],
)
def test_smape_where_both_are_zero_is_no_error(y_true: list[float], y_pred: list[float], expected: float) -> None:
    assert smape(y_true, y_pred) == expected


@pytest.mark.parametrize("naive_error", [0.0, math.nan])
def test_mase_is_undefined_without_a_yardstick(naive_error: float) -> None:
    assert math.isnan(mase([1.0], [2.0], naive_error))


@pytest.mark.parametrize(
    ("error", "reference", "expected"), [(1, 2, 0.5), (2, 1, -1), (0, 2, 1), (1, 0, math.nan), (0, 0, math.nan)]
)
def test_skill(error: float, reference: float, expected: float) -> None:
    assert skill(error, reference) == pytest.approx(expected, nan_ok=True)


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


@pytest.mark.parametrize("metric", [mae, rmse, smape])
def test_nothing_to_score_is_refused(metric: Callable[..., float]) -> None:
    with pytest.raises(ValueError, match="no point"):
        metric([], [])


@pytest.mark.parametrize("metric", [mae, rmse, smape])
def test_shapes_that_would_broadcast_are_refused(metric: Callable[..., float]) -> None:
    # [N, 1] against [N] is a common slip, and would score N × N pairs.
    with pytest.raises(ValueError, match="shape"):
        metric(np.zeros((4, 1)), np.zeros(4))
