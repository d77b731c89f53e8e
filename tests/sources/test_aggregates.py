"""What a period is given of its rows, against sums that are written out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.config import ReadOptions
from forecast.data.panel import Panel
from forecast.sources.aggregates import means_by_duration, reduced, shares_within
from forecast.sources.read import read


def minutes(*counts: float) -> np.ndarray:
    return np.datetime64("2024-01-01", "us") + (np.array(counts) * 60e6).astype("timedelta64[us]")


def test_a_value_counts_for_as_long_as_it_holds() -> None:
    values = np.array([[1.0, 5.0], [3.0, np.nan], [10.0, 7.0], [4.0, 8.0]])
    # Of an hour 1 holds for 45 minutes, 3 for 30 (15 of them in the next hour), 10 for 30 and 4 for the median step.
    means = means_by_duration(minutes(0, 45, 75, 105), values, minutes(0, 60), minutes(60, 120), np.timedelta64(1, "h"))
    np.testing.assert_allclose(means[:, 0], [(45 * 1 + 15 * 3) / 60, (15 * 3 + 30 * 10 + 15 * 4) / 60])
    # Where the second column is unknown it counts for no time; three quarters of an hour are enough.
    np.testing.assert_allclose(means[:, 1], [5, (30 * 7 + 15 * 8) / 45])


def test_a_value_does_not_hold_for_ever_and_a_little_known_period_has_no_mean() -> None:
    means = means_by_duration(
        minutes(0, 600, 610), np.array([[1.0], [2.0], [2.0]]), minutes(0, 60, 600), minutes(60, 120, 660),
        np.timedelta64(1, "h"),
    )  # fmt: skip
    np.testing.assert_array_equal(means[:, 0], [1, np.nan, 2])


def test_later_rows_change_no_earlier_mean() -> None:
    rng = np.random.default_rng(0)
    times = minutes(*np.cumsum(rng.exponential(9, 400)))
    bounds = minutes(*range(0, 1800, 60)), minutes(*range(60, 1860, 60))
    values = rng.normal(size=(400, 1))
    other = np.where(times[:, None] < minutes(1200), values, 1e9)
    means, others = (means_by_duration(times, some, *bounds, np.timedelta64(1, "h")) for some in (values, other))
    np.testing.assert_array_equal(means[:19], others[:19])


@pytest.mark.parametrize(
    ("how", "expected"),
    [("sum", [3, 3, np.nan]), ("last", [2, 3, np.nan]), ("max", [2, 3, np.nan]), ("min", [1, 3, np.nan])],
)
def test_other_aggregates_pass_over_what_is_missing(how: str, expected: list[float]) -> None:
    values = np.array([[1.0], [2.0], [np.nan], [3.0], [np.nan], [np.nan]])
    np.testing.assert_array_equal(reduced(how, values, np.array([0, 2, 4]))[:, 0], expected)


def test_the_variance_within_periods_is_what_means_lose() -> None:
    values = np.array([[1.0], [3.0], [5.0], [7.0]])
    lost = shares_within(values, np.array([[2.0], [6.0]]), np.array([0, 2]))
    np.testing.assert_allclose(lost, [4 / 20])


def irregular(tz: str | None = None) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    times = pd.Timestamp("2024-10-20", tz=tz) + pd.to_timedelta(np.cumsum(rng.exponential(1200, 1500)).round(), "s")
    return pd.DataFrame({"ds": times, "y": rng.normal(size=1500).cumsum()})


def daily(frame: pd.DataFrame, **options: str) -> Panel:
    return read(frame, ReadOptions(resample="D", **options))


def test_days_of_25_hours_are_weighed_by_all_of_them() -> None:
    frame = irregular("Europe/Berlin")
    panel = daily(frame, aggregate="duration", tz="Europe/Berlin")
    # Second by second: the value of each second is that of the row before it.
    seconds = pd.date_range("2024-10-27", "2024-10-28", freq="s", tz="Europe/Berlin", inclusive="left")
    assert len(seconds) == 25 * 3600
    of_second = frame["y"].to_numpy()[frame["ds"].searchsorted(seconds, side="right") - 1]
    at = panel.times.tolist().index(np.datetime64("2024-10-27", "us").item())
    assert panel.values[at, 0] == pytest.approx(of_second.mean())


def test_what_is_done_and_what_is_lost_is_said() -> None:
    frame = irregular()
    panel = daily(frame)
    by_day = frame.groupby(frame["ds"].dt.normalize())["y"].transform("mean")
    lost = ((frame["y"] - by_day) ** 2).sum() / ((frame["y"] - frame["y"].mean()) ** 2).sum()
    assert any(f"varies within 1 day: {lost:.0%} of 'y'" in note for note in panel.notes)
    summed = daily(frame, aggregate="sum")
    assert any("rows are summed up into" in said for said in summed.warnings)
    sums = frame.set_index("ds")["y"].resample("D").sum()
    np.testing.assert_allclose(summed.values[:, 0], sums[summed.times])


def test_a_sum_of_a_part_of_a_day_is_none() -> None:
    hours = pd.date_range("2024-01-01", periods=24 * 20, freq="h")
    frame = pd.DataFrame({"ds": hours, "rain": 1.0}).drop(index=range(24 * 10, 24 * 10 + 6))
    panel = daily(frame, aggregate="sum")
    assert panel.values[:, 0].tolist() == pytest.approx([24.0] * 10 + [np.nan] + [24.0] * 9, nan_ok=True)
    assert any("have too few of the usual values of a column, which is missing then" in said for said in panel.warnings)
    assert daily(frame).values[10, 0] == 1.0
