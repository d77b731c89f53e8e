"""Metrics against hand-computed cases, and against loops over points."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from forecast.evaluation.metrics import (
    bias,
    coverage,
    crps,
    directional_accuracy,
    interval_width,
    mae,
    mase,
    qlike,
    quantile_loss,
    rmse,
    rmsse,
    scaled_crps,
    scaled_winkler,
    skill,
    smape,
    wape,
    weighted_quantile_loss,
    winkler,
)

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


def test_qlike_is_least_for_the_mean_and_asks_more_of_a_forecast_that_is_too_low() -> None:
    y = np.random.default_rng(1).lognormal(-9, 0.7, 4000)
    expected = [np.mean(y / f - np.log(y / f) - 1) for f in (y.mean(), 2 * y.mean(), y.mean() / 2)]
    losses = [qlike(y, np.full_like(y, f)) for f in (y.mean(), 2 * y.mean(), y.mean() / 2)]
    assert losses == pytest.approx(expected, rel=1e-12)
    assert losses[0] < losses[1] < losses[2]
    assert losses[0] < qlike(y, np.full_like(y, np.median(y)))
    assert qlike(y, y) == 0


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


@pytest.mark.parametrize("metric", [mae, rmse, smape])
def test_nothing_to_score_is_refused(metric: Callable[..., float]) -> None:
    with pytest.raises(ValueError, match="no point"):
        metric([], [])


@pytest.mark.parametrize("metric", [mae, rmse, smape])
def test_shapes_that_would_broadcast_are_refused(metric: Callable[..., float]) -> None:
    # [N, 1] against [N] is a common slip, and would score N × N pairs.
    with pytest.raises(ValueError, match="shape"):
        metric(np.zeros((4, 1)), np.zeros(4))


def test_weighted_percentages_bias_and_direction() -> None:
    y_true, y_pred = np.array([[1.0, 2.0], [4.0, 5.0]]), np.array([[2.0, 2.0], [3.0, 7.0]])
    assert wape(y_true, y_pred) == pytest.approx(100 * 4 / 12)
    assert bias(y_true, y_pred) == pytest.approx((1 + 0 - 1 + 2) / 4)
    # From 1 and from 4.5: at 1 nothing moved; up both; down both; up both.
    assert directional_accuracy(y_true, y_pred, [1.0, 4.5]) == 100
    assert directional_accuracy(y_true, [[0.0, 0.0], [5.0, 4.0]], [1.0, 4.5]) == 0
    assert math.isnan(directional_accuracy(y_true, [[1.0, 1.0], [4.5, 4.5]], [1.0, 4.5]))
    assert math.isnan(wape([0.0, 0.0], [1.0, 2.0]))


def test_squared_scaled_error() -> None:
    assert rmsse([0.0, 0.0], [3.0, 4.0], naive_error=2) == pytest.approx(math.sqrt(12.5) / 2)
    assert math.isnan(rmsse([1.0], [2.0], naive_error=0.0))


def test_quantile_losses() -> None:
    y_true = np.array([0.0, 10.0])
    assert quantile_loss(y_true, [4.0, 4.0], 0.5) == mae(y_true, [4.0, 4.0])
    assert quantile_loss(y_true, [4.0, 4.0], 0.9) == pytest.approx(0.1 * 4 + 0.9 * 6)  # doubled, then the mean of two
    quantiles = np.array([[-1.0, 1.0], [8.0, 12.0]])
    both = (quantile_loss(y_true, quantiles[:, 0], 0.1) + quantile_loss(y_true, quantiles[:, 1], 0.9)) / 2
    assert crps(y_true, quantiles, [0.1, 0.9]) == pytest.approx(both)
    assert weighted_quantile_loss(y_true, quantiles, [0.1, 0.9]) == pytest.approx(both / 5)
    assert math.isnan(weighted_quantile_loss([0.0], [[1.0]], [0.5]))


def test_the_quantile_loss_is_least_at_the_quantile() -> None:
    values = np.random.default_rng(0).normal(size=4001)
    guesses = np.linspace(-2, 2, 81)
    losses = [quantile_loss(values, np.full(4001, guess), 0.8) for guess in guesses]
    assert guesses[np.argmin(losses)] == pytest.approx(0.84, abs=0.06)


def test_crps_by_many_quantiles_is_the_score_itself() -> None:
    # Of a standard normal at its centre, in closed form: 2 φ(0) - 1 / √π (Gneiting & Raftery 2007).
    probabilities = (np.arange(999) + 0.5) / 999
    quantiles = stats.norm.ppf(probabilities)
    expected = 2 / math.sqrt(2 * math.pi) - 1 / math.sqrt(math.pi)
    assert crps([0.0], quantiles[None], probabilities.tolist()) == pytest.approx(expected, abs=1e-3)


def test_interval_scores() -> None:
    y_true, low, high = np.array([1.0, 5.0, -3.0]), np.zeros(3), np.full(3, 4.0)
    assert coverage(y_true, low, high) == pytest.approx(1 / 3)
    assert coverage([0.0, 4.0], [0.0, 0.0], [4.0, 4.0]) == 1  # the ends belong to it
    assert interval_width(low, high) == 4
    assert winkler(y_true, low, high, 0.8) == pytest.approx(4 + (2 / 0.2) * (1 + 3) / 3)


def test_scaled_scores_of_distributions_are_in_units_of_the_naive_error() -> None:
    y_true, quantiles = RNG.normal(size=40), np.sort(RNG.normal(size=(40, 3)), axis=1)
    of_crps = crps(y_true, quantiles, [0.1, 0.5, 0.9])
    assert scaled_crps(y_true, quantiles, [0.1, 0.5, 0.9], naive_error=2.5) == pytest.approx(of_crps / 2.5)
    low, high = quantiles[:, 0], quantiles[:, 2]
    outside = np.where(y_true < low, low - y_true, np.where(y_true > high, y_true - high, 0))
    msis = ((high - low) + 2 / 0.2 * outside).mean() / 2.5  # as the M4 competition has it
    assert scaled_winkler(y_true, low, high, 0.8, naive_error=2.5) == pytest.approx(msis)
    assert math.isnan(scaled_winkler(y_true, low, high, 0.8, naive_error=0.0))
