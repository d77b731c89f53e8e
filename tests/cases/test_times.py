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


def _closing_midnights() -> tuple[pd.DataFrame, pd.DatetimeIndex, str]:
    times = pd.date_range("2023-01-01 00:30", periods=48 * 20, freq="30min")
    dates = (times - pd.Timedelta("1min")).strftime("%Y-%m-%d")
    return pd.DataFrame({"Date": dates, "Time": times.strftime("%H:%M")}), times, "30min"


def _seasons() -> tuple[pd.DataFrame, pd.DatetimeIndex, str]:
    times = pd.date_range("2000-01-01", "2011-01-01", freq="YS")
    return pd.DataFrame({"Season": [f"{year}/{(year + 1) % 100:02d}" for year in times.year]}), times, "YS-JAN"


def _nasa() -> tuple[pd.DataFrame, pd.DatetimeIndex, str]:
    times = pd.date_range("2021-01-01", periods=400)
    return pd.DataFrame({"YEAR": times.year, "MO": times.month, "DY": times.day}), times, "D"


def _buoy() -> tuple[pd.DataFrame, pd.DatetimeIndex, str]:
    times = pd.date_range("2021-01-01", periods=500, freq="10min")
    names = ("#YY", "MM (mo)", "DD (dy)", "hh (hr)", "mm (mn)")
    numbers = (times.year, times.month, times.day, times.hour, times.minute)
    return pd.DataFrame(dict(zip(names, numbers, strict=True))), times, "10min"


def _weather_station() -> tuple[pd.DataFrame, pd.DatetimeIndex, str]:
    times = pd.date_range("2023-01-01", periods=960, freq="30min")
    clock = times.strftime("%I:%M%p").str.lower().str.lstrip("0").str[:-1]
    return pd.DataFrame({"Date": times.strftime("%m/%d/%y"), "Time": clock}), times, "30min"


def _months_of_short_years() -> tuple[pd.DataFrame, pd.DatetimeIndex, str]:
    times = pd.date_range("2008-01-01", periods=100, freq="MS")
    return pd.DataFrame({"Month": [f"{time.month}/{time.year % 100:02d}" for time in times]}), times, "MS"


def _short_years_and_months() -> tuple[pd.DataFrame, pd.DatetimeIndex, str]:
    times = pd.date_range("2008-01-01", periods=100, freq="MS")
    return pd.DataFrame({"Month": times.strftime("%y-%b")}), times, "MS"


def _months_behind_a_point() -> tuple[pd.DataFrame, pd.DatetimeIndex, str]:
    times = pd.date_range("2008-01-01", periods=100, freq="MS")
    return pd.DataFrame({"date": times.strftime("%Y.%m").astype(float)}), times, "MS"


def _fiscal_years() -> tuple[pd.DataFrame, pd.DatetimeIndex, str]:
    times = pd.date_range("1960-01-01", periods=60, freq="YS")
    return pd.DataFrame({"Year": times.strftime("FY%Y")}), times, "YS-JAN"


CASES = [_us_months, _us_quarter_ends, _hhmm, _year_week, _quarters, _day_numbers, _seasons, _nasa, _weather_station]
CASES += [_months_behind_a_point, _fiscal_years]
CASES += [_buoy, _months_of_short_years, _short_years_and_months]


@pytest.mark.parametrize("case", [*CASES, _closing_midnights])
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


@pytest.mark.parametrize(("letter", "n", "freq"), [("M", 12, "MS"), ("Q", 4, "QS-JAN")])
def test_averages_of_years_are_left_out_and_told(letter: str, n: int, freq: str) -> None:
    rows = [(year, number) for year in range(1990, 2003) for number in range(1, n + 2)]
    frame = pd.DataFrame({"Year": [y for y, _ in rows], "Period": [f"{letter}{k:02d}" for _, k in rows]})
    panel = read_panel(frame.assign(Value=np.arange(len(rows)) / 7))
    months = pd.date_range("1990-01-01", periods=13 * n, freq=freq).to_numpy()
    np.testing.assert_array_equal(panel.times, months)
    np.testing.assert_array_equal(panel.values[:, 0], [i / 7 for i, (_, k) in enumerate(rows) if k <= n])
    assert "13 row(s) that hold the average of a year" in "".join(panel.warnings)


