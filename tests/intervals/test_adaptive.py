"""Intervals along time: what they know at each origin, that they keep their promise when errors change, and chunks."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.data.panel import Floats
from forecast.intervals import adaptive
from forecast.intervals.adaptive import AdaptiveIntervals
from forecast.intervals.conformal import Calibration, Intervals, interval, probabilities_of

LEVELS = (80, 95)
P = probabilities_of(LEVELS)


def intervals_at(half_width: float, n_series: int = 1, horizon: int = 1, adaptive: bool = True) -> Intervals:
    """Intervals about 0 with ends that far away, of one forecaster."""
    offsets = np.broadcast_to(half_width * np.sign(np.array(P) - 0.5), (n_series, horizon, 1, len(P))).copy()
    sizes = np.ones((n_series, horizon, 1))
    one = Calibration(
        P, (), offsets, sizes, sizes.copy(), np.zeros((0, horizon, 1)), False, sizes, np.zeros(n_series, bool)
    )
    return Intervals(LEVELS, adaptive, {"lstm": one})


def quantiles_of(
    adapting: AdaptiveIntervals, y_true: Floats, series: np.ndarray | None = None, chunk: int = 10_000
) -> Floats:
    """The quantiles [n, H, D, P] of a forecaster that always says 0."""
    series = np.zeros(len(y_true), int) if series is None else series
    parts = []
    for first in range(0, len(y_true), chunk):
        part = slice(first, first + chunk)
        parts.append(adapting.quantiles(y_true[part], {"lstm": np.zeros_like(y_true[part])}, series[part])["lstm"])
    return np.concatenate(parts)


def held(quantiles: Floats, y_true: Floats, level: int) -> Floats:
    """The share of each step's observations within their interval, [H]."""
    low, high = interval(quantiles, P, level)
    return ((low <= y_true) & (y_true <= high)).mean(axis=(0, 2))


def test_errors_that_grow_are_followed() -> None:
    rng = np.random.default_rng(0)
    y_true = rng.normal(0, np.linspace(1, 3, 8000)[:, None, None], (8000, 6, 1))
    fixed = quantiles_of(AdaptiveIntervals(intervals_at(1.28, horizon=6, adaptive=False)), y_true)
    moving = quantiles_of(AdaptiveIntervals(intervals_at(1.28, horizon=6)), y_true)
    assert (held(fixed, y_true, 80) < 0.55).all()
    assert held(moving, y_true, 80) == pytest.approx(np.full(6, 0.8), abs=0.025)
    assert held(moving, y_true, 95) == pytest.approx(np.full(6, 0.95), abs=0.03)


def test_no_origin_knows_an_outcome_that_lies_ahead_of_it() -> None:
    # A miss at window 20 is known at step h from window 20 + h on, and moves that step's quantiles then, not before.
    calm = np.zeros((40, 3, 1))
    shock = calm.copy()
    shock[20] = 100
    both = [quantiles_of(AdaptiveIntervals(intervals_at(1, horizon=3)), y) for y in (calm, shock)]
    first_changed = np.argmin((both[0] == both[1]).all(axis=(2, 3)), axis=0)
    assert first_changed.tolist() == [21, 22, 23]


def test_origins_that_lie_apart_know_more() -> None:
    calm = np.zeros((40, 6, 1))
    shock = calm.copy()
    shock[20] = 100
    both = [quantiles_of(AdaptiveIntervals(intervals_at(1, horizon=6), spacing=3), y) for y in (calm, shock)]
    first_changed = np.argmin((both[0] == both[1]).all(axis=(2, 3)), axis=0)
    assert first_changed.tolist() == [21, 21, 21, 22, 22, 22]


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_chunks_change_nothing(chunk: int) -> None:
    rng = np.random.default_rng(1)
    y_true, series = rng.normal(0, 3, (150, 4, 1)), np.repeat([0, 1], [100, 50])
    whole, parts = (AdaptiveIntervals(intervals_at(1, n_series=2, horizon=4)) for _ in range(2))
    assert (quantiles_of(whole, y_true, series) == quantiles_of(parts, y_true, series, chunk)).all()
    ends = [adapting.intervals().calibrations["lstm"].offsets for adapting in (whole, parts)]
    assert (ends[0] == ends[1]).all()


def test_each_series_goes_its_own_way() -> None:
    y_true = np.concatenate([np.full((200, 1, 1), 50.0), np.zeros((200, 1, 1))])
    adapting = AdaptiveIntervals(intervals_at(1, n_series=2))
    quantiles = quantiles_of(adapting, y_true, np.repeat([0, 1], 200))
    assert quantiles[199, 0, 0, -1] > 4
    assert quantiles[200, 0, 0, -1] == 1  # the second series begins where calibration left it


