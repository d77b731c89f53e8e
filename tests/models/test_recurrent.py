"""The network builder: every part in every combination, and the layers against a short NumPy reference."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import numpy as np
import pytest

import references
from forecast.config import NetworkConfig
from forecast.errors import ConfigError, RunError
from forecast.models.backend import keras, tf
from forecast.models.catalogue import MODELS, configure
from forecast.models.recurrent import build_network, leaves_cudnn, set_weights, weights_of
from forecast.models.shape import Shape
from references import Weights

SHAPE = Shape(lookback=8, horizon=4, targets=2, covariates=1, known=2, series=2)
PLAIN = Shape(lookback=8, horizon=4, targets=1, covariates=1, known=0, series=1)
BATCH = 6

NORMALISE = ("none", "last", "standard", "last-scaled")
DECODE = ("direct", "parallel", "recursive")
SEGMENT = (1, 3)  # which divides neither the lookback nor the horizon


def parts(**options: object) -> NetworkConfig:
    base = {"model": options.get("cell", "lstm"), "units": (4,), "normalise": "none", "segment": 1, "decode": "direct"}
    return configure(base | options).network


def tiny(model: str, normalise: str, decode: str, segment: int) -> NetworkConfig:
    units = (4, 3) if len(configure({"model": model}).network.units) > 1 else (4,)
    return parts(model=model, units=units, normalise=normalise, decode=decode, segment=segment)


def inputs_of(shape: Shape, seed: int = 0, batch: int = BATCH) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "past": rng.normal(size=(batch, shape.lookback, shape.features)).astype(np.float32),
        "future": rng.normal(size=(batch, shape.horizon, shape.known)).astype(np.float32),
        "series": (np.arange(batch) % shape.series).astype(np.int32),
    }


def forecast(network: Any, inputs: dict[str, np.ndarray]) -> np.ndarray:
    return network(inputs, training=False).numpy()


def random_weights(network: Any, seed: int = 0) -> Weights:
    """Weights of which none is zero, biases included; the network is filled with them."""
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(0, 0.5, array.shape).astype(np.float32) for name, array in weights_of(network).items()}
    set_weights(network, weights)
    return weights


# Every pair of normalisation, decoding and segment, with a cell each; every textbook cell with every decoding.
COMBINATIONS = [
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
    *((model, "last-scaled", "parallel", 3) for model in ("segment-lstm", "segment-gru", "segment-rnn")),
    ("peephole-lstm", "last", "direct", 1),
    ("peephole-lstm", "standard", "parallel", 3),
    ("coupled-lstm", "none", "direct", 1),
    ("coupled-lstm", "last", "recursive", 3),
    ("slstm", "last", "parallel", 1),
    ("slstm", "standard", "recursive", 3),
    ("bi-lstm", "last", "direct", 1),
    ("bi-lstm", "none", "direct", 3),
]


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


def test_every_preset_is_built() -> None:
    assert {combination[0] for combination in COMBINATIONS} == set(MODELS)


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


@pytest.mark.parametrize("segment", SEGMENT)
@pytest.mark.parametrize("decode", DECODE)
def test_windows_do_not_see_each_other(decode: str, segment: int) -> None:
    network, inputs = build_network(tiny("gru", "standard", decode, segment), SHAPE, seed=1), inputs_of(SHAPE)
    alone = {name: array[2:3] for name, array in inputs.items()}
    np.testing.assert_allclose(forecast(network, alone)[0], forecast(network, inputs)[2], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("normalise", ["last", "standard"])
def test_a_batch_of_as_many_windows_as_steps_is_one_like_any_other(normalise: str) -> None:
    shape = Shape(lookback=4, horizon=3, targets=1, covariates=0, known=0, series=1)
    network, inputs = build_network(parts(normalise=normalise), shape, seed=0), inputs_of(shape, batch=3)
    alone = [forecast(network, {name: part[[number]] for name, part in inputs.items()}) for number in range(3)]
    np.testing.assert_allclose(forecast(network, inputs), np.concatenate(alone), rtol=1e-5, atol=1e-6)


def centre_and_scale(kind: str, measured: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each normalisation subtracts and divides by, per window and channel: [B, 1, D + P] each."""
    spread = np.sqrt(measured.var(axis=1, keepdims=True) + 0.1**2)
    zero, one = np.zeros_like(spread), np.ones_like(spread)
    return {
        "none": (zero, one),
        "last": (measured[:, -1:], one),
        "standard": (measured.mean(axis=1, keepdims=True), spread),
        "last-scaled": (measured[:, -1:], spread),
    }[kind]


