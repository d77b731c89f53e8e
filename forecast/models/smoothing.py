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

# The models: each rate of the level with each trend (its rate and its damping) and each rate of the season, None for no
# season. On validation rows of monthly and quarterly panels (M3, tourism, hospital) more models, or one trend alone,
# forecast no better beside a linear map; with one undamped trend, long horizons ran away.
_LEVELS, _TRENDS, _SEASONS = (0.1, 0.3, 0.8), ((0.0, 1.0), (0.1, 0.9), (0.05, 0.98)), (None, 0.2)

# Of long seasons, whose states are many.
_FEW_LEVELS, _FEW_TRENDS = (0.1, 0.5), ((0.0, 1.0), (0.1, 0.95))
_LONG_SEASON = 60

# A season of more steps is none to them: its matrices would outweigh any network.
_LONGEST_SEASON = 200

# Only the newest rows of a window are smoothed: so many, or so many seasons. The slowest level has forgotten the rest.
_MOST_ROWS, _MOST_SEASONS = 100, 3

# Season, level and trend begin as a line and a season through so many of the oldest seasons, or rows where there is no
# season.
_FIRST_SEASONS, _FIRST_ROWS = 3, 4

# The weights are squared so often: they are inverse to the eighth power of the models' root mean square errors. From
# the fourth to the sixteenth power validation rows of the same panels told no difference.
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
    """What smoothing is in numbers, of K models with m seasonal states and P ways of damping, over the newest R rows.

    Args:
        errors: From rows to the newest one-step errors, [R, n, K].
        states: From rows to final states, [R, K, m + P]: level plus season of each of the m next steps, and the trend
            in the place of its damping.
        ahead: From states to the horizon, [m + P, H].
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
    few = season > _LONG_SEASON
    rates, trends = (_FEW_LEVELS, _FEW_TRENDS) if few else (_LEVELS, _TRENDS)
    models = [(a, *trend, g) for a, trend, g in product(rates, trends, _SEASONS if season > 1 else (None,))]
    dampings = sorted({damping for _, damping in trends})
    errors, states = np.empty((n_rows, n_errors, len(models))), np.zeros((n_rows, len(models), season + len(dampings)))
    for number, (level, trend, damping, seasonal) in enumerate(models):
        of_model, last, slope, seasons = smooth(np.eye(n_rows), season, level, trend, damping, seasonal)
        errors[:, :, number] = of_model[:, n_rows - n_errors :]
        states[:, number, :season] = last[:, None] + seasons
        states[:, number, season + dampings.index(damping)] = slope
    steps = np.arange(1, sizes.horizon + 1)
    repeated = (steps - 1) % season == np.arange(season)[:, None]
    damped = [np.cumsum(damping**steps) for damping in dampings]
    ahead = np.vstack([repeated, *damped])
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
    n_first = min(_FIRST_SEASONS, n_rows // season) if season > 1 else min(_FIRST_ROWS, n_rows)
    first = windows[:, : n_first * season].reshape(n_windows, n_first, season)
    means = first.mean(axis=2)
    slope = (means[:, -1] - means[:, 0]) / (season * max(1, n_first - 1))
    flat = first - slope[:, None, None] * np.arange(n_first * season).reshape(n_first, season)
    last = flat.mean(axis=(1, 2)) - slope
    seasons = (flat - flat.mean(axis=2, keepdims=True)).mean(axis=1) * (seasonal is not None)
    slope, errors = slope * (trend > 0), np.empty_like(windows)
    for row in range(n_rows):
        slope, phase = damping * slope, row % season
        error = errors[:, row] = windows[:, row] - (last + slope + seasons[:, phase])
        last, slope = last + slope + level * error, slope + level * trend * error
        seasons[:, phase] += (seasonal or 0.0) * (1 - level) * error
    return errors, last, slope, np.roll(seasons, -(n_rows % season), axis=1)
