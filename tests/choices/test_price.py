"""What is taken for a price: names and random walks on business days, and nothing that returns to its level."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.choices.price import variance_ratio, why_price
from forecast.data.clock import Clock
from forecast.data.panel import Panel

RNG = np.random.default_rng(0)
WALK = 50 * np.exp(0.01 * RNG.normal(size=700).cumsum())
CALLS = 200 * np.tile([1.3, 1.1, 1.0, 0.9, 0.7], 140) * np.exp(0.1 * RNG.normal(size=700))
TREND = np.linspace(100, 300, 700) + RNG.normal(0, 5, 700)
SLOW = 100 + 20 * np.sin(np.arange(700) / 40) + RNG.normal(0, 5, 700)  # a cycle of a year


def panel_of(values: np.ndarray, name: str, freq: str = "B") -> Panel:
    return Panel(
        values[:, None].copy(), Clock(freq).future(np.datetime64("2015-01-01", "us"), len(values)), (name,), Clock(freq)
    )


@pytest.mark.parametrize(
    ("values", "name", "why"),
    [
        (WALK, "v", "for its logarithm moves like a random walk"),
        (WALK, "calls", "for its logarithm moves like a random walk"),
        (CALLS, "Adj Close", "by its name"),
        (CALLS, "spot_price", "by its name"),
        (CALLS, "calls", ""),
        (CALLS, "enclosed", ""),
        (TREND, "visits", ""),
        (SLOW, "visits", ""),
        (WALK[:150], "v", ""),  # too few to tell
        (WALK - 60, "price", ""),
    ],
)
def test_why(values: np.ndarray, name: str, why: str) -> None:
    panel, every = panel_of(values, name), np.ones(len(values), bool)
    assert why_price(panel, name, every, every) == why
    assert not why_price(panel_of(values, name, "D"), name, every, every)


def test_no_value_of_the_test_span_decides() -> None:
    panel, training_rows, known_rows = panel_of(WALK, "v"), np.arange(700) < 490, np.arange(700) < 560
    for later in (0.0, -5.0, 1e9, np.nan):
        panel.values[560:] = later
        assert why_price(panel, "v", training_rows, known_rows) == "for its logarithm moves like a random walk"
    panel.values[559] = 0  # the validation span has no logarithm
    assert why_price(panel, "v", training_rows, known_rows) == ""


def test_the_ratio_is_that_of_the_definition() -> None:
    changes = np.diff(WALK) - np.diff(WALK).mean()
    sums = np.array([changes[k : k + 20].sum() for k in range(len(changes) - 19)])
    assert variance_ratio(WALK) == pytest.approx((sums**2).mean() / (20 * (changes**2).mean()))
