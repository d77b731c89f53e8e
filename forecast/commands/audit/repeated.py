"""Stretches of a target that stand on both sides of a split, value for value: a file that holds rows twice."""

from __future__ import annotations

import numpy as np

from forecast.commands.audit.foresight import Doubt
from forecast.data.clock import Times
from forecast.data.panel import Panel
from forecast.data.split import at_or_after
from forecast.data.windows import Flags, Ints

# Rows that differ from the one before, as many as which no stretch repeats by chance where none does before the split;
# where some do, as values of few digits or a fixed cycle do, so many times as many as the longest one has.
_FEWEST, _TIMES_AS_LONG = 8, 2


def doubts_about_repeats(panel: Panel, n_targets: int, since: Times) -> list[Doubt]:
    """Targets of which the longest stretch that stands before the split and after it is longer than by chance.

    Chance is what the rows before the split tell: how long their own longest stretch is that stands there twice.

    Args:
        panel: Targets first.
        n_targets: D, the first columns.
        since: The time of each series [S] from which on its rows are after the split.
    """
    after, doubts = at_or_after(panel, since), []
    for target in range(n_targets):
        values = panel.values[:, target]
        # A value that stands for long, such as no rain, is one event.
        events = np.flatnonzero(~np.isnan(values) & (values != np.concatenate([[np.nan], values[:-1]])))
        codes = np.unique(values[events], return_inverse=True)[1]
        is_after = after[events]
        parts = np.cumsum(np.diff(2 * panel.series_of_row()[events] + is_after, prepend=-1) != 0)  # of series and split
        by_chance, _ = _longest(codes, parts, ~is_after, ~is_after)
        length, (first, again) = _longest(codes, parts, ~is_after, is_after)
        if length >= max(_FEWEST, _TIMES_AS_LONG * by_chance + 1):
            n_rows = events[again + length - 1] - events[again] + 1
            begins, begins_again = (panel.clock.format(panel.times[events[event]]) for event in (first, again))
            what = f"the target {panel.columns[target]!r} has the same {n_rows:,} rows"
            where = f"from {begins} on, before the test span, and from {begins_again} on, within it"
            doubts.append(Doubt(f"{what} {where}: are they there twice?", strong=True))
    return doubts


def _longest(codes: Ints, parts: Ints, one: Flags, other: Flags) -> tuple[int, tuple[int, int]]:
    """The longest run of codes that stands among some events and among others, and where it begins in both.

    Args:
        codes: A number for the value of each event, [E].
        parts: The part that each is in, from which no run reaches into the next, ascending, [E].
        one: Which events may begin the one run, [E].
        other: Which may begin the other, [E].
    """
    length, runs, where = 0, np.zeros(len(codes) + 1, np.int64), (0, 0)
    doubled = [codes]  # numbers of the runs of 1, 2, 4 … codes
    while len(doubled[-1]) > 1 << len(doubled) - 1 and _common(doubled[-1], parts, 1 << len(doubled) - 1, one, other):
        half = 1 << len(doubled) - 1
        doubled.append(_numbered(doubled[-1][:-half], doubled[-1][half:]))
    for power in reversed(range(len(doubled))):
        longer = length + (1 << power)
        if longer > len(codes):
            continue
        n_runs = len(codes) - longer + 1
        candidates = _numbered(runs[:n_runs], doubled[power][length : length + n_runs])
        if found := _common(candidates, parts, longer, one, other):
            length, runs, where = longer, candidates, found
    return length, where


def _numbered(one: Ints, other: Ints) -> Ints:
    """A number for each pair of numbers."""
    return np.unique(one * (int(other.max(initial=0)) + 1) + other, return_inverse=True)[1]


def _common(runs: Ints, parts: Ints, length: int, one: Flags, other: Flags) -> tuple[int, int] | None:
    """Two events at which the same run begins, each whole in its part; None if there are no such."""
    is_whole = parts[: len(runs)] == parts[length - 1 :]
    first, again = np.flatnonzero(is_whole & one[: len(runs)]), np.flatnonzero(is_whole & other[: len(runs)])[::-1]
    numbers, at_first = np.unique(runs[first], return_index=True)
    index = np.searchsorted(numbers, runs[again]).clip(max=max(len(numbers) - 1, 0))
    if len(numbers):
        pairs = np.flatnonzero((numbers[index] == runs[again]) & (first[at_first[index]] != again))
        if len(pairs):
            return int(first[at_first[index[pairs[-1]]]]), int(again[pairs[-1]])
    return None
