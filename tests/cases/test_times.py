"""Files whose time is written as people write it: their rows lie where an independent reading by pandas puts them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.config import ReadOptions
from forecast.errors import DataError
from forecast.sources.from_table import read_panel


def _us_months(n: int = 168) -> tuple[pd.DataFrame, pd.DatetimeIndex, str]:
    times = pd.date_range("1990-01-01", periods=n, freq="MS")
    return pd.DataFrame({"Date": times.strftime("%m/%d/%y")}), times, "MS"


def _us_quarter_ends() -> tuple[pd.DataFrame, pd.DatetimeIndex, str]:
    times = pd.date_range("1998-03-31", periods=104, freq="QE")
    return pd.DataFrame({"date": times.strftime("%m/%d/%y")}), times, "QE-DEC"


def _hhmm() -> tuple[pd.DataFrame, pd.DatetimeIndex, str]:
    times = pd.date_range("2023-01-01", periods=59 * 24, freq="h")
    return pd.DataFrame({"YYYYMMDD": times.strftime("%Y%m%d"), "HHMM": times.hour * 100}), times, "h"


def _year_week() -> tuple[pd.DataFrame, pd.DatetimeIndex, str]:
    times = pd.date_range("2016-01-04", "2021-12-27", freq="W-MON")
    week = times.isocalendar().reset_index(drop=True)
    return pd.DataFrame({"year": week["year"], "week": week["week"]}), times, "W-MON"


def _quarters() -> tuple[pd.DataFrame, pd.DatetimeIndex, str]:
    times = pd.date_range("1995-01-01", periods=108, freq="QS")
    return pd.DataFrame({"quarter": [f"{time.quarter}-{time.year}" for time in times]}), times, "QS-JAN"


def _day_numbers() -> tuple[pd.DataFrame, pd.DatetimeIndex, str]:
    times = pd.date_range("2022-01-01", periods=730)
    return pd.DataFrame({"Date": range(44562, 44562 + 730)}), times, "D"


CASES = [_us_months, _us_quarter_ends, _hhmm, _year_week, _quarters, _day_numbers]


@pytest.mark.parametrize("case", CASES)
def test_rows_lie_where_they_belong(case: object, tmp_path: Path) -> None:
    frame, times, freq = case()  # type: ignore[operator]
    frame["value"] = 100 + np.sin(np.arange(len(times))).round(2)
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    for source in (path, frame):
        panel = read_panel(source)
        assert panel.clock.freq == freq
        assert panel.columns == ("value",)
        assert panel.series_ids == ("",)
        np.testing.assert_array_equal(panel.times, times.to_numpy().astype("datetime64[us]"))
        np.testing.assert_array_equal(panel.values[:, 0], frame["value"])


def test_day_numbers_are_read_where_asked(tmp_path: Path) -> None:
    frame, times, _ = _day_numbers()
    path = tmp_path / "table.csv"
    frame.assign(kWh=np.arange(730) / 7).to_csv(path, index=False)
    panel = read_panel(path, ReadOptions(date_format="excel"))
    np.testing.assert_array_equal(panel.times, times.to_numpy().astype("datetime64[us]"))
    assert "excel" in "".join(read_panel(path).warnings)


@pytest.mark.parametrize("case", CASES)
def test_further_rows_are_read_like_the_first(case: object, tmp_path: Path) -> None:
    frame, times, _ = case()  # type: ignore[operator]
    panel = read_panel(frame.assign(value=np.arange(len(times)) / 7))
    options = ReadOptions(**panel.read_options)
    newest = read_panel(frame.assign(value=np.arange(len(times)) / 7)[-3:].reset_index(drop=True), options)
    np.testing.assert_array_equal(newest.times, panel.times[-3:])


def test_a_part_of_the_time_is_never_proposed_as_the_series(tmp_path: Path) -> None:
    weeks = pd.date_range("2016-01-04", periods=100, freq="W-MON").repeat(3)
    frame = pd.DataFrame({"date": weeks, "week": weeks.isocalendar().week.to_numpy(), "quarter": np.arange(300) % 3})
    path = tmp_path / "table.csv"
    frame.assign(value=np.arange(300) / 7).to_csv(path, index=False)
    with pytest.raises(DataError) as caught:
        read_panel(path, ReadOptions(time_column="date", date_format="%Y-%m-%d"))
    assert "week" not in caught.value.advice
    assert "quarter" not in caught.value.advice


def test_a_column_of_words_for_the_hour_is_never_proposed_as_the_series(tmp_path: Path) -> None:
    frame = pd.DataFrame({"date": np.repeat(["2020-01-01", "2020-01-02"], 3), "Time": ["early", "noon", "late"] * 2})
    path = tmp_path / "table.csv"
    frame.assign(value=np.arange(6) / 7).to_csv(path, index=False)
    with pytest.raises(DataError) as caught:
        read_panel(path)
    assert "series_id='Time'" not in caught.value.advice


def test_a_second_column_of_dates_is_no_measurement(tmp_path: Path) -> None:
    times = pd.date_range("2020-01-01", periods=100, freq="h")
    frame = pd.DataFrame({"UTC_DATE": times.strftime("%Y%m%d"), "UTC_TIME": times.strftime("%H%M")})
    frame["LST_DATE"] = (times - pd.Timedelta("5h")).strftime("%Y%m%d")
    panel = read_panel(frame.assign(value=np.arange(100) / 7))
    assert panel.columns == ("value",)
    np.testing.assert_array_equal(panel.times, times.to_numpy())