def test_further_closing_midnights_are_read_like_the_first() -> None:
    frame, times, _ = _closing_midnights()
    panel = read_panel(frame[-100:].assign(value=np.arange(100) / 7))
    np.testing.assert_array_equal(panel.times, times[-100:].to_numpy())
    assert "read as 24:00" in "".join(panel.warnings)


def test_closing_midnights_of_two_series_and_with_a_gap() -> None:
    frame, times, _ = _closing_midnights()
    kept = np.r_[0:46, 47 : len(times)]  # without the last interval before a midnight
    two = pd.concat([frame.iloc[kept].assign(id=name, value=np.arange(len(kept)) / 7) for name in "ab"])
    panel = read_panel(two.reset_index(drop=True))
    np.testing.assert_array_equal(panel.times.reshape(2, -1)[1], times[kept].to_numpy())


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("n_days", [1, 9])
def test_midnights_that_open_their_day_stay(n_days: int, newest_first: bool) -> None:
    times = pd.date_range("2023-01-01", periods=48 * n_days, freq="30min")
    frame = pd.DataFrame({"time": times[::-1] if newest_first else times, "value": np.arange(len(times)) / 7})
    two = pd.concat([frame.assign(id=name) for name in "ab"], ignore_index=True)
    for table, n_series in ((frame, 1), (two, 2)):
        np.testing.assert_array_equal(read_panel(table).times, np.tile(times.to_numpy(), n_series))


@pytest.mark.parametrize(
    ("first", "other"), [("{m}/{d}/{y}", "{d}/{m}/{y}"), ("{y}-{d:02}-{m:02}", "{y}-{m:02}-{d:02}")]
)
def test_swapped_days_and_months_are_refused(first: str, other: str) -> None:
    for days, n_swapped in (
        (pd.date_range("2021-01-01", periods=200), 77),
        (pd.date_range("2021-01-01", periods=200)[::-1], 77),
        (pd.date_range("2021-01-01", periods=30), 11),
    ):
        dates = [(first if t.day <= 12 else other).format(d=t.day, m=t.month, y=t.year) for t in days]
        with pytest.raises(DataError, match=f"Day and month are swapped in {n_swapped} of {len(days)} rows"):
            read_panel(pd.DataFrame({"Date": dates, "value": np.arange(len(days)) / 7}))


def test_rows_in_disorder_are_no_swapped_dates() -> None:
    days = pd.date_range("2021-01-01", periods=200)
    frame = pd.DataFrame({"Date": days.strftime("%d/%m/%Y"), "value": np.arange(200) / 7}).sample(
        frac=1, random_state=1
    )
    np.testing.assert_array_equal(read_panel(frame.reset_index(drop=True)).times, days.to_numpy())


def test_years_of_the_buddhist_calendar_are_named() -> None:
    def table(begin: str) -> pd.DataFrame:
        days = pd.date_range(begin, periods=200)
        return pd.DataFrame({"Date": [f"{t.day}/{t.month}/{t.year + 543}" for t in days], "value": np.arange(200) / 7})

    assert "2564 is 2021" in "".join(read_panel(table("2021-03-01")).warnings)
    with pytest.raises(DataError) as caught:
        read_panel(table("2020-01-01"))
    assert "write 2563 as 2020" in caught.value.advice


@pytest.mark.parametrize(
    ("begin", "iso"),
    [("2014-01-06", True), ("2014-01-05", True), ("2014-01-01", True), ("2014-01-05", False), ("2014-01-01", False)],
)
def test_weeks_beside_the_calendar_year(begin: str, iso: bool) -> None:
    days = pd.date_range(begin, periods=300, freq="7D")
    weeks = days.isocalendar().week.to_numpy() if iso else days.strftime("%W").astype(int)
    panel = read_panel(pd.DataFrame({"year": days.year, "week": weeks, "value": np.arange(300) / 7}))
    mondays = (days - pd.to_timedelta(days.day_of_week, unit="D")).to_numpy()
    np.testing.assert_array_equal(panel.times, mondays)
    assert panel.clock.freq == "W-MON"
    assert not iso or "calendar year" in "".join(panel.warnings)


