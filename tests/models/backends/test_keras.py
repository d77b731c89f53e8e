"""The network in Keras: fresh weights, every argument of the layers, penalties, dropout, and what it is fed."""

from __future__ import annotations

import inspect
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import pytest

from forecast.config import NetworkConfig
from forecast.errors import RunError
from forecast.models.backends.keras import Adam, build_network, gather, leaves_cudnn, set_weights, weights_of
from forecast.models.backends.tensorflow import keras, tf
from forecast.models.catalogue import MODELS, configure
from forecast.models.cells import CELLS
from forecast.models.network import Shape
from references import ORACLES, run_by_hand, variants
from samples import (
    BATCH,
    DECODE,
    NORMALISE,
    PLAIN,
    SEGMENT,
    SHAPE,
    ArrayRows,
    forecast,
    inputs_of,
    parts,
    random_weights,
    tiny,
)

# Every pair of normalisation, decoding and segment, with a textbook cell each; other presets under every decoder.
TEXTBOOK = [
    ("rnn", "none", "direct", 1),
    ("rnn", "last", "parallel", 3),
    ("rnn", "standard", "recursive", 1),
    ("rnn", "last-scaled", "direct", 3),
    ("lstm", "none", "parallel", 3),
    ("lstm", "last", "recursive", 1),
    ("lstm", "standard", "direct", 3),
    ("lstm", "last-scaled", "parallel", 1),
    ("gru", "none", "recursive", 3),
    ("gru", "last", "direct", 1),
    ("gru", "standard", "parallel", 1),
    ("gru", "last-scaled", "recursive", 3),
    ("stacked-lstm", "none", "recursive", 1),
    ("stacked-lstm", "last", "direct", 3),
    ("stacked-lstm", "standard", "parallel", 3),
    ("stacked-lstm", "last-scaled", "recursive", 1),
]


def combinations_of(model: str) -> list[tuple[str, str, str, int]]:
    """A preset under every decoder that it can have, with both kinds of segments."""
    decoders = ("direct", "direct") if configure(model=model).network.bidirectional else DECODE
    first = list(MODELS).index(model)
    return [
        (model, NORMALISE[(first + number) % len(NORMALISE)], decode, SEGMENT[(first + number) % 2])
        for number, decode in enumerate(decoders)
    ]


OTHERS = [model for model in MODELS if model not in {combination[0] for combination in TEXTBOOK}]
COMBINATIONS = TEXTBOOK + [combination for model in OTHERS for combination in combinations_of(model)]


class Built:
    """One combination of parts: two networks of one seed and a third of another, and their fresh weights."""

    def __init__(self, config: NetworkConfig) -> None:
        self.network, self.same, self.other = (build_network(config, SHAPE, seed) for seed in (1, 1, 2))
        self.fresh = [weights_of(network) for network in (self.network, self.same, self.other)]


@pytest.fixture(
    scope="module", params=COMBINATIONS, ids=["-".join(map(str, combination)) for combination in COMBINATIONS]
)
def built(request: pytest.FixtureRequest) -> Built:
    return Built(tiny(*request.param))


def test_a_forecast_has_a_value_for_each_window_step_and_target(built: Built) -> None:
    y_pred = forecast(built.network, inputs_of(SHAPE))
    assert y_pred.shape == (BATCH, SHAPE.horizon, SHAPE.targets)
    assert np.isfinite(y_pred).all()
    assert len(np.unique(y_pred)) == y_pred.size


def test_the_seed_decides_every_weight(built: Built) -> None:
    weights, same, other = built.fresh
    assert {name: array.tobytes() for name, array in same.items()} == {
        name: array.tobytes() for name, array in weights.items()
    }
    for name, array in other.items():
        assert name.endswith("bias") or not np.isclose(array, weights[name]).any()


def test_weights_are_taken_out_and_put_back(built: Built) -> None:
    inputs = inputs_of(SHAPE)
    set_weights(built.other, weights_of(built.network))
    assert forecast(built.other, inputs).tobytes() == forecast(built.network, inputs).tobytes()


def test_one_step_moves_every_weight(built: Built) -> None:
    network, before = built.same, weights_of(built.same)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(network(inputs_of(SHAPE, batch=32), training=True) - 1.0))
    keras.optimizers.Adam(0.01).apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)
    for name, array in weights_of(network).items():
        assert (array != before[name]).all(), name


