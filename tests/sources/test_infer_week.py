"""Weeks of another shape: learned from rows, or said and fitted to them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.config import ReadOptions
from forecast.data.panel import Panel
from forecast.errors import DataError
from forecast.sources.read import read


def frame(times: pd.DatetimeIndex) -> pd.DataFrame:
    return pd.DataFrame({"ds": times, "y": 100 + np.sin(np.arange(len(times)) / 5)})


def at(clock_times: str, first: str = "2023-01-02", last: str = "2023-06-30", week: str = "12345") -> pd.DatetimeIndex:
    """Every day of these (1 is Monday) at these hours."""
    days = [day for day in pd.date_range(first, last) if str(day.isoweekday()) in week]
    return pd.DatetimeIndex([f"{day:%Y-%m-%d} {time}" for day in days for time in clock_times.split()])


def following(panel: Panel, steps: int) -> list[str]:
    return panel.clock.local(panel.clock.future(panel.times[-1], steps)).strftime("%a %H:%M").tolist()


EVERY = pd.date_range("2023-01-02", "2023-03-31 23:30", freq="30min")
MORNING_AND_AFTERNOON = "09:30 10:00 10:30 11:00 13:00 13:30 14:00 14:30"


def test_readings_at_uneven_hours_are_slots_of_a_week() -> None:
    panel = read(frame(at("07:00 14:00 21:00", week="1234567")))
    assert panel.clock.freq == "h MON-SUN 07:00,14:00,21:00"
    assert panel.clock.describe(21) == "21 slots"
    assert len(np.unique(panel.stretches())) == 1
    assert following(panel, 4) == ["Sat 07:00", "Sat 14:00", "Sat 21:00", "Sun 07:00"]
    trains = read(frame(at("06:10 07:05 12:40")))
    assert trains.clock.freq == "5min MON-FRI 06:10,07:05,12:40"
    assert following(trains, 2) == ["Mon 06:10", "Mon 07:05"]


def test_a_pattern_that_is_asked_for_needs_two_weeks() -> None:
    times = at("09:00 10:00 11:00", last="2023-01-13")
    assert read(frame(times)).clock.freq == "h"
    panel = read(frame(times), ReadOptions(freq="pattern"))
    assert panel.clock.freq == "h MON-FRI 09:00-11:00"
    assert any("h MON-FRI 09:00-11:00" in note for note in panel.notes)
    assert following(panel, 1) == ["Mon 09:00"]
    with pytest.raises(DataError, match="no weekly pattern"):
        read(frame(EVERY), ReadOptions(freq="pattern"))


@pytest.mark.parametrize(
    ("options", "freq", "n_rows"),
    [
        ({"weekdays": "mon-fri", "sessions": "09:30-11:00,13:00-14:30"}, "30min MON-FRI 09:30-11:00,13:00-14:30", 520),
        ({"weekdays": "sun-thu", "freq": "h"}, "h MON-THU,SUN", 1536),
        ({"sessions": "22:00-01:00"}, "30min MON-SUN 00:00-01:00,22:00-23:30", 623),
        ({"weekdays": "mon-fri", "sessions": "09:00-17:00", "resample": "h"}, "h MON-FRI 09:00-17:00", 585),
    ],
)
def test_hours_that_are_said_are_the_clock_and_the_rest_is_left_out(
    options: dict[str, str], freq: str, n_rows: int
) -> None:
    panel = read(frame(EVERY), ReadOptions(**options))
    assert panel.clock.freq == freq
    assert panel.n_rows == n_rows
    assert len(np.unique(panel.stretches())) == 1
    assert any("is closed" in said and "left out" in said for said in panel.warnings)
    # A run that reads some more rows knows what it learned.
    again = read(frame(EVERY[-100:]), ReadOptions(**{**options, "freq": freq}))
    assert again.clock == panel.clock


def test_a_pattern_is_cut_to_the_days_that_are_said() -> None:
    panel = read(frame(at("09:00 10:00 11:00")), ReadOptions(freq="pattern", weekdays="mon-wed"))
    assert panel.clock.freq == "h MON-WED 09:00-11:00"


def test_the_end_of_a_session_is_a_slot_only_where_it_has_rows() -> None:
    panel = read(frame(at(MORNING_AND_AFTERNOON)), ReadOptions(sessions="09:30-11:30,13:00-15:00"))
    assert panel.clock.freq == "30min MON-FRI 09:30-11:00,13:00-14:30"


def test_days_at_another_hour_than_midnight_keep_it() -> None:
    panel = read(frame(at("16:00", week="123456")))
    assert panel.clock.freq == "D MON-SAT 16:00"
    assert following(panel, 2) == ["Sat 16:00", "Mon 16:00"]


def test_slots_without_a_row_are_told_and_holidays_are_left_out_of_forecasts() -> None:
    times = at(MORNING_AND_AFTERNOON, "2018-01-01", "2023-12-22")
    off = times.strftime("%m-%d").isin(["12-24", "12-25", "12-26"])
    panel = read(frame(times[~off]))
    assert any("80 slots have no row, most often that of MON 09:30: in 2 of 312 weeks" in note for note in panel.notes)
    assert panel.clock.holidays
    assert following(panel, 1) == ["Wed 09:30"]  # 25 and 26 December 2023 are a Monday and a Tuesday


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sessions": "03:00-04:00", "weekdays": "sat"}, "No row stands in sat 03:00-04:00"),
        ({"freq": "D", "sessions": "09:00-10:00"}, "A step of 1 day has no"),
        ({"freq": "W", "weekdays": "mon-fri"}, "A step of 1 week has no"),
        ({"weekdays": "often"}, "'often' does not name"),
        ({"resample": "step"}, "not averaged onto a clock of step"),
    ],
)
def test_what_is_no_week_is_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(frame(at(MORNING_AND_AFTERNOON)), ReadOptions(**options))
