"""Covariates that are nearly the target: at which shift, across what, and which are not."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.commands.train import near_copies
from forecast.commands.train.near_copies import near_copies_of_target
from forecast.data.clock import Clock
from forecast.data.panel import Panel

HORIZON = 6


def panel_of(y: np.ndarray, x: np.ndarray, days: np.ndarray | None = None, *lengths: int) -> Panel:
    """A target and a covariate, one value a day."""
    start = np.datetime64("2020-01-01", "us")
    return Panel(
        values=np.column_stack([y, x]),
        times=start + (np.arange(len(y)) if days is None else days) * np.timedelta64(1, "D"),
        columns=("y", "x"),
        clock=Clock("D"),
        series_ids=tuple(f"s{number}" for number in range(len(lengths))) or ("",),
        offsets=tuple(np.cumsum([0, *lengths]).tolist()) if lengths else (),
    )


def found(panel: Panel, n_known: int = 0, compared: slice = slice(None)) -> tuple[str, ...]:
    rows = np.zeros(panel.n_rows, bool)
    rows[compared] = True
    return near_copies_of_target(panel, rows, 1, n_known, HORIZON)


def noise(n_rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n_rows)


@pytest.mark.parametrize("shift", range(1, HORIZON + 1))
def test_the_step_is_named(shift: int) -> None:
    y = noise(300)
    (sentence,) = found(panel_of(y[:-shift], 32 - 1.8 * y[shift:] + 0.01 * noise(300 - shift, seed=1)))
    plural = "" if shift == 1 else "s"
    assert sentence == f"covariate 'x' is nearly a copy of the target 'y' {shift} step{plural} later: a leak?"


def test_a_slow_target_is_found_at_the_step_that_fits_best() -> None:
    walk = noise(3000).cumsum()
    (sentence,) = found(panel_of(walk[:-4], walk[4:]))
    assert "4 steps later" in sentence


def test_what_resembles_a_slow_target_later_only_because_it_does_now_is_none() -> None:
    y = np.arange(1000.0) + 0.3 * noise(1000)
    (sentence,) = found(panel_of(y, np.arange(1000.0) + 0.3 * noise(1000, seed=1)))
    assert sentence == "covariate 'x' is nearly a copy of the target 'y': a leak?"


def test_steps_are_counted_on_the_clock_and_never_across_series() -> None:
    # Three days of ten are absent: the target two rows on is often five steps on.
    days = np.flatnonzero(np.arange(900) % 10 < 7)
    y = noise(900 + 5)
    (sentence,) = found(panel_of(y[days], y[days + 5], days))
    assert "5 steps later" in sentence
    # In short series most pairs of rows five apart belong to two of them.
    days = np.tile(np.arange(8), 100)
    y = noise(100 * 13).reshape(100, 13)
    (sentence,) = found(panel_of(y[:, :8].ravel(), y[:, 5:].ravel(), days, *[8] * 100))
    assert "5 steps later" in sentence


def test_what_is_known_ahead_may_not_be_a_target_of_fewer_than_h_steps_ago() -> None:
    y = noise(300)
    lagged = panel_of(y[4:], y[:-4])
    assert found(lagged) == ()  # a past covariate is free to be the past
    (sentence,) = found(lagged, n_known=1)
    assert sentence == "covariate 'x', known ahead, is nearly a copy of the target 'y' 4 steps earlier: a leak?"
    assert found(panel_of(y[HORIZON:], y[:-HORIZON]), n_known=1) == ()


def test_only_the_rows_in_question_count() -> None:
    y = noise(300)
    x = np.r_[noise(150, seed=1), y[150:]]
    assert found(panel_of(y, x), compared=slice(150)) == ()
    assert len(found(panel_of(y, x), compared=slice(150, None))) == 1


@pytest.mark.parametrize("x", [np.ones(100), np.full(100, np.nan), np.r_[np.full(90, np.nan), noise(10)]])
def test_what_does_not_move_or_is_hardly_seen_is_none(x: np.ndarray) -> None:
    assert found(panel_of(noise(100), x)) == ()


def correlations_by_loop(panel: Panel, compared: np.ndarray, horizon: int, one: int, other: int) -> np.ndarray:
    """What `_correlations` computes by Fourier transforms, from every pair of rows: [2 H + 1], indexed by the shift."""
    steps, series = panel.clock.ordinals(panel.times), panel.series_of_row()
    found = np.zeros(2 * horizon + 1)
    for shift in range(-horizon, horizon + 1):
        x, y = [], []
        for first in range(panel.n_rows):
            for second in range(panel.n_rows):
                values = panel.values[first, one], panel.values[second, other]
                apart = series[first] == series[second] and steps[second] - steps[first] == shift
                if apart and compared[first] and compared[second] and not np.isnan(values).any():
                    x.append(values[0])
                    y.append(values[1])
        if len(x) >= 20 and min(np.std(x), np.std(y)) > 1e-4:
            found[shift] = abs(np.corrcoef(x, y)[0, 1])
    return found


def broken_panel(gap: int) -> Panel:
    """Two walks with missing values, a column that does not move, ``gap`` absent rows, and two series."""
    rng = np.random.default_rng(0)
    values = np.where(rng.random((200, 3)) < 0.1, np.nan, rng.normal(size=(200, 3)).cumsum(axis=0))
    values[:, 2] = 4.0
    days = np.arange(200) + gap * (np.arange(200) >= 60)
    days[150:] = np.arange(50)
    times = np.datetime64("2020-01-01", "us") + days * np.timedelta64(1, "D")
    return Panel(values, times, tuple("yab"), Clock("D"), ("s", "t"), (0, 150, 200))


@pytest.mark.parametrize("gap", [0, 3, 60])
@pytest.mark.parametrize("piece", [40, near_copies._PIECE])
def test_fourier_transforms_say_what_a_loop_over_pairs_of_rows_says(
    gap: int, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_copies, "_PIECE", piece)
    panel, compared = broken_panel(gap), np.arange(200) % 50 < 45
    found = near_copies._correlations(panel, compared, 5, [(0, 0), (1, 0), (2, 0)])
    for (one, other), correlations in found.items():
        expected = correlations_by_loop(panel, compared, 5, one, other)
        np.testing.assert_allclose(correlations, expected, rtol=1e-9)
