"""Every activation is Keras's, in NumPy and in ONNX, and is one that a setting can choose."""

from __future__ import annotations

from typing import get_args

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from forecast.config import Activation
from forecast.models.backends.numpy import NumpyOps
from forecast.models.backends.onnx import Graph, GraphOps, Value
from forecast.models.backends.tensorflow import keras, tf
from forecast.models.cells import ACTIVATIONS
from rounding import with_bounds
from samples import parts

# Around 0, around the corners of the hard sigmoid, and where a careless formula would overflow.
POINTS = np.concatenate([np.linspace(-8, 8, 4001), [-3.0, 3.0, -80.0, 80.0]]).astype(np.float32)


OPS = NumpyOps(parts(), {})


def in_keras(activation: str, points: np.ndarray) -> np.ndarray:
    return keras.activations.get(activation)(tf.constant(points)).numpy()


def in_onnx(activation: str) -> np.ndarray:
    graph = Graph()
    graph.name("y", ACTIVATIONS[activation](GraphOps(graph), Value(graph, "x")))
    (given, found) = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy")
    session = onnxruntime.InferenceSession(graph.model([given], [found]), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": POINTS})[0]


def test_the_setting_and_the_functions_are_the_same() -> None:
    assert set(get_args(Activation)) == set(ACTIVATIONS)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_an_activation_is_that_of_keras(activation: str) -> None:
    points = POINTS[np.abs(POINTS) < 80] if activation == "exponential" else POINTS
    exact = in_keras(activation, points.astype(np.float64))
    found = ACTIVATIONS[activation](OPS, points.astype(np.float64))
    np.testing.assert_allclose(found, exact, rtol=1e-12, atol=1e-8)  # Keras's gelu has a constant in float32


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_an_activation_in_float32_is_right_to_rounding(activation: str) -> None:
    ((exact, bound),) = with_bounds(lambda given: [ACTIVATIONS[activation](OPS, given(POINTS))])
    found = {
        "keras": in_keras(activation, POINTS),
        "numpy": ACTIVATIONS[activation](OPS, POINTS),
        "onnx": in_onnx(activation),
    }
    for name, values in found.items():
        assert values.dtype == np.float32
        assert (np.abs(values - exact) <= bound).all(), name
