"""Recurrent layers in Keras: any declared cell, and the fastest way through the loop over time for the shape at hand.

All loops compute the same function of the same weights, so that a run trained with one is read with any other:

- ``llvm``: our own kernel for a whole LSTM sequence (`forecast.models.backends.lstm`), where llvmlite is installed;
- ``fused``: TensorFlow's kernel for one, with or without peepholes;
- ``unrolled``: every step a part of the graph; fast, but a graph of hundreds of steps takes long to build;
- ``keras``: Keras's own loop, for all else; it also knows masks. A training step of nothing but such loops is better
  compiled by XLA.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, partial
from typing import Any, Literal

from forecast.memory import core_count
from forecast.models.backends import lstm
from forecast.models.backends.tensorflow import HAS_GPU, keras, tf
from forecast.models.cells import cell_named

ops = keras.ops

# The cells that TensorFlow's kernel for a whole sequence computes, and whether with peepholes.
_FUSED = {"lstm": False, "peephole": True}

Loop = Literal["llvm", "fused", "unrolled", "keras"]

# Longer loops are not unrolled: building the graph would take longer than it saves. A step of a cell with one part, the
# vanilla RNN, is three operations, so its loops may be longer.
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

# Where one gate of a whole sequence takes fewer multiplications, calling our kernel takes longer than it saves.
SMALLEST_COMPILED = 4_000_000

# How many windows a batch counts for whose size is open: scoring only goes forwards, where the kernel does not fall
# behind.
_BATCH_IF_OPEN = 64


@keras.saving.register_keras_serializable("forecast")
class RecurrentCell(keras.layers.Layer):  # type: ignore[misc]
    """A declared cell as Keras's RNN layer takes it, with the arguments of Keras's own cells.

    Args:
        cell: A key of `forecast.models.cells.CELLS`.
        units: U.
        activation: Of candidate and output.
        recurrent_activation: Of the gates.
        use_bias: Whether there is a bias.
        unit_forget_bias: Start the bias of a part called "forget" at 1.
        reset_after: Which GRU, see `forecast.models.cells.GRU`.
        initializers: Of ``kernel``, ``recurrent`` and ``bias``; Keras's defaults where one is left out.
        regularizers: The same.
        constraints: The same.
        arguments: Those of a Keras layer.
    """

    def __init__(
        self,
        cell: str,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        unit_forget_bias: bool = True,
        reset_after: bool = True,
        initializers: dict[str, Any] | None = None,
        regularizers: dict[str, Any] | None = None,
        constraints: dict[str, Any] | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(**arguments)
        self.cell, self.units, self.use_bias = cell, units, use_bias
        self.unit_forget_bias, self.reset_after = unit_forget_bias, reset_after
        self.declared = cell_named(cell, self)
        self.activation = keras.activations.get(activation)
        self.recurrent_activation = keras.activations.get(recurrent_activation)
        usual = {"kernel": "glorot_uniform", "recurrent": "orthogonal", "bias": "zeros"}
        self.initializers = {
            part: keras.initializers.get(name) for part, name in (usual | (initializers or {})).items()
        }
        self.regularizers = {part: keras.regularizers.get(name) for part, name in (regularizers or {}).items()}
        self.constraints = {part: keras.constraints.get(name) for part, name in (constraints or {}).items()}
        self.state_size, self.output_size = [units] * len(self.declared.states), units
        # Which outputs the products of a batch see while training, [B, U]; None for all. Set by the layer.
        self.recurrent_mask: Any = None

    def build(self, input_shape: tuple[int, ...]) -> None:
        """Make the weights for inputs [B, F]."""
        self.weights_by_name: dict[str, Any] = {}
        for name, size in self.declared.weight_shapes(input_shape[-1], self.units, self.use_bias).items():
            part = {"kernel": "kernel", "bias": "bias"}.get(name, "recurrent")
            # A recurrent weight that is no square block a part, such as a diagonal, cannot be orthogonal.
            square = size[0] == self.units and size[-1] == self.units * len(self.declared.parts) and len(size) == 2
            start = self.initializers[part if part != "recurrent" or square else "kernel"]
            self.weights_by_name[name] = self.add_weight(
                size,
                self._forget_bias(start) if name == "bias" else start,
                regularizer=self.regularizers.get(part),
                constraint=self.constraints.get(part),
                name=name,
            )

    def _forget_bias(self, start: Any) -> Any:
        """An initialiser of the bias that starts the forget gate at 1, so that a fresh cell remembers."""
        parts = self.declared.parts
        if not self.unit_forget_bias or "forget" not in parts:
            return start
        first = parts.index("forget") * self.units

        def initialise(shape: tuple[int, ...], dtype: Any = None) -> Any:
            bias = start(shape, dtype=dtype)
            return ops.concatenate([bias[:first], ops.ones((self.units,), dtype), bias[first + self.units :]])

        return initialise

    def tensors(self) -> dict[str, Any]:
        """The weights by name, as they are now."""
        return {name: tf.convert_to_tensor(variable) for name, variable in self.weights_by_name.items()}

    # The operations of a declared step, as `forecast.models.cells` names them.

    matmul, exp, sqrt, tanh, sigmoid, softplus, maximum, minimum = map(
        staticmethod, (ops.matmul, ops.exp, ops.sqrt, ops.tanh, ops.sigmoid, ops.softplus, ops.maximum, ops.minimum)
    )

    @staticmethod
    def split(value: Any, parts: int) -> list[Any]:
        """Equal parts along the last axis."""
        return list(ops.split(value, parts, axis=-1))

    def recurrent_matmul(self, hidden: Any, kernel: Any) -> Any:
        """The product of the output of the step before with a kernel, where recurrent dropout acts."""
        return ops.matmul(hidden if self.recurrent_mask is None else hidden * self.recurrent_mask, kernel)

    def one_step(self, weights: dict[str, Any], projected: Any, states: list[Any]) -> list[Any]:
        """The new states [B, U] from the projected inputs [B, G * U] and the states; the first is the output."""
        named = dict(zip(self.declared.states, states, strict=True))
        new = self.declared.step(self, weights, projected, named)
        return [new[name] for name in self.declared.states]

    def call(self, inputs: Any, states: list[Any], training: bool = False) -> tuple[Any, list[Any]]:
        """One step: inputs [B, F] and the states to the output [B, U] and the new states."""
        del training
        weights = self.tensors()
        states = self.one_step(weights, self.declared.project(self, weights, inputs), list(states))
        return states[0], states

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""

        def serialised(module: Any, parts: dict[str, Any]) -> dict[str, Any]:
            return {part: module.serialize(value) for part, value in parts.items()}

        return super().get_config() | {
            "cell": self.cell,
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
            "recurrent_activation": keras.activations.serialize(self.recurrent_activation),
            "use_bias": self.use_bias,
            "unit_forget_bias": self.unit_forget_bias,
            "reset_after": self.reset_after,
            "initializers": serialised(keras.initializers, self.initializers),
            "regularizers": serialised(keras.regularizers, self.regularizers),
            "constraints": serialised(keras.constraints, self.constraints),
        }


@keras.saving.register_keras_serializable("forecast")
class Recurrence(keras.layers.RNN):  # type: ignore[misc]
    """Keras's RNN layer over a declared cell, with faster loops.

    Args:
        cell: A `RecurrentCell`.
        loop: How to loop; None for the fastest that the shape allows.
        unroll: Whether to unroll where no loop is given; None leaves it to the shape.
        dropout: The share of the inputs that is dropped while training, the same ones at every step.
        recurrent_dropout: The share of the outputs that the products of the next step do not see (Gal & Ghahramani
            2016), the same ones at every step and for every gate.
        seed: Decides what is dropped.
        arguments: The others of Keras's RNN layer.
    """

    def __init__(
        self,
        cell: RecurrentCell,
        loop: Loop | None = None,
        unroll: bool | None = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(cell, **arguments)
        self.loop: Loop | None = "unrolled" if unroll and loop is None else loop
        self.may_unroll = unroll is not False
        self.dropout, self.recurrent_dropout, self.seed = dropout, recurrent_dropout, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        dropped = {"dropout": self.dropout, "recurrent_dropout": self.recurrent_dropout, "seed": self.seed}
        return super().get_config() | dropped | {"loop": self.loop, "unroll": None if self.may_unroll else False}

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """Keras's hook: the last output, all outputs [B, n, U], and the last states."""
        loop = self.choose_loop(sequences.shape, masked=mask is not None, training=training)
        if training and self.dropout:
            sequences = sequences * self._mask(sequences[:, 0], self.dropout)[:, None]
        if training and self.recurrent_dropout:
            self.cell.recurrent_mask = self._mask(initial_state[0], self.recurrent_dropout)
        try:
            if loop == "keras":
                return super().inner_loop(sequences, initial_state, mask, training)
            if self.go_backwards:
                sequences = ops.flip(sequences, axis=1)
            if loop == "llvm":
                outputs, states = _llvm(self.cell, sequences, list(initial_state), self.return_sequences, training)
            else:
                outputs, states = (_fused if loop == "fused" else _unrolled)(self.cell, sequences, list(initial_state))
        finally:
            self.cell.recurrent_mask = None
        # The last output of every cell is its first state. A slice of all outputs would pad its gradient to their
        # length.
        return states[0], outputs, states

    def _mask(self, like: Any, rate: float) -> Any:
        return keras.random.dropout(ops.ones_like(like), rate, seed=self.seed_generator)

    def choose_loop(self, shape: tuple[int | None, int | None, int], masked: bool, training: bool) -> Loop:
        """How a batch [B, n, F] is looped over; B and n may be open."""
        cell, drops_outputs = self.cell, training and self.recurrent_dropout > 0
        if masked:
            return "keras"
        if self.loop is not None:
            return "keras" if drops_outputs and self.loop == "fused" else self.loop
        size = _size_of_step(cell, shape)
        small = cell.units <= WIDEST_FUSED or size <= LARGEST_FUSED * parts_of(shape[0])
        if not drops_outputs and can_be_fused(cell):
            enough = size * (shape[1] or 0) >= SMALLEST_COMPILED
            if enough and can_be_compiled(cell) and (training or _STAYS_HERE.get()):
                return "llvm"
            if small:
                return "fused"
        longest = LONGEST_UNROLLED_RNN if len(cell.declared.parts) == 1 else LONGEST_UNROLLED
        short = shape[1] is not None and shape[1] <= longest
        large = cell.cell in _FUSED and size > LARGEST_UNROLLED_LSTM
        return "unrolled" if self.may_unroll and short and not large else "keras"


