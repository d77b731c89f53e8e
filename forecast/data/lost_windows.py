"""How many windows a span could have, how many it has, and what the others lack.

Memory grows with the rows that are missing, not with the steps of a gap: what a missing value spoils is an interval of
cut-offs, and intervals are counted without being written out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from forecast.config import DataConfig
from forecast.data.clock import Times
from forecast.data.newest import count_measured
from forecast.data.panel import Panel
from forecast.data.prepare import Prepared, Rows
from forecast.data.split import PARTS
from forecast.data.windows import Flags, Ints, count_set, fill_forward
from forecast.errors import listed

# Columns that a sentence names.
_NAMED = 3


@dataclass(frozen=True)
class WindowCount:
    """The windows of a span: those that there would be if every row were there and complete, and what became of them.

    Each window that cannot be used is counted once, under the first of the reasons below that holds.

    Args:
        possible: Windows that lie between the first and the last row of a series, with their horizon in the span.
        scored: Those that can be used.
        cross_gap: Those that cross an absent row.
        lack_inputs: Those in whose lookback a value is missing, or a value that must be known ahead; where windows may
            have holes, those in whose lookback too few targets are there.
        lack_targets: Those in whose horizon a target is missing; where windows may have holes, too many are.
        lack_inputs_by_column: Of ``possible`` without ``cross_gap``, how many lack this input; a window may lack many.
    """

    possible: int
    scored: int
    cross_gap: int = 0
    lack_inputs: int = 0
    lack_targets: int = 0
    lack_inputs_by_column: Mapping[str, int] | None = None

    @property
    def lost(self) -> int:
        """Windows that cannot be used."""
        return self.possible - self.scored

    def to_json(self) -> dict[str, Any]:
        """The counts as values of JSON."""
        return asdict(self)


def lost_windows_in_words(count: Mapping[str, Any], part: str) -> str:
    """The counts of a span in a sentence: "4,250 of 7,009 test windows: 2,617 lack inputs (PM2.5), 142 targets".

    Args:
        count: What `WindowCount.to_json` returned.
        part: What the span is called.
    """
    columns = sorted(count["lack_inputs_by_column"].items(), key=lambda column: -column[1])
    named = listed([f"{name} {number:,}" for name, number in columns], _NAMED)
    if len(columns) == 1:
        named = columns[0][0]
    reasons = [
        f"{count['lack_inputs']:,} lack inputs ({named})" if count["lack_inputs"] else "",
        f"{count['lack_targets']:,} {'' if count['lack_inputs'] else 'lack '}targets" if count["lack_targets"] else "",
        f"{count['cross_gap']:,} cross absent rows" if count["cross_gap"] else "",
    ]
    said = f"{count['scored']:,} of {count['possible']:,} {part} windows"
    return f"{said}: {', '.join(filter(None, reasons))}" if any(reasons) else said


def count_windows_of_parts(prepared: Prepared) -> dict[str, WindowCount]:
    """The windows of the training, the validation and the test span, by name."""
    spans = list(pairwise([None, prepared.split.validation_from, prepared.split.test_from, None]))
    return dict(zip(PARTS, count_windows(prepared.rows, prepared.config.data, spans), strict=True))


Span = tuple[Times | None, Times | None]


def count_windows(rows: Rows, config: DataConfig, spans: Sequence[Span]) -> list[WindowCount]:
    """Count the windows of some spans.

    Args:
        rows: The rows that windows index.
        config: The data configuration.
        spans: First timestamp of each span, and the first one after it, of each series [S]; None for no bound.
    """
    line = _Line(rows.panel, len(config.known))
    if rows.masked:
        return _count_with_holes(rows, config, spans, line)
    lookback, horizon = config.lookback, config.horizon
    in_lookback, in_horizon = (0, lookback - 1), (-horizon, -1)  # cut-offs that a missing value spoils, from its row on
    gaps = [line.spoilt_by_gaps(lookback, horizon)]
    targets, by_column = [], dict[str, list[_Spoilt]]()
    for column, name in enumerate(rows.panel.columns):
        missing = np.isnan(rows.panel.values[:, column])
        if not missing.any():
            continue
        unusable = ~fill_forward(rows.panel, config.longest_fill, column)[1]
        of_column = [line.spoilt_by(unusable, in_lookback)] if unusable.any() else []
        if column < rows.n_targets:
            targets.append(line.spoilt_by(missing, in_horizon))
        elif column >= rows.n_targets + rows.n_covariates:
            of_column.append(line.spoilt_by(missing, in_horizon))
        if of_column:
            by_column[name] = of_column
    inputs = [spoilt for of_column in by_column.values() for spoilt in of_column]
    counts = []
    for first, until in spans:
        firsts, lasts = line.possible_cutoffs(first, until, lookback, horizon)

        def lost(*spoilt: _Spoilt) -> int:
            return _count_union(spoilt, firsts, lasts)  # noqa: B023 - called within the turn of the loop

        possible = int((lasts - firsts + 1).sum())
        crossing = lost(*gaps)
        lacking = {name: lost(*gaps, *of_column) - crossing for name, of_column in by_column.items()}
        without_inputs, unusable_windows = lost(*gaps, *inputs), lost(*gaps, *inputs, *targets)
        counts.append(
            WindowCount(
                possible=possible,
                scored=possible - unusable_windows,
                cross_gap=crossing,
                lack_inputs=without_inputs - crossing,
                lack_targets=unusable_windows - without_inputs,
                lack_inputs_by_column={name: number for name, number in lacking.items() if number},
            )
        )
    return counts


def _count_with_holes(rows: Rows, config: DataConfig, spans: Sequence[Span], line: _Line) -> list[WindowCount]:
    """The same, where windows may have holes: a row stands for each step of the clock, but in the longest gaps."""
    lookback, horizon = config.lookback, config.horizon
    stretches, least = rows.panel.stretches(), config.least_observed
    starts = np.arange(max(0, rows.panel.n_rows - lookback - horizon + 1))
    unbroken = starts[stretches[starts] == stretches[starts + lookback + horizon - 1]]
    cutoffs, series = line.panel.positions(unbroken + lookback - 1), rows.series[unbroken]
    names = rows.panel.columns[: rows.n_targets]
    too_few = {
        name: count_set(seen, lookback)[unbroken] < least * lookback
        for name, seen in zip(names, rows.target_is_seen.T, strict=True)
    }
    lacks_inputs = np.logical_or.reduce(list(too_few.values()))
    lacks_targets = np.logical_or.reduce(
        [count_set(seen, horizon)[unbroken + lookback] < least * horizon for seen in rows.target_is_seen.T]
    )
    counts = []
    for first, until in spans:
        firsts, lasts = line.possible_cutoffs(first, until, lookback, horizon)
        inside = (firsts[series] <= cutoffs) & (cutoffs <= lasts[series])
        possible, there = int((lasts - firsts + 1).sum()), int(inside.sum())
        without_inputs = int((inside & lacks_inputs).sum())
        unusable = int((inside & (lacks_inputs | lacks_targets)).sum())
        counts.append(
            WindowCount(
                possible=possible,
                scored=there - unusable,
                cross_gap=possible - there,
                lack_inputs=without_inputs,
                lack_targets=unusable - without_inputs,
                lack_inputs_by_column={name: n for name, few in too_few.items() if (n := int((inside & few).sum()))},
            )
        )
    return counts


# Intervals of cut-offs that cannot be used: their series [K], first [K] and last [K] positions.
_Spoilt = tuple[Ints, Ints, Ints]


class _Line:
    """A line on which all steps of all series have a position, whether a row is there or not.

    Args:
        panel: S series of T rows in all.
        n_known: Columns that are known ahead; rows that hold nothing else are no part of a series.
    """

    def __init__(self, panel: Panel, n_known: int) -> None:
        self.panel = panel
        starts, ends = np.array(panel.offsets[:-1]), np.array(panel.offsets[1:])
        self.series = panel.series_of_row()
        self.broken, self.absent = panel.gaps()
        if n_known:
            rows_of = map(panel.rows, range(panel.n_series))
            ends = starts + [count_measured(panel.values[rows], n_known) for rows in rows_of]
        self.starts, self.ends = starts, ends

    def spoilt_by(self, flags: Flags, cutoffs: tuple[int, int]) -> _Spoilt:
        """The cut-offs that flagged rows [T] spoil, from a first to a last one as seen from the row."""
        rows = np.flatnonzero(flags)
        positions = self.panel.positions(rows)
        return self.series[rows], positions + cutoffs[0], positions + cutoffs[1]

    def spoilt_by_gaps(self, lookback: int, horizon: int) -> _Spoilt:
        """The cut-offs of windows that cross a gap."""
        after = self.panel.positions(self.broken)
        return self.series[self.broken], after - self.absent - horizon, after - 1 + lookback - 1

    def possible_cutoffs(
        self, first: Times | None, until: Times | None, lookback: int, horizon: int
    ) -> tuple[Ints, Ints]:
        """First and last cut-off of each series whose horizon lies in a span, [S] each; the last may precede."""
        begins, stops = self.steps_before(first, 0), self.steps_before(until, 1)
        origin = self.steps_before(None, 0)
        firsts = np.maximum(begins - 1, origin + lookback - 1)
        return firsts, np.maximum(stops - 1 - horizon, firsts - 1)

    def steps_before(self, times: Times | None, side: int) -> Ints:
        """The position of the first step of each series that is not before its time [S], [S]; absent steps count.

        Without times: of its first step, or (side 1) of the step after its last.
        """
        rows, absent_from = np.zeros((2, self.panel.n_series), np.int64)
        for series, (start, end) in enumerate(zip(self.starts, self.ends, strict=True)):
            if start == end:
                continue
            row, time = (end if side else start), None if times is None else times[series]
            if time is not None:
                row = start + np.searchsorted(self.panel.times[start:end], time)
            rows[series] = row
            gap = np.searchsorted(self.broken, row)
            if time is not None and row < end and gap < len(self.broken) and self.broken[gap] == row:
                absent = self.panel.clock.future(self.panel.times[row - 1], int(self.absent[gap]))
                absent_from[series] = np.count_nonzero(absent >= time)
        ended = (rows == self.ends) & (self.ends > self.starts)  # the step after the last row
        return self.panel.positions(rows - ended) + ended - absent_from


def _count_union(spoilt: Sequence[_Spoilt], firsts: Ints, lasts: Ints) -> int:
    """How many cut-offs between ``firsts`` and ``lasts`` of their series lie in any of these intervals."""
    series, begins, ends = (np.concatenate(parts) for parts in zip(*spoilt, strict=True))
    begins, ends = np.maximum(begins, firsts[series]), np.minimum(ends, lasts[series])
    inside = begins <= ends
    order = np.argsort(begins[inside], kind="stable")
    begins, ends = begins[inside][order], ends[inside][order]
    reached = np.maximum.accumulate(ends)
    begins[1:] = np.maximum(begins[1:], reached[:-1] + 1)
    return int(np.maximum(ends - begins + 1, 0).sum())
