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
from typing import NamedTuple

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


class _Spans(NamedTuple):
    """The windows of G series that stand one after another.

    Args:
        series: Their numbers, [G].
        oldest: The first window of each, [G]; of a series that an earlier chunk began, the first of those kept of it.
        first: Its first new window, [G].
        end: The window behind its last, [G].
    """

    series: Ints
    oldest: Ints
    first: Ints
    end: Ints

    def of(self, chosen: slice | Ints) -> _Spans:
        """Some of the series."""
        return _Spans(*(part[chosen] for part in self))


class AdaptiveIntervals:
    """Quantiles that adapt to the errors of M forecasters along time, each series by itself.

    Series of one chunk are taken through their windows together: first, second, third window of all of them.

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
        # The series that the next chunk may go on with, and of its newest windows whether their outcomes lie below each
        # quantile and whether there are any, as not every step has learned of them; and the averages after them.
        self._series, n_targets = -1, self._offsets.shape[3]
        self._pending: Flags = np.zeros((len(calibrations), 0, n_steps, n_targets, len(self._probabilities)), bool)
        self._pending_seen: Flags = np.zeros((0, n_steps, n_targets), bool)
        self._averages: Floats = np.zeros((len(calibrations), 0, n_steps, n_targets))

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
        edges = np.flatnonzero(np.diff(series, prepend=-1, append=-1))
        if series[0] != self._series:
            self._finish_pending()
        size = self._known_size(point_errors, series, edges)[..., None]
        offsets = self._tracked(errors / size, seen, series, edges)
        offsets *= size
        self._series = int(series[-1])
        return offsets

    def _known_size(self, point_errors: Floats, series: Ints, edges: Ints) -> Floats:
        """The size of the errors as it is known at each window; then learns it from these, [M, n, H, D].

        Args:
            point_errors: Absolute errors of the points, [M, n, H, D].
            series: Series of each window, [n].
            edges: Where each series begins, and n, [G + 1].
        """
        known, longest_delay = np.empty(point_errors.shape), int(self._delays[-1])
        for first, last in pairwise(edges.tolist()):
            number, own = series[first], point_errors[:, first:last]
            if number != self._series:  # it begins: the size has long been what it is
                self._averages = np.repeat(self._size[:, number][:, None], longest_delay, axis=1)
            averages = averaged_sizes(own, self._averages, self._spacing)
            known[:, first:last] = known_sizes(averages, last - first, self._usual_size[:, number], self._spacing)
            self._averages = averages[:, -longest_delay:]
            self._size[:, number] = averages[:, -1]
        return known

    def _tracked(self, errors: Floats, seen: Flags, series: Ints, edges: Ints) -> Floats:
        """The offsets at each window, moved by the outcomes known in between, in the unit and shape of the errors.

        Args:
            errors: Observed minus bases, in multiples of the size, [M, n, H, D, P].
            seen: Whether anything was observed, [n, H, D].
            series: Series of each window, [n].
            edges: Where each series begins, and n, [G + 1].
        """
        offsets, n_before = np.empty(errors.shape), self._pending.shape[1]
        below = np.concatenate([self._pending, np.zeros(errors.shape, bool)], axis=1)
        seen = np.concatenate([self._pending_seen, seen])
        first, end = edges[:-1] + n_before, edges[1:] + n_before
        spans = _Spans(series[edges[:-1]], np.concatenate([[0], first[1:]]), first, end)
        longest_first = spans.of(np.argsort(first - end, kind="stable"))
        for done in range(0, int((end - first).max()), self._block):
            going_on = longest_first.of(slice(np.count_nonzero(end - first > done)))
            windows = going_on.first[:, None] + np.arange(done, done + self._block)
            inside = windows < going_on.end[:, None]
            current = self._offsets[:, going_on.series[np.nonzero(inside)[0]]]
            offsets[:, windows[inside] - n_before] = current
            below[:, windows[inside]] = errors[:, windows[inside] - n_before] <= current
            newest = np.minimum(going_on.first + done + self._block, going_on.end)[:, None] - self._delays
            self._learn(going_on, below, seen, newest, inside.sum(axis=1))
        self._finish(spans.of(slice(-1)), below, seen)
        kept = slice(max(int(spans.oldest[-1]), len(seen) - int(self._delays[-1])), None)
        self._pending, self._pending_seen = below[:, kept].copy(), seen[kept].copy()
        return offsets

    def _learn(self, spans: _Spans, below: Flags, seen: Flags, newest: Ints, counts: Ints) -> None:
        """Move the offsets of some series by the outcomes that have become known.

        Args:
            spans: Their windows.
            below: Whether each window's outcome lies below each quantile, [M, w, H, D, P].
            seen: Whether there is an outcome, [w, H, D].
            newest: For each series and step, the newest window whose outcome is known, [G, H]. There is none yet where
                it lies before the series' oldest.
            counts: How many windows' outcomes are new of each series, [G].
        """
        back = np.arange(counts.max(initial=0))[:, None]
        windows = newest - back[..., None]  # [back, G, H]
        then = np.maximum(windows, 0), np.arange(newest.shape[1])
        known = (windows >= spans.oldest[:, None]) & (back < counts)[..., None]
        known = known[..., None] & seen[then]
        below_then = below[:, *then]
        # A quantile p is right if a share p of the outcomes lies below it; then these moves cancel out.
        moves = np.where(known[..., None], self._probabilities - below_then, 0.0).sum(axis=1)
        offsets = self._offsets[:, spans.series]
        half_width = (offsets[..., self._last_decile] - offsets[..., self._first_decile])[..., None] / 2
        # Larger steps where the errors have grown.
        self._offsets[:, spans.series] = offsets + self._rates * np.maximum(1.0, half_width) * moves

    def _finish(self, spans: _Spans, below: Flags, seen: Flags) -> None:
        """Learn from the outcomes still unknown at the last windows of some series: at their ends all are known."""
        once = np.ones(len(spans.series), np.int64)
        for later in range(1, int(self._delays[-1])) if len(once) else ():
            newest = np.where(later < self._delays, spans.end[:, None] + later - self._delays, -1)
            self._learn(spans, below, seen, newest, once)

    def _finish_pending(self) -> None:
        """Learn from the outcomes still unknown of the newest series, which ends there."""
        if n := self._pending.shape[1]:
            at = np.zeros(1, np.int64)
            self._finish(_Spans(at + self._series, at, at, at + n), self._pending, self._pending_seen)
        self._pending, self._pending_seen = self._pending[:, :0], self._pending_seen[:0]

    def intervals(self) -> Intervals:
        """The intervals at the end of the data; further windows would move them, for they are not copied."""
        self._finish_pending()
        calibrations = zip(self._intervals.calibrations.items(), self._offsets, self._size, strict=True)
        return replace(
            self._intervals,
            calibrations={
                name: replace(calibration, offsets=offsets, size=size)
                for (name, calibration), offsets, size in calibrations
            },
        )
