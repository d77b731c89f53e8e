"""The ONNX graph: its own recurrent nodes, and loops over a cell's step where it has none, compute the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from forecast.config import NetworkConfig
from forecast.models.backends import onnx as graph
from forecast.models.backends.onnx import graph_of
from forecast.models.cells import CELLS
from forecast.models.network import Shape, weight_shapes
from references import variants
from rounding import forecast_with_bound
from samples import DECODE, inputs_of, parts

# A lookback that is no multiple of the segment, two targets, a covariate, three columns known ahead, four series.
SHAPE = Shape(lookback=13, horizon=7, targets=2, covariates=1, known=3, series=4)
PLAIN = Shape(lookback=5, horizon=3, targets=1, covariates=0, known=0, series=1)


def deep(**settings: Any) -> NetworkConfig:
    """A network of two layers."""
    return parts(**{"units": (6, 5), "normalise": "last-scaled", **settings})


def assert_computed(config: NetworkConfig, shape: Shape = SHAPE) -> None:
    """ONNX Runtime takes the graph, and forecasts what the network is."""
    rng = np.random.default_rng(0)
    weights = {name: rng.normal(0, 0.3, size).astype("f4") for name, size in weight_shapes(config, shape).items()}
    fed = inputs_of(shape) | {"series": rng.integers(0, shape.series, 6)}
    written = graph_of(config, shape, weights)
    onnx.checker.check_model(onnx.load_from_string(written), full_check=True)
    session = onnxruntime.InferenceSession(written, providers=["CPUExecutionProvider"])
    (forecasts,) = session.run(None, {taken.name: fed[taken.name] for taken in session.get_inputs()})
    exact, bound = forecast_with_bound(config, shape, weights, fed)
    assert np.abs(exact).max() > 0.05
    assert (np.abs(forecasts - exact) <= bound).all()


def kinds_of_nodes(config: NetworkConfig, shape: Shape) -> list[str]:
    """The nodes of a graph that are recurrent layers, or pieces of one."""
    weights = {name: np.zeros(size, np.float32) for name, size in weight_shapes(config, shape).items()}
    nodes = onnx.load_from_string(graph_of(config, shape, weights)).graph.node
    return [node.op_type for node in nodes if node.op_type in ("RNN", "GRU", "LSTM", "Scan")]


@pytest.mark.parametrize("decode", DECODE)
@pytest.mark.parametrize("variant", variants())
def test_a_node_of_onnx_and_a_loop_are_both_whole(variant: str, decode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = deep(decode=decode, quantiles=(0.1, 0.5, 0.9), **variants()[variant])
    assert ("Scan" not in kinds_of_nodes(config, SHAPE)) == (config.cell in graph._NATIVE)
    assert_computed(config)
    monkeypatch.setattr(graph, "_NATIVE", {})
    assert set(kinds_of_nodes(config, SHAPE)) == {"Scan"}
    assert_computed(config)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("variant", variants())
def test_a_long_sequence_in_pieces(variant: str, bidirectional: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "_GATES_AT_ONCE", 4 * 4 * 6 * graph.WINDOWS_AT_ONCE)
    config = deep(bidirectional=bidirectional, **variants()[variant])
    nodes = kinds_of_nodes(config, SHAPE)
    # Thirteen steps make four pieces of each layer; a cell that ONNX has no node for is a loop of its own.
    native = config.cell in graph._NATIVE
    layers = 2 * len(config.units) if config.bidirectional else len(config.units)
    assert len(nodes) == (4 * layers if native else layers)
    assert ("Scan" in nodes) == (not native)
    assert_computed(config)


@pytest.mark.parametrize(
    "settings",
    [
        *({"cell": cell, "use_bias": False} for cell in CELLS),
        *({"cell": cell, "units": (4,), "go_backwards": True} for cell in CELLS),
        *({"cell": cell, "bidirectional": True} for cell in CELLS),
    ],
    ids=lambda settings: " ".join(map(str, settings.values())),
)
def test_arguments_of_the_layers(settings: dict[str, Any]) -> None:
    assert_computed(deep(**settings))


@pytest.mark.parametrize("symmetric", graph._SYMMETRIC)
def test_a_coupled_cell_with_symmetric_gates_is_a_node(symmetric: str) -> None:
    config = deep(cell="coupled", recurrent_activation=symmetric)
    assert set(kinds_of_nodes(config, PLAIN)) == {"LSTM"}
    assert_computed(config, PLAIN)


@pytest.mark.parametrize(
    "settings",
    [
        {"cell": "lstm", "activation": "gelu"},
        {"cell": "gru", "recurrent_activation": "swish"},
        {"cell": "coupled", "recurrent_activation": "tanh"},
        {"cell": "slstm", "activation": "relu"},
    ],
)
def test_what_no_node_of_onnx_computes_is_a_loop(settings: dict[str, Any]) -> None:
    config = deep(**settings)
    assert kinds_of_nodes(config, PLAIN) == ["Scan"] * len(config.units)
    assert_computed(config, PLAIN)


def test_the_same_weights_give_the_same_bytes() -> None:
    config = deep(cell="gru", segment=4, decode="parallel")
    weights = {name: np.ones(shape, np.float32) for name, shape in weight_shapes(config, SHAPE).items()}
    assert graph_of(config, SHAPE, weights) == graph_of(config, SHAPE, weights)
