"""Reading: what is inferred of a clock, of times made from parts, of several series; and tables as people have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.config import ReadOptions
from forecast.data.panel import Panel
from forecast.errors import DataError
from forecast.sources.from_table import read_panel
from tables import stacked, table

DATASETS = Path(__file__).parents[3] / "shared" / "datasets"
with_datasets = pytest.mark.skipif(not DATASETS.is_dir(), reason="the series for development are not here")


@pytest.fixture
def read(tmp_path: Path):
    def read(content: str | bytes, name: str = "data.csv", **options: object) -> Panel:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_panel(path, ReadOptions(**options))

    return read


def test_a_plain_table_is_read_with_its_clock(read):
    panel = read("day,a (hPa),b\n2020-01-01,1,4\n2020-01-02,,5\n2020-01-03,3,6\n", name="sea.level.csv")
    assert panel.columns == ("a (hPa)", "b")
    assert panel.clock.freq == "D"
    assert panel.name == "sea.level"
    assert panel.units == {"a (hPa)": "hPa"}
    assert panel.default_target is None
    np.testing.assert_array_equal(panel.values, [[1, 4], [np.nan, 5], [3, 6]])
    assert panel.times.tolist() == pd.date_range("2020-01-01", periods=3).to_pydatetime().tolist()
    assert any("'day'" in note and "YYYY-MM-DD" in note for note in panel.notes)
    assert any("1 of 3 values are missing" in warning for warning in panel.warnings)


@pytest.mark.parametrize(
    ("step", "form", "freq"),
    [
        ("10min", "%Y-%m-%d %H:%M", "10min"),
        ("h", "%Y-%m-%dT%H:%M:%SZ", "h"),
        ("6h", "%d/%m/%Y %I:%M %p", "6h"),
        ("B", "%Y-%m-%d", "B"),
        ("B", "%Y-%m-%d 16:00:00", "B"),
        ("W-SAT", "%Y-%m-%d", "W-SAT"),
        ("MS", "%Y-%m", "MS"),
        ("MS", "%Y-%m-15", "MS 15"),
        ("ME", "%Y-%m-%d", "ME"),
        ("BME", "%Y-%m-%d", "ME"),
        ("QS-FEB", "%Y-%m-%d", "QS-FEB"),
        ("QE", "%Y-%m-%d", "QE-DEC"),
        ("YS", "%Y", "YS-JAN"),
        ("30D", "%Y-%m-%d", "30D"),
        ("30s", "%Y-%m-%d %H:%M:%S", "30s"),
    ],
)
def test_the_clock_is_seen_from_the_steps(read, step, form, freq):
    panel = read(table(60, step, form))
    assert panel.clock.freq == freq
    assert panel.n_rows == 60
    assert not panel.absent_before().any()


def test_a_month_by_its_middle_stays_there_unless_told(read):
    panel = read(table(24, "MS", "%Y-%m-15"))
    assert panel.times[0] == np.datetime64("2020-01-15")
    told = read(table(24, "MS", "%Y-%m-15"), freq="MS")
    assert told.times[0] == np.datetime64("2020-01-01")
    assert any("moved to its place" in note for note in told.notes)


def test_time_is_put_together_from_its_parts(read):
    times = pd.date_range("2020-02-28", periods=50, freq="h")
    rows = "".join(f"{i},{t.year},{t.month},{t.day},{t.hour},{i}.5,NW\n" for i, t in enumerate(times))
    panel = read("No,year,month,day,hour,v,wind\n" + rows)
    assert panel.columns == ("v",)
    assert panel.clock.freq == "h"
    assert panel.times[-1] == np.datetime64("2020-03-01T01:00")
    assert any("row counter: 'No'" in note for note in panel.notes)
    assert any("left out: 'wind'" in note for note in panel.notes)


def test_a_date_and_a_time_of_day_are_joined(read):
    times = pd.date_range("2020-01-20", periods=50, freq="h")
    joined = "Date;Time;v\n" + "".join(f"{t:%d.%m.%Y};{t:%H:%M:%S};{i}\n" for i, t in enumerate(times))
    numbered = "date,hour,v\n" + "".join(f"{t:%Y-%m-%d},{t.hour},{i}\n" for i, t in enumerate(times))
    assert read(joined).fingerprint() == read(numbered).fingerprint()
    assert read(joined).columns == ("v",)


def test_series_are_told_apart_by_the_one_column_that_can(read):
    panel = read(stacked("ba"))
    assert panel.series_ids == ("a", "b")
    assert panel.offsets == (0, 40, 80)
    assert panel.values[0, 0] == 0.51
    assert panel.values[40, 0] == 0.5
    long = read(stacked().replace("city,time,v", "unique_id,ds,y"))
    assert long.series_ids == ("a", "b")
    assert long.default_target == "y"


def test_rows_beside_the_clock_move_to_it_or_give_way(read):
    lines = table(100, "h", "%Y-%m-%d %H:51").splitlines()
    lines[10] = lines[10].replace(":51", ":48")  # 09:48 is nearest to 09:51, which is free
    lines.insert(21, "2020-01-01 20:12,-1")  # nearest to 19:51, which is taken
    panel = read("\n".join(lines))
    assert panel.n_rows == 100
    assert panel.times[9] == np.datetime64("2020-01-01T09:51")
    assert panel.values[9, 0] == 9.5
    assert -1 not in panel.values
    assert any(w.startswith("1 time(s) off the clock") for w in panel.warnings)
    assert any(w.startswith("1 row(s) are left out") for w in panel.warnings)


def test_weekend_rows_among_business_days_are_named_and_both_ways_keep_them():
    days = pd.bdate_range("2018-01-01", periods=900)
    days = days.append(pd.date_range(days[-1] + pd.Timedelta(1, "D"), periods=100))
    table = pd.DataFrame({"ds": days, "Close": np.arange(100.0, 1100.0)})
    weekend = days[days.day_of_week >= 5]
    panel = read_panel(table)
    assert (panel.clock.freq, panel.n_rows) == ("B", 1000 - len(weekend))
    (warning,) = [text for text in panel.warnings if "left out" in text]
    assert warning == (
        f"{len(weekend)} row(s) on Saturdays and Sundays, the first of {weekend[0]:%Y-%m-%d}, are left out, as nearly "
        "all rows lie on business days (freq='D' keeps them, and a day without a row is a gap; freq='step' keeps them, "
        "and takes all rows in their order)."
    )
    for freq in ("D", "step"):
        kept = read_panel(table, ReadOptions(freq=freq))
        np.testing.assert_array_equal(kept.values[:, 0], table["Close"])


def test_weekly_rows_before_daily_ones_do_not_hide_business_days(read):
    weekly = pd.date_range("1972-01-07", periods=20, freq="W-FRI")
    daily = pd.bdate_range("1972-06-01", periods=200)
    panel = read("Date,Close\n" + "".join(f"{t:%Y-%m-%d},{i + 1}\n" for i, t in enumerate(weekly.append(daily))))
    assert panel.clock.freq == "B"
    assert panel.n_rows == 220
    assert panel.default_target == "Close"


@with_datasets
def test_an_hourly_station_off_the_hour():
    panel = read_panel(DATASETS / "jfk_weather" / "jfk_weather_cleaned.csv")
    assert panel.clock.freq == "h"
    assert panel.times[0] == np.datetime64("2010-01-01T00:51")
    assert panel.times[-1] == np.datetime64("2018-07-27T22:51")
    assert len(panel.columns) == 10
    assert panel.absent_before().sum() == 47
    assert set((panel.times - panel.times.astype("datetime64[h]")).astype(int)) == {51 * 60_000_000}


@with_datasets
def test_three_airports_in_one_file():
    panel = read_panel(DATASETS / "nyc_airports_2013" / "weather.csv")
    assert panel.series_ids == ("EWR", "JFK", "LGA")
    assert panel.clock.freq == "h"
    assert panel.n_rows == 26_115
    assert panel.times[0] == np.datetime64("2013-01-01T06:00")
    assert panel.columns == (
        "temp",
        "dewp",
        "humid",
        "wind_dir",
        "wind_speed",
        "wind_gust",
        "precip",
        "pressure",
        "visib",
    )
    assert panel.default_target is None  # nine measurements, any of which may be meant


@with_datasets
def test_a_table_with_sentinels_a_double_row_and_a_gap():
    panel = read_panel(DATASETS / "weather_jena2020" / "weather.csv")
    assert panel.clock.freq == "10min"
    assert panel.values.shape == (52_695, 21)
    missing = dict(zip(panel.columns, np.isnan(panel.values).sum(axis=0).tolist(), strict=True))
    assert missing["wv (m/s)"] == 1
    assert missing["OT"] == 50
    assert sum(missing.values()) == 81
    assert np.flatnonzero(panel.absent_before()).size == 1
    assert panel.units["T (degC)"] == "degC"


@with_datasets
@pytest.mark.parametrize(
    ("file", "freq", "rows", "columns"),
    [
        ("beijing_pm25/raw.csv", "h", 43_824, 11),  # seven of numbers, and four directions of the wind
        ("exchange_rate/exchange_rate.csv", "D", 7_588, 8),
        ("ett/ETTm1.csv", "15min", 69_680, 7),
        ("eia_energy_prices/brent-daily.csv", "B", 9_958, 1),
        ("stocks/intc.us.txt", "B", 11_556, 6),
    ],
)
def test_tables_as_people_have_them(file, freq, rows, columns):
    panel = read_panel(DATASETS / file)
    assert (panel.clock.freq, *panel.values.shape) == (freq, rows, columns)


def test_angles_are_averaged_along_their_circle() -> None:
    times = pd.date_range("2024-01-01", periods=24, freq="10min")
    around_north = np.resize([350.0, 10.0, 355.0, 5.0, 340.0, 20.0], 24)
    around_north[6:12] = 200.0
    frame = pd.DataFrame({"ds": times, "wind_dir": around_north, "code": around_north})
    panel = read_panel(frame, ReadOptions(resample="h"))
    away = np.abs((panel.values[:, 0] + 180) % 360 - 180)
    assert away[[0, 2, 3]] == pytest.approx([0, 0, 0], abs=1e-6)
    assert panel.values[1, 0] == pytest.approx(200)
    assert panel.values[0, 1] == pytest.approx(180)  # a name that says nothing of an angle


def test_lines_are_named_as_the_file_has_them_though_spring_leaves_one_out(tmp_path: Path) -> None:
    path = tmp_path / "wall.csv"
    times = pd.date_range("2022-03-26", periods=60, freq="h")  # 02:00 on the 27th never was in Berlin
    lines = ["time,v", *(f"{time:%Y-%m-%d %H:%M},{number}" for number, time in enumerate(times))]
    path.write_text("\n".join([*lines, f"{times[-1]:%Y-%m-%d %H:%M},999"]) + "\n")
    with pytest.raises(DataError, match=r"wall.csv, line 62: .* was given before \(.*wall.csv, line 61\)"):
        read_panel(path, ReadOptions(tz="Europe/Berlin"))


def test_it_is_said_why_a_column_of_words_cannot_be_taken_and_which_can() -> None:
    rows = np.arange(3000)
    words = {"remark": rows.astype(str), "plan": rows % 20, "sky": rows % 3}
    frame = pd.DataFrame({"ds": pd.date_range("2020", periods=3000, freq="h"), "y": rows * 1.0})
    frame = frame.assign(**{name: "a " + pd.Series(values).astype(str) for name, values in words.items()}, same="s")
    panel = read_panel(frame)
    with pytest.raises(DataError) as caught:
        panel.column("remark")
    assert str(caught.value).splitlines() == [
        "Column 'remark' was left out. It holds 3,000 different words in 3,000 rows: remarks.",
        "Columns: 'y', 'sky=a 0', 'sky=a 1', 'sky=a 2'. Words, for known or static: 'plan', 'sky'.",
    ]
