"""Steps from slot to slot: of a week that is closed at times, or of some days of each month."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecast.clocks.days import DAY, MONTHS
from forecast.clocks.month_days import MonthDays
from forecast.clocks.offsets import MONTHS_IN, Offset, Times
from forecast.clocks.week import Week

_DAYS_IN_MONTH = 30.44


@dataclass(frozen=True)
class Slotted:
    """Steps of an offset of which only some are slots.

    Args:
        every: The steps if none were left out; months, quarters or years around days of a month.
        slots: The open slots of a week by the clock on the wall, or the days of a month.
    """

    every: Offset
    slots: Week | MonthDays

    @classmethod
    def parse(cls, every: Offset, text: str) -> Slotted | None:
        """The slots that a text names; None if steps of that length have none.

        Raises:
            DataError: If it names no slots.
        """
        if every.unit in MONTHS_IN:
            if every.base not in ("MS", "QS", "YS") or every.multiple > 1:
                return None
            span, anchor = MONTHS_IN[every.unit], every.alias.rpartition("-")[2]
            return cls(every, MonthDays.parse(text, span, MONTHS.index(anchor) % span if anchor in MONTHS else 0))
        if every.unit not in ("s", "min", "h", "D") or DAY % every.length:
            return None
        return cls(every, Week.parse(text, every.length))

    def __str__(self) -> str:
        return f"{self.every.alias} {self.slots}"

    @property
    def unit(self) -> str:
        """The unit of a step; days where a month has several."""
        return "D" if self._several_a_month else self.every.unit

    @property
    def multiple(self) -> int:
        """Units in one step."""
        return max(1, round(self.length / DAY)) if self._several_a_month else self.every.multiple

    @property
    def length(self) -> int:
        """The usual length of a step in microseconds."""
        if isinstance(self.slots, MonthDays) and self._several_a_month:
            return round(_DAYS_IN_MONTH * self.slots.span / len(self.slots.days) * DAY)
        return self.every.length

    @property
    def _several_a_month(self) -> bool:
        return isinstance(self.slots, MonthDays) and len(self.slots.days) > 1

    def is_open(self, wall: Times) -> NDArray[np.bool_]:
        """Which of these wall times [T] are slots."""
        return self.slots.is_open(wall)

    def ordinals(self, wall: Times) -> NDArray[np.int64]:
        """The number of each wall time [T]."""
        return self.slots.ordinals(wall)

    def future(self, last: np.datetime64, steps: int) -> Times:
        """The next wall times after one."""
        return self.slots.times(self._number(last) + np.arange(1, steps + 1))

    def past(self, last: np.datetime64, steps: int) -> Times:
        """The wall times up to one, ascending."""
        return self.slots.times(self._number(last) - np.arange(steps)[::-1])

    def _number(self, wall: np.datetime64) -> int:
        return int(self.slots.ordinals(np.array([wall]))[0])
