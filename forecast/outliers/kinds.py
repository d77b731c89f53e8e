"""What is odd about rows: a gap, a stuck sensor, a spike, a shift of the level, a slow drift, or more noise."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from forecast.data.prepare import Rows
from forecast.data.windows import Flags
from forecast.outliers.usual import MOST_SUSPECT
from forecast.outliers.walk import JudgedRows
from forecast.runs.run import Run
from forecast.sources.training_ranges import TrainingRanges, may_last, run_lengths

# How many times as long as in training a run of one value is when its sensor is stuck. The longest of n runs grows as
# the logarithm of n: n others of twice its length are no more likely than one of n.
_LONGER = 2

# What may be odd about rows, and what several such events are called.
KINDS = {
    "gap": "gaps",  # rows that are not there, or without a value
    "stuck": "stuck sensors",  # one value for much longer than it ever lasted in training
    "spike": "spikes",  # one or two rows
    "shift": "shifts",  # a level that lasts, above or below what was expected
    "drift": "drifts",  # as expected one step ahead, and not farther ahead
    "noise": "noisy spells",  # rows that are now above and now below what was expected
}


def stuck_rows(run: Run, rows: Rows) -> tuple[Flags, Flags]:
    """Where a sensor is stuck: the rows at which that is known, and all rows that repeat its value, [T, D] each."""
    known, repeated = np.zeros((2, rows.panel.n_rows, rows.n_targets), bool)
    names, trained = rows.panel.series_ids, set(run.scaler.series_ids)
    positions = np.array([run.scaler.positions((name,))[0] if name in trained else -1 for name in names])
    begins = np.isin(np.arange(rows.panel.n_rows), rows.panel.offsets[:-1])
    of_row = rows.series
    for target in range(rows.n_targets):
        ranges = TrainingRanges(*(part[positions, target] for part in vars(run.ranges).values()))
        values = rows.panel.values[:, target]
        lengths = run_lengths(values, begins)
        longest = np.where(positions < 0, np.inf, ranges.longest_run)[of_row]
        known[:, target] = (lengths > _LONGER * longest) & ~may_last(values, ranges, of_row)
        for row in np.flatnonzero(known[:, target] & ~np.append(known[1:, target], False)):
            repeated[row - int(lengths[row]) + 2 : row + 1, target] = True
    return known, repeated


def name_kinds(rows: Rows, judged: Flags, found: JudgedRows, odd: Flags, repeated: Flags) -> NDArray[np.object_]:
    """The kind of each row and target, [T, D]; "" where nothing is odd.

    Args:
        rows: The rows.
        judged: Which of them are judged, [T].
        found: What was said of them.
        odd: Which are discoveries, [T, D].
        repeated: Where the value of a stuck sensor is repeated, [T, D].
    """
    kinds = np.full(odd.shape, "", object)
    for target in range(rows.n_targets):
        own = odd[:, target] & ~repeated[:, target]
        edges = np.flatnonzero(
            np.diff(own.astype(np.int8), prepend=0, append=0) | (np.diff(rows.series, prepend=-1, append=-1) != 0)
        )
        for first, end in pairwise(edges.tolist()):
            if own[first]:
                kinds[first:end, target] = _kind_of(found, slice(first, end), target)
    kinds[repeated] = "stuck"
    kinds[np.isnan(rows.observed(np.arange(rows.panel.n_rows)))] = "gap"
    kinds[~judged] = ""
    return kinds


def _kind_of(found: JudgedRows, sequence: slice, target: int) -> str:
    """The kind of odd rows in sequence."""
    near, far, above = (part[sequence, target] for part in (found.near, found.far, found.above))
    if not (np.nan_to_num(near, nan=1) <= np.nan_to_num(far, nan=1)).any():
        return "drift"
    if len(near) < MOST_SUSPECT:
        return "spike"
    return "shift" if (above == above[0]).all() else "noise"


def runs_of(kinds: NDArray[np.object_]) -> list[tuple[int, int]]:
    """The first row and the row after the last of each sequence of one kind other than "", of kinds [T]."""
    edges = [0, *(np.flatnonzero(kinds[1:] != kinds[:-1]) + 1).tolist(), len(kinds)]
    return [(first, end) for first, end in pairwise(edges) if end > first and kinds[first]]
