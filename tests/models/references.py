"""Every cell in NumPy, straight from its equations: a step from weights, input and states to the new states."""

from __future__ import annotations

import numpy as np

Array = np.ndarray
Weights = dict[str, Array]


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
