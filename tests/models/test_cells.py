"""Every cell against its equations in NumPy, forwards and backwards; and what every teaching text shows of an LSTM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from forecast.models.backends import loops
from forecast.models.backends.loops import Recurrence
from forecast.models.backends.tensorflow import keras, tf
from forecast.models.cells import CoupledLSTMCell, GRUCell, LSTMCell, PeepholeLSTMCell, SimpleRNNCell, SLSTMCell
from references import Array, Weights, coupled, gru, gru_reset_before, lstm, peephole, rnn, slstm

FEATURES, UNITS, BATCH, STEPS = 3, 4, 5, 9


Reference = Callable[..., list[Array]]
CELLS: dict[str, tuple[Callable[..., Any], Reference]] = {
    "rnn": (SimpleRNNCell, rnn),
    "gru": (GRUCell, gru),
    "gru-reset-before": (lambda *a, **k: GRUCell(*a, reset_after=False, **k), gru_reset_before),
    "lstm": (LSTMCell, lstm),
    "peephole": (PeepholeLSTMCell, peephole),
    "coupled": (CoupledLSTMCell, coupled),
    "slstm": (SLSTMCell, slstm),
}
EVERY_CELL = pytest.mark.parametrize("kind", CELLS)


def layer_of(kind: str, dtype: str = "float64", seed: int = 0, **arguments: Any) -> Any:
    """A layer over a cell, with random weights."""
    layer = Recurrence(CELLS[kind][0](UNITS, dtype=dtype), return_sequences=True, return_state=True, dtype=dtype,
                       **arguments)  # fmt: skip
    layer.build((BATCH, STEPS, FEATURES))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.7, weight.shape) for weight in layer.get_weights()])
    return layer


def weights_of(layer: Any) -> Weights:
    return {variable.name: variable.numpy() for variable in layer.trainable_variables}


def data_for(layer: Any, seed: int = 1) -> tuple[Array, list[Array]]:
    """A batch of sequences, and states to start from; those of an sLSTM have a positive normaliser."""
    rng = np.random.default_rng(seed)
    states = [rng.normal(size=(BATCH, UNITS)) for _ in layer.state_size]
    if len(states) == 4:
        states[2] = np.abs(states[2]) + 0.5
    return rng.normal(size=(BATCH, STEPS, FEATURES)), states


def by_hand(kind: str, weights: Weights, sequences: Array, states: list[Array]) -> tuple[Array, list[Array]]:
    outputs = []
    for step in range(sequences.shape[1]):
        states = CELLS[kind][1](weights, sequences[:, step], *states)
        outputs.append(states[0])
    return np.stack(outputs, axis=1), states


@EVERY_CELL
@pytest.mark.parametrize("way", ["keras", "unrolled"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_cell_computes_its_equations(kind: str, way: str, seed: int) -> None:
    layer = layer_of(kind, seed=seed, way=way)
    sequences, states = data_for(layer, seed + 10)
    outputs, *last = layer(sequences, initial_state=[tf.constant(state) for state in states])
    expected, expected_last = by_hand(kind, weights_of(layer), sequences, states)
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-10)
    for got, wanted in zip(last, expected_last, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-10)


def gradients(layer: Any, sequences: Array, states: list[Array]) -> dict[str, Array]:
    """Of a weighted sum of outputs and last states, with respect to everything."""
    dtype = layer.compute_dtype
    fed = [tf.constant(sequences, dtype), *(tf.constant(state, dtype) for state in states)]
    with tf.GradientTape() as tape:
        tape.watch(fed)
        total = weighted(*layer(fed[0], initial_state=fed[1:]))
    names = ["inputs", *(f"state {number}" for number in range(len(states))), *weights_of(layer)]
    found = tape.gradient(total, [*fed, *layer.trainable_variables])
    return {name: tf.convert_to_tensor(gradient).numpy() for name, gradient in zip(names, found, strict=True)}


def weighted(*outputs: Any) -> Any:
    return sum(tf.reduce_sum(part * tf.constant(_waves(part.shape), part.dtype)) for part in outputs)


def _waves(shape: Any) -> Array:
    return np.cos(np.arange(np.prod(shape))).reshape(shape)


@EVERY_CELL
def test_gradients_are_those_of_finite_differences(kind: str) -> None:
    layer = layer_of(kind, way="unrolled")
    sequences, states = data_for(layer)
    weights = weights_of(layer)

    def total(point: dict[str, Array]) -> float:
        told = [point[f"state {number}"] for number in range(len(states))]
        outputs, last = by_hand(kind, {name: point[name] for name in weights}, point["inputs"], told)
        return float(sum((part * _waves(part.shape)).sum() for part in (outputs, *last)))

    here = {"inputs": sequences, **{f"state {number}": state for number, state in enumerate(states)}, **weights}
    rng = np.random.default_rng(3)
    for name, gradient in gradients(layer, sequences, states).items():
        direction = rng.normal(size=gradient.shape)
        there, back = (here | {name: here[name] + sign * 1e-5 * direction} for sign in (1, -1))
        slope = (total(there) - total(back)) / 2e-5
        np.testing.assert_allclose((gradient * direction).sum(), slope, rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("kind", ["lstm", "peephole"])
@pytest.mark.parametrize(("use_bias", "cores"), [(True, 1), (False, 1), (True, BATCH)])
def test_the_fused_kernel_computes_the_same_forwards_and_backwards(
    kind: str, use_bias: bool, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "FEWEST_IN_PART", 1)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    cell = CELLS[kind][0]
    layers = []
    for way in ("unrolled", "fused"):
        layer = Recurrence(cell(UNITS, use_bias=use_bias), way=way, return_sequences=True, return_state=True)
        layer.build((BATCH, STEPS, FEATURES))
        layers.append(layer)
    rng = np.random.default_rng(0)
    weights = [rng.normal(0, 0.7, weight.shape) for weight in layers[0].get_weights()]
    for layer in layers:
        layer.set_weights(weights)
    sequences, states = data_for(layers[0])
    fed = [tf.constant(part, tf.float32) for part in (sequences, *states)]
    for slow, fast in zip(*(layer(fed[0], initial_state=fed[1:]) for layer in layers), strict=True):
        np.testing.assert_allclose(fast, slow, rtol=0, atol=1e-6)
    slow, fast = (gradients(layer, sequences, states) for layer in layers)
    for name, gradient in slow.items():
        np.testing.assert_allclose(fast[name], gradient, rtol=1e-5, atol=1e-5, err_msg=name)


def test_the_kernel_takes_equal_parts_of_a_batch_on_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    def parts(cores: int, batch: int | None) -> int:
        monkeypatch.setattr("os.cpu_count", lambda: cores)
        return loops.parts_of(batch)

    assert [parts(2, batch) for batch in (64, 33, 32, 31, None)] == [2, 1, 2, 1, 1]
    assert [parts(8, 64), parts(3, 64), parts(1, 64)] == [4, 2, 1]


def test_a_larger_batch_is_fused_where_more_cores_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def way(cores: int) -> str:
        monkeypatch.setattr("os.cpu_count", lambda: cores)
        return Recurrence(LSTMCell(128)).way_for((32, 168, 8), masked=False, training=True)

    assert [way(1), way(2)] == ["keras", "fused"]


def test_the_fastest_way_is_chosen_by_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)

    def way(cell: Any, batch: int | None, steps: int | None, features: int, **state: bool) -> str:
        return Recurrence(cell).way_for((batch, steps, features), **{"masked": False, "training": False, **state})

    assert way(LSTMCell(64), 64, 168, 8) == way(PeepholeLSTMCell(32), 32, 24, 8) == "fused"
    assert (
        way(LSTMCell(64), None, 168, 8) == way(LSTMCell(64), 512, 21, 64) == way(LSTMCell(128), 16, 168, 8) == "fused"
    )
    assert way(LSTMCell(128), 64, 168, 8) == way(LSTMCell(65), 512, 168, 8) == "keras"
    assert way(LSTMCell(128), 64, 15, 8) == "unrolled"
    assert way(GRUCell(4), 64, 168, 8) == way(LSTMCell(4, activation="relu"), 64, 168, 8) == "keras"
    assert way(CoupledLSTMCell(4), 64, 12, 8) == way(SimpleRNNCell(4), 64, 168, 8) == "unrolled"
    assert way(LSTMCell(128), 512, 15, 128) == way(GRUCell(4), 64, None, 8) == "keras"
    assert way(GRUCell(128), 512, 15, 128) == "unrolled"
    assert way(LSTMCell(4), 64, 168, 8, masked=True) == "keras"
    assert way(LSTMCell(4, recurrent_dropout=0.1), 64, 168, 8, training=True) == "keras"
    assert way(LSTMCell(4, recurrent_dropout=0.1), 64, 168, 8) == "fused"


def test_a_loop_is_unrolled_or_not_as_told() -> None:
    def way(cell: Any, unroll: bool, steps: int) -> str:
        layer = Recurrence(cell, unroll=unroll)
        assert Recurrence.from_config(layer.get_config()).way_for((64, steps, 8), False, False) == layer.way_for(
            (64, steps, 8), False, False
        )
        return layer.way_for((64, steps, 8), masked=False, training=False)

    assert way(LSTMCell(4), True, 168) == way(GRUCell(4), True, 168) == "unrolled"
    assert way(GRUCell(4), False, 12) == "keras"
    assert way(LSTMCell(4), False, 12) == "fused"


@EVERY_CELL
def test_masked_steps_change_nothing(kind: str) -> None:
    layer = layer_of(kind)
    sequences, states = data_for(layer)
    mask = np.ones((BATCH, STEPS), bool)
    mask[:, -3:] = False
    told = [tf.constant(state) for state in states]
    _, *masked = layer(sequences, initial_state=told, mask=tf.constant(mask))
    _, *short = layer(sequences[:, :-3], initial_state=told)
    for got, wanted in zip(masked, short, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-12)


@EVERY_CELL
@pytest.mark.parametrize("rate", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}])
def test_dropout_works_while_training_only(kind: str, rate: dict[str, float]) -> None:
    layer = Recurrence(CELLS[kind][0](16, seed=0, **rate), return_sequences=True)
    sequences = tf.constant(np.random.default_rng(0).normal(size=(BATCH, STEPS, FEATURES)), tf.float32)
    calm = layer(sequences, training=False).numpy()
    assert (layer(sequences, training=False).numpy() == calm).all()
    first, second = (layer(sequences, training=True).numpy() for _ in range(2))
    assert (first != calm).any()
    assert (first != second).any()


@pytest.mark.parametrize("kind", ["peephole", "coupled", "slstm"])
def test_a_cell_is_written_down_and_read_again(kind: str) -> None:
    cell = CELLS[kind][0](UNITS, kernel_regularizer=keras.regularizers.L2(0.1), dropout=0.2, unit_forget_bias=False)
    again = type(cell).from_config(cell.get_config())
    assert again.get_config() == cell.get_config()
    model = keras.Sequential([keras.Input((STEPS, FEATURES)), keras.layers.RNN(cell)])
    copy = keras.Sequential.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    sequences = data_for(layer_of(kind))[0].astype(np.float32)
    np.testing.assert_array_equal(model(sequences), copy(sequences))


@pytest.mark.parametrize("kind", ["lstm", "peephole", "coupled", "slstm"])
@pytest.mark.parametrize("opened", [True, False])
def test_the_forget_gate_starts_open(kind: str, opened: bool) -> None:
    cell = CELLS[kind][0](UNITS, unit_forget_bias=opened)
    cell.build((BATCH, FEATURES))
    first = 0 if kind == "coupled" else UNITS
    expected = np.zeros(cell.bias.shape)
    expected[first : first + UNITS] = opened
    np.testing.assert_array_equal(cell.bias, expected)


def test_the_stabiliser_keeps_exponential_gates_finite() -> None:
    layer = Recurrence(SLSTMCell(UNITS), return_sequences=True)
    layer.build((BATCH, 200, FEATURES))
    layer.set_weights([np.full(weight.shape, 3.0) for weight in layer.get_weights()])
    huge = np.random.default_rng(0).normal(0, 100, (BATCH, 200, FEATURES)).astype(np.float32)
    outputs = layer(huge).numpy()
    assert np.isfinite(outputs).all()
    assert np.abs(outputs).max() <= 1  # a weighted mean of candidates, each within -1 and 1


# What the teaching texts show.


def test_one_cell_of_four_units_on_one_row() -> None:
    cell = LSTMCell(4)
    output, states = cell(tf.constant([[3.0, 2, 2, 2, 2, 2]]), [tf.zeros((1, 4)), tf.zeros((1, 4))])
    h, c = states
    assert (output.shape, h.shape, c.shape) == ((1, 4), (1, 4), (1, 4))
    np.testing.assert_array_equal(output, h)
    assert (h != c).numpy().all()


def test_a_stack_of_four_and_five_units() -> None:
    batch = tf.constant(np.random.default_rng(0).normal(size=(2, 3, 6)), tf.float32)
    below, above = (Recurrence(LSTMCell(units), return_sequences=True, return_state=True) for units in (4, 5))
    hidden, *state_below = below(batch)
    outputs, *state_above = above(hidden)
    assert outputs.shape == (2, 3, 5)
    assert [state.shape for state in (*state_below, *state_above)] == [(2, 4), (2, 4), (2, 5), (2, 5)]

    # Stacked cells under one loop give the same numbers for the same weights.
    together = keras.layers.RNN([keras.layers.LSTMCell(4), keras.layers.LSTMCell(5)], return_sequences=True)
    together.build(batch.shape)
    together.set_weights([*below.get_weights(), *above.get_weights()])
    np.testing.assert_allclose(together(batch), outputs, atol=1e-6)


@pytest.mark.parametrize(("forget", "write"), [(0, 1), (1, 0)])
def test_the_gates_overwrite_the_cell_or_keep_it_for_ever(forget: int, write: int) -> None:
    cell = LSTMCell(UNITS)
    cell.build((1, FEATURES))
    kernel = np.zeros((FEATURES, 4 * UNITS))
    kernel[:, 2 * UNITS : 3 * UNITS] = 1  # only the candidate hears the input
    gate = {0: -200.0, 1: 200.0}
    bias = np.repeat([gate[write], gate[forget], 0, 0], UNITS)
    cell.set_weights([kernel, np.zeros((UNITS, 4 * UNITS)), bias])
    layer = keras.layers.RNN(cell, return_state=True)
    sequence = np.random.default_rng(0).normal(size=(1, 50, FEATURES)).astype(np.float32)
    start = tf.fill((1, UNITS), 0.7)
    _, _, c = layer(sequence, initial_state=[tf.zeros((1, UNITS)), start])
    last = np.full((1, UNITS), np.tanh(sequence[0, -1].sum())) if write else start
    np.testing.assert_allclose(c, last, atol=1e-6)
