"""Holes: rows that are absent from the clock, and windows that are filled from their own values."""

import numpy as np
import pandas as pd
import pytest

from forecast.data.clock import Clock
from forecast.data.holes import fill_within, on_whole_clock
from forecast.data.panel import Panel
from forecast.data.windows import fewest_of, index_windows_with_holes

NAN = np.nan


def hours(positions: list[int]) -> np.ndarray:
    return np.datetime64("2024-01-01", "us") + np.array(positions) * np.timedelta64(1, "h")


def test_absent_rows_become_rows_of_nan_but_in_the_longest_gaps() -> None:
    times = np.concatenate([hours([0, 1, 4, 20, 21]), hours([2, 4])])
    panel = Panel(np.arange(14.0).reshape(7, 2), times, ("a", "b"), Clock("h"), ("x", "y"), (0, 5, 7))
    whole = on_whole_clock(panel, 3)
    assert whole.times.tolist() == [*hours([0, 1, 2, 3, 4, 20, 21]).tolist(), *hours([2, 3, 4]).tolist()]
    expected = [0, 2, NAN, NAN, 4, 6, 8, 10, NAN, 12]
    assert whole.values[:, 0].tolist() == pytest.approx(expected, nan_ok=True)
    assert whole.offsets == (0, 7, 10)
    assert len(whole.gaps()[0]) == 1
    assert on_whole_clock(whole, 3) is whole


def test_a_holiday_on_business_days_stays_out() -> None:
    days = pd.bdate_range("2024-01-01", periods=20).delete([5, 6])
    panel = Panel(np.arange(18.0)[:, None], days.to_numpy(), ("a",), Clock("B"))
    assert on_whole_clock(panel, 10).n_rows == 18


def test_a_window_is_filled_from_its_own_values_as_pandas_fills_it() -> None:
    rng = np.random.default_rng(0)
    windows = rng.normal(size=(50, 12, 3)).astype(np.float32)
    windows[rng.random(windows.shape) < 0.5] = NAN
    windows[0, :, 1] = NAN
    filled, ages = fill_within(windows)
    for window, its_filled, its_ages in zip(windows, filled, ages, strict=True):
        frame = pd.DataFrame(window)
        np.testing.assert_array_equal(its_filled, frame.ffill().bfill().fillna(0).to_numpy())
        steps = pd.DataFrame(np.where(frame.isna(), NAN, np.arange(12)[:, None]))
        np.testing.assert_array_equal(its_ages, np.arange(12)[:, None] - steps.ffill().fillna(-1).to_numpy())


def test_a_whole_window_stays_as_it_is_and_hidden_values_are_no_values() -> None:
    windows = np.arange(8.0).reshape(1, 4, 2)
    filled, ages = fill_within(windows)
    assert filled is windows
    assert not ages.any()
    hidden = np.zeros((1, 4, 2), bool)
    hidden[0, [0, 2], 1] = True
    filled, ages = fill_within(windows, hidden)
    assert filled[0, :, 1].tolist() == [3, 3, 3, 7]
    assert ages[0, :, 1].tolist() == [1, 0, 1, 0]
    assert ages[0, :, 0].tolist() == [0, 0, 0, 0]


def test_a_window_needs_its_share_of_each_target() -> None:
    rng = np.random.default_rng(1)
    values = np.where(rng.random((200, 2)) < 0.4, NAN, 1.0)
    panel = Panel(values, hours(list(range(200))), ("a", "b"), Clock("h"), ("x", "y"), (0, 120, 200))
    part = np.arange(200) % 97 < 60
    windows = index_windows_with_holes(panel, part, ~np.isnan(values), 0.5, 10, 4)
    expected = [
        start
        for start in range(200 - 13)
        if (start + 13 < 120 or start >= 120)
        and part[start + 10 : start + 14].all()
        and (np.isnan(values[start : start + 10]).sum(axis=0) <= 5).all()
        and (np.isnan(values[start + 10 : start + 14]).sum(axis=0) <= 2).all()
    ]
    assert windows.starts.tolist() == expected
    assert 0 < len(expected) < 100


def test_a_share_is_counted_in_whole_values() -> None:
    assert [fewest_of(10, share) for share in (0.1, 0.2, 0.7, 0.71, 1.0)] == [1, 2, 7, 8, 10]
    assert fewest_of(3, 0.1) == fewest_of(1, 0.5) == 1


def test_holidays_within_a_long_gap_are_absent_steps_like_others() -> None:
    clock = Clock("B", holidays=("date 12-25",))
    days = np.array(["2023-12-18", "2024-01-08"], "datetime64[us]")
    absent = int(np.diff(clock.ordinals(days))[0]) - 1
    expected = np.arange("2023-12-19", "2024-01-08", dtype="datetime64[D]")
    np.testing.assert_array_equal(
        clock.absent(days[0], absent), expected[np.is_busday(expected)].astype("datetime64[us]")
    )
    assert np.datetime64("2023-12-25") not in clock.future(days[0], 14)
