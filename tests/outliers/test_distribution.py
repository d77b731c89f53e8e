"""p-values of errors: ranks among those that were seen, and a tail beyond them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from forecast.outliers.distribution import ErrorDistribution, Tail

NORMAL = np.random.default_rng(1).normal(size=2000)


def test_within_the_seen_errors_a_p_value_is_twice_the_conformal_rank() -> None:
    found = ErrorDistribution.fit(np.append(NORMAL, np.nan))
    assert found.p_values(np.array([0.5]))[0] == 2 * ((NORMAL >= 0.5).sum() + 1) / 2001
    assert found.p_values(np.array([-0.5]))[0] == 2 * ((NORMAL <= -0.5).sum() + 1) / 2001
    assert np.isnan(found.p_values(np.array([np.nan]))[0])


@pytest.mark.parametrize(("size", "calibrations"), [(40, 200), (200, 100), (2000, 20)])
def test_no_more_usual_errors_are_improbable_than_their_p_values_say(size: int, calibrations: int) -> None:
    rng = np.random.default_rng(size)
    for law in (stats.norm, stats.t(4), stats.laplace, stats.expon):
        seen, others = (law.rvs(size=(calibrations, n), random_state=rng) for n in (size, 2000))
        p = [ErrorDistribution.fit(some).p_values(more) for some, more in zip(seen, others, strict=True)]
        shares = [np.mean(np.array(p) <= level) / level for level in (0.1, 0.01, 0.001)]
        assert max(shares) < 1.8, (law, shares)  # heavy tails, of which 200 errors tell little


def test_an_error_far_beyond_all_others_is_less_probable_than_any_rank() -> None:
    found = ErrorDistribution.fit(NORMAL)
    assert found.p_values(np.array([8.0]))[0] < 1e-4 < 1 / len(NORMAL)
    assert found.p_values(np.array([-8.0]))[0] < 1e-4


def test_a_tail_has_the_shape_of_the_distribution_that_it_is_of() -> None:
    pareto = stats.genpareto(0.3, scale=2).rvs(size=50_000, random_state=np.random.default_rng(2))
    tail = Tail.fit(np.sort(pareto))
    assert tail.shape == pytest.approx(0.3, abs=0.06)
    assert tail.end(1e-3) == pytest.approx(stats.genpareto(0.3, scale=2).isf(1e-3), rel=0.1)
    assert float(tail.beyond(np.array([tail.end(1e-4)]))[0]) == pytest.approx(1e-4)


def test_the_ends_have_the_p_value_that_was_asked_for() -> None:
    found = ErrorDistribution.fit(NORMAL)
    assert found.p_values(np.array(found.ends(0.01))) == pytest.approx([0.01, 0.01], abs=0.002)


def test_errors_that_are_all_the_same_have_no_tail() -> None:
    found = ErrorDistribution.fit(np.zeros(100))
    assert found.p_values(np.array([0.0, 1.0])).tolist() == [1.0, 0.0]
