"""The network as an ONNX graph, which forecasts without TensorFlow, and ONNX Runtime to run it.

The graph is written anew from the weights whenever it is needed, so that none is ever read from a file that someone
else made. Any declared cell becomes a loop (`Scan`) of its step; those of `_NATIVE` become ONNX's own recurrent nodes,
which are faster. Either computes the same as Keras to float32 rounding, which is checked for each network that is
trained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from forecast.config import NetworkConfig
from forecast.data.windows import Ints
from forecast.errors import ConfigError
from forecast.memory import core_count
from forecast.models.cells import CELL_OPERATIONS, GRU, cell_of
from forecast.models.network import FixedWeightsOps, Network, RowSource, Shape, gather_windows, shape_read

Array = NDArray[Any]
Weights = Mapping[str, NDArray[np.float32]]
States = Sequence[NDArray[np.float32]]

_FLOAT, _INT = TensorProto.FLOAT, TensorProto.INT64

# An old set of operators, and a format as old: other programs read it for sure.
OPSET, IR_VERSION = 17, 8

# ONNX Runtime projects every step of a layer's input before the first of its turns. Of the windows that a core takes at
# once, what that writes of so many gates still lies in its cache when they are read.
WINDOWS_AT_ONCE = 48
_GATES_AT_ONCE = 160_000
# Each piece of a sequence has a copy of the weights.
_MOST_PIECES = 16


class Value:
    """A value of a graph, with the operators of an array, each of which adds a node.

    Args:
        graph: Where it is.
        name: By which nodes read it.
        dtype: Of its numbers; that of an operand which is a number or an array follows it.
    """

    # Let `array + value` come to `Value.__radd__`, not to NumPy's own loop over the array.
    __array_ufunc__: ClassVar[None] = None

    def __init__(self, graph: Graph, name: str, dtype: type = np.float32) -> None:
        self.graph, self.name, self.dtype = graph, name, dtype

    def _with(self, kind: str, other: Any, swapped: bool = False) -> Value:
        other = other if isinstance(other, Value) else np.asarray(other, self.dtype)
        return self.graph.node(kind, *((other, self) if swapped else (self, other)), dtype=self.dtype)

    def __add__(self, other: Any) -> Value:
        return self._with("Add", other)

    def __radd__(self, other: Any) -> Value:
        return self._with("Add", other, swapped=True)

    def __sub__(self, other: Any) -> Value:
        return self._with("Sub", other)

    def __rsub__(self, other: Any) -> Value:
        return self._with("Sub", other, swapped=True)

    def __mul__(self, other: Any) -> Value:
        return self._with("Mul", other)

    def __rmul__(self, other: Any) -> Value:
        return self._with("Mul", other, swapped=True)

    def __truediv__(self, other: Any) -> Value:
        return self._with("Div", other)

    def __rtruediv__(self, other: Any) -> Value:
        return self._with("Div", other, swapped=True)

    def __matmul__(self, other: Any) -> Value:
        return self._with("MatMul", other)

    def __neg__(self) -> Value:
        return self.graph.node("Neg", self, dtype=self.dtype)

    def __getitem__(self, key: Any) -> Value:
        """Slices as of an array: ``x[:, -1:]``, ``x[..., 1::3]``; and one number, which takes its axis away."""
        keys = key if isinstance(key, tuple) else (key,)
        first = 0
        if keys[0] is Ellipsis:
            keys, first = keys[1:], 1 - len(keys)
        result, slices = self, []
        for axis, part in enumerate(keys, first):
            if isinstance(part, slice) and part != slice(None):
                end = np.iinfo(np.int64).max if part.stop is None else part.stop
                slices.append((part.start or 0, end, axis, part.step or 1))
        if slices:
            bounds = [np.array(column, np.int64) for column in zip(*slices, strict=True)]
            result = self.graph.node("Slice", result, *bounds, dtype=self.dtype)
        for axis, part in enumerate(keys, first):
            if isinstance(part, int):
                result = self.graph.node("Gather", result, np.array(part), axis=axis, dtype=self.dtype)
        return result


class Graph:
    """An ONNX graph that grows node by node; each value and constant has a name of its own."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self._constants: list[Any] = []
        self._names: dict[bytes, str] = {}
        self._count = 0

    def node(self, kind: str, *inputs: Value | Array | str, dtype: type = np.float32, **attributes: Any) -> Value:
        """The value of a new node; arrays among its inputs become constants, and "" leaves an input out."""
        return self.nodes_of(kind, *inputs, outputs=1, dtype=dtype, **attributes)[0]

    def nodes_of(
        self, kind: str, *inputs: Value | Array | str, outputs: int, dtype: type = np.float32, **attributes: Any
    ) -> list[Value]:
        """The values of a new node that has several."""
        made = [self.fresh(kind.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(kind, [self._name_of(value) for value in inputs], made, **attributes))
        return [Value(self, name, dtype) for name in made]

    def name(self, name: str, value: Value) -> None:
        """Let a value be known by a name, such as that of an output."""
        self.nodes.append(helper.make_node("Identity", [value.name], [name]))

    def fresh(self, word: str) -> str:
        """A name that nothing has yet."""
        self._count += 1
        return f"{word}_{self._count}"

    def _name_of(self, value: Value | Array | str) -> str:
        if isinstance(value, str):
            return value
        return value.name if isinstance(value, Value) else self._constant(value)

    def _constant(self, array: Array) -> str:
        """The name of an array; one that is there already is not written twice."""
        array = np.asarray(array, order="C")
        content = f"{array.dtype}{array.shape}".encode() + array.tobytes()
        if content not in self._names:
            self._names[content] = self.fresh("constant")
            self._constants.append(numpy_helper.from_array(array, self._names[content]))
        return self._names[content]

    @contextmanager
    def body(self) -> Iterator[list[Any]]:
        """Nodes that are made meanwhile go into the list that is given, for the body of a loop."""
        outer, self.nodes = self.nodes, []
        try:
            yield self.nodes
        finally:
            self.nodes = outer

    def uses(self, name: str) -> bool:
        """Whether a node reads a value."""
        return any(name in node.input for node in self.nodes)

    def model(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> bytes:
        """The bytes of an ONNX model.

        Args:
            inputs: Their names, types and sizes, as ONNX writes them; those that no node reads are left out.
            outputs: The same of what the nodes make.
        """
        used = [given for given in inputs if self.uses(given.name)]
        graph = helper.make_graph(self.nodes, "forecast", used, outputs, self._constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="forecast"
        )
        return bytes(model.SerializeToString())


def _elementwise(kind: str) -> Callable[[GraphOps, Value], Value]:
    """A method that adds one node of this kind."""
    return lambda ops, value: ops.graph.node(kind, value, dtype=value.dtype)


class GraphOps:
    """Operations on values of a graph that hold no weights; those of `forecast.models.network.Ops` among them.

    Args:
        graph: Where the nodes go.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        # Values of which another is the transposed one, so that turning twice is turning not at all.
        self._transposed: dict[str, Value] = {}

    def _node(self, kind: str, value: Value, *others: Any, **attributes: Any) -> Value:
        return self.graph.node(kind, value, *others, dtype=value.dtype, **attributes)

    def concat(self, values: Sequence[Value], axis: int) -> Value:
        """Values joined along an axis."""
        return self.graph.node("Concat", *values, axis=axis, dtype=values[0].dtype)

    def split(self, value: Value, parts: int) -> list[Value]:
        """Equal parts along the last axis."""
        return self.graph.nodes_of("Split", value, outputs=parts, axis=-1, dtype=value.dtype)

    def reshape(self, value: Value, shape: tuple[int, ...]) -> Value:
        """The same numbers in another shape."""
        return self._node("Reshape", value, np.array(shape))

    def repeat(self, value: Value, times: int, axis: int) -> Value:
        """Each row of [B, U] repeated so often, [B * times, U]; or [B, 1, ...] repeated along axis 1."""
        if axis == 1:
            return self._node("Expand", value, np.array([1, times, 1]))
        rows = self._node("Expand", self._node("Unsqueeze", value, np.array([1])), np.array([1, times, 1]))
        # The last size is kept, whatever it is.
        return self._node("Squeeze", self._node("Reshape", rows, np.array([-1, 1, 0])), np.array([1]))

    def flip(self, value: Value, axis: int) -> Value:
        """The value with an axis reversed."""
        least = np.iinfo(np.int64).min
        return self._node("Slice", value, *(np.array([number]) for number in (-1, least, axis, -1)))

    def transpose(self, value: Value) -> Value:
        """[B, n, C] as [n, B, C], or back."""
        if value.name not in self._transposed:
            turned = self._node("Transpose", value, perm=[1, 0, 2])
            self._transposed[value.name], self._transposed[turned.name] = turned, value
        return self._transposed[value.name]

    def mean(self, value: Value) -> Value:
        """The mean over time, [B, 1, C]."""
        return self._node("ReduceMean", value, axes=[1])

    def variance(self, value: Value) -> Value:
        """The variance over time, [B, 1, C]."""
        away = value - self.mean(value)
        return self.mean(away * away)

    def cumsum(self, value: Value, axis: int) -> Value:
        """Running sums along an axis."""
        return self._node("CumSum", value, np.array(axis))

    def matmul(self, left: Value, right: Any) -> Value:
        """The product of matrices."""
        return left @ right

    recurrent_matmul = matmul

    def maximum(self, value: Value, other: Any) -> Value:
        """The larger of two."""
        return value._with("Max", other)

    def minimum(self, value: Value, other: Any) -> Value:
        """The smaller of two."""
        return value._with("Min", other)

    def isnan(self, value: Value) -> Value:
        """Which numbers are none."""
        return self.graph.node("IsNaN", value, dtype=np.bool_)

    exp, log, sqrt, erf, relu = (_elementwise(kind) for kind in ("Exp", "Log", "Sqrt", "Erf", "Relu"))
    tanh, sigmoid, softplus, round = (_elementwise(kind) for kind in ("Tanh", "Sigmoid", "Softplus", "Round"))

    def mod(self, value: Value, divisor: float) -> Value:
        """The remainder, between 0 and the divisor."""
        by: Array = np.array(divisor, value.dtype)
        # ONNX's remainder of a negative number is negative, so it is taken again.
        return self._node("Mod", self._node("Mod", value, by, fmod=1) + divisor, by, fmod=1)

    def where(self, condition: Value | Array, value: Value, other: Value) -> Value:
        """The one where the condition holds, the other elsewhere."""
        return self.graph.node("Where", condition, value, other, dtype=value.dtype)

    def cast(self, value: Value, dtype: str) -> Value:
        """The value in another precision."""
        kind = np.dtype(dtype)
        return self.graph.node("Cast", value, to=helper.np_dtype_to_tensor_dtype(kind), dtype=kind.type)

    def take(self, table: Array, index: Value, axis: int) -> Value:
        """Rows of a table [S, ...] by index [B], [B, ...]."""
        return self.graph.node("Gather", table, index, axis=axis, dtype=table.dtype.type)


class OnnxOps(GraphOps, FixedWeightsOps):
    """The operations of one network with its weights.

    Args:
        graph: Where the nodes go.
        config: A resolved configuration.
        shape: Sizes of input and output.
        weights: By name, as `forecast.models.network.weight_shapes` lists them.
    """

    def __init__(self, graph: Graph, config: NetworkConfig, shape: Shape, weights: Weights) -> None:
        GraphOps.__init__(self, graph)
        FixedWeightsOps.__init__(self, config, weights)
        self.shape = shape_read(config, shape)
        self._read: set[str] = set()

    def lookup(self, name: str, numbers: Value) -> Value:
        """Rows of a table, [B, n, W]."""
        return self.take(self.weights[f"{name}/table"], self.cast(numbers, "int64"), axis=0)

    def queries(self, series: Value) -> Value:
        """What the parallel decoder asks, [B, m, width]."""
        positions, identities = self.weights["queries/positions"], self.weights.get("queries/identities")
        count = self._node("Shape", series)[:1]
        size = self.graph.node("Concat", count, np.array(positions.shape), axis=0)
        queries = self.graph.node("Expand", positions[None], size)
        if identities is None:
            return queries
        identity = self._node("Unsqueeze", self.take(identities, series, axis=0), np.array([1]))
        return self.concat([queries, self.repeat(identity, len(positions), axis=1)], axis=2)

    def recurrent(
        self, name: str, inputs: Value, states: list[Value] | None, backwards: bool = False
    ) -> tuple[Value | None, list[Value]]:
        """One recurrent layer over [B, n, F]; the outputs of the last layer of the stack are None."""
        own = self.weights_of(name)
        number = int(name.rpartition("_")[2])
        steps = self.transpose(inputs)  # ONNX's loops go along the first axis
        if backwards:
            steps = self.flip(steps, axis=0)
        # A layer reads the whole window when it is first asked, and a single query each time after that.
        n_steps = 1 if name in self._read else -(-self.shape.lookback // min(self.config.segment, self.shape.lookback))
        self._read.add(name)
        is_last = number == len(self.config.units)
        native = _native(self.config, own)
        if native is None:
            outputs, last = self._scan(own, steps, states)
        else:
            outputs, last = self._native(native, self.config.units[number - 1], steps, states, n_steps, is_last)
        return None if is_last else self.transpose(outputs), last

    def _scan(self, own: Weights, steps: Value, states: list[Value] | None) -> tuple[Value, list[Value]]:
        """Any cell: a loop whose body is the cell's step."""
        projected, cell = self.cell.project(self, own, steps), self.cell
        if states is None:
            units = own["kernel"].shape[1] // len(cell.parts)
            states = [projected[0][:, :units] * 0.0] * len(cell.states)
        with self.graph.body() as nodes:
            before = {name: Value(self.graph, self.graph.fresh(name)) for name in cell.states}
            step = Value(self.graph, self.graph.fresh("step"))
            after = cell.step(self, own, step, before)
            given = [*(value.name for value in before.values()), step.name]
            results: list[str] = []
            for value in (after[name] for name in (*cell.states, cell.states[0])):
                # A result has a name of its own, which no other result and no input has.
                copied = value.name in results or value.name in given
                results.append(self._node("Identity", value).name if copied else value.name)
        needed, used = set(results), []
        for node in reversed(nodes):  # the step also returns what only `forecast explain` shows
            if needed.intersection(node.output):
                used.append(node)
                needed.update(node.input)
        body = helper.make_graph(
            used[::-1],
            self.graph.fresh("loop"),
            [helper.make_tensor_value_info(name, _FLOAT, None) for name in given],
            [helper.make_tensor_value_info(name, _FLOAT, None) for name in results],
        )
        *last, outputs = self.graph.nodes_of(
            "Scan", *states, projected, outputs=len(results), body=body, num_scan_inputs=1
        )
        return outputs, last

    def _native(
        self, native: Native, units: int, steps: Value, states: list[Value] | None, n_steps: int, is_last: bool
    ) -> tuple[Value, list[Value]]:
        """One of ONNX's recurrent nodes, or several where a long sequence is cut into pieces that stay in the cache."""
        kind, weights, peepholes, attributes = native
        n_states = len(self.cell.states)
        carried: list[Value] = [self._node("Unsqueeze", state, np.array([0])) for state in states or ()]
        length = max(_GATES_AT_ONCE // (WINDOWS_AT_ONCE * 4 * units), -(-n_steps // _MOST_PIECES))
        outputs = []
        for first in range(0, n_steps, length):
            piece = steps[first : first + length] if length < n_steps else steps
            initial: Sequence[Value | str] = carried or ([""] * n_states if peepholes else [])
            output, *carried = self.graph.nodes_of(
                kind, piece, *weights, *(["", *initial] if initial else ()), *peepholes,
                outputs=1 + n_states, hidden_size=units, **attributes,
            )  # fmt: skip
            if is_last:  # nobody reads more than the states, so the outputs are not even written, and have no name
                self.graph.nodes[-1].output[0] = ""
            outputs.append(output)
        whole = self.concat(outputs, axis=0) if len(outputs) > 1 and not is_last else outputs[0]
        last = [self._node("Squeeze", state, np.array([0])) for state in carried]
        return whole if is_last else self._node("Squeeze", whole, np.array([1])), last


# One of ONNX's recurrent nodes: its kind; its weights W [1, G * U, F], R [1, G * U, U], B [1, 2 * G * U]; for
# peepholes P [1, 3U]; and its attributes.
Native = tuple[str, list[Array], list[Array], dict[str, Any]]

# Keras's activations as ONNX names them inside its recurrent nodes, with alpha and beta where those are needed.
_ACTIVATIONS_IN_NODES: dict[str, tuple[str, float | None, float | None]] = {
    "tanh": ("Tanh", None, None),
    "sigmoid": ("Sigmoid", None, None),
    "relu": ("Relu", None, None),
    "softsign": ("Softsign", None, None),
    "softplus": ("Softplus", None, None),
    "elu": ("Elu", 1.0, None),
    "hard_sigmoid": ("HardSigmoid", 1 / 6, 0.5),
    "linear": ("Affine", 1.0, 0.0),
}

# Where s(−x) = 1 − s(x), a coupled cell's input gate, 1 − f, is its forget gate with the sign of its weights turned.
_SYMMETRIC = ("sigmoid", "hard_sigmoid")


def _native(config: NetworkConfig, own: Weights) -> Native | None:
    """The node that computes a layer; None if ONNX has none, for which a loop is written.

    Args:
        config: The network's configuration.
        own: The layer's weights: ``kernel`` [F, G * U], ``recurrent_kernel`` [U, G * U], ``bias``, ``peephole_kernel``.
    """
    if config.cell not in _NATIVE:
        return None
    kind, settings, parts = _NATIVE[config.cell]
    names = [getattr(config, setting) for setting in settings]
    turned = any(part.startswith("-") for part in parts)
    if any(name not in _ACTIVATIONS_IN_NODES for name in names) or (turned and names[0] not in _SYMMETRIC):
        return None
    cell = cell_of(config)
    bias = own.get("bias", np.zeros(own["kernel"].shape[1], np.float32))
    # The second half of B is added to the products with the output, as the second row of a GRU's bias is.
    of_inputs, of_outputs = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))

    def in_order(weight: Array) -> Array:
        blocks = dict(zip(cell.parts, np.split(weight, len(cell.parts), axis=-1), strict=True))
        signed = blocks | {f"-{part}": -block for part, block in blocks.items()}
        return np.concatenate([signed[part] for part in parts], axis=-1)

    kernel, recurrent = in_order(own["kernel"]).T, in_order(own["recurrent_kernel"]).T
    weights = [kernel[None], recurrent[None], np.concatenate([in_order(of_inputs), in_order(of_outputs)])[None]]
    peepholes = []
    if "peephole_kernel" in own:
        i, f, o = own["peephole_kernel"]
        peepholes = [np.concatenate([i, o, f])[None]]
    chosen = [_ACTIVATIONS_IN_NODES[name] for name in names]
    attributes: dict[str, Any] = {"activations": [name for name, _, _ in chosen]}
    for index, attribute in ((1, "activation_alpha"), (2, "activation_beta")):
        values = [activation[index] for activation in chosen if activation[index] is not None]
        if values:
            attributes[attribute] = values
    if isinstance(cell, GRU):
        attributes["linear_before_reset"] = int(cell.reset_after)
    return kind, weights, peepholes, attributes


# The cells that ONNX has a node for: its kind, the settings that give its activations, and the parts in its order, of
# which one with a minus has the sign of its weights turned. All other cells, and these with other activations, are
# loops.
_GATED = ("recurrent_activation", "activation", "activation")
_NATIVE: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "rnn": ("RNN", ("activation",), ("candidate",)),
    "gru": ("GRU", ("recurrent_activation", "activation"), ("update", "reset", "candidate")),
    "lstm": ("LSTM", _GATED, ("input", "output", "forget", "candidate")),
    "peephole": ("LSTM", _GATED, ("input", "output", "forget", "candidate")),
    "coupled": ("LSTM", _GATED, ("-forget", "output", "forget", "candidate")),
}


