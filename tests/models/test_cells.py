"""Every declared cell against its equations, and what a declaration must hold."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.errors import ConfigError
from forecast.models.backends.numpy import NumpyOps
from forecast.models.cells import CELLS, cell_named, cell_of
from references import ORACLES, declared_step, states_of, variants
from samples import parts

FEATURES, UNITS, BATCH = 3, 4, 5


@pytest.mark.parametrize("variant", ORACLES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_declared_step_is_that_of_the_equations(variant: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cell = cell_of(parts(**variants()[variant]))
    shapes = cell.weight_shapes(FEATURES, UNITS, use_bias=True)
    weights = {name: rng.normal(0, 0.7, shape) for name, shape in shapes.items()}
    x, states = rng.normal(size=(BATCH, FEATURES)), states_of(variant, BATCH, UNITS, seed)
    after, expected = (step(weights, x, *states) for step in (declared_step(variant), ORACLES[variant]))
    np.testing.assert_allclose(after, expected, rtol=0, atol=1e-12)


def test_the_equations_are_those_of_cells_that_there_are() -> None:
    assert set(ORACLES) <= set(variants())


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("variant", variants())
def test_a_declaration_is_whole(variant: str, use_bias: bool) -> None:
    rng = np.random.default_rng(0)
    config = parts(**variants()[variant])
    cell, ops = cell_of(config), NumpyOps(config, {})
    shapes = cell.weight_shapes(FEATURES, UNITS, use_bias)
    width = len(cell.parts) * UNITS
    assert shapes["kernel"] == (FEATURES, width)
    assert shapes.get("recurrent_kernel", (UNITS, width)) == (UNITS, width) or not cell.sees_output
    assert ("recurrent_kernel" in shapes) == cell.sees_output
    assert ("bias" in shapes) == use_bias
    weights = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    projected = cell.project(ops, weights, rng.normal(size=(BATCH, 7, FEATURES)))
    assert projected.shape == (BATCH, 7, width)
    states = dict(zip(cell.states, states_of(variant, BATCH, UNITS), strict=True))
    values = cell.step(ops, weights, projected[:, 0], states)
    assert {value.shape for value in values.values()} == {(BATCH, UNITS)}
    assert {*cell.states, *cell.gates} <= set(values)
    assert cell.forget_gate is None or cell.forget_gate in cell.gates
    for gate in cell.gates:
        assert values[gate].min() >= 0
        assert values[gate].max() <= 1


def test_an_unknown_cell_lists_those_that_there_are() -> None:
    with pytest.raises(ConfigError) as caught:
        cell_named("lstmm", parts())
    assert caught.value.message == "There is no cell 'lstmm'."
    assert caught.value.advice == f"Cells: {', '.join(CELLS)}."


def test_a_cell_takes_its_own_settings_from_the_configuration() -> None:
    assert cell_of(parts(cell="gru", reset_after=False)) != cell_of(parts(cell="gru"))
    assert cell_of(parts(cell="gru")) == CELLS["gru"]
