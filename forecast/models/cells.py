"""The recurrent cells: those of Keras, and their relatives that Keras has not.

Every cell does its work in two parts, so that a loop can be fast: `project` maps the inputs of all steps to the gates
in one product, and `look` does what each step must do by itself, and tells every gate by its name. The weights are
those of a Keras cell: ``kernel``, ``recurrent_kernel`` and ``bias`` hold the gates side by side, in the order i, f, c̃,
o.

In teaching texts the forget gate f is also called keep, the input gate i write, and the output gate o read.
"""

from __future__ import annotations

from typing import Any

from forecast.models.backend import keras

ops = keras.ops

# Smallest normaliser of the sLSTM: a gate that underflows to nothing must not divide by it.
_LEAST = 1e-30


class _Stepping:
    """What all cells share: a step is a look whose names are forgotten, all but the output and what is carried on."""

    # The states, in their order; the first is the output.
    carried: tuple[str, ...] = ("hidden",)
    # The gates, whose values are shares of what passes; and the one of them that keeps the old memory.
    gates: tuple[str, ...] = ()
    keeping: str | None = None

    kernel: Any
    bias: Any

    def project(self, inputs: Any) -> Any:
        """What the inputs [..., F] contribute to the G gates, [..., G * U]."""
        projected = ops.matmul(inputs, self.kernel)
        return projected if self.bias is None else projected + self.bias

    def look(self, projected: Any, states: list[Any]) -> dict[str, Any]:
        """One step from the projected inputs [B, G * U] and the states: every gate and every new state [B, U]."""
        raise NotImplementedError

    def step(self, projected: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        """One step: the output [B, U] and the new states."""
        seen = self.look(projected, states)
        carried = [seen[name] for name in self.carried]
        return carried[0], carried


@keras.saving.register_keras_serializable("forecast")
class SimpleRNNCell(_Stepping, keras.layers.SimpleRNNCell):  # type: ignore[misc]
    """The vanilla RNN: h = tanh(W [h', x] + b) (Elman 1990)."""

    def look(self, projected: Any, states: list[Any]) -> dict[str, Any]:
        """One step from [B, U] and the state h."""
        return {"hidden": self.activation(projected + ops.matmul(states[0], self.recurrent_kernel))}


@keras.saving.register_keras_serializable("forecast")
class GRUCell(_Stepping, keras.layers.GRUCell):  # type: ignore[misc]
    """Two gates and no separate cell state: z keeps, r resets (Cho et al. 2014; ``reset_after`` as in cuDNN)."""

    gates, keeping = ("update", "reset"), "update"

    def project(self, inputs: Any) -> Any:
        """What the inputs [..., F] contribute to z, r and the candidate, [..., 3U]."""
        projected = ops.matmul(inputs, self.kernel)
        return projected if self.bias is None else projected + (self.bias[0] if self.reset_after else self.bias)

    def look(self, projected: Any, states: list[Any]) -> dict[str, Any]:
        """One step from [B, 3U] and the state h."""
        h, units = states[0], self.units
        x_z, x_r, x_c = ops.split(projected, 3, axis=-1)
        if self.reset_after:
            inner = ops.matmul(h, self.recurrent_kernel)
            if self.bias is not None:
                inner = inner + self.bias[1]
            h_z, h_r, h_c = ops.split(inner, 3, axis=-1)
        else:
            h_z, h_r = ops.split(ops.matmul(h, self.recurrent_kernel[:, : 2 * units]), 2, axis=-1)
        z, r = self.recurrent_activation(x_z + h_z), self.recurrent_activation(x_r + h_r)
        remembered = r * h_c if self.reset_after else ops.matmul(r * h, self.recurrent_kernel[:, 2 * units :])
        candidate = self.activation(x_c + remembered)
        return {"update": z, "reset": r, "candidate": candidate, "hidden": z * h + (1 - z) * candidate}


@keras.saving.register_keras_serializable("forecast")
class LSTMCell(_Stepping, keras.layers.LSTMCell):  # type: ignore[misc]
    """c = f∘c' + i∘c̃, h = o∘tanh(c) (Hochreiter & Schmidhuber 1997; the forget gate is Gers et al. 2000)."""

    carried, gates, keeping = ("hidden", "cell"), ("forget", "input", "output"), "forget"

    def look(self, projected: Any, states: list[Any]) -> dict[str, Any]:
        """One step from [B, 4U] and the states h and c."""
        h, c = states
        i, f, candidate, o = ops.split(projected + ops.matmul(h, self.recurrent_kernel), 4, axis=-1)
        i, f, o = (self.recurrent_activation(gate) for gate in (i, f, o))
        candidate = self.activation(candidate)
        c = f * c + i * candidate
        h = o * self.activation(c)
        return {"forget": f, "input": i, "output": o, "candidate": candidate, "cell": c, "hidden": h}


class _Relative(_Stepping, keras.layers.LSTMCell):  # type: ignore[misc]
    """An LSTM cell with other gates: Keras's arguments and weights, one dropout mask for all gates."""

    carried: tuple[str, ...] = ("hidden", "cell")
    gates, keeping = ("forget", "input", "output"), "forget"
    # How the weights stand side by side.
    parts: tuple[str, ...] = ("i", "f", "c", "o")

    def __init__(self, units: int, **arguments: Any) -> None:
        super().__init__(units, **arguments)
        # Keras makes a mask for each gate where the recurrent state is dropped out, and none of these cells needs that.
        self.implementation, self.dropout_mask_count = 2, None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights for inputs [B, F]."""
        width = self.units * len(self.parts)
        self.kernel = self.add_weight(
            (input_shape[-1], width),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self.recurrent_kernel = self.add_weight(
            (self.units, width),
            self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
            name="recurrent_kernel",
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                (width,),
                self._initial_bias,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )

    def _initial_bias(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        bias = self.bias_initializer(shape, dtype=dtype)
        if not self.unit_forget_bias:
            return bias
        first = self.parts.index("f") * self.units
        return ops.concatenate([bias[:first], ops.ones((self.units,), dtype), bias[first + self.units :]])

    def call(self, inputs: Any, states: list[Any], training: bool = False) -> tuple[Any, list[Any]]:
        """One step: inputs [B, F] and the states to the output [B, U] and the new states."""
        h = states[0]
        if training and self.dropout > 0:
            inputs = inputs * self.get_dropout_mask(inputs)
        if training and self.recurrent_dropout > 0:
            h = h * self.get_recurrent_dropout_mask(h)
        return self.step(self.project(inputs), [h, *states[1:]])

    def _split(self, projected: Any, h: Any) -> list[Any]:
        return list(ops.split(projected + ops.matmul(h, self.recurrent_kernel), len(self.parts), axis=-1))


@keras.saving.register_keras_serializable("forecast")
class PeepholeLSTMCell(_Relative):
    """An LSTM whose gates see the cell state: i and f the old one, o the new one (Gers & Schmidhuber 2000).

    Each sees it through a diagonal weight, a row of ``peephole_kernel`` [3, U] in the order i, f, o.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights for inputs [B, F]."""
        super().build(input_shape)
        # Not the recurrent initialiser: three diagonals are no matrix that could be orthogonal.
        self.peephole_kernel = self.add_weight(
            (3, self.units),
            self.kernel_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
            name="peephole_kernel",
        )

    def look(self, projected: Any, states: list[Any]) -> dict[str, Any]:
        """One step from [B, 4U] and the states h and c."""
        h, c = states
        i, f, candidate, o = self._split(projected, h)
        from_c = self.peephole_kernel
        i, f = self.recurrent_activation(i + from_c[0] * c), self.recurrent_activation(f + from_c[1] * c)
        candidate = self.activation(candidate)
        c = f * c + i * candidate
        o = self.recurrent_activation(o + from_c[2] * c)
        return {
            "forget": f,
            "input": i,
            "output": o,
            "candidate": candidate,
            "cell": c,
            "hidden": o * self.activation(c),
        }


@keras.saving.register_keras_serializable("forecast")
class CoupledLSTMCell(_Relative):
    """An LSTM that writes where it forgets: i = 1 - f, a quarter of the weights fewer (Greff et al. 2017)."""

    parts = ("f", "c", "o")

    def look(self, projected: Any, states: list[Any]) -> dict[str, Any]:
        """One step from [B, 3U] and the states h and c."""
        h, c = states
        f, candidate, o = self._split(projected, h)
        f, o = self.recurrent_activation(f), self.recurrent_activation(o)
        candidate = self.activation(candidate)
        c = f * c + (1 - f) * candidate
        h = o * self.activation(c)
        return {"forget": f, "input": 1 - f, "output": o, "candidate": candidate, "cell": c, "hidden": h}


@keras.saving.register_keras_serializable("forecast")
class SLSTMCell(_Relative):
    """The sLSTM of xLSTM: exponential input and forget gates, a normaliser n and a stabiliser m (Beck et al. 2024).

    Its states are h, c, n and m. The recurrent weights are full: one head, one block.
    """

    carried = ("hidden", "cell", "normaliser", "stabiliser")

    def __init__(self, units: int, **arguments: Any) -> None:
        super().__init__(units, **arguments)
        self.state_size = [units] * 4

    def look(self, projected: Any, states: list[Any]) -> dict[str, Any]:
        """One step from [B, 4U] and the states h, c, n and m.

        The forget and the input gate are told as their shares of the new normaliser, which is what they weigh the old
        memory and the new by: they lie between 0 and 1, and add up to 1 unless everything is forgotten.
        """
        h, c, n, m = states
        i, f, candidate, o = self._split(projected, h)
        f = f + m  # both are logarithms
        m = ops.maximum(f, i)
        i, f = ops.exp(i - m), ops.exp(f - m)
        candidate, o = self.activation(candidate), self.recurrent_activation(o)
        c, kept = f * c + i * candidate, f * n
        n = kept + i
        whole = ops.maximum(n, _LEAST)
        told = {"forget": kept / whole, "input": i / whole, "output": o, "candidate": candidate}
        return told | {"cell": c, "normaliser": n, "stabiliser": m, "hidden": o * c / whole}
