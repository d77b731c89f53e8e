"""Losses of forecasts that are equally good, at origins whose horizons overlap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter

from forecast.data.panel import Floats
from honesty.series import garch_sizes

# Steps that are simulated before the first one that counts.
_WARM_UP = 200


def steady(rng: np.random.Generator, shocks: Floats) -> Floats:
    """The sizes of the shocks [T]: always the same."""
    return np.ones(len(shocks))


def calm_and_wild(rng: np.random.Generator, shocks: Floats) -> Floats:
    """As on a market: large after large shocks, [T]."""
    return garch_sizes(shocks)


def shifting(rng: np.random.Generator, shocks: Floats) -> Floats:
    """Thrice as large from some step on, [T]."""
    return np.where(np.arange(len(shocks)) < rng.uniform(0.2, 0.8) * len(shocks), 1.0, 3.0)


def in_a_burst(rng: np.random.Generator, shocks: Floats) -> Floats:
    """Ten times as large on a stretch of a twentieth of the steps, [T]."""
    return np.where((np.arange(len(shocks)) - rng.integers(len(shocks))) % len(shocks) < len(shocks) // 20, 10.0, 1.0)


# Name: the sizes of the shocks, and the coefficient by which errors carry on to the next step.
LOSSES: dict[str, tuple[Callable[[np.random.Generator, Floats], Floats], float]] = {
    "independent": (steady, 0.0),
    "correlated": (steady, 0.7),
    "GARCH": (calm_and_wild, 0.3),
    "shifting": (shifting, 0.3),
    "bursts": (in_a_burst, 0.3),
}


def equal_losses(kind: str, n: int, horizon: int, count: int, rng: np.random.Generator) -> Floats:
    """The absolute errors of forecasts that are equally good, at each origin and step, [count, n, H].

    All miss the same shocks, and each adds errors of its own of the same size.

    Args:
        kind: One of `LOSSES`.
        n: Number of origins, one step apart.
        horizon: H.
        count: Number of forecasts.
        rng: Draws the shocks.
    """
    sizes_of, carried = LOSSES[kind]
    steps = _WARM_UP + n + horizon - 1
    shocks, own = rng.normal(size=steps), rng.normal(size=(count, steps))
    errors = lfilter([1], [1, -carried], sizes_of(rng, shocks) * (shocks + own))[:, _WARM_UP:]
    return np.lib.stride_tricks.sliding_window_view(np.abs(errors), horizon, axis=1)
