"""How many windows a span could have, how many it has, and what the others lack."""

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
from forecast.data.windows import Flags, Ints, count_set, fewest_of, fill_forward
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
    line, lookback, horizon = _Line(rows.panel, len(config.known)), config.lookback, config.horizon
    stretches = rows.panel.stretches()
    starts = np.arange(max(0, rows.panel.n_rows - lookback - horizon + 1))
    unbroken = starts[stretches[starts] == stretches[starts + lookback + horizon - 1]]
    cutoffs, series = rows.panel.positions(unbroken + lookback - 1), rows.series[unbroken]
    lacks_input, lacks_target = _lacking(rows, config, unbroken)
    lacks_any_input = np.logical_or.reduce([np.zeros(len(unbroken), bool), *lacks_input.values()])
    counts = []
    for first, until in spans:
        firsts, lasts = line.possible_cutoffs(first, until, lookback, horizon)
        inside = (firsts[series] <= cutoffs) & (cutoffs <= lasts[series])
        possible, there = int((lasts - firsts + 1).sum()), int(inside.sum())
        without_inputs = int((inside & lacks_any_input).sum())
        unusable = int((inside & (lacks_any_input | lacks_target)).sum())
        by_column = {name: int((inside & lack).sum()) for name, lack in lacks_input.items()}
        counts.append(
            WindowCount(
                possible=possible,
                scored=there - unusable,
                cross_gap=possible - there,
                lack_inputs=without_inputs,
                lack_targets=unusable - without_inputs,
                lack_inputs_by_column={name: count for name, count in by_column.items() if count},
            )
        )
    return counts


def _lacking(rows: Rows, config: DataConfig, starts: Ints) -> tuple[dict[str, Flags], Flags]:
    """Which windows that begin at these rows [n] lack an input, by its name, and which lack targets, [n] each."""
    lookback, horizon = config.lookback, config.horizon
    fewest_seen, fewest_ahead = (fewest_of(length, config.least_observed) for length in (lookback, horizon))
    is_melted = config.channels == "independent" and len(config.target) > 1
    n_measured = rows.n_targets + rows.n_covariates
    lacks_input, lacks_target = dict[str, Flags](), np.zeros(len(starts), bool)
    issued = rows.know_ahead(starts + lookback - 1, horizon, config.least_observed)
    for column, name in enumerate(rows.panel.columns):
        is_there = ~np.isnan(rows.panel.values[:, column])
        may_lack = not is_there.all() and not (rows.masked and column >= rows.n_targets)
        if not may_lack and column not in issued:
            continue
        usable = is_there if rows.masked else fill_forward(rows.panel, config.longest_fill, column)[1]
        lacks = (count_set(usable, lookback)[starts] < fewest_seen) & may_lack
        if column in issued:
            too_few_ahead = ~issued[column]
        else:
            too_few_ahead = count_set(is_there, horizon)[starts + lookback] < fewest_ahead
        if column < rows.n_targets:
            lacks_target |= too_few_ahead
        elif column >= n_measured:
            lacks |= too_few_ahead
        lacks_input["a target" if is_melted and not column else name] = lacks
    return lacks_input, lacks_target


class _Line:
    """A line on which all steps of all series have a position, whether a row is there or not.

    Args:
        panel: S series of T rows in all.
        n_known: Columns that are known ahead; rows that hold nothing else are no part of a series.
    """

    def __init__(self, panel: Panel, n_known: int) -> None:
        self.panel = panel
        starts, ends = np.array(panel.offsets[:-1]), np.array(panel.offsets[1:])
        self.broken, self.absent = panel.gaps()
        if n_known:
            rows_of = map(panel.rows, range(panel.n_series))
            ends = starts + [count_measured(panel.values[rows], n_known) for rows in rows_of]
        self.starts, self.ends = starts, ends

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
                absent = self.panel.clock.absent(self.panel.times[row - 1], int(self.absent[gap]))
                absent_from[series] = np.count_nonzero(absent >= time)
        ended = (rows == self.ends) & (self.ends > self.starts)  # the step after the last row
        return self.panel.positions(rows - ended) + ended - absent_from
