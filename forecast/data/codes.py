"""Codes such as -9999 and 999.9 that loggers write for a missing value, told from measurements by earlier rows alone.

Twice a value is judged. While reading, each by the rows up to its own, so that rows before any cut-off are read as if
the file ended there. Then, once the cut-off is known, by the training rows together: of a code such as 999.9 this finds
the first one, too, before which it was not known to be repeated. A run keeps what its training rows decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from forecast.config import parse_missing
from forecast.data.panel import Floats, Panel
from forecast.errors import Sentence, quote, setting

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

# Codes of loggers, archives and NetCDF. The first kind has no other use.
_ALWAYS = (-9999.0, -9999.9, -9999.99, -99999.0, -99999.9, -999999.0, -999.9, -999.99, -999.0, -99999999.0, -32768.0)
_OFTEN = (-99.9, -99.0, -888.0, -8888.0, 99.9, 99.99, 999.0, 999.9, 999.99, 9999.0, 9999.9, 9999.99, 99999.0, 99999.9,
          999999.0, 9999999.0, 99999999.0, 32767.0, 65535.0, 8888.0, 88888.0)  # fmt: skip
_HUGE = 1e19


def find_codes(values: Floats) -> tuple[float, ...]:
    """The codes in a column, judged by all of these values [T] together, ascending."""
    rows = _candidates(values)
    codes, counts = np.unique(values[rows], return_counts=True)
    if not len(codes):
        return ()
    is_other = ~np.isnan(values)
    is_other[rows] = False
    low = np.fmin.reduce(values, where=is_other, initial=np.nan)
    high = np.fmax.reduce(values, where=is_other, initial=np.nan)
    n_others = np.full(len(codes), np.count_nonzero(is_other))
    return tuple(codes[_mean_missing(codes, counts, low, high, n_others)].tolist())


def are_codes(values: Floats, order: Ints | None = None) -> Flags:
    """Which values of a column are codes, each judged by the rows up to its own, [T].

    Args:
        values: [T].
        order: The order of the rows in time; None if they ascend.
    """
    flags, rows = np.zeros(len(values), bool), _candidates(values)
    if not len(rows):
        return flags
    at = rows
    if order is not None:
        is_candidate = np.zeros(len(values), bool)
        is_candidate[rows] = True
        at = np.flatnonzero(is_candidate[order])
        rows = order[at]
    others = values[: at[-1] + 1].copy() if order is None else values[order[: at[-1] + 1]]
    others[at] = np.nan
    since = np.concatenate([[0], at[:-1] + 1])  # the rows from one candidate to the next
    low = np.fmin.accumulate(np.fmin.reduceat(others, since))
    high = np.fmax.accumulate(np.fmax.reduceat(others, since))
    n_others = np.cumsum(np.add.reduceat(~np.isnan(others), since, dtype=np.int64))
    flags[rows] = _mean_missing(values[rows], _count_so_far(values[rows]), low, high, n_others)
    return flags


def may_hold_codes(values: Floats) -> bool:
    """Whether a column has values that other rows may tell to be codes."""
    return len(_candidates(values)) > 0


def without_codes(panel: Panel) -> Panel:
    """The panel without the codes that all of its rows tell, which `decide_codes` will judge again."""
    values = panel.values.copy() if panel.coded else panel.values
    for name, raw in panel.coded.items():
        values[np.isin(raw, find_codes(raw)), panel.column(name)] = np.nan
    return replace(panel, values=values)


def decide_codes(panel: Panel, known_rows: Flags) -> Panel:
    """The panel without the codes that some rows [T] alone tell, which its ``read_options`` then name.

    It is returned as it is if they name them already.
    """
    found = {name: find_codes(raw[known_rows]) for name, raw in panel.coded.items()}
    rules = [f"{code!r}@{name}" for name, codes in found.items() for code in codes if code not in _ALWAYS]
    return with_codes(panel, rules)


def with_codes(panel: Panel, codes: Sequence[str] | None) -> Panel:
    """The panel without these codes, nor others that the rows before each tell, and with what else was taken for one.

    Args:
        panel: What was read; it is returned as it is if its codes were decided before.
        codes: As in `ReadOptions`; None if they were never decided.
    """
    if codes is None or "codes" in panel.read_options:
        return panel
    values = panel.values.copy() if panel.coded else panel.values
    order = None if panel.n_series == 1 or not panel.coded else np.argsort(panel.times, kind="stable")
    retold: list[Sentence] = []
    for name, raw in panel.coded.items():
        column, rows = values[:, panel.column(name)], _candidates(raw)
        before = column[rows]
        column[rows] = raw[rows]
        column[are_codes(raw, order) | np.isin(raw, codes_of(name, codes))] = np.nan
        retold += _what_changed(name, before, column[rows], f"{np.isnan(column).sum():,} of {len(column):,}")
    options = panel.read_options | {"codes": tuple(codes)}
    return replace(panel, values=values, coded={}, read_options=options, warnings=(*panel.warnings, *retold))


def _what_changed(name: str, before: Floats, after: Floats, missing: str) -> list[Sentence]:
    """What is said of candidates [n] of which others are missing now than were told to be while reading."""
    said = []
    was, is_now = np.isnan(before), np.isnan(after)
    count_now = f"{missing} values are missing now."
    for value, count in zip(*np.unique(before[~was & is_now], return_counts=True), strict=True):
        said.append(
            f"{count:,} more value(s) {value:g} are read as missing, as the training rows tell that they mean it "
            f"({setting('keep_sentinels', True)} keeps them): {count_now}"
        )
    for value, count in zip(*np.unique(after[was & ~is_now], return_counts=True), strict=True):
        said.append(
            f"{count:,} value(s) {value:g} are kept after all, as the training rows do not tell that they mean missing "
            f"({setting('missing', f'{value:g}@{name}')} reads them so): {count_now}"
        )
    return [Sentence(f"{quote(name)}: {sentence}") for sentence in said]


def codes_of(column: str, codes: Sequence[str]) -> list[float]:
    """The codes of one column among rules such as ``999.9@temp``."""
    return [rule.value for rule in map(parse_missing, codes) if rule.column == column]


def _candidates(values: Floats) -> Ints:
    """The rows of values that are on a list of codes, or too large for a measurement."""
    low, high = np.fmin.reduce(values, initial=np.inf), np.fmax.reduce(values, initial=-np.inf)
    found = np.abs(values) >= _HUGE if max(-low, high) >= _HUGE else np.zeros(len(values), bool)
    for code in _ALWAYS + _OFTEN:
        if low <= code <= high:  # few are, and each costs a look at every value
            found |= values == code
    return np.flatnonzero(found)


def _count_so_far(values: Floats) -> Ints:
    """How often each value has come, itself included, [n]."""
    order = np.argsort(values, kind="stable")
    _, firsts, counts = np.unique(values[order], return_index=True, return_counts=True)
    result = np.empty(len(values), np.int64)
    result[order] = np.arange(len(values)) - np.repeat(firsts, counts) + 1
    return result


def _mean_missing(codes: Floats, counts: Ints, low: Floats | float, high: Floats | float, n_others: Ints) -> Flags:
    """Which candidates are codes, [n].

    One that has no other use is a code if it lies far below every other value. One that has is a code only if it is
    also repeated, and farther from the other values than they are from each other.

    Args:
        codes: The candidates.
        counts: How often each of them stands there.
        low: The least value that is none, one for all or [n]; NaN where there is no other.
        high: The largest.
        n_others: How many values are none.
    """
    with np.errstate(invalid="ignore"):
        size, gap = np.abs(codes), np.where(codes < low, low - codes, codes - high)
        largest = np.maximum(np.abs(low), np.abs(high))
        always = np.isin(codes, _ALWAYS) & (np.isnan(low) | (codes < 2 * np.minimum(low, 0)))
        often = np.isin(codes, _OFTEN) & (gap > high - low) & (size > 2 * largest)
        huge = (size >= _HUGE) & (gap > 1e6 * np.maximum(np.maximum(1.0, high - low), largest))
    return always | (often & (counts >= 2) & (counts <= n_others)) | huge
