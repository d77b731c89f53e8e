"""Clock: the regular step between the rows of a series, and the zone of its times."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.offsets import BaseOffset

from forecast.clocks.days import DAY, weekdays
from forecast.clocks.exchanges import is_exchange, sessions_of
from forecast.clocks.holidays import open_days
from forecast.clocks.kinds import Kind, kind_of
from forecast.clocks.month_days import MonthDays
from forecast.clocks.offsets import Times
from forecast.clocks.public_holidays import PublicHolidays
from forecast.clocks.row_numbers import STEP
from forecast.clocks.session_days import SessionDays
from forecast.clocks.sessions import Sessions
from forecast.clocks.slots import Slotted
from forecast.clocks.uneven import Uneven
from forecast.clocks.week import Week
from forecast.clocks.words import steps_in_words
from forecast.tables.zone_rules import from_wall, wall_times

__all__ = ["LONGEST_CLOSURE", "STEP", "Clock", "Times"]

# A closed exchange is no gap in the data. The longest closures of the last sixty years on the large exchanges
# (September 2001, four days) are shorter than this many business days.
LONGEST_CLOSURE = 5


@dataclass(frozen=True)
class Clock:
    """The regular step between rows, and the zone of their times.

    A step is a pandas offset alias such as ``h``, ``15min``, ``B``, ``W-SAT`` or ``MS``. Behind it may stand the open
    slots of a week, as in ``D MON-SAT`` or ``h MON-FRI 09:00-17:00``, or days of a month, as in ``MS 15`` or
    ``MS 1,11,21``. ``~4.345W`` are periods of about that many weeks or days; ``~4,4,5W@2024-01-20`` are periods of
    four, four and five weeks, three of which end on that day. ``XNYS`` are the sessions of
    an exchange. ``step`` is the clock of rows without times: the row of
    number k has the k-th microsecond of 1970 as its time.

    Args:
        freq: The step.
        tz: The zone of the times, such as ``Europe/Berlin``; None if they have none. On a clock of less than a day they
            are kept in UTC; on a longer one they are local dates.
        holidays: Rules of the days without rows, as `infer_holidays` finds them, on a clock of some days of the week.
        session_days: The sessions of the exchange that the step is named after; None for those that the library knows.
        public_holidays: Which days of public holidays the calendar features tell.

    Raises:
        DataError: If the step is neither an alias that pandas knows nor an exchange, or is longer than a century.
        MachineError: If the sessions of an exchange are to be looked up, and the library is not installed.
    """

    freq: str
    tz: str | None = None
    holidays: tuple[str, ...] = ()
    session_days: SessionDays | None = field(default=None, repr=False)
    public_holidays: PublicHolidays | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.session_days is None and is_exchange(self.freq):
            object.__setattr__(self, "session_days", sessions_of(self.freq))
        days = self.session_days
        object.__setattr__(self, "freq", kind_of(self.freq)[0] if days is None else days.exchange)

    @cached_property
    def kind(self) -> Kind:
        """The steps, without zone and holidays."""
        return kind_of(self.freq)[1] if self.session_days is None else Sessions(self.session_days)

    @property
    def slots(self) -> Week | MonthDays | None:
        """The open slots of a week, or the days of a month; None if rows stand at every step."""
        return self.kind.slots if isinstance(self.kind, Slotted) else None

    @property
    def week(self) -> Week | None:
        """The open slots of a week; None if the clock has none that are closed."""
        return self.slots if isinstance(self.slots, Week) else None

    @property
    def is_uneven(self) -> bool:
        """Whether the length of a step wobbles, so that future times are uncertain."""
        return isinstance(self.kind, Uneven)

    @property
    def offset(self) -> BaseOffset:
        """The pandas offset of one step, or of the steps of which some are slots."""
        return pd.tseries.frequencies.to_offset(self.freq.partition(" ")[0])

    @property
    def unit(self) -> str:
        """The unit of the step without its multiple: one of step, s, min, h, D, B, session, W, M, Q, Y."""
        return self.kind.unit

    @property
    def multiple(self) -> int:
        """Units in one step: 15 for ``15min``."""
        return self.kind.multiple

    @property
    def step(self) -> np.timedelta64:
        """The length of one step in microseconds; the usual length of a calendar step."""
        return np.timedelta64(self.kind.length, "us")

    def is_closed_for(self, absent: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether so many absent steps [...] are whole days on which an exchange, a shop or an office was closed."""
        per_day = self.week.per_day if self.week else int(self.unit in ("B", "session"))
        if not per_day:
            return np.zeros(absent.shape, bool)
        return (absent > 0) & (absent <= LONGEST_CLOSURE * per_day) & (absent % per_day == 0)

    def is_open(self, times: Times) -> NDArray[np.bool_]:
        """Which of these times [T] have a slot: not those at which an office or an exchange is closed."""
        return self.kind.is_open(self._shown(times))

    def has_slots(self, days: Times) -> NDArray[np.bool_]:
        """Which of these days [T] have a slot in their week."""
        if self.week is None:
            return self.kind.is_open(days)
        return np.isin(weekdays(days), np.unique(np.array(self.week.slots) // DAY))

    @property
    def has_equal_steps(self) -> bool:
        """Whether all steps have the same length."""
        return self.slots is None and self.unit not in ("B", "session", "M", "Q", "Y")

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
        return self.kind.ordinals(self._shown(times))

    def phases(self, times: Times, season: int) -> NDArray[np.int64]:
        """The phase of each timestamp in a season of some steps, 0 … season - 1: the same one wherever rows begin.

        Args:
            times: Timestamps [T] that lie on the clock, whose steps are even.
            season: m.
        """
        if isinstance(self.kind, Sessions):
            return self.kind.phases(times) % season
        if self.has_equal_steps:
            return times.astype("datetime64[us]").astype(np.int64) // self.step.astype(np.int64) % season
        since = np.concatenate([np.zeros(1, times.dtype), times])
        return self.ordinals(since)[1:] % season

    def future(self, last: np.datetime64, steps: int) -> Times:
        """The next ``steps`` timestamps after ``last`` on the clock."""
        if self.holidays:
            return open_days(partial(self.absent, last), self.wall, self.holidays, steps)
        return self._kept(self.kind.future(self._shown(last.astype("datetime64[us]")[None])[0], steps))

    def absent(self, last: np.datetime64, steps: int) -> Times:
        """The ``steps`` timestamps after ``last`` that `ordinals` count: also on holidays, where no row is expected."""
        return replace(self, holidays=()).future(last, steps)

    def past(self, last: np.datetime64, steps: int) -> Times:
        """The ``steps`` timestamps up to ``last`` on the clock, ascending."""
        return self._kept(self.kind.past(self._shown(last.astype("datetime64[us]")[None])[0], steps))

    def _shown(self, times: Times) -> Times:
        """Times as the kind of clock counts them: slots are open by the clock on the wall."""
        return times if self.slots is None else self.wall(times)

    def _kept(self, times: Times) -> Times:
        """Times of the kind of clock as panels keep them: the first of two hours, the hour after a hole in spring."""
        return times if self.slots is None or self.tz is None or not self.is_zoned else from_wall(times, self.tz)

    def describe(self, steps: int = 1) -> str:
        """A number of steps in words: "24 hours", "1 month", "96 × 15 minutes"."""
        return steps_in_words(self.kind, steps)
