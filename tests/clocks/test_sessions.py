"""The sessions of an exchange as steps, against a list of days."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.clocks.session_days import SessionDays
from forecast.data.clock import Clock

# Two kinds of weeks, holidays, and a session on a day that is none of the week.
WEST = SessionDays("XNYS", "1111100", ("2020-12-25", "2021-01-01", "2021-01-18"), ("2021-01-16",), (), "2021-12-31")
EAST = SessionDays("XSAU", "1111001", ("2020-12-27", "2021-01-03"), ("2021-01-08",), (), "2021-12-31")


def sessions(days: SessionDays) -> np.ndarray:
    """All of them around the holidays, one by one."""
    every = np.arange("2020-12-01", "2021-03-01", dtype="datetime64[D]")
    found = [
        day
        for day in every
        if (days.week[day.item().weekday()] == "1" and str(day) not in days.closed) or str(day) in days.beside
    ]
    return np.array(found, "datetime64[us]")


@pytest.mark.parametrize("days", [WEST, EAST], ids=["Monday to Friday", "Sunday to Thursday"])
def test_sessions_follow_each_other(days: SessionDays) -> None:
    clock, expected = Clock(days.exchange, session_days=days), sessions(days)
    assert (np.diff(clock.ordinals(expected)) == 1).all()
    assert clock.is_open(expected).all()
    for first in range(0, 30, 7):
        np.testing.assert_array_equal(clock.future(expected[first], 25), expected[first + 1 : first + 26])
        np.testing.assert_array_equal(clock.past(expected[first + 30], 25), expected[first + 6 : first + 31])
    closed = np.array(days.closed, "datetime64[us]")
    assert not clock.is_open(closed).any()
    # The day before a closed one has its number, as nothing happened since.
    assert (clock.ordinals(closed) == [clock.ordinals(expected[expected < day][-1:])[0] for day in closed]).all()


def test_a_weekday_keeps_its_phase_over_holidays() -> None:
    clock = Clock("XNYS", session_days=WEST)
    days = sessions(WEST)
    weekdays = np.array([day.weekday() for day in days.tolist()])
    of_week = weekdays < 5
    np.testing.assert_array_equal(clock.phases(days[of_week], 5), (weekdays[of_week] + 2) % 5)  # from a Thursday on


def test_a_clock_names_its_exchange_and_its_steps() -> None:
    clock = Clock("anything", session_days=WEST)
    assert clock.freq == "XNYS"
    assert clock.describe(3) == "3 sessions"
    # A closure that nobody had planned, such as a day of mourning, is no gap.
    np.testing.assert_array_equal(clock.is_closed_for(np.array([0, 1, 5, 6])), [False, True, True, False])
