"""What happens at each step, from the step's number alone, so that a resumed training needs no memory of it."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from forecast.config import TrainingConfig
from forecast.data.windows import Ints


def learning_rate(step: int, total: int, config: TrainingConfig) -> float:
    """The learning rate of a step: a linear warm-up, then a cosine to zero or a constant (Loshchilov & Hutter 2017).

    Args:
        step: The step's number, from 0.
        total: Steps of the whole training.
        config: Highest rate, share of the warm-up, and course.
    """
    warmup = int(config.warmup * total)
    if step < warmup:
        return config.learning_rate * (step + 1) / (warmup + 1)
    if config.schedule == "constant":
        return config.learning_rate
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1)))


def averaging_momentum(step: int, momentum: float) -> float:
    """The momentum of the weights' moving average: small at first, so that the fresh weights are soon forgotten."""
    return min(momentum, (1 + step) / (10 + step))


class WindowOrder:
    """Which windows each step sees: every window once, in a random order, before any is seen again.

    Args:
        n_windows: N.
        batch_size: Windows in a batch, at most N.
        seed: Decides the order.
    """

    def __init__(self, n_windows: int, batch_size: int, seed: int) -> None:
        self.n_windows, self.seed = n_windows, seed
        self.batch_size = min(batch_size, n_windows)
        self._order = lru_cache(maxsize=2)(self._shuffled)

    def _shuffled(self, number: int) -> NDArray[np.int64]:
        return np.random.default_rng([self.seed, number]).permutation(self.n_windows)

    def batch(self, step: int) -> Ints:
        """The windows of a step; a batch at the end of a pass takes its rest from the next pass."""
        first = step * self.batch_size
        number, place = divmod(first, self.n_windows)
        picked = self._order(number)[place : place + self.batch_size]
        missing = self.batch_size - len(picked)
        return np.concatenate([picked, self._order(number + 1)[:missing]]) if missing else picked
