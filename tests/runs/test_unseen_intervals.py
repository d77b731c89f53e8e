"""Intervals of series that a run was not trained on: errors of all of its series, in multiples of each one's spread."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from forecast.intervals.conformal import Calibration, Intervals, probabilities_of
from forecast.runs.unseen_intervals import with_unseen_series

P = probabilities_of((80, 95))


def intervals_of(sizes: list[float], heads: tuple[float, ...] = ()) -> Intervals:
    """Of series whose errors are normal with these mean absolute sizes, at two steps, the second twice as large."""
    size = np.array(sizes)[:, None, None] * np.array([1.0, 2.0])[None, :, None]
    offsets = np.broadcast_to(norm.ppf(P) * np.sqrt(np.pi / 2), (*size.shape, len(P)))
    calibration = Calibration(
        P, heads, offsets, size, size, np.zeros((1, 2, 1)), False, np.full(size.shape, 9.0), np.zeros(len(sizes), bool)
    )
    return Intervals((80, 95), True, {"lstm": calibration})


def test_series_that_err_alike_in_multiples_of_their_spread_say_what_another_will() -> None:
    spread, own = np.array([[1.0], [10.0], [100.0]]), np.array([[7.0]])
    extended = with_unseen_series(intervals_of([0.5, 5.0, 50.0]), spread, own).calibrations["lstm"]
    assert extended.offsets.shape == (4, 2, 1, len(P))
    np.testing.assert_allclose(extended.size[3, :, 0], [3.5, 7.0])
    found = extended.offsets_of(np.array([3]))[0, 0, 0]
    expected = norm.ppf(P) * np.sqrt(np.pi / 2) * 3.5
    inner = slice(1, -1)  # beyond the outermost quantiles nothing is known
    np.testing.assert_allclose(found[inner], expected[inner], rtol=0.06, atol=0.05)
    assert extended.borrowed.tolist() == [False, False, False, True]
    assert np.isnan(extended.outcomes[3]).all()


def test_series_that_err_otherwise_are_a_mixture() -> None:
    spread = np.ones((2, 1))
    extended = with_unseen_series(intervals_of([1.0, 4.0]), spread, np.ones((1, 1))).calibrations["lstm"]
    found = dict(zip(P, extended.offsets_of(np.array([2]))[0, 0, 0], strict=True))
    rng = np.random.default_rng(0)
    drawn = np.concatenate([rng.normal(0, size * np.sqrt(np.pi / 2), 200_000) for size in (1.0, 4.0)])
    for p in (0.1, 0.2, 0.7, 0.9):
        assert found[p] == pytest.approx(np.quantile(drawn, p), rel=0.06)


def test_the_ends_of_a_head_are_moved_by_the_mean() -> None:
    extended = with_unseen_series(intervals_of([1.0, 4.0], (0.1, 0.5, 0.9)), np.ones((2, 1)), np.ones((1, 1)))
    found = extended.calibrations["lstm"].offsets_of(np.array([2]))[0, 0, 0]
    np.testing.assert_allclose(found, norm.ppf(P) * np.sqrt(np.pi / 2) * 2.5)
