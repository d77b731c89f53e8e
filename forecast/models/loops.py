"""The loop over time: one layer for every cell, and the fastest way through it for the shape at hand.

All ways compute the same function of the same weights, so that a run trained on one is read on any other:

- ``fused``: TensorFlow's kernel for a whole LSTM sequence, with or without peepholes;
- ``unrolled``: every step a part of the graph; fast, but a graph of hundreds of steps takes long to build;
- ``keras``: Keras's own loop, for all else; it also knows masks and dropout.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

from forecast.models.backend import keras, tf
from forecast.models.cells import LSTMCell, PeepholeLSTMCell

ops = keras.ops

Way = Literal["fused", "unrolled", "keras"]

# Longer loops are not unrolled: the graph would grow faster than the time that it saves.
LONGEST_UNROLLED = 32

# Of wider layers the kernel is slower than Keras's loop: it does not share a large product among the cores.
WIDEST_FUSED = 64


@keras.saving.register_keras_serializable("forecast")
class Recurrence(keras.layers.RNN):  # type: ignore[misc]
    """Keras's RNN layer over one of our cells, with faster loops.

    Args:
        cell: A cell with ``project`` and ``step``.
        way: How to loop; None for the fastest that the shape allows.
        arguments: Those of Keras's RNN layer.
    """

    def __init__(self, cell: Any, way: Way | None = None, **arguments: Any) -> None:
        super().__init__(cell, **arguments)
        self.way = way

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return super().get_config() | {"way": self.way}

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """Keras's hook: the last output, all outputs [B, n, U], and the last states."""
        way = self.way_for(sequences.shape, masked=mask is not None, training=training)
        if way == "keras":
            return super().inner_loop(sequences, initial_state, mask, training)
        if self.go_backwards:
            sequences = ops.flip(sequences, axis=1)
        loop = _fused if way == "fused" else _unrolled
        outputs, states = loop(self.cell, sequences, list(initial_state))
        # The last output of every cell is its state h. A slice of all outputs would pad its gradient to their length.
        return states[0], outputs, states

    def way_for(self, shape: tuple[int | None, ...], masked: bool, training: bool) -> Way:
        """How a batch [B, n, F] is looped over."""
        dropped = training and (self.cell.dropout > 0 or self.cell.recurrent_dropout > 0)
        if masked or dropped:
            return "keras"
        if self.way is not None:
            return self.way
        short = shape[1] is not None and shape[1] <= LONGEST_UNROLLED
        return "unrolled" if short else _whole(self.cell)


def way_of(cell: Any, unroll: bool | None) -> Way | None:
    """The way that a user's choice to unroll or not leaves; None where the shape may decide."""
    if unroll is None:
        return None
    return "unrolled" if unroll else _whole(cell)


def _whole(cell: Any) -> Way:
    """The fastest way that is not unrolled."""
    return "fused" if can_be_fused(cell) and cell.units <= WIDEST_FUSED else "keras"


def can_be_fused(cell: Any) -> bool:
    """Whether TensorFlow's kernel computes what the cell does."""
    return (
        isinstance(cell, (LSTMCell, PeepholeLSTMCell))
        and cell.activation is keras.activations.tanh
        and cell.recurrent_activation is keras.activations.sigmoid
    )


def _unrolled(cell: Any, sequences: Any, states: list[Any]) -> tuple[Any, list[Any]]:
    # Unstacked, not indexed: the gradient of an index is padded to the full length, at every step.
    outputs = []
    for step in ops.unstack(cell.project(sequences), axis=1):
        output, states = cell.step(step, states)
        outputs.append(output)
    return ops.stack(outputs, axis=1), states


def _fused(cell: Any, sequences: Any, states: list[Any]) -> tuple[Any, list[Any]]:
    units = cell.units
    weights = tf.concat([cell.kernel, cell.recurrent_kernel], axis=0)
    bias = tf.zeros(4 * units) if cell.bias is None else tf.convert_to_tensor(cell.bias)
    seen = isinstance(cell, PeepholeLSTMCell)
    i, f, o = tf.unstack(cell.peephole_kernel) if seen else [tf.zeros(units)] * 3
    h, c = _lstm_sequence(seen)(tf.transpose(sequences, [1, 0, 2]), *states, weights, bias, i, f, o)
    return tf.transpose(h, [1, 0, 2]), [h[-1], c]


@lru_cache(maxsize=2)
def _lstm_sequence(use_peephole: bool) -> Any:
    """The kernel for a whole sequence, with the gradient that belongs to it; TensorFlow registers another for it.

    Returns a function from inputs [n, B, F], h and c [B, U], the weights [F + U, 4U], the bias and three peepholes to
    the outputs [n, B, U] and the last cell state.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def sequence(x: Any, h: Any, c: Any, weights: Any, bias: Any, i: Any, f: Any, o: Any) -> Any:
        n_steps = tf.shape(x, tf.int64)[0]
        fed = {"x": x, "cs_prev": c, "h_prev": h, "w": weights, "wci": i, "wcf": f, "wco": o, "b": bias}
        kept = tf.raw_ops.BlockLSTMV2(seq_len_max=n_steps, **fed, use_peephole=use_peephole)

        def gradient(h_grad: Any, c_grad: Any) -> tuple[Any, ...]:
            c_grads = tf.concat([tf.zeros_like(kept.cs[:-1]), c_grad[None]], axis=0)
            found = tf.raw_ops.BlockLSTMGradV2(
                seq_len_max=n_steps, **fed, **kept._asdict(), cs_grad=c_grads, h_grad=h_grad, use_peephole=use_peephole
            )
            x_grad, c_prev_grad, h_prev_grad, *weight_grads = found
            w_grad, i_grad, f_grad, o_grad, b_grad = weight_grads
            return x_grad, h_prev_grad, c_prev_grad, w_grad, b_grad, i_grad, f_grad, o_grad

        return (kept.h, kept.cs[-1]), gradient

    return sequence
