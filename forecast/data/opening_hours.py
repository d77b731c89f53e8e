"""When rows stand: the open slots of a week, such as a shop's or an office's; some days of each month; holidays."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from forecast.errors import DataError, quote

WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAY = 86_400_000_000  # microseconds
WEEK = 7 * DAY
# 1 January 1970 was a Thursday; weeks begin on Monday.
_MONDAY = 3 * DAY

_MINUTE = 60_000_000


@dataclass(frozen=True)
class Week:
    """The open slots of a week, each given by its time since Monday 00:00 on the wall clock.

    Args:
        slots: Microseconds, ascending, at least one.
        step: Microseconds from one slot to the next within a day.
    """

    slots: tuple[int, ...]
    step: int

    @classmethod
    def parse(cls, text: str, step: int) -> Week:
        """The slots that a text names, such as ``MON-SAT`` or ``MON-THU 08:00-17:00; FRI 08:00-12:00``.

        Args:
            text: Days, and for a step of less than a day the first and the last slot of each stretch of them.
            step: Microseconds.

        Raises:
            DataError: If it has another form, or the step does not divide a day.
        """
        slots: set[int] = set()
        for group in text.upper().split(";"):
            days, _, times = group.strip().partition(" ")
            try:
                in_day = [slot for part in times.split(",") for slot in _slots_of_day(part.strip(), step)]
                slots |= {day * DAY + slot for day in _days(days) for slot in in_day}
            except ValueError:
                slots = set()
            if not slots:
                raise DataError(
                    f"{quote(text)} does not name the open slots of a week.",
                    "Write them as MON-SAT, or as MON-FRI 09:00-17:00 with the first and the last row of a day.",
                )
        return cls(tuple(sorted(slots)), step)

    def __str__(self) -> str:
        by_day = {day: [slot - day * DAY for slot in self.slots if slot // DAY == day] for day in range(7)}
        groups: dict[str, list[int]] = {}
        for day, in_day in by_day.items():
            if in_day:
                groups.setdefault(self._day_in_words(in_day), []).append(day)
        return "; ".join(f"{_day_ranges(days)} {times}".strip() for times, days in groups.items())

    def _day_in_words(self, in_day: list[int]) -> str:
        """The slots of a day as ``08:00-12:00,14:00-18:00``; empty if none of the day is closed."""
        if self.step >= DAY or (in_day == list(range(in_day[0] % self.step, DAY, self.step)) and in_day[0] == 0):
            return ""
        stretches = [[in_day[0], in_day[0]]]
        for slot in in_day[1:]:
            if slot - stretches[-1][1] == self.step:
                stretches[-1][1] = slot
            else:
                stretches.append([slot, slot])
        return ",".join(f"{_clock_time(first)}-{_clock_time(last)}" for first, last in stretches)

    @property
    def per_day(self) -> int:
        """The most slots of a day."""
        return int(np.bincount(np.array(self.slots) // DAY).max())

    @property
    def is_alike_each_day(self) -> bool:
        """Whether every open day has equally many slots."""
        counts = np.bincount(np.array(self.slots) // DAY)
        return len(np.unique(counts[counts > 0])) == 1

    def ordinals(self, wall: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """The number of each wall time [...]: open slots counted through all weeks; between two, the first."""
        since = wall.astype("datetime64[us]").astype(np.int64) + _MONDAY
        slots = np.array(self.slots)
        return since // WEEK * len(slots) + np.searchsorted(slots, since % WEEK, side="right") - 1

    def is_open(self, wall: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """Which of these wall times [...] are slots."""
        return np.isin(week_offsets(wall), self.slots)

    def times(self, ordinals: NDArray[np.int64]) -> NDArray[np.datetime64]:
        """The wall times of slots by their numbers [...], the reverse of `ordinals`."""
        slots = np.array(self.slots)
        since = ordinals // len(slots) * WEEK + slots[ordinals % len(slots)]
        return (since - _MONDAY).astype("datetime64[us]")


@dataclass(frozen=True)
class MonthDays:
    """Days of each month, quarter or year at which rows stand, such as the 15th, or the 1st, 11th and 21st.

    Args:
        days: Ascending, 1 to 31; a month that ends before has its last day.
        span: Months in a period.
        first: The number of the month that a period begins with, modulo ``span``.
    """

    days: tuple[int, ...]
    span: int = 1
    first: int = 0

    @classmethod
    def parse(cls, text: str, span: int, first: int) -> MonthDays:
        """The days that a text names, such as ``1,11,21``.

        Raises:
            DataError: If it has another form.
        """
        parts = text.split(",")
        days = sorted({int(part) for part in parts if part.isdigit()})
        if len(days) < len(parts) or not 1 <= days[0] <= days[-1] <= 31:
            raise DataError(f"{quote(text)} does not name days of a month.", "Write them as 15, or as 1,11,21.")
        return cls(tuple(days), span, first)

    def __str__(self) -> str:
        return ",".join(map(str, self.days))

    def ordinals(self, wall: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """The number of each date [...]; one between two of the days has that of the first."""
        month = wall.astype("datetime64[M]").astype(np.int64)
        period = (month - self.first) // self.span
        since = self._days_of(period)
        at = (wall.astype("datetime64[D]")[..., None] >= since).sum(axis=-1) - 1
        return period * len(self.days) + at

    def times(self, ordinals: NDArray[np.int64]) -> NDArray[np.datetime64]:
        """The dates by their numbers [...], the reverse of `ordinals`."""
        period, at = np.divmod(ordinals, len(self.days))
        found = np.take_along_axis(self._days_of(period), at[..., None], axis=-1)[..., 0]
        return found.astype("datetime64[us]")

    def _days_of(self, period: NDArray[np.int64]) -> NDArray[np.datetime64]:
        """The dates of each period, [..., n]."""
        month = (period * self.span + self.first).astype("datetime64[M]")
        begin, end = month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]")
        longest = (end - begin).astype(np.int64)[..., None]
        return begin[..., None] + (np.minimum(np.array(self.days), longest) - 1)


def weekdays(days: NDArray[np.datetime64] | np.datetime64) -> NDArray[np.int64]:
    """0 for Monday to 6 for Sunday of each day [...]; 1970 began on a Thursday."""
    return np.asarray((days.astype("datetime64[D]").astype(np.int64) + 3) % 7)


def week_offsets(wall: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """The time since Monday 00:00 of each wall time [...], in microseconds."""
    return (wall.astype("datetime64[us]").astype(np.int64) + _MONDAY) % WEEK


def _days(text: str) -> list[int]:
    days: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        days += range(begin, end + 1)
    return days


def _day_ranges(days: list[int]) -> str:
    runs = [[day for _, day in run] for _, run in groupby(enumerate(days), lambda pair: pair[1] - pair[0])]
    return ",".join(WEEKDAYS[run[0]] + (f"-{WEEKDAYS[run[-1]]}" if len(run) > 1 else "") for run in runs)


def _slots_of_day(text: str, step: int) -> range:
    if not text:
        return range(0, DAY, step)
    first, last = (_microseconds(part) for part in text.split("-"))
    return range(first, last + 1, step)


def _clock_time(since_midnight: int) -> str:
    text = f"{since_midnight // (60 * _MINUTE):02d}:{since_midnight // _MINUTE % 60:02d}"
    seconds = since_midnight % _MINUTE // 1_000_000
    return f"{text}:{seconds:02d}" if seconds else text


def _microseconds(text: str) -> int:
    match = re.fullmatch(r"(\d\d?):(\d\d)(?::(\d\d))?", text)
    if match is None or int(match[1]) > 23:
        raise ValueError(text)
    return (int(match[1]) * 60 + int(match[2])) * _MINUTE + int(match[3] or 0) * 1_000_000


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


# Of rules with the same days so far the likelier one comes first.
_ORDER = ("nearest", "date", "last", "nth", "easter")


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
