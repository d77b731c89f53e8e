"""Selection: hand-counted choices of the forecasts that a plot shows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.plots.selection import (
    non_overlapping,
    origin_spacing,
    pick_examples,
    steps_per_mean,
    typical_stretch,
)


def test_forecasts_non_overlapping_skip_what_a_gap_leaves_out() -> None:
    ds = pd.to_datetime(["2024-01-02", "2024-01-03", "2024-01-03", "2024-01-04", "2024-02-02", "2024-02-03"])
    cutoff = pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-02", "2024-02-01", "2024-02-01"])
    assert non_overlapping(pd.DataFrame({"ds": ds, "cutoff": cutoff}), 2).tolist() == [0, 1, 4, 5]


def test_drawn_forecasts_pause_in_between() -> None:
    for freq, lag in (("h", 27), ("MS", 14), ("B", 6)):
        horizon = {27: 24, 14: 12, 6: 5}[lag]
        times = pd.date_range("2020-01-01", periods=40 * horizon, freq=freq).to_numpy()
        cutoffs = np.arange(len(times) - horizon)
        rows = cutoffs[:, None] + np.arange(1, horizon + 1)
        frame = pd.DataFrame({"ds": times[rows].ravel(), "cutoff": np.repeat(times[cutoffs], horizon)})
        picked = non_overlapping(frame, horizon, lag)[::horizon] // horizon
        assert set(np.diff(picked)) == {lag}, freq


@pytest.mark.parametrize(
    ("horizon", "cycles", "apart"),
    [(24, (24, 24), 27), (12, (12, 1), 14), (7, (7, 1), 8), (1, (24, 24), 1), (5, (24, 24), 5), (3, (1,), 3)],
)
def test_the_origins_of_drawn_forecasts_are_spread_over_the_cycles(
    horizon: int, cycles: tuple[int, ...], apart: int
) -> None:
    assert origin_spacing(horizon, cycles) == apart


def test_any_origins_are_spread() -> None:
    for horizon in (1, 2, 6, 12, 23, 24, 25, 36, 48, 72, 168):
        for season in (1, 7, 12, 24, 168):
            apart = origin_spacing(horizon, (season, 24))
            assert horizon <= apart <= 2 * horizon
            for cycle in (season, 24):
                begun = np.arange(max(8, 2 * -(-cycle // apart))) * apart % cycle
                assert len(np.unique(begun // max(1, cycle / 3))) >= min(cycle, 3), (horizon, season)


@pytest.mark.parametrize(("steps", "horizon", "size"), [(5000, 24, 24), (12000, 24, 48), (4872, 168, 20), (900, 1, 4)])
def test_means_are_of_whole_horizons_where_there_are_many(steps: int, horizon: int, size: int) -> None:
    assert steps_per_mean(steps, horizon) == size


def test_typical_stretch_of_nothing_observed_is_the_first() -> None:
    span = pd.DataFrame({"y": np.full(12, np.nan), "m": 1.0})
    assert typical_stretch(span, "m", 2) == slice(0, 4)


def test_picked_windows() -> None:
    assert pick_examples(np.array([3.0])) == [(0, "the only one")]
    assert pick_examples(np.array([np.nan, np.nan])) == [(0, "not observed")]
    assert pick_examples(np.array([2.0, np.nan, 1.0])) == [(2, "best"), (0, "worst")]
    assert pick_examples(np.ones(3)) == [(0, "best"), (1, "typical"), (2, "worst")]
    # Of 100 errors in order of time, the middle fifth is 40 … 59.
    assert [row for row, _ in pick_examples(np.arange(100.0))] == [0, 40, 46, 53, 59, 99]
