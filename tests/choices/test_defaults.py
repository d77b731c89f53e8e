"""What is chosen for the user, from clock, season and length."""

from __future__ import annotations

import numpy as np
import pytest

from configs import PLAIN
from forecast.choices.defaults import resolve
from forecast.choices.lookback import default_segment
from forecast.choices.plan import REASONS, plan_in_sentences
from forecast.choices.usual import default_batch, default_season, default_spans
from forecast.config import Config, Settings
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.data.prepare import arrange, prepare
from forecast.errors import ConfigError, DataError
from forecast.models.catalogue import configure


def planned(settings: Settings, panel: Panel) -> tuple[Config, list[str]]:
    """The configuration, and the sentences that are shown before training."""
    config, choices = resolve(settings, panel)
    return config, plan_in_sentences(config, panel.clock, choices)


def panel_of(n_rows: int, freq: str = "D", columns: tuple[str, ...] = ("y",), low: float = 1.0) -> Panel:
    """Random columns between ``low`` and ``low`` + 1."""
    times = Clock(freq).future(np.datetime64("2000-01-01", "us"), n_rows)
    values = low + np.random.default_rng(0).random((n_rows, len(columns)))
    return Panel(values, times, columns, Clock(freq), default_target=columns[0])


@pytest.mark.parametrize(
    ("freq", "season"),
    [
        ("s", 1),  # whose hour and day are longer than any lookback
        ("10s", 360),  # an hour
        ("min", 1440),
        ("15min", 96),
        ("h", 24),
        ("6h", 4),
        ("7h", 1),  # which never meets the same hour two days running
        ("24h", 1),
        ("D", 7),
        ("2D", 1),
        ("7D", 1),
        ("B", 5),
        ("W", 52),
        ("2W", 26),
        ("MS", 12),
        ("ME", 12),
        ("3MS", 4),
        ("5MS", 1),
        ("QS", 4),
        ("YE", 1),
    ],
)
def test_season(freq: str, season: int) -> None:
    assert default_season(Clock(freq)) == season


@pytest.mark.parametrize(
    ("freq", "spans"),
    [("h", (168, 24)), ("D", (56, 7)), ("B", (60, 5)), ("W-SAT", (104, 13)), ("MS", (36, 12)), ("QE", (16, 4))],
)
def test_spans_of_common_clocks(freq: str, spans: tuple[int, int]) -> None:
    assert default_spans(Clock(freq), default_season(Clock(freq))) == spans


@pytest.mark.parametrize(
    ("freq", "season", "spans"), [("15min", 96, (192, 24)), ("6h", 4, (24, 6)), ("5MS", 1, (48, 12))]
)
def test_spans_of_other_clocks_follow_from_the_season(freq: str, season: int, spans: tuple[int, int]) -> None:
    assert default_spans(Clock(freq), season) == spans


def test_nothing_is_left_open_and_what_was_chosen_is_told() -> None:
    resolved, choices = resolve(configure(), panel_of(1000, columns=("y", "x")))
    data = resolved.data
    assert (data.target, data.covariates) == (("y",), ("x",))
    assert (data.lookback, data.horizon, data.season) == (56, 7, 7)
    assert (data.calendar, data.transform, data.channels) == (True, "none", "independent")
    assert (resolved.network.normalise, resolved.network.segment) == ("last", 3)
    assert (resolved.training.batch_size, resolved.training.mirror) == (32, False)
    assert plan_in_sentences(resolved, Clock("D"), choices) == [
        "target: y; other inputs: x",
        "lookback 56 days, horizon 7 days, season 7 days",
        "fed in segments of 3 days, 19 turns of the cell",
    ]
    assert {choice.field: choice.value for choice in choices} == {
        "target": ("y",),
        "covariates": ("x",),
        "calendar": True,
        "lookback": 56,
        "horizon": 7,
        "season": 7,
        "validation": 0.1,
        "test": 0.2,
        "split": "time",
        "static": (),
        "transform": "none",
        "volatility": False,
        "limits": (),
        "circular": (),
        "normalise": "last",
        "segment": 3,
        "linear": True,
        "linear_inputs": True,
        "batch_size": 32,
        "patience": 4,
        "loss": "mae",
        "mirror": False,
        "hide_series": 0.0,
        "least_observed": 1.0,
        "hide_values": 0.0,
    }
    assert all(choice.why for choice in choices)
    again, choices = resolve(resolved, panel_of(1000, columns=("y", "x")))
    assert again == resolved
    assert choices == []