# Every option of the layer beside a value that is not its default, and what the layer should say of it.
COMMON = {
    "activation": ("relu", "relu"),
    "use_bias": (False, False),
    "kernel_initializer": ("he_normal", "HeNormal"),
    "recurrent_initializer": ("lecun_uniform", "LecunUniform"),
    "bias_initializer": ("ones", "Ones"),
    "kernel_regularizer": (0.5, "L2"),
    "recurrent_regularizer": (0.25, "L2"),
    "bias_regularizer": (0.125, "L2"),
    "activity_regularizer": (2.0, "L2"),
    "kernel_constraint": ("max_norm", "MaxNorm"),
    "recurrent_constraint": ("non_neg", "NonNeg"),
    "bias_constraint": ("unit_norm", "UnitNorm"),
    "dropout": (0.25, 0.25),
    "recurrent_dropout": (0.5, 0.5),
    "go_backwards": (True, True),
    "stateful": (True, True),
    "unroll": (True, True),
}
LAYERS = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}


def options_of(cell: str) -> dict[str, tuple[object, object]]:
    """The options of a cell's layer."""
    options: dict[str, tuple[object, object]] = dict(COMMON)
    if CELLS[cell].gates:
        options["recurrent_activation"] = ("hard_sigmoid", "hard_sigmoid")
    if "forget" in CELLS[cell].parts:
        options["unit_forget_bias"] = (False, False)
    own = {field.name: not getattr(CELLS[cell], field.name) for field in fields(CELLS[cell])}
    return options | {name: (turned, turned) for name, turned in own.items()}


def layer_config(config: NetworkConfig) -> dict[str, Any]:
    """What a layer and its cell say of themselves, each part by the name of Keras's argument."""
    batch_size = BATCH if config.stateful else None
    network = build_network(config, PLAIN, seed=0, batch_size=batch_size)
    # A layer of its own, because Keras's recurrent layers would penalise the states that they return too.
    penalties = [layer for layer in network.layers if isinstance(layer, keras.layers.ActivityRegularization)]
    penalty = keras.regularizers.serialize(keras.regularizers.L2(penalties[0].l2)) if penalties else None
    layer = network.get_layer("recurrent_1").get_config()
    cell = layer["cell"]["config"]
    parts_of_weights = {
        f"{weight}_{part}": cell[f"{part}s"].get(weight)
        for part in ("initializer", "regularizer", "constraint")
        for weight in ("kernel", "recurrent", "bias")
    }
    of_layer = {"activity_regularizer": penalty, "unroll": layer["loop"] == "unrolled"}
    return layer | cell | parts_of_weights | of_layer


@cache
def default_layer(cell: str, rolled: bool) -> dict[str, Any]:
    """What the layer of a cell says of itself where nothing is asked for, or nothing but a loop."""
    return layer_config(parts(cell=cell, unroll=False) if rolled else parts(cell=cell))


def plain(value: object) -> object:
    """The class of a serialised part; anything else as it is."""
    return value["class_name"] if isinstance(value, dict) else value


@pytest.mark.parametrize(("cell", "option"), [(cell, option) for cell in CELLS for option in options_of(cell)])
def test_each_option_reaches_the_layer_and_no_other_changes(cell: str, option: str) -> None:
    options = options_of(cell)
    value, expected = options[option]
    default, changed = default_layer(cell, option == "unroll"), layer_config(parts(cell=cell, **{option: value}))
    assert plain(changed[option]) == expected != plain(default[option])
    if option.endswith("_regularizer"):
        assert changed[option]["config"]["l2"] == value
    others = [name for name in options if name not in (option, "unroll")]
    assert {name: plain(changed[name]) for name in others} == {name: plain(default[name]) for name in others}


@pytest.mark.parametrize(("cell", "layer"), LAYERS.items())
def test_defaults_are_those_of_keras(cell: str, layer: Any) -> None:
    ours, theirs = layer_config(parts(cell=cell, unroll=False)), layer(4).get_config()
    options = options_of(cell)
    assert {name: plain(ours[name]) for name in options} == {name: plain(theirs[name]) for name in options}


