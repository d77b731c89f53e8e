"""Every cell in Keras by every loop, forwards and backwards; and what every teaching text shows of an LSTM."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from checks import BATCH, FEATURES, STEPS, UNITS, assert_gradients, data_for, gradients, layer_of, layer_weights
from forecast.models.backends import loops
from forecast.models.backends.loops import Loop, Recurrence, RecurrentCell
from forecast.models.backends.tensorflow import keras, tf
from forecast.models.cells import CELLS
from references import reference_of, run, variants

EVERY_VARIANT = pytest.mark.parametrize("variant", variants())
LSTM, GRU = partial(RecurrentCell, "lstm"), partial(RecurrentCell, "gru")


@EVERY_VARIANT
@pytest.mark.parametrize("loop", ["keras", "unrolled"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_cell_computes_its_equations(variant: str, loop: str, seed: int) -> None:
    layer = layer_of(variant, seed=seed, loop=loop)
    sequences, states = data_for(variant, seed + 10)
    outputs, *last = layer(sequences, initial_state=[tf.constant(state) for state in states])
    expected, expected_last = run(reference_of(variant), layer_weights(layer), sequences, states)
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-10)
    for got, wanted in zip(last, expected_last, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-10)


@EVERY_VARIANT
@pytest.mark.parametrize("loop", ["keras", "unrolled"])
def test_gradients_are_those_of_finite_differences(variant: str, loop: Loop) -> None:
    assert_gradients(variant, loop)


@pytest.mark.parametrize("kind", loops._FUSED)
@pytest.mark.parametrize(("use_bias", "cores"), [(True, 1), (False, 1), (True, BATCH)])
def test_the_fused_kernel_computes_the_same_forwards_and_backwards(
    kind: str, use_bias: bool, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "FEWEST_IN_PART", 1)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    layers = []
    for loop in ("unrolled", "fused"):
        cell = RecurrentCell(kind, UNITS, use_bias=use_bias)
        layer = Recurrence(cell, loop=loop, return_sequences=True, return_state=True)
        layer.build((BATCH, STEPS, FEATURES))
        layers.append(layer)
    rng = np.random.default_rng(0)
    weights = [rng.normal(0, 0.7, weight.shape) for weight in layers[0].get_weights()]
    for layer in layers:
        layer.set_weights(weights)
    sequences, states = data_for(kind)
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
    monkeypatch.setattr(loops.lstm, "is_available", lambda: False)

    def loop(cores: int) -> str:
        monkeypatch.setattr("os.cpu_count", lambda: cores)
        return Recurrence(LSTM(128)).choose_loop((32, 168, 8), masked=False, training=True)

    assert [loop(1), loop(2)] == ["keras", "fused"]


def test_the_fastest_loop_is_chosen_by_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)

    def loop(
        cell: Any, batch: int | None, steps: int | None, features: int, recurrent_dropout: float = 0.0, **state: bool
    ) -> str:
        layer = Recurrence(cell, recurrent_dropout=recurrent_dropout)
        return layer.choose_loop((batch, steps, features), **{"masked": False, "training": False, **state})

    peephole, coupled, rnn = (partial(RecurrentCell, name) for name in ("peephole", "coupled", "rnn"))
    assert loop(LSTM(64), 64, 168, 8) == loop(peephole(32), 32, 24, 8) == "fused"
    assert loop(LSTM(64), None, 168, 8) == loop(LSTM(64), 512, 21, 64) == loop(LSTM(128), 16, 168, 8) == "fused"
    assert loop(LSTM(128), 64, 168, 8) == loop(LSTM(65), 512, 168, 8) == "keras"
    assert loop(LSTM(128), 64, 15, 8) == "unrolled"
    assert loop(GRU(4), 64, 168, 8) == loop(LSTM(4, activation="relu"), 64, 168, 8) == "keras"
    assert loop(coupled(4), 64, 12, 8) == loop(rnn(4), 64, 168, 8) == "unrolled"
    assert loop(LSTM(128), 512, 15, 128) == loop(GRU(4), 64, None, 8) == "keras"
    assert loop(GRU(128), 512, 15, 128) == "unrolled"
    assert loop(LSTM(4), 64, 168, 8, masked=True) == "keras"
    assert loop(LSTM(4), 64, 168, 8, 0.1, training=True) == "keras"
    assert loop(LSTM(4), 64, 168, 8, 0.1) == "fused"


def test_a_loop_is_unrolled_or_not_as_told() -> None:
    def loop(cell: Any, unroll: bool, steps: int) -> str:
        layer = Recurrence(cell, unroll=unroll)
        again = Recurrence.from_config(layer.get_config())
        assert again.choose_loop((64, steps, 8), False, False) == layer.choose_loop((64, steps, 8), False, False)
        return layer.choose_loop((64, steps, 8), masked=False, training=False)

    assert loop(LSTM(4), True, 168) == loop(GRU(4), True, 168) == "unrolled"
    assert loop(GRU(4), False, 12) == "keras"
    assert loop(LSTM(4), False, 12) == "fused"


@EVERY_VARIANT
def test_masked_steps_change_nothing(variant: str) -> None:
    layer = layer_of(variant)
    sequences, states = data_for(variant)
    mask = np.ones((BATCH, STEPS), bool)
    mask[:, -3:] = False
    told = [tf.constant(state) for state in states]
    _, *masked = layer(sequences, initial_state=told, mask=tf.constant(mask))
    _, *short = layer(sequences[:, :-3], initial_state=told)
    for got, wanted in zip(masked, short, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-12)


@EVERY_VARIANT
@pytest.mark.parametrize("rate", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}])
def test_dropout_works_while_training_only(variant: str, rate: dict[str, float]) -> None:
    cell = RecurrentCell(units=16, **variants()[variant])
    layer = Recurrence(cell, seed=0, **rate, return_sequences=True)
    sequences = tf.constant(np.random.default_rng(0).normal(size=(BATCH, STEPS, FEATURES)), tf.float32)
    calm = layer(sequences, training=False).numpy()
    assert (layer(sequences, training=False).numpy() == calm).all()
    first, second = (layer(sequences, training=True).numpy() for _ in range(2))
    acts = "dropout" in rate or CELLS[cell.cell].sees_output  # a cell without a product has nothing to drop
    assert (first != calm).any() == acts
    assert (first != second).any() == acts


@EVERY_VARIANT
def test_a_cell_is_written_down_and_read_again(variant: str) -> None:
    arguments = {"regularizers": {"kernel": keras.regularizers.L2(0.1)}, "unit_forget_bias": False}
    cell = RecurrentCell(units=UNITS, **arguments, **variants()[variant])
    again = type(cell).from_config(cell.get_config())
    assert again.get_config() == cell.get_config()
    layer = Recurrence(cell, dropout=0.2)
    assert Recurrence.from_config(layer.get_config()).get_config() == layer.get_config()
    for kind in (keras.layers.RNN, Recurrence):
        model = keras.Sequential([keras.Input((STEPS, FEATURES)), kind(RecurrentCell.from_config(cell.get_config()))])
        copy = keras.Sequential.from_config(model.get_config())
        copy.set_weights(model.get_weights())
        sequences = data_for(variant)[0].astype(np.float32)
        np.testing.assert_array_equal(model(sequences), copy(sequences))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("opened", [True, False])
def test_the_forget_gate_starts_open(name: str, opened: bool) -> None:
    cell = RecurrentCell(name, UNITS, unit_forget_bias=opened)
    cell.build((BATCH, FEATURES))
    expected = np.zeros(cell.weights_by_name["bias"].shape)
    if "forget" in CELLS[name].parts:
        first = CELLS[name].parts.index("forget") * UNITS
        expected[first : first + UNITS] = opened
    np.testing.assert_array_equal(cell.weights_by_name["bias"], expected)


def test_the_stabiliser_keeps_exponential_gates_finite() -> None:
    layer = Recurrence(RecurrentCell("slstm", UNITS), return_sequences=True)
    layer.build((BATCH, 200, FEATURES))
    layer.set_weights([np.full(weight.shape, 3.0) for weight in layer.get_weights()])
    huge = np.random.default_rng(0).normal(0, 100, (BATCH, 200, FEATURES)).astype(np.float32)
    outputs = layer(huge).numpy()
    assert np.isfinite(outputs).all()
    assert np.abs(outputs).max() <= 1  # a weighted mean of candidates, each within -1 and 1


# What the teaching texts show.


def test_one_cell_of_four_units_on_one_row() -> None:
    cell = LSTM(4)
    output, states = cell(tf.constant([[3.0, 2, 2, 2, 2, 2]]), [tf.zeros((1, 4)), tf.zeros((1, 4))])
    h, c = states
    assert (output.shape, h.shape, c.shape) == ((1, 4), (1, 4), (1, 4))
    np.testing.assert_array_equal(output, h)
    assert (h != c).numpy().all()


def test_a_stack_of_four_and_five_units() -> None:
    batch = tf.constant(np.random.default_rng(0).normal(size=(2, 3, 6)), tf.float32)
    below, above = (Recurrence(LSTM(units), return_sequences=True, return_state=True) for units in (4, 5))
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
    cell = LSTM(UNITS)
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
