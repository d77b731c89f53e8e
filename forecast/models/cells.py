"""CELLS: the recurrent cells, each declared once; and ACTIVATIONS. Adding a cell is one class and one entry here.

A cell is a declaration: the names of its states and gates, the order of its weights, and the arithmetic of one step.
The back ends (`forecast.models.backends`) run it in Keras, in ONNX Runtime and in NumPy. Weight shapes, memory
estimates, the allowed values of the setting ``cell``, the tables of the benchmarks and the tests follow from it too.

In a `step`, ``x`` is the input's projection onto all parts, [B, G * U], which is made for all steps at once; ``w`` are
the weights by name, ``s`` the states by name, each [B, U]. The ops are those of a back end: besides + - * and /,
``split``, ``exp``, ``sqrt``, ``tanh``, ``sigmoid``, ``softplus``, ``maximum``, ``minimum``, ``recurrent_matmul`` (a
product with h′, on which recurrent dropout acts), and the two functions that the settings ``activation`` (tanh unless
told otherwise) and ``recurrent_activation`` (σ, the logistic function) choose. In the equations [a, b] is
concatenation, ∘ the elementwise product, h′ the state before the step.

In teaching texts the forget gate is also called keep, the input gate write, the output gate read, and the cell state S.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Protocol

from forecast.errors import ConfigError

# Any array of a back end.
Array = Any

States = Mapping[str, Array]
Weights = Mapping[str, Array]

# Smallest normaliser of the sLSTM: a gate that underflows to nothing must not divide by it.
_SMALLEST_NORMALISER = 1e-30


# What a step may use, beside + - * / and slices.
CELL_OPERATIONS = (
    "split", "recurrent_matmul", "activation", "recurrent_activation", "tanh", "sigmoid", "exp", "sqrt", "softplus",
    "maximum", "minimum",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """What a cell declares. Its fields, if it has any, are settings of the network of the same name."""

    # The states that are carried from step to step; the first one is the output.
    states: ClassVar[tuple[str, ...]] = ("hidden",)
    # The gates, whose values lie between 0 and 1; and the one of them that keeps the old memory, if there is one.
    gates: ClassVar[tuple[str, ...]] = ()
    forget_gate: ClassVar[str | None] = None
    # The blocks of the kernels, side by side, each U wide. A part called "forget" starts with bias 1.
    parts: ClassVar[tuple[str, ...]]
    # Whether the parts see the output of the step before through ``recurrent_kernel`` [U, G * U].
    sees_output: ClassVar[bool] = True

    def weight_shapes(self, features: int, units: int, use_bias: bool) -> dict[str, tuple[int, ...]]:
        """The shape of each weight by name, in the order in which Keras creates them.

        Args:
            features: F, the width of the inputs.
            units: U.
            use_bias: Whether there is a bias.
        """
        width = len(self.parts) * units
        shapes: dict[str, tuple[int, ...]] = {"kernel": (features, width)}
        if self.sees_output:
            shapes["recurrent_kernel"] = (units, width)
        if use_bias:
            shapes["bias"] = (width,)
        return shapes

    def project(self, ops: Any, w: Weights, inputs: Array) -> Array:
        """What inputs [..., F] contribute to all parts, [..., G * U]."""
        projected = ops.matmul(inputs, w["kernel"])
        return projected + w["bias"] if "bias" in w else projected

    def step(self, ops: Any, w: Weights, x: Array, s: States) -> dict[str, Array]:
        """One step: every gate, candidate and new state by name, each [B, U]."""
        raise NotImplementedError


class SimpleRNN(Cell):
    """The vanilla RNN (Elman 1990): h = tanh(W [h′, x] + b)."""

    parts = ("candidate",)

    def step(self, ops: Any, w: Weights, x: Array, s: States) -> dict[str, Array]:
        """One step from x [B, U]."""
        return {"hidden": ops.activation(x + ops.recurrent_matmul(s["hidden"], w["recurrent_kernel"]))}


@dataclass(frozen=True)
class GRU(Cell):
    """The gated recurrent unit (Cho et al. 2014): two gates, and no cell state apart from the output.

    z = σ(W_z [h′, x] + b_z)   r = σ(W_r [h′, x] + b_r)   h̃ = tanh(W_h [r∘h′, x] + b_h)   h = z∘h′ + (1 − z)∘h̃

    Args:
        reset_after: Apply r to the product R_h h′ + b instead of to h′, as cuDNN and Keras do; the bias then has a
            second row, for the products with h′.
    """

    reset_after: bool = True

    gates, forget_gate = ("update", "reset"), "update"
    parts = ("update", "reset", "candidate")

    def weight_shapes(self, features: int, units: int, use_bias: bool) -> dict[str, tuple[int, ...]]:
        """The shape of each weight by name."""
        shapes = super().weight_shapes(features, units, use_bias)
        if use_bias and self.reset_after:
            shapes["bias"] = (2, *shapes["bias"])
        return shapes

    def project(self, ops: Any, w: Weights, inputs: Array) -> Array:
        """What inputs [..., F] contribute to z, r and h̃, [..., 3U]."""
        projected = ops.matmul(inputs, w["kernel"])
        return projected + (w["bias"][0] if self.reset_after else w["bias"]) if "bias" in w else projected

    def step(self, ops: Any, w: Weights, x: Array, s: States) -> dict[str, Array]:
        """One step from x [B, 3U]."""
        h, kernel = s["hidden"], w["recurrent_kernel"]
        x_z, x_r, x_c = ops.split(x, 3)
        if self.reset_after:
            product = ops.recurrent_matmul(h, kernel)
            h_z, h_r, h_c = ops.split(product + w["bias"][1] if "bias" in w else product, 3)
        else:
            h_z, h_r = ops.split(ops.recurrent_matmul(h, kernel[:, : 2 * kernel.shape[0]]), 2)
        z, r = ops.recurrent_activation(x_z + h_z), ops.recurrent_activation(x_r + h_r)
        reset = r * h_c if self.reset_after else ops.recurrent_matmul(r * h, kernel[:, 2 * kernel.shape[0] :])
        candidate = ops.activation(x_c + reset)
        return {"update": z, "reset": r, "candidate": candidate, "hidden": z * h + (1 - z) * candidate}


class LSTM(Cell):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; the forget gate is of Gers et al. 2000).

    f = σ(W_f [h′, x] + b_f)   i = σ(W_i [h′, x] + b_i)   c̃ = tanh(W_c [h′, x] + b_c)   o = σ(W_o [h′, x] + b_o)
    c = f∘c′ + i∘c̃             h = o∘tanh(c)
    """

    states = ("hidden", "cell")
    gates, forget_gate = ("forget", "input", "output"), "forget"
    parts = ("input", "forget", "candidate", "output")

    def step(self, ops: Any, w: Weights, x: Array, s: States) -> dict[str, Array]:
        """One step from x [B, 4U]."""
        i, f, candidate, o = ops.split(x + ops.recurrent_matmul(s["hidden"], w["recurrent_kernel"]), 4)
        i, f, o = ops.recurrent_activation(i), ops.recurrent_activation(f), ops.recurrent_activation(o)
        candidate = ops.activation(candidate)
        c = f * s["cell"] + i * candidate
        h = o * ops.activation(c)
        return {"forget": f, "input": i, "output": o, "candidate": candidate, "cell": c, "hidden": h}


