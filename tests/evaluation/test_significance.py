"""The test of Diebold and Mariano: how often it errs, what it finds, and its formula written a second way."""

from __future__ import annotations

import math

import numpy as np
import pytest

from forecast.data.panel import Floats
from forecast.evaluation.significance import diebold_mariano


def overlapping(rng: np.random.Generator, n: int, horizon: int, scale: float = 1.0) -> Floats:
    """The mean absolute error of N windows whose neighbours share H - 1 steps; the errors themselves are AR(1)."""
    errors = rng.normal(0, scale, n + horizon - 1)
    for step in range(1, len(errors)):
        errors[step] += 0.3 * errors[step - 1]
    return np.convolve(np.abs(errors), np.full(horizon, 1 / horizon), "valid")


def cosine_test(loss: Floats, reference: Floats, horizon: int) -> float:
    """The same p-value from its definition: t of the mean over cosine-weighted sums (Lazarus et al. 2018)."""
    difference = loss - reference
    n = len(difference)
    n_waves = max(1, min(int(0.4 * n ** (2 / 3)), n // (2 * horizon)))
    variance = 0.0
    for wave in range(1, n_waves + 1):
        weighted = sum(math.cos(math.pi * wave * (t + 0.5) / n) * difference[t] for t in range(n))
        variance += 2 / n * weighted**2 / n_waves
    x = np.linspace(0, abs(difference.mean()) / math.sqrt(variance / n), 100_001)
    density = math.gamma((n_waves + 1) / 2) / math.gamma(n_waves / 2) / math.sqrt(math.pi * n_waves)
    return float(1 - 2 * np.trapezoid(density * (1 + x**2 / n_waves) ** (-(n_waves + 1) / 2), x))


@pytest.mark.parametrize(("n", "horizon"), [(8, 1), (40, 3), (90, 12), (200, 1)])
def test_against_its_definition(n: int, horizon: int) -> None:
    rng = np.random.default_rng(6)
    loss, reference = overlapping(rng, n, horizon), overlapping(rng, n, horizon, scale=1.2)
    assert diebold_mariano(loss, reference, horizon) == pytest.approx(
        cosine_test(loss, reference, horizon), rel=1e-6, abs=1e-9
    )


@pytest.mark.parametrize(("n", "horizon"), [(60, 1), (150, 6), (300, 12)])
def test_equal_forecasts_are_told_apart_in_one_of_twenty_cases(n: int, horizon: int) -> None:
    rng = np.random.default_rng(1)
    p = np.array(
        [diebold_mariano(overlapping(rng, n, horizon), overlapping(rng, n, horizon), horizon) for _ in range(600)]
    )
    # The binomial's own spread is 0.9 % and 1.6 %.
    assert 0.025 < np.mean(p < 0.05) < 0.08
    assert 0.15 < np.mean(p < 0.2) < 0.26


def test_unequal_forecasts_are_told_apart() -> None:
    rng = np.random.default_rng(2)
    found = [
        diebold_mariano(overlapping(rng, 300, 6), overlapping(rng, 300, 6, scale=1.4), 6) < 0.05 for _ in range(100)
    ]
    assert np.mean(found) > 0.9


def test_it_has_two_sides_and_no_unit() -> None:
    rng = np.random.default_rng(3)
    loss, reference = overlapping(rng, 80, 3), overlapping(rng, 80, 3, scale=1.1)
    p = diebold_mariano(loss, reference, 3)
    assert 0 < p < 1
    assert diebold_mariano(reference, loss, 3) == p
    assert diebold_mariano(1000 * loss, 1000 * reference, 3) == pytest.approx(p, rel=1e-9)
    assert diebold_mariano(loss + 50, reference + 50, 3) == pytest.approx(p, rel=1e-9)


def test_the_mean_difference_decides() -> None:
    rng = np.random.default_rng(4)
    noise = rng.normal(size=100)
    p = [diebold_mariano(np.abs(noise) + shift, np.ones(100), 1) for shift in (1, 2, 4)]
    assert p[0] > p[1] > p[2]


def test_identical_losses_are_not_told_apart() -> None:
    loss = np.arange(20.0)
    assert diebold_mariano(loss, loss.copy(), 3) == 1


def test_a_constant_difference_is_certain() -> None:
    loss = np.zeros(20)
    assert diebold_mariano(loss, loss + 1, 3) == 0


@pytest.mark.parametrize("n", [0, 1, 7])
def test_too_few_origins_give_no_answer(n: int) -> None:
    assert math.isnan(diebold_mariano(np.zeros(n), np.ones(n), 1))


@pytest.mark.parametrize("horizon", [1, 5, 8, 100])
def test_few_origins_and_a_long_horizon_still_give_a_probability(horizon: int) -> None:
    rng = np.random.default_rng(5)
    assert 0 <= diebold_mariano(rng.random(8), rng.random(8), horizon) <= 1