@pytest.mark.parametrize(("cell", "layer"), LAYERS.items())
def test_no_argument_of_the_keras_layer_is_out_of_reach(cell: str, layer: Any) -> None:
    ours = {"self", "units", "seed", "return_sequences", "return_state", "kwargs"}  # the builder's own business
    automatic = {"use_cudnn"}  # decided by Keras from the others
    assert set(inspect.signature(layer.__init__).parameters) - ours - automatic == set(options_of(cell))


@pytest.mark.parametrize("option", ["dropout", "recurrent_dropout", "head_dropout"])
def test_dropout_acts_in_training_alone_and_follows_the_seed(option: str) -> None:
    config, inputs = parts(**{option: 0.5}), inputs_of(PLAIN)
    one, same, other = networks = [build_network(config, PLAIN, seed) for seed in (1, 1, 2)]
    set_weights(other, weights_of(one))
    assert len({forecast(network, inputs).tobytes() for network in networks}) == 1
    first, second = (one(inputs, training=True).numpy() for _ in range(2))
    assert not np.array_equal(first, second)
    assert same(inputs, training=True).numpy().tobytes() == first.tobytes()
    assert not np.array_equal(other(inputs, training=True).numpy(), first)


def test_penalties_are_added_to_the_loss() -> None:
    network = build_network(parts(kernel_regularizer=0.5, recurrent_regularizer=2), PLAIN, seed=0)
    weights = random_weights(network)
    kernel, recurrent = weights["recurrent_1/kernel"], weights["recurrent_1/recurrent_kernel"]
    assert float(sum(network.losses)) == pytest.approx(0.5 * (kernel**2).sum() + 2 * (recurrent**2).sum(), rel=1e-5)


@pytest.mark.parametrize("units", [(4,), (4, 3)])
@pytest.mark.parametrize("variant", ORACLES)
def test_the_penalty_of_the_outputs_is_that_of_the_outputs_alone(variant: str, units: tuple[int, ...]) -> None:
    config = parts(units=units, activity_regularizer=0.5, **variants()[variant])
    network = build_network(config, PLAIN, seed=0)
    weights, inputs = random_weights(network), inputs_of(PLAIN)
    network(inputs, training=True)
    # Of a layer below another one, the outputs of all its steps; of the last, that of the last step.
    squares = [(states[0] ** 2).sum() for states in run_by_hand(variant, weights, inputs["past"], len(units))]
    if len(units) > 1:
        past = inputs["past"]
        steps = [run_by_hand(variant, weights, past[:, : n + 1])[0][0] for n in range(past.shape[1])]
        squares[0] = sum((step**2).sum() for step in steps)
    assert float(sum(network.losses)) == pytest.approx(0.5 * sum(squares) / BATCH, rel=1e-4)


@pytest.mark.parametrize("decode", DECODE)
def test_the_outputs_are_penalised_however_the_horizon_is_made(decode: str) -> None:
    network = build_network(parts(decode=decode, activity_regularizer=0.5), SHAPE, seed=0)
    network(inputs_of(SHAPE), training=True)
    assert float(sum(network.losses)) > 0


@pytest.mark.parametrize("seed", [0, 5_000_000, 2**31 - 1])
def test_every_seed_that_is_allowed_works(seed: int) -> None:
    network = build_network(parts(dropout=0.1), PLAIN, seed)
    assert np.isfinite(network(inputs_of(PLAIN), training=True)).all()


@pytest.mark.parametrize("change", ["shape", "missing", "extra"])
def test_weights_of_another_network_are_refused(change: str) -> None:
    network = build_network(parts(), PLAIN, seed=0)
    before = weights_of(network)
    weights = dict(before)
    if change == "shape":
        weights["head/kernel"] = weights["head/kernel"][:, 1:]
    elif change == "missing":
        del weights["head/kernel"]
    else:
        weights["head/another"] = np.zeros(3, np.float32)
    with pytest.raises(RunError, match=r"not those of this network: head/(kernel|another) differs"):
        set_weights(network, weights)
    assert all(array.tobytes() == before[name].tobytes() for name, array in weights_of(network).items())


