"""The calendar and the clock: from the numbers of a time (year, month, week, hour …) to timestamps, strictly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from forecast.errors import DataError, setting
from forecast.tables.table import Bools, Ints, Times
from forecast.tables.timeforms import CENTURY

Clock: TypeAlias = NDArray[np.timedelta64]  # times of day

SECOND = 1_000_000  # microseconds
FAR = 2300  # later years are hardly of the Gregorian calendar


def dates(parts: Mapping[str, Ints], at: Callable[[int], str]) -> Times:
    """The first day of each period, [R], from the year and a part of it: a month, a quarter, a week or the like.

    Raises:
        DataError: If a row is not in the calendar; ``at`` names it.
    """
    year = parts["Y"]
    one = np.ones_like(year)
    month, day = (parts.get(name, one) for name in "md")
    if "q" in parts:
        refuse_where((parts["q"] < 1) | (parts["q"] > 4), at, "is not a quarter of the year")
        month = parts["q"] * 3 - 2
    if "h" in parts:
        refuse_where((parts["h"] < 1) | (parts["h"] > 2), at, "is not a half of the year")
        month = parts["h"] * 6 - 5
    if "s" in parts:  # of 1999/00, the year in which it ends
        ends = np.where(parts["s"] < 100, (year + 1) % 100, year + 1)
        refuse_where(parts["s"] != ends, at, "is not a season: two years that follow each other")
    months = (year - 1970) * 12 + np.clip(month, 1, 12) - 1
    begin, end = (m.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) for m in (months, months + 1))
    wrong = (year < 1) | (year > 9999) | (month < 1) | (month > 12) | (day < 1) | (day > end - begin)
    if wrong.any():
        row = int(np.argmax(wrong))
        advice = f"Correct the row, or name the format: {setting('date_format', '%Y-%m-%d')}"
        if year.min() > FAR:
            advice = f"Years of the Buddhist calendar are 543 ahead: write {year[row]} as {year[row] - 543}."
        raise DataError(
            f"{at(row)} is not a date of the calendar (year {year[row]}, month {month[row]}, day {day[row]}).", advice
        )
    for part, kind, sunday in (("w", "an ISO week", 0), ("e", "an MMWR week", 1)):
        if part in parts:
            week = _first_week(year, sunday) + (parts[part] - 1) * 7
            wrong = (parts[part] < 1) | (week >= _first_week(year + 1, sunday))
            refuse_where(wrong, at, f"is not {kind} of its year")
            begin, day = week, parts.get("u", one)
    if "W" in parts:  # as %W: week 1 begins on the first Monday, days before it are in week 0
        refuse_where((parts["W"] < 0) | (parts["W"] > 53), at, "is not a week from 0 to 53")
        fourth = _fourth_of_january(year)
        begin = fourth + 3 - (fourth + 6) % 7 + (parts["W"] - 1) * 7
    if "j" in parts:
        n_days = 365 + (((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0))
        refuse_where((parts["j"] < 1) | (parts["j"] > n_days), at, "is not a day of its year")
        day = parts["j"]
    return (begin + day - 1).astype("datetime64[D]").astype("datetime64[us]")


def _first_week(year: Ints, sunday: int) -> Ints:
    """The day, counted from 1970, on which the first week of each year begins: that of the fourth of January.

    Args:
        year: Years, [R].
        sunday: 0 for weeks that begin on Monday (ISO 8601), 1 for weeks that begin on Sunday (MMWR).
    """
    fourth = _fourth_of_january(year)
    return fourth - (fourth + 3 + sunday) % 7


def _fourth_of_january(year: Ints) -> Ints:
    """The day of it, counted from 1970."""
    return (year - 1970).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64) + 3


def time_of_day(parts: Mapping[str, Ints], at: Callable[[int], str]) -> Clock:
    """The time since midnight, [R]; 24:00 is the end of its day. ``at`` names a row whose time does not exist."""
    zero = np.zeros_like(next(iter(parts.values())))
    hour, minute, second, micro = (parts.get(name, zero) for name in "HMSf")
    end_of_day = (hour == 24) & (minute == 0) & (second == 0) & (micro == 0)
    wrong = ((hour > 23) & ~end_of_day) | (hour < 0) | (minute > 59) | (minute < 0) | (second > 60) | (second < 0)
    refuse_where(wrong, at, "has no such time of day", "Hours are 0 to 23 (24:00 ends a day), minutes 0 to 59.")
    return (((hour * 60 + minute) * 60 + second) * SECOND + micro).astype("timedelta64[us]")


def refuse_far(times: Times, at: Callable[[int], str]) -> None:
    """Refuse times outside the years 1 to 9999, which no calendar function holds."""
    wrong = np.isnat(times) | (times < np.datetime64("0001-01-01")) | (times >= np.datetime64("10000-01-01"))
    refuse_where(wrong, at, "is missing or outside the years 1 to 9999", "Correct or remove the row.")


def refuse_where(
    wrong: Bools, at: Callable[[int], str], why: str, advice: str = "Correct the row, then try again."
) -> None:
    """Refuse the first row that is wrong; ``at`` names it."""
    if wrong.any():
        raise DataError(f"{at(int(np.argmax(wrong)))} {why}.", advice)


def first_of_century(short: Ints) -> int:
    """The first of the hundred years that years of two digits [R] are in: 1969 as in POSIX, unless they would jump."""
    years = np.unique(short)
    ahead = np.diff(years, append=years[0] + 100)
    first = int(years[(int(ahead.argmax()) + 1) % len(years)])
    span = np.ptp((years - CENTURY) % 100)
    return CENTURY if 100 - ahead.max() >= span else 1900 + first
