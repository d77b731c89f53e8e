"""Windows and fills: every valid window is there, no other is, and nothing looks ahead."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.data.clock import LONGEST_CLOSURE, Clock
from forecast.data.panel import Panel
from forecast.data.windows import Windows, count_apart, fill_forward, index_windows

DAY = np.timedelta64(1, "D")


def panel_at(days: np.ndarray, sizes: tuple[int, ...] = (), values: np.ndarray | None = None) -> Panel:
    """Daily rows at these days; each row's value is its number unless values are given."""
    values = np.arange(float(len(days))) if values is None else values
    offsets = (0, *np.cumsum(sizes or (len(days),)).tolist())
    names = tuple(f"s{number}" for number in range(len(offsets) - 1))
    return Panel(
        values.reshape(len(days), -1),
        np.datetime64("2020-01-01", "us") + days * DAY,
        ("y",),
        Clock("D"),
        names,
        offsets,
    )


def all_windows(panel: Panel, lookback: int, horizon: int) -> Windows:
    everything = np.ones(panel.n_rows, bool)
    return index_windows(panel, everything, everything, everything, lookback, horizon)


def by_loop(
    panel: Panel, part: np.ndarray, fed: np.ndarray, seen: np.ndarray, lookback: int, horizon: int
) -> list[int]:
    """The first rows of the valid windows, by definition."""
    found = []
    for start in range(panel.n_rows):
        rows = list(range(start, start + lookback + horizon))
        if rows[-1] >= panel.n_rows:
            break
        one_series = len({int(panel.series_of_row()[row]) for row in rows}) == 1
        no_gap = all(panel.times[row + 1] - panel.times[row] == DAY for row in rows[:-1])
        past, future = rows[:lookback], rows[lookback:]
        if one_series and no_gap and all(fed[past]) and all(part[future]) and all(seen[future]):
            found.append(start)
    return found


def test_counted_rows() -> None:
    panel = panel_at(np.arange(20))
    windows = all_windows(panel, lookback=4, horizon=3)
    assert windows.starts.tolist() == list(range(14))  # 20 - 4 - 3 + 1
    assert panel.values[windows.past(), 0][0].tolist() == [0, 1, 2, 3]
    assert panel.values[windows.future(), 0][0].tolist() == [4, 5, 6]
    assert panel.values[windows.past(), 0][-1].tolist() == [13, 14, 15, 16]
    assert panel.values[windows.future(), 0][-1].tolist() == [17, 18, 19]
    assert windows.cutoffs.tolist() == list(range(3, 17))
    assert windows.future([2, 5]).tolist() == [[6, 7, 8], [9, 10, 11]]
    assert windows.past(slice(1, 2)).tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize(("n_rows", "expected"), [(1, 0), (6, 0), (7, 1), (8, 2)])
def test_the_shortest_series_with_a_window(n_rows: int, expected: int) -> None:
    assert len(all_windows(panel_at(np.arange(n_rows)), lookback=4, horizon=3)) == expected


def test_no_window_crosses_a_gap() -> None:
    days = np.array([*range(8), *range(9, 18)])  # day 8 is absent: stretches of 8 and 9 rows
    windows = all_windows(panel_at(days), lookback=4, horizon=2)
    assert windows.starts.tolist() == [0, 1, 2, 8, 9, 10, 11]


def test_no_window_crosses_into_another_series() -> None:
    panel = panel_at(np.array([*range(7), *range(7, 15)]), sizes=(7, 8))  # the second goes on where the first ends
    assert all_windows(panel, lookback=4, horizon=2).starts.tolist() == [0, 1, 7, 8, 9]


def test_only_the_horizon_must_lie_in_the_part() -> None:
    panel = panel_at(np.arange(20))
    part = (np.arange(20) >= 10) & (np.arange(20) < 15)
    every = np.ones(20, bool)
    windows = index_windows(panel, part, every, every, lookback=4, horizon=3)
    assert windows.future().tolist() == [[10, 11, 12], [11, 12, 13], [12, 13, 14]]
    assert windows.past()[0].tolist() == [6, 7, 8, 9]


def test_an_unusable_input_spoils_lookbacks_and_an_unseen_target_spoils_horizons() -> None:
    panel = panel_at(np.arange(12))
    spoilt, every = np.arange(12) != 6, np.ones(12, bool)
    fed = index_windows(panel, every, spoilt, every, lookback=3, horizon=2)
    assert fed.starts.tolist() == [0, 1, 2, 3, 7]
    scored = index_windows(panel, every, every, spoilt, lookback=3, horizon=2)
    assert scored.starts.tolist() == [0, 1, 4, 5, 6, 7]


