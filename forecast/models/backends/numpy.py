"""The network in NumPy: what the other back ends are compared with, and what explains a layer step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit

from forecast.config import NetworkConfig
from forecast.data.windows import Ints
from forecast.models.cells import cell_of
from forecast.models.network import FixedWeightsOps, Network, RowSource, Shape, gather_windows

Array = NDArray[Any]


@dataclass(frozen=True)
class Trace:
    """What one recurrent layer did with some windows.

    Args:
        layer: Which, such as ``layer 1``.
        gates: Which of the values are gates, between 0 and 1.
        forget_gate: The gate that keeps the old memory; None for a cell that has none.
        values: Every gate, candidate and state by name, [B, n, U], in the order of time.
    """

    layer: str
    gates: tuple[str, ...]
    forget_gate: str | None
    values: Mapping[str, NDArray[np.float32]]


class NumpyOps(FixedWeightsOps):
    """The operations of `forecast.models.network.Ops`, and those of a cell's step.

    Args:
        config: A resolved configuration.
        weights: By name, as `forecast.models.network.weight_shapes` lists them.
    """

    sqrt, exp, tanh, sigmoid, erf = np.sqrt, np.exp, np.tanh, expit, erf
    maximum, minimum, matmul, recurrent_matmul = np.maximum, np.minimum, np.matmul, np.matmul
    flip, cumsum = staticmethod(np.flip), staticmethod(np.cumsum)

    def __init__(self, config: NetworkConfig, weights: Mapping[str, Array]) -> None:
        super().__init__(config, weights)
        self.traces: dict[str, Trace] = {}

    def concat(self, values: Sequence[Array], axis: int) -> Array:
        """Arrays joined along an axis."""
        return np.concatenate(values, axis=axis)

    def reshape(self, value: Array, shape: tuple[int, ...]) -> Array:
        """The same numbers in another shape."""
        return value.reshape(shape)

    def repeat(self, value: Array, times: int, axis: int) -> Array:
        """Each entry along an axis repeated."""
        return value.repeat(times, axis)

    def split(self, value: Array, parts: int) -> list[Array]:
        """Equal parts along the last axis."""
        return np.split(value, parts, axis=-1)

    def softplus(self, value: Array) -> Array:
        """log(1 + exp(x)), without overflow."""
        return np.logaddexp(value, np.zeros((), value.dtype))

    def mean(self, value: Array) -> Array:
        """The mean over time, [B, 1, C]."""
        return np.mean(value, axis=1, keepdims=True)

    def variance(self, value: Array) -> Array:
        """The variance over time, [B, 1, C]."""
        return np.var(value, axis=1, keepdims=True)

    def recurrent(
        self, name: str, inputs: Array, states: list[Array] | None, backwards: bool = False
    ) -> tuple[Array, list[Array]]:
        """One recurrent layer over [B, n, F], step by step; its first run is traced."""
        own = self.weights_of(name)
        projected = self.cell.project(self, own, inputs[:, ::-1] if backwards else inputs)
        zeros = np.zeros((len(inputs), projected.shape[-1] // len(self.cell.parts)), projected.dtype)
        named = dict(zip(self.cell.states, states or [zeros] * len(self.cell.states), strict=True))
        steps = []
        for step in range(projected.shape[1]):
            steps.append(self.cell.step(self, own, projected[:, step], named))
            named = {state: steps[-1][state] for state in self.cell.states}
        if name not in self.traces:
            in_time = steps[::-1] if backwards else steps
            values = {value: np.stack([step[value] for step in in_time], axis=1) for value in steps[0]}
            title = name.replace("recurrent_", "layer ").replace("backward_", "backward layer ")
            self.traces[name] = Trace(title, self.cell.gates, self.cell.forget_gate, values)
        return np.stack([step[self.cell.states[0]] for step in steps], axis=1), list(named.values())

    def lookup(self, name: str, numbers: Array) -> Array:
        """Rows of a table, [B, n, W]."""
        return self.weights[f"{name}/table"][numbers.astype(np.int64)]

    def queries(self, series: Array) -> Array:
        """What the parallel decoder asks, [B, m, width]."""
        positions, identities = self.weights["queries/positions"], self.weights.get("queries/identities")
        queries = np.broadcast_to(positions, (len(series), *positions.shape))
        if identities is None:
            return queries
        return np.concatenate([queries, np.repeat(identities[series][:, None], len(positions), axis=1)], axis=-1)


def trace_layers(
    config: NetworkConfig, shape: Shape, weights: Mapping[str, Array], inputs: Mapping[str, Array]
) -> list[Trace]:
    """What every recurrent layer does, step by step, as it reads the windows.

    Args:
        config: A resolved configuration.
        shape: Sizes of the windows.
        weights: By name.
        inputs: ``past`` [B, L, F], ``future`` [B, H, K] and ``series`` [B].

    Returns:
        A trace for each layer, from the first on; layers that read from the end come after the others.
    """
    ops = NumpyOps(config, weights)
    Network(config, shape, ops).forecast(inputs["past"], inputs["future"], inputs["series"])
    return sorted(ops.traces.values(), key=lambda trace: trace.layer.startswith("backward"))


class NumpyRuntime:
    """A network as NumPy computes it; see `forecast.models.runtimes.Runtime`.

    Args:
        config: A resolved configuration.
        shape: Sizes of its windows.
        weights: By name.
    """

    def __init__(self, config: NetworkConfig, shape: Shape, weights: Mapping[str, Array]) -> None:
        self._config, self._shape = config, shape
        self._network = Network(config, shape, NumpyOps(config, weights))

    def forecast(self, rows: RowSource, starts: Ints) -> NDArray[np.float32]:
        """Scaled forecasts [N, H, D] or [N, H, D, Q] of windows with these first rows [N]."""
        return self.step(rows, starts, None)[0]

    def state_shapes(self, n_series: int) -> list[tuple[int, ...]]:
        """The shapes of the states of the layers, for some series side by side."""
        return [(n_series, units) for units in self._config.units for _ in cell_of(self._config).states]

    def step(
        self, rows: RowSource, starts: Ints, states: Sequence[NDArray[np.float32]] | None
    ) -> tuple[NDArray[np.float32], Sequence[NDArray[np.float32]]]:
        """The forecasts of windows [B], and the states after them, each [B, U]."""
        past, future, _ = gather_windows(rows, starts, self._shape)
        count = len(cell_of(self._config).states)
        by_layer = [list(states[first : first + count]) for first in range(0, len(states), count)] if states else None
        forecast, last = self._network.forecast(past, future, rows.identity[starts], by_layer)
        return np.asarray(forecast, np.float32), [part for layer in last for part in layer]
