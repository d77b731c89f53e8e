"""Memory and reach, measured on gates and gradients that are known."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.commands.explain.measures import Saturation, gradient_decay, gradient_reach, measure_memory
from forecast.models.backends.numpy import Trace


def trace_of(kept: np.ndarray, hidden: np.ndarray | None = None) -> Trace:
    hidden = np.ones_like(kept) if hidden is None else hidden
    return Trace("layer 1", ("forget",), "forget", {"forget": kept, "hidden": hidden})


def test_half_is_forgotten_after_a_half_life() -> None:
    kept = np.broadcast_to(np.array([0.5, 0.5**0.1]), (3, 7, 2)).astype(np.float32)
    np.testing.assert_allclose(measure_memory(trace_of(kept), segment=1).half_lives, [1, 10], rtol=1e-5)
    np.testing.assert_allclose(measure_memory(trace_of(kept), segment=6).half_lives, [6, 60], rtol=1e-5)


def test_what_the_first_turn_keeps_does_not_count() -> None:
    kept = np.full((2, 5, 1), 0.5, np.float32)
    kept[:, 0] = 0
    np.testing.assert_allclose(measure_memory(trace_of(kept), segment=1).half_lives, [1])


def test_a_gate_that_is_always_open_has_a_finite_half_life() -> None:
    half_lives = measure_memory(trace_of(np.ones((2, 5, 1), np.float32)), segment=1).half_lives
    assert half_lives is not None
    assert 1e5 < half_lives[0] < np.inf


def test_a_cell_without_gates_has_no_half_life() -> None:
    memory = measure_memory(Trace("layer 1", (), None, {"hidden": np.ones((2, 5, 3), np.float32)}), segment=1)
    assert memory.half_lives is None
    assert memory.saturation == {}


def test_one_turn_of_the_cell_tells_no_half_life() -> None:
    assert measure_memory(trace_of(np.full((2, 1, 1), 0.5, np.float32)), segment=24).half_lives is None


def test_saturated_gates_and_silent_units_are_counted() -> None:
    kept = np.array([0.05, 0.5, 0.95, 0.97], np.float32).reshape(1, 4, 1)
    hidden = np.concatenate([np.full((1, 4, 1), 0.5), np.full((1, 4, 1), 0.001)], axis=2)
    memory = measure_memory(trace_of(kept, hidden), segment=1)
    assert memory.saturation == {"forget": Saturation(0.25, 0.5)}
    assert memory.dead_units == 1


def test_reach_is_where_the_power_is() -> None:
    norms = np.array([1.0, 1.0, 1.0, 1.0])
    assert [gradient_reach(norms, share) for share in (0.2, 0.25, 0.5, 0.95)] == [1, 1, 2, 4]
    assert gradient_reach(np.array([1.0, 1e-3, 1e-3]), 0.95) == 1
    assert gradient_reach(np.zeros(3), 0.95) == 0


def test_decay_compares_the_far_end_with_the_newest() -> None:
    assert gradient_decay(np.geomspace(1, 1e-6, 20)) < 1e-5
    assert gradient_decay(np.ones(20)) == pytest.approx(1)
    assert gradient_decay(np.geomspace(1, 100, 5)) == pytest.approx(100)
    assert np.isnan(gradient_decay(np.zeros(20)))
