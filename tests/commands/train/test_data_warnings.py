"""Warnings before training: series that cannot be scored, covariates that are nearly the target."""

from __future__ import annotations

import numpy as np
import pytest

import forecast
from forecast.choices.defaults import resolve
from forecast.commands.train.data_warnings import data_warnings
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.data.prepare import prepare

RNG = np.random.default_rng(0)


def warnings_of(
    values: np.ndarray, columns: tuple[str, ...], lengths: tuple[int, ...] = (120,), **data: str
) -> tuple[str, ...]:
    start = np.datetime64("2020-01-01", "us")
    times = np.concatenate([start + np.arange(n) * np.timedelta64(1, "D") for n in lengths])
    ids = ("",) if len(lengths) == 1 else tuple(f"s{number}" for number in range(len(lengths)))
    panel = Panel(values, times, columns, Clock("D"), ids, tuple(np.cumsum([0, *lengths]).tolist()))
    config = forecast.configure(target="y", lookback=6, horizon=3, calendar=False, **data)
    return data_warnings(panel, prepare(panel, resolve(config, panel)[0]))


@pytest.mark.parametrize(
    ("twin", "expected"),
    [
        (lambda y: 273.15 + 1.8 * y, ("covariate 'x' is nearly a copy of the target 'y': a leak?",)),
        (lambda y: -y, ("covariate 'x' is nearly a copy of the target 'y': a leak?",)),
        (lambda y: np.r_[y[3:], 0, 0, 0], ("covariate 'x' is nearly a copy of the target 'y' 3 steps later: a leak?",)),
        (lambda y: np.r_[y[1:], 0], ("covariate 'x' is nearly a copy of the target 'y' 1 step later: a leak?",)),
        (
            lambda y: np.r_[y[2:], np.nan, 0],
            ("covariate 'x' is nearly a copy of the target 'y' 2 steps later: a leak?",),
        ),
        (
            lambda y: np.r_[y[9:], np.zeros(9)],
            ("covariate 'x' is nearly a copy of the target 'y' 9 steps later: a leak?",),
        ),
        (lambda y: np.r_[y[10:], np.zeros(10)], ()),  # beyond the lookback of six and the horizon of three
        (lambda y: np.r_[0, 0, 0, y[:-3]], ()),  # the past is free to be known
        (lambda y: y + RNG.normal(0, 0.2, len(y)), ()),
    ],
)
def test_a_covariate_that_is_the_target_is_told(twin: object, expected: tuple[str, ...]) -> None:
    y = np.random.default_rng(1).normal(size=120)
    assert warnings_of(np.column_stack([y, twin(y)]), ("y", "x")) == expected  # type: ignore[operator]


def test_series_that_end_before_the_test_span_are_told() -> None:
    values = RNG.normal(size=(250, 1))
    (sentence,) = warnings_of(values, ("y",), (120, 30, 100), split="time")
    assert sentence == "1 of 3 series have no test window and are not scored: s1"


@pytest.mark.parametrize("test", [0.1, 0.2, 0.45])
def test_the_rows_that_a_series_lacks_are_those_that_would_give_it_a_window(test: float) -> None:
    lengths = (*range(4, 24), 200)
    values = RNG.normal(size=(sum(lengths), 1))
    untrained, unscored = warnings_of(values, ("y",), lengths, split="series", test=str(test), validation="0.1")[:2]
    # A training window takes 6 + 3 rows before the test, which is a share of the rows, and one horizon at least.
    needed = next(n for n in range(100) if n - max(int(round(test * n, 6)), 3) >= 9)
    for said, least, number in ((untrained, needed, needed - 4), (unscored, 9, 5)):
        assert said.startswith(f"{number} of 21 series have no")  # those of 4 rows and more, up to one too few
        assert f"s0 ({least - 4} rows too few), s1 ({least - 5} rows too few)" in said
    assert "s4 (1 row too few)" in unscored


@pytest.mark.parametrize(("covariates", "what"), [("none", "it is left out"), ("x", "nothing can be learnt about it")])
def test_a_column_that_begins_to_move_after_training_is_told(covariates: str, what: str) -> None:
    values = np.column_stack([RNG.normal(size=120), np.r_[np.full(100, 5.0), np.arange(20)]])
    sentences = warnings_of(values, ("y", "x"), covariates=covariates)
    assert sentences == (f"column 'x' has one value in all training rows and others later: {what}",)


@pytest.mark.parametrize(("rows", "said"), [(16, "1 window to learn from: too few"), (60, "")])
def test_a_training_on_few_windows_is_called_a_trial(rows: int, said: str) -> None:
    told = [text for text in warnings_of(RNG.normal(size=(rows, 1)), ("y",), (rows,)) if "to learn from" in text]
    assert [text[: len(said)] for text in told] == ([said] if said else [])
