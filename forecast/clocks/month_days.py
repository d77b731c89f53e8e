"""Some days of each month, quarter or year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecast.errors import DataError, quote


@dataclass(frozen=True)
class MonthDays:
    """Days of each month, quarter or year at which rows stand, such as the 15th, or the 1st, 11th and 21st.

    Args:
        days: Ascending, 1 to 31; a month that ends before has its last day.
        span: Months in a period.
        first: The number of the month that a period begins with, modulo ``span``.
    """

    days: tuple[int, ...]
    span: int = 1
    first: int = 0

    @classmethod
    def parse(cls, text: str, span: int, first: int) -> MonthDays:
        """The days that a text names, such as ``1,11,21``.

        Raises:
            DataError: If it has another form.
        """
        parts = text.split(",")
        days = sorted({int(part) for part in parts if part.isdigit()})
        if len(days) < len(parts) or not 1 <= days[0] <= days[-1] <= 31:
            raise DataError(f"{quote(text)} does not name days of a month.", "Write them as 15, or as 1,11,21.")
        return cls(tuple(days), span, first)

    def __str__(self) -> str:
        return ",".join(map(str, self.days))

    def is_open(self, wall: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """Which of these dates [...] are among the days."""
        return self.times(self.ordinals(wall)).astype("datetime64[D]") == wall.astype("datetime64[D]")

    def ordinals(self, wall: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """The number of each date [...]; one between two of the days has that of the first."""
        month = wall.astype("datetime64[M]").astype(np.int64)
        period = (month - self.first) // self.span
        since = self._days_of(period)
        at = (wall.astype("datetime64[D]")[..., None] >= since).sum(axis=-1) - 1
        return period * len(self.days) + at

    def times(self, ordinals: NDArray[np.int64]) -> NDArray[np.datetime64]:
        """The dates by their numbers [...], the reverse of `ordinals`."""
        period, at = np.divmod(ordinals, len(self.days))
        found = np.take_along_axis(self._days_of(period), at[..., None], axis=-1)[..., 0]
        return found.astype("datetime64[us]")

    def _days_of(self, period: NDArray[np.int64]) -> NDArray[np.datetime64]:
        """The dates of each period, [..., n]."""
        month = (period * self.span + self.first).astype("datetime64[M]")
        begin, end = month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]")
        longest = (end - begin).astype(np.int64)[..., None]
        return begin[..., None] + (np.minimum(np.array(self.days), longest) - 1)
