"""Steps from session to session of an exchange."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from forecast.clocks.days import DAY
from forecast.clocks.offsets import Times
from forecast.clocks.session_days import SessionDays

_EPOCH = np.datetime64("1970-01-01")


@dataclass(frozen=True)
class Sessions:
    """Steps of the sessions of an exchange.

    Args:
        days: On which it trades.
    """

    days: SessionDays

    unit, multiple, length = "session", 1, DAY

    @cached_property
    def _closed(self) -> NDArray[np.datetime64]:
        return np.array(self.days.closed, "datetime64[D]")

    @cached_property
    def _beside(self) -> NDArray[np.datetime64]:
        return np.array(self.days.beside, "datetime64[D]")

    def is_open(self, times: Times) -> NDArray[np.bool_]:
        """Which of these times [T] are of days with a session."""
        days = times.astype("datetime64[D]")
        return np.where(np.is_busday(days, self.days.week), ~np.isin(days, self._closed), np.isin(days, self._beside))

    def ordinals(self, times: Times) -> NDArray[np.int64]:
        """The number of each of these times [T]: sessions counted from one to the next."""
        days = times.astype("datetime64[D]")
        closed, beside = (np.searchsorted(some, days, side="right") for some in (self._closed, self._beside))
        return np.busday_count(_EPOCH, days + 1, self.days.week) - closed + beside

    def phases(self, times: Times) -> NDArray[np.int64]:
        """The number of each of these times [T] were no day closed, so that each weekday has a phase of its own."""
        return np.busday_count(_EPOCH, times.astype("datetime64[D]"), self.days.week)

    def future(self, last: np.datetime64, steps: int) -> Times:
        """The next sessions after one."""
        first = last.astype("datetime64[D]") + 1
        return self._between(first, first + self._reach(steps))[:steps]

    def past(self, last: np.datetime64, steps: int) -> Times:
        """The sessions up to one, ascending."""
        end = last.astype("datetime64[D]") + 1
        return self._between(end - self._reach(steps), end)[-steps:]

    def _between(self, first: np.datetime64, end: np.datetime64) -> Times:
        days = np.arange(first, end)
        return days[self.is_open(days)].astype("datetime64[us]")

    def _reach(self, steps: int) -> int:
        """Days among which there are so many sessions, whatever is closed of them."""
        return 7 * ((steps + len(self._closed)) // self.days.week.count("1") + 2)
