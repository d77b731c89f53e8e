"""The size of each step, and how fast the averaged weights follow: functions of the step's number alone."""

from __future__ import annotations

import math

from forecast.config import TrainingConfig


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
