"""Files whose steps are those of people's weeks, shops, fiscal years and loggers, against plain pandas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.choices.usual import default_season
from forecast.clocks.holidays import holidays
from forecast.config import ReadOptions
from forecast.data.clock import Clock
from forecast.errors import DataError
from forecast.sources.from_table import read_panel
from forecast.sources.infer_holidays import infer_holidays


def written(tmp_path: Path, times: pd.DatetimeIndex, form: str = "%Y-%m-%d %H:%M:%S") -> Path:
    """A file of a wave at these times."""
    path = tmp_path / "table.csv"
    y = 100 + np.sin(np.arange(len(times)) / 5).round(3)
    pd.DataFrame({"time": times.strftime(form), "y": y}).to_csv(path, index=False)
    return path


def in_week(start: str, end: str, freq: str, days: str, hours: tuple[int, int] | None = None) -> pd.DatetimeIndex:
    """The times between two dates on these weekdays (1 is Monday), from one hour to another."""
    times = pd.date_range(start, end, freq=freq)
    times = times[np.isin(times.isocalendar()["day"], [int(day) for day in days])]
    return times if hours is None else times[(times.hour >= hours[0]) & (times.hour <= hours[1])]


# Name -> the times, the clock, and what follows the last row.
WEEKS = {
    "closed on Sundays": (
        in_week("2021-01-01", "2023-06-30", "D", "123456"),
        "D MON-SAT",
        ["2023-07-01", "2023-07-03"],
    ),
    "open Tuesday to Sunday": (
        in_week("2021-01-01", "2022-06-27", "D", "234567"),
        "D TUE-SUN",
        ["2022-06-28", "2022-06-29"],
    ),
    "three days a week": (
        in_week("2021-01-01", "2022-12-31", "D", "246"),
        "D TUE,THU,SAT",
        ["2023-01-03", "2023-01-05"],
    ),
    "hours of working days": (
        in_week("2023-01-02", "2023-05-12 23:00", "h", "12345"),
        "h MON-FRI",
        ["2023-05-15 00:00", "2023-05-15 01:00"],
    ),
    "office hours": (
        in_week("2023-01-02", "2023-05-12 23:00", "h", "12345", (9, 17)),
        "h MON-FRI 09:00-17:00",
        ["2023-05-15 09:00", "2023-05-15 10:00"],
    ),
    "minutes of an exchange": (
        in_week("2023-01-02", "2023-02-28", "min", "12345", (10, 15)),
        "min MON-FRI 10:00-15:59",
        ["2023-02-28 10:00", "2023-02-28 10:01"],
    ),
    "quarter hours of a shop": (
        in_week("2023-01-02", "2023-04-01 23:59", "15min", "123456", (8, 19)),
        "15min MON-SAT 08:00-19:45",
        ["2023-04-03 08:00", "2023-04-03 08:15"],
    ),
}


@pytest.mark.parametrize(("times", "freq", "following"), WEEKS.values(), ids=WEEKS)
def test_the_open_slots_of_a_week_are_a_clock(
    times: pd.DatetimeIndex, freq: str, following: list[str], tmp_path: Path
) -> None:
    panel = read_panel(written(tmp_path, times))
    assert panel.clock.freq == freq
    np.testing.assert_array_equal(panel.times, times.to_numpy().astype("datetime64[us]"))
    assert len(np.unique(panel.stretches())) == 1
    assert panel.clock.future(panel.times[-1], 2).tolist() == np.array(following, "datetime64[us]").tolist()
    assert Clock(str(panel.clock.freq)) == panel.clock
    few = read_panel(written(tmp_path, times[-30:]), ReadOptions(**panel.read_options))
    assert few.clock.freq == freq
    assert (np.diff(few.clock.ordinals(few.times)) == 1).all()


def test_rows_missing_at_random_are_no_closing_time(tmp_path: Path) -> None:
    every = pd.date_range("2023-01-02", periods=24 * 7 * 6, freq="h")
    for seed in range(20):
        kept = np.random.default_rng(seed).random(len(every)) > 0.3
        assert read_panel(written(tmp_path, every[kept])).clock.freq == "h"


def test_a_day_that_a_shop_was_closed_is_no_gap_but_a_missing_hour_is(tmp_path: Path) -> None:
    times = in_week("2023-01-02", "2023-05-12 23:00", "h", "12345", (9, 17))
    closed = times[times.normalize() != "2023-02-01"]
    assert len(np.unique(read_panel(written(tmp_path, closed)).stretches())) == 1
    panel = read_panel(written(tmp_path, times.delete(100)))
    assert len(np.unique(panel.stretches())) == 2


def test_stamps_that_wobble_are_snapped(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for freq, wobble in (("1min", 5), ("5min", 60), ("1h", 900)):
        on_clock = pd.date_range("2023-05-01", periods=3000, freq=freq)
        times = on_clock + pd.to_timedelta(rng.uniform(-wobble, wobble, 3000).round(3), "s")
        path = tmp_path / "table.csv"
        pd.DataFrame({"time": times.astype(str), "y": np.arange(3000) % 17}).to_csv(path, index=False)
        panel = read_panel(path)
        np.testing.assert_array_equal(panel.times, on_clock.to_numpy().astype("datetime64[us]"))
        assert any("time(s) off the clock are moved" in warning for warning in panel.warnings)


def test_events_at_any_time_have_no_clock(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    times = pd.Timestamp("2023-05-01") + pd.to_timedelta((1 + rng.exponential(600, 2000)).cumsum().round(), "s")
    with pytest.raises(DataError, match="no regular clock"):
        read_panel(written(tmp_path, pd.DatetimeIndex(times)))


@pytest.mark.parametrize("pattern", [(4, 4, 5), (4, 5, 4), (5, 4, 4)])
def test_fiscal_months_of_four_and_five_weeks_follow_each_other(pattern: tuple[int, ...], tmp_path: Path) -> None:
    every = pd.Timestamp("2012-01-28") + pd.to_timedelta(np.cumsum(np.tile(pattern, 48)) * 7, "D")
    for n in (132, 133, 134):
        times = every[:n]
        panel = read_panel(written(tmp_path, pd.DatetimeIndex(times), "%Y-%m-%d"))
        assert panel.clock.unit == "M"
        assert panel.clock.ordinals(panel.times).tolist() == list(range(n))
        np.testing.assert_array_equal(panel.times, times.to_numpy().astype("datetime64[us]"))
        assert any("uncertain" in warning for warning in panel.warnings)
        ahead = panel.clock.future(panel.times[-1], 10)
        np.testing.assert_array_equal(ahead, every[n : n + 10].to_numpy().astype("datetime64[us]"))


MONTHS = pd.period_range("2012-01", "2018-12", freq="M")
DAYS_OF_MONTH = {
    "MS 15": pd.date_range("2015-01-15", periods=80, freq=pd.DateOffset(months=1)),
    "MS 25": pd.date_range("2015-01-25", periods=80, freq=pd.DateOffset(months=1)),
    "QS-FEB 15": pd.date_range("2005-02-15", periods=60, freq=pd.DateOffset(months=3)),
    "YS-APR 6": pd.date_range("1950-04-06", periods=60, freq=pd.DateOffset(years=1)),
    "MS 1,11,21": pd.DatetimeIndex([f"{month}-{day}" for month in MONTHS for day in ("01", "11", "21")]),
    "MS 1,15": pd.DatetimeIndex([f"{month}-{day}" for month in MONTHS for day in ("01", "15")]),
    "MS 15,31": pd.date_range("2012-01-01", "2019-01-31", freq="SME")[:-1],
}  # fmt: skip


@pytest.mark.parametrize(("freq", "times"), DAYS_OF_MONTH.items(), ids=DAYS_OF_MONTH)
def test_days_of_a_month_keep_their_dates(freq: str, times: pd.DatetimeIndex, tmp_path: Path) -> None:
    known, following = times[:-5], times[-5:]
    panel = read_panel(written(tmp_path, known, "%Y-%m-%d"))
    assert panel.clock.freq == freq
    np.testing.assert_array_equal(panel.times, known.to_numpy().astype("datetime64[us]"))
    assert (np.diff(panel.clock.ordinals(panel.times)) == 1).all()
    ahead = panel.clock.future(panel.times[-1], 5)
    np.testing.assert_array_equal(ahead, following.to_numpy().astype("datetime64[us]"))
    assert default_season(panel.clock) == {"M": 12, "Q": 4, "Y": 1}.get(freq[0], 12) * (1 + freq.count(","))
    assert Clock(freq) == panel.clock
    few = read_panel(written(tmp_path, known[-7:], "%Y-%m-%d"), ReadOptions(**panel.read_options))
    np.testing.assert_array_equal(few.times, panel.times[-7:])


@pytest.mark.parametrize(
    ("first", "freq"), [("2000-01-01", "2QS-JAN"), ("2000-04-01", "2QS-APR"), ("2000-06-30", "2QE-JUN")]
)
def test_half_years_are_two_quarters(first: str, freq: str, tmp_path: Path) -> None:
    times = pd.date_range(first, periods=40, freq=freq)
    panel = read_panel(written(tmp_path, times, "%Y-%m-%d"))
    np.testing.assert_array_equal(panel.times, times.to_numpy().astype("datetime64[us]"))
    assert (panel.clock.unit, panel.clock.multiple, default_season(panel.clock)) == ("Q", 2, 2)
    assert (np.diff(panel.clock.ordinals(panel.times)) == 1).all()
    following = pd.date_range(times[-1], periods=4, freq=freq)[1:]
    np.testing.assert_array_equal(panel.clock.future(panel.times[-1], 3), following.to_numpy().astype("datetime64[us]"))


def test_bills_of_uneven_months_follow_each_other(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    bills = pd.Timestamp("2015-01-05") + pd.to_timedelta(np.cumsum(rng.integers(28, 34, 90)), "D")
    panel = read_panel(written(tmp_path, bills, "%Y-%m-%d"))
    assert panel.clock.ordinals(panel.times).tolist() == list(range(90))
    assert default_season(panel.clock) == 12


def test_double_stamps_of_a_meter_are_refused_with_its_own_step_and_taken_as_told(tmp_path: Path) -> None:
    times = pd.date_range("2023-01-01", periods=1500, freq="15min")
    twice = times.append(times[[300, 700, 1100]])
    frame = pd.DataFrame({"ts": twice, "kW": np.arange(1503) / 10}).sort_values("ts", kind="stable")
    path = tmp_path / "meter.csv"
    frame.to_csv(path, index=False)
    with pytest.raises(DataError) as refusal:
        read_panel(path)
    advice = refusal.value.text("shell")[1]
    assert "--duplicates" in advice
    assert "--resample 15min" in advice
    assert "--resample D" not in advice
    by_time = frame.groupby("ts")["kW"]
    for how in ("first", "last", "mean"):
        panel = read_panel(path, ReadOptions(duplicates=how))
        np.testing.assert_allclose(panel.values[:, 0], by_time.agg(how).to_numpy())
        assert panel.n_rows == 1500
        assert any(f"of those the {how} is taken" in warning for warning in panel.warnings)
    averaged = read_panel(path, ReadOptions(resample="15min"))
    np.testing.assert_allclose(averaged.values[:, 0], by_time.mean().to_numpy())


def test_rows_without_a_clock_are_taken_in_their_order_if_told_so(tmp_path: Path) -> None:
    times = pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-07", "2020-02-01", "2020-02-02", "2020-05-01"])
    panel = read_panel(written(tmp_path, times), ReadOptions(freq="step"))
    assert panel.clock.local(panel.times).tolist() == list(range(6))
    assert panel.clock.local(panel.clock.future(panel.times[-1], 2)).tolist() == [6, 7]


# The rules by which a market was closed -> the days of 2024 that they leave out.
MARKETS = {
    "nearest 01-01|nth 01 MON 3|easter -2|last 05 MON|nearest 07-04|nth 09 MON 1|nth 11 THU 4|nearest 12-25": [
        "2024-01-01", "2024-01-15", "2024-03-29", "2024-05-27", "2024-07-04", "2024-09-02", "2024-11-28", "2024-12-25",
    ],
    "date 01-01|easter -2|easter +1|date 05-01|easter +39|date 10-03|date 12-25|date 12-26": [
        "2024-01-01", "2024-03-29", "2024-04-01", "2024-05-01", "2024-05-09", "2024-10-03", "2024-12-25", "2024-12-26",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("rules", "expected"), MARKETS.items())
def test_holidays_are_learned_from_the_years_before(rules: str, expected: list[str], tmp_path: Path) -> None:
    first, last = np.datetime64("2018-01-01"), np.datetime64("2023-12-29")
    closed = holidays(rules.split("|"), first, last)
    days = np.setdiff1d(pd.bdate_range("2018-01-01", "2023-12-29").to_numpy().astype("datetime64[D]"), closed)
    panel = read_panel(written(tmp_path, pd.DatetimeIndex(days), "%Y-%m-%d"))
    assert panel.clock.freq == "B"
    following = panel.clock.future(panel.times[-1], 262 - len(expected))
    of_2024 = pd.bdate_range("2024-01-01", "2024-12-31").difference(pd.DatetimeIndex(expected))
    np.testing.assert_array_equal(following, of_2024.to_numpy().astype("datetime64[us]"))


def test_easter_is_that_of_the_tables() -> None:
    # Published dates of Easter Sunday, with the earliest and latest possible ones.
    for date in (
        "1818-03-22",
        "1943-04-25",
        "1961-04-02",
        "2000-04-23",
        "2008-03-23",
        "2011-04-24",
        "2024-03-31",
        "2038-04-25",
    ):
        day = np.datetime64(date)
        assert holidays(["easter +0"], day - 5, day + 5).tolist() == [day.item()]


def test_days_missing_at_random_are_no_holidays() -> None:
    days = pd.bdate_range("2015-01-01", "2023-12-29").to_numpy().astype("datetime64[D]")
    rules = [
        infer_holidays(days[np.random.default_rng(seed).random(len(days)) > 0.01], np.is_busday) for seed in range(10)
    ]
    assert all(rule == () for rule in rules)


def test_no_code_of_a_missing_value_goes_into_a_mean(tmp_path: Path) -> None:
    times = pd.date_range("2023-01-01", periods=500, freq="h")
    frame = pd.DataFrame({"ts": times, "kW": 10 + np.arange(500) % 7}).astype({"kW": float})
    twice = frame.iloc[[100, 200, 300]].assign(kW=-999.0)
    path = tmp_path / "meter.csv"
    pd.concat([frame, twice]).to_csv(path, index=False)
    for options in (ReadOptions(duplicates="mean"), ReadOptions(duplicates="mean", missing=("-999",))):
        panel = read_panel(path, options)
        np.testing.assert_array_equal(panel.values[:, 0], frame["kW"])


def test_a_panel_whose_newest_rows_come_first_has_the_hours_of_autumn_in_order(tmp_path: Path) -> None:
    hours = pd.date_range("2023-10-28", "2023-10-30", freq="h", tz="Europe/Berlin")
    rows = [(hour.strftime("%Y-%m-%d %H:%M"), name, at + shift) for at, hour in enumerate(hours)
            for name, shift in (("A", 0.0), ("B", 100.0))]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["time", "station", "v"])
    settings = ReadOptions(tz="Europe/Berlin", series_id="station")
    for order in (frame, frame[::-1]):
        order.to_csv(tmp_path / "panel.csv", index=False)
        panel = read_panel(tmp_path / "panel.csv", settings)
        np.testing.assert_array_equal(panel.values[panel.rows(0), 0], np.arange(len(hours)))