def graph_of(config: NetworkConfig, shape: Shape, weights: Weights, stateful: bool = False) -> bytes:
    """The network as the bytes of an ONNX model.

    Inputs are ``past`` [B, L, F], and, where the network reads them, ``future`` [B, H, K] and ``series`` [B]; the
    output is ``forecast``, [B, H, D] or [B, H, D, Q]; all scaled.

    Args:
        config: A resolved configuration.
        shape: Sizes of input and output.
        weights: By name, as `forecast.models.network.weight_shapes` lists them.
        stateful: Whether the states of the layers before the first step are inputs too, ``state_1`` …, each [B, U],
            and those after the last step outputs, ``new_state_1`` ….
    """
    graph = Graph()
    ops = OnnxOps(graph, config, shape, weights)
    n_states = len(ops.cell.states)
    names = [f"state_{number + 1}" for number in range(n_states * len(config.units))] if stateful else []
    states = [
        [Value(graph, name) for name in names[first : first + n_states]] for first in range(0, len(names), n_states)
    ]
    past = Value(graph, "past")
    # Where there is one series, the network only needs to know how many windows there are.
    series = Value(graph, "series", np.int64) if shape.series > 1 else past
    forecast, last = Network(config, shape, ops).forecast(past, Value(graph, "future"), series, states or None)
    graph.name("forecast", forecast)
    quantiles = [len(config.quantiles)] if config.quantiles else []
    outputs = [helper.make_tensor_value_info("forecast", _FLOAT, ["B", shape.horizon, shape.targets, *quantiles])]
    for name, value in zip(names, (part for of_layer in last for part in of_layer), strict=bool(names)):
        graph.name(f"new_{name}", value)
        outputs.append(helper.make_tensor_value_info(f"new_{name}", _FLOAT, None))
    inputs = [
        helper.make_tensor_value_info("past", _FLOAT, ["B", shape.lookback, shape.features]),
        helper.make_tensor_value_info("future", _FLOAT, ["B", shape.horizon, shape.known]),
        helper.make_tensor_value_info("series", _INT, ["B"]),
        *(
            helper.make_tensor_value_info(name, _FLOAT, ["B", config.units[number // n_states]])
            for number, name in enumerate(names)
        ),
    ]
    return graph.model(inputs, outputs)


def check_cell(config: NetworkConfig) -> None:
    """Check the declaration of a network's cell, before time is spent on training it.

    Its step is taken once in NumPy and once in a graph, with two units.

    Args:
        config: A resolved configuration.

    Raises:
        ConfigError: If the step fails, or does not return every state and every gate; says which.
    """
    from forecast.models.backends.numpy import NumpyOps  # which imports SciPy: only training checks a cell

    cell, name = cell_of(config), config.cell
    weights = {key: np.zeros(size, np.float32) for key, size in cell.weight_shapes(1, 2, config.use_bias).items()}
    before, graph = dict.fromkeys(cell.states, np.zeros((1, 2), np.float32)), Graph()
    projected = cell.project(NumpyOps(config, weights), weights, np.zeros((1, 1), np.float32))
    shape = Shape(lookback=1, horizon=1, targets=1, covariates=0, known=0, series=1)
    in_graph = {state: Value(graph, state) for state in cell.states}
    try:
        values = cell.step(NumpyOps(config, weights), weights, projected, before)
        cell.step(OnnxOps(graph, config, shape, weights), weights, Value(graph, "x"), in_graph)
        sizes = {key: np.shape(value) for key, value in values.items()}
    except Exception as error:  # whatever the cell's author wrote
        raise ConfigError(
            f"The step of the cell {name!r} fails: {type(error).__name__}: {error}.",
            f"Its operations are + - * /, slices, and {', '.join(CELL_OPERATIONS)}; it returns values by name.",
        ) from error
    missing = [key for key in (*cell.states, *cell.gates, cell.forget_gate) if key and sizes.get(key) != (1, 2)]
    if missing:
        raise ConfigError(
            f"The step of the cell {name!r} does not return {missing[0]!r} of each unit, [B, U], as the cell declares.",
            f"With one window and two units it returns: {', '.join(f'{key} {size}' for key, size in sizes.items())}.",
        )


class OnnxRuntime:
    """A network as ONNX Runtime computes it, on every core; see `forecast.models.runtimes.Runtime`.

    Args:
        graph: The bytes that `graph_of` wrote.
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

    def forecast(self, rows: RowSource, starts: Ints) -> NDArray[np.float32]:
        """Scaled forecasts [N, H, D] or [N, H, D, Q] of windows with these first rows [N]."""
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
            with ThreadPoolExecutor(core_count()) as cores:
                list(cores.map(fill, firsts))
        return result

    def state_shapes(self, n_series: int) -> list[tuple[int, ...]]:
        """The shapes of the states of a network that carries them for some series."""
        return [(n_series, units) for units in self._states]

    def step(self, rows: RowSource, starts: Ints, states: States | None) -> tuple[NDArray[np.float32], States]:
        """The forecasts of windows [B] of a network that carries its state, and the states after them."""
        if states is None:
            states = [np.zeros(shape, np.float32) for shape in self.state_shapes(len(starts))]
        fed = {f"state_{number}": state for number, state in enumerate(states, 1)}
        forecast, *after = self._session.run(None, self._fed(rows, starts) | fed)
        return forecast, after

    def _fed(self, rows: RowSource, starts: Ints) -> dict[str, NDArray[np.generic]]:
        past, future, _ = gather_windows(rows, starts, self._shape)
        fed = {"past": past, "future": future, "series": rows.identity[starts]}
        return {name: fed[name] for name in self.takes if name in fed}
