"""What was found in the errors, in sentences: nothing that chance or rounding explains."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter

from forecast.data.clock import Clock
from forecast.plots.diagnosis import errors_by_clock, reliability_of, residuals_of
from forecast.plots.findings import (
    clock_errors_in_words,
    hindsight_in_words,
    reliability_in_words,
    residuals_in_words,
    steps_that_differ,
)
from forecast.plots.style import Labels

LABELS = Labels("station", "temperature", "°C", Clock("h"), "lstm", "rnn")


def table(observed: np.ndarray, forecast: np.ndarray) -> pd.DataFrame:
    times = pd.date_range("2001-01-01", periods=len(observed), freq="h")
    return pd.DataFrame({"ds": times, "y": observed, "lstm": forecast})


def pattern(observed: np.ndarray, forecast: np.ndarray) -> str:
    return residuals_in_words(residuals_of(table(observed, forecast), "lstm", 1, Clock("h"), 24), LABELS)


@pytest.mark.parametrize(
    ("skill", "p", "said"),
    [
        ([0.3, -0.2, -0.1], [0.01, 0.02, 0.5], "significantly better at 1 and worse at 1 of 3 steps"),
        ([0.3, -0.2, -0.1], [0.2, 0.02, 0.04], "significantly worse at 2 of 3 steps"),
        ([0.3, 0.2, 0.1], [0.01, 0.02, 0.03], "significantly better at all 3 steps"),
        ([0.3, None, 0.1], [0.1, None, 0.05], "no significant difference at any of 3 steps"),
        ([-0.3], [0.01], "significantly worse at the one step"),
        ([-0.3], [0.3], "no significant difference at the one step"),
    ],
)
def test_steps_that_differ_are_told_by_their_side(skill: list[float], p: list[float | None], said: str) -> None:
    assert steps_that_differ(skill, p) == said


def test_of_a_constant_neither_slope_nor_pattern_is_told() -> None:
    observed, forecast = np.full(60, 7.0), 7.1 + 0.05 * np.sin(np.arange(60) / 4)
    assert pattern(observed, forecast) == "What is observed never changes, so there is no pattern to learn."
    said = reliability_in_words(reliability_of(table(observed, forecast), "lstm"), LABELS)
    bias = (forecast - 7).mean()
    assert said == (
        "What is observed never changes, so no swing of what the LSTM forecasts is right. "
        f"Overall, it forecasts {bias:.3f} °C too much."
    )


def test_a_slope_is_told_by_its_side() -> None:
    observed = np.random.default_rng(1).normal(size=60)
    for slope, said in ((0.5, "0.500 more"), (-0.25, "0.250 less")):
        reliability = reliability_of(table(observed, observed / slope + 1), "lstm")
        sentence = reliability_in_words(reliability, LABELS)
        assert sentence.startswith(f"Where the LSTM forecasts 1 more, {said} is observed on average (1 more is ideal).")
    still = reliability_of(table(observed, np.full(60, 0.1)), "lstm")
    assert "What the LSTM forecasts never changes" in reliability_in_words(still, LABELS)


def test_few_autocorrelations_tell_no_pattern() -> None:
    wave = np.sin(np.arange(400) / 4)
    assert pattern(wave[:8], np.zeros(8)).startswith(
        "The test span is too short to tell a pattern from chance: of its 2 autocorrelations one step ahead, the"
    )
    assert "more than chance explains: something is left to learn" in pattern(wave, np.zeros(400))
    noise = np.random.default_rng(2).normal(size=400)
    assert "of 48 autocorrelations lie outside the band, about as many as chance" in pattern(noise, np.zeros(400))


def by_clock(errors: np.ndarray) -> list[str]:
    frame = table(errors, np.zeros(len(errors))).assign(unique_id="y")
    return clock_errors_in_words(list(errors_by_clock(frame, ["lstm"], Clock("h"))), "lstm")


def test_what_chance_explains_is_no_finding_by_the_clock() -> None:
    white = np.random.default_rng(3).normal(size=(40, 24 * 8))  # forty series of eight days
    said = [by_clock(errors) for errors in white]
    assert sum("is largest" in sentence for sentences in said for sentence in sentences) <= 3
    assert {sentences[1] for sentences in said} == {"By weekday, one week is too short to tell."}
    slow = lfilter([1], [1, -0.9], white)  # errors that last for hours
    assert sum("is largest" in by_clock(errors)[0] for errors in slow) <= 3


def test_an_error_that_belongs_to_an_hour_is_found() -> None:
    errors = np.random.default_rng(4).normal(size=(60, 24))
    errors[:, 6] *= 3
    hour, weekday, month = by_clock(errors.ravel())
    assert hour.startswith("By hour, the error is largest at 06:00, ")
    assert hour.endswith("(p = 0.006, over 60 days).")  # as small as 499 orders can make it, times the three parts
    assert weekday == "By weekday, the error differs no more over 8 weeks than chance explains."
    assert month == "By month, one year is too short to tell."


@pytest.mark.parametrize(
    ("later", "said"), [(1.5, "25% less (MAE 1.5 instead of 2)"), (2.5, "no less (MAE 2.5 instead")]
)
def test_hindsight_is_told_as_it_is(later: float, said: str) -> None:
    scores = {"models": {"lstm": {"mae": 2.0}}}
    assert hindsight_in_words(scores, "lstm") == ""
    assert hindsight_in_words(scores | {"hindsight": {"columns": [], "models": {}}}, "lstm") == ""
    fed = {"columns": ["temp"], "models": {"lstm": {"mae": later}}}
    assert f"would have seemed to err {said}" in hindsight_in_words(scores | {"hindsight": fed}, "lstm")
