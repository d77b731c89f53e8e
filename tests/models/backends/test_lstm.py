"""Our kernel of an LSTM: the cell's equations and their derivatives, the same bits for a window wherever it stands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from checks import layer_weights, weighted
from forecast.models.backends import loops, lstm
from forecast.models.backends.loops import Recurrence, RecurrentCell, staying_here
from forecast.models.backends.tensorflow import tf
from references import reference_of, run

pytest.importorskip("llvmlite")

FEATURES, UNITS, STEPS = 3, 16, 9


def layer_of(every: bool, use_bias: bool = True) -> Any:
    cell = RecurrentCell("lstm", UNITS, use_bias=use_bias)
    layer = Recurrence(cell, loop="llvm", return_sequences=every, return_state=True)
    layer.build((None, STEPS, FEATURES))
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(0, 0.7, weight.shape) for weight in layer.get_weights()])
    return layer


def arrays_of(windows: int, seed: int = 1) -> list[np.ndarray]:
    """Inputs, h and c."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=size) for size in ((windows, STEPS, FEATURES), (windows, UNITS), (windows, UNITS))]


@pytest.mark.parametrize(("windows", "every", "use_bias"), [(37, True, True), (64, False, True), (2, True, False)])
def test_it_computes_the_equations_and_their_finite_differences(windows: int, every: bool, use_bias: bool) -> None:
    layer, arrays = layer_of(every, use_bias), arrays_of(windows)
    fed, weights = [tf.constant(array, tf.float32) for array in arrays], layer_weights(layer)
    with tf.GradientTape() as tape:
        tape.watch(fed)
        found = layer(fed[0], initial_state=fed[1:], training=True)
        total = weighted(*found)
    names = ["x", "h", "c", *weights]
    gradients = dict(zip(names, tape.gradient(total, [*fed, *layer.trainable_variables]), strict=True))
    point = dict(zip(names, [*arrays, *(weight.astype(np.float64) for weight in weights.values())], strict=True))

    def exact(point: dict[str, np.ndarray]) -> list[np.ndarray]:
        outputs, last = run(
            reference_of("lstm"),
            {"bias": 0.0} | {key: point[key] for key in weights},
            point["x"],
            [point["h"], point["c"]],
        )
        return [outputs if every else last[0], *last]

    for got, wanted in zip(found, exact(point), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=3e-6)
    rng = np.random.default_rng(3)
    for name, gradient in gradients.items():
        direction = rng.normal(size=gradient.shape)
        there, back = (exact(point | {name: point[name] + sign * 1e-5 * direction}) for sign in (1, -1))
        slope = float(weighted(*there) - weighted(*back)) / 2e-5
        np.testing.assert_allclose((gradient * direction).numpy().sum(), slope, rtol=1e-4, atol=1e-3, err_msg=name)


def test_a_window_gets_the_same_bits_alone_and_among_others_on_any_number_of_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer, arrays = layer_of(every=True), [array.astype(np.float32) for array in arrays_of(67)]
    weights = [weight.numpy() for weight in layer.trainable_variables]
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    whole = lstm.run(*arrays, *weights, every=True)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    for got, wanted in zip(lstm.run(*arrays, *weights, every=True), whole, strict=True):
        np.testing.assert_array_equal(got, wanted)
    alone = lstm.run(*(array[66:] for array in arrays), *weights, every=False)
    np.testing.assert_array_equal(alone[0][0], whole[0][-1, 66])
    np.testing.assert_array_equal(alone[1][0], whole[2][66])


def test_a_gradient_that_vanishes_ends_as_zero() -> None:
    x = np.zeros((4, 400, 1), np.float32)
    h, c = np.zeros((2, 4, UNITS), np.float32)
    kernel, recurrent = np.zeros((1, 4 * UNITS), np.float32), np.zeros((UNITS, 4 * UNITS), np.float32)
    hidden, cell, gates = lstm.forward(x, h, c, kernel, recurrent, np.zeros(4 * UNITS, np.float32))
    of_sums = lstm.backward(x, hidden, cell, gates, recurrent, h + 1, c)[0]
    assert (of_sums[:200] == 0).all()
    assert (np.abs(of_sums[of_sums != 0]) > np.finfo(np.float32).tiny).all()


def test_memory_is_used_again_when_no_view_of_it_is_left() -> None:
    first = lstm._empty(2, 3)
    place, view = first.ctypes.data, first[1]
    del first
    other = lstm._empty(2, 3)
    assert other.ctypes.data != place
    del view
    assert lstm._empty(2, 3).ctypes.data == place


def test_it_is_taken_where_it_is_faster_and_no_graph_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    def loop(training: bool, cell: str = "lstm", units: int = 64, steps: int = 168, **settings: Any) -> str:
        layer = Recurrence(RecurrentCell(cell, units, **settings))
        return layer.choose_loop((64, steps, 8), masked=False, training=training)

    assert loop(True) == "llvm"
    assert loop(False) == "fused"
    with staying_here():
        assert loop(False) == "llvm"
    assert [loop(True, units=8), loop(True, steps=8), loop(True, "peephole")] == ["fused"] * 3
    assert loop(True, activation="relu") == "keras"
    monkeypatch.setattr(lstm, "is_available", lambda: False)
    assert loop(True) == "fused"
    assert loops.can_be_fused(RecurrentCell("lstm", 64))
