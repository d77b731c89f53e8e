"""Exponential smoothing of windows: each model against statsmodels, their mixture against a plain loop."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from checks import assert_all_compute
from forecast.errors import ConfigError
from forecast.models.backends.keras import build_network, set_weights, weights_of
from forecast.models.backends.tensorflow import tf
from forecast.models.network import Shape
from forecast.models.smoothing import Smoothing, maps_of, smooth
from samples import forecast, inputs_of, parts

LOOKBACK, HORIZON, CYCLE = 14, 6, 4
SMOOTHED = Shape(LOOKBACK, HORIZON, targets=2, covariates=1, known=2, series=2)


def smoothing(shape: Shape = SMOOTHED, cycle: int = CYCLE, empty: bool = True, **settings: object) -> Any:
    """A network that counts from exponential smoothing, with a head of zeros if it is to add nothing."""
    network = build_network(parts(normalise="smoothing", cycle=cycle, **settings), shape, seed=1)
    if empty:
        weights = weights_of(network)
        set_weights(network, weights | {name: 0 * weights[name] for name in weights if name.startswith("head/")})
    return network


def by_loop(y: np.ndarray, season: int, horizon: int, observed: np.ndarray | None = None) -> np.ndarray:
    """The mixture's forecast of one window [R], in the words of a textbook."""
    n, counted = len(y), np.arange(len(y)) >= len(y) - 2 * len(y) // 3
    block = season if season > 1 else 4
    k = min(3, n // block)
    means = y[: k * block].reshape(k, block).mean(axis=1)
    slope = (means[-1] - means[0]) / (block * (k - 1)) if k > 1 else 0.0
    flat = y[: k * block] - slope * np.arange(k * block)
    deviations = np.mean([flat[i : i + block] - flat[i : i + block].mean() for i in range(0, k * block, block)], 0)
    forecasts, weights = [], []
    for alpha, beta, gamma in product((0.1, 0.3, 0.8), (0.0, 0.1), (None, 0.2) if season > 1 else (None,)):
        level, trend, seasons = flat.mean() - slope, slope if beta else 0.0, deviations * (gamma is not None)
        errors, phi = np.empty(n), 0.9
        for t in range(n):
            error = errors[t] = y[t] - (level + phi * trend + seasons[t % season])
            level, trend = level + phi * trend + alpha * error, phi * trend + alpha * beta * error
            seasons[t % season] += (gamma or 0) * (1 - alpha) * error
        ahead = [
            seasons[(n + h) % season] + level + trend * sum(phi ** (i + 1) for i in range(h + 1))
            for h in range(horizon)
        ]
        seen = errors[counted] if observed is None else (errors * observed)[counted]
        forecasts.append(ahead)
        weights.append(((seen**2).mean() + 1e-8) ** -4)
    return np.average(forecasts, axis=0, weights=weights)


@pytest.mark.parametrize("seasonal", [None, 0.2])
@pytest.mark.parametrize(("trend", "damping"), [(0.0, 1.0), (0.1, 0.9)])
def test_a_model_is_that_of_statsmodels(trend: float, damping: float, seasonal: float | None) -> None:
    y, level = np.random.default_rng(1).normal(size=22).cumsum() + 20, 0.3
    errors, last, slope, seasons = smooth(y[None], 4, level, trend, damping, seasonal)
    first = y[:12].reshape(3, 4)
    drift = (first[2].mean() - first[0].mean()) / 8
    flat = first - drift * np.arange(12).reshape(3, 4)
    model = ETSModel(
        y,
        error="add",
        trend="add" if trend else None,
        damped_trend=bool(trend),
        seasonal="add" if seasonal else None,
        seasonal_periods=4 if seasonal else None,
        initialization_method="known",
        initial_level=flat.mean() - drift,
        initial_trend=drift if trend else None,
        initial_seasonal=(flat - flat.mean(axis=1, keepdims=True)).mean(axis=0) if seasonal else None,
    )
    fitted = {"smoothing_level": level, "smoothing_trend": level * trend, "smoothing_seasonal": 0.7 * (seasonal or 0)}
    fitted |= {"damping_trend": damping}
    result = model.smooth([fitted[name] for name in model.param_names if name in fitted])
    np.testing.assert_allclose(errors[0], result.resid, rtol=1e-9, atol=1e-9)
    steps = np.arange(1, 7)
    ahead = last + slope * np.cumsum(damping**steps) + seasons[0][(steps - 1) % 4]
    np.testing.assert_allclose(ahead, result.forecast(6), rtol=1e-9)


@pytest.mark.parametrize("cycle", [1, 4, 12, 20])  # none, three and a half, one, and more than the window has
def test_a_head_of_zeros_forecasts_what_the_models_do_by_their_weights(cycle: int) -> None:
    inputs, season = inputs_of(SMOOTHED), cycle if cycle <= LOOKBACK else 1
    y_pred = forecast(smoothing(cycle=cycle), inputs)
    for window, target in product(range(2), range(SMOOTHED.targets)):
        expected = by_loop(inputs["past"][window, :, target].astype(float), season, HORIZON)
        np.testing.assert_allclose(y_pred[window, :, target], expected, rtol=1e-4, atol=1e-5)


def test_errors_where_nothing_was_observed_do_not_count() -> None:
    shape, rng = Shape(LOOKBACK, HORIZON, 1, 0, 0, 1, masked=True), np.random.default_rng(2)
    past = rng.normal(size=(3, LOOKBACK, 1)).astype(np.float32)
    ages = (rng.random(past.shape) < 0.3) * rng.integers(1, 4, past.shape)
    inputs = inputs_of(shape, batch=3) | {"past": np.concatenate([past, ages], axis=2).astype(np.float32)}
    y_pred = forecast(smoothing(shape), inputs)
    for number in range(3):
        expected = by_loop(past[number, :, 0].astype(float), CYCLE, HORIZON, ages[number, :, 0] == 0)
        np.testing.assert_allclose(y_pred[number, :, 0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("lookback", "cycle", "n_rows", "n_models"), [(500, 12, 72, 12), (1000, 168, 504, 8), (900, 365, 72, 6)]
)
def test_of_long_windows_the_newest_rows_are_smoothed_and_of_long_seasons_by_fewer_models(
    lookback: int, cycle: int, n_rows: int, n_models: int
) -> None:
    maps = maps_of(Smoothing(lookback, 24, cycle))
    assert (len(maps.errors), maps.states.shape[1]) == (n_rows, n_models)
    assert maps.errors.nbytes + maps.states.nbytes < 6e6


def test_a_constant_window_stays_so() -> None:
    inputs = inputs_of(SMOOTHED)
    inputs["past"][:, :, :2] = [7, -3]
    np.testing.assert_allclose(forecast(smoothing(), inputs), np.broadcast_to([7, -3], (6, HORIZON, 2)), rtol=1e-6)


def test_a_season_on_a_line_goes_on_where_it_is_seen_whole() -> None:
    season = np.array([0, 3, -2, -1.0])
    steps = np.arange(40)
    inputs = inputs_of(Shape(32, 8, 1, 0, 0, 1))
    inputs["past"][:] = (season[steps % 4])[:32, None]
    y_pred = forecast(smoothing(Shape(32, 8, 1, 0, 0, 1)), inputs)
    np.testing.assert_allclose(y_pred[:, :, 0], np.tile(season[steps[32:] % 4], (6, 1)), atol=0.01)


def test_a_forecast_follows_its_series_when_that_is_moved_and_stretched() -> None:
    network, inputs = smoothing(), inputs_of(SMOOTHED)
    moved = inputs["past"].copy()
    moved[:, :, : SMOOTHED.targets] = -40 * moved[:, :, : SMOOTHED.targets] + 64
    expected = -40 * forecast(network, inputs) + 64
    np.testing.assert_allclose(forecast(network, inputs | {"past": moved}), expected, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("masked", [False, True])
def test_all_count_from_smoothing(masked: bool) -> None:
    design = {"decode": "parallel", "segment": 4, "quantiles": (0.1, 0.5, 0.9), "linear": True}
    shape = Shape(LOOKBACK, HORIZON, targets=2, covariates=1, known=2, series=4, masked=masked)
    assert_all_compute(parts(units=(6, 5), normalise="smoothing", cycle=CYCLE, **design), shape)


def test_a_network_on_top_of_it_learns() -> None:
    network, inputs = smoothing(), inputs_of(SMOOTHED)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((network(inputs) - 1.0) ** 2)
    gradients = tape.gradient(loss, network.trainable_variables)
    assert any(np.abs(gradient).max() > 0 for gradient in gradients if gradient is not None)


def test_fed_back_forecasts_count_from_no_smoothing() -> None:
    with pytest.raises(ConfigError, match="normalise = smoothing does not go with decode = recursive"):
        parts(normalise="smoothing", decode="recursive")
