"""Feeding a network: windows are gathered batch by batch from the rows, which are never copied as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.data.windows import Ints, ScaledForecaster
from forecast.models.backend import keras, tf
from forecast.models.shape import Fed, Shape, fed_windows

# Windows that are scored at once. Larger batches gain nothing on a CPU and cost memory.
_SCORED_AT_ONCE = 1024


def gather(rows: Fed, starts: Ints, shape: Shape) -> tuple[dict[str, Any], Any]:
    """The network's inputs and the scaled targets [B, H, D] of the windows that start at some rows, on the device.

    Args:
        rows: What they are taken from.
        starts: First row of each window, [B].
        shape: Sizes of the windows.
    """
    past, future, y_true = fed_windows(rows, starts, shape)
    series = rows.identity[starts].astype(np.int32)
    inputs = {"past": tf.constant(past), "future": tf.constant(future), "series": tf.constant(series)}
    return inputs, tf.constant(y_true)


def input_specs(shape: Shape, batch_size: int | None) -> dict[str, tf.TensorSpec]:
    """What `gather` returns as the network's inputs, by name.

    Args:
        shape: Sizes of the windows.
        batch_size: B; None for any number.
    """
    return {
        "past": tf.TensorSpec([batch_size, shape.lookback, shape.features], tf.float32),
        "future": tf.TensorSpec([batch_size, shape.horizon, shape.known], tf.float32),
        "series": tf.TensorSpec([batch_size], tf.int32),
    }


class Forecaster:
    """A network, compiled once, as a function from windows to scaled forecasts.

    Args:
        network: What `build_network` returned.
        shape: Sizes of its windows.
        batch_size: How many windows it takes at once, where it carries a state for each; None for any number.
    """

    def __init__(self, network: keras.Model, shape: Shape, batch_size: int | None = None) -> None:
        def forecast(inputs: dict[str, Any]) -> Any:
            return network(inputs, training=False)

        self._forecast = tf.function(forecast, input_signature=[input_specs(shape, batch_size)])
        self._shape, self._answer = shape, network.output_shape[1:]

    def over(self, rows: Fed) -> ScaledForecaster:
        """The function from first rows of windows [N] of some rows to scaled forecasts [N, H, D] or [N, H, D, Q]."""
        return partial(self._all, rows)

    def _all(self, rows: Fed, starts: Ints) -> NDArray[np.float32]:
        result = np.empty((len(starts), *self._answer), np.float32)
        for first in range(0, len(starts), _SCORED_AT_ONCE):
            part = slice(first, first + _SCORED_AT_ONCE)
            result[part] = self._forecast(gather(rows, starts[part], self._shape)[0]).numpy()
        return result


class KerasNetwork:
    """A network as Keras computes it, over any rows: for cells that the graph of `forecast.models.graph` has not.

    Args:
        network: What `build_network` returned.
        shape: Sizes of its windows.
        batch_size: For how many series it carries a state; None if it carries none.
    """

    def __init__(self, network: keras.Model, shape: Shape, batch_size: int | None = None) -> None:
        self._network, self._forecaster = network, Forecaster(network, shape, batch_size)

    def over(self, rows: Fed) -> ScaledForecaster:
        """The function from first rows of windows [N] to scaled forecasts [N, H, D] or [N, H, D, Q]."""
        return self._forecaster.over(rows)

    def state_shapes(self, n_series: int) -> list[tuple[int, ...]]:
        """The shapes of the states; the number of series is that which the network was built for."""
        del n_series
        return [tuple(part.shape) for part in self._carried]

    @property
    def _carried(self) -> list[Any]:
        return [part for layer in self._network.layers for part in getattr(layer, "states", None) or ()]

    def step(
        self, rows: Fed, starts: Ints, states: Sequence[NDArray[np.float32]] | None
    ) -> tuple[NDArray[np.float32], Sequence[NDArray[np.float32]]]:
        """The forecasts of windows [B], and the states after them, each [B, U].

        Args:
            rows: What it is fed.
            starts: First rows of the windows, one for each series that it follows, [B].
            states: Those before the windows; None for those of a network that has seen nothing.
        """
        for number, part in enumerate(self._carried):
            part.assign(np.zeros(part.shape, np.float32) if states is None else states[number])
        return self.over(rows)(starts), [part.numpy() for part in self._carried]
