"""RUNTIMES: what can compute the forecasts of a trained network. Adding one is one function and one entry here.

The names are needed to read a manifest, so this imports nothing before a runtime is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from forecast.config import NetworkConfig
    from forecast.data.windows import Ints
    from forecast.models.network import RowSource, Shape

Weights: TypeAlias = "Mapping[str, NDArray[np.float32]]"
States: TypeAlias = "Sequence[NDArray[np.float32]]"


class Runtime(Protocol):
    """A trained network as something computes it."""

    def forecast(self, rows: RowSource, starts: Ints) -> NDArray[np.float32]:
        """Scaled forecasts [N, H, D], or quantiles [N, H, D, Q].

        Args:
            rows: What the network is fed.
            starts: First row of each window, [N].
        """

    def state_shapes(self, n_series: int) -> list[tuple[int, ...]]:
        """The shapes of the states of a network that carries them for some series."""

    def step(self, rows: RowSource, starts: Ints, states: States | None) -> tuple[NDArray[np.float32], States]:
        """The forecasts of windows [B] of a network that carries its state, and the states after them.

        Args:
            rows: What it is fed.
            starts: First row of the window of each series that it carries a state for, [B].
            states: Those before the windows, each [B, U]; None for those of a network that has seen nothing.
        """


def _onnx(config: NetworkConfig, shape: Shape, weights: Weights, stateful_series: int | None) -> Runtime:
    from forecast.models.backends.onnx import OnnxRuntime, graph_of

    return OnnxRuntime(graph_of(config, shape, weights, stateful=stateful_series is not None), shape)


def _keras(config: NetworkConfig, shape: Shape, weights: Weights, stateful_series: int | None) -> Runtime:
    from forecast.models.backends.keras import KerasRuntime, filled_network

    return KerasRuntime(filled_network(config, shape, weights, stateful_series), shape, stateful_series)


def _numpy(config: NetworkConfig, shape: Shape, weights: Weights, stateful_series: int | None) -> Runtime:
    from forecast.models.backends.numpy import NumpyRuntime

    del stateful_series
    return NumpyRuntime(config, shape, weights)


# From a resolved configuration, the sizes of the windows, the weights by name, and the number of series side by side
# for which a state is carried (None if none is). The names stand in manifests.
ONNX, KERAS, NUMPY = "onnxruntime", "tensorflow", "numpy"
RUNTIMES: dict[str, Callable[[NetworkConfig, Shape, Weights, int | None], Runtime]] = {
    ONNX: _onnx,
    KERAS: _keras,
    NUMPY: _numpy,
}
