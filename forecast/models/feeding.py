"""Feeding a network: windows are gathered on the device, batch by batch, from the one array of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.data.prepare import Rows
from forecast.data.windows import Ints
from forecast.models.backend import keras, tf
from forecast.models.recurrent import Shape

# Windows that are scored at once. Larger batches gain nothing on a CPU and cost memory.
_SCORED_AT_ONCE = 1024


def shape_of(rows: Rows, lookback: int, horizon: int) -> Shape:
    """The sizes of a network that is fed these rows."""
    covariates = len(rows.panel.columns) - rows.n_targets
    return Shape(lookback, horizon, rows.n_targets, covariates, rows.n_calendar, rows.panel.n_series)


class Feeder:
    """Holds the rows on the device and turns first rows of windows into batches.

    Args:
        inputs: Float32 [T, F].
        series: The series of each row, [T].
        shape: Sizes of the windows.
    """

    def __init__(self, inputs: NDArray[np.float32], series: Ints, shape: Shape) -> None:
        self.shape = shape
        self.inputs = tf.constant(inputs)
        self.series = tf.constant(series.astype(np.int32))
        self.steps = tf.range(shape.lookback + shape.horizon)

    def batch(self, starts: Any) -> tuple[dict[str, Any], Any]:
        """Inputs of the network and the scaled targets [B, H, D] of the windows that start at these rows [B]."""
        shape = self.shape
        window = tf.gather(self.inputs, starts[:, None] + self.steps)
        past, ahead = window[:, : shape.lookback], window[:, shape.lookback :]
        known = ahead[:, :, shape.features - shape.calendar :]
        return {"past": past, "future": known, "series": tf.gather(self.series, starts)}, ahead[:, :, : shape.targets]


class Forecaster:
    """A network as a function from windows to scaled forecasts.

    Args:
        network: What `build_network` returned.
        feeder: The rows.
    """

    def __init__(self, network: keras.Model, feeder: Feeder) -> None:
        def forecast(starts: Any) -> Any:
            return network(feeder.batch(starts)[0], training=False)

        self._forecast = tf.function(forecast, input_signature=[tf.TensorSpec([None], tf.int32)])
        self._shape = feeder.shape

    def __call__(self, starts: Ints) -> NDArray[np.float32]:
        """Scaled forecasts [N, H, D] of the windows that start at these rows [N]."""
        result = np.empty((len(starts), self._shape.horizon, self._shape.targets), np.float32)
        for first in range(0, len(starts), _SCORED_AT_ONCE):
            picked = starts[first : first + _SCORED_AT_ONCE].astype(np.int32)
            result[first : first + len(picked)] = self._forecast(tf.constant(picked)).numpy()
        return result
