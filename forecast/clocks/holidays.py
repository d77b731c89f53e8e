"""Holidays by rules of the calendar: a date, a weekday of a month, days from Easter."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from forecast.clocks.days import WEEKDAYS, weekdays
from forecast.clocks.offsets import Times


def holidays(rules: Iterable[str], first: np.datetime64, last: np.datetime64) -> NDArray[np.datetime64]:
    """The days of rules from one day to another.

    Args:
        rules: Such as ``date 12-25``, ``nearest 07-04``, ``nth 11 THU 4``, ``last 05 MON``, ``easter -2``.
        first: The first day.
        last: The last day.
    """
    years = range(int(str(first)[:4]), int(str(last)[:4]) + 2)
    days = np.array([day_of_rule(rule, year) for rule in rules for year in years], "datetime64[D]")
    return np.unique(days[(days >= first) & (days <= last)])


def open_days(
    future: Callable[[int], Times], wall: Callable[[Times], Times], rules: Iterable[str], steps: int
) -> Times:
    """The next times that are no holidays.

    Args:
        future: The next times, so many of them, whether holidays or not.
        wall: What a clock on the wall shows at times.
        rules: Of the holidays.
        steps: How many times.
    """
    more = steps
    while True:  # more and more of them, until enough are left
        times = future(steps + more)
        days = wall(times).astype("datetime64[D]")
        is_open = ~np.isin(days, holidays(rules, days[0], days[-1]))
        if is_open.sum() >= steps:
            return times[is_open][:steps]
        more *= 2


def day_of_rule(rule: str, year: int) -> np.datetime64:
    """The day of a rule in a year; NaT where it has none, as the 29th of February."""
    kind, *parts = rule.split()
    if kind == "easter":
        return easter(year) + int(parts[0])
    if kind in ("date", "nearest"):
        if parts[0] == "02-29" and not _is_leap(year):
            return np.datetime64("NaT", "D")
        day = np.datetime64(f"{year:04d}-{parts[0]}", "D")
        return day + {5: -1, 6: 1}.get(int(weekdays(day)), 0) if kind == "nearest" else day
    month = np.datetime64(f"{year:04d}-{parts[0]}", "M")
    first = month.astype("datetime64[D]")
    begin = first + (WEEKDAYS.index(parts[1]) - weekdays(first)) % 7
    if kind == "nth":
        day = begin + 7 * (int(parts[2]) - 1)
        return day if day.astype("datetime64[M]") == month else np.datetime64("NaT", "D")
    return begin + 7 * ((((month + 1).astype("datetime64[D]") - begin).astype(np.int64) - 1) // 7)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def easter(year: int) -> np.datetime64:
    """Easter Sunday of the Gregorian calendar, by the rule of Meeus, Jones and Butcher (Nature, 1876)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    n = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * n) // 451
    month, day = divmod(h + n - 7 * m + 114, 31)
    return np.datetime64(f"{year:04d}-{month:02d}-{day + 1:02d}", "D")
