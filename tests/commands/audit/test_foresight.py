"""Columns that know a target's future are found in the form that they know it in; honest ones are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from forecast.commands.audit.foresight import Doubt, doubts_about_foresight, foresights, honest_reach
from forecast.data.clock import Clock
from forecast.data.panel import Panel

LOOKBACK, HORIZON = 24, 6


def panel_of(*columns: np.ndarray, lengths: tuple[int, ...] = ()) -> Panel:
    """Hours of the columns y, x, z."""
    n_rows = len(columns[0])
    lengths = lengths or (n_rows,)
    start = np.datetime64("2020-01-01", "us")
    return Panel(
        values=np.column_stack(columns),
        times=np.concatenate([start + np.arange(n) * np.timedelta64(1, "h") for n in lengths]),
        columns=("y", "x", "z")[: len(columns)],
        clock=Clock("h"),
        series_ids=tuple(f"s{number}" for number in range(len(lengths))),
        offsets=tuple(np.cumsum([0, *lengths]).tolist()),
    )


def autoregression(rho: float, n_rows: int = 600, seed: int = 0, shocks: np.ndarray | None = None) -> np.ndarray:
    shocks = np.random.default_rng(seed).normal(size=n_rows) if shocks is None else shocks
    y = np.zeros(n_rows)
    for row in range(1, n_rows):
        y[row] = rho * y[row - 1] + shocks[row]
    return y


def noise(n_rows: int = 600, seed: int = 9) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n_rows)


def found(panel: Panel, n_known: int = 0) -> list[Doubt]:
    return doubts_about_foresight(panel, 1, n_known, LOOKBACK, HORIZON)


def later(y: np.ndarray, steps: int) -> np.ndarray:
    return pd.Series(y).shift(-steps).to_numpy()


def mean_of(y: np.ndarray, steps: int, center: bool = False) -> np.ndarray:
    mean = pd.Series(y).rolling(steps, center=center).mean()
    return mean.to_numpy() if center else mean.shift(-steps).to_numpy()


LEAKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "a copy of the target 'y' 1 step later": lambda y: later(y, 1),
    "a copy of the target 'y' 9 steps later": lambda y: 7 - 2 * later(y, 9),
    "a copy of the target 'y' 30 steps later": lambda y: later(y, 30) + 0.1 * noise(),
    "a mean of the target 'y' over the next 6 steps": lambda y: mean_of(y, 6),
    "a mean of the target 'y' over the 10 steps before and after": lambda y: mean_of(y, 21, center=True),
}


@pytest.mark.parametrize("rho", [0.0, 0.7, 0.99])
@pytest.mark.parametrize("form", LEAKS)
def test_what_knows_the_future_is_found_in_its_form(form: str, rho: float) -> None:
    y = autoregression(rho)
    (doubt,) = found(panel_of(y, LEAKS[form](y), autoregression(0.9, seed=1)))
    assert doubt.sentence.startswith(f"covariate 'x' is nearly {form} (")
    assert doubt.strong
    assert doubt.column == 1


def test_the_share_is_that_of_the_regression_on_what_is_left() -> None:
    y = autoregression(0.8, 200)
    x = later(y, 5) + 0.5 * np.random.default_rng(3).normal(size=200)
    (told,) = foresights(panel := panel_of(y, x), panel.values, 0, [1], 8)
    rows, shares = np.arange(8, 192), []
    for half in np.array_split(rows, 2):
        means = [y[half[:, None] - np.arange(width)].mean(axis=1) for width in (1, 4, 8)]
        past = np.column_stack([np.ones(len(half)), *(y[half - lag] for lag in range(4)), *means])
        left = [values - past @ np.linalg.lstsq(past, values, rcond=None)[0] for values in (x[half], y[half + 5])]
        shares.append(np.corrcoef(*left)[0, 1] ** 2)
    assert (told.form, told.steps) == ("copy", 5)
    assert told.share == pytest.approx(min(shares))


def honest() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    y, shocks = autoregression(0.9), noise()
    hours = np.arange(600) * 2 * np.pi / 24
    driver = autoregression(0.5, shocks=noise(seed=5))
    driven = np.roll(driver, 2) * 0.87 + shocks
    return {
        "a lag": (y, later(y[::-1], 3)[::-1]),
        "a trailing mean": (y, pd.Series(y).rolling(6).mean().to_numpy()),
        "the same now": (y, y + 0.01 * shocks),
        "another walk": (np.cumsum(noise(seed=1)), np.cumsum(noise(seed=2))),
        "a season that is ahead": (np.sin(hours) + 0.2 * shocks, np.sin(hours + 1) + 0.2 * noise(seed=4)),
        "a driver of half of what is new": (autoregression(0.9, shocks=driven), driver),
    }


@pytest.mark.parametrize("name", honest())
def test_honest_columns_are_none(name: str) -> None:
    assert found(panel_of(*honest()[name])) == []


def test_targets_that_are_means_of_a_later_covariate() -> None:
    x = autoregression(0.7)
    (doubt,) = found(panel_of(mean_of(x, 5), x))
    assert (
        doubt.sentence
        == "the target 'y' is nearly a mean of 'x' over the next 5 steps: at an origin it was not known yet"
    )
    assert doubt.strong


def test_holes_gaps_and_several_series_hide_nothing() -> None:
    parts = [(y, later(y, 4)) for y in (autoregression(0.9, 300, seed) * 10**seed for seed in range(3))]
    y, x = (np.concatenate(each) for each in zip(*parts, strict=True))
    y[np.random.default_rng(0).integers(0, 900, 60)] = np.nan
    (doubt,) = found(panel_of(y, x, lengths=(300, 300, 300)))
    assert "copy of the target 'y' 4 steps later" in doubt.sentence


def test_what_is_known_ahead_is_a_doubt_if_it_is_nearly_the_target() -> None:
    y = autoregression(0.8)
    (measured,) = found(panel_of(y, y), n_known=1)
    assert measured.strong
    assert measured.sentence.startswith("'x', known ahead, is nearly a copy of the target 'y' (")
    (lagged,) = found(panel_of(y, later(y[::-1], 2)[::-1]), n_known=1)
    assert "a copy of the target 'y' 2 steps earlier" in lagged.sentence
    (good,) = found(panel_of(y, y + 0.2 * noise()), n_known=1)
    assert not good.strong
    assert found(panel_of(y, y + noise()), n_known=1) == []


def test_few_rows_say_nothing() -> None:
    y = autoregression(0.5, 50)
    assert found(panel_of(y, later(y, 1))) == []


def test_a_gap_above_honest_columns_begins_the_doubts() -> None:
    assert honest_reach([0.2, 0.7, 0.5]) == 0.7
    assert honest_reach([0.98, 0.3, 0.99]) == 0.3
    assert honest_reach([0.81]) == honest_reach([]) == 0.0
