"""The most recent rows of a series that grows, and the states of the networks that have read all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.data.clock import LONGEST_CLOSURE, Clock, Times
from forecast.data.newest import count_measured
from forecast.data.panel import Floats
from forecast.errors import DataError, phrase

# The states of each network by its name, each [S, U].
States = Mapping[str, tuple[NDArray[np.float32], ...]]

RESTART = phrase("--restart", "a new Stream")


@dataclass(frozen=True)
class RecentRows:
    """The most recent rows of one series. `append` returns new ones, so a row that is refused changes nothing.

    Args:
        times: Timestamps [n], unbroken on the clock.
        values: In the columns' own units, [n, C]; the last columns are those that are known ahead.
        n_known: How many those are.
        states: The states of each network after the last row; empty where the networks see only these rows.
    """

    times: Times
    values: Floats
    n_known: int
    states: States = field(default_factory=dict)

    def contains(self, time: np.datetime64, values: Floats) -> bool:
        """Whether this very row is among them."""
        row = int(np.searchsorted(self.times, time))
        if row == len(self.times) or self.times[row] != time:
            return False
        return np.array_equal(self.values[row], values, equal_nan=True)

    def begin_after(self, time: np.datetime64) -> bool:
        """Whether a time is older than all rows that are kept."""
        return len(self.times) > 0 and bool(time < self.times[0])

    def append(self, time: np.datetime64, values: Floats, clock: Clock, most: int) -> RecentRows:
        """The rows with one more of values [C]; only the newest ``most`` are kept.

        Raises:
            DataError: If the row is out of order, or is not the next one after the last.
        """
        if not len(self.times):
            return replace(self, times=np.array([time]), values=values[None])
        if time <= self.times[-1]:
            return self._with_measurements(time, values)
        expected = clock.future(self.times[-1], 1)[0]
        absent = int(np.diff(clock.ordinals(np.array([self.times[-1], time])))[0]) - 1
        if clock.unit == "B" and 0 <= absent <= LONGEST_CLOSURE:  # a holiday
            expected = time
        if time != expected:
            what = "is not on the clock" if time < expected else "leaves a gap"
            raise DataError(
                f"The row of {pd.Timestamp(time)} {what}: after {pd.Timestamp(self.times[-1])} comes "
                f"{pd.Timestamp(expected)}.",
                f"Send the rows in between first (their values may be empty), or forget all before with {RESTART}.",
            )
        times, rows = np.append(self.times, time), np.concatenate([self.values, values[None]])
        return replace(self, times=times[-most:], values=rows[-most:])

    def _with_measurements(self, time: np.datetime64, values: Floats) -> RecentRows:
        """The rows with the measurements of one of which only the known part was there."""
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
            f"Send each row once, in order of time; a correction of the past needs {RESTART}.",
        )