def test_every_field_that_may_be_open_has_a_reason() -> None:
    open_beside = {"target", "levels", "cycle", "known", "validation_from", "newest", "model"}
    assert set(PLAIN) | open_beside == set(REASONS)


@pytest.mark.parametrize("model", ["rnn", "lstm", "stacked-lstm", "gru"])
def test_a_textbook_network_is_fed_one_step_after_another(model: str) -> None:
    resolved, notes = planned(configure({"model": model}), panel_of(1000))
    assert (resolved.network.segment, resolved.training.batch_size, resolved.data.channels) == (1, 64, "joint")
    assert not any("segment" in note for note in notes)


@pytest.mark.parametrize(
    ("lookback", "season", "segment"),
    [
        (168, 24, 8),  # 21 turns of the cell, and three segments make a day
        (192, 96, 12),
        (720, 24, 24),
        (56, 7, 3),  # a season of 7 has no part of 3 days or less
        (36, 12, 2),
        (104, 52, 4),
        (60, 5, 3),
        (24, 1, 1),
        (1, 12, 1),
    ],
)
def test_segments_divide_the_season_where_they_can(lookback: int, season: int, segment: int) -> None:
    assert default_segment(lookback, season) == segment


@pytest.mark.parametrize(
    ("n_windows", "segment", "batch"),
    [(10**6, 1, 64), (0, 2, 32), (700, 2, 32), (1024, 2, 64), (2047, 2, 64), (6000, 2, 256), (10**6, 2, 512)],
)
def test_a_batch_of_segmented_windows_grows_with_their_number(n_windows: int, segment: int, batch: int) -> None:
    assert default_batch(n_windows, segment) == batch


def test_channels_of_their_own_are_counted_in_the_batch() -> None:
    panel = panel_of(4000, columns=("y", "x"))  # of which 2800 are trained on
    assert resolve(configure({"target": "y"}), panel)[0].training.batch_size == 128
    assert resolve(configure({"target": "y,x"}), panel)[0].training.batch_size == 256


def test_what_the_user_chose_is_kept() -> None:
    chosen = {
        "target": "x",
        "covariates": "none",
        "calendar": False,
        "lookback": 9,
        "horizon": 2,
        "season": 3,
        "transform": "log",
        "channels": "independent",
        "normalise": "standard",
        "segment": 3,
        "batch_size": 5,
        "mirror": True,
    }
    resolved, _ = resolve(configure(chosen), panel_of(1000, columns=("y", "x")))
    flat = resolved.data.model_dump() | resolved.network.model_dump() | resolved.training.model_dump()
    expected = chosen | {"target": ("x",), "covariates": ()}
    assert {name: flat[name] for name in chosen} == expected


@pytest.mark.parametrize(
    ("freq", "low", "is_price"), [("B", 1.0, True), ("B", -0.5, False), ("B", 0.0, True), ("D", 1.0, False)]
)
def test_positive_values_of_business_days_are_prices(freq: str, low: float, is_price: bool) -> None:
    resolved, notes = planned(configure(), panel_of(1000, freq, ("close", "volume"), low))
    expected = ("log", (), False) if is_price else ("none", ("volume",), True)
    assert (resolved.data.transform, resolved.data.covariates, resolved.data.calendar) == expected
    assert resolved.network.normalise == "last"
    assert resolved.training.mirror == is_price
    assert any("cumulative returns" in note for note in notes) == is_price


@pytest.mark.parametrize("choice", [{"transform": "none"}, {"normalise": "standard"}])
def test_no_note_on_returns_where_the_user_chose_otherwise(choice: dict[str, str]) -> None:
    _, notes = planned(configure(choice), panel_of(1000, "B"))
    assert not any("returns" in note for note in notes)


