"""What is wrong or odd in a panel: found, counted and described. Only sentinels are repaired."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecast.data.bounds import NOT_NEGATIVE, PERCENT
from forecast.data.clock import STEP
from forecast.data.panel import Floats, Panel
from forecast.errors import quote

# Codes that loggers, archives and NetCDF write for "no value". The first kind has no other use.
_ALWAYS = (-9999.0, -9999.9, -9999.99, -99999.0, -99999.9, -999999.0, -999.9, -999.99, -999.0, -99999999.0, -32768.0)
_OFTEN = (-99.9, -99.0, -888.0, -8888.0, 99.9, 99.99, 999.0, 999.9, 999.99, 9999.0, 9999.9, 9999.99, 99999.0, 99999.9,
          999999.0, 9999999.0, 99999999.0, 32767.0, 65535.0, 8888.0, 88888.0)  # fmt: skip
_HUGE = 1e19


def mask_sentinels(values: Floats) -> list[tuple[float, int]]:
    """Replace the sentinels of one column by NaN, in place.

    A code such as -9999 is a sentinel if it lies far below every other value. A code such as 999 is one only if it is
    also repeated, and farther from the other values than they are from each other.

    Args:
        values: Float64 [T].

    Returns:
        Each sentinel with its count.
    """
    masked: list[tuple[float, int]] = []
    while True:
        sentinel = _sentinel(values)
        if sentinel is None:
            return masked
        where = values == sentinel
        masked.append((sentinel, int(where.sum())))
        values[where] = np.nan


def _sentinel(values: Floats) -> float | None:
    for extreme in (np.fmin.reduce(values), np.fmax.reduce(values)):
        if not (extreme in _ALWAYS or extreme in _OFTEN or abs(extreme) >= _HUGE):
            continue
        others = values[(values != extreme) & ~np.isnan(values)]
        if not len(others):
            return float(extreme) if extreme in _ALWAYS else None
        count = len(values) - len(others) - int(np.isnan(values).sum())
        low, high = others.min(), others.max()
        gap = low - extreme if extreme < low else extreme - high
        if extreme in _ALWAYS and extreme < 2 * min(low, 0.0) and gap > 0.5 * abs(extreme):
            return float(extreme)
        far = gap > high - low and abs(extreme) > 2 * max(abs(low), abs(high))
        if extreme in _OFTEN and far and 2 <= count <= len(others):
            return float(extreme)
        if abs(extreme) >= _HUGE and gap > 1e6 * max(1.0, high - low, abs(low), abs(high)):
            return float(extreme)
    return None


# A sensor that repeats this share of its readings may be stuck without notice: it seldom moves.
_SELDOM_MOVES = 0.7

# An outlier is farther from the median than this many standard deviations.
_OUTLIER = 200.0

# Absent steps after which a few rows in 1970 are no earlier record but come from a clock that was not set.
_FAR = 1000
_PRICE = re.compile(r"^(adj[ _]?)?close$|price$", re.I)
_SPLITS = np.array([1.5, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50, 100])


@dataclass(frozen=True)
class ColumnReport:
    """A summary of a column.

    Args:
        name: Name of the column.
        unit: Unit of measurement, or empty.
        missing: Number of missing values.
        longest_missing: The longest run of missing values, in rows.
        minimum: The least value.
        median: The median.
        maximum: The largest value.
        findings: What is odd about it, one sentence each.
    """

    name: str
    unit: str
    missing: int
    longest_missing: int
    minimum: float
    median: float
    maximum: float
    findings: tuple[str, ...]


def inspect_columns(panel: Panel) -> tuple[ColumnReport, ...]:
    """A report on each column of a panel, in its order."""
    return tuple(_report(panel, column) for column in range(len(panel.columns)))


def panel_warnings(panel: Panel) -> tuple[str, ...]:
    """Warnings about a panel: absent rows, missing values, and the findings on each column."""
    findings = [f"{quote(report.name)}: {finding}" for report in inspect_columns(panel) for finding in report.findings]
    return (*_gap_warnings(panel), *findings)


def _report(panel: Panel, column: int) -> ColumnReport:
    name, values = panel.columns[column], panel.values[:, column]
    missing = np.isnan(values)
    present = values[~missing]
    run = _longest_run(missing, panel)
    findings: list[str] = []
    if missing.any():
        findings.append(f"{missing.sum():,} of {len(values):,} values are missing, at most {run:,} in a row.")
    if not len(present):
        return ColumnReport(name, panel.units.get(name, ""), len(values), run, np.nan, np.nan, np.nan, tuple(findings))
    low, high, median = float(present.min()), float(present.max()), float(np.median(present))
    if low == high and len(present) > 1:
        findings.append(f"every value is {low:g}; it is no input unless named.")
    elif low < high:
        findings += _impossible(name, present)
        findings += _odd_numbers(present, median)
        findings += _stuck(panel, column, low, high)
        if _PRICE.search(name) and low > 0:
            findings += _jumps(panel, column)
    return ColumnReport(name, panel.units.get(name, ""), int(missing.sum()), run, low, median, high, tuple(findings))


def _runs(same: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Start and length of each unbroken run of True."""
    edges = np.flatnonzero(np.diff(same.astype(np.int8), prepend=0, append=0))
    return edges[::2], edges[1::2] - edges[::2]


def _longest_run(missing: NDArray[np.bool_], panel: Panel) -> int:
    lengths = [_runs(missing[panel.rows(series)])[1] for series in range(panel.n_series)] if missing.any() else []
    return max((int(length.max()) for length in lengths if len(length)), default=0)


