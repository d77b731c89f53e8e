"""Series that have as many windows as each other, so that they are calculated together: each as further targets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from forecast.data.windows import Ints

# Points of all windows that are calculated together, so that they take little memory.
_POINTS_AT_ONCE = 200_000

Values = TypeVar("Values", bound=np.generic)


@dataclass(frozen=True)
class Batch:
    """G series of n windows each.

    Args:
        numbers: Their numbers, [G].
        windows: The windows of each, in order of time, [n, G].
    """

    numbers: Ints
    windows: Ints

    def take(self, values: NDArray[Values]) -> NDArray[Values]:
        """Of the values of all windows [N, H, D, …] those of these series, as if they were targets, [n, H, G D, …]."""
        own = np.moveaxis(values[self.windows], 1, 2)
        return own.reshape(*own.shape[:2], -1, *own.shape[4:])

    def together(self, by_series: NDArray[Values]) -> NDArray[Values]:
        """Values of these series [G, H, D], as if they were targets, [H, G D]."""
        return np.moveaxis(by_series, 0, 1).reshape(by_series.shape[1], -1)

    def apart(self, found: NDArray[Values]) -> NDArray[Values]:
        """What was found of such targets [H, G D, …], by series, [G, H, D, …]."""
        steps, n_targets, *rest = found.shape
        n_series = len(self.numbers)
        return np.moveaxis(found.reshape(steps, n_series, n_targets // n_series, *rest), 1, 0)


def batches_of(n_windows: Ints, points: int) -> Iterator[Batch]:
    """The series that have windows, in batches.

    Args:
        n_windows: How many windows each series has, which stand by series and ascend in time, [S].
        points: Points of a window.
    """
    firsts = np.cumsum(n_windows) - n_windows
    for n in np.unique(n_windows[n_windows > 0]).tolist():
        numbers, size = np.flatnonzero(n_windows == n), max(1, _POINTS_AT_ONCE // (n * points))
        for start in range(0, len(numbers), size):
            some = numbers[start : start + size]
            yield Batch(some, firsts[some] + np.arange(n)[:, None])
