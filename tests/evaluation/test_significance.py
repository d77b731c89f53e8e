"""The test of Diebold and Mariano: how often it errs, what it finds, and its formula written a second way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from forecast.data.panel import Floats
from forecast.evaluation.significance import detectable_skill, diebold_mariano, p_values_by_step, skill_interval


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
    # Harvey et al. 1997
    correction = math.sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)
    x = np.linspace(0, correction * abs(difference.mean()) / math.sqrt(variance / n), 100_001)
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


def test_with_many_independent_losses_it_is_the_test_of_the_literature() -> None:
    # One step ahead the corrected statistic of Harvey, Leybourne and Newbold is Student's t of the differences; the
    # cosine variance takes fewer degrees of freedom, which no longer matters.
    rng = np.random.default_rng(7)
    ours, theirs = [], []
    for _ in range(40):
        loss, reference = np.abs(rng.normal(size=(2, 4000)))
        ours.append(diebold_mariano(loss, reference, 1))
        theirs.append(stats.ttest_rel(loss, reference).pvalue)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.97
    assert np.mean(np.abs(np.subtract(ours, theirs))) < 0.06


def test_no_more_origins_than_steps_show_nothing() -> None:
    rng = np.random.default_rng(8)
    assert diebold_mariano(rng.random(12), rng.random(12) + 5, 12) == 1
    assert diebold_mariano(rng.random(12), rng.random(12) + 5, 60) == 1


def test_steps_are_corrected_for_their_number() -> None:
    rng = np.random.default_rng(9)
    loss, reference = rng.normal(size=(2, 200, 6))
    reference[:, :2] += 1
    single = [diebold_mariano(loss[:, step], reference[:, step], step + 1) for step in range(6)]
    # Benjamini and Hochberg by hand: the k-th smallest of six times 6 / k, and no larger than the ones behind it.
    order = np.argsort(single)
    scaled = np.array(single)[order] * 6 / np.arange(1, 7)
    expected = np.empty(6)
    expected[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    assert p_values_by_step(loss, reference) == pytest.approx(expected)
    assert (p_values_by_step(loss, reference)[:2] < 1e-4).all()


def test_steps_of_equal_forecasts_are_rarely_told_apart() -> None:
    rng = np.random.default_rng(10)
    found = []
    for _ in range(200):
        errors = rng.normal(size=(2, 300, 1)) + 0.5 * rng.normal(size=(2, 300, 12))
        found.append((p_values_by_step(*np.abs(errors)) < 0.05).any())
    assert np.mean(found) < 0.09  # of forecasts, not of steps: one in twenty, give or take 1.5 %


def test_steps_of_origins_that_lie_apart_overlap_less() -> None:
    rng = np.random.default_rng(11)
    loss, reference = rng.normal(size=(2, 40, 12)) + np.array([0, 0.5])[:, None, None]
    assert p_values_by_step(loss, reference, spacing=12)[11] < p_values_by_step(loss, reference)[11]


@pytest.mark.parametrize(("n", "horizon"), [(120, 1), (200, 6), (500, 12)])
def test_the_interval_holds_the_true_skill(n: int, horizon: int) -> None:
    rng = np.random.default_rng(12)
    held = []
    for _ in range(200):
        loss, other = overlapping(rng, n, horizon), overlapping(rng, n, horizon)
        low, high = skill_interval(loss, 0.5 * loss + 0.75 * other, horizon)
        assert low < high
        held.append(low <= 1 - 1 / 1.25 <= high)
    assert 0.91 <= np.mean(held) <= 1


@pytest.mark.parametrize("horizon", [1, 6])
def test_the_interval_ends_where_the_test_rejects(horizon: int) -> None:
    rng = np.random.default_rng(14)
    for _ in range(20):
        loss, reference = overlapping(rng, 80, horizon), overlapping(rng, 80, horizon, scale=1.3)
        ends = skill_interval(loss, reference, horizon)
        for end in ends:  # a reference that is better by so much is just not rejected
            p = diebold_mariano(loss, (1 - end) * reference, horizon)
            assert p == pytest.approx(0.05, rel=1e-6)


def test_interval_and_p_value_never_disagree() -> None:
    rng = np.random.default_rng(15)
    bounded = 0
    for _ in range(400):
        n, horizon = int(rng.integers(8, 120)), int(rng.choice([1, 3, 12]))
        size = np.exp(np.cumsum(rng.normal(0, 0.3, n)))  # bursts of losses
        loss, reference = size * rng.random(n), size * (rng.random(n) + rng.uniform(0, 0.6))
        low, high = skill_interval(loss, reference, horizon)
        if not math.isnan(high):
            bounded += 1
            assert (not low <= 0 <= high) == (diebold_mariano(loss, reference, horizon) < 0.05)
    assert bounded > 200


def test_a_finding_of_few_origins_has_an_interval_that_may_be_open() -> None:
    rng = np.random.default_rng(19)
    found, without, low_ends = 0, 0, []
    for _ in range(3000):
        loss, reference = overlapping(rng, 12, 6), overlapping(rng, 12, 6)
        if diebold_mariano(loss, reference, 6) < 0.05:
            low, high = skill_interval(loss, reference, 6)
            found, without = found + 1, without + math.isnan(high)
            low_ends.append(low)
            assert math.isnan(high) or not low <= 0 <= high
    assert found > 50
    assert without == 0
    assert -math.inf in low_ends  # how much worse, these origins do not tell


def test_equal_losses_have_an_interval_about_zero() -> None:
    loss = 1 + np.random.default_rng(16).random(60)
    low, high = skill_interval(loss, loss * (1 + 1e-6), 1)
    assert low <= 0 <= high
    assert high - low < 1e-4


@pytest.mark.parametrize(("n", "horizon"), [(60, 1), (200, 6)])
def test_a_detectable_lead_is_found_four_times_of_five(n: int, horizon: int) -> None:
    rng = np.random.default_rng(17)
    least = np.median(
        [detectable_skill(overlapping(rng, n, horizon), overlapping(rng, n, horizon), horizon) for _ in range(200)]
    )
    found = [
        diebold_mariano((1 - least) * overlapping(rng, n, horizon), overlapping(rng, n, horizon), horizon) < 0.05
        for _ in range(400)
    ]
    assert 0.74 < np.mean(found) < 0.86  # the binomial's own spread is 2 %


def test_what_is_detectable_of_too_few_is_nothing() -> None:
    rng = np.random.default_rng(18)
    assert math.isnan(detectable_skill(rng.random(7), rng.random(7), 1))
    assert math.isnan(detectable_skill(rng.random(20), np.zeros(20), 1))
    assert detectable_skill(rng.random(12), rng.random(12), 12) == math.inf


def test_the_interval_is_the_same_each_time_and_none_for_too_few() -> None:
    rng = np.random.default_rng(13)
    loss, reference = rng.random(50), rng.random(50)
    assert skill_interval(loss, reference, 3) == skill_interval(loss, reference, 3)
    assert all(map(math.isnan, skill_interval(loss[:7], reference[:7], 3)))
    assert all(map(math.isnan, skill_interval(loss, np.zeros(50), 3)))


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