def _impossible(name: str, present: Floats) -> list[str]:
    findings = []
    below = int((present < 0).sum())
    if below and NOT_NEGATIVE.search(name):
        findings.append(f"{below:,} value(s) are negative, the lowest {present.min():g}.")
    if PERCENT.search(name) and (above := int((present > 100).sum())):
        findings.append(f"{above:,} value(s) are above 100 %, the highest {present.max():g}.")
    return findings


def _odd_numbers(present: Floats, median: float) -> list[str]:
    findings = []
    size = np.abs(present)
    inexact = int(((size > 2.0**53) & (present == np.rint(present))).sum()) if size.max() > 2.0**53 else 0
    if huge := int((size >= 1e30).sum()):
        findings.append(f"{huge:,} value(s) are 1e30 or larger.")
    elif inexact:
        findings.append(f"{inexact:,} integer(s) above 2^53 are rounded.")
    # In one array, as every copy of a long column is as large as the column.
    distance = np.subtract(present, median, out=size)
    np.abs(distance, out=distance)
    rest = np.sort(distance)[: max(1, len(distance) - 5)]
    longest = float(rest[-1])
    spread = 0.0
    if longest > 0:
        rest /= longest
        spread = float(np.sqrt(np.mean(np.square(rest, out=rest)))) * longest
    if spread > 0:
        if len(present) > 20 and (far := int((distance > _OUTLIER * spread).sum())):
            odd = float(present[distance.argmax()])
            findings.append(f"{far:,} value(s) lie more than {_OUTLIER:g} standard deviations away, such as {odd:g}.")
        if spread < 1e-7 * abs(median):
            findings.append(f"the values vary by only {spread:.2g} about {median:g}.")
    return findings


def _stuck(panel: Panel, column: int, low: float, high: float) -> list[str]:
    """A run of one value that is far longer than by chance, in a column that usually varies.

    Runs of the least or largest value do not count: no rain, no sun and full humidity last.
    """
    values = panel.values[:, column]
    same = np.zeros(len(values), bool)
    same[1:] = values[1:] == values[:-1]
    same[np.asarray(panel.offsets[:-1])] = False
    share = float(same.mean())
    if share >= _SELDOM_MOVES:
        return []
    same &= (values != low) & (values != high)
    starts, lengths = _runs(same)
    by_chance = np.log(max(2, len(values))) / -np.log(max(share, 0.05))
    long = lengths + 1 > max(12.0, 4 * by_chance)
    if not long.any():
        return []
    worst = int(np.argmax(lengths * long))
    since = _time_of_row(panel, int(starts[worst]) - 1)
    count = f"{int(long.sum()):,} long runs of one value; the longest" if long.sum() > 1 else "a long run of one value:"
    return [f"{count} {values[starts[worst]]:g} for {lengths[worst] + 1:,} rows from {since} (a stuck sensor?)."]


def _jumps(panel: Panel, column: int) -> list[str]:
    """Steps of a price far beyond its usual steps: by the ratio of a share split, or down as after a dividend."""
    prices = np.log(panel.values[:, column])
    steps = np.diff(prices, prepend=np.nan)
    steps[np.asarray(panel.offsets[:-1])] = np.nan
    known = np.abs(steps[~np.isnan(steps)])
    if len(known) < 20:
        return []
    usual = float(np.quantile(known, 0.9))
    ratio = np.exp(np.abs(steps))
    like_split = np.min(np.abs(ratio[:, None] / _SPLITS - 1), axis=1) < 0.03
    findings = []
    jumps = np.flatnonzero(like_split & (np.abs(steps) > 8 * usual))
    if len(jumps):
        factor, day = float(np.exp(steps[jumps[0]])), _time_of_row(panel, int(jumps[0]))
        findings.append(f"{len(jumps):,} jump(s) like a share split, the first by a factor of {factor:.3g} on {day}.")
    falls = np.flatnonzero(~like_split & (steps < -10 * usual))
    if len(falls):
        share, day = 1 - float(np.exp(steps[falls[0]])), _time_of_row(panel, int(falls[0]))
        findings.append(
            f"{len(falls):,} fall(s) beyond ten of its usual steps, the first by {share:.2g} of the price on {day} "
            "(a dividend that the prices are not adjusted for, or news?)."
        )
    return findings


def _gap_warnings(panel: Panel) -> tuple[str, ...]:
    absent = panel.absent_before()
    holes = (absent > 0) & ~panel.clock.is_closed_for(absent)
    if not holes.any():
        return ()
    worst = int(np.argmax(absent))
    sentence = (
        f"{panel.clock.describe(int(absent[holes].sum()))} absent in {holes.sum():,} gap(s), the longest "
        f"{panel.clock.describe(int(absent[worst]))} after {_time_of_row(panel, worst - 1)}; no window crosses a gap."
    )
    return (sentence, *_unset_clocks(panel, absent))


def _unset_clocks(panel: Panel, absent: NDArray[np.int64]) -> tuple[str, ...]:
    """A warning for a few times of 1970 or after 2100 far from all others: an unset clock, or a mark for "never"."""
    if panel.clock.freq == STEP:
        return ()
    stretch = np.cumsum((absent > _FAR) | (np.diff(panel.series_of_row(), prepend=0) > 0))
    few = np.bincount(stretch)[stretch] <= max(1, len(absent) // 100)
    unix_zero = panel.times.astype("datetime64[D]") == np.datetime64("1970-01-01")
    odd = few & (unix_zero | (panel.times >= np.datetime64("2101-01-01")))
    if not odd.any():
        return ()
    first = _time_of_row(panel, int(np.argmax(odd)))
    return (
        f"{int(odd.sum()):,} time(s), such as {first}, lie far from all others: an unset clock, or a mark for 'never'?",
    )


def _time_of_row(panel: Panel, row: int) -> str:
    """The time of a row, as users read it."""
    return panel.clock.format(panel.times[row])
