"""Which networks a run trains, and what their forecasts are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forecast.config import Config, NetworkConfig, Settings
from forecast.data.panel import Arrays
from forecast.data.prepare import Rows, in_units
from forecast.data.windows import Forecaster, Ints, ScaledForecaster, Windows
from forecast.errors import RunError
from forecast.inference.network import Network, OnnxNetwork
from forecast.models.catalogue import has_baseline, network_configs
from forecast.models.graph import NotInGraph, graph_of
from forecast.models.naive import NAIVE
from forecast.models.shape import Shape, shape_of
from forecast.runs.run import Run, split_members

if TYPE_CHECKING:
    from forecast.models.backend import keras

# The networks of a run by column, the members of each.
Networks = Mapping[str, Sequence[Network]]

# What a run's manifest calls the two ways to compute a network.
ONNX, KERAS = "onnxruntime", "tensorflow"

# On how many windows a trained network is compared with its graph, and by how much the scaled forecasts may differ.
_COMPARED, _ROUNDING = 64, 1e-5


def column_names(config: Config) -> dict[str, str]:
    """The column of each network in tables and plots."""
    return {"model": config.network.model, "baseline": "rnn"}


def references_of(settings: Settings) -> tuple[str, ...]:
    """What the model of a run is judged against: the naive forecasts, and the vanilla RNN if it is the baseline."""
    return (*NAIVE, *(["rnn"] if has_baseline(settings) else []))


def networks_of(
    run: Run, rows: Rows, model_weights: str, lookback: int | None = None, carrying: int | None = None
) -> dict[str, list[Network]]:
    """The networks of a run by column, the members of each, to be fed any rows of the shape of these.

    Args:
        run: A run.
        rows: Rows of that shape.
        model_weights: Which weights the model gets: ``model`` or ``refit``.
        lookback: Steps that they see; None for the run's own.
        carrying: For how many series side by side the networks carry their state; None if they carry none.

    Raises:
        RunError: If the weights are not those of these networks.
    """
    config, names = run.config, column_names(run.config)
    shape = shape_of(rows, lookback or config.data.lookback, config.data.horizon)
    found: dict[str, list[Network]] = {}
    for network, parts in network_configs(config).items():
        which = model_weights if network == "model" else network
        found[names[network]] = [
            OnnxNetwork(_graph_of(run, parts, shape, member, carrying), shape)
            if run.manifest.get("runtimes", {}).get(which) == ONNX
            else _on_keras(parts, shape, member, config.training.seed, carrying)
            for member in members_of(run, which)
        ]
    return found


def keras_networks_of(run: Run, shape: Shape) -> dict[str, keras.Model]:
    """The first member of each network of a run by column, as Keras's own, which can be looked into."""
    names = column_names(run.config)
    return {
        names[network]: in_keras(parts, shape, members_of(run, network)[0], run.config.training.seed, None)
        for network, parts in network_configs(run.config).items()
    }


def members_of(run: Run, which: str) -> list[Arrays]:
    """The weights of each member of a network of a run: of ``model``, ``baseline`` or ``refit``.

    Raises:
        RunError: If they are not those of this network.
    """
    return split_members(run.weights(which), run.config.training.ensemble)


def _graph_of(run: Run, parts: NetworkConfig, shape: Shape, weights: Arrays, carrying: int | None) -> bytes:
    try:
        return graph_of(parts, shape, weights, carrying is not None)
    except NotInGraph as reason:
        raise RunError(
            f"The manifest of {run.name} says that its networks run on ONNX Runtime, which they cannot: {reason}.",
            "Train the run again.",
        ) from None


def in_keras(parts: NetworkConfig, shape: Shape, weights: Arrays, seed: int, carrying: int | None) -> keras.Model:
    """A trained network as Keras's own.

    Args:
        parts: Its configuration.
        shape: Sizes of its windows.
        weights: One member's weights.
        seed: What else is random in it: dropout.
        carrying: For how many series side by side it carries its state; None if it carries none.
    """
    from forecast.models.recurrent import build_network, set_weights

    network = build_network(parts.model_copy(update={"stateful": carrying is not None}), shape, seed, carrying)
    set_weights(network, weights)
    return network


def _on_keras(parts: NetworkConfig, shape: Shape, weights: Arrays, seed: int, carrying: int | None) -> Network:
    from forecast.models.feeding import KerasNetwork

    return KerasNetwork(in_keras(parts, shape, weights, seed, carrying), shape, carrying)


def without_tensorflow(
    network: keras.Model, parts: NetworkConfig, shape: Shape, rows: Rows, windows: Windows
) -> tuple[Network, str | None]:
    """A trained network as a graph, if that forecasts as Keras does; else as it is, and why.

    Args:
        network: What was trained.
        parts: Its configuration.
        shape: Sizes of its windows.
        rows: Rows to compare the two on.
        windows: Windows of these rows.
    """
    from forecast.models.feeding import KerasNetwork
    from forecast.models.recurrent import weights_of

    in_keras = KerasNetwork(network, shape)
    try:
        graph = OnnxNetwork(graph_of(parts, shape, weights_of(network)), shape)
    except NotInGraph as reason:
        return in_keras, str(reason)
    starts = windows.subsample(_COMPARED).starts
    expected = in_keras.over(rows)(starts)
    apart = float(np.abs(graph.over(rows)(starts) - expected).max(initial=0.0))
    if apart <= _ROUNDING * max(1.0, float(np.abs(expected).max(initial=0.0))):
        return graph, None
    return in_keras, f"ONNX Runtime and Keras differ by {apart:.2g} on the same windows"


def averaged(members: Sequence[ScaledForecaster]) -> ScaledForecaster:
    """The mean of the members' forecasts."""

    def forecast(starts: Ints) -> NDArray[np.float32]:
        return np.mean([member(starts) for member in members], axis=0, dtype=np.float32)

    return forecast if len(members) > 1 else members[0]


def forecasters_of(run: Run, rows: Rows, model_weights: str) -> dict[str, Forecaster]:
    """The networks of a run over new rows, in the targets' own units, by the name of their column.

    Args:
        run: A run.
        rows: What they are fed.
        model_weights: Which weights the model gets: ``model`` or ``refit``.
    """
    return forecasters_over(rows, run, networks_of(run, rows, model_weights))


def forecasters_over(rows: Rows, run: Run, networks: Networks) -> dict[str, Forecaster]:
    """Networks of a run over new rows, in the targets' own units.

    Args:
        rows: What they are fed.
        run: The run.
        networks: What `networks_of` returned.
    """
    return {
        name: in_units(averaged([member.over(rows) for member in members]), rows, run.scaler)
        for name, members in networks.items()
    }