def test_names_of_weights_do_not_depend_on_what_was_built_before() -> None:
    config = parts(units=(4, 3), decode="parallel", segment=2)
    expected = {"head/kernel", "head/bias", "embed/kernel", "embed/bias", "known/kernel"}
    expected |= {"queries/positions", "queries/identities"}
    expected |= {f"recurrent_{layer}/{name}" for layer in (1, 2) for name in ("kernel", "recurrent_kernel", "bias")}
    assert (
        set(weights_of(build_network(config, SHAPE, 0))) == set(weights_of(build_network(config, SHAPE, 0))) == expected
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"cell": "lstm"}, None),
        ({"cell": "gru"}, None),
        ({"cell": "lstm", "dropout": 0.5, "kernel_regularizer": 1.0, "reset_after": False}, None),
        ({"cell": "rnn"}, "cell = rnn"),
        ({"activation": "relu"}, "activation = relu"),
        ({"recurrent_activation": "hard_sigmoid"}, "recurrent_activation = hard_sigmoid"),
        ({"recurrent_dropout": 0.5}, "recurrent_dropout = 0.5"),
        ({"use_bias": False}, "use_bias = false"),
        ({"cell": "gru", "reset_after": False}, "reset_after = false"),
        ({"unroll": True, "activation": "elu"}, "activation = elu, unroll = true"),
    ],
)
def test_what_leaves_the_fused_kernel_is_named(options: dict[str, object], reason: str | None) -> None:
    found = leaves_cudnn(parts(**options))
    assert found == (None if reason is None else f"{reason}: off cuDNN's fused kernel on a GPU")


# What it is fed, window by window.

FED = Shape(lookback=4, horizon=3, targets=2, covariates=1, known=2, series=2)


def counted(n_rows: int) -> np.ndarray:
    """Row r holds r, r + 0.1 … r + 0.4."""
    return (np.arange(n_rows)[:, None] + np.arange(5) / 10).astype(np.float32)


def test_windows_hold_the_rows_that_they_should() -> None:
    series = np.repeat([0, 1], 20)
    inputs, y_true = gather(ArrayRows(counted(40), series), np.array([2, 30]), FED)
    assert {name: array.dtype.name for name, array in inputs.items()} == {
        "past": "float32",
        "future": "float32",
        "series": "int32",
    }
    rows = counted(40)
    assert inputs["past"].numpy().tolist() == [rows[2:6].tolist(), rows[30:34].tolist()]
    assert inputs["future"].numpy().tolist() == [rows[6:9, 3:].tolist(), rows[34:37, 3:].tolist()]
    assert inputs["series"].numpy().tolist() == [0, 1]
    assert y_true.numpy().tolist() == [rows[6:9, :2].tolist(), rows[34:37, :2].tolist()]


def test_without_a_calendar_nothing_is_known_ahead() -> None:
    shape = Shape(lookback=4, horizon=3, targets=2, covariates=3, known=0, series=1)
    inputs, y_true = gather(ArrayRows(counted(10), np.zeros(10, int)), np.array([3]), shape)
    assert inputs["future"].shape == (1, 3, 0)
    assert y_true.numpy().tolist() == [counted(10)[7:10, :2].tolist()]


def test_adam_takes_the_steps_of_keras_to_the_bit() -> None:
    rng = np.random.default_rng(0)
    starts = [rng.normal(size=shape).astype(np.float32) for shape in ((3, 7), (9,), (4, 2))]
    gradients = [[rng.normal(size=start.shape).astype(np.float32) for start in starts] for _ in range(3)]
    after = []
    for kind in (keras.optimizers.Adam, Adam):
        variables = [keras.Variable(start) for start in starts]
        optimizer = kind(0.02, global_clipnorm=2.0)
        optimizer.build(variables)
        for *dense, table in gradients:
            rows = tf.IndexedSlices(tf.constant(table[:3]), tf.constant([2, 0, 2]), tf.constant(table.shape))
            optimizer.apply([*map(tf.constant, dense), rows], variables)
        after.append([np.asarray(variable) for variable in (*variables, *optimizer.variables)])
    for theirs, ours in zip(*after, strict=True):
        assert ours.tobytes() == theirs.tobytes()
    assert all((now != start).any() for now, start in zip(after[1], starts, strict=False))
