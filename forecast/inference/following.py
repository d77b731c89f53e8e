"""Intervals that follow the errors along time, so that they keep their promise when the errors change.

They are multiples of the size of the errors of late; and each quantile moves a little up when an observation fell above
it, and a little down when one fell below, as soon as that observation is known.

Reference: Gibbs & Candès 2021 (adaptive conformal inference); Angelopoulos, Candès & Tibshirani 2023 (quantile
tracking).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np

from forecast.data.panel import Floats
from forecast.data.windows import Flags, Ints, median
from forecast.inference.intervals import Intervals
from forecast.inference.sizes import averaged_sizes, delays_of, known_sizes

# How far a quantile moves at a miss, as a share of the size of the errors: small enough for a steady interval, large
# enough to mend what the size alone does not tell. Chosen by validation spans, as the size's half-life.
_RATE = 0.01

# The quantiles of one series are moved at most about so often; those of a longer one in blocks of windows.
_MOVES = 20_000


class Follower:
    """Quantiles that follow the errors of M forecasters along time.

    Args:
        intervals: Where they start.
        spacing: Rows from one window to the next, at least.
        longest: Windows of the longest series.
    """

    def __init__(self, intervals: Intervals, spacing: int = 1, longest: int = 1) -> None:
        self._intervals = intervals
        calibrations = list(intervals.calibrations.values())
        first = calibrations[0]
        self._offsets = np.stack([calibration.offsets for calibration in calibrations])
        self._probabilities = np.array(intervals.probabilities)
        self._size = np.stack([calibration.size for calibration in calibrations])
        self._usual = np.stack([calibration.usual for calibration in calibrations])
        self._tenth, self._ninth = (intervals.probabilities.index(p) for p in (0.1, 0.9))
        n_steps = first.offsets.shape[1]
        self._spacing, self._delays = spacing, delays_of(n_steps, spacing)
        self._block = max(1, -(-longest // _MOVES)) if intervals.adaptive else 0
        self._series = -1
        self._begin(0)

    def _begin(self, series: int) -> None:
        """Nothing is pending of a series that begins, and its size has long been what it is."""
        m, _, n_steps, n_targets, p = self._offsets.shape
        self._pending: Flags = np.zeros((m, 0, n_steps, n_targets, p), bool)
        self._averages: Floats = np.repeat(self._size[:, series][:, None], self._delays[-1], axis=1)

    def fans(self, y_true: Floats, forecasts: Mapping[str, Floats], series: Ints) -> dict[str, Floats]:
        """The quantiles of some windows, each knowing the outcomes before it; then learn from their outcomes.

        Args:
            y_true: Observed, [n, H, D].
            forecasts: By forecaster, in own units, [n, H, D] or [n, H, D, Q].
            series: The series of each window, ascending; the windows of one ascend in time, [n].

        Returns:
            By forecaster, [n, H, D, P].
        """
        calibrations = self._intervals.calibrations
        if self._block:
            shape = (*y_true.shape, len(self._probabilities))
            bases = [np.broadcast_to(one.bases(forecasts[name]), shape) for name, one in calibrations.items()]
            one = next(iter(calibrations.values()))
            observed = one.transformed(y_true)
            of_points = np.stack([observed - one.transformed(median(forecasts[name])) for name in calibrations])
            offsets = self._followed(observed[..., None] - np.stack(bases), np.abs(of_points), series)
        else:
            offsets = self._offsets[:, series] * self._size[:, series][..., None]
        return {
            name: one.fan(forecasts[name], of_one)
            for (name, one), of_one in zip(calibrations.items(), offsets, strict=True)
        }

    def _followed(self, errors: Floats, absolute: Floats, series: Ints) -> Floats:
        """The offsets of windows in transformed units, [M, n, H, D, P].

        Args:
            errors: Observed minus bases, [M, n, H, D, P].
            absolute: Absolute errors of the points, [M, n, H, D].
            series: The series of each window, [n].
        """
        used = np.empty(errors.shape)
        edges = np.flatnonzero(np.diff(series, prepend=-1, append=-1))
        for first, last in pairwise(edges):
            if series[first] != self._series:
                self._settle()
                self._series = int(series[first])
                self._begin(self._series)
            size = self._sized(absolute[:, first:last])[..., None]
            self._follow(errors[:, first:last] / size, used[:, first:last])
            used[:, first:last] *= size
        return used

    def _sized(self, absolute: Floats) -> Floats:
        """The size of the errors as it is known at each window; then learn it of these, [M, n, H, D]."""
        averages = averaged_sizes(absolute, self._averages, self._spacing)
        known = known_sizes(averages, absolute.shape[1], self._usual[:, self._series], self._spacing)
        self._averages = averages[:, -int(self._delays[-1]) :]
        self._size[:, self._series] = averages[:, -1]
        return known

    def _follow(self, errors: Floats, used: Floats) -> None:
        offsets, n_before = self._offsets[:, self._series], self._pending.shape[1]
        below = np.concatenate([self._pending, np.zeros(errors.shape, bool)], axis=1)
        for first in range(0, errors.shape[1], self._block):
            block = slice(first, first + self._block)
            used[:, block] = offsets[:, None]
            found = errors[:, block] <= offsets[:, None]
            end = n_before + first + found.shape[1]
            below[:, end - found.shape[1] : end] = found
            self._learn(below, end - self._delays, found.shape[1])
        self._pending = below[:, -int(self._delays[-1]) :]

    def _learn(self, below: Flags, newest: Ints, most: int) -> None:
        """Move the quantiles of this series by the outcomes that have become known.

        Args:
            below: Which windows' outcomes lay below each quantile, [M, w, H, D, P].
            newest: By step, the newest window whose outcome is known, [H].
            most: How many windows are new at each step.
        """
        windows = newest - np.arange(most)[:, None]
        there = windows >= 0
        found = below[:, np.maximum(windows, 0), np.arange(len(newest))]
        counted = there[None, :, :, None, None]
        moves = np.where(counted, self._probabilities - found, 0.0).sum(axis=1)
        offsets = self._offsets[:, self._series]
        reach = (offsets[..., self._ninth] - offsets[..., self._tenth])[..., None] / 2
        # Errors that have grown are followed in larger steps.
        offsets += _RATE * np.maximum(1.0, reach) * moves

    def _settle(self) -> None:
        """Learn from what is still pending: at the end of a series every outcome is known."""
        n = self._pending.shape[1]
        for back in range(n):  # the oldest first; of each step those that it has not learned from
            newest = np.where(self._delays > n - back, back, -1)
            self._learn(self._pending, newest, 1)
        self._pending = self._pending[:, :0]

    def intervals(self) -> Intervals:
        """Where the quantiles stand at the end of the data."""
        self._settle()
        calibrations = self._intervals.calibrations
        return replace(
            self._intervals,
            calibrations={
                name: replace(calibration, offsets=offsets.copy(), size=size.copy())
                for (name, calibration), offsets, size in zip(
                    calibrations.items(), self._offsets, self._size, strict=True
                )
            },
        )