def _size_of_step(cell: Any, shape: tuple[int | None, int | None, int]) -> int:
    """The multiplications of one gate in one step of a batch [B, n, F]."""
    return int((shape[0] or _BATCH_IF_OPEN) * cell.units * (shape[2] + cell.units))


def can_be_fused(cell: Any) -> bool:
    """Whether TensorFlow's kernel computes what the cell does."""
    return (
        cell.cell in _FUSED
        and cell.activation is keras.activations.tanh
        and cell.recurrent_activation is keras.activations.sigmoid
        and cell.compute_dtype == "float32"
    )


def can_be_compiled(cell: Any) -> bool:
    """Whether our own kernel computes what the cell does, and can be compiled."""
    blocks = cell.units % lstm.BLOCK == 0
    return cell.cell == "lstm" and can_be_fused(cell) and blocks and not HAS_GPU and lstm.is_available()


# Whether what is traced runs in this process alone. A graph that is saved cannot call our kernel.
_STAYS_HERE: ContextVar[bool] = ContextVar("stays_here", default=False)


@contextmanager
def staying_here() -> Iterator[None]:
    """Layers that are called meanwhile may use our kernel, although they do not learn: nobody saves their graph."""
    token = _STAYS_HERE.set(True)
    try:
        yield
    finally:
        _STAYS_HERE.reset(token)