class PeepholeLSTM(Cell):
    """An LSTM whose gates see the cell state: f and i the old one, o the new one (Gers & Schmidhuber 2000).

    Each sees it through a diagonal weight, a row of ``peephole_kernel`` [3, U] in the order i, f, o.
    """

    states = ("hidden", "cell")
    gates, forget_gate = ("forget", "input", "output"), "forget"
    parts = ("input", "forget", "candidate", "output")

    def weight_shapes(self, features: int, units: int, use_bias: bool) -> dict[str, tuple[int, ...]]:
        """The shape of each weight by name."""
        return super().weight_shapes(features, units, use_bias) | {"peephole_kernel": (3, units)}

    def step(self, ops: Any, w: Weights, x: Array, s: States) -> dict[str, Array]:
        """One step from x [B, 4U]."""
        i, f, candidate, o = ops.split(x + ops.recurrent_matmul(s["hidden"], w["recurrent_kernel"]), 4)
        from_cell = w["peephole_kernel"]
        i = ops.recurrent_activation(i + from_cell[0] * s["cell"])
        f = ops.recurrent_activation(f + from_cell[1] * s["cell"])
        candidate = ops.activation(candidate)
        c = f * s["cell"] + i * candidate
        o = ops.recurrent_activation(o + from_cell[2] * c)
        h = o * ops.activation(c)
        return {"forget": f, "input": i, "output": o, "candidate": candidate, "cell": c, "hidden": h}


class CoupledLSTM(Cell):
    """An LSTM that writes where it forgets, i = 1 − f: a quarter of the weights fewer (Greff et al. 2017)."""

    states = ("hidden", "cell")
    gates, forget_gate = ("forget", "input", "output"), "forget"
    parts = ("forget", "candidate", "output")

    def step(self, ops: Any, w: Weights, x: Array, s: States) -> dict[str, Array]:
        """One step from x [B, 3U]."""
        f, candidate, o = ops.split(x + ops.recurrent_matmul(s["hidden"], w["recurrent_kernel"]), 3)
        f, o = ops.recurrent_activation(f), ops.recurrent_activation(o)
        candidate = ops.activation(candidate)
        c = f * s["cell"] + (1 - f) * candidate
        h = o * ops.activation(c)
        return {"forget": f, "input": 1 - f, "output": o, "candidate": candidate, "cell": c, "hidden": h}


