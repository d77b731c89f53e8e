"""A trained network as ONNX Runtime computes it: on any number of windows, on every core, without TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from forecast.data.windows import Ints, ScaledForecaster
from forecast.models.graph import WINDOWS_AT_ONCE
from forecast.models.shape import Fed, Shape, fed_windows

States = Sequence[NDArray[np.float32]]


class Network(Protocol):
    """A trained network, whoever computes it."""

    def over(self, rows: Fed) -> ScaledForecaster:
        """The function from first rows of windows [N] to scaled forecasts [N, H, D] or [N, H, D, Q]."""

    def state_shapes(self, n_series: int) -> list[tuple[int, ...]]:
        """The shapes of the states of a network that carries them for some series."""

    def step(self, rows: Fed, starts: Ints, states: States | None) -> tuple[NDArray[np.float32], States]:
        """The forecasts of windows [B] of a network that carries its state, and the states after them.

        Args:
            rows: What it is fed.
            starts: First rows of the windows, one for each series that it follows, [B].
            states: Those before the windows, each [B, U]; None for those of a network that has seen nothing.
        """


class OnnxNetwork:
    """A network from the graph that `graph_of` wrote.

    Args:
        graph: The bytes of an ONNX model.
        shape: Sizes of its windows.

    ``takes`` are the names of its inputs.
    """

    def __init__(self, graph: bytes, shape: Shape) -> None:
        options = onnxruntime.SessionOptions()
        # A recurrence is a chain of small products, which two cores share badly: each takes windows of its own.
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self.takes = [taken.name for taken in self._session.get_inputs()]
        self._states = [taken.shape[1] for taken in self._session.get_inputs() if taken.name.startswith("state_")]
        self._shape, self._answer = shape, self._session.get_outputs()[0].shape[1:]

    def over(self, rows: Fed) -> ScaledForecaster:
        """The function from first rows of windows [N] to scaled forecasts [N, H, D] or [N, H, D, Q]."""
        return partial(self._all, rows)

    def _all(self, rows: Fed, starts: Ints) -> NDArray[np.float32]:
        result = np.empty((len(starts), *self._answer), np.float32)

        def fill(first: int) -> None:
            part = starts[first : first + WINDOWS_AT_ONCE]
            # ONNX Runtime multiplies one row by a matrix in another order than several rows, so a window alone would
            # get another forecast, in the last bits, than the same one among others. It is computed twice.
            fed = self._fed(rows, part if len(part) > 1 else np.repeat(part, 2))
            result[first : first + len(part)] = self._session.run(["forecast"], fed)[0][: len(part)]

        firsts = range(0, len(starts), WINDOWS_AT_ONCE)
        if len(firsts) == 1:
            fill(0)
        else:
            with ThreadPoolExecutor(os.cpu_count()) as cores:
                list(cores.map(fill, firsts))
        return result

    def state_shapes(self, n_series: int) -> list[tuple[int, ...]]:
        """The shapes of the states of a network that carries them for some series."""
        return [(n_series, units) for units in self._states]

    def step(self, rows: Fed, starts: Ints, states: States | None) -> tuple[NDArray[np.float32], States]:
        """The forecasts of windows of a network that carries its state, and the states after them; see `Network`."""
        if states is None:
            states = [np.zeros(shape, np.float32) for shape in self.state_shapes(len(starts))]
        fed = {f"state_{number}": state for number, state in enumerate(states, 1)}
        forecast, *after = self._session.run(None, self._fed(rows, starts) | fed)
        return forecast, after

    def _fed(self, rows: Fed, starts: Ints) -> dict[str, NDArray[np.generic]]:
        past, future, _ = fed_windows(rows, starts, self._shape)
        fed = {"past": past, "future": future, "series": rows.identity[starts]}
        return {name: fed[name] for name in self.takes if name in fed}
