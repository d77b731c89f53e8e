"""The benchmark of cells measures what it says."""

from __future__ import annotations

import numpy as np
import pytest

import benchmark_cells as benchmark
from forecast.models.backends.loops import Recurrence, RecurrentCell
from forecast.models.cells import CELLS


def test_operations_are_those_of_the_matrix_products() -> None:
    # One LSTM step of 1 unit and 1 feature: four gates of two products, each a multiplication and an addition; and the
    # backward pass costs as much again for the inputs and again for the weights.
    assert benchmark.operations("lstm", units=1, steps=1, features=1) == 3 * 4 * 2 * 2
    assert benchmark.operations("rnn", 1, 1, 1) == benchmark.operations("lstm", 1, 1, 1) / 4


@pytest.mark.parametrize("name", CELLS)
def test_operations_follow_from_the_declared_matrices(name: str) -> None:
    weights = CELLS[name].weight_shapes(3, 5, use_bias=False)
    products = sum(np.prod(weights[matrix]) for matrix in ("kernel", "recurrent_kernel") if matrix in weights)
    assert benchmark.operations(name, units=5, steps=7, features=3) == 3 * 2 * 7 * products


def test_keras_has_these_layers_for_cells_that_there_are() -> None:
    assert set(benchmark.KERAS_LAYERS) <= set(CELLS)


@pytest.mark.parametrize(
    ("name", "steps", "expected"),
    [
        ("lstm", 24, ["Keras", "default", "unrolled", "fused", "XLA"]),
        ("lstm", 168, ["Keras", "default", "fused", "XLA"]),
        ("gru", 24, ["Keras", "default", "unrolled", "XLA"]),
        ("slstm", 168, ["Keras", "default", "XLA"]),
    ],
)
def test_the_loops_that_a_cell_has_are_compared(name: str, steps: int, expected: list[str]) -> None:
    assert list(benchmark.layers_of(name, 4, (2, steps, 3))) == expected


def test_what_training_compiles_is_measured_compiled() -> None:
    assert benchmark.layers_of("gru", 4, (2, 168, 3))["default"][1]
    assert not benchmark.layers_of("lstm", 4, (2, 168, 3))["default"][1]


def test_a_rate_is_that_of_windows() -> None:
    layers = {"one": (Recurrence(RecurrentCell("gru", 2)), False), "other": (Recurrence(RecurrentCell("gru", 2)), True)}
    found = benchmark.rates(layers, (3, 4, 2), seconds=0.02)
    assert set(found) == {"one", "other"}
    assert min(found.values()) > 3


def test_the_summary_has_the_mean_of_the_small_shapes() -> None:
    figures = [(1000.0, 2.0, 0.1)] * 2 + [(1000.0, 0.5, 0.1)] * 2 + [(10.0, 9.0, 0.5)] * 2
    last = benchmark.summary({"lstm": figures}).splitlines()
    assert last[2] == "| 32, 24, 8, 32 | 1,000 (2.00×, 10%) |"
    assert last[-1] == "| geometric mean of the first four | 1.00× |"
