"""Holes in a series: rows that are absent from the clock, and values that are missing within a window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Panel
from forecast.data.windows import AnyFloat, Flags


def on_whole_clock(panel: Panel, longest: int) -> Panel:
    """The panel with a row of NaN for each one that is absent from the clock, so that windows do not end there.

    Args:
        panel: S series of T rows in all.
        longest: Gaps of more rows stay gaps.
    """
    begins, absent = panel.gaps()
    begins, absent = begins[absent <= longest], absent[absent <= longest]
    if not len(begins):
        return panel
    before = np.concatenate([[0], np.cumsum(absent)])
    kept = np.arange(panel.n_rows) + before[np.searchsorted(begins, np.arange(panel.n_rows), side="right")]
    times = np.empty(panel.n_rows + before[-1], panel.times.dtype)
    values = np.full((len(times), len(panel.columns)), np.nan)
    times[kept], values[kept] = panel.times, panel.values
    for row, count in zip(begins.tolist(), absent.tolist(), strict=True):
        times[kept[row] - count : kept[row]] = panel.clock.absent(panel.times[row - 1], count)
    ends = np.asarray(panel.offsets)
    offsets = ends + before[np.searchsorted(begins, ends, side="right")]
    return replace(panel, values=values, times=times, offsets=tuple(offsets.tolist()), coded={})


def fill_within(windows: NDArray[AnyFloat], hidden: Flags | None = None) -> tuple[NDArray[AnyFloat], NDArray[AnyFloat]]:
    """Fill what is missing from each window's own values, and say how old each value is.

    A missing value is the last one before it in the window; where there is none, the first one after it, and 0 where
    the window has no value at all. Nothing outside of the window is used: it is all that a forecast needs.

    Args:
        windows: [B, L, C], NaN where a value is missing.
        hidden: Which values are taken as missing, too, [B, L, C].

    Returns:
        The filled windows; and of each value the steps since it was observed, 0 for one that was: [B, L, C] both. What
        was filled from after it is as old as the window so far.
    """
    missing = np.isnan(windows)
    if hidden is not None:
        missing |= hidden
    ages = np.zeros_like(windows)
    with_holes = np.flatnonzero(missing.any(axis=(0, 1)))
    if not len(with_holes):
        return windows, ages
    missing, some = missing[..., with_holes], windows[..., with_holes]
    steps = np.arange(windows.shape[1])[:, None]
    last_seen = np.maximum.accumulate(np.where(missing, -1, steps), axis=1)
    first_seen = np.argmin(missing, axis=1)[:, None]  # 0, which is missing, where nothing was seen
    filled = np.take_along_axis(some, np.where(last_seen < 0, first_seen, last_seen), axis=1)
    windows = windows.copy()
    windows[..., with_holes] = np.where(missing.all(axis=1)[:, None], 0, filled)
    ages[..., with_holes] = steps - last_seen
    return windows, ages
