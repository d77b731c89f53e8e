"""What a period is given of its rows: a mean, a mean weighted by how long each holds, the sum or the last one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecast.clocks.offsets import Times
from forecast.data.panel import Floats

Ints = NDArray[np.int64]

# A mean by duration is that of its period if values are known for this share of it, as of counted means.
_LEAST_COVERED = 0.75

# How rows become one, in words.
IN_WORDS = {
    "mean": "averaged",
    "duration": "averaged, each for as long as it holds,",
    "sum": "summed up",
    "last": "reduced to their last",
    "max": "reduced to their highest",
    "min": "reduced to their lowest",
}


def reduced(how: str, values: Floats, firsts: Ints) -> Floats:
    """The sum, the last, the highest or the lowest known value of each column over stretches of rows, [T, C].

    Args:
        how: ``sum``, ``last``, ``max`` or ``min``.
        values: Float64 [R, C]; NaN is passed over.
        firsts: The row that each stretch begins with, [T].

    Returns:
        NaN where nothing is known.
    """
    known = ~np.isnan(values)
    if how == "last":
        rows = np.maximum.reduceat(np.where(known, np.arange(len(values))[:, None], -1), firsts, axis=0)
        return np.where(rows >= 0, np.take_along_axis(values, rows.clip(min=0), axis=0), np.nan)
    if how != "sum":
        return (np.fmax if how == "max" else np.fmin).reduceat(values, firsts, axis=0)
    sums = np.add.reduceat(np.where(known, values, 0.0), firsts, axis=0)
    return np.where(np.logical_or.reduceat(known, firsts, axis=0), sums, np.nan)


def means_by_duration(times: Times, values: Floats, starts: Times, ends: Times, longest: np.timedelta64) -> Floats:
    """The means of each column over periods, in which every value counts for as long as it holds, [T, C].

    A value holds until the next row, but at most for a time; the last row for the median step. One that holds into the
    next period counts there, too.

    Args:
        times: Of the rows of one series, [R], ascending, in UTC if there is a zone.
        values: Float64 [R, C]; NaN counts for no time.
        starts: When each period begins, [T].
        ends: When it ends, [T].
        longest: For how long a value holds at most.

    Returns:
        NaN where values are known for less than three quarters of the period.
    """
    steps = np.diff(times)
    held = np.append(steps, np.median(steps.astype(np.int64)).astype("timedelta64[us]") if len(steps) else longest)
    seconds = (np.minimum(held, longest) / np.timedelta64(1, "s"))[:, None]
    known = ~np.isnan(values)
    zero = np.zeros((1, values.shape[1]))
    covered = np.concatenate([zero, np.cumsum(seconds * known, axis=0)])
    filled = np.where(known, values, 0.0)
    integral = np.concatenate([zero, np.cumsum(seconds * filled, axis=0)])

    def until(moments: Times) -> tuple[Floats, Floats]:
        """What was covered, and the integral of the values, until each moment, [T, C] each."""
        row = np.searchsorted(times, moments, side="right") - 1
        before = row.clip(min=0)
        since = np.clip((moments - times[before]) / np.timedelta64(1, "s"), 0, seconds[before, 0])[:, None]
        return covered[before] + since * known[before], integral[before] + since * filled[before]

    (covered_from, from_start), (covered_to, to_end) = until(starts), until(ends)
    covered, length = covered_to - covered_from, ((ends - starts) / np.timedelta64(1, "s"))[:, None]
    enough = covered >= _LEAST_COVERED * length
    return np.divide(to_end - from_start, covered, out=np.full(covered.shape, np.nan), where=enough)


def shares_within(values: Floats, averages: Floats, firsts: Ints) -> Floats:
    """The share of the variance of each column [C] that lies within periods, and which their means no longer show.

    Args:
        values: Of the rows, [R, C].
        averages: Of the periods, [T, C].
        firsts: The row that each period begins with, [T].
    """
    of_row = averages[np.repeat(np.arange(len(firsts)), np.diff(firsts, append=len(values)))]
    there = ~np.isnan(values) & ~np.isnan(of_row)
    counts = there.sum(axis=0)
    sums = np.where(there, values, 0.0).sum(axis=0)
    means = np.divide(sums, counts, out=np.zeros(len(counts)), where=counts > 0)
    within, total = (np.where(there, (values - middle) ** 2, 0.0).sum(axis=0) for middle in (of_row, means))
    return np.divide(within, total, out=np.zeros(len(counts)), where=total > 0)
