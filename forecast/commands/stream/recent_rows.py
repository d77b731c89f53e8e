"""The end of a series that grows: the newest rows, and what a network remembers of all the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.data.newest import count_measured
from forecast.data.panel import LONGEST_CLOSURE, Clock, Floats, Times
from forecast.errors import DataError

States = Mapping[str, tuple[NDArray[np.float32], ...]]


@dataclass(frozen=True)
class Tail:
    """The newest rows of one series. Growing makes another one, so that what is refused changes nothing.

    Args:
        times: Timestamps [n], unbroken on the clock.
        values: In their own units, [n, C]; the last columns are those that are known ahead.
        n_known: How many those are.
        states: What each network remembers, by name; empty where the rows say it all.
    """

    times: Times
    values: Floats
    n_known: int
    states: States = field(default_factory=dict)

    def has(self, time: np.datetime64, values: Floats) -> bool:
        """Whether this very row is here already."""
        here = int(np.searchsorted(self.times, time))
        if here == len(self.times) or self.times[here] != time:
            return False
        return np.array_equal(self.values[here], values, equal_nan=True)

    def begins_after(self, time: np.datetime64) -> bool:
        """Whether a time is older than all that is kept."""
        return len(self.times) > 0 and bool(time < self.times[0])

    def grown(self, time: np.datetime64, values: Floats, clock: Clock, longest: int) -> Tail:
        """The tail with one row more; the oldest are let go.

        Args:
            time: The row's timestamp.
            values: The row, [C].
            clock: The beat of the series.
            longest: How many rows are kept.

        Raises:
            DataError: If the row is out of order, or does not follow on the last one.
        """
        if not len(self.times):
            return replace(self, times=np.array([time]), values=values[None])
        if time <= self.times[-1]:
            return self._filled_in(time, values)
        expected = clock.future(self.times[-1], 1)[0]
        absent = int(np.diff(clock.ordinals(np.array([self.times[-1], time])))[0]) - 1
        if clock.unit == "B" and 0 <= absent <= LONGEST_CLOSURE:  # a holiday
            expected = time
        if time != expected:
            what = "is not on the clock" if time < expected else "leaves a gap"
            raise DataError(
                f"The row of {pd.Timestamp(time)} {what}: after {pd.Timestamp(self.times[-1])} comes "
                f"{pd.Timestamp(expected)}.",
                "Send the rows in between first (their values may be empty), or forget all before with --restart.",
            )
        times, rows = np.append(self.times, time), np.concatenate([self.values, values[None]])
        return replace(self, times=times[-longest:], values=rows[-longest:])

    def _filled_in(self, time: np.datetime64, values: Floats) -> Tail:
        """The tail with the measurements of a row of which only the known part was there."""
        n = self.n_known
        row = count_measured(self.values, n)
        if n and row < len(self.times) and time == self.times[row] and not np.isnan(values[:-n]).all():
            rows = self.values.copy()
            rows[row] = values
            return replace(self, values=rows)
        newest = self.times[row - 1] if row else self.times[-1]
        raise DataError(
            f"The row of {pd.Timestamp(time)} comes too late: the newest is of {pd.Timestamp(newest)}, "
            "and other values were seen for that time, or none.",
            "Send each row once, in order of time; a correction of the past needs --restart.",
        )