def _unrolled(cell: Any, sequences: Any, states: list[Any]) -> tuple[Any, list[Any]]:
    # Time comes first, so that each step lies together in memory. Unstacked, not indexed: the gradient of an index is
    # padded to the full length, at every step.
    weights, outputs = cell.tensors(), []
    for projected in ops.unstack(cell.declared.project(cell, weights, ops.transpose(sequences, (1, 0, 2)))):
        states = cell.one_step(weights, projected, states)
        outputs.append(states[0])
    return ops.stack(outputs, axis=1), states


def _fused(cell: Any, sequences: Any, states: list[Any]) -> tuple[Any, list[Any]]:
    units, of_cell, peepholes = cell.units, cell.tensors(), _FUSED[cell.cell]
    weights = tf.concat([of_cell["kernel"], of_cell["recurrent_kernel"]], axis=0)
    bias = of_cell["bias"] if cell.use_bias else tf.zeros(4 * units)
    i, f, o = tf.unstack(of_cell["peephole_kernel"]) if peepholes else [tf.zeros(units)] * 3
    parts = parts_of(sequences.shape[0])
    steps = tf.split(tf.transpose(sequences, [1, 0, 2]), parts, axis=1)
    h, c = zip(
        *(
            _lstm_sequence(peepholes)(part, *of_part, weights, bias, i, f, o)
            for part, *of_part in zip(steps, *(tf.split(state, parts) for state in states), strict=True)
        ),
        strict=True,
    )
    # The last outputs are taken before the parts are joined: joining all would copy every step, and its gradient again.
    last = tf.concat([part[-1] for part in h], axis=0)
    return tf.transpose(tf.concat(h, axis=1), [1, 0, 2]), [last, tf.concat(c, axis=0)]


