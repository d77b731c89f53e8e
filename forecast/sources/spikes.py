"""Single values far from what came before them.

A value is judged by the rows before it alone, so that what is read at a cut-off knows nothing of later rows; the first
value after a lasting change is a spike, too. One rule serves files, requests and streams: a spike is more than `FAR`
usual steps away from the value in the row before and from the median of the last few. The usual step is the one that
two in a hundred of the last `REACH` steps exceed. In an amount large values have large steps: where none of these rows
is negative, this must hold for the logarithms, too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Floats

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

# Rows before a value that it is judged by, and those of them whose median it is compared with.
REACH = 200
_LATELY = 7

FAR, USUAL = 4.0, 0.98

# Fewer steps do not tell what is usual.
_LEAST_STEPS = 20

# Rows that are judged in one go, so that their windows take little memory.
_AT_ONCE = 4096


def find_spikes(values: Floats, first_rows: Ints, among: Ints | None = None, amounts: bool = True) -> Flags:
    """Which values of a column are spikes, [T].

    Args:
        values: [T], the series one after another; NaN is never a spike, nor is a value directly after one.
        first_rows: The first row of each series, ascending, [S].
        among: The rows to judge; None for all.
        amounts: Whether values without a negative one are amounts. Temperatures are none, as their zero is arbitrary.
    """
    spikes = np.zeros(len(values), bool)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        candidates = _far_from_the_row_before(values, first_rows) if among is None else among
        for start in range(0, len(candidates), _AT_ONCE):
            rows = candidates[start : start + _AT_ONCE]
            firsts = first_rows[np.searchsorted(first_rows, rows, side="right") - 1]
            spikes[rows] = _are_far(values, rows, firsts, amounts)
    return spikes


def steps_to(values: Floats, first_rows: Ints) -> Floats:
    """The step to each value from the one before it, [T]; NaN at the first rows of series."""
    steps = np.empty_like(values)
    np.subtract(values[1:], values[:-1], out=steps[1:])
    steps[first_rows[first_rows < len(steps)]] = np.nan
    return steps


def _far_from_the_row_before(values: Floats, first_rows: Ints) -> Ints:
    """The rows whose values may be spikes, as they are far enough from those before them."""
    steps = steps_to(values, first_rows)
    np.abs(steps, out=steps)
    return np.flatnonzero(steps > FAR * _least_usual_steps(steps))


def log_size(values: Floats, usual: Floats) -> Floats:
    """Signed logarithms: about ``x / usual`` for small values, and the logarithm of that for large ones."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return np.sign(values) * np.log1p(np.abs(values) / usual)


def _are_far(values: Floats, rows: Ints, first_rows: Ints, amounts: bool) -> Flags:
    """Which of some rows hold spikes, [n]; the first row of each one's series, [n]."""
    window = rows[:, None] + np.arange(-REACH - 1, 0)
    before = np.where(window < first_rows[:, None], np.nan, values[np.maximum(window, 0)])
    seen, steps_from = before[:, 1:], before[:, :-1]
    now, last = values[rows], seen[:, -1]
    level = _nan_quantile(seen[:, -_LATELY:], 0.5)
    far = ~np.isnan(last)
    usual = _nan_quantile(np.abs(seen), 0.5)
    signed = np.fmin.reduce(seen, axis=1) < 0
    for in_logs in (False, True)[: 1 + amounts]:
        if in_logs:
            seen, steps_from = (log_size(part, usual[:, None]) for part in (seen, steps_from))
            now, last, level = (log_size(part, usual) for part in (now, last, level))
        usual_step = _nan_quantile(np.abs(seen - steps_from), USUAL, _LEAST_STEPS)
        is_far = (usual_step > 0) & (np.minimum(np.abs(now - last), np.abs(now - level)) > FAR * usual_step)
        far &= is_far | (in_logs & signed)
    return far


def _nan_quantile(values: Floats, share: float, least: int = 1) -> Floats:
    """The least value of each row [n, K] that at least this share of its values do not exceed, [n]; NaN of too few."""
    ordered = np.sort(values, axis=1)  # NaN at the end
    count = values.shape[1] - np.isnan(values).sum(axis=1)
    index = np.maximum(np.ceil(share * count).astype(np.int64) - 1, 0)
    return np.where(count >= least, np.take_along_axis(ordered, index[:, None], axis=1)[:, 0], np.nan)


def _least_usual_steps(steps: Floats) -> Floats:
    """What the usual step before each row is at least, [T]: few rows are above `FAR` of it, and need a closer look.

    The last `REACH` rows hold the whole block before the row's own. At most two in a hundred of them exceed the usual
    step, so no more of that block do.
    """
    size, exceeding = REACH // 2, round(REACH * (1 - USUAL))
    blocks = np.full((-(-len(steps) // size) + 1, size), np.nan)
    blocks[1:].reshape(-1)[: len(steps)] = steps
    ordered = np.sort(blocks[:-1], axis=1)
    count = size - np.isnan(blocks[:-1]).sum(axis=1)
    bound = np.where(count > exceeding, ordered[np.arange(len(ordered)), np.maximum(count - exceeding - 1, 0)], 0.0)
    return np.repeat(bound, size)[: len(steps)]
