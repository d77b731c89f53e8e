"""Clock: the regular step between the rows of a series, and the zone of its times."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.offsets import BaseOffset

from forecast.data.opening_hours import DAY, MONTHS, MonthDays, Week, holidays
from forecast.errors import DataError, setting
from forecast.tables.zone_rules import wall_times

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
    "step": ("step", "steps"),
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

_DAYS = {"D": 1, "W": 7, "B": 1, "M": 30, "Q": 91, "Y": 365}

# Periods whose length wobbles, such as months of four or five weeks, are named after what they are close to, in days.
_PERIODS = (("M", 28, 32), ("Q", 88, 94), ("Y", 360, 372))

# Months in a step of each calendar unit.
MONTHS_IN = {"M": 1, "Q": 3, "Y": 12}

# The clock of rows that have numbers instead of times.
STEP = "step"


@dataclass(frozen=True)
class Clock:
    """The regular step between rows, and the zone of their times.

    A step is a pandas offset alias such as ``h``, ``15min``, ``B``, ``W-SAT`` or ``MS``. Behind it may stand the open
    slots of a week, as in ``D MON-SAT`` or ``h MON-FRI 09:00-17:00``, or days of a month, as in ``MS 15`` or
    ``MS 1,11,21``. ``~4.345W`` are periods of about that many weeks or days; ``~4,4,5W@2024-01-20`` are periods of
    four, four and five weeks, three of which end on that day. ``step`` is the clock of rows without times: the row of
    number k has the k-th microsecond of 1970 as its time.

    Args:
        freq: The step.
        tz: The zone of the times, such as ``Europe/Berlin``; None if they have none. On a clock of less than a day they
            are kept in UTC; on a longer one they are local dates.
        holidays: Rules of the days without rows, as `infer_holidays` finds them, on a clock of some days of the week.

    Raises:
        DataError: If the alias is not one that pandas knows, or its step is longer than a century.
    """

    freq: str
    tz: str | None = None
    holidays: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "freq", normalise_freq(self.freq))

    @property
    def _alias(self) -> str:
        return self.freq.partition(" ")[0]

    @cached_property
    def slots(self) -> Week | MonthDays | None:
        """The open slots of a week, or the days of a month; None if rows stand at every step."""
        slots = self.freq.partition(" ")[2]
        if not slots:
            return None
        if (span := MONTHS_IN.get(_UNITS[_base(self.offset)])) is not None:
            anchor = self.offset.rule_code.rpartition("-")[2]
            return MonthDays.parse(slots, span, MONTHS.index(anchor) % span if anchor in MONTHS else 0)
        return Week.parse(slots, int(self._length_of_alias.astype(np.int64)))

    @property
    def week(self) -> Week | None:
        """The open slots of a week; None if the clock has none that are closed."""
        return self.slots if isinstance(self.slots, Week) else None

    @property
    def is_uneven(self) -> bool:
        """Whether the length of a step wobbles, so that future times are uncertain."""
        return self.freq.startswith("~")

    @property
    def offset(self) -> BaseOffset:
        """The pandas offset of one step."""
        return pd.tseries.frequencies.to_offset(self._alias)

    @property
    def unit(self) -> str:
        """The unit of the step without its multiple: one of step, s, min, h, D, B, W, M, Q, Y."""
        if self.freq == STEP:
            return STEP
        if self.is_uneven:
            days = self.step.astype(np.int64) / DAY
            return next((unit for unit, low, high in _PERIODS if low <= days <= high), "D")
        if isinstance(self.slots, MonthDays) and len(self.slots.days) > 1:
            return "D"
        return _UNITS[_base(self.offset)]

    @property
    def multiple(self) -> int:
        """Units in one step: 15 for ``15min``."""
        if self.is_uneven or isinstance(self.slots, MonthDays):
            return max(1, round(self.step.astype(np.int64) / DAY)) if self.unit == "D" else 1
        return 1 if self.freq == STEP else int(self.offset.n)

    @cached_property
    def step(self) -> np.timedelta64:
        """The length of one step in microseconds; the usual length of a calendar step."""
        if self.freq == STEP:
            return np.timedelta64(1, "us")
        if self.is_uneven:
            return np.timedelta64(round(float(np.mean(self._pattern)) * self._unit_of_pattern), "us")
        if isinstance(self.slots, MonthDays) and len(self.slots.days) > 1:
            return np.timedelta64(round(30.44 * self.slots.span / len(self.slots.days) * DAY), "us")
        return self._length_of_alias

    @property
    def _length_of_alias(self) -> np.timedelta64:
        unit = _UNITS[_base(self.offset)]
        if unit in _DAYS:
            return np.timedelta64(_DAYS[unit] * int(self.offset.n) * DAY, "us")
        return np.timedelta64(pd.Timedelta(self._alias if self._alias[0].isdigit() else f"1{self._alias}"), "us")

    @property
    def _pattern(self) -> tuple[float, ...]:
        """The lengths of uneven periods in their unit, as they follow each other; one if only their mean is known."""
        return tuple(map(float, self.freq[1:].partition("@")[0][:-1].split(",")))

    @property
    def _unit_of_pattern(self) -> int:
        return _DAYS[self.freq.partition("@")[0][-1]] * DAY

    def is_closed_for(self, absent: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether so many absent steps [...] are whole days on which an exchange, a shop or an office was closed."""
        per_day = self.week.per_day if self.week else int(self.unit == "B")
        if not per_day:
            return np.zeros(absent.shape, bool)
        return (absent > 0) & (absent <= LONGEST_CLOSURE * per_day) & (absent % per_day == 0)

    @property
    def is_zoned(self) -> bool:
        """Whether times are kept in UTC and shown in a zone."""
        return self.tz is not None and self.unit in ("s", "min", "h")

    def wall(self, times: Times) -> Times:
        """What a clock on the wall shows at these times [...]: the times themselves, unless they are kept in UTC."""
        if self.tz is None or not self.is_zoned:
            return times
        return wall_times(times.ravel(), self.tz).reshape(times.shape)

    def local(self, times: Times) -> pd.Index:
        """Times [T] as users get them: in the zone if there is one, as whole numbers on a clock of steps."""
        if self.freq == STEP:
            return pd.Index(times.astype("datetime64[us]").astype(np.int64))
        index = pd.DatetimeIndex(times)
        return index.tz_localize("UTC").tz_convert(self.tz) if self.is_zoned else index

    def on_axis(self, times: Times) -> NDArray[Any]:
        """Times [T] as plots have them: wall times without a zone, or the numbers of steps."""
        return times.astype("datetime64[us]").astype(np.int64) if self.freq == STEP else self.wall(times)

    def to_utc(self, stamp: pd.Timestamp) -> np.datetime64:
        """A timestamp with or without a zone as panels on this clock keep it; without one it is a local time."""
        if self.is_zoned:
            stamp = (
                stamp.tz_localize(self.tz, ambiguous=True, nonexistent="shift_forward") if stamp.tz is None else stamp
            )
            return stamp.tz_convert(None).to_datetime64().astype("datetime64[us]")
        if stamp.tz is not None:
            stamp = stamp.tz_convert(self.tz or "UTC").tz_localize(None)
        return stamp.to_datetime64().astype("datetime64[us]")

    def isoformat(self, time: np.datetime64) -> str:
        """A time for programs: ISO 8601 with its offset from UTC, or the number of a step."""
        stamp = self.local(np.array([time]))[0]
        return stamp.isoformat() if isinstance(stamp, pd.Timestamp) else str(stamp)

    def format(self, time: np.datetime64) -> str:
        """A time as users read it, as exact as the clock: 2010-01-01, 2010-01-01 00:51, 2022-11-20 01:00+01:00.

        On a clock of steps it is the number of the step.
        """
        stamp = self.local(np.array([time]))[0]
        if not isinstance(stamp, pd.Timestamp):
            return str(stamp)
        text, offset = (str(stamp)[:-6], str(stamp)[-6:]) if self.is_zoned else (str(stamp), "")
        text = text.removesuffix(":00")
        return (text if self.unit in ("s", "min", "h") else text.removesuffix(" 00:00")) + offset

    def ordinals(self, times: Times) -> NDArray[np.int64]:
        """The number of each timestamp on the clock: the numbers of neighbours differ by 1.

        Args:
            times: Timestamps [T] that lie on the clock.
        """
        if self.slots is not None:
            return self.slots.ordinals(self.wall(times))
        if self.unit == "B":
            return np.busday_count(np.datetime64("1970-01-01"), times.astype("datetime64[D]")) // self.multiple
        if self.unit in ("M", "Q", "Y") and not self.is_uneven:
            months = MONTHS_IN[self.unit] * self.multiple
            number = times.astype("datetime64[M]").astype(np.int64)
            return (number - (number[0] if len(number) else 0)) // months
        if self.is_uneven:  # counted from row to row, as the lengths of many steps add up to another one's
            steps = np.rint(np.diff(times).astype(np.int64) / self.step.astype(np.int64)).astype(np.int64)
            return np.concatenate([np.zeros(min(1, len(times)), np.int64), np.cumsum(steps)])
        numbers = (times - times[0]).astype(np.int64) / self.step.astype(np.int64) if len(times) else np.zeros(0)
        return np.rint(numbers, out=numbers).astype(np.int64)

    def phases(self, times: Times, season: int) -> NDArray[np.int64]:
        """The phase of each timestamp in a season of some steps, 0 … season - 1: the same one wherever rows begin.

        Args:
            times: Timestamps [T] that lie on the clock, whose steps are even.
            season: m.
        """
        if self.slots is None and self.unit not in ("B", "M", "Q", "Y"):
            return times.astype("datetime64[us]").astype(np.int64) // self.step.astype(np.int64) % season
        since = np.concatenate([np.zeros(1, times.dtype), times])
        return self.ordinals(since)[1:] % season

    def future(self, last: np.datetime64, steps: int) -> Times:
        """The next ``steps`` timestamps after ``last`` on the clock."""
        last = last.astype("datetime64[us]")
        if self.freq == STEP:
            return last + np.arange(1, steps + 1).astype("timedelta64[us]")
        if self.holidays:
            return self._future_of_open_days(last, steps)
        if self.slots is not None:
            number = int(self.slots.ordinals(self.wall(np.array([last])))[0])
            return self._from_wall(self.slots.times(number + np.arange(1, steps + 1)))
        if self.is_uneven:
            lengths = np.tile(self._pattern, -(-steps // len(self._pattern)) + 1)[self._phase(last) :][:steps]
            return last + (np.rint(lengths.cumsum()).astype(np.int64) * self._unit_of_pattern).astype("timedelta64[us]")
        times = pd.date_range(pd.Timestamp(last), periods=steps + 1, freq=self._alias)
        after = times[times > pd.Timestamp(last)][:steps]
        if len(after) < steps:  # `last` itself was not on the clock, so the range began after it
            after = pd.date_range(after[0], periods=steps, freq=self._alias)
        return after.to_numpy().astype("datetime64[us]")

    def past(self, last: np.datetime64, steps: int) -> Times:
        """The ``steps`` timestamps up to ``last`` on the clock, ascending."""
        last, back = last.astype("datetime64[us]"), np.arange(steps)[::-1]
        if self.slots is not None:
            number = int(self.slots.ordinals(self.wall(np.array([last])))[0])
            return self._from_wall(self.slots.times(number - back))
        if self.is_uneven or self.freq == STEP:
            return (last - back * self.step).astype("datetime64[us]")
        return (
            pd.date_range(end=pd.Timestamp(last), periods=steps, freq=self._alias).to_numpy().astype("datetime64[us]")
        )

    def _phase(self, last: np.datetime64) -> int:
        """Which of the uneven periods follows a time: the one whose beginning is nearest to it."""
        end = self.freq.partition("@")[2]
        if not end:
            return 0
        since = (last - np.datetime64(end, "us")).astype(np.int64) / self._unit_of_pattern % sum(self._pattern)
        begins = np.concatenate([[0.0], np.cumsum(self._pattern)])
        return int(np.abs(begins - since).argmin()) % len(self._pattern)

    def _future_of_open_days(self, last: np.datetime64, steps: int) -> Times:
        """The same without the days of the holidays; more and more of it, until enough are left."""
        every, more = replace(self, holidays=()), steps
        while True:
            times = every.future(last, steps + more)
            days = times.astype("datetime64[D]")
            is_open = ~np.isin(days, holidays(self.holidays, days[0], days[-1]))
            if is_open.sum() >= steps:
                return times[is_open][:steps]
            more *= 2

    def _from_wall(self, wall: Times) -> Times:
        """Times from what a clock on the wall shows: the first of two hours, and the hour after a hole in spring."""
        if not self.is_zoned:
            return wall
        zoned = pd.DatetimeIndex(wall).tz_localize(
            self.tz, ambiguous=np.ones(len(wall), bool), nonexistent="shift_forward"
        )
        return zoned.tz_convert(None).to_numpy().astype("datetime64[us]")

    def describe(self, steps: int = 1) -> str:
        """A number of steps in words: "24 hours", "1 month", "96 × 15 minutes"."""
        singular, plural = _UNIT_NAMES[self.unit]
        if self.multiple == 1:
            return f"{steps:,} {singular if steps == 1 else plural}"
        return f"{steps:,} × {self.multiple} {plural}" if steps > 1 else f"{self.multiple} {plural}"


def normalise_freq(freq: str) -> str:
    """The current spelling of a clock's step, from an old or a new one (``H`` and ``h``, ``M`` and ``ME``).

    Raises:
        DataError: If pandas knows neither spelling, or the step is longer than a century.
    """
    given, _, slots = freq.strip().partition(" ")
    if given == STEP and not slots:
        return given
    if given.startswith("~"):
        if re.fullmatch(r"~\d+(\.\d+)?[DW]|~\d+(,\d+)+[DW]@\d{4}-\d\d-\d\d", given) and not slots:
            return given
        raise _no_frequency(freq)
    old = {"H": "h", "T": "min", "S": "s", "L": "ms", "U": "us", "d": "D"}
    old |= {"M": "ME", "Q": "QE", "A": "YE", "Y": "YE", "BM": "BME", "BQ": "BQE", "BA": "BYE", "BY": "BYE"}
    old |= {"AS": "YS", "BAS": "BYS"}
    head, _, anchor = given.partition("-")
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
        raise _no_frequency(freq)
    if not slots:
        return str(offset.freqstr)
    if _base(offset) in ("MS", "QS", "YS") and offset.n == 1:
        return f"{offset.freqstr} {MonthDays.parse(slots, 1, 0)}"
    step = Clock(str(offset.freqstr)).step.astype(np.int64)
    if _UNITS[_base(offset)] not in ("s", "min", "h", "D") or DAY % step:
        raise DataError(f"{freq!r}: only a step that divides a day has open slots of a week.", _ALIASES)
    return f"{offset.freqstr} {Week.parse(slots, int(step))}"


_ALIASES = "Use a pandas offset alias: 15min, h, D, B (business days), W, MS, QS, YS."


def _no_frequency(freq: str) -> DataError:
    return DataError(f"{freq!r} is not a frequency.", _ALIASES)


def _base(offset: BaseOffset) -> str:
    """The alias of an offset without multiple and anchor."""
    return offset.rule_code.split("-")[0]
