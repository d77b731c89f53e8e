"""The loop over time: one layer for every cell, and the fastest way through it for the shape at hand.

All ways compute the same function of the same weights, so that a run trained on one is read on any other:

- ``fused``: TensorFlow's kernel for a whole LSTM sequence, with or without peepholes;
- ``unrolled``: every step a part of the graph; fast, but a graph of hundreds of steps takes long to build;
- ``keras``: Keras's own loop, for all else; it also knows masks and dropout. A training step of nothing but such loops
  is better compiled by XLA.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, Literal

from forecast.models.backend import HAS_GPU, keras, tf
from forecast.models.cells import LSTMCell, PeepholeLSTMCell, SimpleRNNCell

ops = keras.ops

# What TensorFlow's kernel computes.
_IN_KERNEL = (LSTMCell, PeepholeLSTMCell)

Way = Literal["fused", "unrolled", "keras"]

# Longer loops are not unrolled: building the graph would take longer than it saves. A step of the vanilla RNN is three
# operations, so its loops may be longer.
LONGEST_UNROLLED, LONGEST_UNROLLED_RNN = 32, 192

# The kernel is ahead in layers of up to so many units, whose weights stay in a core's cache; and in wider ones where a
# step of what each core takes, B * U * (F + U), is small.
WIDEST_FUSED, LARGEST_FUSED = 64, 400_000

# Fewer windows than these do not keep a core busy.
FEWEST_IN_PART = 16

# Larger steps of an LSTM leave Keras's loop nothing to wait for, and it holds fewer of them in memory at once.
LARGEST_UNROLLED_LSTM = 8_000_000

# XLA makes Keras's loop up to twice as fast in layers of up to so many units; in wider ones it shares the products
# among the cores less well than TensorFlow does.
WIDEST_COMPILED = 64

# How many windows a batch counts for whose size is open: scoring only goes forwards, where the kernel does not fall
# behind.
_BATCH_IF_OPEN = 64


@keras.saving.register_keras_serializable("forecast")
class Recurrence(keras.layers.RNN):  # type: ignore[misc]
    """Keras's RNN layer over one of our cells, with faster loops.

    Args:
        cell: A cell of ours.
        way: How to loop; None for the fastest that the shape allows.
        unroll: Whether to unroll where no way is given; None leaves it to the shape.
        arguments: The others of Keras's RNN layer.
    """

    def __init__(self, cell: Any, way: Way | None = None, unroll: bool | None = None, **arguments: Any) -> None:
        super().__init__(cell, **arguments)
        self.way: Way | None = "unrolled" if unroll and way is None else way
        self.may_unroll = unroll is not False

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return super().get_config() | {"way": self.way, "unroll": None if self.may_unroll else False}

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

    def way_for(self, shape: tuple[int | None, int | None, int], masked: bool, training: bool) -> Way:
        """How a batch [B, n, F] is looped over; B and n may be open."""
        dropped = training and (self.cell.dropout > 0 or self.cell.recurrent_dropout > 0)
        if masked or dropped:
            return "keras"
        if self.way is not None:
            return self.way
        size = _size_of_step(self.cell, shape)
        small = self.cell.units <= WIDEST_FUSED or size <= LARGEST_FUSED * parts_of(shape[0])
        if can_be_fused(self.cell) and small:
            return "fused"
        longest = LONGEST_UNROLLED_RNN if isinstance(self.cell, SimpleRNNCell) else LONGEST_UNROLLED
        short = shape[1] is not None and shape[1] <= longest
        large = isinstance(self.cell, _IN_KERNEL) and size > LARGEST_UNROLLED_LSTM
        return "unrolled" if self.may_unroll and short and not large else "keras"


def _size_of_step(cell: Any, shape: tuple[int | None, int | None, int]) -> int:
    """The multiplications of one gate in one step of a batch [B, n, F]."""
    return int((shape[0] or _BATCH_IF_OPEN) * cell.units * (shape[2] + cell.units))


def can_be_fused(cell: Any) -> bool:
    """Whether TensorFlow's kernel computes what the cell does."""
    return (
        isinstance(cell, _IN_KERNEL)
        and cell.activation is keras.activations.tanh
        and cell.recurrent_activation is keras.activations.sigmoid
        and cell.compute_dtype == "float32"
    )


def _unrolled(cell: Any, sequences: Any, states: list[Any]) -> tuple[Any, list[Any]]:
    # Time comes first, so that each step lies together in memory. Unstacked, not indexed: the gradient of an index is
    # padded to the full length, at every step.
    outputs = []
    for step in ops.unstack(cell.project(ops.transpose(sequences, (1, 0, 2)))):
        output, states = cell.step(step, states)
        outputs.append(output)
    return ops.stack(outputs, axis=1), states


def _fused(cell: Any, sequences: Any, states: list[Any]) -> tuple[Any, list[Any]]:
    units = cell.units
    weights = tf.concat([cell.kernel, cell.recurrent_kernel], axis=0)
    bias = tf.zeros(4 * units) if cell.bias is None else tf.convert_to_tensor(cell.bias)
    seen = isinstance(cell, PeepholeLSTMCell)
    i, f, o = tf.unstack(cell.peephole_kernel) if seen else [tf.zeros(units)] * 3
    parts = parts_of(sequences.shape[0])
    steps = tf.split(tf.transpose(sequences, [1, 0, 2]), parts, axis=1)
    h, c = zip(
        *(
            _lstm_sequence(seen)(part, *of_part, weights, bias, i, f, o)
            for part, *of_part in zip(steps, *(tf.split(state, parts) for state in states), strict=True)
        ),
        strict=True,
    )
    # The last outputs are taken before the parts are joined: joining all would copy every step, and its gradient again.
    last = tf.concat([part[-1] for part in h], axis=0)
    return tf.transpose(tf.concat(h, axis=1), [1, 0, 2]), [last, tf.concat(c, axis=0)]


def parts_of(batch_size: int | None) -> int:
    """Into how many parts a batch is cut, each of which the kernel takes through the whole sequence on its own core."""
    cores = os.cpu_count() or 1
    most = 1 if batch_size is None else min(cores, batch_size // FEWEST_IN_PART)
    return max(part for part in range(1, max(1, most) + 1) if (batch_size or 1) % part == 0)


def is_worth_compiling(network: keras.Model, decode: str, batch_size: int) -> bool:
    """Whether XLA makes a training step faster: each layer is narrow, and is one of Keras's loops and nothing else.

    Args:
        network: What `build_network` returned.
        decode: How it produces the horizon; but for ``direct`` it asks its layers again, step by step.
        batch_size: Windows in a batch.
    """
    if HAS_GPU or decode != "direct":
        return False
    loops = [layer for layer in network.layers if isinstance(layer, Recurrence)]
    ways = {loop.way_for((batch_size, *loop.input.shape[1:]), masked=False, training=True) for loop in loops}
    return ways == {"keras"} and all(loop.cell.units <= WIDEST_COMPILED for loop in loops) and _has_xla()


@lru_cache(maxsize=1)
def _has_xla() -> bool:
    """Whether this build of TensorFlow can compile at all."""
    try:
        tf.function(lambda: tf.constant(1.0) + 1, jit_compile=True)()
    except tf.errors.OpError:
        return False
    return True


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