def test_covariates_that_say_nothing_are_left_out() -> None:
    panel = panel_of(1000, columns=("y", "constant", "sparse", "full", "empty"))
    panel.values[:, 1] = 5
    panel.values[:71, 2] = np.nan  # of the 700 training rows 89.9 % are there
    panel.values[:70, 3] = np.nan  # 90 % are there
    panel.values[:, 4] = np.nan
    resolved, _ = resolve(configure(), panel)
    assert resolved.data.covariates == ("full",)
    panel.values[700:, 3] = np.nan  # no forecast can be made from the last rows
    assert resolve(configure(), panel)[0].data.covariates == ()


def test_a_target_is_no_covariate() -> None:
    panel = panel_of(100, columns=("y", "x", "z"))
    assert resolve(configure({"target": "x,y"}), panel)[0].data.covariates == ("z",)
    assert resolve(configure({"covariates": "y,z"}), panel)[0].data.covariates == ("z",)


@pytest.mark.parametrize("target", ["y", "y,x"])
def test_the_covariates_that_are_told_are_those_that_are_fed(target: str) -> None:
    panel = panel_of(100, columns=("y", "x", "z"))
    resolved, notes = planned(configure({"target": target, "channels": "independent"}), panel)
    assert len(arrange(panel, resolved.data).columns) == 1 + len(resolved.data.covariates)
    assert ("other inputs" in notes[0]) == bool(resolved.data.covariates)


@pytest.mark.parametrize("n_rows", range(10, 60))
def test_defaults_leave_a_window_in_each_part_of_a_short_series(n_rows: int) -> None:
    panel = panel_of(n_rows)
    prepared = prepare(panel, resolve(configure(), panel)[0])
    assert min(len(prepared.train), len(prepared.validation), len(prepared.test)) > 0


@pytest.mark.parametrize(("freq", "n_rows"), [("ms", 1_000), ("s", 500_000), ("min", 500_000)])
def test_defaults_of_fast_clocks_are_within_the_limits(freq: str, n_rows: int) -> None:
    resolved, _ = resolve(configure(), panel_of(n_rows, freq))
    assert resolved.data.lookback >= resolved.data.horizon >= 1


def test_which_column_is_asked_for_where_it_is_not_clear() -> None:
    panel = panel_of(100, columns=("a", "b"))
    ambiguous = Panel(panel.values, panel.times, panel.columns, panel.clock)
    with pytest.raises(DataError) as caught:
        resolve(configure(), ambiguous)
    assert caught.value.message == "Which column should be forecast? There are 2: a, b."
    apart = "If each is a series of its own: "
    assert caught.value.text("shell")[1] == f"Name it with --target, for example --target 'a'. {apart}--wide."
    assert caught.value.advice == f"Name it with target, for example target='a'. {apart}wide=True."


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"target": "q"}, DataError, "no column 'q'"),
        ({"covariates": "q"}, DataError, "no column 'q'"),
        ({"target": "y,y"}, ConfigError, "named twice"),
        ({"covariates": "x,x"}, ConfigError, "named twice"),
    ],
)
def test_names_are_checked(settings: dict[str, str], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        resolve(configure(settings), panel_of(100, columns=("y", "x")))


def test_a_carried_state_is_carried_over_some_windows() -> None:
    assert default_batch(18_000, segment=1) == 64
    assert default_batch(18_000, segment=1, carried=168) == 13
    assert default_batch(200, segment=1, carried=168) == 1
    assert default_batch(1_000_000, segment=1, carried=24) == 64


@pytest.mark.parametrize("row", [10, 75])
def test_log_refuses_a_target_that_is_not_positive_before_the_test_span(row: int) -> None:
    panel = panel_of(100)
    panel.values[row] = 0
    with pytest.raises(DataError, match=r"'y' cannot be logged: 1 values are not positive, the first is 0\."):
        resolve(configure({"transform": "log"}), panel)
    panel.values[row], panel.values[95] = 1, 0
    assert resolve(configure({"transform": "log"}), panel)[0].data.transform == "log"
