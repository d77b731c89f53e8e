"""What is wrong or odd in a panel: found, counted and described. Nothing is repaired."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from forecast.config import ReadOptions
from forecast.data.clock import STEP
from forecast.data.panel import Floats, Panel
from forecast.errors import Sentence, quote
from forecast.memory import core_count
from forecast.sources.odd_values import find_odd_values, least_spread, spread_about, time_of_row, without_missing

# Values of a panel below which to start threads takes longer than to look at its columns one after another.
_WORTH_THREADS = 20_000

# A sensor that repeats this share of its readings may be stuck without notice: it seldom moves.
_SELDOM_MOVES = 0.7

# Absent steps after which a few rows in 1970 are no earlier record but come from a clock that was not set.
_FAR = 1000
_PRICE = re.compile(r"^(adj[ _]?)?close$|price$", re.I)
_SPLITS = np.array([1.5, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50, 100])


T = TypeVar("T")


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


def inspect_columns(panel: Panel, options: ReadOptions | None = None) -> tuple[ColumnReport, ...]:
    """A report on each column of a panel, in its order; advice keeps the options that the panel was read with."""

    def report(column: int) -> ColumnReport:
        values, name = np.ascontiguousarray(panel.values[:, column]), panel.columns[column]
        missing, present = np.isnan(values), without_missing(values)
        run, some = _longest_run(missing, panel), present if len(present) else np.array([np.nan])
        low, median, high = float(some.min()), float(np.median(some)), float(some.max())
        findings = _findings(panel, options or ReadOptions(), column)
        return ColumnReport(name, panel.units.get(name, ""), int(missing.sum()), run, low, median, high, findings)

    return _of_columns(panel, report)


def _of_columns(panel: Panel, look: Callable[[int], T]) -> tuple[T, ...]:
    """What is seen in each column, in its order."""
    columns = range(len(panel.columns))
    if panel.values.size < _WORTH_THREADS:
        return tuple(map(look, columns))
    with ThreadPoolExecutor(core_count()) as cores:
        return tuple(cores.map(look, columns))


def panel_warnings(panel: Panel, options: ReadOptions | None = None) -> tuple[str, ...]:
    """Warnings about a panel: absent rows, missing values, and the findings on each column."""
    of_columns = _of_columns(panel, partial(_findings, panel, options or ReadOptions()))
    findings = [
        Sentence(f"{quote(name)}: {getattr(finding, 'template', finding)}")
        for name, found in zip(panel.columns, of_columns, strict=True)
        for finding in found
    ]
    return (*_gap_warnings(panel), *findings)


def _findings(panel: Panel, options: ReadOptions, column: int) -> tuple[str, ...]:
    """What is odd about a column, one sentence each."""
    name, values = panel.columns[column], np.ascontiguousarray(panel.values[:, column])
    missing = np.isnan(values)
    present = values[~missing] if missing.any() else values
    findings: list[str] = []
    notation = panel.read_options.get("notation", ())
    is_word = any(name in own.columns for own in notation if own.words)  # whose missing cells are told once for all
    if missing.any() and not is_word:
        run = _longest_run(missing, panel)
        findings.append(f"{missing.sum():,} of {len(values):,} values are missing, at most {run:,} in a row.")
    if not len(present):
        return tuple(findings)
    low, high = float(present.min()), float(present.max())
    # In a few rows that are read as a run read its own, words and truth values may well be the same.
    read_before = {name for notation in options.notation for name in (notation.column, *notation.columns)}
    if low == high and len(present) > 1 and name not in read_before:
        findings.append(f"every value is {low:g}; it is not an input unless named.")
    elif low < high:
        rest, odd = find_odd_values(panel, column, values, options)
        findings += odd
        findings += _odd_numbers(present if rest is values else without_missing(rest), present)
        findings += _stuck(panel, rest)
        if _PRICE.search(name) and low > 0:
            findings += _jumps(panel, rest)
    return tuple(findings)


def _runs(same: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Start and length of each unbroken run of True."""
    edges = np.flatnonzero(np.append(same, False) != np.append(False, same))
    return edges[::2], edges[1::2] - edges[::2]


def _longest_run(missing: NDArray[np.bool_], panel: Panel) -> int:
    lengths = [_runs(missing[panel.rows(series)])[1] for series in range(panel.n_series)] if missing.any() else []
    return max((int(length.max()) for length in lengths if len(length)), default=0)


def _odd_numbers(rest: Floats, present: Floats) -> list[str]:
    """Numbers that float64 or float32 hold badly: huge ones, long integers, and small changes of a large mean.

    Args:
        rest: The values that are not odd otherwise, [n].
        present: All values.
    """
    if not len(rest):
        return []
    findings = []
    low, high = float(rest.min()), float(rest.max())
    largest = max(-low, high)
    if largest >= 1e30:
        findings.append(f"{(np.abs(rest) >= 1e30).sum():,} value(s) are 1e30 or larger.")
    elif largest > 2.0**53 and (inexact := int(((np.abs(rest) > 2.0**53) & (rest == np.rint(rest))).sum())):
        findings.append(f"{inexact:,} integer(s) above 2^53 are rounded.")
    least, most = float(present.min()), float(present.max())  # the median lies between them
    if least_spread(rest, max(high - least, most - low)) < 1e-7 * max(-least, most):
        median = float(np.median(present))
        spread = spread_about(rest, median)
        if 0 < spread < 1e-7 * abs(median):
            findings.append(f"the values vary by only {spread:.2g} about {median:g}.")
    return findings


def _stuck(panel: Panel, values: Floats) -> list[str]:
    """A run of one value that is far longer than by chance, in a column that usually varies.

    Runs of the least or largest value do not count: no rain, no sun and full humidity last.
    """
    same = np.zeros(len(values), bool)
    same[1:] = values[1:] == values[:-1]
    same[np.asarray(panel.offsets[:-1])] = False
    share = float(same.mean())
    if share >= _SELDOM_MOVES:
        return []
    same &= (values != np.fmin.reduce(values)) & (values != np.fmax.reduce(values))
    starts, lengths = _runs(same)
    by_chance = np.log(max(2, len(values))) / -np.log(max(share, 0.05))
    long = lengths + 1 > max(12.0, 4 * by_chance)
    if not long.any():
        return []
    worst = int(np.argmax(lengths * long))
    since = time_of_row(panel, int(starts[worst]) - 1)
    count = f"{int(long.sum()):,} long runs of one value; the longest" if long.sum() > 1 else "a long run of one value:"
    return [f"{count} {values[starts[worst]]:g} for {lengths[worst] + 1:,} rows from {since} (a stuck sensor?)."]


def _jumps(panel: Panel, values: Floats) -> list[str]:
    """Steps of a price far beyond its usual steps: by the ratio of a share split, or down as after a dividend."""
    steps = np.diff(np.log(values), prepend=np.nan)
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
        factor, day = float(np.exp(steps[jumps[0]])), time_of_row(panel, int(jumps[0]))
        findings.append(f"{len(jumps):,} jump(s) like a share split, the first by a factor of {factor:.3g} on {day}.")
    falls = np.flatnonzero(~like_split & (steps < -10 * usual))
    if len(falls):
        share, day = 1 - float(np.exp(steps[falls[0]])), time_of_row(panel, int(falls[0]))
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
        f"{panel.clock.describe(int(absent[worst]))} after {time_of_row(panel, worst - 1)}."
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
    first = time_of_row(panel, int(np.argmax(odd)))
    return (
        f"{int(odd.sum()):,} time(s), such as {first}, lie far from all others: an unset clock, or a mark for 'never'?",
    )