def test_hours_from_1_to_25_are_counted_from_local_midnight() -> None:
    times = pd.date_range("2022-01-01", "2023-01-01", freq="h", tz="Europe/Madrid", inclusive="left")
    dates = pd.Series(times.strftime("%Y-%m-%d"))
    frame = pd.DataFrame(
        {"date": dates, "hour": dates.groupby(dates).cumcount() + 1, "value": np.arange(len(times)) / 7}
    )
    with pytest.raises(DataError, match="25 hours"):
        read_panel(frame)
    panel = read_panel(frame, ReadOptions(tz="Europe/Madrid"))
    np.testing.assert_array_equal(panel.times, times.tz_convert(None).to_numpy())


def test_minutes_may_be_called_MM_behind_the_hour(tmp_path: Path) -> None:
    frame, times, _ = _buoy()
    path = tmp_path / "buoy.txt"
    frame.assign(WSPD=np.arange(500) / 8).to_csv(path, index=False, sep=" ")
    names = ",".join(frame.columns)
    for date_format in (None, "YYYY + MM + DD + HH + MM"):
        options = ReadOptions(delimiter=" ", time_column=names, date_format=date_format)
        np.testing.assert_array_equal(read_panel(path, options).times, times.to_numpy())


@pytest.mark.parametrize("date_format", ["YYYY + MM + DD + DD", "YYYY + MM + DD + HHMM + MM", "YYYY + HH + DD"])
def test_formats_of_several_columns_that_make_no_time_are_refused(date_format: str, tmp_path: Path) -> None:
    path = tmp_path / "buoy.csv"
    _buoy()[0].assign(WSPD=np.arange(500) / 8).to_csv(path, index=False)
    with pytest.raises(DataError, match="is not a format"):
        read_panel(path, ReadOptions(date_format=date_format))


def test_utc_in_the_name_of_a_column_is_its_zone() -> None:
    times = pd.date_range("2022-01-01", periods=300, freq="h").strftime("%Y-%m-%d %H:%M:%S")
    panel = read_panel(pd.DataFrame({"datetime_beginning_utc": times, "value": np.arange(300) / 7}))
    assert panel.clock.tz == "UTC"


@pytest.mark.parametrize("name", ["Date (UTC+1)", "Time UTC-05:00", "utc2", "outcome_date"])
def test_other_names_say_no_zone(name: str) -> None:
    times = pd.date_range("2022-01-01", periods=300, freq="h").strftime("%Y-%m-%d %H:%M:%S")
    assert read_panel(pd.DataFrame({name: times, "value": np.arange(300) / 7})).clock.tz is None


@pytest.mark.parametrize("form", ["%m/%d/%Y %H:%M:%S", "%Y-%m-%d %H:%M"])
def test_zones_beside_the_times_settle_the_hour_that_comes_twice(form: str) -> None:
    times = pd.date_range("2022-10-20", periods=1000, freq="h", tz="America/New_York")
    frame = pd.DataFrame({"Time Stamp": times.strftime(form), "Time Zone": times.strftime("%Z")})
    panel = read_panel(frame.assign(Load=np.arange(1000) / 7))
    np.testing.assert_array_equal(panel.times, times.tz_convert(None).to_numpy())
    assert panel.clock.tz == "America/New_York"
    newest = read_panel(frame[-3:].assign(Load=np.arange(3) / 7), ReadOptions(**panel.read_options))
    np.testing.assert_array_equal(newest.times, panel.times[-3:])


@pytest.mark.parametrize(("form", "n"), [("%d-%b", 31), ("%d-%b", 300), ("%d/%m", 300), ("%m/%d", 300)])
def test_days_without_a_year_are_no_months(form: str, n: int) -> None:
    with pytest.raises(DataError):
        read_panel(pd.DataFrame({"Date": pd.date_range("2021-01-01", periods=n).strftime(form), "v": np.arange(n) / 7}))
