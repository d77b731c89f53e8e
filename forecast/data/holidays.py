"""The holidays that a series keeps: rules of the calendar by which it had no row in any of its years."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from forecast.data.week import WEEKDAYS

Days = NDArray[np.datetime64]

# A rule holds if it left out a day in so many years, and in no year a day on which there is a row.
_LEAST_YEARS = 2

# Days from Easter Sunday on which churches and states keep a holiday: Carnival to Corpus Christi.
_FROM_EASTER = range(-48, 61)


def infer_holidays(days: Days, is_open: Callable[[Days], NDArray[np.bool_]]) -> tuple[str, ...]:
    """The rules by which days were left out, as `holidays` takes them.

    Args:
        days: The dates of the rows, ascending.
        is_open: Which days of the week have rows.
    """
    days = np.unique(days.astype("datetime64[D]"))
    if len(days) < 2:
        return ()
    every = np.arange(days[0], days[-1] + 1)
    absent = np.setdiff1d(every[is_open(every)], days)
    years = np.unique(every.astype("datetime64[Y]")).astype(np.int64) + 1970
    counts: dict[str, int] = {}
    for day in absent:
        for rule in _rules_of(day):
            counts[rule] = counts.get(rule, 0) + 1
    held = []
    for rule in (rule for rule, count in counts.items() if count >= _LEAST_YEARS):
        kept = np.array([_day_of(rule, int(year)) for year in years])
        kept = kept[(kept >= days[0]) & (kept <= days[-1])]
        kept = kept[is_open(kept)]
        if len(kept) >= _LEAST_YEARS and np.isin(kept, absent).all():
            held.append((rule, frozenset(kept.tolist())))
    # A rule whose days another leaves out as well says nothing more.
    held.sort(key=lambda pair: (-len(pair[1]), _ORDER.index(pair[0].split()[0])))
    found: dict[str, frozenset[object]] = {}
    for rule, left_out in held:
        if not any(left_out <= others for others in found.values()):
            found[rule] = left_out
    return tuple(sorted(found))


def holidays(rules: Iterable[str], first: np.datetime64, last: np.datetime64) -> Days:
    """The days of rules from one day to another.

    Args:
        rules: Such as ``date 12-25``, ``nearest 07-04``, ``nth 11 THU 4``, ``last 05 MON``, ``easter -2``.
        first: The first day.
        last: The last day.
    """
    years = range(int(str(first)[:4]), int(str(last)[:4]) + 2)
    days = np.array([_day_of(rule, year) for rule in rules for year in years], "datetime64[D]")
    return np.unique(days[(days >= first) & (days <= last)])


# Of rules with the same days so far the likelier one comes first.
_ORDER = ("nearest", "date", "last", "nth", "easter")


def _rules_of(day: np.datetime64) -> list[str]:
    """Every rule that a day obeys."""
    date = str(day)
    year, month, number = int(date[:4]), date[5:7], int(date[8:])
    weekday = WEEKDAYS[int((day.astype(np.int64) + 3) % 7)]
    rules = [f"date {date[5:]}", f"nearest {date[5:]}"]
    if weekday == "FRI":
        rules.append(f"nearest {str(day + 1)[5:]}")
    if weekday == "MON":
        rules.append(f"nearest {str(day - 1)[5:]}")
    rules.append(f"nth {month} {weekday} {(number + 6) // 7}")
    if str(day + 7)[5:7] != month:
        rules.append(f"last {month} {weekday}")
    from_easter = int((day - _easter(year)).astype(np.int64))
    if from_easter in _FROM_EASTER:
        rules.append(f"easter {from_easter:+d}")
    return rules


def _day_of(rule: str, year: int) -> np.datetime64:
    """The day of a rule in a year; NaT where it has none, as the 29th of February."""
    kind, *parts = rule.split()
    if kind == "easter":
        return _easter(year) + int(parts[0])
    if kind in ("date", "nearest"):
        if parts[0] == "02-29" and not _is_leap(year):
            return np.datetime64("NaT", "D")
        day = np.datetime64(f"{year:04d}-{parts[0]}", "D")
        weekday = int((day.astype(np.int64) + 3) % 7)
        return day + {5: -1, 6: 1}.get(weekday, 0) if kind == "nearest" else day
    month = np.datetime64(f"{year:04d}-{parts[0]}", "M")
    first = month.astype("datetime64[D]")
    begin = first + (WEEKDAYS.index(parts[1]) - (first.astype(np.int64) + 3)) % 7
    if kind == "nth":
        day = begin + 7 * (int(parts[2]) - 1)
        return day if day.astype("datetime64[M]") == month else np.datetime64("NaT", "D")
    return begin + 7 * ((((month + 1).astype("datetime64[D]") - begin).astype(np.int64) - 1) // 7)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _easter(year: int) -> np.datetime64:
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


_MONTH_NAMES = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                "November", "December")  # fmt: skip
_NAMES = {
    "nearest 12-25": "Christmas",
    "date 12-25": "Christmas",
    "easter -2": "Good Friday",
    "easter +1": "Easter Monday",
    "nth 11 THU 4": "Thanksgiving",
}


def in_words(rule: str) -> str:
    """A rule as users read it: "25 December", "Good Friday", "the last MON of May"."""
    kind, *parts = rule.split()
    if rule in _NAMES:
        return _NAMES[rule]
    month = _MONTH_NAMES[int(re.match(r"\d+", parts[0])[0]) - 1] if kind != "easter" else ""  # type: ignore[index]
    if kind in ("date", "nearest"):
        return f"{int(parts[0][3:])} {month}"
    if kind == "easter":
        return f"{abs(int(parts[0]))} days {'after' if int(parts[0]) > 0 else 'before'} Easter"
    which = "last" if kind == "last" else ("first", "second", "third", "fourth", "fifth")[int(parts[2]) - 1]
    return f"the {which} {parts[1].title()} of {month}"
