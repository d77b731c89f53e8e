"""The ONNX graph computes what Keras computes, with ONNX's own recurrent nodes and with loops over the cell's step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from forecast.config import NetworkConfig
from forecast.models.activations import ACTIVATIONS
from forecast.models.backends import onnx as graph
from forecast.models.backends.keras import build_network, weights_of
from forecast.models.backends.onnx import graph_of
from forecast.models.catalogue import MODELS, configure
from forecast.models.network import Shape, weight_shapes
from references import arguments_of, variants
from samples import DECODE

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


def kinds_of_nodes(config: NetworkConfig, shape: Shape) -> list[str]:
    """The nodes of a graph that are recurrent layers, or pieces of one."""
    weights = {name: np.zeros(size, np.float32) for name, size in weight_shapes(config, shape).items()}
    nodes = onnx.load_from_string(graph_of(config, shape, weights)).graph.node
    return [node.op_type for node in nodes if node.op_type in ("RNN", "GRU", "LSTM", "Scan")]


@pytest.mark.parametrize("decode", DECODE)
@pytest.mark.parametrize("variant", variants())
def test_a_node_of_onnx_and_a_loop_are_both_whole(variant: str, decode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = NetworkConfig(
        units=(6, 5), normalise="last-scaled", segment=1, decode=decode, quantiles=(0.1, 0.5, 0.9),
        **arguments_of(variant),
    )  # fmt: skip
    assert ("Scan" not in kinds_of_nodes(config, SHAPE)) == (config.cell in graph._NATIVE)
    assert_same(config)
    monkeypatch.setattr(graph, "_NATIVE", {})
    assert set(kinds_of_nodes(config, SHAPE)) == {"Scan"}
    assert_same(config)


@pytest.mark.parametrize(
    "model", [name for name in MODELS if name == "bi-lstm" or configure(model=name).network.segment == 1]
)
def test_a_long_sequence_in_pieces(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "_GATES_AT_ONCE", 4 * 4 * 6 * graph.WINDOWS_AT_ONCE)
    config = network_config(model)
    nodes = kinds_of_nodes(config, SHAPE)
    # Thirteen steps make four pieces of each layer; a cell that ONNX has no node for is a loop of its own.
    native = config.cell in graph._NATIVE
    layers = 2 * len(config.units) if config.bidirectional else len(config.units)
    assert len(nodes) == (4 * layers if native else layers)
    assert ("Scan" in nodes) == (not native)
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
        *({"model": model, "use_bias": False} for model in MODELS),
        *({"model": model, "units": "4", "go_backwards": True} for model in ("lstm", "slstm")),
    ],
)
def test_arguments_of_the_layers(settings: dict[str, Any]) -> None:
    assert_same(network_config(**settings))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("model", ["rnn", "gru", "peephole-lstm"])
def test_every_activation(model: str, activation: str) -> None:
    # With exponentials the states of a longer window grow out of bounds.
    shape = replace(PLAIN, lookback=2) if activation == "exponential" else PLAIN
    assert_same(network_config(model, activation=activation, recurrent_activation="hard_sigmoid"), shape)


def test_a_coupled_cell_with_hard_gates() -> None:
    assert_same(network_config("coupled-lstm", recurrent_activation="hard_sigmoid"), PLAIN)


@pytest.mark.parametrize(
    "settings",
    [
        {"model": "lstm", "activation": "gelu"},
        {"model": "gru", "recurrent_activation": "swish"},
        {"model": "coupled-lstm", "recurrent_activation": "tanh"},
        {"model": "slstm", "activation": "relu"},
    ],
)
def test_what_no_node_of_onnx_computes_is_a_loop(settings: dict[str, Any]) -> None:
    config = network_config(**settings)
    assert kinds_of_nodes(config, PLAIN) == ["Scan"] * len(config.units)
    assert_same(config, PLAIN)


def test_the_same_weights_give_the_same_bytes() -> None:
    config = network_config("segment-gru", segment=4)
    weights = {name: np.ones(shape, np.float32) for name, shape in weight_shapes(config, SHAPE).items()}
    assert graph_of(config, SHAPE, weights) == graph_of(config, SHAPE, weights)
