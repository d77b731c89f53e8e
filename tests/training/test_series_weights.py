"""Each series counts alike in the loss: its errors are weighed by the inverse of its own seasonal change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import forecast
from forecast import Prepared
from forecast.models.backends.keras import build_network
from forecast.models.backends.tensorflow import tf
from forecast.models.network import shape_of
from forecast.training.series_weights import series_weights
from forecast.training.trainer import Fit

N_ROWS, SEASON = 120, 7


def prepared_of(*series: np.ndarray, **settings: Any) -> Prepared:
    times = np.datetime64("2020-01-01", "us") + np.arange(N_ROWS) * np.timedelta64(1, "D")
    ids = tuple(f"s{number}" for number in range(len(series))) if len(series) > 1 else ("",)
    offsets = tuple(N_ROWS * number for number in range(len(series) + 1))
    values = np.concatenate(series)[:, None]
    panel = forecast.Panel(values, np.tile(times, len(series)), ("y",), forecast.Clock("D"), ids, offsets)
    plain = {
        "target": "y",
        "lookback": 14,
        "horizon": 3,
        "season": SEASON,
        "units": 3,
        "split": "time",
        "baseline": False,
    }
    return forecast.prepare(panel, forecast.resolve(forecast.configure({**plain, **settings}), panel)[0])


def cycle(noise: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.sin(2 * np.pi * np.arange(N_ROWS) / SEASON) + noise * rng.normal(size=N_ROWS)


def change(values: np.ndarray, distance: int) -> float:
    """The mean absolute change of the training rows, in units of their standard deviation."""
    learned = values[: int(0.7 * N_ROWS)]
    return float(np.abs(learned[distance:] - learned[:-distance]).mean() / learned.std())


def test_weights_are_the_inverse_of_the_seasonal_change_in_scaled_rows() -> None:
    series = [cycle(noise, seed) * 10**seed for seed, noise in enumerate((0.2, 0.4, 0.8))]
    expected = np.array([1 / change(values, SEASON) for values in series])
    found = series_weights(prepared_of(*series))
    assert found is not None
    np.testing.assert_allclose(found[:, 0], expected / expected.mean(), rtol=1e-5)


def test_a_cycle_without_noise_counts_by_its_steps_and_a_constant_as_the_median_series() -> None:
    series = [cycle(0.4, 1), cycle(0.4, 2), cycle(0.4, 3), np.arange(N_ROWS) % SEASON * 1.0, np.ones(N_ROWS)]
    own = [1 / change(values, SEASON) for values in series[:3]] + [1 / change(series[3], 1)]
    expected = np.array([*own, np.median(own)])
    found = series_weights(prepared_of(*series))
    assert found is not None
    np.testing.assert_allclose(found[:, 0], expected / expected.mean(), rtol=1e-5)


def test_a_nearly_constant_series_does_not_outweigh_the_others() -> None:
    series = [cycle(0.4, 1), cycle(0.4, 2), cycle(1e-4, 3)]
    found = series_weights(prepared_of(*series))
    assert found is not None
    assert found[2, 0] / np.median(found) == pytest.approx(10)
    assert found.mean() == pytest.approx(1)


def test_a_single_series_has_no_weights_nor_have_its_channels() -> None:
    assert series_weights(prepared_of(cycle(0.4, 1))) is None


@pytest.mark.parametrize("quantiles", [(), (0.1, 0.5, 0.9)])
def test_the_loss_is_the_weighted_mean(quantiles: tuple[float, ...]) -> None:
    prepared = prepared_of(cycle(0.2, 1), cycle(0.8, 2), quantiles=quantiles)
    config, shape = prepared.config, shape_of(prepared.rows, 14, 3)
    fit = Fit(build_network(config.network, shape, 0), prepared, config.training, prepared.train)
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.normal(size=(4, 3, 1)), rng.normal(size=(4, 3, 1, *([3] if quantiles else [])))
    own = series_weights(prepared)
    assert own is not None
    series = np.array([0, 1, 1, 0])
    if quantiles:
        error, levels = y_true[..., None] - y_pred, np.array(quantiles)
        losses = 2 * np.where(error > 0, levels * error, (levels - 1) * error).mean(axis=3)
    else:
        losses = np.abs(y_true - y_pred)
    expected = np.mean([own[s, 0] * loss.mean() for s, loss in zip(series, losses, strict=True)])
    assert float(fit._loss(tf.constant(y_true), tf.constant(y_pred), series)) == pytest.approx(expected, rel=1e-6)
