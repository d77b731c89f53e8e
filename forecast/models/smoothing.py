"""Exponential smoothing of a window, from which a network's forecast is counted: `normalise = smoothing`.

Smyl's ES-RNN (2020) smooths a series and lets a recurrent network learn what is left. Here several models with fixed
parameters smooth each window, and their forecasts are weighed by their own errors within it (Bates & Granger 1969).
With its parameters fixed, a model's errors and final states are linear in the window, so the whole is two products
with constant matrices instead of a loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Floats

# The models: each rate of the level with each rate of the trend, and of the season, None for no season. Beside a linear
# map, more models forecast no better on validation rows of monthly and quarterly panels (M3, tourism). A trend that is
# damped less gained there by itself, but ran away on hours and days.
_LEVELS, _TRENDS, _SEASONS, _DAMPING = (0.1, 0.3, 0.8), (0.0, 0.1), (None, 0.2), 0.9

# Levels of a long season, whose states are many; one of more steps is none to the models, for its matrices would
# outweigh any network.
_FEW_LEVELS, _LONG_SEASON, _LONGEST_SEASON = (0.1, 0.5), 60, 200

# Only the newest rows of a window are smoothed: so many, or so many seasons. The slowest level has forgotten the rest,
# and on hours of electricity, weather and transformers four days were worse than three.
_MOST_ROWS, _MOST_SEASONS = 72, 3

# Level, trend and season begin as those of so many of the oldest seasons, or blocks of rows where there is no season.
_FIRST_SEASONS, _BLOCK = 3, 4

# The weights are squared so often: they are inverse to the eighth power of the models' root mean square errors. With
# the fourth or the sixteenth, errors beside a linear map differed by 2 % at most on those panels. On simulated walks,
# levels, lines, seasons and local trends the eighth lay between them, which were a tenth apart at most.
_SQUARINGS = 2

# Added to squared errors on the scale of training rows, so that models without an error weigh alike.
_SMALLEST = 1e-8


@dataclass(frozen=True)
class Smoothing:
    """The sizes of what is smoothed and forecast.

    Args:
        lookback: L.
        horizon: H.
        cycle: m, the steps of the season; 1 for none.
    """

    lookback: int
    horizon: int
    cycle: int

    def forecast(self, ops: Any, past: Any, observed: Any = None) -> Any:
        """The forecasts of one target, [B, H].

        Args:
            ops: Those of a back end, of which it takes ``mean`` and ``reshape``.
            past: Windows, [B, L]. They had better be counted from a value near to theirs, for precision's sake.
            observed: 1 where a value was observed, 0 where it was filled, [B, L]; errors there count for nothing.
        """
        maps = maps_of(self)
        n_models, n_states = maps.states.shape[1:]
        n_errors, n_rows = maps.errors.shape[1], len(maps.errors)
        newest = past[:, self.lookback - n_rows :]
        errors = ops.reshape(newest @ maps.errors.reshape(n_rows, -1), (-1, n_errors, n_models))
        if observed is not None:
            errors = errors * ops.reshape(observed[:, self.lookback - n_errors :], (-1, n_errors, 1))
        weights = ops.reshape(1.0 / (ops.mean(errors * errors) + _SMALLEST), (-1, n_models, 1))
        for _ in range(_SQUARINGS):
            weights = weights / ops.mean(weights)  # which keeps them in range
            weights = weights * weights
        states = ops.reshape(newest @ maps.states.reshape(n_rows, -1), (-1, n_models, n_states))
        mixed = ops.mean(states * (weights / ops.mean(weights)))
        return ops.reshape(mixed, (-1, n_states)) @ maps.ahead


@dataclass(frozen=True)
class Maps:
    """What smoothing is in numbers, of K models and m steps of the season, over the newest R rows.

    Args:
        errors: From rows to the newest one-step errors, [R, n, K].
        states: From rows to final states, [R, K, m + 1]: level plus season of each of the m next steps, and the trend.
        ahead: From states to the horizon, [m + 1, H].
    """

    errors: NDArray[np.float32]
    states: NDArray[np.float32]
    ahead: NDArray[np.float32]


@lru_cache(maxsize=16)
def maps_of(sizes: Smoothing) -> Maps:
    """The constant matrices of these sizes: the recursions over windows of which one row is 1 and the others 0."""
    season = sizes.cycle if sizes.cycle <= min(sizes.lookback, _LONGEST_SEASON) else 1
    n_rows = min(sizes.lookback, max(_MOST_ROWS, _MOST_SEASONS * season))
    n_errors = max(1, min(2 * n_rows // 3, max(2 * _MOST_ROWS // 3, season)))
    levels = _FEW_LEVELS if season > _LONG_SEASON else _LEVELS
    models = list(product(levels, _TRENDS, _SEASONS if season > 1 else (None,)))
    errors, states = np.empty((n_rows, n_errors, len(models))), np.empty((n_rows, len(models), season + 1))
    for number, (level, trend, seasonal) in enumerate(models):
        of_model, last, slope, seasons = smooth(np.eye(n_rows), season, level, trend, _DAMPING, seasonal)
        errors[:, :, number] = of_model[:, n_rows - n_errors :]
        states[:, number] = np.column_stack([last[:, None] + seasons, slope])
    steps = np.arange(1, sizes.horizon + 1)
    repeated = (steps - 1) % season == np.arange(season)[:, None]
    ahead = np.vstack([repeated, np.cumsum(_DAMPING**steps)])
    return Maps(errors.astype(np.float32), states.astype(np.float32), ahead.astype(np.float32))


def smooth(
    windows: Floats, season: int, level: float, trend: float, damping: float, seasonal: float | None
) -> tuple[Floats, Floats, Floats, Floats]:
    """One additive model with a damped trend over windows (Hyndman et al. 2008, the model AAdA).

    Args:
        windows: [N, R].
        season: m, at most R; 1 for none.
        level: α.
        trend: β, the trend's rate as a share of α; 0 for no trend.
        damping: φ.
        seasonal: γ, the season's rate as a share of 1 − α; None for no season.

    Returns:
        One-step errors [N, R]; the last level [N] and trend [N]; and the season of each of the m next steps, [N, m].
    """
    n_windows, n_rows = windows.shape
    block = min(season if season > 1 else _BLOCK, n_rows)
    n_first = min(_FIRST_SEASONS, n_rows // block)
    first = windows[:, : n_first * block].reshape(n_windows, n_first, block)
    means = first.mean(axis=2)
    slope = (means[:, -1] - means[:, 0]) / (block * max(1, n_first - 1))
    flat = first - slope[:, None, None] * np.arange(n_first * block).reshape(n_first, block)
    last = flat.mean(axis=(1, 2)) - slope
    seasons = np.zeros((n_windows, season))
    if seasonal is not None:
        seasons += (flat - flat.mean(axis=2, keepdims=True)).mean(axis=1)
    slope, errors = slope * (trend > 0), np.empty_like(windows)
    for row in range(n_rows):
        slope, phase = damping * slope, row % season
        error = errors[:, row] = windows[:, row] - (last + slope + seasons[:, phase])
        last, slope = last + slope + level * error, slope + level * trend * error
        seasons[:, phase] += (seasonal or 0.0) * (1 - level) * error
    return errors, last, slope, np.roll(seasons, -(n_rows % season), axis=1)
