"""The cells as ONNX's recurrent nodes: their weights in ONNX's order, and which arguments its nodes can take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.config import NetworkConfig

# The states that a layer hands on, by cell.
STATES: dict[str, tuple[str, ...]] = {
    "rnn": ("h",),
    "gru": ("h",),
    "lstm": ("h", "c"),
    "peephole": ("h", "c"),
    "coupled": ("h", "c"),
    "slstm": ("h", "c", "n", "m"),
}

# Keras's activations as ONNX names them inside its recurrent nodes, with alpha and beta where those are needed.
_ACTIVATIONS: dict[str, tuple[str, float | None, float | None]] = {
    "tanh": ("Tanh", None, None),
    "sigmoid": ("Sigmoid", None, None),
    "relu": ("Relu", None, None),
    "softsign": ("Softsign", None, None),
    "softplus": ("Softplus", None, None),
    "elu": ("Elu", 1.0, None),
    "hard_sigmoid": ("HardSigmoid", 1 / 6, 0.5),
    "linear": ("Affine", 1.0, 0.0),
}

# The coupled cell's input gate is its forget gate with the sign of its weights turned, where 1 - s(x) = s(-x).
_SYMMETRIC = ("sigmoid", "hard_sigmoid")


def refusal(config: NetworkConfig) -> str | None:
    """Why ONNX's nodes cannot compute the cell of a network, in words; None if they can."""
    gates = config.recurrent_activation
    if config.cell == "slstm":
        usual = config.activation == "tanh" and gates == "sigmoid"
        return None if usual else "an sLSTM with other activations than tanh and sigmoid is not written as ONNX"
    for name in (config.activation, *(() if config.cell == "rnn" else (gates,))):
        if name not in _ACTIVATIONS:
            return f"ONNX's recurrent nodes know no activation {name}"
    if config.cell == "coupled" and gates not in _SYMMETRIC:
        return f"a coupled cell whose gates are {gates} is not written as ONNX"
    return None


def as_node(
    config: NetworkConfig, arrays: Mapping[str, NDArray[np.float32]], units: int
) -> tuple[str, list[NDArray[np.float32]], dict[str, Any]]:
    """A layer as one of ONNX's nodes.

    Args:
        config: The network's configuration; `refusal` has nothing against it.
        arrays: The layer's weights: ``kernel`` [F, G * U], ``recurrent_kernel`` [U, G * U], ``bias``,
            ``peephole_kernel``.
        units: U.

    Returns:
        The node's kind; its weights W [1, G * U, F], R [1, G * U, U], B [1, 2 * G * U] and, for peepholes, P [1, 3U];
        and its attributes.
    """
    kernel, recurrent = arrays["kernel"], arrays["recurrent_kernel"]
    bias = arrays.get("bias", np.zeros(kernel.shape[1], np.float32))
    cell = config.cell
    if cell == "rnn":
        kind, names = "RNN", [config.activation]
        fed, back = bias, np.zeros_like(bias)
    elif cell == "gru":
        kind, names = "GRU", [config.recurrent_activation, config.activation]
        fed, back = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    else:
        kind, names = "LSTM", [config.recurrent_activation, config.activation, config.activation]
        kernel, recurrent, fed = (_in_onnx_order(part, cell, units) for part in (kernel, recurrent, bias))
        back = np.zeros_like(fed)
    weights = [kernel.T[None], recurrent.T[None], np.concatenate([fed, back])[None]]
    if cell == "peephole":
        i, f, o = arrays["peephole_kernel"]
        weights.append(np.concatenate([i, o, f])[None])
    chosen = [_ACTIVATIONS[name] for name in names]
    attributes: dict[str, Any] = {"activations": [name for name, _, _ in chosen]}
    for place, attribute in ((1, "activation_alpha"), (2, "activation_beta")):
        values = [activation[place] for activation in chosen if activation[place] is not None]
        if values:
            attributes[attribute] = values
    if cell == "gru":
        attributes["linear_before_reset"] = int(config.reset_after)
    return kind, weights, attributes


def _in_onnx_order(part: NDArray[np.float32], cell: str, units: int) -> NDArray[np.float32]:
    """Weights [..., G * U] with the gates as ONNX lays them: input, output, forget, candidate."""
    gates = [part[..., place : place + units] for place in range(0, part.shape[-1], units)]
    if cell == "coupled":
        f, candidate, o = gates
        return np.concatenate([-f, o, f, candidate], axis=-1)
    i, f, candidate, o = gates
    return np.concatenate([i, o, f, candidate], axis=-1)
