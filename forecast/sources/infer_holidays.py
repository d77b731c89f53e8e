"""The holidays that a series keeps: rules of the calendar by which it had no row in any of its years."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from forecast.clocks.days import WEEKDAYS, weekdays
from forecast.clocks.holidays import day_of_rule, easter

Days = NDArray[np.datetime64]

# A rule holds if it left out a day in so many years, and in no year a day on which there is a row.
_LEAST_YEARS = 2

# Days from Easter Sunday on which churches and states keep a holiday: Carnival to Corpus Christi.
_FROM_EASTER = range(-48, 61)

# Of rules with the same days so far the likelier one comes first.
_ORDER = ("nearest", "date", "last", "nth", "easter")

_MONTH_NAMES = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                "November", "December")  # fmt: skip
_WEEKDAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NAMES = {
    "nearest 12-25": "Christmas",
    "date 12-25": "Christmas",
    "easter -2": "Good Friday",
    "easter +1": "Easter Monday",
    "nth 11 THU 4": "Thanksgiving",
}


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
        kept = np.array([day_of_rule(rule, int(year)) for year in years])
        kept = kept[(kept >= days[0]) & (kept <= days[-1])]
        kept = kept[is_open(kept)]
        if len(kept) >= _LEAST_YEARS and np.isin(kept, absent).all():
            held.append((rule, frozenset(kept.tolist())))
    # A rule whose days another leaves out as well says nothing more.
    held.sort(key=lambda pair: (-len(pair[1]), pair[0] not in _NAMES, _ORDER.index(pair[0].split()[0])))
    found: dict[str, frozenset[object]] = {}
    for rule, left_out in held:
        if not any(left_out <= others for others in found.values()):
            found[rule] = left_out
    return tuple(sorted(found))


def _rules_of(day: np.datetime64) -> list[str]:
    """Every rule that a day obeys."""
    date = str(day)
    year, month, number = int(date[:4]), date[5:7], int(date[8:])
    weekday = WEEKDAYS[int(weekdays(day))]
    rules = [f"date {date[5:]}", f"nearest {date[5:]}"]
    if weekday == "FRI":
        rules.append(f"nearest {str(day + 1)[5:]}")
    if weekday == "MON":
        rules.append(f"nearest {str(day - 1)[5:]}")
    rules.append(f"nth {month} {weekday} {(number + 6) // 7}")
    if str(day + 7)[5:7] != month:
        rules.append(f"last {month} {weekday}")
    from_easter = int((day - easter(year)).astype(np.int64))
    if from_easter in _FROM_EASTER:
        rules.append(f"easter {from_easter:+d}")
    return rules


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
    return f"the {which} {_WEEKDAY_NAMES[WEEKDAYS.index(parts[1])]} of {month}"
