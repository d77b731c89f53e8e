"""How the values of the training rows lie, and which new rows lie far from them: in another unit, stuck, or broken.

What is far is so by any standard, for a series may grow, and its largest value is no limit. A single value is far if it
lies ten times the width of the training range beyond it; rows in sequence, if twice. In a column that was positive, an
amount or a price, large values are the rule, and far is a matter of ratio, too. Zero means nothing to a temperature:
that it was positive in summer says nothing of winter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from forecast.data.panel import Arrays, Floats, Panel
from forecast.data.scaling import Scaler
from forecast.errors import quote
from forecast.sources.odd_values import time_of_row
from forecast.sources.quantities import has_true_zero, recognise
from forecast.sources.spikes import Flags, Ints

# Distances beyond the training range, in widths of it, from which a single value and rows in sequence are far.
_FAR_ALONE, _FAR = 10.0, 2.0

# The same for columns that were positive, as ratios to their largest and their least value.
_RATIO_ALONE, _RATIO, _SMALL_RATIO = 10.0, 3.0, 0.1

# How much below the training range a small ratio must be, in its width: amounts near zero have any ratio.
_BELOW = 0.05

# How much nearer to the training range values must lie in another unit to be taken for ones in it, as a share.
_NEARER = 0.1

# Widths of 98 in a hundred training rows from which one of them is an error.
_ERROR = 200

# Rows in sequence that are far before it is said. One row may be an error of its own.
_SEQUENCE = 3

# How much longer than in training a run of one value may be.
_LONGER, _ROWS_LONGER = 2, 12

# What units of one quantity often differ by.
_FACTORS = (1e3, 1e-3, 1e6, 1e-6, 100.0, 0.01)


@dataclass(frozen=True)
class TrainingRanges:
    """The training rows of each series and column, each [S, C].

    Args:
        least: The least value.
        low: What one value in a hundred is below.
        median: The median.
        high: What one value in a hundred is above.
        most: The largest value.
        longest_run: Rows of the longest run of one value.
    """

    least: Floats
    low: Floats
    median: Floats
    high: Floats
    most: Floats
    longest_run: Floats

    def to_arrays(self) -> Arrays:
        """The arrays by name, as a run saves them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_scaler(cls, scaler: Scaler) -> TrainingRanges:
        """What a run of an earlier version knows: the ranges of normal values, and nothing of runs."""
        with np.errstate(over="ignore"):
            quantiles = [scaler.mean + width * scaler.scale for width in (-4.0, -2.3, 0.0, 2.3, 4.0)]
            quantiles = [np.where(scaler.logged, np.exp(part), part) for part in quantiles]
        most = np.finfo(np.float64).max
        ends = [np.nan_to_num(part, posinf=most) for part in quantiles]
        return cls(*[*ends, np.full(scaler.mean.shape, np.inf)])


def fit_ranges(panel: Panel, training_rows: Flags) -> TrainingRanges:
    """The ranges of a panel's training rows [T]; a column without any value there has no limits."""
    shape = (panel.n_series, len(panel.columns))
    most = np.finfo(np.float64).max
    ranges = [np.full(shape, end) for end in (-most, -most, 0.0, most, most)]
    longest = np.empty(shape)
    for column in range(shape[1]):
        for series in range(shape[0]):
            rows = panel.rows(series)
            seen = panel.values[rows, column][training_rows[rows]]
            present = np.sort(seen[~np.isnan(seen)])
            if len(present):
                picked = np.rint(np.array([0, 0.01, 0.5, 0.99, 1]) * (len(present) - 1)).astype(np.int64)
                for part, value in zip(ranges, present[picked], strict=True):
                    part[series, column] = value
            longest[series, column] = run_lengths(seen, np.arange(len(seen)) == 0).max(initial=0)
    return TrainingRanges(*[*ranges, longest])