def normalised_by_hand(kind: str, inputs: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], Any, Any]:
    measured, calendar = np.split(inputs["past"], [SHAPE.targets + SHAPE.covariates], axis=2)
    centre, scale = centre_and_scale(kind, measured)
    past = np.concatenate([(measured - centre) / scale, calendar], axis=2)
    return inputs | {"past": past}, centre[:, :, : SHAPE.targets], scale[:, :, : SHAPE.targets]


NORMALISED = [
    (kind, decode, SEGMENT[(i + j) % 2]) for i, kind in enumerate(NORMALISE) for j, decode in enumerate(DECODE)
]


@pytest.mark.parametrize(("kind", "decode", "segment"), NORMALISED)
class TestNormalisation:
    """What is taken off the window is put back on the forecast."""

    def test_a_head_of_zeros_forecasts_the_centre(self, kind: str, decode: str, segment: int) -> None:
        network = build_network(tiny("lstm", kind, decode, segment), SHAPE, seed=1)
        weights = weights_of(network)
        set_weights(network, weights | {name: 0 * weights[name] for name in ("head/kernel", "head/bias")})
        inputs = inputs_of(SHAPE)
        centre, _ = centre_and_scale(kind, inputs["past"][:, :, : SHAPE.targets])
        np.testing.assert_allclose(
            forecast(network, inputs), np.repeat(centre, SHAPE.horizon, axis=1), rtol=1e-6, atol=1e-7
        )

    def test_it_is_that_of_a_window_normalised_beforehand(self, kind: str, decode: str, segment: int) -> None:
        network, bare = (build_network(tiny("gru", each, decode, segment), SHAPE, seed=1) for each in (kind, "none"))
        inputs = inputs_of(SHAPE)
        by_hand, centre, scale = normalised_by_hand(kind, inputs)
        np.testing.assert_allclose(
            forecast(network, inputs), forecast(bare, by_hand) * scale + centre, rtol=1e-4, atol=1e-5
        )

    def test_shifted_and_scaled_windows(self, kind: str, decode: str, segment: int) -> None:
        network = build_network(tiny("lstm", kind, decode, segment), SHAPE, seed=1)
        random_weights(network)
        inputs = inputs_of(SHAPE)
        measured = slice(0, SHAPE.targets + SHAPE.covariates)
        inputs["past"][:, :, measured] *= 100  # beside which the smallest scale is nothing
        shifted, scaled = inputs["past"].copy(), inputs["past"].copy()
        shifted[:, :, measured] += 64
        scaled[:, :, measured] *= 4
        y_pred = forecast(network, inputs)
        follows_shift = np.allclose(forecast(network, inputs | {"past": shifted}), y_pred + 64, rtol=1e-3, atol=1e-2)
        follows_scale = np.allclose(forecast(network, inputs | {"past": scaled}), 4 * y_pred, rtol=1e-3, atol=1e-2)
        assert (follows_shift, follows_scale) == (kind != "none", kind in ("standard", "last-scaled"))


@pytest.mark.parametrize("kind", ["standard", "last-scaled"])
def test_noise_on_a_flat_window_is_not_blown_up(kind: str) -> None:
    network = build_network(tiny("lstm", kind, "direct", 1), SHAPE, seed=1)
    flat = inputs_of(SHAPE)
    flat["past"][:, :, : SHAPE.targets + SHAPE.covariates] = 7
    noisy = {name: array.copy() for name, array in flat.items()}
    noisy["past"][:, ::2, : SHAPE.targets] += 1e-4
    assert np.abs(forecast(network, noisy) - forecast(network, flat)).max() < 1e-3


def cell_by_hand(cell: str, weights: Weights, layer: str, reset_after: bool = True) -> Any:
    """One step of a cell, from input [B, F] and states to the new states; the first of them is the output."""
    prefix = f"recurrent_{layer}/"
    own = {name.removeprefix(prefix): array.astype(np.float64) for name, array in weights.items() if prefix in name}
    step = {"rnn": references.rnn, "lstm": references.lstm, "gru": references.gru}[cell]
    return partial(step if reset_after else references.gru_reset_before, own)


def run_by_hand(cell: str, weights: Weights, past: np.ndarray, layers: int = 1, **options: bool) -> list[Any]:
    """The final states of each layer."""
    states = []
    sequence = past.astype(np.float64)
    for layer in range(1, layers + 1):
        step = cell_by_hand(cell, weights, str(layer), **options)
        units = weights[f"recurrent_{layer}/recurrent_kernel"].shape[0]
        state = [np.zeros((len(past), units)) for _ in range(2 if cell == "lstm" else 1)]
        outputs = []
        for time in range(sequence.shape[1]):
            state = step(sequence[:, time], *state)
            outputs.append(state[0])
        sequence = np.stack(outputs, axis=1)
        states.append(state)
    return states


