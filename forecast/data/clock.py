"""Clock: the regular step between the rows of a series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.offsets import BaseOffset

from forecast.errors import DataError, setting

Times = NDArray[np.datetime64]

# A closed exchange is no gap in the data. The longest closures of the last sixty years on the large exchanges
# (September 2001, four days) are shorter than this many business days.
LONGEST_CLOSURE = 5

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

_UNIT_NAMES = {
    "s": ("second", "seconds"),
    "min": ("minute", "minutes"),
    "h": ("hour", "hours"),
    "D": ("day", "days"),
    "B": ("business day", "business days"),
    "W": ("week", "weeks"),
    "M": ("month", "months"),
    "Q": ("quarter", "quarters"),
    "Y": ("year", "years"),
}


@dataclass(frozen=True)
class Clock:
    """The regular step between rows, a pandas offset alias such as ``h``, ``15min``, ``B``, ``W-SAT`` or ``MS``.

    Raises:
        DataError: If the alias is not one that pandas knows, or its step is longer than a century.
    """

    freq: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "freq", normalise_freq(self.freq))

    @property
    def offset(self) -> BaseOffset:
        """The pandas offset of one step."""
        return pd.tseries.frequencies.to_offset(self.freq)

    @property
    def unit(self) -> str:
        """The unit of the step without its multiple: one of s, min, h, D, B, W, M, Q, Y."""
        return _UNITS[_base(self.offset)]

    @property
    def multiple(self) -> int:
        """Units in one step: 15 for ``15min``."""
        return int(self.offset.n)

    @property
    def step(self) -> np.timedelta64:
        """The length of one step in microseconds; the usual length of a calendar step."""
        days = {"D": 1, "W": 7, "B": 1, "M": 30, "Q": 91, "Y": 365}
        if self.unit in days:
            return np.timedelta64(days[self.unit] * self.multiple * 86_400_000_000, "us")
        return np.timedelta64(pd.Timedelta(self.freq if self.freq[0].isdigit() else f"1{self.freq}"), "us")

    def ordinals(self, times: Times) -> NDArray[np.int64]:
        """The number of each timestamp on the clock: the numbers of neighbours differ by 1.

        Args:
            times: Timestamps [T] that lie on the clock.
        """
        if self.unit == "B":
            return np.busday_count(np.datetime64("1970-01-01"), times.astype("datetime64[D]")) // self.multiple
        if self.unit in ("M", "Q", "Y"):
            months = {"M": 1, "Q": 3, "Y": 12}[self.unit] * self.multiple
            number = times.astype("datetime64[M]").astype(np.int64)
            return (number - (number[0] if len(number) else 0)) // months
        numbers = (times - times[0]).astype(np.int64) / self.step.astype(np.int64) if len(times) else np.zeros(0)
        return np.rint(numbers, out=numbers).astype(np.int64)

    def future(self, last: np.datetime64, steps: int) -> Times:
        """The next ``steps`` timestamps after ``last`` on the clock."""
        times = pd.date_range(pd.Timestamp(last), periods=steps + 1, freq=self.freq)
        after = times[times > pd.Timestamp(last)][:steps]
        if len(after) < steps:  # `last` itself was not on the clock, so the range began after it
            after = pd.date_range(after[0], periods=steps, freq=self.freq)
        return after.to_numpy().astype("datetime64[us]")

    def describe(self, steps: int = 1) -> str:
        """A number of steps in words: "24 hours", "1 month", "96 × 15 minutes"."""
        singular, plural = _UNIT_NAMES[self.unit]
        if self.multiple == 1:
            return f"{steps:,} {singular if steps == 1 else plural}"
        return f"{steps:,} × {self.multiple} {plural}" if steps > 1 else f"{self.multiple} {plural}"


def normalise_freq(freq: str) -> str:
    """The current spelling of a pandas offset alias, from an old or a new one (``H`` and ``h``, ``M`` and ``ME``).

    Raises:
        DataError: If pandas knows neither spelling, or the step is longer than a century.
    """
    old = {"H": "h", "T": "min", "S": "s", "L": "ms", "U": "us", "d": "D"}
    old |= {"M": "ME", "Q": "QE", "A": "YE", "Y": "YE", "BM": "BME", "BQ": "BQE", "BA": "BYE", "BY": "BYE"}
    old |= {"AS": "YS", "BAS": "BYS"}
    head, _, anchor = freq.strip().partition("-")
    digits = head[: len(head) - len(head.lstrip("0123456789"))]
    alias = digits + old.get(head[len(digits) :], head[len(digits) :]) + (f"-{anchor}" if anchor else "")
    try:
        offset = pd.tseries.frequencies.to_offset(alias)
    except (ValueError, OverflowError):
        offset = None
    if offset is not None and offset.n > _LONGEST[_UNITS.get(_base(offset), "s")]:
        raise DataError(
            f"A step of {freq} is longer than a century, the longest that a clock can have.",
            f"Look at the first and the last time, or name the clock: {setting('freq', 'D')}",
        )
    if offset is None or offset.n < 1 or _base(offset) not in _UNITS:
        raise DataError(
            f"{freq!r} is not a frequency.", "Use a pandas offset alias: 15min, h, D, B (business days), W, MS, QS, YS."
        )
    return str(offset.freqstr)


def _base(offset: BaseOffset) -> str:
    """The alias of an offset without multiple and anchor."""
    return offset.rule_code.split("-")[0]
