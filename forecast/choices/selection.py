"""Weights of an ensemble's members: greedy selection on windows that no member was trained on.

Reference: Caruana, Niculescu-Mizil, Crew & Ksikes 2004, Ensemble selection from libraries of models.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Floats
from forecast.data.windows import Flags, Ints

Scaled = NDArray[np.float32]

# How often a member is picked: a weight is a multiple of the inverse.
_PICKS = 40

# Of the inverse loss: one that is 3 % worse than the best counts half as much. On the validation windows of public
# panels eight to twenty did alike.
_POWER = 20

# The least mean weight of a member that counts.
_LEAST = 0.01

# Into how many parts the horizon is divided that may have weights of their own.
_PARTS = 4

_LOSSES: dict[str, Callable[[Scaled], Scaled]] = {
    "mae": np.abs,
    "mse": np.square,
    "qlike": lambda error: np.exp(error) - error - 1,
    "huber": lambda error: np.where(np.abs(error) < 1, 0.5 * np.square(error), np.abs(error) - 0.5),
}


@dataclass(frozen=True)
class Judgement:
    """What forecasts of N windows are judged by.

    Args:
        observed: Scaled, [N, H, D]; NaN where nothing was observed.
        weights: Of each window's errors, [N, D].
        loss: Of points: mae, mse, huber, or qlike of logarithms.
        quantiles: Those that are forecast, [Q]; empty for points.
        scale: What makes logarithms of scaled values, of each window, [N, D]; only for qlike.
    """

    observed: Scaled
    weights: Floats
    loss: str = "mae"
    quantiles: tuple[float, ...] = ()
    scale: Floats | None = None

    def of(self, windows: Ints | Flags, steps: slice = slice(None)) -> Judgement:
        """The same of some windows and steps."""
        scale = None if self.scale is None else self.scale[windows]
        return Judgement(self.observed[windows, steps], self.weights[windows], self.loss, self.quantiles, scale)

    def loss_of(self, forecasts: Scaled) -> float:
        """The mean loss of forecasts [N, H, D] or [N, H, D, Q] over what was observed."""
        seen = ~np.isnan(self.observed)
        weights = self.weights[:, None, :]
        if self.quantiles:
            error, levels = self.observed[..., None] - forecasts, np.array(self.quantiles, np.float32)
            losses = 2 * np.maximum(levels * error, (levels - 1) * error).mean(axis=-1)
        else:
            scale = np.float32(1) if self.scale is None else self.scale[:, None, :].astype(np.float32)
            losses = _LOSSES[self.loss]((self.observed - forecasts) * scale)
        return float(np.sum(losses * weights, where=seen) / max(1, np.count_nonzero(seen)))


def weigh_members(forecasts: Scaled, judgement: Judgement, origins: Ints) -> Floats:
    """The weights of members, which add up to one: [K, 1] for the whole horizon, or [K, H] for each of its steps.

    Ways to weigh — by the members' own losses, greedy selection for the whole horizon, and for parts of it, half-way to
    the whole — are tried on the older half of the origins and judged on the newer half, from a horizon later on. The
    best one there gives the weights, from all origins. Where origins are too few for halves, it is the mean of the
    first two: greedy selection from one origin follows its chance.

    Args:
        forecasts: Scaled, of K members, [K, N, H, D] or [K, N, H, D, Q].
        judgement: What was observed.
        origins: The step of the clock from which each window forecasts, [N].
    """
    horizon = forecasts.shape[2]
    middle = np.median(origins)
    older, newer = origins <= middle, origins > middle + horizon
    if np.count_nonzero(newer) < np.count_nonzero(older) // 4:
        newer = origins > middle
    if not newer.any():
        return _without_crumbs((_greedy(forecasts, judgement) + _by_loss(forecasts, judgement)) / 2)
    ways = [_by_loss, _greedy, *([_by_parts] if horizon >= 2 * _PARTS else [])]
    on_newer = judgement.of(newer)
    losses = [
        on_newer.loss_of(weighted_mean(forecasts[:, newer], way(forecasts[:, older], judgement.of(older))))
        for way in ways
    ]
    return _without_crumbs(ways[int(np.argmin(losses))](forecasts, judgement))


def weighted_mean(forecasts: Scaled, weights: Floats) -> Scaled:
    """The mean of K members' forecasts [K, N, H, D] or [K, N, H, D, Q], by weights [K, 1 or H]."""
    shape = (len(weights), 1, weights.shape[1], *[1] * (forecasts.ndim - 3))
    return np.asarray((forecasts * weights.astype(np.float32).reshape(shape)).sum(axis=0))


def _without_crumbs(weights: Floats) -> Floats:
    """The weights without members that count next to nothing, and would only cost time."""
    counts = weights.mean(axis=1, keepdims=True) >= _LEAST
    return np.asarray(np.where(counts, weights, 0.0) / np.where(counts, weights, 0.0).sum(axis=0))


def _by_loss(forecasts: Scaled, judgement: Judgement) -> Floats:
    """Weights by a high power of the inverse loss: members that are nearly as good as the best count nearly as much."""
    losses = np.array([judgement.loss_of(member) for member in forecasts]) + np.finfo(float).tiny
    weights = (losses.min() / losses) ** _POWER
    return np.asarray(weights / weights.sum())[:, None]


def _greedy(forecasts: Scaled, judgement: Judgement) -> Floats:
    """Pick the member whose addition makes the mean of the picks best, again and again; the best mean on the way."""
    counts, total = np.zeros(len(forecasts)), np.zeros_like(forecasts[0])
    best, least = counts, np.inf
    for picked in range(1, _PICKS + 1):
        losses = [judgement.loss_of((total + member) / np.float32(picked)) for member in forecasts]
        chosen = int(np.argmin(losses))
        counts = counts + (np.arange(len(counts)) == chosen)
        total = total + forecasts[chosen]
        if losses[chosen] < least:
            best, least = counts, losses[chosen]
    return (best / best.sum())[:, None]


def _by_parts(forecasts: Scaled, judgement: Judgement) -> Floats:
    """Weights of each part of the horizon, half-way to those of the whole."""
    horizon = forecasts.shape[2]
    weights = np.repeat(_greedy(forecasts, judgement), horizon, axis=1)
    every = np.arange(forecasts.shape[1])
    for part in np.array_split(np.arange(horizon), _PARTS):
        steps = slice(int(part[0]), int(part[-1]) + 1)
        of_part = _greedy(forecasts[:, :, steps], judgement.of(every, steps))
        weights[:, steps] = (weights[:, steps] + of_part) / 2
    return weights