def far_from_training(
    panel: Panel, judged: Flags, ranges: TrainingRanges, series: Ints, without: Sequence[str] = ()
) -> dict[tuple[str, str], str]:
    """What is said of new rows that lie far from the training rows.

    Args:
        panel: Columns as in training.
        judged: Which rows are judged, [T].
        ranges: Those of all series of the run.
        series: Positions of the panel's series among these, [S].
        without: Columns that are not judged, such as angles that are counted on past a turn.

    Returns:
        A sentence by column and kind, ``far`` or ``stuck``.
    """
    findings = {}
    panel, judged = _from_first_to_last(panel, judged)
    of_row, starts = panel.series_of_row(), np.zeros(len(judged), bool)
    starts[[first for first in panel.offsets[:-1] if first < len(judged)]] = True
    for column, name in enumerate(panel.columns):
        if name in without or not judged.any():
            continue
        own = TrainingRanges(*(part[series, column] for part in ranges.to_arrays().values()))  # each [S]
        values = np.where(judged, panel.values[:, column], np.nan)
        with np.errstate(over="ignore", invalid="ignore"):
            far = _far_rows(panel, name, values, own, of_row)
            if far.any():
                findings[name, "far"] = _describe_far(panel, name, values, far, own, of_row)
            runs = run_lengths(values, starts)
            stuck = (runs > (_LONGER * own.longest_run + _ROWS_LONGER)[of_row]) & ~far
            if not stuck.any():
                continue
            stuck &= ~may_last(values, own, of_row)
        if stuck.any():
            last = int(np.argmax(np.where(stuck, runs, 0)))
            findings[name, "stuck"] = (
                f"{quote(name)}{_of_series(panel, of_row[last])}: {values[last]:g} in {int(runs[last]):,} rows in "
                f"sequence, the last of {time_of_row(panel, last)}; in training one value lasted "
                f"{int(own.longest_run[of_row[last]]):,} rows at most (a stuck sensor?)."
            )
    return findings


def _from_first_to_last(panel: Panel, judged: Flags) -> tuple[Panel, Flags]:
    """Of each series the rows from its first judged one to its last, as the others would take their memory for nothing.

    Args:
        panel: S series of T rows in all.
        judged: Which rows are judged, [T].
    """
    kept = judged.copy()
    for series in range(panel.n_series):
        rows = panel.rows(series)
        if len(own := np.flatnonzero(judged[rows])):
            kept[rows][own[0] : own[-1]] = True
    return (panel, judged) if kept.all() else (panel.only(kept), judged[kept])


def may_last(values: Floats, own: TrainingRanges, of_row: Ints) -> Flags:
    """Which values [T] of a column may last, as no rain, no sun and full humidity do: often the least or the most.

    Args:
        values: [T].
        own: The ranges of the column, [S] each.
        of_row: The series of each row, [T].
    """
    at_least = ((own.low == own.least) & (own.least < own.most))[of_row] & (values == own.least[of_row])
    at_most = ((own.high == own.most) & (own.least < own.most))[of_row] & (values == own.most[of_row])
    return at_least | at_most


def run_lengths(values: Floats, starts: Flags) -> Floats:
    """How many values in sequence are the same, up to each row, [T]; 0 for NaN. A run ends where a series starts."""
    same = np.zeros(len(values), bool)
    same[1:] = values[1:] == values[:-1]
    same &= ~starts
    index = np.arange(len(values))
    return np.where(np.isnan(values), 0, index - np.maximum.accumulate(np.where(same, 0, index)) + 1)


def _far_rows(panel: Panel, name: str, values: Floats, own: TrainingRanges, of_row: Ints) -> Flags:
    """Which values [T] of a column are far from their series' training rows."""
    # An error among the training rows is no measure of their range.
    width = own.high - own.low
    low = np.where(width > 0, np.maximum(own.least, own.low - _ERROR * width), own.least)
    high = np.where(width > 0, np.minimum(own.most, own.high + _ERROR * width), own.most)
    size = np.where(high > low, high - low, np.maximum(np.abs(high), 1.0))[of_row]
    low, high, positive, no_sign = low[of_row], high[of_row], (own.least > 0)[of_row], (own.least >= 0)[of_row]
    up, down = (values - high) / size, (low - values) / size
    alone = (down > _FAR_ALONE) | ((up > _FAR_ALONE) & ~(positive & (values < _RATIO_ALONE * high)))
    far = (down > _FAR) | ((up > _FAR) & ~(positive & (values < _RATIO * high)))
    if has_true_zero(name):
        far |= (positive & (values < _SMALL_RATIO * low) & (down > _BELOW)) | (no_sign & (values < -size / 4))
    far |= _in_another_unit(panel, name, values, own, of_row)
    sequence = far.copy()
    for lag in range(1, _SEQUENCE):
        sequence[lag:] &= far[:-lag] & (of_row[lag:] == of_row[:-lag])
        sequence[:lag] = False
    for lag in range(1, _SEQUENCE):
        sequence[:-lag] |= sequence[lag:] & far[:-lag] & (of_row[lag:] == of_row[:-lag])
    few = np.bincount(of_row[~np.isnan(values)], minlength=panel.n_series) < _SEQUENCE
    return alone | sequence | (far & few[of_row])


