"""Intervals that adapt to errors along time, so that they keep their coverage when the errors change.

Their width is a multiple of the recent size of the errors. Besides, each quantile moves up a little when an observation
fell above it, and down a little when one fell below it, as soon as that observation is known.

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
from forecast.intervals.conformal import Intervals
from forecast.intervals.sizes import averaged_sizes, delays_of, known_sizes

# How far a quantile one step ahead moves after an outcome, in multiples of the size of the errors: small enough for a
# steady interval, large enough to correct what the size alone does not show. Outcomes h steps ahead of windows in a row
# tell much the same, and a quantile moves by 1/√h of it. Chosen as the half-life of the size: twice or half as much
# changes the Winkler score by 1 %.
_RATE = 0.05

# The quantiles of one series move at most about this often. Those of a longer series move once for a block of windows.
_MOST_MOVES = 20_000


class AdaptiveIntervals:
    """Quantiles that adapt to the errors of M forecasters along time, one series after the other.

    Args:
        intervals: The intervals at the start.
        spacing: Rows from one window to the next, at least.
        longest: Windows of the longest series.
    """

    def __init__(self, intervals: Intervals, spacing: int = 1, longest: int = 1) -> None:
        self._intervals = intervals
        calibrations = list(intervals.calibrations.values())
        self._probabilities = np.array(intervals.probabilities)
        self._offsets = np.stack([calibration.offsets for calibration in calibrations])  # [M, S, H, D, P]
        self._size = np.stack([calibration.size for calibration in calibrations])  # [M, S, H, D]
        self._usual_size = np.stack([calibration.usual_size for calibration in calibrations])
        self._first_decile, self._last_decile = (intervals.probabilities.index(p) for p in (0.1, 0.9))
        n_steps = self._offsets.shape[2]
        self._spacing, self._delays = spacing, delays_of(n_steps, spacing)
        self._rates = (_RATE / np.sqrt(self._delays))[:, None, None]
        self._block = max(1, -(-longest // _MOST_MOVES))
        self._series = -1
        self._start(0)

    def _start(self, series: int) -> None:
        """Start a series: no outcome is pending, and the size has long been what it is."""
        m, _, n_steps, n_targets, p = self._offsets.shape
        # Which of the newest windows' outcomes lie below each quantile: not every step has learned of them.
        self._pending: Flags = np.zeros((m, 0, n_steps, n_targets, p), bool)
        self._pending_seen: Flags = np.zeros((0, n_steps, n_targets), bool)
        self._averages: Floats = np.repeat(self._size[:, series][:, None], self._delays[-1], axis=1)

    def quantiles(self, y_true: Floats, forecasts: Mapping[str, Floats], series: Ints) -> dict[str, Floats]:
        """The quantiles at n windows, each from the outcomes known at it. Then learns from the outcomes of the windows.

        Args:
            y_true: Observed, [n, H, D]; NaN where nothing was, from which nothing is learned.
            forecasts: By forecaster, in the targets' own units, [n, H, D] or [n, H, D, Q].
            series: Series of each window, ascending; the windows of a series ascend in time, [n].

        Returns:
            By forecaster, [n, H, D, P].
        """
        if not self._intervals.adaptive:
            return self._intervals.quantiles(forecasts, series)
        calibrations = self._intervals.calibrations
        shape = (*y_true.shape, len(self._probabilities))
        errors, point_errors = [], []
        for name, calibration in calibrations.items():
            observed = calibration.transformed(y_true)
            errors.append(np.broadcast_to(observed[..., None] - calibration.bases(forecasts[name]), shape))
            point_errors.append(np.abs(observed - calibration.transformed(median(forecasts[name]))))
        by_model = self._adapted(np.stack(errors), np.stack(point_errors), ~np.isnan(y_true), series)
        return {
            name: calibration.quantiles(forecasts[name], offsets)
            for (name, calibration), offsets in zip(calibrations.items(), by_model, strict=True)
        }

    def _adapted(self, errors: Floats, point_errors: Floats, seen: Flags, series: Ints) -> Floats:
        """The offsets at n windows, in transformed units, [M, n, H, D, P].

        Args:
            errors: Observed minus bases, [M, n, H, D, P].
            point_errors: Absolute errors of the points, [M, n, H, D].
            seen: Whether anything was observed, [n, H, D].
            series: Series of each window, [n].
        """
        offsets = np.empty(errors.shape)
        edges = np.flatnonzero(np.diff(series, prepend=-1, append=-1))
        for first, last in pairwise(edges):
            if series[first] != self._series:
                self._finish()
                self._series = int(series[first])
                self._start(self._series)
            size = self._known_size(point_errors[:, first:last])[..., None]
            self._track(errors[:, first:last] / size, seen[first:last], offsets[:, first:last])
            offsets[:, first:last] *= size
        return offsets

    def _known_size(self, point_errors: Floats) -> Floats:
        """The size of the errors as it is known at each window; then learns it from these, [M, n, H, D]."""
        averages = averaged_sizes(point_errors, self._averages, self._spacing)
        known = known_sizes(averages, point_errors.shape[1], self._usual_size[:, self._series], self._spacing)
        self._averages = averages[:, -int(self._delays[-1]) :]
        self._size[:, self._series] = averages[:, -1]
        return known

    def _track(self, errors: Floats, seen: Flags, offsets: Floats) -> None:
        """Write the offsets at each window of one series, and move them by the outcomes known in between.

        Args:
            errors: Observed minus bases, in multiples of the size, [M, n, H, D, P].
            seen: Whether anything was observed, [n, H, D].
            offsets: Receives the offsets, in the same unit and shape.
        """
        current, n_before = self._offsets[:, self._series], self._pending.shape[1]
        below = np.concatenate([self._pending, np.zeros(errors.shape, bool)], axis=1)
        seen = np.concatenate([self._pending_seen, seen])
        for first in range(0, errors.shape[1], self._block):
            block = slice(first, first + self._block)
            offsets[:, block] = current[:, None]
            below_now = errors[:, block] <= current[:, None]
            end = n_before + first + below_now.shape[1]
            below[:, end - below_now.shape[1] : end] = below_now
            self._learn(below, seen, end - self._delays, below_now.shape[1])
        kept = slice(-int(self._delays[-1]), None)
        self._pending, self._pending_seen = below[:, kept], seen[kept]

    def _learn(self, below: Flags, seen: Flags, newest: Ints, count: int) -> None:
        """Move the offsets of the current series by the outcomes that have become known.

        Args:
            below: Whether each window's outcome lies below each quantile, [M, w, H, D, P].
            seen: Whether there is an outcome, [w, H, D].
            newest: For each step, the newest window whose outcome is known, [H]. Negative: there is none yet.
            count: How many windows' outcomes are new for each step.
        """
        windows = newest - np.arange(count)[:, None]
        then = np.maximum(windows, 0), np.arange(len(newest))
        known = ((windows >= 0)[..., None] & seen[then])[None, ..., None]
        below_then = below[:, *then]
        # A quantile p is right if a share p of the outcomes lies below it; then these moves cancel out.
        moves = np.where(known, self._probabilities - below_then, 0.0).sum(axis=1)
        offsets = self._offsets[:, self._series]
        half_width = (offsets[..., self._last_decile] - offsets[..., self._first_decile])[..., None] / 2
        # Larger steps where the errors have grown.
        offsets += self._rates * np.maximum(1.0, half_width) * moves

    def _finish(self) -> None:
        """Learn from the pending outcomes: at the end of a series all of them are known."""
        n = self._pending.shape[1]
        for window in range(n):  # the oldest first; a step learns only from those that it has not learned from
            newest = np.where(self._delays > n - window, window, -1)
            self._learn(self._pending, self._pending_seen, newest, 1)
        self._pending, self._pending_seen = self._pending[:, :0], self._pending_seen[:0]

    def intervals(self) -> Intervals:
        """The intervals at the end of the data."""
        self._finish()
        calibrations = zip(self._intervals.calibrations.items(), self._offsets, self._size, strict=True)
        return replace(
            self._intervals,
            calibrations={
                name: replace(calibration, offsets=offsets.copy(), size=size.copy())
                for (name, calibration), offsets, size in calibrations
            },
        )