CELLS = [("rnn", {}), ("lstm", {}), ("gru", {"reset_after": True}), ("gru", {"reset_after": False})]


@pytest.mark.parametrize("units", [(4,), (4, 3)])
@pytest.mark.parametrize(("cell", "options"), CELLS)
@pytest.mark.parametrize("unroll", [True, False])
def test_cells_are_those_of_the_papers(
    cell: str, options: dict[str, bool], units: tuple[int, ...], unroll: bool
) -> None:
    network = build_network(parts(cell=cell, units=units, unroll=unroll, **options), PLAIN, seed=1)
    weights, inputs = random_weights(network), inputs_of(PLAIN)
    state = run_by_hand(cell, weights, inputs["past"], len(units), **options)[-1][0]
    expected = (state @ weights["head/kernel"] + weights["head/bias"])[:, :, None]
    np.testing.assert_allclose(forecast(network, inputs), expected, rtol=1e-4, atol=1e-5)


def test_go_backwards_reads_from_the_end() -> None:
    network = build_network(parts(cell="lstm", go_backwards=True), PLAIN, seed=1)
    weights, inputs = random_weights(network), inputs_of(PLAIN)
    state = run_by_hand("lstm", weights, inputs["past"][:, ::-1])[0][0]
    expected = state @ weights["head/kernel"] + weights["head/bias"]
    np.testing.assert_allclose(forecast(network, inputs)[:, :, 0], expected, rtol=1e-4, atol=1e-5)