def _in_another_unit(panel: Panel, name: str, values: Floats, own: TrainingRanges, of_row: Ints) -> Flags:
    """The values of each series that all lie outside its training rows, and among them in another of its units."""
    result = np.zeros(len(values), bool)
    if np.isnan(values).all() or recognise(name, panel.units.get(name, ""), own.median) is None:
        return result
    for series in range(panel.n_series):
        rows = panel.rows(series)
        present = values[rows][~np.isnan(values[rows])]
        margin = 0.15 * (own.most[series] - own.least[series])
        outside = (present < own.least[series]) | (present > own.most[series])
        if len(present) < _SEQUENCE or not outside.all():
            continue
        clear = np.median(present) > own.most[series] + margin or np.median(present) < own.least[series] - margin
        if clear and _unit_for(panel, name, present, own, series, likeliest=True):
            result[rows] = ~np.isnan(values[rows])
    return result


def _describe_far(panel: Panel, name: str, values: Floats, far: Flags, own: TrainingRanges, of_row: Ints) -> str:
    """The sentence on the far values [T] of a column: of the series that has most of them."""
    counts = np.bincount(of_row[far], minlength=panel.n_series)
    series = int(np.argmax(counts))
    rows = np.flatnonzero(far & (of_row == series))
    low, high = values[rows].min(), values[rows].max()
    ends = f"{low:.4g}" if low == high else f"{low:.4g} … {high:.4g}"
    trained = f"{own.least[series]:.4g} … {own.most[series]:.4g}"
    more = f" So in {int((counts > 0).sum()):,} series." if (counts > 0).sum() > 1 else ""
    count = f"{len(rows):,} value(s) from {time_of_row(panel, int(rows[0]))} on, {ends}, lie"
    if len(rows) == 1:
        count = f"{ends} at {time_of_row(panel, int(rows[0]))} lies"
    guess = _unit_for(panel, name, values[rows], own, series)
    reason = f": another unit ({guess})?" if guess else _sign(values[rows], own, series) or "."
    return f"{quote(name)}{_of_series(panel, series)}: {count} far from the training rows ({trained}){reason}{more}"


def _unit_for(
    panel: Panel, name: str, values: Floats, own: TrainingRanges, series: int, likeliest: bool = False
) -> str:
    """In which unit, for that of the training rows, values [n] would lie among these; empty if in none.

    ``likeliest`` is for values that nothing else makes far: where the training rows may be in several units, as 5 … 27
    may be °C or °F, only the first of them then counts. Else the first frost would be one of °C among °F.
    """
    low, high, median = own.low[series], own.high[series], own.median[series]
    middle = float(np.median(values))
    measured = recognise(name, panel.units.get(name, ""), np.array([low, median, high]))
    for own_unit in measured.units[: 1 if likeliest else None] if measured else ():
        for other in measured.quantity.units if measured else ():
            converted = own_unit.from_first(other.to_first(middle))
            beyond, still = (max(low - value, value - high, 0.0) for value in (middle, converted))
            if still <= _NEARER * beyond and other is not own_unit:
                return f"{other.name} for {own_unit.name}"
    # A factor explains nothing where the training rows themselves differ by as much.
    differ = high / low if low > 0 else (high / median) ** 2 if median > 0 else np.inf
    for factor in _FACTORS:
        like_others = 1 / 3 < middle / factor / (median or 1) < 3
        if like_others and low <= middle / factor <= high and 2 * differ < max(factor, 1 / factor):
            return f"{factor:,g} times as large" if factor > 1 else f"{1 / factor:,g} times as small"
    return ""


def _sign(values: Floats, own: TrainingRanges, series: int) -> str:
    one_sided = own.least[series] >= 0 or own.most[series] <= 0
    turned = own.least[series] <= -float(np.median(values)) <= own.most[series] and not (values == 0).any()
    return ": has the sign changed?" if one_sided and turned else ""


def _of_series(panel: Panel, series: int) -> str:
    return f" of series {quote(panel.series_ids[series])}" if panel.n_series > 1 else ""
