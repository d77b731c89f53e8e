"""Learning rate and averaging, each from the step's number alone."""

from __future__ import annotations

import math

import pytest

from forecast.config import TrainingConfig
from forecast.training.trainer import averaging_momentum, learning_rate


@pytest.mark.parametrize(
    ("step", "share"),
    [
        (0, 1 / 5),  # a warm-up of 0.2 × 20 = 4 steps rises by fifths
        (3, 4 / 5),
        (4, 1),  # the top, where the cosine begins
        (8, (1 + math.sqrt(0.5)) / 2),  # a quarter of its 16 steps
        (12, 1 / 2),
        (19, (1 + math.cos(math.pi * 15 / 16)) / 2),
        (20, 0),
    ],
)
def test_cosine(step: int, share: float) -> None:
    config = TrainingConfig(
        loss="mae", batch_size=8, mirror=False, patience=10, learning_rate=0.1, warmup=0.2, schedule="cosine"
    )
    assert learning_rate(step, 20, config) == pytest.approx(0.1 * share, abs=1e-15)


@pytest.mark.parametrize(("step", "share"), [(0, 1 / 5), (3, 4 / 5), (4, 1), (19, 1)])
def test_constant(step: int, share: float) -> None:
    config = TrainingConfig(
        loss="mae", batch_size=8, mirror=False, patience=10, learning_rate=0.1, warmup=0.2, schedule="constant"
    )
    assert learning_rate(step, 20, config) == pytest.approx(0.1 * share)


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize(("total", "warmup"), [(1, 0.05), (1, 0.99), (2, 0.5), (7, 0.0)])
def test_every_step_of_the_shortest_training_learns(schedule: str, total: int, warmup: float) -> None:
    config = TrainingConfig(
        loss="mae", batch_size=8, mirror=False, patience=10, learning_rate=0.1, warmup=warmup, schedule=schedule
    )
    rates = [learning_rate(step, total, config) for step in range(total)]
    assert min(rates) > 0
    assert max(rates) <= 0.1


@pytest.mark.parametrize(("step", "expected"), [(0, 0.1), (8, 0.5), (890, 0.99), (100_000, 0.99)])
def test_averaging_forgets_the_fresh_weights(step: int, expected: float) -> None:
    assert averaging_momentum(step, 0.99) == pytest.approx(expected)
    assert averaging_momentum(step, 0.0) == 0
