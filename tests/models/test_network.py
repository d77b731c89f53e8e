"""The network: every part in every combination, against a short NumPy reference; its sizes and its memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from configs import plain_config
from forecast.config import NetworkConfig
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.data.prepare import prepare
from forecast.errors import ConfigError
from forecast.models.backends.keras import build_network, set_weights, weights_of
from forecast.models.network import Shape, shape_of, training_bytes
from references import ORACLES, cell_by_hand, run_by_hand, variants
from samples import (
    BATCH,
    CYCLE,
    DECODE,
    NORMALISE,
    PLAIN,
    SEGMENT,
    SHAPE,
    forecast,
    inputs_of,
    parts,
    random_weights,
    tiny,
)


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
        "seasonal": (measured[:, -1:], one),
    }[kind]


def centre_of_forecast(kind: str, centre: np.ndarray, past: np.ndarray) -> np.ndarray:
    """What each forecast counts from, [B, H, D]: the centre of the window, or the cycle before."""
    if kind != "seasonal":
        return np.repeat(centre[:, :, : SHAPE.targets], SHAPE.horizon, axis=1)
    newest = past[:, -CYCLE:, : SHAPE.targets]
    return np.concatenate([newest, newest], axis=1)[:, : SHAPE.horizon]


def normalised_by_hand(kind: str, inputs: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], Any, Any]:
    measured, calendar = np.split(inputs["past"], [SHAPE.targets + SHAPE.covariates], axis=2)
    centre, scale = centre_and_scale(kind, measured)
    past = np.concatenate([(measured - centre) / scale, calendar], axis=2)
    return inputs | {"past": past}, centre_of_forecast(kind, centre, measured), scale[:, :, : SHAPE.targets]


NORMALISED = [
    (kind, decode, SEGMENT[(i + j) % 2]) for i, kind in enumerate(NORMALISE) for j, decode in enumerate(DECODE)
] + [("seasonal", "direct", 1), ("seasonal", "parallel", 3)]  # not recursive


@pytest.mark.parametrize(("kind", "decode", "segment"), NORMALISED)
class TestNormalisation:
    """What is taken off the window is put back on the forecast."""

    def test_a_head_of_zeros_forecasts_the_centre(self, kind: str, decode: str, segment: int) -> None:
        network = build_network(tiny("lstm", kind, decode, segment), SHAPE, seed=1)
        weights = weights_of(network)
        set_weights(network, weights | {name: 0 * weights[name] for name in ("head/kernel", "head/bias")})
        inputs = inputs_of(SHAPE)
        centre, _ = centre_and_scale(kind, inputs["past"][:, :, : SHAPE.targets])
        expected = centre_of_forecast(kind, centre, inputs["past"])
        np.testing.assert_allclose(forecast(network, inputs), expected, rtol=1e-6, atol=1e-7)

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


def test_a_linear_map_adds_the_same_combination_of_the_past_of_each_target() -> None:
    network = build_network(parts(linear=True, normalise="last"), SHAPE, seed=1)
    weights, inputs = weights_of(network), inputs_of(SHAPE)
    kernel = np.random.default_rng(2).normal(size=(SHAPE.lookback, SHAPE.horizon)).astype(np.float32)
    set_weights(network, weights | {"linear/kernel": kernel})
    past = inputs["past"][:, :, : SHAPE.targets]
    with_map = forecast(network, inputs)
    set_weights(network, weights | {"linear/kernel": 0 * kernel})
    expected = np.einsum("bld,lh->bhd", past - past[:, -1:], kernel)
    np.testing.assert_allclose(with_map - forecast(network, inputs), expected, rtol=1e-4, atol=1e-5)


def test_a_cycle_must_lie_within_the_lookback() -> None:
    with pytest.raises(ConfigError, match="counts from 9 steps before, and the lookback has 8") as refused:
        build_network(parts(normalise="seasonal", cycle=9), SHAPE, seed=1)
    assert "lookback" in refused.value.advice


def test_fed_back_forecasts_have_no_cycle_before() -> None:
    with pytest.raises(ConfigError, match="does not go with decode = recursive"):
        parts(normalise="seasonal", cycle=3, decode="recursive")


@pytest.mark.parametrize("kind", ["standard", "last-scaled"])
def test_noise_on_a_flat_window_is_not_blown_up(kind: str) -> None:
    network = build_network(tiny("lstm", kind, "direct", 1), SHAPE, seed=1)
    flat = inputs_of(SHAPE)
    flat["past"][:, :, : SHAPE.targets + SHAPE.covariates] = 7
    noisy = {name: array.copy() for name, array in flat.items()}
    noisy["past"][:, ::2, : SHAPE.targets] += 1e-4
    assert np.abs(forecast(network, noisy) - forecast(network, flat)).max() < 1e-3


@pytest.mark.parametrize("units", [(4,), (4, 3)])
@pytest.mark.parametrize("variant", ORACLES)
@pytest.mark.parametrize("unroll", [True, False])
def test_cells_are_those_of_the_papers(variant: str, units: tuple[int, ...], unroll: bool) -> None:
    network = build_network(parts(units=units, unroll=unroll, **variants()[variant]), PLAIN, seed=1)
    weights, inputs = random_weights(network), inputs_of(PLAIN)
    state = run_by_hand(variant, weights, inputs["past"], len(units))[-1][0]
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


@pytest.mark.parametrize("variant", ORACLES)
def test_recursive_feeds_each_forecast_back(variant: str) -> None:
    network = build_network(parts(**variants()[variant], decode="recursive"), SHAPE, seed=1)
    weights, inputs = random_weights(network), inputs_of(SHAPE)
    state = run_by_hand(variant, weights, inputs["past"])[0]
    step, held = cell_by_hand(variant, weights, "1"), inputs["past"][:, -1, SHAPE.targets : SHAPE.targets + 1]
    expected = []
    for number in range(SHAPE.horizon):
        told = np.concatenate([state[0], inputs["future"][:, number]], axis=1)
        expected.append(told @ weights["head/kernel"] + weights["head/bias"])
        # The next row as the past would have shown it: what was forecast, the last covariate, that row's calendar.
        state = step(np.concatenate([expected[-1], held, inputs["future"][:, number]], axis=1), *state)
    np.testing.assert_allclose(forecast(network, inputs), np.stack(expected, axis=1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", ORACLES)
def test_parallel_asks_for_each_step_from_the_last_state(variant: str) -> None:
    network = build_network(parts(**variants()[variant], decode="parallel"), SHAPE, seed=1)
    weights, inputs = random_weights(network), inputs_of(SHAPE)
    state = run_by_hand(variant, weights, inputs["past"])[0]
    step = cell_by_hand(variant, weights, "1")
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


def test_a_carried_state_makes_two_windows_one() -> None:
    long = Shape(lookback=16, horizon=4, targets=1, covariates=1, known=0, series=1)
    whole = build_network(parts(cell="lstm"), long, seed=1)
    carrying = build_network(parts(cell="lstm", stateful=True), PLAIN, seed=1, batch_size=BATCH)
    set_weights(carrying, weights_of(whole))
    inputs = inputs_of(long)
    for past in np.split(inputs["past"], 2, axis=1):
        last = forecast(carrying, inputs | {"past": past})
    np.testing.assert_allclose(last, forecast(whole, inputs), rtol=1e-5, atol=1e-6)


def test_feeding_back_too_often_is_refused_with_a_segment_that_works() -> None:
    shape = Shape(lookback=8, horizon=385, targets=1, covariates=0, known=0, series=1)
    with pytest.raises(ConfigError) as caught:
        build_network(parts(decode="recursive", cell="rnn"), shape, seed=0)
    assert caught.value.message == "decode = recursive would feed back 385 times; at most 192 are allowed."
    assert "segment=3 " in caught.value.advice  # 385 / 192 is a little more than 2


# The rows that it is fed.


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"target": "a"}, (1, 0, 0, 1)),
        ({"target": "a,b", "covariates": "c"}, (2, 1, 0, 1)),
        ({"target": "a", "covariates": "c", "calendar": True}, (1, 1, 4, 1)),
        ({"target": "a,b,c", "channels": "independent"}, (1, 0, 0, 3)),
    ],
)
def test_sizes_follow_from_the_rows(options: dict[str, object], expected: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).normal(size=(60, 3))
    times = np.datetime64("2020-01-01", "us") + np.arange(60) * np.timedelta64(1, "D")
    config = plain_config(**{"lookback": 5, "horizon": 2, **options})
    rows = prepare(Panel(values, times, ("a", "b", "c"), Clock("D")), config).rows
    shape = shape_of(rows, 5, 2)
    assert (shape.targets, shape.covariates, shape.known, shape.series) == expected
    assert (shape.lookback, shape.horizon, shape.features) == (5, 2, rows.inputs.shape[1])


# The memory of a training, told beforehand.

LONGER = Shape(lookback=24, horizon=12, targets=2, covariates=1, known=2, series=1)


@pytest.mark.parametrize(
    "parts",
    [
        {"cell": "rnn", "units": (40,)},
        {"cell": "gru", "units": (30, 20), "bidirectional": True},
        {"cell": "lstm", "units": (30,), "quantiles": (0.1, 0.5, 0.9)},
        {"cell": "slstm", "units": (30,), "segment": 6, "decode": "parallel"},
    ],
)
def test_the_weights_are_counted_to_a_tenth(parts: dict[str, object]) -> None:
    config = NetworkConfig(**{"normalise": "none", "segment": 1, **parts})  # type: ignore[arg-type]
    weights = build_network(config, LONGER, seed=0).count_params()
    assert training_bytes(config, LONGER, 0) == pytest.approx(26 * 4 * weights, rel=0.1)


def test_what_a_step_keeps_grows_with_batch_and_turns() -> None:
    def kept(segment: int, batch_size: int) -> int:
        config = NetworkConfig(cell="lstm", units=(64,), normalise="none", segment=segment)
        return training_bytes(config, LONGER, batch_size) - training_bytes(config, LONGER, 0)

    assert kept(1, 64) == 2 * kept(1, 32)
    assert kept(6, 32) < kept(1, 32) / 3