@pytest.mark.parametrize("seed", range(30))
def test_the_index_is_that_of_a_loop_over_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = tuple(int(size) for size in rng.integers(5, 25, rng.integers(1, 4)))
    days = np.concatenate([np.cumsum(rng.choice([1, 2], size, p=[0.9, 0.1])) for size in sizes])
    panel = panel_at(days, sizes)
    part, fed, seen = (rng.random(panel.n_rows) < share for share in (0.9, 0.95, 0.95))
    lookback, horizon = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    windows = index_windows(panel, part, fed, seen, lookback, horizon)
    assert windows.starts.tolist() == by_loop(panel, part, fed, seen, lookback, horizon)


@pytest.mark.parametrize(
    ("absent", "expected"),
    [
        (0, 20 - 4),
        (1, 19 - 4),
        (LONGEST_CLOSURE, 15 - 4),
        (LONGEST_CLOSURE + 1, (8 - 4) + (6 - 4)),  # broken into stretches of 8 and 6 rows
    ],
)
def test_windows_reach_across_holidays_but_not_across_long_closures(absent: int, expected: int) -> None:
    times = np.delete(Clock("B").future(np.datetime64("2020-01-01", "us"), 20), range(8, 8 + absent))
    panel = Panel(np.zeros((len(times), 1)), times, ("y",), Clock("B"))
    assert len(all_windows(panel, lookback=3, horizon=2)) == expected


@pytest.mark.parametrize(
    ("most", "expected"), [(1, [0]), (3, [0, 4, 8]), (4, [0, 3, 6, 9]), (9, [0, 2, 4, 6, 8]), (10, list(range(10)))]
)
def test_every_thins_evenly(most: int, expected: list[int]) -> None:
    windows = Windows(np.arange(10), lookback=2, horizon=1).subsample(most)
    assert windows.starts.tolist() == expected
    assert (windows.lookback, windows.horizon) == (2, 1)


def test_fill_carries_the_last_seen_value_as_far_as_allowed() -> None:
    nan = np.nan
    panel = panel_at(np.arange(9), values=np.array([nan, 1, nan, 3, nan, nan, nan, 7, nan]))
    filled, usable = fill_forward(panel, longest=2, column=0)
    np.testing.assert_array_equal(filled, [nan, 1, 1, 3, 3, 3, nan, 7, 7])
    assert usable.tolist() == [False, True, True, True, True, True, False, True, True]
    assert np.isnan(panel.values[2, 0])  # the panel itself keeps what was observed


def test_no_fill_when_none_is_allowed() -> None:
    panel = panel_at(np.arange(3), values=np.array([1.0, np.nan, 3.0]))
    filled, usable = fill_forward(panel, longest=0, column=0)
    assert np.isnan(filled[1])
    assert usable.tolist() == [True, False, True]


def test_fill_stays_within_its_series_and_stretch() -> None:
    nan = np.nan
    days = np.array([0, 1, 2, 4, 5, 0, 1])  # day 3 is absent, then another series begins
    panel = panel_at(days, sizes=(5, 2), values=np.array([1, 2, nan, nan, 5, nan, 7]))
    filled, _ = fill_forward(panel, longest=6, column=0)
    np.testing.assert_array_equal(filled, [1, 2, 2, nan, 5, nan, 7])


@pytest.mark.parametrize("seed", range(10))
def test_fill_never_looks_ahead(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((40, 2)) < 0.4, np.nan, rng.random((40, 2)))
    panel = Panel(values, np.datetime64("2020-01-01", "us") + np.arange(40) * DAY, ("a", "b"), Clock("D"))
    before = [fill_forward(panel, 3, column) for column in range(2)]
    before = [(filled.copy(), usable) for filled, usable in before]
    now = int(rng.integers(5, 35))
    panel.values[now + 1 :] = rng.choice([np.nan, 1e9], (39 - now, 2))
    for column, (filled, usable) in enumerate(before):
        changed, still_usable = fill_forward(panel, 3, column)
        np.testing.assert_array_equal(changed[: now + 1], filled[: now + 1])
        np.testing.assert_array_equal(still_usable[: now + 1], usable[: now + 1])


@pytest.mark.parametrize(
    ("cutoffs", "horizon", "apart"),
    [([], 3, 0), ([5], 3, 1), ([5, 6, 7, 8], 3, 2), ([5, 6, 7, 8], 4, 1), ([5, 9, 10, 30, 31, 34], 4, 4)],
)
def test_origins_whose_outcomes_do_not_overlap(cutoffs: list[int], horizon: int, apart: int) -> None:
    panel = panel_at(np.arange(40))
    assert count_apart(panel, Windows(np.array(cutoffs, int) - 2, 3, horizon)) == apart
