"""Intervals that follow the errors along time, so that they keep their promise when the errors change.

Each quantile moves a little up when an observation fell above it, and a little down when one fell below, as soon as
that observation is known.

Reference: Gibbs & Candès 2021 (adaptive conformal inference); Angelopoulos, Candès & Tibshirani 2023 (quantile
tracking).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np

from forecast.data.panel import Floats
from forecast.data.windows import Flags, Ints
from forecast.inference.intervals import Intervals

# How far a quantile moves at a miss, as a share of the size of the errors: small enough for a steady interval, large
# enough to follow the seasons.
_RATE = 0.02

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
        self._spread = np.stack([calibration.spread for calibration in calibrations])[..., None]
        self._tenth, self._ninth = (intervals.probabilities.index(p) for p in (0.1, 0.9))
        n_steps = first.offsets.shape[1]
        self._delays = -(-np.arange(1, n_steps + 1) // spacing)  # windows until a step's outcome is known
        self._block = max(1, -(-longest // _MOVES)) if intervals.adaptive else 0
        self._series, self._pending = -1, self._none_pending()

    def _none_pending(self) -> Flags:
        m, _, n_steps, n_targets, p = self._offsets.shape
        return np.zeros((m, 0, n_steps, n_targets, p), bool)

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
        shape = (*y_true.shape, len(self._probabilities))
        bases = [np.broadcast_to(one.bases(forecasts[name]), shape) for name, one in calibrations.items()]
        if self._block:
            observed = next(iter(calibrations.values())).transformed(y_true)
            offsets = self._followed(observed[..., None] - np.stack(bases), series)
        else:
            offsets = self._offsets[:, series]
        return {
            name: calibrations[name].fan(base, of_one)
            for name, base, of_one in zip(calibrations, bases, offsets, strict=True)
        }

    def _followed(self, errors: Floats, series: Ints) -> Floats:
        """The offsets of windows, given observed minus bases; both [M, n, H, D, P]."""
        used = np.empty(errors.shape)
        edges = np.flatnonzero(np.diff(series, prepend=-1, append=-1))
        for first, last in pairwise(edges):
            if series[first] != self._series:
                self._settle()
                self._series = int(series[first])
            self._follow(errors[:, first:last], used[:, first:last])
        return used

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
        offsets += _RATE * np.maximum(self._spread[:, self._series], reach) * moves

    def _settle(self) -> None:
        """Learn from what is still pending: at the end of a series every outcome is known."""
        n = self._pending.shape[1]
        for back in range(n):  # the oldest first; of each step those that it has not learned from
            newest = np.where(self._delays > n - back, back, -1)
            self._learn(self._pending, newest, 1)
        self._series, self._pending = -1, self._none_pending()

    def intervals(self) -> Intervals:
        """Where the quantiles stand at the end of the data."""
        self._settle()
        calibrations = self._intervals.calibrations
        return replace(
            self._intervals,
            calibrations={
                name: replace(calibration, offsets=offsets.copy())
                for (name, calibration), offsets in zip(calibrations.items(), self._offsets, strict=True)
            },
        )
