"""Public holidays as inputs that are known ahead, kept in the run."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from forecast.choices.defaults import resolve
from forecast.clocks.public_holidays import PublicHolidays
from forecast.config import Config, ReadOptions, Settings
from forecast.data.clock import Clock
from forecast.data.features import calendar_features, calendar_names
from forecast.data.panel import Panel
from forecast.errors import ConfigError, DataError, MachineError
from forecast.sources.read import read

pytest.importorskip("holidays")

DAYS = pd.date_range("2021-01-01", "2023-12-20")
FRAME = pd.DataFrame({"ds": DAYS, "y": np.sin(np.arange(len(DAYS)))})


@pytest.fixture(scope="module")
def panel() -> Panel:
    return read(FRAME, ReadOptions(holidays=("US", "US-CA")))


def features_on(panel: Panel, day: str) -> list[str]:
    """What the calendar says of a day, beside its cycles."""
    flags = calendar_features(np.array([day], "datetime64[us]"), panel.clock)[0]
    named = zip(calendar_names(panel.clock), flags, strict=True)
    return [name for name, flag in named if flag == 1 and not name.startswith(("sine", "cosine"))]


def test_days_are_told_by_their_names_and_those_around_them(panel: Panel) -> None:
    # After the last row, too: Thanksgiving 2024 is the 28th, and the day after it is a holiday of California.
    thanksgiving = ["Thanksgiving Day", "any holiday", "1 day before a holiday"]
    assert features_on(panel, "2024-11-28") == thanksgiving
    assert features_on(panel, "2024-11-27") == ["1 day before a holiday", "2 days before a holiday"]
    assert features_on(panel, "2024-11-29") == ["Day After Thanksgiving", "any holiday", "1 day after a holiday"]
    assert features_on(panel, "2024-12-11") == []
    assert panel.clock.public_holidays is not None
    assert panel.clock.public_holidays.by_name["Christmas Day"][:2] == ("2020-12-25", "2021-12-24")  # moved to a Friday
    assert "Christmas Day" in features_on(panel, "2022-12-26")  # a Monday, as the 25th was a Sunday
    assert any("Holidays of US, US-CA are inputs that are known ahead" in note for note in panel.notes)


def test_hours_take_the_holidays_of_their_local_day() -> None:
    new_year = PublicHolidays(("New Year's Day",), (("2024-01-01",),))
    clock = Clock("h", "America/Los_Angeles", public_holidays=new_year)
    times = np.array(["2024-01-01T07:00", "2024-01-01T08:00", "2024-01-02T07:00", "2024-01-02T08:00"], "datetime64[us]")
    which = calendar_names(clock).index("New Year's Day")
    assert calendar_features(times, clock)[:, which].tolist() == [0, 1, 1, 0]


def test_the_days_are_kept_in_the_configuration(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    config, _ = resolve(Settings(read=ReadOptions(holidays=("US", "US-CA"))), panel)
    kept = Config.model_validate_json(config.to_json())
    assert kept.data.calendar
    monkeypatch.setitem(sys.modules, "holidays", None)  # another version, or none
    assert read(FRAME[-20:], kept.read).clock == panel.clock
    with pytest.raises(MachineError, match="not installed") as refusal:
        read(FRAME, ReadOptions(holidays=("US",)))
    assert "forecast-lstm[calendars]" in refusal.value.text("shell")[1]


def test_what_cannot_be_told_is_refused() -> None:
    with pytest.raises(DataError, match="The holidays of 'US-QQ' are not known") as refusal:
        read(FRAME, ReadOptions(holidays=("US-QQ",)))
    assert "Parts of US: AK" in refusal.value.text("python")[1]
    with pytest.raises(DataError, match="a step of the rows is 1 month"):
        read("weather", ReadOptions(holidays=("US",)))
    with pytest.raises(ConfigError, match="holidays are told by the calendar"):
        Settings.from_sections({"read": {"holidays": "US"}, "data": {"calendar": False}})
