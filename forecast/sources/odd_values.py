"""Values that are impossible for their quantity or far from all others, and the option that reads them as missing.

One sentence for each kind of value in a column: how many there are, the worst of them and its time, and the option that
takes exactly these as missing. A value is named once, by the first kind that it is of. False alarms cost more than they
tell, so each kind demands much.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from forecast.config import ReadOptions
from forecast.data.bounds import ANGLE, NOT_NEGATIVE, PERCENT
from forecast.data.panel import Floats, Panel
from forecast.errors import Sentence, setting
from forecast.sources.quantities import has_true_zero, recognise
from forecast.sources.spikes import FAR, USUAL, Flags, Ints, find_spikes, steps_to

# An outlier is farther from the median than this many standard deviations.
_OUTLIER = 200.0

# A share is worth something; what has another price, such as power, may have a negative one, but is seldom free.
_SHARE_PRICE, _PRICE = re.compile(r"^(adj[ _.]?)?(open|high|low|close)$", re.I), re.compile(r"price$", re.I)

# The largest steps of a column, which do not count among the usual ones: in a short one spikes are many of a hundred.
_OF_SPIKES = 4

# One in so many values tells how far all spread at least.
_SOME = 16

# Other values in a series that must differ for one value to be isolated from them.
_DISTINCT = 10

# Values that are listed by themselves in an option, at most.
_LISTED = 3


@dataclass(frozen=True)
class _Odd:
    """Values of one kind in a column.

    Args:
        rows: Which rows hold them, [T].
        what: What they are, as a sentence without its end.
        missing: The rules of ``missing`` that name them, without the column; empty for spikes.
        otherwise: What else reads them as missing; empty if nothing does.
    """

    rows: Flags
    what: str
    missing: tuple[str, ...] = ()
    otherwise: str = ""


def find_odd_values(panel: Panel, column: int, values: Floats, options: ReadOptions) -> tuple[Floats, list[str]]:
    """The impossible and odd values of a column.

    Args:
        panel: S series of T rows in all.
        column: The index of the column.
        values: Its values, [T].
        options: Those that the panel was read with, which the advice keeps.

    Returns:
        The values with NaN in place of the odd ones, [T], and a sentence for each kind.
    """
    sentences: list[str] = []
    name = panel.columns[column]
    with np.errstate(over="ignore", invalid="ignore"):
        for find in (_impossible, _free_prices, _isolated, _outliers, _single_spikes):
            for odd in find(panel, name, values):
                if odd.missing or options.spikes == "keep":
                    sentences.append(Sentence(f"{odd.what}{_advise(odd, name, options)}{odd.otherwise}."))
                values = np.where(odd.rows, np.nan, values)
    return values, sentences


def without_missing(values: Floats) -> Floats:
    """The values [T] that are not NaN; not copied if all are there."""
    missing = np.isnan(values)
    return values[~missing] if missing.any() else values


def spread_about(present: Floats, median: float) -> float:
    """The standard deviation about the median of values [n], the five farthest left out."""
    # In one array, as every copy of a long column is as large as the column.
    distance = np.subtract(present, median)
    np.abs(distance, out=distance)
    if len(distance) > 5:
        distance.partition(len(distance) - 6)
        distance = distance[:-5]
    else:
        distance = np.sort(distance)[:1]
    longest = float(distance.max())
    if longest == 0:
        return 0.0
    distance /= longest
    return float(np.sqrt(np.mean(np.square(distance, out=distance)))) * longest


def least_spread(values: Floats, farthest: float) -> float:
    """What `spread_about` any value is at least, at a hundredth of its time: it may tell that nothing is odd.

    The squares of some values about their own mean are no more than those of all about anything.

    Args:
        values: [n]; NaN is left out.
        farthest: No value is farther from the median.
    """
    some = without_missing(values[::_SOME])
    if not len(some):
        return 0.0
    squares = len(some) * float(np.var(some)) - 5 * farthest * farthest
    return 0.99 * float(np.sqrt(max(0.0, squares / len(values))))  # sums are rounded


def time_of_row(panel: Panel, row: int) -> str:
    """The time of a row, as users read it."""
    return panel.clock.format(panel.times[row])


def _advise(odd: _Odd, name: str, options: ReadOptions) -> str:
    them = "it" if odd.rows.sum() == 1 else "them"
    if not odd.missing:
        return f" ({setting('spikes', 'missing')} reads {them} as missing)"
    rules = (*options.missing, *(f"{rule}@{name}" for rule in odd.missing))
    text = ",".join(rules)
    if ReadOptions(missing=text).missing != rules:  # the name looks like a rule
        return ""
    return f" ({setting('missing', text)} reads {them} as missing)"


def _impossible(panel: Panel, name: str, values: Floats) -> Iterator[_Odd]:
    """Values beyond what the quantity of the column can be."""
    low = 0.0 if NOT_NEGATIVE.search(name) else -np.inf
    high, unit, never = 100.0 if PERCENT.search(name) else np.inf, " %", ""
    if (measured := recognise(name, panel.units.get(name, ""), values)) is not None:
        low, high = measured.limits
        unit = f" {measured.units[0].name}" if len(measured.units) == 1 else ""
        never = f": impossible for {measured.quantity.name}"
    for rows, sign, limit in ((values < low, "<", low), (values > high, ">", high)):
        if not rows.any():
            continue
        worst = int(np.nanargmin(values) if sign == "<" else np.nanargmax(values))
        count, at = f"{int(rows.sum()):,} value(s)", time_of_row(panel, worst)
        if values[worst] == 0 and not (rows & (values != 0)).any():
            yield _Odd(rows, f"{count} are 0, the first at {at}{never}", ("0",))
            continue
        what = f"above {limit:g}{unit}, the highest" if sign == ">" else f"below {limit:g}{unit}, the lowest"
        what = "negative, the lowest" if (sign, limit) == ("<", 0) else what
        yield _Odd(rows, f"{count} are {what} {values[worst]:g} at {at}{never}", (f"{sign}{limit:g}",))


def _free_prices(panel: Panel, name: str, values: Floats) -> Iterator[_Odd]:
    """Prices of zero or less where nearly all are positive; power may have negative ones."""
    rows = values <= 0
    is_price = _SHARE_PRICE.search(name) or (_PRICE.search(name) and not (values < 0).any())
    if is_price and 0 < rows.sum() <= len(values) // 100:
        worst = int(np.nanargmin(values))
        signs = [rule for rule, found in (("0", values == 0), ("<0", values < 0)) if found.any()]
        at = f"{values[worst]:g} at {time_of_row(panel, worst)}"
        what = f"{int(rows.sum()):,} price(s) are not positive, such as {at}"
        yield _Odd(rows, what, tuple(signs), "; a run that takes logarithms reads such values as missing unasked")


def _isolated(panel: Panel, name: str, values: Floats) -> Iterator[_Odd]:
    """Values at one end that stand several times, farther from all others than these are from each other."""
    rows = np.zeros(len(values), bool)
    listed: list[float] = []
    while len(listed) < _LISTED and (value := _isolated_value(panel, values)) is not None:
        listed.append(value)
        rows |= values == value
        values = np.where(rows, np.nan, values)
    if listed:
        count, at = f"{int(rows.sum()):,} value(s)", time_of_row(panel, int(np.argmax(rows)))
        ends = f"{np.fmin.reduce(values):g} … {np.fmax.reduce(values):g}"
        which = " or ".join(f"{value:g}" for value in listed)
        what = f"{count} are {which}, the first at {at}, and all others lie within {ends}"
        yield _Odd(rows, what, tuple(map(_exact, listed)))


def _isolated_value(panel: Panel, values: Floats) -> float | None:
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    for extreme in (low, high):
        is_extreme = values == extreme
        if not 2 <= np.count_nonzero(is_extreme) <= len(values) // 10:
            continue
        least = np.fmin.reduce(values, where=~is_extreme, initial=np.inf)
        most = np.fmax.reduce(values, where=~is_extreme, initial=-np.inf)
        gap = least - low if extreme == low else high - most
        if not gap > most - least > 0:
            continue
        # Codes and counts have gaps between them, and so have series on different levels.
        others = np.where(is_extreme, np.nan, values)
        of_series = [
            others[panel.rows(series)] for series in range(panel.n_series) if is_extreme[panel.rows(series)].any()
        ]
        if min(len(np.unique(own[~np.isnan(own)])) for own in of_series) >= _DISTINCT:
            return float(extreme)
    return None


def _outliers(panel: Panel, name: str, values: Floats) -> Iterator[_Odd]:
    span = float(np.fmax.reduce(values) - np.fmin.reduce(values))
    if span <= _OUTLIER * least_spread(values, span):
        return
    present = without_missing(values)
    if len(present) <= 20:
        return
    median = float(np.median(present))
    spread = spread_about(present, median)
    distance = np.subtract(values, median)
    rows = np.abs(distance, out=distance) > _OUTLIER * spread
    if spread > 0 and rows.any():
        worst = int(np.argmax(np.where(rows, distance, 0)))
        count, at = f"{int(rows.sum()):,} value(s)", time_of_row(panel, worst)
        what = f"{count} lie more than {_OUTLIER:g} standard deviations away, such as {values[worst]:g} at {at}"
        yield _Odd(rows, what, _rules_for(values, rows))


def _rules_for(values: Floats, rows: Flags) -> tuple[str, ...]:
    """The rules of ``missing`` that name just the values of these rows, which lie beyond all others."""
    distinct = np.unique(values[rows])
    if len(distinct) <= _LISTED:
        return tuple(map(_exact, distinct))
    others = np.where(rows, np.nan, values)
    least, most = np.fmin.reduce(others), np.fmax.reduce(others)
    rules = {f"<{_exact(least)}": distinct[0] < least, f">{_exact(most)}": distinct[-1] > most}
    return tuple(rule for rule, needed in rules.items() if needed)


def _single_spikes(panel: Panel, name: str, values: Floats) -> Iterator[_Odd]:
    """Single values that are far from both neighbours, for the column as a whole and for the rows before them.

    The last value of a series has only one; it may be the beginning of something, but a forecast starts from it.
    """
    if ANGLE.search(name):
        return
    firsts, ends = (np.asarray(part) for part in (panel.offsets[:-1], panel.offsets[1:]))
    firsts, ends = firsts[firsts < ends], ends[firsts < ends]
    candidates, distance = _there_and_back(values, firsts, ends - 1)
    rows = find_spikes(values, firsts, candidates, has_true_zero(name))
    if rows.any():
        worst = int(candidates[np.argmax(np.where(rows[candidates], distance, 0))])
        is_last = worst + 1 in ends
        where = (
            f"after {values[worst - 1]:g}" if is_last else f"between {values[worst - 1]:g} and {values[worst + 1]:g}"
        )
        such = f"such as {values[worst]:g} at {time_of_row(panel, worst)} {where}"
        yield _Odd(rows, f"{int(rows.sum()):,} single value(s) far from those before and after, {such}")


def _there_and_back(values: Floats, first_rows: Ints, last_rows: Ints) -> tuple[Ints, Floats]:
    """The rows between long steps of opposite directions, and the shorter of each one's two, in usual steps.

    Args:
        values: [T].
        first_rows: The first row of each series.
        last_rows: The last one, where the step from the value counts as large as the one to it.
    """
    steps = steps_to(values, first_rows)
    size = np.abs(steps)
    index = int(USUAL * (np.count_nonzero(~np.isnan(size)) - _OF_SPIKES - 1))
    none = np.zeros(0, np.int64), np.zeros(0)
    # Counting takes a tenth of ordering: so many steps above a part of the longest, and the usual one is above it, too.
    if index <= 0 or np.count_nonzero(size < np.fmax.reduce(size) / FAR) <= index:
        return none
    size.partition(index)  # NaN last
    if not (usual := float(size[index])) > 0:
        return none
    rows = np.flatnonzero(np.divide(np.abs(steps, out=size), usual, out=size) > FAR)
    back, is_last = steps[np.minimum(rows + 1, len(steps) - 1)], np.isin(rows, last_rows)
    distance = np.where(is_last, size[rows], np.minimum(size[rows], np.abs(back) / usual))
    kept = (distance > FAR) & (is_last | (steps[rows] * np.sign(back) < 0))
    return rows[kept], distance[kept]


def _exact(value: float) -> str:
    """A number as a rule writes it, without loss."""
    short = f"{value:g}"
    return short if float(short) == value else repr(float(value)).removesuffix(".0")
