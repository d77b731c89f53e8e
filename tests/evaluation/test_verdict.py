"""The sentence at the top: what it says of a win, a loss, no evidence, and what cannot be judged."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from forecast.data.panel import Floats
from forecast.evaluation import verdict as module
from forecast.evaluation.verdict import Echo, EchoSums

HORIZON = 6  # of the forecasts that may be an echo


def verdict(model: str, skill: dict[str, float | None], p_value: dict[str, float | None], **more: object) -> str:
    return module.verdict({"model": model, "skill": skill, "p_value": p_value, **more})


def test_a_win_is_against_the_hardest_naive_forecast() -> None:
    sentence = verdict(
        "lstm", {"persistence": 0.5, "seasonal-naive": 0.1234}, {"persistence": 1e-9, "seasonal-naive": 0.012}
    )
    assert sentence == "lstm beats the seasonal naive (MAE 12.3% lower, p = 0.012)."


@pytest.mark.parametrize(
    ("gain", "p", "said"),
    [
        (0.05, 0.001, "use lstm rather than the log-HAR"),
        (0.01, 0.4, "use the log-HAR, which is simpler, rather than lstm"),
        (-0.05, 0.001, "use the log-HAR, which is simpler, rather than lstm"),
    ],
)
def test_of_a_volatility_it_is_said_which_of_the_two_to_use(gain: float, p: float, said: str) -> None:
    skill: dict[str, float | None] = {"persistence": 0.3, "log-har": gain}
    sentence = verdict("lstm", skill, {"persistence": 0.001, "log-har": p}, skill_of="QLIKE")
    assert f"; {said}." in sentence
    assert "the log-HAR (QLIKE" in sentence


def test_a_trend_that_is_simply_carried_on_is_a_reference_too() -> None:
    skill = {"persistence": 0.6, "seasonal-naive": 0.6, "drift": -0.9}
    sentence = verdict("lstm", skill, dict.fromkeys(skill, 0.001))
    assert (
        sentence == "lstm is worse than the drift (MAE 90.0% higher, p = 0.001, p = 0.003 as the hardest of 3 to beat)."
    )


def test_a_loss_is_said_plainly() -> None:
    sentence = verdict(
        "lstm", {"persistence": -0.25, "seasonal-naive": 0.3}, {"persistence": 0.0004, "seasonal-naive": 0.001}
    )
    assert sentence == "lstm is worse than the last value (MAE 25.0% higher, p < 0.001)."


def test_the_worst_of_several_is_no_evidence_by_itself() -> None:
    sentence = verdict(
        "lstm", {"persistence": -0.25, "seasonal-naive": 0.3}, {"persistence": 0.03, "seasonal-naive": 0.001}
    )
    figures = "MAE 25.0% higher, p = 0.03, p = 0.06 as the hardest of 2 to beat"
    assert sentence == f"No evidence that lstm beats the last value ({figures})."


def test_an_error_of_many_times_is_not_said_in_percent() -> None:
    sentence = verdict("lstm", {"persistence": -14.38}, {"persistence": 0.023})
    assert sentence == "lstm is worse than the last value (MAE 15 times as high, p = 0.023)."


@pytest.mark.parametrize(
    ("gain", "least", "said"),
    [
        (
            0.03,
            0.27,
            "; 60 windows show only leads over it of about 27% or more, and to show 3.0% takes some 4,900 of them",
        ),
        (0.001, 0.27, "; 60 windows show only leads over it of about 27% or more"),  # some 4 million
        (-0.03, 0.27, "; 60 windows show only leads over it of about 27% or more"),
        (0.03, None, "; 60 windows are too few to show any lead over it"),
        (0.03, 1.4, "; 60 windows are too few to show any lead over it"),
    ],
)
def test_beside_no_evidence_it_is_said_what_could_have_been_found(gain: float, least: float | None, said: str) -> None:
    counts = {"n_windows": 60, "n_origins": 60, "detectable": {"persistence": least}}
    sentence = verdict("lstm", {"persistence": gain}, {"persistence": 0.4}, **counts)
    side = "lower" if gain > 0 else "higher"
    assert sentence == f"No evidence that lstm beats the last value (MAE {abs(gain):.1%} {side}, p = 0.4){said}."
    of_panel = verdict("lstm", {"persistence": gain}, {"persistence": 0.4}, **{**counts, "n_windows": 240})
    assert of_panel == sentence.replace("windows", "origins")
    untested = verdict("lstm", {"persistence": gain}, {"persistence": None}, **counts)
    assert untested.endswith("too few windows to test).")


@pytest.mark.parametrize(
    ("unscaled", "unscored", "said"),
    [
        ("b", "", "1 of 4 series is not in this sentence, having no scale to be judged by"),
        ("", "bc", "2 of 4 series are not in this sentence, having no window that could be scored"),
        (
            "b",
            "c",
            "1 of 4 series is not in this sentence, having no scale to be judged by; 1 of 4 series is not in this "
            "sentence, having no window that could be scored",
        ),
    ],
)
def test_series_that_are_not_judged_are_not_passed_over_in_silence(unscaled: str, unscored: str, said: str) -> None:
    naive_error = {name: {"mae": 0.0 if name in unscaled else 1.0} for name in "abcd"}
    by_series = {name: {"lstm": 0.7, "persistence": 1.0} for name in "abcd" if name not in unscored}
    more = {"unscaled": list(unscaled), "naive_error": naive_error, "by_series": by_series, "skill_of": "MASE"}
    sentence = verdict("lstm", {"persistence": 0.3}, {"persistence": 0.001}, **more)
    assert sentence == f"lstm beats the last value (MASE 30.0% lower, p = 0.001); {said}."


def test_a_series_that_alone_decides_is_named_with_what_the_others_say() -> None:
    naive_error = {name: {"mae": 2.0} for name in "abcde"}
    by_series = {name: {"lstm": 1.0 + n, "persistence": 4.0} for n, name in enumerate("abcd")} | {
        "e": {"lstm": 2e9, "persistence": 1e9}
    }
    more = {"naive_error": naive_error, "by_series": by_series, "skill_of": "MASE"}
    sentence = verdict("lstm", {"persistence": -1.0}, {"persistence": 0.5}, **more)
    lead = 1 - np.mean([1, 2, 3, 4]) / 4
    assert f"; one series, 'e', decides the comparison: the mean MASE of the others is {lead:.1%} lower." in sentence
    usual = {**more, "by_series": by_series | {"e": {"lstm": 9.0, "persistence": 9.0}}}  # less than the others' 10
    assert "decides" not in verdict("lstm", {"persistence": -1.0}, {"persistence": 0.5}, **usual)


def test_a_network_that_adds_nothing_to_its_linear_map_is_said_to() -> None:
    skill, p = {"persistence": 0.3, "rnn": 0.0}, {"persistence": 0.001, "rnn": 1.0}
    alike = verdict("lstm", skill, p, linear_alone=["lstm", "rnn"])
    assert alike == (
        "lstm beats the last value (MAE 30.0% lower, p = 0.001); the network adds nothing to the linear map beside it, "
        "nor does the vanilla RNN: the two are the same forecast."
    )
    alone = verdict("lstm", skill | {"rnn": 0.1}, p, linear_alone=["lstm"])
    assert "; the network adds nothing to the linear map beside it; it cannot be distinguished from the van" in alone
    assert "linear map" not in verdict("lstm", skill, p, linear_alone=["rnn"])
    smoothed = verdict("lstm", skill, p, network_adds_nothing_to={"lstm": "exponential smoothing"})
    assert "; the network adds nothing to exponential smoothing; it" in smoothed


@pytest.mark.parametrize(
    ("gain", "p", "said"),
    [
        (0.2, 0.3, "MAE 20.0% lower, p = 0.3"),
        (0.2, 0.05, "MAE 20.0% lower, p = 0.05"),
        (0.2, None, "MAE 20.0% lower, too few windows to test"),
        (-0.1, 0.6, "MAE 10.0% higher, p = 0.6, p = 1 as the hardest of 2 to beat"),
    ],
)
def test_without_evidence_no_skill_is_claimed(gain: float, p: float | None, said: str) -> None:
    sentence = verdict("gru", {"persistence": gain, "seasonal-naive": 0.9}, {"persistence": p, "seasonal-naive": 1e-6})
    assert sentence == f"No evidence that gru beats the last value ({said})."


def test_a_tie_is_no_evidence() -> None:
    # Two series of which one is won and one is lost by the same amount: certain, and still no difference.
    sentence = verdict("lstm", {"persistence": 0.0, "seasonal-naive": 0.5}, {"persistence": 1.0, "seasonal-naive": 0.0})
    assert sentence.startswith("No evidence that lstm beats the last value")


@pytest.mark.parametrize(
    ("gain", "p", "said"),
    [
        (0.05, 0.001, "in these two fits it is better than the vanilla RNN (MAE 5.0% lower, p = 0.001)."),
        (-0.05, 0.001, "in these two fits it is worse than the vanilla RNN (MAE 5.0% higher, p = 0.001)."),
        (0.05, 0.2, "it cannot be distinguished from the vanilla RNN (MAE 5.0% lower, p = 0.2)."),
        (0.05, None, "it cannot be distinguished from the vanilla RNN (MAE 5.0% lower, too few windows to test)."),
    ],
)
def test_the_vanilla_rnn_has_its_own_clause(gain: float, p: float | None, said: str) -> None:
    skill = {"rnn": gain, "persistence": 0.4, "seasonal-naive": 0.6}
    sentence = verdict("lstm", skill, {"rnn": p, "persistence": 0.02, "seasonal-naive": 0.02})
    assert sentence == f"lstm beats the last value (MAE 40.0% lower, p = 0.02); {said}"


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ([1, 2, 3, 4], ""),
        ([1, 2], "; beyond step 2 there is no evidence that it beats the last value"),
        ([3, 4], "; up to step 2 there is no evidence that it beats the last value"),
        ([2, 3, 4], "; at the first step there is no evidence that it beats the last value"),
        ([2, 3], "; there is evidence that it beats the last value only from step 2 to step 3"),
        ([1, 4], "; there is evidence that it beats the last value at only 2 of 4 steps"),
        ([1, 3], "; there is evidence that it beats the last value at only 2 of 4 steps"),
        ([2], "; there is evidence that it beats the last value only at step 2"),
        ([], "; there is no evidence at any single step that it beats the last value"),
    ],
)
def test_a_lead_that_is_not_shown_at_every_step_is_said_to_end(shown: list[int], said: str) -> None:
    gains = {"persistence": [0.3] * 4, "seasonal-naive": [0.5] * 4}
    p = {"persistence": [0.001 if step in shown else 0.2 for step in range(1, 5)], "seasonal-naive": [1e-9] * 4}
    skill, overall = {"persistence": 0.3, "seasonal-naive": 0.5}, {"persistence": 0.001, "seasonal-naive": 1e-9}
    sentence = verdict("lstm", skill, overall, skill_by_step=gains, p_by_step=p)
    assert sentence == f"lstm beats the last value (MAE 30.0% lower, p = 0.001){said}."


def test_a_step_that_is_worse_is_not_shown() -> None:
    p = {"persistence": [1e-9] * 3}
    gains = {"persistence": [0.4, 0.3, -0.2]}
    sentence = verdict("lstm", {"persistence": 0.3}, {"persistence": 1e-9}, skill_by_step=gains, p_by_step=p)
    assert sentence.endswith("; beyond step 2 there is no evidence that it beats the last value.")


def test_an_echo_is_called_by_its_name_unless_it_has_skill() -> None:
    delayed = {"best_lag": [-1, -2], "difference_skill": 0.0, "delayed": True}
    skill = {"persistence": 0.01, "seasonal-naive": 0.4}
    p = {"persistence": 0.6, "seasonal-naive": 1e-9}
    assert verdict("lstm", skill, p, echo=delayed) == (
        "No evidence that lstm beats the last value (MAE 1.0% lower, p = 0.6): its forecasts are the last value, "
        "delayed."
    )
    assert "delayed" not in verdict("lstm", skill, p, echo={**delayed, "delayed": False})


@pytest.mark.parametrize(
    ("gain", "p", "n_windows", "echo"),
    [
        (0.01, 0.6, 200, True),
        (-0.2, 0.001, 200, True),
        (-0.3, 0.001, 200, False),  # the last value does not err like that
        (0.01, None, 200, True),
        (0.01, 0.001, 200, False),  # better, if only a little
        (0.4, 0.3, 200, False),  # plainly better, though luck may have had a hand in it
        (0.01, 0.6, 29, False),  # too few windows look like anything
        (None, None, 200, False),
    ],
)
def test_a_forecast_with_skill_is_no_echo(gain: float | None, p: float | None, n_windows: int, echo: bool) -> None:
    assert module.is_echo({"persistence": gain}, {"persistence": p}, n_windows) == echo


def test_perfect_naive_forecasts_leave_nothing_to_win() -> None:
    nothing = {"persistence": None, "seasonal-naive": None}
    assert verdict("lstm", nothing, nothing) == (
        "lstm: the naive forecasts are already perfect here, so no skill can be measured."
    )
    assert verdict("lstm", nothing | {"rnn": -0.37}, nothing | {"rnn": 0.0084}) == (
        "lstm: the naive forecasts are already perfect here, so no skill can be measured; in these two fits it is "
        "worse than the vanilla RNN (MAE 37.0% higher, p = 0.0084)."
    )


@pytest.mark.parametrize(("perfect", "other"), [("persistence", "seasonal-naive"), ("seasonal-naive", "persistence")])
def test_one_perfect_naive_forecast_cannot_be_beaten(perfect: str, other: str) -> None:
    # The model is worse than a forecast without error, however well it does against the other one.
    sentence = verdict("lstm", {perfect: None, other: 0.5}, {perfect: 1e-9, other: 1e-9})
    assert "beats" not in sentence.removeprefix("No evidence that lstm beats")


# The echo test knows the last value, delayed, from a forecast, on any level and scale.


def walk(n: int = 800) -> Floats:
    return np.cumsum(np.random.default_rng(0).normal(size=n))


def cycle(n: int = 800) -> Floats:
    return 5 * np.sin(2 * np.pi * np.arange(n) / 24) + np.random.default_rng(1).normal(0, 0.5, n)


def echo_of(series: Floats, y_pred: Floats, chunk: int = 10_000) -> Echo:
    """The echo of forecasts [n, H] from every origin of a series."""
    sums = EchoSums(HORIZON)
    y_true = np.lib.stride_tricks.sliding_window_view(series[1:], HORIZON)
    last = series[: len(y_true)]
    for first in range(0, len(y_true), chunk):
        part = slice(first, first + chunk)
        sums.add(y_true[part], y_pred[: len(y_true)][part], last[part])
    return sums.echo()


@pytest.mark.parametrize("series", [walk(), cycle()])
def test_the_last_value_is_an_echo(series: Floats) -> None:
    echo = echo_of(series, np.repeat(series[:, None], HORIZON, axis=1))
    assert echo.best_lag == (-1, -2, -3, -4, -5, -6)
    assert echo.delayed
    assert echo.difference_skill == pytest.approx(0)


def test_so_is_the_last_value_with_a_little_noise() -> None:
    series = walk()
    noise = np.random.default_rng(2).normal(0, 0.05, (len(series), HORIZON))
    assert echo_of(series, series[:, None] + noise).delayed


def test_a_forecast_tells_of_the_time_that_it_is_for() -> None:
    series = cycle()
    phase = 2 * np.pi * (np.arange(len(series))[:, None] + np.arange(1, HORIZON + 1)) / 24
    echo = echo_of(series, 5 * np.sin(phase))
    assert echo.best_lag == (0,) * HORIZON
    assert not echo.delayed
    assert echo.difference_skill > 0.1


def test_chunks_change_nothing() -> None:
    series = walk()
    y_pred = np.random.default_rng(3).normal(size=(len(series), HORIZON))
    whole, parts = echo_of(series, y_pred), echo_of(series, y_pred, chunk=17)
    assert whole.best_lag == parts.best_lag
    assert whole.difference_skill == pytest.approx(parts.difference_skill)


def test_a_series_that_never_moves_is_no_echo() -> None:
    echo = echo_of(np.full(50, 3.0), np.full((50, HORIZON), 3.0))
    assert echo.best_lag == (0,) * HORIZON
    assert not echo.delayed
    assert math.isnan(echo.difference_skill)


@pytest.mark.parametrize(
    ("lags", "delayed"),
    [((-1, -2, -3, -4), True), ((0, -2, -3, -4), True), ((-1, -2, -3, 0), False), ((0, 0, -3, -4), False)],
)
def test_most_steps_and_the_last_decide(lags: tuple[int, ...], delayed: bool) -> None:
    assert Echo(lags, 0.0).delayed == delayed


def test_the_echo_is_of_what_was_observed() -> None:
    for series, delayed in ((walk(), True), (cycle(), False)):
        gone = np.random.default_rng(4).random(len(series)) < 0.3
        holed = np.where(gone, np.nan, series)
        last = pd.Series(holed).ffill().bfill().to_numpy()
        phase = 2 * np.pi * (np.arange(len(series))[:, None] + np.arange(1, HORIZON + 1)) / 24
        y_pred = np.repeat(last[:, None], HORIZON, axis=1) if delayed else 5 * np.sin(phase)
        y_true = np.lib.stride_tricks.sliding_window_view(holed[1:], HORIZON)
        n, sums = len(y_true), EchoSums(HORIZON)
        for part in (slice(0, 100), slice(100, None)):
            sums.add(y_true[part], y_pred[:n][part], last[:n][part])
        echo = sums.echo()
        assert echo.delayed == delayed
        assert all(lag == (-step if delayed else 0) for step, lag in enumerate(echo.best_lag, 1))
        change = np.diff(np.column_stack([last[:n], y_true]), axis=1)
        forecast = np.diff(np.column_stack([last[:n], y_pred[:n]]), axis=1)
        expected = 1 - np.nansum(np.abs(change - forecast)) / np.nansum(np.abs(change))
        assert echo.difference_skill == pytest.approx(expected)
