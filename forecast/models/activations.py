"""ACTIVATIONS: the functions that cells can use, as Keras defines them, over the operations of a back end.

Keras computes its own; NumPy and ONNX compute these. The setting ``activation`` takes the same names.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Array = Any

# Klambauer et al. (2017): with these a layer keeps mean 0 and variance 1.
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def _elu(ops: Any, x: Array) -> Array:
    return ops.maximum(x, 0.0) + ops.exp(ops.minimum(x, 0.0)) - 1.0


def _selu(ops: Any, x: Array) -> Array:
    return (ops.maximum(x, 0.0) + (ops.exp(ops.minimum(x, 0.0)) - 1.0) * _SELU_ALPHA) * _SELU_SCALE


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
