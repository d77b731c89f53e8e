"""Every cell in NumPy, straight from its equations: a step from weights, input and states to the new states.

A test that compares back ends with each other cannot see a mistake in a declared step; these can.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any

import numpy as np

from configs import plain_config
from forecast.models.backends.numpy import NumpyOps
from forecast.models.cells import CELLS, cell_of

Array = np.ndarray
Weights = dict[str, Array]
Step = Callable[..., list[Array]]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def cut(weights: Weights, h: Array, x: Array, gates: int) -> list[Array]:
    """The gates before their activations: W [h', x] + b."""
    return np.split(x @ weights["kernel"] + h @ weights["recurrent_kernel"] + weights["bias"], gates, axis=-1)


def rnn(weights: Weights, x: Array, h: Array) -> list[Array]:
    return [np.tanh(x @ weights["kernel"] + h @ weights["recurrent_kernel"] + weights["bias"])]


def gru(weights: Weights, x: Array, h: Array) -> list[Array]:
    x_z, x_r, x_c = np.split(x @ weights["kernel"] + weights["bias"][0], 3, axis=-1)
    h_z, h_r, h_c = np.split(h @ weights["recurrent_kernel"] + weights["bias"][1], 3, axis=-1)
    z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
    return [z * h + (1 - z) * np.tanh(x_c + r * h_c)]


def gru_reset_before(weights: Weights, x: Array, h: Array) -> list[Array]:
    x_z, x_r, x_c = np.split(x @ weights["kernel"] + weights["bias"], 3, axis=-1)
    of_z, of_r, of_c = np.split(weights["recurrent_kernel"], 3, axis=-1)
    z, r = sigmoid(x_z + h @ of_z), sigmoid(x_r + h @ of_r)
    return [z * h + (1 - z) * np.tanh(x_c + (r * h) @ of_c)]


def lstm(weights: Weights, x: Array, h: Array, c: Array) -> list[Array]:
    i, f, candidate, o = cut(weights, h, x, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(candidate)
    return [sigmoid(o) * np.tanh(c), c]


def peephole(weights: Weights, x: Array, h: Array, c: Array) -> list[Array]:
    i, f, candidate, o = cut(weights, h, x, 4)
    from_c = weights["peephole_kernel"]
    c_new = sigmoid(f + from_c[1] * c) * c + sigmoid(i + from_c[0] * c) * np.tanh(candidate)
    return [sigmoid(o + from_c[2] * c_new) * np.tanh(c_new), c_new]


def coupled(weights: Weights, x: Array, h: Array, c: Array) -> list[Array]:
    f, candidate, o = cut(weights, h, x, 3)
    c = sigmoid(f) * c + (1 - sigmoid(f)) * np.tanh(candidate)
    return [sigmoid(o) * np.tanh(c), c]


def slstm(weights: Weights, x: Array, h: Array, c: Array, n: Array, m: Array) -> list[Array]:
    i, f, candidate, o = cut(weights, h, x, 4)
    m_new = np.maximum(f + m, i)
    i, f = np.exp(i - m_new), np.exp(f + m - m_new)
    c, n = f * c + i * np.tanh(candidate), f * n + i
    return [sigmoid(o) * c / n, c, n, m_new]


def mingru(weights: Weights, x: Array, h: Array) -> list[Array]:
    z, candidate = np.split(x @ weights["kernel"] + weights["bias"], 2, axis=-1)
    return [(1 - sigmoid(z)) * h + sigmoid(z) * candidate]


def variants() -> dict[str, dict[str, Any]]:
    """Every cell of CELLS, and each again with a yes-or-no setting of its own turned over: arguments by name."""
    found: dict[str, dict[str, Any]] = {}
    for name, cell in CELLS.items():
        found[name] = {"cell": name}
        for field in fields(cell):
            if isinstance(getattr(cell, field.name), bool):
                turned = not getattr(cell, field.name)
                found[f"{name} {field.name}={turned}"] = {"cell": name, field.name: turned}
    return found


# The variants that have equations of their own here; the others are compared with their own declaration alone.
ORACLES: dict[str, Step] = {
    "rnn": rnn,
    "gru": gru,
    "gru reset_after=False": gru_reset_before,
    "lstm": lstm,
    "peephole": peephole,
    "coupled": coupled,
    "slstm": slstm,
    "mingru": mingru,
}


def reference_of(variant: str) -> Step:
    """The equations of a variant; of one that has none here, its declared step in NumPy."""
    return ORACLES[variant] if variant in ORACLES else declared_step(variant)


def declared_step(variant: str) -> Step:
    """What a variant declares, in NumPy."""
    config = plain_config(**variants()[variant]).network
    cell, ops = cell_of(config), NumpyOps(config, {})

    def step(weights: Weights, x: Array, *states: Array) -> list[Array]:
        after = cell.step(ops, weights, cell.project(ops, weights, x), dict(zip(cell.states, states, strict=True)))
        return [after[name] for name in cell.states]

    return step


def run(step: Step, weights: Weights, sequences: Array, states: list[Array]) -> tuple[Array, list[Array]]:
    """All outputs [B, n, U] over sequences [B, n, F], and the last states."""
    outputs = []
    for row in range(sequences.shape[1]):
        states = step(weights, sequences[:, row], *states)
        outputs.append(states[0])
    return np.stack(outputs, axis=1), states


def states_of(variant: str, batch: int, units: int, seed: int = 0) -> list[Array]:
    """Any states to start from, each [B, U]; a normaliser is positive."""
    rng, cell = np.random.default_rng(seed), CELLS[variants()[variant]["cell"]]
    states = {name: rng.normal(size=(batch, units)) for name in cell.states}
    return [np.abs(state) + 0.5 if name == "normaliser" else state for name, state in states.items()]


def cell_by_hand(variant: str, weights: Weights, layer: str) -> Any:
    """One step of a cell, from input [B, F] and states to the new states; the first of them is the output."""
    prefix = f"recurrent_{layer}/"
    own = {name.removeprefix(prefix): array.astype(np.float64) for name, array in weights.items() if prefix in name}
    return partial(ORACLES[variant], own)


def run_by_hand(variant: str, weights: Weights, past: Array, layers: int = 1) -> list[Any]:
    """The final states of each layer."""
    states, cell = [], CELLS[variants()[variant]["cell"]]
    sequence = past.astype(np.float64)
    for layer in range(1, layers + 1):
        step = cell_by_hand(variant, weights, str(layer))
        units = weights[f"recurrent_{layer}/kernel"].shape[1] // len(cell.parts)
        state = [np.zeros((len(past), units)) for _ in cell.states]
        outputs = []
        for time in range(sequence.shape[1]):
            state = step(sequence[:, time], *state)
            outputs.append(state[0])
        sequence = np.stack(outputs, axis=1)
        states.append(state)
    return states
