"""Looking inside: what is traced is what the network computes, and the gradient is that of the whole Jacobian."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from forecast.models.backends.keras import build_network
from forecast.models.backends.tensorflow import keras, tf
from forecast.models.catalogue import configure
from forecast.models.gradients import gradient_by_lag
from forecast.models.network import Shape

SHAPE = Shape(lookback=20, horizon=4, targets=1, covariates=1, known=1, series=1)

DESIGNS: dict[str, dict[str, object]] = {
    "rnn": {"model": "rnn"},
    "gru": {"model": "gru", "go_backwards": True},
    "gru of 2014": {"model": "gru", "reset_after": False},
    "lstm": {"model": "lstm", "normalise": "last"},
    "stacked": {"model": "stacked-lstm", "units": (5, 3)},
    "peephole": {"model": "peephole-lstm"},
    "coupled": {"model": "coupled-lstm"},
    "slstm": {"model": "slstm"},
    "both ends": {"model": "bi-lstm"},
    "segments": {"model": "segment-lstm", "segment": 6},
    "fed back": {"model": "lstm", "decode": "recursive"},
}


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


@pytest.mark.parametrize("settings", DESIGNS.values(), ids=DESIGNS)
def test_the_traced_state_is_the_one_that_the_network_reaches(settings: dict[str, object]) -> None:
    network, inputs = network_of(**settings), inputs_of(3)
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.RNN)]
    traces = trace_gates(network, inputs)
    assert len(traces) == len(layers)
    for layer, trace in zip(layers, traces, strict=True):
        fed = keras.Model(network.input, layer.input)(inputs)
        output, *_ = layer(fed)
        hidden = trace.values["hidden"]
        seen = hidden if layer.return_sequences else hidden[:, 0] if layer.go_backwards else hidden[:, -1]
        np.testing.assert_allclose(seen, output, atol=1e-6)
        for gate in trace.gates:
            assert trace.values[gate].shape == hidden.shape
            assert trace.values[gate].min() >= 0
            assert trace.values[gate].max() <= 1


def test_the_shares_of_the_slstm_make_up_its_memory() -> None:
    (trace,) = trace_gates(network_of(model="slstm"), inputs_of(3))
    kept, written = trace.values["forget"], trace.values["input"]
    np.testing.assert_allclose(kept + written, 1, atol=1e-6)
    memory = trace.values["cell"] / trace.values["normaliser"]
    again = kept[:, 1:] * memory[:, :-1] + written[:, 1:] * trace.values["candidate"][:, 1:]
    np.testing.assert_allclose(memory[:, 1:], again, atol=1e-5)


@pytest.mark.parametrize("settings", [{"model": "lstm"}, {"model": "segment-gru", "segment": 6, "normalise": "last"}])
def test_the_gradient_is_the_norm_of_the_jacobian_by_lag(settings: dict[str, object]) -> None:
    opened, one = Opened(network_of(**settings)), inputs_of(1)
    window = opened.window(one)
    with tf.GradientTape() as tape:
        tape.watch(window)
        forecast = opened.forecast(window, one)
    jacobian = tape.jacobian(forecast, window).numpy()  # [1, H, D, 1, L, F]
    exact = np.sqrt((jacobian**2).sum(axis=(0, 1, 2, 3, 5)))[::-1]
    many = {name: tf.repeat(array, 4000, axis=0) for name, array in one.items()}
    np.testing.assert_allclose(gradient_by_lag(opened, many), exact, rtol=0.1)


def test_a_network_that_is_put_together_again_forecasts_the_same() -> None:
    network, inputs = network_of(model="segment-lstm", segment=6, normalise="last-scaled"), inputs_of(3)
    opened = Opened(network)
    np.testing.assert_allclose(opened.forecast(opened.window(inputs), inputs), network(inputs), atol=1e-6)
