"""One step of an LSTM cell, and a stack of two layers, told gate by gate: ``python scripts/walkthrough.py``.

Every number is computed twice: from the equation that is printed, and by the cell that the program trains.
"""

from __future__ import annotations

import sys
import unicodedata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.models.backends.loops import Recurrence, RecurrentCell
from forecast.models.backends.tensorflow import keras, tf

Floats = NDArray[np.float64]

UNITS = 4
ROW = np.array([[3.0, 2, 2, 2, 2, 2]])

# Name in the equations, the other names that texts use, what it does, and its equation.
GATES = (
    ("i", "input gate, also write", "how much of the candidate is written", "σ(W_i x + U_i h' + b_i)"),
    ("f", "forget gate, also keep", "how much of the old cell state is kept", "σ(W_f x + U_f h' + b_f)"),
    ("c̃", "candidate, also C or g", "what would be written", "tanh(W_c x + U_c h' + b_c)"),
    ("o", "output gate, also read", "how much of the cell state is shown", "σ(W_o x + U_o h' + b_o)"),
)


def shown(values: Floats) -> str:
    """A row of numbers."""
    return "[" + "  ".join(f"{value:+.4f}" for value in np.ravel(values)) + "]"


def sigmoid(x: Floats) -> Floats:
    """The logistic function: a gate between 0, shut, and 1, open."""
    return 1 / (1 + np.exp(-x))


def one_step() -> None:
    """A cell of four units reads one row from a zero state."""
    cell = RecurrentCell("lstm", UNITS)
    h, c = np.zeros((1, UNITS)), np.zeros((1, UNITS))
    output, (h_cell, c_cell) = cell(tf.constant(ROW, tf.float32), [tf.zeros((1, UNITS)), tf.zeros((1, UNITS))])
    kernel, recurrent, bias = (weight.astype(np.float64) for weight in cell.get_weights())

    print(f"1. One LSTM cell of {UNITS} units reads one row of {ROW.shape[1]} numbers")
    print()
    print(f"   x  = {shown(ROW)}   the input, 1 × {ROW.shape[1]}")
    print(f"   h' = {shown(h)}   the old output, 1 × {UNITS}, also called the hidden state")
    print(f"   c' = {shown(c)}   the old cell state, 1 × {UNITS}, also called the memory, or S")
    print()
    print(f"   W is {_size(kernel)}: the weights of the four gates side by side, in the order i f c̃ o.")
    print(f"   U is {_size(recurrent)}, b has {bias.size}; the forget gate's b starts at 1, so it keeps.")
    print()
    parts = np.split(ROW @ kernel + h @ recurrent + bias, 4, axis=1)
    values = [np.tanh(part) if name == "c̃" else sigmoid(part) for (name, *_), part in zip(GATES, parts, strict=True)]
    for (name, other, does, equation), value in zip(GATES, values, strict=True):
        print(f"   {_padded(name, 2)} = {_padded(equation, 26)} = {shown(value)}   {other}: {does}")
    i, f, candidate, o = values
    c = f * c + i * candidate
    h = o * np.tanh(c)
    written, read = _padded("f∘c' + i∘c̃", 26), _padded("o∘tanh(c)", 26)
    print(f"   c  = {written} = {shown(c)}   the new cell state: only ever scaled and added to")
    print(f"   h  = {read} = {shown(h)}   the new output, and what the next step hears")
    print()
    _check("the cell's h", h_cell, h)
    _check("the cell's c", c_cell, c)
    _check("its output, which is h", output, h)
    print()


def many_steps() -> None:
    """What the gates do to a memory over a hundred steps."""
    print("2. Why it remembers: a value of 1 in the cell state, after 100 steps in which nothing is written")
    print()
    for f in (1.0, 0.99, 0.9, 0.5):
        half = "it is kept for ever" if f == 1 else f"half of it after {np.log(0.5) / np.log(f):.0f}"
        print(f"   forget gate at {f:4.2f}: {f**100:.6f} is left; {half}")
    print("   A vanilla RNN has no such path: h = tanh(W x + U h' + b) squeezes all of h' through U and tanh at each")
    print("   step, so its gradient shrinks or grows with every step. Along c the gradient is multiplied by f alone.")
    print()


def a_stack() -> None:
    """Two layers, of four and of five units, over a batch of two sequences."""
    batch = np.random.default_rng(7).normal(size=(2, 3, 6)).astype(np.float32)
    below, above = (
        Recurrence(RecurrentCell("lstm", units), return_sequences=True, return_state=True) for units in (4, 5)
    )
    hidden, *state_below = below(batch)
    outputs, *state_above = above(hidden)
    print("3. A stack: the second layer reads the outputs of the first, step by step")
    print()
    print(f"   in                  {tuple(batch.shape)}   2 sequences of 3 steps of 6 numbers")
    print(f"   out of layer 1      {tuple(hidden.shape)}   its h at every step (return_sequences)")
    print(f"   state of layer 1    {_sizes(state_below)}   h and c after the last step")
    print(f"   out of layer 2      {tuple(outputs.shape)}")
    print(f"   state of layer 2    {_sizes(state_above)}")
    print()
    for step in range(3):
        print(f"   h of layer 2 after step {step + 1}, first sequence: {shown(outputs[0, step].numpy())}")
    together = keras.layers.RNN([RecurrentCell("lstm", units) for units in (4, 5)], return_sequences=True)
    together.build(batch.shape)
    together.set_weights([*below.get_weights(), *above.get_weights()])
    print()
    _check("two cells stacked under one loop", together(batch), outputs)


def _padded(text: str, width: int) -> str:
    """Filled up with spaces; a combining mark takes no place."""
    return text + " " * (width - sum(not unicodedata.combining(character) for character in text))


def _size(matrix: Floats) -> str:
    return " × ".join(map(str, matrix.shape))


def _sizes(states: list[Any]) -> str:
    return " and ".join(str(tuple(state.shape)) for state in states)


def _check(what: str, received: object, expected: object) -> None:
    difference = float(np.abs(np.asarray(received) - np.asarray(expected)).max())
    if not difference < 1e-6:
        sys.exit(f"   {what}: differs from the equations by {difference:.2g}")
    print(f"   {what}: the same to {max(difference, 1e-9):.0e}")


if __name__ == "__main__":
    keras.utils.set_random_seed(7)
    one_step()
    many_steps()
    a_stack()
