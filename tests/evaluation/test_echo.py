"""The echo detector: it knows the last value delayed from a forecast, on any level and scale."""

from __future__ import annotations

import math

import numpy as np
import pytest

from forecast.data.panel import Floats
from forecast.evaluation.echo import Echo, EchoSums

HORIZON = 6


def walk(n: int = 800) -> Floats:
    return np.cumsum(np.random.default_rng(0).normal(size=n))


def cycle(n: int = 800) -> Floats:
    return 5 * np.sin(2 * np.pi * np.arange(n) / 24) + np.random.default_rng(1).normal(0, 0.5, n)


def echo_of(series: Floats, y_pred: Floats, chunk: int = 10_000) -> Echo:
    """The echo of forecasts [n, H] from every origin of a series."""
    tally = EchoSums(HORIZON)
    y_true = np.lib.stride_tricks.sliding_window_view(series[1:], HORIZON)
    last = series[: len(y_true)]
    for first in range(0, len(y_true), chunk):
        part = slice(first, first + chunk)
        tally.add(y_true[part], y_pred[: len(y_true)][part], last[part])
    return tally.echo()


@pytest.mark.parametrize("series", [walk(), cycle()])
def test_the_last_value_is_an_echo(series: Floats) -> None:
    found = echo_of(series, np.repeat(series[:, None], HORIZON, axis=1))
    assert found.best_lag == (-1, -2, -3, -4, -5, -6)
    assert found.delayed
    assert found.difference_skill == pytest.approx(0)


def test_so_is_the_last_value_with_a_little_noise() -> None:
    series = walk()
    noise = np.random.default_rng(2).normal(0, 0.05, (len(series), HORIZON))
    assert echo_of(series, series[:, None] + noise).delayed


def test_a_forecast_tells_of_the_time_that_it_is_for() -> None:
    series = cycle()
    phase = 2 * np.pi * (np.arange(len(series))[:, None] + np.arange(1, HORIZON + 1)) / 24
    found = echo_of(series, 5 * np.sin(phase))
    assert found.best_lag == (0,) * HORIZON
    assert not found.delayed
    assert found.difference_skill > 0.1


def test_chunks_change_nothing() -> None:
    series = walk()
    y_pred = np.random.default_rng(3).normal(size=(len(series), HORIZON))
    whole, parts = echo_of(series, y_pred), echo_of(series, y_pred, chunk=17)
    assert whole.best_lag == parts.best_lag
    assert whole.difference_skill == pytest.approx(parts.difference_skill)


def test_a_series_that_never_moves_is_no_echo() -> None:
    found = echo_of(np.full(50, 3.0), np.full((50, HORIZON), 3.0))
    assert found.best_lag == (0,) * HORIZON
    assert not found.delayed
    assert math.isnan(found.difference_skill)


@pytest.mark.parametrize(
    ("lags", "delayed"),
    [((-1, -2, -3, -4), True), ((0, -2, -3, -4), True), ((-1, -2, -3, 0), False), ((0, 0, -3, -4), False)],
)
def test_most_steps_and_the_last_decide(lags: tuple[int, ...], delayed: bool) -> None:
    assert Echo(lags, 0.0).delayed == delayed
