"""The order of windows, from the step's number alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from forecast.training.sampling import LaneOrder, WindowOrder

SIZES = [(10, 5), (10, 3), (10, 10), (10, 64), (7, 4), (1, 1)]


@pytest.mark.parametrize(("n_windows", "batch_size"), SIZES)
def test_every_window_is_seen_once_a_pass(n_windows: int, batch_size: int) -> None:
    windows = 100 + 3 * np.arange(n_windows)
    order = WindowOrder(windows, batch_size, seed=0)
    batches = [order.starts(step) for step in range(5 * n_windows)]
    assert {len(batch) for batch in batches} == {min(batch_size, n_windows)}
    assert order.steps_per_pass == math.ceil(n_windows / batch_size)
    seen = np.concatenate(batches)
    for number in range(len(seen) // n_windows):
        assert sorted(seen[number * n_windows : (number + 1) * n_windows]) == windows.tolist()


@pytest.mark.parametrize(("n_windows", "batch_size"), SIZES)
def test_a_step_needs_no_memory_of_those_before(n_windows: int, batch_size: int) -> None:
    windows = np.arange(n_windows)
    straight = WindowOrder(windows, batch_size, seed=3)
    batches = [straight.starts(step).tolist() for step in range(30)]
    for step in (29, 4, 17, 0):
        assert WindowOrder(windows, batch_size, seed=3).starts(step).tolist() == batches[step]
        assert straight.starts(step).tolist() == batches[step]


def test_passes_and_seeds_differ() -> None:
    windows = np.arange(50)
    passes = [WindowOrder(windows, 50, seed).starts(step).tolist() for seed in (0, 1) for step in (0, 1, 2)]
    assert len(set(map(tuple, passes))) == 6
    assert windows.tolist() not in passes


def lanes(order: LaneOrder, n_batches: int) -> list[list[int]]:
    """The first rows of the windows of each lane, in turn."""
    return [
        lane
        for number in range(n_batches)
        for lane in np.stack([order.starts(number * order.length + place) for place in range(order.length)], 1).tolist()
    ]


def test_lanes_are_windows_end_to_end() -> None:
    # 240 windows of 4 steps: with 6 lanes in a batch each can be 240 / (4 × 6) = 10 windows long.
    order = LaneOrder(np.arange(240), lookback=4, batch_size=6, seed=0)
    assert (order.length, order.batch_size, order.steps_per_pass) == (10, 6, 10)
    found = lanes(order, 1)
    assert all(lane == list(range(lane[0], lane[0] + 40, 4)) for lane in found)
    shift = found[0][0] % 40 or found[1][0] % 40
    # The last lane has no room to be shifted with the others.
    assert sorted(lane[0] for lane in found) == [shift, 40 + shift, 80 + shift, 120 + shift, 160 + shift, 200]
    assert [step for step in range(30) if order.resets_state(step)] == [0, 10, 20]


@pytest.mark.parametrize("seed", range(10))
def test_no_lane_crosses_a_gap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts = np.flatnonzero(rng.random(600) > 0.01)
    order = LaneOrder(starts, lookback=3, batch_size=5, seed=seed)
    existing = set(starts.tolist())
    for lane in lanes(order, 20):
        assert lane == list(range(lane[0], lane[0] + 3 * order.length, 3))
        assert existing >= set(range(lane[0], lane[-1] + 1))  # each start between them too: one unbroken stretch


def test_in_time_every_window_is_learned_from() -> None:
    order = LaneOrder(np.arange(500), lookback=7, batch_size=4, seed=0)
    found = lanes(order, 1500)
    assert {start for lane in found for start in lane} == set(range(500))