def test_segments_are_embedded_and_the_oldest_is_filled_with_the_oldest_row() -> None:
    network = build_network(parts(cell="rnn", segment=3), PLAIN, seed=1)
    weights, inputs = random_weights(network), inputs_of(PLAIN)
    past = np.concatenate([inputs["past"][:, :1], inputs["past"]], axis=1).reshape(BATCH, 3, 6)  # 9 steps of 2 columns
    tokens = np.maximum(past @ weights["embed/kernel"] + weights["embed/bias"], 0)
    state = run_by_hand("rnn", weights, tokens)[0][0]
    expected = state @ weights["head/kernel"] + weights["head/bias"]
    np.testing.assert_allclose(forecast(network, inputs)[:, :, 0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_recursive_feeds_each_forecast_back(cell: str) -> None:
    network = build_network(parts(cell=cell, decode="recursive"), SHAPE, seed=1)
    weights, inputs = random_weights(network), inputs_of(SHAPE)
    state = run_by_hand(cell, weights, inputs["past"])[0]
    step, held = cell_by_hand(cell, weights, "1"), inputs["past"][:, -1, SHAPE.targets : SHAPE.targets + 1]
    expected = []
    for number in range(SHAPE.horizon):
        told = np.concatenate([state[0], inputs["future"][:, number]], axis=1)
        expected.append(told @ weights["head/kernel"] + weights["head/bias"])
        # The next row as the past would have shown it: what was forecast, the last covariate, that row's calendar.
        state = step(np.concatenate([expected[-1], held, inputs["future"][:, number]], axis=1), *state)
    np.testing.assert_allclose(forecast(network, inputs), np.stack(expected, axis=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_parallel_asks_for_each_step_from_the_last_state(cell: str) -> None:
    network = build_network(parts(cell=cell, decode="parallel"), SHAPE, seed=1)
    weights, inputs = random_weights(network), inputs_of(SHAPE)
    state = run_by_hand(cell, weights, inputs["past"])[0]
    step = cell_by_hand(cell, weights, "1")
    identity = weights["queries/identities"][inputs["series"]]
    expected = []
    for number in range(SHAPE.horizon):
        position = np.repeat(weights["queries/positions"][number][None], BATCH, axis=0)
        query = np.concatenate([position, identity], axis=1) + inputs["future"][:, number] @ weights["known/kernel"]
        expected.append(step(query, *state)[0] @ weights["head/kernel"] + weights["head/bias"])
    np.testing.assert_allclose(forecast(network, inputs), np.stack(expected, axis=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("decode", ["parallel", "recursive"])
@pytest.mark.parametrize("segment", SEGMENT)
def test_the_calendar_ahead_is_used_and_that_of_later_steps_is_not(decode: str, segment: int) -> None:
    network = build_network(tiny("gru", "none", decode, segment), SHAPE, seed=1)
    inputs = inputs_of(SHAPE)
    changed = inputs | {"future": inputs["future"].copy()}
    changed["future"][:, 3] += 1
    moved = (forecast(network, changed) != forecast(network, inputs)).any(axis=(0, 2))
    # What is known of the last step speaks to its own segment alone.
    assert moved.tolist() == [False, False, False, True]


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("series", [1, 3])
@pytest.mark.parametrize("segment", SEGMENT)
@pytest.mark.parametrize("decode", DECODE)
def test_the_barest_of_series_are_forecast(decode: str, segment: int, series: int, targets: int) -> None:
    shape = Shape(lookback=5, horizon=4, targets=targets, covariates=0, known=0, series=series)
    network = build_network(parts(decode=decode, segment=segment), shape, seed=0)
    assert forecast(network, inputs_of(shape)).shape == (BATCH, 4, targets)


@pytest.mark.parametrize("decode", DECODE)
@pytest.mark.parametrize(("lookback", "horizon", "segment"), [(1, 1, 1), (2, 1, 5), (5, 7, 100)])
def test_segments_longer_than_the_window(decode: str, lookback: int, horizon: int, segment: int) -> None:
    shape = Shape(lookback, horizon, targets=1, covariates=0, known=2, series=1)
    network = build_network(parts(decode=decode, segment=segment), shape, seed=0)
    assert forecast(network, inputs_of(shape)).shape == (BATCH, horizon, 1)


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
OPTIONS = {
    "rnn": COMMON,
    "gru": COMMON | {"recurrent_activation": ("hard_sigmoid", "hard_sigmoid"), "reset_after": (False, False)},
    "lstm": COMMON | {"recurrent_activation": ("hard_sigmoid", "hard_sigmoid"), "unit_forget_bias": (False, False)},
}
LAYERS = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}


def layer_config(config: NetworkConfig) -> dict[str, Any]:
    batch_size = BATCH if config.stateful else None
    network = build_network(config, PLAIN, seed=0, batch_size=batch_size)
    # A layer of its own, because Keras's recurrent layers would penalise the states that they return too.
    penalties = [layer for layer in network.layers if isinstance(layer, keras.layers.ActivityRegularization)]
    penalty = keras.regularizers.serialize(keras.regularizers.L2(penalties[0].l2)) if penalties else None
    layer = network.get_layer("recurrent_1").get_config()
    return layer | layer["cell"]["config"] | {"activity_regularizer": penalty, "unroll": layer["way"] == "unrolled"}


def plain(value: object) -> object:
    """The class of a serialised part; anything else as it is."""
    return value["class_name"] if isinstance(value, dict) else value


@pytest.mark.parametrize(
    ("cell", "option"), [(cell, option) for cell, options in OPTIONS.items() for option in options]
)
def test_each_option_reaches_the_layer_and_no_other_changes(cell: str, option: str) -> None:
    value, expected = OPTIONS[cell][option]
    default, changed = layer_config(parts(cell=cell)), layer_config(parts(cell=cell, **{option: value}))
    if option == "unroll":
        default = layer_config(parts(cell=cell, unroll=False))
    assert plain(changed[option]) == expected != plain(default[option])
    if option.endswith("_regularizer"):
        assert changed[option]["config"]["l2"] == value
    others = [name for name in OPTIONS[cell] if name not in (option, "unroll")]
    assert {name: plain(changed[name]) for name in others} == {name: plain(default[name]) for name in others}


@pytest.mark.parametrize(("cell", "layer"), LAYERS.items())
def test_defaults_are_those_of_keras(cell: str, layer: Any) -> None:
    ours, theirs = layer_config(parts(cell=cell, unroll=False)), layer(4).get_config()
    assert {name: plain(ours[name]) for name in OPTIONS[cell]} == {name: plain(theirs[name]) for name in OPTIONS[cell]}


@pytest.mark.parametrize(("cell", "layer"), LAYERS.items())
def test_no_argument_of_the_keras_layer_is_out_of_reach(cell: str, layer: Any) -> None:
    ours = {"self", "units", "seed", "return_sequences", "return_state", "kwargs"}  # the builder's own business
    automatic = {"use_cudnn"}  # decided by Keras from the others
    assert set(inspect.signature(layer.__init__).parameters) - ours - automatic == set(OPTIONS[cell])


def test_a_bidirectional_network_reads_the_window_from_both_ends() -> None:
    network = build_network(parts(bidirectional=True), PLAIN, seed=1)
    weights, inputs = random_weights(network), inputs_of(PLAIN)
    backward = {name.replace("backward", "recurrent"): array for name, array in weights.items() if "backward" in name}
    ahead = run_by_hand("lstm", weights, inputs["past"])[0][0]
    back = run_by_hand("lstm", backward, inputs["past"][:, ::-1])[0][0]
    expected = np.concatenate([ahead, back], axis=1) @ weights["head/kernel"] + weights["head/bias"]
    np.testing.assert_allclose(forecast(network, inputs)[:, :, 0], expected, rtol=1e-4, atol=1e-5)


def test_a_bidirectional_stack_reads_each_step_from_both_ends() -> None:
    network = build_network(parts(bidirectional=True, units=(4, 3)), PLAIN, seed=1)
    weights, past = random_weights(network), inputs_of(PLAIN)["past"]
    of_layer = {
        (way, number): {
            f"recurrent_1/{name.partition('/')[2]}": array
            for name, array in weights.items()
            if name.startswith(f"{way}_{number}/")
        }
        for way in ("recurrent", "backward")
        for number in (1, 2)
    }

    def every_step(way: str, number: int, sequence: np.ndarray) -> np.ndarray:
        step, state = cell_by_hand("lstm", of_layer[way, number], "1"), None
        units = (4, 3)[number - 1]
        state, outputs = [np.zeros((BATCH, units))] * 2, []
        for row in range(sequence.shape[1]):
            state = step(sequence[:, row], *state)
            outputs.append(state[0])
        return np.stack(outputs, axis=1)

    below = np.concatenate(
        [every_step("recurrent", 1, past), every_step("backward", 1, past[:, ::-1])[:, ::-1]], axis=2
    )
    last = [every_step("recurrent", 2, below)[:, -1], every_step("backward", 2, below[:, ::-1])[:, -1]]
    expected = np.concatenate(last, axis=1) @ weights["head/kernel"] + weights["head/bias"]
    np.testing.assert_allclose(forecast(network, inputs_of(PLAIN))[:, :, 0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "options", [{"decode": "parallel"}, {"decode": "recursive"}, {"stateful": True}, {"go_backwards": True}]
)
def test_what_reads_from_both_ends_cannot_do_all(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="bidirectional works with decode = direct"):
        parts(bidirectional=True, **options)


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
@pytest.mark.parametrize("cell", OPTIONS)
def test_the_penalty_of_the_outputs_is_that_of_the_outputs_alone(cell: str, units: tuple[int, ...]) -> None:
    network = build_network(parts(cell=cell, units=units, activity_regularizer=0.5), PLAIN, seed=0)
    weights, inputs = random_weights(network), inputs_of(PLAIN)
    network(inputs, training=True)
    # Of a layer below another one, the outputs of all its steps; of the last, that of the last step.
    squares = [(states[0] ** 2).sum() for states in run_by_hand(cell, weights, inputs["past"], len(units))]
    if len(units) > 1:
        past = inputs["past"]
        steps = [run_by_hand(cell, weights, past[:, : n + 1])[0][0] for n in range(past.shape[1])]
        squares[0] = sum((step**2).sum() for step in steps)
    assert float(sum(network.losses)) == pytest.approx(0.5 * sum(squares) / BATCH, rel=1e-4)


@pytest.mark.parametrize("decode", DECODE)
def test_the_outputs_are_penalised_however_the_horizon_is_made(decode: str) -> None:
    network = build_network(parts(decode=decode, activity_regularizer=0.5), SHAPE, seed=0)
    network(inputs_of(SHAPE), training=True)
    assert float(sum(network.losses)) > 0


def test_a_carried_state_makes_two_windows_one() -> None:
    long = Shape(lookback=16, horizon=4, targets=1, covariates=1, known=0, series=1)
    whole = build_network(parts(cell="lstm"), long, seed=1)
    carrying = build_network(parts(cell="lstm", stateful=True), PLAIN, seed=1, batch_size=BATCH)
    set_weights(carrying, weights_of(whole))
    inputs = inputs_of(long)
    for past in np.split(inputs["past"], 2, axis=1):
        last = forecast(carrying, inputs | {"past": past})
    np.testing.assert_allclose(last, forecast(whole, inputs), rtol=1e-5, atol=1e-6)


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


def test_feeding_back_too_often_is_refused_with_a_segment_that_works() -> None:
    shape = Shape(lookback=8, horizon=385, targets=1, covariates=0, known=0, series=1)
    with pytest.raises(ConfigError) as caught:
        build_network(parts(decode="recursive", cell="rnn"), shape, seed=0)
    assert caught.value.message == "decode = recursive would feed back 385 times; at most 192 are allowed."
    assert "--segment 3 " in caught.value.advice  # 385 / 192 is a little more than 2


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
