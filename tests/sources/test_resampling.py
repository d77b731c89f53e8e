"""Averages over periods: those that are not whole are left out, and told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.config import ReadOptions
from forecast.data.panel import Panel
from forecast.errors import DataError
from forecast.sources.from_table import read_panel

rng = np.random.default_rng(17)


def frame(times: pd.DatetimeIndex, **columns: object) -> pd.DataFrame:
    return pd.DataFrame({"ds": times, "y": rng.normal(size=len(times)), **columns})


def resampled(table: pd.DataFrame, step: str, **options: str) -> Panel:
    return read_panel(table, ReadOptions(resample=step, **options))


def told(panel: Panel) -> list[str]:
    return [note for note in panel.notes if "Left out" in note]


def hours_of_an_office(days: int) -> pd.DatetimeIndex:
    times = pd.date_range("2024-01-01", periods=24 * days, freq="h")
    return times[(times.hour >= 9) & (times.hour < 17) & (times.day_of_week < 5)]


# Name -> times, step, how many periods are left out at either end, and what is said of them.
EDGES = {
    "whole days": (pd.date_range("2024-01-01", periods=240, freq="h"), "D", 0, 0, ""),
    "hours at :51": (pd.date_range("2024-01-01 00:51", periods=240, freq="h"), "D", 0, 0, ""),
    "both ends": (pd.date_range("2024-01-01 05:00", periods=1000, freq="h"), "D", 1, 1, "2024-02-11 (21 of 24 rows)"),
    "months of days": (pd.date_range("2024-01-01", "2025-03-10"), "MS", 0, 1, "2025-03-01 (10 of 31 rows)"),
    "ends of months": (pd.date_range("2024-01-01", "2025-03-10"), "ME", 0, 1, "2025-03-31 (10 of 31 rows)"),
    "months that end on a weekend": (pd.bdate_range("2024-01-01", "2025-05-30"), "MS", 0, 0, ""),
    "a business day before": (pd.bdate_range("2024-01-01", "2025-05-29"), "MS", 0, 1, "2025-05-01 (21 of 22 rows)"),
    "weeks of business days": (pd.bdate_range("2024-01-03", "2025-05-30"), "W", 1, 0, "2024-01-07 (3 of 5 rows)"),
    "quarters": (pd.date_range("2015-01-01", periods=101, freq="MS"), "QS", 0, 1, "2023-04-01 (2 of 3 rows)"),
    "office": (hours_of_an_office(120), "D", 0, 0, ""),
    "office at noon": (hours_of_an_office(120)[:-4], "D", 0, 1, "2024-04-29 (4 of 8 rows)"),
    "in one step": (pd.date_range("2024-01-01 05:00", periods=100, freq="h"), "h", 0, 0, ""),
}


@pytest.mark.parametrize(("times", "step", "first", "last", "says"), EDGES.values(), ids=EDGES)
def test_a_period_that_rows_begin_or_end_within_is_left_out(
    times: pd.DatetimeIndex, step: str, first: int, last: int, says: str
) -> None:
    table = frame(times)
    panel = resampled(table, step)
    pandas = table.set_index("ds")["y"].resample(step).mean().dropna()
    kept = pandas[first : len(pandas) - last]
    np.testing.assert_array_equal(panel.times, kept.index.to_numpy().astype("datetime64[us]"))
    np.testing.assert_allclose(panel.values[:, 0], kept.to_numpy())
    assert len(told(panel)) == bool(says)
    assert says in "".join(told(panel))


def test_days_are_those_of_the_zone() -> None:
    table = frame(pd.date_range("2024-03-30 23:00", periods=24 * 20, freq="h", tz="UTC"))  # 23 hours on the 31st
    panel = resampled(table, "D", tz="Europe/Berlin")
    pandas = table.assign(ds=table["ds"].dt.tz_convert("Europe/Berlin")).set_index("ds")["y"].resample("D").mean()
    assert str(pandas.index[0])[:10] == str(panel.times[0])[:10] == "2024-03-31"
    np.testing.assert_allclose(panel.values[:, 0], pandas.to_numpy()[:-1])
    assert "2024-04-20 (1 of 24 rows)" in told(panel)[0]


def test_each_series_of_a_panel_ends_on_its_own() -> None:
    long = frame(pd.date_range("2024-01-01", periods=480, freq="h"), store="a")
    short = frame(pd.date_range("2024-01-03 05:51", periods=250, freq="h"), store="b")
    tiny = frame(pd.date_range("2024-01-03 05:51", periods=9, freq="h"), store="c")
    panel = resampled(pd.concat([long, short, tiny]), "D", series_id="store")
    assert np.diff(panel.offsets).tolist() == [20, 9, 1]
    np.testing.assert_allclose(panel.values[:20, 0], long.set_index("ds")["y"].resample("D").mean())
    np.testing.assert_allclose(panel.values[20:29, 0], short.set_index("ds")["y"].resample("D").mean()[1:-1])
    assert np.isnan(panel.values[29, 0])  # a series without a whole day has no value
    assert "2024-01-03 of 'b' (19 of 24 rows)" in told(panel)[0]


def test_a_mean_of_few_rows_is_missing_and_told() -> None:
    times = pd.date_range("2024-01-01", periods=480, freq="h")
    table = frame(times, seldom=np.where(np.arange(480) % 3 == 0, 1.0, np.nan))
    table = table.drop(index=[*range(48, 48 + 5), *range(96, 96 + 15), *range(240, 240 + 72)])
    panel = resampled(table, "D")
    pandas = table.set_index("ds").resample("D").mean().dropna(how="all")
    assert len(panel.times) == len(pandas) == 17  # days without any row are a gap, as before
    expected = pandas["y"].to_numpy(copy=True)
    expected[4] = np.nan  # 9 of 24 rows; 19 of 24 are enough
    np.testing.assert_allclose(panel.values[:, 0], expected)
    assert np.flatnonzero(np.isnan(panel.values[:, 1])).tolist() == [4]  # 8 of 24 are its usual number
    assert any("1 period(s) have too few" in text and "2024-01-05 (9 of 24 rows)" in text for text in panel.warnings)


def test_a_target_that_ends_before_what_is_known_ahead_has_no_mean_of_half_a_day() -> None:
    table = frame(pd.date_range("2024-01-01", periods=480, freq="h"), plan=1.0)
    table.loc[17 * 24 + 12 :, "y"] = np.nan  # 12 of the 24 hours of the 18th day
    panel = resampled(table, "D")
    assert np.isnan(panel.values[17:, 0]).all()
    assert not np.isnan(panel.values[:17]).any()
    assert not np.isnan(panel.values[:, 1]).any()


def test_rows_without_a_clock_end_where_others_end() -> None:
    sales = np.concatenate([day * 86_400 + np.sort(rng.uniform(9, 19, 40)) * 3600 for day in range(60)])
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(sales, "s")
    assert not told(resampled(frame(times), "D"))
    at_noon = times[times < "2024-02-29 12:00"]
    panel = resampled(frame(at_noon), "D")
    assert str(panel.times[-1])[:10] == "2024-02-28"
    assert "2024-02-29 (" in told(panel)[0]


def test_a_run_reads_new_rows_by_the_opening_hours_of_its_own() -> None:
    options = ReadOptions(resample="D", **resampled(frame(hours_of_an_office(120)), "D").read_options)
    few = frame(hours_of_an_office(15))  # too few weeks to show the hours
    panel = read_panel(few, options)
    assert len(panel.times) == 11
    assert not told(panel)
    assert len(read_panel(few[:-1], options).times) == 10
    averaged = few.set_index("ds")["y"].resample("D").mean().dropna().reset_index()
    np.testing.assert_allclose(read_panel(averaged, options).values[:, 0], averaged["y"])


def test_rows_that_fill_no_period_are_refused() -> None:
    with pytest.raises(DataError, match=r"no period of 1 day is whole: 2024-01-01 \(20 of 24 rows\)"):
        resampled(frame(pd.date_range("2024-01-01 02:00", periods=20, freq="h")), "D")


@pytest.mark.parametrize("later", [np.nan, 1e9, -9999.0])
def test_no_later_row_decides_on_a_mean(later: float) -> None:
    table = frame(pd.date_range("2024-01-01", periods=480, freq="h"), seldom=1.0)
    table = table.drop(index=[*range(48, 60), 100])
    other = table.assign(y=table["y"].where(table.index < 240, later))
    before = resampled(table, "D").values[:10]
    np.testing.assert_array_equal(resampled(other, "D").values[:10], before)  # to the last bit
