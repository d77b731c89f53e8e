"""Rows that have numbers instead of times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecast.clocks.offsets import Times

# How this clock is spelt.
STEP = "step"


class RowNumbers:
    """Steps from row to row: the row of number k has the k-th microsecond of 1970 as its time."""

    unit, multiple, length = STEP, 1, 1

    def is_open(self, times: Times) -> NDArray[np.bool_]:
        """All of these times [T], as every row has a number."""
        return np.ones(times.shape, bool)

    def ordinals(self, times: Times) -> NDArray[np.int64]:
        """The number of each row [T], counted from the first."""
        return (times - times[:1]).astype("timedelta64[us]").astype(np.int64)

    def future(self, last: np.datetime64, steps: int) -> Times:
        """The next numbers after one."""
        return last + np.arange(1, steps + 1).astype("timedelta64[us]")

    def past(self, last: np.datetime64, steps: int) -> Times:
        """The numbers up to one, ascending."""
        return last - np.arange(steps)[::-1].astype("timedelta64[us]")
