"""Feeding a network: windows are gathered on the device, batch by batch, from the one array of rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.data.windows import Forecasting, Ints
from forecast.models.backend import keras, tf
from forecast.models.shape import Fed, Shape

# Windows that are scored at once. Larger batches gain nothing on a CPU and cost memory.
_SCORED_AT_ONCE = 1024


class Feeder:
    """Rows on the device, and how a batch of windows is gathered from them.

    Args:
        inputs: Float32 [T, F].
        identity: Where the series of each row stands among those that the network was trained on, [T].
    """

    def __init__(self, inputs: NDArray[np.float32], identity: Ints) -> None:
        self.inputs = tf.constant(inputs)
        self.series = tf.constant(identity.astype(np.int32))


def gather(inputs: Any, series: Any, starts: Any, shape: Shape) -> tuple[dict[str, Any], Any]:
    """The network's inputs and the scaled targets [B, H, D] of the windows that start at some rows.

    Args:
        inputs: Rows on the device, [T, F].
        series: The series of each row, [T].
        starts: First row of each window, [B].
        shape: Sizes of the windows.
    """
    window = tf.gather(inputs, starts[:, None] + tf.range(shape.lookback + shape.horizon))
    past, ahead = window[:, : shape.lookback], window[:, shape.lookback :]
    known = ahead[:, :, shape.features - shape.known :]
    return {"past": past, "future": known, "series": tf.gather(series, starts)}, ahead[:, :, : shape.targets]


class Forecaster:
    """A network, compiled once, as a function from windows to scaled forecasts.

    Args:
        network: What `build_network` returned.
        shape: Sizes of its windows.
        batch_size: How many windows it takes at once, where it carries a state for each; None for any number.
    """

    def __init__(self, network: keras.Model, shape: Shape, batch_size: int | None = None) -> None:
        def forecast(inputs: Any, series: Any, starts: Any) -> Any:
            return network(gather(inputs, series, starts, shape)[0], training=False)

        rows, ints = tf.TensorSpec([None, shape.features], tf.float32), tf.TensorSpec([None], tf.int32)
        starts = tf.TensorSpec([batch_size], tf.int32)
        self._forecast = tf.function(forecast, input_signature=[rows, ints, starts])
        self._shape = network.output_shape[1:]

    def over(self, feeder: Feeder) -> Forecasting:
        """The function from first rows of windows [N] of some rows to scaled forecasts [N, H, D] or [N, H, D, Q]."""
        return partial(self._all, feeder)

    def _all(self, feeder: Feeder, starts: Ints) -> NDArray[np.float32]:
        result = np.empty((len(starts), *self._shape), np.float32)
        for first in range(0, len(starts), _SCORED_AT_ONCE):
            picked = tf.constant(starts[first : first + _SCORED_AT_ONCE].astype(np.int32))
            result[first : first + len(picked)] = self._forecast(feeder.inputs, feeder.series, picked).numpy()
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

    def over(self, rows: Fed) -> Forecasting:
        """The function from first rows of windows [N] to scaled forecasts [N, H, D] or [N, H, D, Q]."""
        return self._forecaster.over(Feeder(rows.inputs, rows.identity))

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
