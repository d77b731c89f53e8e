"""What columns know of a target's future: how much of what its own past leaves open they tell, and in which form.

Rows do not say when a value was known. A column that tells more of what is to come than any honest one does is a doubt:
a copy of later values, the mean of the next ones, a mean that is centred; also with noise on it, or in other units.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from forecast.data.panel import Floats, Panel
from forecast.data.windows import Ints, count_set

# A column is in doubt if it leaves open less than this share of what the best honest column does; below the second
# share there is hardly another explanation. By simulation (scripts/honesty/leaks.py, docs/honesty.md): of clean columns
# beside clean series, drivers that make up half of what is new in the target among them, fewer than one in a hundred.
_DOUBTFUL, _STRONG = 1 / 5, 1 / 20

# A column that is known ahead may be a good forecast of the target. It leaves more than this share open.
_IDENTICAL = 1e-3

# Of a covariate, of whose later values a target is said to be the mean, it leaves less than this share open.
_MADE_OF = 0.02

# What the target's past is taken to say: its newest values, and its means over these shares of the reach.
_NEWEST, _MEANS = 4, (1 / 8, 1 / 2, 1)

# Rows for each step of the reach, and at all, so that a slow column does not tell the future by chance; and values of
# the windows that are held at once.
_ROWS_PER_STEP, _FEWEST_ROWS, _MOST_VALUES = 6, 60, 1_000_000

# The share of a window that was observed; the rest is a straight line.
_LEAST_OBSERVED = 0.7

# A column has nothing of its own to tell if the target's past explains it but for this share of its variance.
_NOTHING_LEFT = 1e-8


@dataclass(frozen=True)
class Doubt:
    """What may be a leak, and no check can decide.

    Args:
        sentence: What it is.
        strong: Whether there is hardly another explanation.
        column: The index of the column that is doubted; None for another matter.
    """

    sentence: str
    strong: bool = False
    column: int | None = None


@dataclass(frozen=True)
class Foresight:
    """The future of a series that a column tells most of.

    Args:
        share: Of what the series' past leaves open in the column, the share that this future explains, 0 … 1.
        form: ``copy``, ``ahead`` (a mean of the next steps) or ``centred`` (a mean of steps before and after).
        steps: How many steps later, or over how many, on one side.
    """

    share: float = 0.0
    form: str = "copy"
    steps: int = 0

    def in_words(self, name: str) -> str:
        """The form, of a series with this name, behind "nearly"."""
        steps = f"{abs(self.steps)} {'step' if abs(self.steps) == 1 else 'steps'}"
        if self.form == "copy":
            return f"a copy of {name}" + (f" {steps} {'later' if self.steps > 0 else 'earlier'}" if self.steps else "")
        return f"a mean of {name} over the {'next ' if self.form == 'ahead' else ''}{steps}" + (
            " before and after" if self.form == "centred" else ""
        )


def doubts_about_foresight(panel: Panel, n_targets: int, n_known: int, lookback: int, horizon: int) -> list[Doubt]:
    """Columns that know a target's future, and targets that are means of a covariate's future.

    Args:
        panel: Targets first, then past covariates, then what is known ahead.
        n_targets: D, the first columns.
        n_known: The last columns, known ahead.
        lookback: L; what comes within L + H steps stands in some window.
        horizon: H.
    """
    reach, first_known = lookback + horizon, len(panel.columns) - n_known
    values, doubts = _standardised(panel), []
    for target in range(n_targets):
        of_target = f"the target {panel.columns[target]!r}"
        columns = [column for column in range(first_known) if column != target]
        found = foresights(panel, values, target, columns, reach)
        left = 1 - honest_reach([each.share for each in found])
        for column, each in zip(columns, found, strict=True):
            if 1 - each.share < _DOUBTFUL * left:
                name = f"{'the target' if column < n_targets else 'covariate'} {panel.columns[column]!r}"
                what = f"{name} is nearly {each.in_words(of_target)}"
                share = f"{each.share:.0%} of what the target's past leaves open of it"
                doubts.append(Doubt(f"{what} ({share}): a leak?", 1 - each.share < _STRONG * left, column))
        doubts += _doubts_about_known(panel, values, target, first_known, reach, horizon)
        for column in range(n_targets, first_known):
            (each,) = foresights(panel, values, column, [target], reach)
            if 1 - each.share < _MADE_OF and each.form != "copy":  # a covariate that repeats the target is honest
                what = f"{of_target} is nearly {each.in_words(repr(panel.columns[column]))}"
                doubts.append(Doubt(f"{what}: at an origin it was not known yet", strong=True))
    return doubts


def _doubts_about_known(
    panel: Panel, values: Floats, target: int, first_known: int, reach: int, horizon: int
) -> Iterator[Doubt]:
    """What is known ahead and tells nearly all of the target at the time that it is of."""
    columns = range(first_known, len(panel.columns))
    ahead = values.copy()
    for rows in map(panel.rows, range(panel.n_series)):  # where it is known: H rows before
        ahead[rows, first_known:] = np.nan
        ahead[rows, first_known:][:-horizon] = values[rows, first_known:][horizon:]
    for column, each in zip(columns, foresights(panel, ahead, target, columns, reach), strict=True):
        if 1 - each.share < _STRONG:
            at_its_time = replace(each, steps=each.steps - horizon * (each.form == "copy"))
            what = at_its_time.in_words(f"the target {panel.columns[target]!r}")
            name = f"{panel.columns[column]!r}, known ahead, is nearly {what}"
            share = f"{each.share:.1%} of what the target's past leaves open of it"
            doubt = f"{name} ({share}): what was measured later, or a very good forecast?"
            yield Doubt(doubt, 1 - each.share < _IDENTICAL, column)


def honest_reach(shares: Sequence[float]) -> float:
    """The largest of the shares above which no gap lies that honest columns do not leave; 0 if there is none."""
    reach = 0.0
    for share in sorted(shares):
        if 1 - share < _DOUBTFUL * (1 - reach):
            break
        reach = share
    return reach


def foresights(panel: Panel, values: Floats, of: int, columns: Sequence[int], reach: int) -> list[Foresight]:
    """What each of some columns tells of the future of another one.

    Args:
        panel: Of the columns.
        values: Standardised by series, [T, C].
        of: The column whose future it is.
        columns: C' others.
        reach: How many steps ahead it is looked for, if there are rows enough.
    """
    if not columns:
        return []
    series, observed = values[:, of], ~np.isnan(values[:, of])
    filled = _interpolated(series, panel)
    while len(rows := _rows_in_windows(panel, observed, reach)) < max(_FEWEST_ROWS, _ROWS_PER_STEP * reach):
        reach //= 2
        if not reach:
            return [Foresight() for _ in columns]
    forms, shares = _forms(reach), np.zeros((3 * reach, len(columns)))
    is_whole = ~np.isnan(values[rows][:, columns]).any(axis=0)
    together = [np.flatnonzero(is_whole), *np.flatnonzero(~is_whole)[:, None]]
    for group in together if is_whole.any() else together[1:]:
        picked = [columns[n] for n in group]
        own = rows[~np.isnan(values[rows, picked[0]])]
        if len(own) >= max(_FEWEST_ROWS, _ROWS_PER_STEP * reach):
            own = own[:: -(-len(own) * (2 * reach + 1) // _MOST_VALUES)]
            # By chance, a slow column tells the future of a slow series in one half of the rows, and not in the other.
            halves = (_shares(filled, values[half][:, picked], half, reach) for half in np.array_split(own, 2))
            shares[:, group] = np.minimum(*halves)
    best = np.round(shares, 6).argmax(axis=0)  # of forms that are alike given the newest values, the plainest
    return [Foresight(float(shares[at, n]), *forms[at]) for n, at in enumerate(best)]


def _forms(reach: int) -> list[tuple[str, int]]:
    every = range(1, reach + 1)
    return [(form, steps) for form in ("copy", "ahead", "centred") for steps in every]


def _shares(series: Floats, columns: Floats, rows: Ints, reach: int) -> Floats:
    """The partial R² of columns with each form of the future of a series, given the past of the series.

    Args:
        series: Without holes, [T].
        columns: Their values at some rows, [n, C'].
        rows: The rows, [n].
        reach: Steps ahead.

    Returns:
        [3 reach, C'], in the order of `_forms`.
    """
    window = series[rows[:, None] + np.arange(-reach, reach + 1)]
    now = reach + 1
    newest = window[:, max(now - _NEWEST, 0) : now]
    widths = [width for share in _MEANS if (width := round(share * reach)) > _NEWEST]
    means = [window[:, now - width : now].mean(axis=1) for width in widths]
    past = np.linalg.qr(np.column_stack([np.ones(len(rows)), newest, *means]))[0]
    left, own = (each - past @ (past.T @ each) for each in (window, columns))
    # Each form is a sum over steps: what belongs to it is a difference of running sums, of products with the columns
    # and of products of steps with one another.
    with_columns = np.pad((left.T @ own).cumsum(axis=0), ((1, 0), (0, 0)))
    with_others = np.pad((left.T @ left).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    step = np.arange(1, reach + 1)
    first = np.concatenate([reach + step, np.full(reach, reach + 1), reach - step])
    end = np.tile(reach + 1 + step, 3)
    covariance = with_columns[end] - with_columns[first]
    variance = with_others[end, end] - with_others[first, end] - with_others[end, first] + with_others[first, first]
    variance_of_own = (own**2).sum(axis=0)
    tells = (variance[:, None] > _NOTHING_LEFT * len(rows)) & (
        variance_of_own > _NOTHING_LEFT * len(rows) * np.var(columns, axis=0)
    )
    return np.where(tells, covariance**2 / np.where(tells, variance[:, None] * variance_of_own, 1.0), 0.0)


def _rows_in_windows(panel: Panel, observed: np.ndarray, reach: int) -> Ints:
    """The observed rows with ``reach`` others of the stretch on either side, most of them observed."""
    length, stretches = 2 * reach + 1, panel.stretches()
    if panel.n_rows < length:
        return np.zeros(0, np.int64)
    good = stretches[: panel.n_rows - length + 1] == stretches[length - 1 :]
    good &= observed[reach : panel.n_rows - reach]
    return np.flatnonzero(good & (count_set(observed, length) >= _LEAST_OBSERVED * length)) + reach


def _standardised(panel: Panel) -> Floats:
    """The values [T, C], of each series and column with mean 0 and variance 1; 0 of a constant."""
    values = panel.values.copy()
    for rows in map(panel.rows, range(panel.n_series)):
        seen = ~np.isnan(values[rows])
        count = np.maximum(seen.sum(axis=0), 1)
        values[rows] -= np.where(seen, values[rows], 0.0).sum(axis=0) / count
        deviation = np.sqrt(np.where(seen, values[rows] ** 2, 0.0).sum(axis=0) / count)
        values[rows] /= np.where(deviation > 0, deviation, 1.0)
    return values


def _interpolated(series: Floats, panel: Panel) -> Floats:
    """A column [T] whose holes are filled in a straight line, within each series."""
    filled = series.copy()
    for rows in map(panel.rows, range(panel.n_series)):
        seen = np.flatnonzero(~np.isnan(series[rows]))
        if len(seen):
            filled[rows] = np.interp(np.arange(rows.stop - rows.start), seen, series[rows][seen])
    return np.nan_to_num(filled)
