"""Permutation importance: how much worse the forecasts get when an input is shuffled between windows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Floats

Float32s = NDArray[np.float32]

# Into how many parts the lookback is cut.
PARTS = 8

_SHUFFLES = 3


@dataclass(frozen=True)
class Importance:
    """Growth of the error when an input is shuffled, as a share of the error: mean and spread over shuffles."""

    growth: float
    spread: float


@dataclass(frozen=True)
class InputPart:
    """A part of the input: some columns of the window at some of its steps, and some of what is known ahead.

    Args:
        columns: Columns of the window.
        ahead: Columns of what is known ahead.
        steps: Steps of the window; None for all.
    """

    columns: Sequence[int]
    ahead: Sequence[int] = ()
    steps: slice | None = None


def permutation_importance(
    forecast: Callable[[Float32s, Float32s], Float32s],
    window: Float32s,
    future: Float32s,
    y_true: Floats,
    parts: Mapping[str, InputPart],
    seed: int = 0,
) -> dict[str, Importance]:
    """How much each part of the input matters to the forecasts.

    Args:
        forecast: From normalised windows [N, L, F] and what is known ahead [N, H, K] to forecasts [N, H, D].
        window: N normalised windows.
        future: What is known ahead of them.
        y_true: What came, [N, H, D].
        parts: What to shuffle, by name.
        seed: Decides the shuffles.

    Reference: Breiman 2001; Fisher, Rudin & Dominici 2019.
    """
    rng = np.random.default_rng(seed)
    error = float(np.abs(forecast(window, future) - y_true).mean())
    orders = [rng.permutation(len(window)) for _ in range(_SHUFFLES)]
    found = {}
    for name, part in parts.items():
        growths = []
        for order in orders:
            shuffled, ahead = window.copy(), future.copy()
            columns, steps = list(part.columns), part.steps or slice(None)
            shuffled[:, steps, columns] = window[order][:, steps, columns]
            ahead[:, :, list(part.ahead)] = future[order][:, :, list(part.ahead)]
            growths.append(float(np.abs(forecast(shuffled, ahead) - y_true).mean()) / error - 1 if error else 0.0)
        found[name] = Importance(float(np.mean(growths)), float(np.std(growths)))
    return found


def lookback_parts(lookback: int) -> list[slice]:
    """The lookback cut into at most `PARTS` parts, the newest first."""
    edges = np.linspace(0, lookback, min(PARTS, lookback) + 1).round().astype(int)
    return [slice(lookback - int(last), lookback - int(first)) for first, last in pairwise(edges)]
