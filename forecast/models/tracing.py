"""Looking inside a network while it works: what every gate did, and how far back a forecast can be moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from forecast.data.panel import Floats
from forecast.data.windows import median
from forecast.models.backend import keras, tf
from forecast.models.cells import GRUCell, LSTMCell
from forecast.models.recurrent import WINDOW
from forecast.models.trace import Trace

Inputs = Mapping[str, Any]

# Of a layer on cuDNN, the cell of ours that computes the same.
_OURS: dict[type, Any] = {keras.layers.LSTMCell: LSTMCell, keras.layers.GRUCell: GRUCell}


def trace_gates(network: keras.Model, inputs: Inputs) -> list[Trace]:
    """What every recurrent layer does, token by token, as it reads the windows.

    Args:
        network: What `build_network` returned.
        inputs: What the network takes, B windows.

    Returns:
        A trace for each layer, from the first on; layers that read from the end come after the others.
    """
    found = [layer for layer in network.layers if isinstance(layer, keras.layers.RNN | keras.layers.LSTM)]
    fed = keras.Model(network.input, {layer.name: layer.input for layer in found})(inputs, training=False)
    return [_trace(layer, fed[layer.name]) for layer in found]


def _trace(layer: Any, tokens: Any) -> Trace:
    cell = layer.cell
    if type(cell) in _OURS:
        cell = _OURS[type(cell)].from_config(layer.cell.get_config())
        cell.build(tokens.shape)
        cell.set_weights(layer.cell.get_weights())
    steps = tf.unstack(cell.project(tf.transpose(tokens, [1, 0, 2])))
    states = [tf.zeros((tokens.shape[0], cell.units)) for _ in cell.carried]
    seen = []
    for projected in reversed(steps) if layer.go_backwards else steps:
        seen.append(cell.look(projected, states))
        states = [seen[-1][name] for name in cell.carried]
    in_time = seen[::-1] if layer.go_backwards else seen
    values = {name: np.stack([look[name].numpy() for look in in_time], axis=1) for name in seen[0]}
    name = layer.name.replace("recurrent_", "layer ").replace("backward_", "backward layer ")
    return Trace(name, cell.gates, cell.keeping, values)


class Opened:
    """A network cut open behind its normalised window, which is what the recurrence is fed.

    Args:
        network: What `build_network` returned.
    """

    def __init__(self, network: keras.Model) -> None:
        window = network.get_layer(WINDOW).output
        self._others = [tensor.name for tensor in network.inputs]
        self._window = keras.Model(network.input, window)
        self._rest = tf.function(keras.Model([window, *network.inputs], network.output))

    def window(self, inputs: Inputs) -> Any:
        """The normalised windows [B, L, F]."""
        return self._window(inputs, training=False)

    def forecast(self, window: Any, inputs: Inputs) -> Any:
        """The scaled forecasts [B, H, D] of normalised windows; the inputs give their centre, scale and future."""
        given = [window, *(inputs[name] for name in self._others)]
        return median(self._rest([tf.convert_to_tensor(array) for array in given], training=False))


def gradient_by_lag(opened: Opened, inputs: Inputs, seed: int = 0) -> Floats:
    """How much a change of the input moves the forecast, by how long ago the input was: ‖∂ŷ / ∂x‖ of each step.

    The input is the normalised window, so that what every forecast owes to the last value by construction does not
    hide what the recurrence passes on. The norm is Frobenius's over the horizon and the columns, its square averaged
    over the windows, and estimated from one random direction for each window (Hutchinson 1990).

    Args:
        opened: A network.
        inputs: What the network takes, B windows.
        seed: Decides the directions.

    Returns:
        The norm at each step before the cut-off, the newest first, [L].
    """
    window = opened.window(inputs)
    with tf.GradientTape() as tape:
        tape.watch(window)
        forecast = opened.forecast(window, inputs)
        directions = np.random.default_rng(seed).normal(size=forecast.shape)
        moved = tf.reduce_sum(forecast * tf.constant(directions, tf.float32))
    squares = tf.reduce_sum(tf.square(tape.gradient(moved, window)), axis=2)
    return np.sqrt(squares.numpy().astype(np.float64).mean(axis=0))[::-1]
