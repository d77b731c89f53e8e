"""The gradient by lag is that of the whole Jacobian, and a network that was split computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from forecast.models.backends.keras import build_network
from forecast.models.backends.tensorflow import keras, tf
from forecast.models.catalogue import configure
from forecast.models.gradients import SplitNetwork, gradient_by_lag
from forecast.models.network import Shape

SHAPE = Shape(lookback=20, horizon=4, targets=1, covariates=1, known=1, series=1)


def network_of(**settings: object) -> keras.Model:
    config = configure({"units": (5,), "segment": 1, "normalise": "none", **settings}).network
    return build_network(config, SHAPE, 0)


def inputs_of(n: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    past, future = rng.normal(size=(n, 20, 3)), rng.normal(size=(n, 4, 1))
    return {
        "past": tf.constant(past, tf.float32),
        "future": tf.constant(future, tf.float32),
        "series": tf.zeros(n, tf.int32),
    }


@pytest.mark.parametrize("settings", [{"model": "lstm"}, {"model": "segment-gru", "segment": 6, "normalise": "last"}])
def test_the_gradient_is_the_norm_of_the_jacobian_by_lag(settings: dict[str, object]) -> None:
    split, one = SplitNetwork(network_of(**settings)), inputs_of(1)
    window = split.window(one)
    with tf.GradientTape() as tape:
        tape.watch(window)
        forecast = split.forecast(window, one)
    jacobian = tape.jacobian(forecast, window).numpy()  # [1, H, D, 1, L, F]
    exact = np.sqrt((jacobian**2).sum(axis=(0, 1, 2, 3, 5)))[::-1]
    many = {name: tf.repeat(array, 4000, axis=0) for name, array in one.items()}
    np.testing.assert_allclose(gradient_by_lag(split, many), exact, rtol=0.1)


@pytest.mark.parametrize("normalise", ["last", "standard"])
def test_the_whole_gradient_is_that_of_the_window_that_is_fed(normalise: str) -> None:
    network, one = network_of(model="gru", normalise=normalise), inputs_of(1)
    step = 1e-2
    moved = np.repeat(one["past"].numpy(), 2 * 20 * 3, axis=0).reshape(2, 20, 3, 20, 3)
    for lag, column in np.ndindex(20, 3):
        moved[:, lag, column, lag, column] += [step, -step]
    fed = {"past": tf.constant(moved.reshape(-1, 20, 3)), "future": tf.repeat(one["future"], len(moved) * 60, axis=0)}
    y_pred = network({**fed, "series": tf.zeros(120, tf.int32)}).numpy().reshape(2, 20, 3, 4)
    exact = np.sqrt((((y_pred[0] - y_pred[1]) / (2 * step)) ** 2).sum(axis=(1, 2)))[::-1]
    many = {name: tf.repeat(array, 4000, axis=0) for name, array in one.items()}
    found = gradient_by_lag(SplitNetwork(network), many, whole=True)
    np.testing.assert_allclose(found, exact, rtol=0.1, atol=2e-4)
    assert found[0] > 1 or normalise == "standard"  # each of the four steps counts from the last value


def test_a_network_that_is_put_together_again_forecasts_the_same() -> None:
    network, inputs = network_of(model="segment-lstm", segment=6, normalise="last-scaled"), inputs_of(3)
    split = SplitNetwork(network)
    np.testing.assert_allclose(split.forecast(split.window(inputs), inputs), network(inputs), atol=1e-6)
