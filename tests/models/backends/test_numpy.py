"""The network in NumPy traces what Keras computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from forecast.config import NetworkConfig
from forecast.models.backends.keras import build_network, weights_of
from forecast.models.backends.numpy import Trace, trace_layers
from forecast.models.backends.tensorflow import keras
from forecast.models.cells import CELLS
from forecast.models.network import Shape
from references import variants
from samples import inputs_of

SHAPE = Shape(lookback=20, horizon=4, targets=1, covariates=1, known=1, series=1)
INPUTS = inputs_of(SHAPE, batch=3)

DESIGNS: dict[str, dict[str, Any]] = {variant: variants()[variant] for variant in variants()} | {
    "from the end": {"cell": "gru", "go_backwards": True},
    "around the last value": {"cell": "lstm", "normalise": "last"},
    "stacked": {"cell": "lstm", "units": (5, 3)},
    "both ends": {"cell": "lstm", "bidirectional": True},
    "segments": {"cell": "lstm", "segment": 6, "decode": "parallel"},
    "fed back": {"cell": "lstm", "decode": "recursive"},
}


def network_of(**settings: Any) -> tuple[NetworkConfig, keras.Model]:
    config = NetworkConfig(**{"units": (5,), "segment": 1, "normalise": "none", **settings})
    return config, build_network(config, SHAPE, 0)


def traces_of(config: NetworkConfig, network: keras.Model) -> list[Trace]:
    return trace_layers(config, SHAPE, weights_of(network), INPUTS)


@pytest.mark.parametrize("settings", DESIGNS.values(), ids=DESIGNS)
def test_the_traced_state_is_the_one_that_the_network_reaches(settings: dict[str, Any]) -> None:
    config, network = network_of(**settings)
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.RNN)]
    traces = traces_of(config, network)
    assert len(traces) == len(layers)
    for layer, trace in zip(layers, traces, strict=True):
        fed = keras.Model(network.input, layer.input)(INPUTS)
        output, *_ = layer(fed)
        hidden = trace.values["hidden"]
        seen = hidden if layer.return_sequences else hidden[:, 0] if layer.go_backwards else hidden[:, -1]
        np.testing.assert_allclose(seen, output, atol=1e-6)
        assert set(CELLS[config.cell].states) | set(trace.gates) <= set(trace.values)
        assert (trace.gates, trace.forget_gate) == (CELLS[config.cell].gates, CELLS[config.cell].forget_gate)
        for gate in trace.gates:
            assert trace.values[gate].shape == hidden.shape
            assert trace.values[gate].min() >= 0
            assert trace.values[gate].max() <= 1


def test_layers_are_called_by_their_number_and_direction() -> None:
    config, network = network_of(units=(5, 3), bidirectional=True)
    titles = [trace.layer for trace in traces_of(config, network)]
    assert titles == ["layer 1", "layer 2", "backward layer 1", "backward layer 2"]


def test_the_shares_of_the_slstm_make_up_its_memory() -> None:
    (trace,) = traces_of(*network_of(cell="slstm"))
    kept, written = trace.values["forget"], trace.values["input"]
    np.testing.assert_allclose(kept + written, 1, atol=1e-6)
    memory = trace.values["cell"] / trace.values["normaliser"]
    again = kept[:, 1:] * memory[:, :-1] + written[:, 1:] * trace.values["candidate"][:, 1:]
    np.testing.assert_allclose(memory[:, 1:], again, atol=1e-5)