class SLSTM(Cell):
    """The sLSTM of xLSTM: exponential input and forget gates, a normaliser n, a stabiliser m (Beck et al. 2024).

    With ĩ, f̃, c̃, õ before their activations, one head and full recurrent weights:

    m = max(f̃ + m′, ĩ)   i = exp(ĩ − m)   f = exp(f̃ + m′ − m)   n = f∘n′ + i   c = f∘c′ + i∘tanh(c̃)   h = σ(õ)∘c / n
    """

    states = ("hidden", "cell", "normaliser", "stabiliser")
    gates, forget_gate = ("forget", "input", "output"), "forget"
    parts = ("input", "forget", "candidate", "output")

    def step(self, ops: Any, w: Weights, x: Array, s: States) -> dict[str, Array]:
        """One step from x [B, 4U].

        The forget and the input gate are returned as their shares of the new normaliser, which weigh the old memory
        and the candidate: both lie between 0 and 1, and their sum is 1 unless everything is forgotten.
        """
        i, f, candidate, o = ops.split(x + ops.recurrent_matmul(s["hidden"], w["recurrent_kernel"]), 4)
        f = f + s["stabiliser"]  # both are logarithms
        m = ops.maximum(f, i)
        i, f = ops.exp(i - m), ops.exp(f - m)
        candidate, o = ops.activation(candidate), ops.recurrent_activation(o)
        c, kept = f * s["cell"] + i * candidate, f * s["normaliser"]
        n = kept + i
        divisor = ops.maximum(n, _SMALLEST_NORMALISER)
        gates = {"forget": kept / divisor, "input": i / divisor, "output": o, "candidate": candidate}
        return gates | {"cell": c, "normaliser": n, "stabiliser": m, "hidden": o * c / divisor}


class MinGRU(Cell):
    """A GRU whose gate and candidate do not see the state (Feng et al. 2024, "Were RNNs all we needed?").

    z = σ(W_z x + b_z)   h̃ = W_h x + b_h   h = (1 − z)∘h′ + z∘h̃

    The candidate has no activation, in the paper and here.
    """

    gates, forget_gate = ("update", "keep"), "keep"
    parts = ("update", "candidate")
    sees_output = False

    def step(self, ops: Any, w: Weights, x: Array, s: States) -> dict[str, Array]:
        """One step from x [B, 2U]."""
        z, candidate = ops.split(x, 2)
        z = ops.recurrent_activation(z)
        hidden = (1 - z) * s["hidden"] + z * candidate
        return {"update": z, "keep": 1 - z, "candidate": candidate, "hidden": hidden}


def cell_named(name: str, settings: object) -> Cell:
    """The cell of a name, in the variant that settings choose.

    Args:
        name: A key of `CELLS`.
        settings: What holds the settings as attributes: a network's configuration, or a layer.

    Raises:
        ConfigError: If there is no cell of that name; lists those that there are.
    """
    if name not in CELLS:
        raise ConfigError(f"There is no cell {name!r}.", f"Cells: {', '.join(CELLS)}.")
    if not isinstance(CELLS[name], Cell):
        raise ConfigError(f"CELLS[{name!r}] is not a cell: {CELLS[name]!r}.", "An entry is an instance of one.")
    return replace(CELLS[name], **{field.name: getattr(settings, field.name) for field in fields(CELLS[name])})


class NamesCell(Protocol):
    """The configuration of a network, as far as a cell needs it: `forecast.config` imports this file."""

    @property
    def cell(self) -> str:
        """A key of `CELLS`."""


def cell_of(config: NamesCell) -> Cell:
    """The cell of a network's configuration."""
    return cell_named(config.cell, config)


# Klambauer et al. (2017): with these a layer keeps mean 0 and variance 1.
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def _elu(ops: Any, x: Array) -> Array:
    return ops.maximum(x, 0.0) + ops.exp(ops.minimum(x, 0.0)) - 1.0


def _selu(ops: Any, x: Array) -> Array:
    return (ops.maximum(x, 0.0) + (ops.exp(ops.minimum(x, 0.0)) - 1.0) * _SELU_ALPHA) * _SELU_SCALE


# What the settings activation and recurrent_activation choose, as Keras defines it. NumPy and ONNX compute these, Keras
# its own.
ACTIVATIONS: dict[str, Callable[[Any, Array], Array]] = {
    "tanh": lambda ops, x: ops.tanh(x),
    "sigmoid": lambda ops, x: ops.sigmoid(x),
    "relu": lambda ops, x: ops.maximum(x, 0.0),
    "elu": _elu,
    "selu": _selu,
    "softplus": lambda ops, x: ops.softplus(x),
    "softsign": lambda ops, x: x / (ops.maximum(x, -x) + 1.0),
    "swish": lambda ops, x: x * ops.sigmoid(x),
    "gelu": lambda ops, x: x * 0.5 * (ops.erf(x / math.sqrt(2)) + 1.0),
    "linear": lambda ops, x: x,
    "hard_sigmoid": lambda ops, x: ops.minimum(ops.maximum(x / 6.0 + 0.5, 0.0), 1.0),
    "exponential": lambda ops, x: ops.exp(x),
}

CELLS: dict[str, Cell] = {
    "rnn": SimpleRNN(),
    "gru": GRU(),
    "lstm": LSTM(),
    "peephole": PeepholeLSTM(),
    "coupled": CoupledLSTM(),
    "slstm": SLSTM(),
    "mingru": MinGRU(),
}
