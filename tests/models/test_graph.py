"""The graph computes what Keras computes, for every network that it can be written of."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from forecast.config import NetworkConfig
from forecast.models.backends import onnx as graph
from forecast.models.backends.keras import build_network, weights_of
from forecast.models.backends.onnx import graph_of
from forecast.models.catalogue import MODELS, configure
from forecast.models.network import Shape, weight_shapes

# A lookback that is no multiple of the segment, two targets, a covariate, three columns known ahead, four series.
SHAPE = Shape(lookback=13, horizon=7, targets=2, covariates=1, known=3, series=4)
PLAIN = Shape(lookback=5, horizon=3, targets=1, covariates=0, known=0, series=1)


def network_config(model: str, **settings: Any) -> NetworkConfig:
    small = {"model": model, "units": "6,5", "normalise": "last-scaled", "segment": 1}
    return configure({**small, **settings}).network


def compared(config: NetworkConfig, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """What Keras and ONNX Runtime make of the same weights and windows, [B, H, D] or [B, H, D, Q]."""
    rng = np.random.default_rng(0)
    network = build_network(config, shape, seed=3)
    for variable in network.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.2, variable.shape))
    weights = weights_of(network)
    assert {name: array.shape for name, array in weights.items()} == weight_shapes(config, shape)
    fed = {
        "past": rng.normal(size=(5, shape.lookback, shape.features)).astype(np.float32),
        "future": rng.normal(size=(5, shape.horizon, shape.known)).astype(np.float32),
        "series": rng.integers(0, shape.series, 5),
    }
    written = graph_of(config, shape, weights)
    onnx.checker.check_model(onnx.load_from_string(written), full_check=True)
    session = onnxruntime.InferenceSession(written, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {taken.name: fed[taken.name] for taken in session.get_inputs()})
    return network(fed, training=False).numpy(), answer


def assert_same(config: NetworkConfig, shape: Shape = SHAPE) -> None:
    in_keras, in_graph = compared(config, shape)
    assert in_graph.shape == in_keras.shape
    assert np.abs(in_keras).max() > 0.05
    np.testing.assert_allclose(in_graph, in_keras, rtol=0, atol=2e-6 * max(1.0, np.abs(in_keras).max()))


@pytest.mark.parametrize("decode", ["direct", "parallel", "recursive"])
@pytest.mark.parametrize("model", [name for name in MODELS if not name.startswith(("segment", "bi"))])
def test_every_cell_under_every_decoder(model: str, decode: str) -> None:
    assert_same(network_config(model, decode=decode, quantiles="0.1,0.5,0.9"))


@pytest.mark.parametrize("model", ["rnn", "gru", "lstm", "peephole-lstm", "coupled-lstm", "slstm", "bi-lstm"])
def test_a_long_sequence_in_pieces(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "_GATES_AT_ONCE", 4 * 4 * 6 * graph.WINDOWS_AT_ONCE)
    config = network_config(model)
    weights = {name: np.zeros(shape, np.float32) for name, shape in weight_shapes(config, SHAPE).items()}
    nodes = [node.op_type for node in onnx.load_from_string(graph_of(config, SHAPE, weights)).graph.node]
    # Thirteen steps make four pieces of each layer; an sLSTM is a loop of its own.
    assert sum(kind in ("RNN", "GRU", "LSTM") for kind in nodes) == {"slstm": 0, "bi-lstm": 16}.get(model, 8)
    assert_same(config)


@pytest.mark.parametrize("decode", ["direct", "parallel", "recursive"])
def test_segments(decode: str) -> None:
    assert_same(network_config("segment-lstm", decode=decode, segment=4))


@pytest.mark.parametrize("normalise", ["none", "last", "standard"])
def test_every_way_to_normalise(normalise: str) -> None:
    assert_same(network_config("lstm", normalise=normalise))


@pytest.mark.parametrize(
    "settings",
    [
        {"model": "bi-lstm"},
        {"model": "gru", "reset_after": False},
        {"model": "gru", "use_bias": False},
        {"model": "slstm", "use_bias": False},
        {"model": "lstm", "units": "4", "go_backwards": True},
    ],
)
def test_arguments_of_the_layers(settings: dict[str, Any]) -> None:
    assert_same(network_config(**settings))


@pytest.mark.parametrize("activation", ["sigmoid", "relu", "elu", "softplus", "softsign", "linear", "hard_sigmoid"])
def test_every_activation_that_onnx_knows(activation: str) -> None:
    for model in ("rnn", "gru", "peephole-lstm"):
        assert_same(network_config(model, activation=activation, recurrent_activation="hard_sigmoid"), PLAIN)


def test_a_coupled_cell_with_hard_gates() -> None:
    assert_same(network_config("coupled-lstm", recurrent_activation="hard_sigmoid"), PLAIN)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"model": "lstm", "activation": "gelu"}, "gelu"),
        ({"model": "gru", "recurrent_activation": "swish"}, "swish"),
        ({"model": "coupled-lstm", "recurrent_activation": "tanh"}, "coupled"),
        ({"model": "slstm", "activation": "relu"}, "sLSTM"),
    ],
)
def test_what_no_graph_can_be_written_of_is_refused_with_the_reason(settings: dict[str, Any], reason: str) -> None:
    config = network_config(**settings)
    weights = {name: np.zeros(shape, np.float32) for name, shape in weight_shapes(config, PLAIN).items()}
    with pytest.raises(NotInGraph, match=reason):
        graph_of(config, PLAIN, weights)


def test_the_same_weights_give_the_same_bytes() -> None:
    config = network_config("segment-gru", segment=4)
    weights = {name: np.ones(shape, np.float32) for name, shape in weight_shapes(config, SHAPE).items()}
    assert graph_of(config, SHAPE, weights) == graph_of(config, SHAPE, weights)