@pytest.mark.parametrize(("chunk", "most_moves"), [(11, 20_000), (1000, 20_000), (1000, 9)])
def test_series_that_are_tracked_together_get_what_each_gets_alone(
    chunk: int, most_moves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, lengths = np.random.default_rng(4), [5, 40, 1, 27, 40]
    monkeypatch.setattr(adaptive, "_MOST_MOVES", most_moves)
    y_true, series = rng.normal(0, 3, (sum(lengths), 3, 1)), np.repeat(np.arange(5), lengths)
    y_true[rng.random(y_true.shape) < 0.1] = np.nan
    together = AdaptiveIntervals(intervals_at(1, n_series=5, horizon=3), longest=40)
    found = quantiles_of(together, y_true, series, chunk)
    ends = together.intervals().calibrations["lstm"]
    for number in range(5):
        alone = AdaptiveIntervals(intervals_at(1, horizon=3), longest=40)
        assert (quantiles_of(alone, y_true[series == number]) == found[series == number]).all()
        assert (alone.intervals().calibrations["lstm"].offsets[0] == ends.offsets[number]).all()


def test_at_the_end_every_outcome_has_been_learned_from_once() -> None:
    rng = np.random.default_rng(2)
    y_true = rng.normal(0, 2, (60, 5, 1))
    adapting = AdaptiveIntervals(intervals_at(1, horizon=5))
    quantiles_of(adapting, y_true)
    ended = adapting.intervals().calibrations["lstm"]
    # By hand, one step and outcome after the other.
    expected = intervals_at(1, horizon=5).calibrations["lstm"].offsets[0].copy()
    sizes = np.ones(5)
    for step in range(5):
        used, known_size = [], 1.0
        for window in range(60 + step + 1):
            known = window - (step + 1)
            if known >= 0:
                offsets, size = used[known]
                reach = max(1.0, (expected[step, 0, 9] - expected[step, 0, 1]) / 2)
                expected[step] += (
                    0.05 / np.sqrt(step + 1) * reach * (np.array(P) - (y_true[known, step, 0] / size <= offsets))
                )
                known_size += (1 - 0.5 ** (1 / 50)) * (abs(y_true[known, step, 0]) - known_size)
            if window < 60:
                used.append((expected[step, 0].copy(), max(known_size, 0.2)))
        sizes[step] = known_size
    assert ended.offsets[0] == pytest.approx(expected, abs=1e-12)
    assert ended.size[0, :, 0] == pytest.approx(sizes)


def test_a_very_long_series_is_followed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    monkeypatch.setattr(adaptive, "_MOST_MOVES", 1000)
    y_true = rng.normal(0, 3, (6000, 2, 1))
    moving = quantiles_of(AdaptiveIntervals(intervals_at(1, horizon=2), longest=6000), y_true)
    assert held(moving, y_true, 80) == pytest.approx([0.8, 0.8], abs=0.03)
    of_one_size = rng.choice([-1.0, 1.0], (6000, 2, 1))
    quantiles = quantiles_of(AdaptiveIntervals(intervals_at(0.5, horizon=2), longest=6000), of_one_size)
    assert (quantiles[0] == quantiles[5]).all()
    assert (quantiles[0] != quantiles[11]).any()


def test_intervals_that_do_not_adapt_stay_as_they_are() -> None:
    y_true = np.full((50, 2, 1), 99.0)
    before = intervals_at(1, horizon=2, adaptive=False)
    adapting = AdaptiveIntervals(before)
    assert (np.diff(quantiles_of(adapting, y_true), axis=0) == 0).all()
    assert (adapting.intervals().calibrations["lstm"].offsets == before.calibrations["lstm"].offsets).all()


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_a_missing_outcome_updates_nothing(chunk: int) -> None:
    """One step ahead, the quantiles are those of a series from which the missing windows were taken out."""
    rng = np.random.default_rng(2)
    y_true, missing = rng.normal(0, 2, (200, 1, 1)), rng.random(200) < 0.3
    holed = np.where(missing[:, None, None], np.nan, y_true)
    whole, without = (AdaptiveIntervals(intervals_at(1)) for _ in range(2))
    found, expected = quantiles_of(whole, holed, chunk=chunk), quantiles_of(without, y_true[~missing])
    assert found[~missing] == pytest.approx(expected)
    assert np.isfinite(found).all()
    ends = [adapting.intervals().calibrations["lstm"] for adapting in (whole, without)]
    assert ends[0].offsets == pytest.approx(ends[1].offsets)
    assert ends[0].size == pytest.approx(ends[1].size)


def test_a_step_learns_of_its_own_outcomes_where_others_are_missing() -> None:
    y_true = np.random.default_rng(3).normal(0, 2, (100, 3, 1))
    holed = y_true.copy()
    holed[20:80, 1] = np.nan
    found, expected = (quantiles_of(AdaptiveIntervals(intervals_at(1, horizon=3)), y) for y in (holed, y_true))
    assert (found[:, [0, 2]] == expected[:, [0, 2]]).all()
    assert (found[22:82, 1] == found[22, 1]).all()  # what came before window 20 is known two windows later
    assert (found[82, 1] != found[81, 1]).any()


def test_errors_that_grow_are_followed_where_a_third_is_missing() -> None:
    rng = np.random.default_rng(0)
    y_true = rng.normal(0, np.linspace(1, 3, 8000)[:, None, None], (8000, 6, 1))
    holed = np.where(rng.random(y_true.shape) < 1 / 3, np.nan, y_true)
    moving = quantiles_of(AdaptiveIntervals(intervals_at(1.28, horizon=6)), holed)
    assert held(moving, y_true, 80) == pytest.approx(np.full(6, 0.8), abs=0.025)
    assert held(moving, y_true, 95) == pytest.approx(np.full(6, 0.95), abs=0.03)
