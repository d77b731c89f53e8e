"""Steps that pandas names: seconds to days of one length, business days, weeks, months, quarters and years."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.offsets import BaseOffset

from forecast.clocks.days import DAY
from forecast.errors import DataError, setting

Times = NDArray[np.datetime64]

# The unit of each pandas offset that a clock may have. The steps of others, such as business hours, cannot be numbered
# evenly.
_UNITS = {
    **dict.fromkeys(("ns", "us", "ms", "s"), "s"),
    **{unit: unit for unit in ("min", "h", "D", "B", "W")},
    **{
        name: name.strip("BSE")
        for name in ("MS", "ME", "BMS", "BME", "QS", "QE", "BQS", "BQE", "YS", "YE", "BYS", "BYE")
    },
}

# The most units in a step, about a century: pandas counts nanoseconds, and longer steps overflow.
_LONGEST = {"s": 3e9, "min": 5e7, "h": 876_600, "D": 36_525, "B": 26_000, "W": 5_218, "M": 1_200, "Q": 400, "Y": 100}

# Spellings of earlier versions of pandas.
_OLD = {
    **{"H": "h", "T": "min", "S": "s", "L": "ms", "U": "us", "d": "D"},
    **{"M": "ME", "Q": "QE", "A": "YE", "Y": "YE", "BM": "BME", "BQ": "BQE", "BA": "BYE", "BY": "BYE"},
    **{"AS": "YS", "BAS": "BYS"},
}

# The usual days of each unit.
DAYS_IN = {"D": 1, "W": 7, "B": 1, "M": 30, "Q": 91, "Y": 365}

# Units of which every step is as long as any other, also that after a time off the clock.
_EQUAL = ("s", "min", "h", "D")

# Months in a step of each calendar unit.
MONTHS_IN = {"M": 1, "Q": 3, "Y": 12}


@dataclass(frozen=True)
class Offset:
    """Steps of a pandas offset.

    Args:
        alias: Its alias, such as ``h``, ``15min``, ``B``, ``W-SAT`` or ``MS``.
    """

    alias: str

    @classmethod
    def parse(cls, text: str) -> Offset | None:
        """The steps that an old or a new spelling names (``H`` and ``h``, ``M`` and ``ME``); None if it names none.

        Raises:
            DataError: If a step is longer than a century.
        """
        head, _, anchor = text.partition("-")
        digits = head[: len(head) - len(head.lstrip("0123456789"))]
        alias = digits + _OLD.get(head[len(digits) :], head[len(digits) :]) + (f"-{anchor}" if anchor else "")
        try:
            offset = pd.tseries.frequencies.to_offset(alias)
        except (ValueError, OverflowError):
            return None
        if offset is None or offset.n < 1 or _base(offset) not in _UNITS:
            return None
        if offset.n > _LONGEST[_UNITS[_base(offset)]]:
            raise DataError(
                f"A step of {text} is longer than a century, the longest that a clock can have.",
                f"Look at the first and the last time, or name the clock: {setting('freq', 'D')}",
            )
        return cls(str(offset.freqstr))

    @cached_property
    def offset(self) -> BaseOffset:
        """The pandas offset of one step."""
        return pd.tseries.frequencies.to_offset(self.alias)

    @cached_property
    def base(self) -> str:
        """The alias without multiple and anchor, which tells starts from ends: ``QS`` of ``2QS-JAN``."""
        return _base(self.offset)

    @cached_property
    def unit(self) -> str:
        """The unit of the step without its multiple: one of s, min, h, D, B, W, M, Q, Y."""
        return _UNITS[self.base]

    @cached_property
    def multiple(self) -> int:
        """Units in one step: 15 for ``15min``."""
        return int(self.offset.n)

    @cached_property
    def length(self) -> int:
        """The usual length of a step in microseconds."""
        if self.unit in DAYS_IN:
            return DAYS_IN[self.unit] * self.multiple * DAY
        step = pd.Timedelta(self.alias if self.alias[0].isdigit() else f"1{self.alias}")
        return int(np.timedelta64(step, "us").astype(np.int64))

    def is_open(self, times: Times) -> NDArray[np.bool_]:
        """Which of these times [T] have a slot: all but weekends among business days."""
        return np.is_busday(times.astype("datetime64[D]")) if self.unit == "B" else np.ones(times.shape, bool)

    def ordinals(self, times: Times) -> NDArray[np.int64]:
        """The number of each of these times [T] on the clock."""
        if self.unit == "B":
            return np.busday_count(np.datetime64("1970-01-01"), times.astype("datetime64[D]")) // self.multiple
        if self.unit in MONTHS_IN:
            number = times.astype("datetime64[M]").astype(np.int64)
            return (number - (number[0] if len(number) else 0)) // (MONTHS_IN[self.unit] * self.multiple)
        numbers = (times - times[0]).astype(np.int64) / self.length if len(times) else np.zeros(0)
        return np.rint(numbers, out=numbers).astype(np.int64)

    def future(self, last: np.datetime64, steps: int) -> Times:
        """The next times after one."""
        if self.unit in _EQUAL:  # pandas finds the same, at twenty times the time
            return last + np.arange(1, steps + 1) * np.timedelta64(self.length, "us")
        if self.base == "MS" and last == last.astype("datetime64[M]"):
            months = last.astype("datetime64[M]") + np.arange(1, steps + 1) * self.multiple
            return months.astype("datetime64[us]")
        times = pd.date_range(pd.Timestamp(last), periods=steps + 1, freq=self.alias)
        after = times[times > pd.Timestamp(last)][:steps]
        if len(after) < steps:  # `last` itself was not on the clock, so the range began after it
            after = pd.date_range(after[0], periods=steps, freq=self.alias)
        return after.to_numpy().astype("datetime64[us]")

    def past(self, last: np.datetime64, steps: int) -> Times:
        """The times up to one, ascending."""
        times = pd.date_range(end=pd.Timestamp(last), periods=steps, freq=self.alias)
        return times.to_numpy().astype("datetime64[us]")


def _base(offset: BaseOffset) -> str:
    return offset.rule_code.split("-")[0]