def _llvm(cell: Any, sequences: Any, states: list[Any], every: bool, training: bool) -> tuple[Any, list[Any]]:
    of_cell = cell.tensors()
    bias = of_cell["bias"] if cell.use_bias else tf.zeros(4 * cell.units)
    run = _own_sequence(every) if training else partial(_call, partial(lstm.run, every=every), results=2 + every)
    *outputs, h, c = run(sequences, *states, of_cell["kernel"], of_cell["recurrent_kernel"], bias)
    batch, steps = sequences.shape[:2]
    h, c = (tf.ensure_shape(state, (batch, cell.units)) for state in (h, c))
    # Where nobody reads the others, the last output stands for all.
    all_outputs = (
        tf.transpose(tf.ensure_shape(outputs[0], (steps, batch, cell.units)), [1, 0, 2]) if every else h[:, None]
    )
    return all_outputs, [h, c]


def _call(function: Any, *arrays: Any, results: int) -> list[Any]:
    """What a function of arrays returns, as a part of a graph."""
    return list(tf.numpy_function(function, arrays, [tf.float32] * results, stateful=False))


@lru_cache(maxsize=2)
def _own_sequence(every: bool) -> Any:
    """Our kernel for a whole sequence, with its gradient.

    Returns a function from inputs [B, n, F], h and c [B, U], the weights [F, 4U] and [U, 4U] and the bias to all
    outputs [n, B, U], where they are asked for, and the last h and c.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def sequence(x: Any, h: Any, c: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
        hidden, cell, gates = _call(lstm.forward, x, h, c, kernel, recurrent, bias, results=3)

        def gradient(*given: Any) -> tuple[Any, ...]:
            found = _call(lstm.backward, x, hidden, cell, gates, recurrent, *given, results=6)
            from_sums, h_grad, c_grad, *weight_grads = found
            from_sums.set_shape((None, None, kernel.shape[1]))
            x_grad = tf.transpose(tf.matmul(from_sums, kernel, transpose_b=True), [1, 0, 2])
            return x_grad, h_grad, c_grad, *weight_grads

        return (*([hidden[1:]] if every else []), hidden[-1], cell[-1]), gradient

    return sequence


def parts_of(batch_size: int | None) -> int:
    """Into how many parts a batch is cut, each of which the kernel takes through the whole sequence on its own core."""
    cores = core_count()
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
    chosen = {loop.choose_loop((batch_size, *loop.input.shape[1:]), masked=False, training=True) for loop in loops}
    return chosen == {"keras"} and all(loop.cell.units <= WIDEST_COMPILED for loop in loops) and _has_xla()


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
