"""Values that their user takes as missing: those that are named, and single spikes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecast.config import MissingValue, parse_missing
from forecast.data.bounds import ANGLE
from forecast.data.panel import Floats
from forecast.errors import DataError, quote, setting
from forecast.sources.quantities import has_true_zero
from forecast.sources.spikes import Flags, Ints, find_spikes
from forecast.tables.spelling import nearest


def mask_named(names: Sequence[str], values: Floats, missing: Sequence[str]) -> list[str]:
    """Replace the values that ``missing`` names by NaN, in place.

    Args:
        names: C names.
        values: [T, C].
        missing: As in `ReadOptions`.

    Returns:
        What was replaced, one sentence for each column and rule.

    Raises:
        DataError: If a rule names a column that is not there.
    """
    mended = []
    for text in missing:
        rule = parse_missing(text)
        if rule.column is not None and rule.column not in names:
            near = nearest(rule.column, names)
            meant = f"Did you mean {setting('missing', text.partition('@')[0] + '@' + near)}? " if near else ""
            raise DataError(
                f"There is no column {quote(rule.column)} for {setting('missing', text)}.",
                f"{meant}Columns: {', '.join(map(quote, names))}.",
            )
        for column, name in enumerate(names):
            if rule.column in (None, name):
                named = _are_named(values[:, column], rule)
                if count := int(named.sum()):
                    values[named, column] = np.nan
                    what = f"value(s) {rule.sign or 'of'} {rule.value:g}"
                    mended.append(f"{quote(name)}: {count:,} {what} are read as missing, as you asked.")
    return mended


def _are_named(values: Floats, rule: MissingValue) -> Flags:
    if not rule.sign:
        return values == rule.value
    return values < rule.value if rule.sign == "<" else values > rule.value


def mask_spikes(names: Sequence[str], values: Floats, first_rows: Ints) -> list[str]:
    """Replace spikes by NaN, in place; see `find_spikes`. An angle that turns past north is none.

    Args:
        names: C names.
        values: [T, C], the series one after another.
        first_rows: The first row of each series, ascending, [S].

    Returns:
        What was replaced, one sentence for each column.
    """
    mended = []
    for column, name in enumerate(names):
        if ANGLE.search(name):
            continue
        spikes = find_spikes(np.ascontiguousarray(values[:, column]), first_rows, amounts=has_true_zero(name))
        if count := int(spikes.sum()):
            values[spikes, column] = np.nan
            mended.append(f"{quote(name)}: {count:,} value(s) far from those before them are read as missing.")
    return mended


def newest_spikes(names: Sequence[str], values: Floats) -> list[str]:
    """The columns whose newest value is a spike; values [T, C] of one series."""
    newest = np.array([len(values) - 1])
    return [
        name
        for name, column in zip(names, values.T, strict=True)
        if not ANGLE.search(name)
        and find_spikes(np.ascontiguousarray(column), np.zeros(1, np.int64), newest, has_true_zero(name)).any()
    ]
