"""Periods whose length wobbles: fiscal months of four or five weeks, bills each 28 to 33 days."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecast.clocks.days import DAY
from forecast.clocks.offsets import DAYS_IN, Times

# They are named after what they are close to, in days.
_NAMED = (("M", 28, 32), ("Q", 88, 94), ("Y", 360, 372))


@dataclass(frozen=True)
class Uneven:
    """Periods of about so many days or weeks, whose future ends are uncertain.

    Args:
        lengths: Their lengths as they follow each other; one, the mean, if no more is known.
        days: Days in a unit of the lengths: 1, or 7 where they are weeks.
        end: A day on which all of them end; None where there is but a mean.
    """

    lengths: tuple[float, ...]
    days: int
    end: np.datetime64 | None = None

    @classmethod
    def parse(cls, text: str) -> Uneven | None:
        """The periods of ``~4.345W`` or ``~4,4,5W@2024-01-20``; None if a text has another form."""
        match = re.fullmatch(r"~(\d+(?:\.\d+)?|\d+(?:,\d+)+(?=[DW]@))([DW])(?:@(\d{4}-\d\d-\d\d))?", text)
        if match is None or ("," in match[1]) != (match[3] is not None):
            return None
        lengths = tuple(map(float, match[1].split(",")))
        return cls(lengths, DAYS_IN[match[2]], None if match[3] is None else np.datetime64(match[3], "us"))

    @property
    def unit(self) -> str:
        """The calendar unit that is nearest to a period; else days."""
        days = self.length / DAY
        return next((unit for unit, low, high in _NAMED if low <= days <= high), "D")

    @property
    def multiple(self) -> int:
        """Units in one step."""
        return max(1, round(self.length / DAY)) if self.unit == "D" else 1

    @property
    def length(self) -> int:
        """The mean length of a period in microseconds."""
        return round(float(np.mean(self.lengths)) * self.days * DAY)

    def is_open(self, times: Times) -> NDArray[np.bool_]:
        """All of these times [T], whenever a period ends."""
        return np.ones(times.shape, bool)

    def ordinals(self, times: Times) -> NDArray[np.int64]:
        """The number of each of these times [T], from row to row: many lengths add up to another one's."""
        steps = np.rint(np.diff(times).astype(np.int64) / self.length).astype(np.int64)
        return np.concatenate([np.zeros(min(1, len(times)), np.int64), np.cumsum(steps)])

    def future(self, last: np.datetime64, steps: int) -> Times:
        """The next times after one."""
        lengths = np.tile(self.lengths, -(-steps // len(self.lengths)) + 1)[self._phase(last) :][:steps]
        return last + (np.rint(lengths.cumsum()).astype(np.int64) * self.days * DAY).astype("timedelta64[us]")

    def past(self, last: np.datetime64, steps: int) -> Times:
        """The times up to one, about a mean period apart, ascending."""
        return last - (np.arange(steps)[::-1] * self.length).astype("timedelta64[us]")

    def _phase(self, last: np.datetime64) -> int:
        """Which of the periods follows a time: the one whose beginning is nearest to it."""
        if self.end is None:
            return 0
        since = (last - self.end).astype(np.int64) / (self.days * DAY) % sum(self.lengths)
        begins = np.concatenate([[0.0], np.cumsum(self.lengths)])
        return int(np.abs(begins - since).argmin()) % len(self.lengths)
