"""Looking inside a network in Keras: how far back a forecast can be moved by its input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from forecast.data.panel import Floats
from forecast.data.windows import median
from forecast.models.backends.keras import WINDOW
from forecast.models.backends.tensorflow import keras, tf

Inputs = Mapping[str, Any]


class SplitNetwork:
    """A network split behind its normalised window, which is what the recurrence is fed.

    Args:
        network: What `build_network` returned.
    """

    def __init__(self, network: keras.Model) -> None:
        window = network.get_layer(WINDOW).output
        self._whole = tf.function(network)
        self._others = [tensor.name for tensor in network.inputs]
        self._window = keras.Model(network.input, window)
        self._rest = tf.function(keras.Model([window, *network.inputs], network.output), autograph=False)

    def window(self, inputs: Inputs) -> Any:
        """The normalised windows [B, L, F]."""
        return self._window(inputs, training=False)

    def forecast(self, window: Any, inputs: Inputs) -> Any:
        """The scaled forecasts [B, H, D] of normalised windows; the inputs give their centre, scale and future."""
        given = [window, *(inputs[name] for name in self._others)]
        return median(self._rest([tf.convert_to_tensor(array) for array in given], training=False))

    def forecast_of_past(self, past: Any, inputs: Inputs) -> Any:
        """The scaled forecasts [B, H, D] of windows [B, L, F] in place of those of the inputs."""
        return median(self._whole({**inputs, "past": past}, training=False))


def gradient_by_lag(split: SplitNetwork, inputs: Inputs, seed: int = 0, whole: bool = False) -> Floats:
    """How much a change of the input moves the forecast, by how long ago the input was: ‖∂ŷ / ∂x‖ of each step.

    The norm is Frobenius's over the horizon and the columns, its square averaged over the windows, and estimated from
    one random direction for each window (Hutchinson 1990).

    Args:
        split: A network.
        inputs: What the network takes, B windows.
        seed: Decides the directions.
        whole: Of the window that is fed; else of the normalised one, so that what every forecast owes to the last
            value by construction does not hide what the recurrence passes on.

    Returns:
        The norm at each step before the cut-off, the newest first, [L].
    """
    window = inputs["past"] if whole else split.window(inputs)
    with tf.GradientTape() as tape:
        tape.watch(window)
        forecast = split.forecast_of_past(window, inputs) if whole else split.forecast(window, inputs)
        directions = np.random.default_rng(seed).normal(size=forecast.shape)
        moved = tf.reduce_sum(forecast * tf.constant(directions, tf.float32))
    squares = tf.reduce_sum(tf.square(tape.gradient(moved, window)), axis=2)
    return np.sqrt(squares.numpy().astype(np.float64).mean(axis=0))[::-1]
