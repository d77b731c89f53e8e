"""The open slots of a week, such as a shop's, an office's or an exchange's with a break at noon."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from forecast.clocks.days import DAY, SINCE_MONDAY, WEEK, WEEKDAYS, week_offsets
from forecast.errors import DataError, quote

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
                slots |= {(day * DAY + slot) % WEEK for day in _days(days) for slot in in_day}
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
        if in_day == list(range(0, DAY, self.step)):
            return ""
        stretches = [[in_day[0], in_day[0]]]
        for slot in in_day[1:]:
            if slot - stretches[-1][1] == self.step:
                stretches[-1][1] = slot
            else:
                stretches.append([slot, slot])
        return ",".join("-".join(map(clock_time, dict.fromkeys(stretch))) for stretch in stretches)

    @property
    def per_day(self) -> int:
        """The most slots of a day."""
        return int(np.bincount(np.array(self.slots) // DAY).max())

    @property
    def is_sparse(self) -> bool:
        """Whether most slots of a day are further apart than a step, such as three readings a day."""
        apart = np.diff(self.slots)
        apart = apart[np.diff(np.array(self.slots) // DAY) == 0]
        return bool(len(apart)) and 2 * int((apart > self.step).sum()) > len(apart)

    @property
    def is_alike_each_day(self) -> bool:
        """Whether every open day has equally many slots."""
        counts = np.bincount(np.array(self.slots) // DAY)
        return len(np.unique(counts[counts > 0])) == 1

    def ordinals(self, wall: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """The number of each wall time [...]: open slots counted through all weeks; between two, the first."""
        since = wall.astype("datetime64[us]").astype(np.int64) + SINCE_MONDAY
        slots = np.array(self.slots)
        return since // WEEK * len(slots) + np.searchsorted(slots, since % WEEK, side="right") - 1

    def is_open(self, wall: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """Which of these wall times [...] are slots."""
        return np.isin(week_offsets(wall), self.slots)

    def times(self, ordinals: NDArray[np.int64]) -> NDArray[np.datetime64]:
        """The wall times of slots by their numbers [...], the reverse of `ordinals`."""
        slots = np.array(self.slots)
        since = ordinals // len(slots) * WEEK + slots[ordinals % len(slots)]
        return (since - SINCE_MONDAY).astype("datetime64[us]")


def _days(text: str) -> list[int]:
    days: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        days += [day % 7 for day in range(begin, end + 1 + 7 * (end < begin))]
    return days


def _day_ranges(days: list[int]) -> str:
    runs = [[day for _, day in run] for _, run in groupby(enumerate(days), lambda pair: pair[1] - pair[0])]
    return ",".join(WEEKDAYS[run[0]] + (f"-{WEEKDAYS[run[-1]]}" if len(run) > 1 else "") for run in runs)


def _slots_of_day(text: str, step: int) -> range:
    if not text:
        return range(0, DAY, step)
    first, last = (_microseconds(part) for part in (text if "-" in text else f"{text}-{text}").split("-"))
    return range(first, last + 1 + DAY * (last < first), step)


def clock_time(since_midnight: int) -> str:
    """A time of the day in microseconds as ``09:30``, or ``09:30:15``."""
    text = f"{since_midnight // (60 * _MINUTE):02d}:{since_midnight // _MINUTE % 60:02d}"
    seconds = since_midnight % _MINUTE // 1_000_000
    return f"{text}:{seconds:02d}" if seconds else text


def _microseconds(text: str) -> int:
    match = re.fullmatch(r"(\d\d?):(\d\d)(?::(\d\d))?", text)
    if match is None or int(match[1]) > 23:
        raise ValueError(text)
    return (int(match[1]) * 60 + int(match[2])) * _MINUTE + int(match[3] or 0) * 1_000_000
