"""Days of the week, and what a day is in microseconds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAY = 86_400_000_000  # microseconds
WEEK = 7 * DAY
# 1 January 1970 was a Thursday; weeks begin on Monday.
SINCE_MONDAY = 3 * DAY


def weekdays(days: NDArray[np.datetime64] | np.datetime64) -> NDArray[np.int64]:
    """0 for Monday to 6 for Sunday of each day [...]; 1970 began on a Thursday."""
    return np.asarray((days.astype("datetime64[D]").astype(np.int64) + 3) % 7)


def week_offsets(wall: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """The time since Monday 00:00 of each wall time [...], in microseconds."""
    return (wall.astype("datetime64[us]").astype(np.int64) + SINCE_MONDAY) % WEEK
