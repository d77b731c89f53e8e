"""Columns that are made from others where a panel is read: `log_return(Close)`, `range_volatility(High, Low)`.

One entry of `FORMULAS` each, at the end of this file. An expression is the name of the column that it makes, so a run
that forecasts it keeps it as its target, and reads other rows by it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from forecast.data.codes import are_codes
from forecast.data.panel import Floats, Panel
from forecast.errors import DataError, quote
from forecast.tables.spelling import did_you_mean

# An argument of this name is a number of steps; every other is a column.
_STEPS = "steps"

# A call, and the commas between its arguments; a name may stand in quotes, and hold some.
_CALL = re.compile(r"\s*([A-Za-z_]\w*)\((.*)\)\s*")
_COMMA = re.compile(r',(?=(?:[^"]*"[^"]*")*[^"]*$)')


@dataclass(frozen=True)
class Formula:
    """How a column is made from others.

    Args:
        of: From columns [T] of rows without a gap between them, and perhaps a number of steps, to values [T]; its
            docstring says what it measures, and by whom.
        arguments: What it takes, in order: columns, and the number of steps.
        volatility: Whether it tells how much a series moves: its values are positive, and 0 is missing.
        rows_before: How many rows before its own a value needs, from the number of steps.
    """

    of: Callable[..., Floats]
    arguments: tuple[str, ...]
    volatility: bool
    rows_before: Callable[[int], int] = lambda steps: 0


@dataclass(frozen=True)
class Expression:
    """A formula with what it is made from.

    Args:
        text: As the user wrote it: the name of its column.
        formula: The formula.
        columns: The columns that it takes, in order.
        steps: The number of steps; 0 for a formula that takes none.
    """

    text: str
    formula: Formula
    columns: tuple[str, ...]
    steps: int = 0

    @property
    def rows_before(self) -> int:
        """How many rows before its own a value needs."""
        return self.formula.rows_before(self.steps)

    def values(self, panel: Panel) -> Floats:
        """Its values for every row of a panel, [T]; NaN where it is not defined.

        Raises:
            DataError: If the panel lacks a column of it.
        """
        columns = [_measured(panel, name) for name in self.columns]
        bounds = np.flatnonzero(np.diff(panel.stretches(), prepend=-1, append=-1))
        made = np.empty(panel.n_rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            for first, end in pairwise(bounds):
                of_stretch = [column[first:end] for column in columns]
                made[first:end] = self.formula.of(*of_stretch, *([self.steps] if self.steps else []))
            return np.where(np.isfinite(made) & ((made > 0) | (not self.formula.volatility)), made, np.nan)


def parse(text: str) -> Expression | None:
    """The expression that a name of a column is; None if it calls none of the formulas.

    Raises:
        DataError: If it gives a formula other arguments than that takes.
    """
    call = _CALL.fullmatch(text)
    if call is None or call[1] not in FORMULAS:
        return None
    name, formula = call[1], FORMULAS[call[1]]
    given = [argument.strip().removeprefix('"').removesuffix('"') for argument in _COMMA.split(call[2])]
    if len(given) != len(formula.arguments) or not all(given):
        raise DataError(f"{name} takes ({', '.join(formula.arguments)}). Received: {text!r}.", _listed())
    if formula.arguments[-1] != _STEPS:
        return Expression(text, formula, tuple(given))
    *columns, steps = given
    if not steps.isdecimal() or not 2 <= int(steps) <= _MOST_STEPS:
        raise DataError(f"{name} takes from 2 to {_MOST_STEPS:,} steps. Received: {steps!r}.", _listed())
    return Expression(text, formula, tuple(columns), int(steps))


def _listed() -> str:
    calls = [f"{name}({', '.join(formula.arguments)})" for name, formula in FORMULAS.items()]
    return f"Formulas: {', '.join(calls)}."


def expressions(names: Sequence[str]) -> list[Expression]:
    """Those of some names of columns that are expressions."""
    return [expression for name in names if (expression := parse(name)) is not None]


def raw_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Columns by name, in place of each that is an expression those that it is made from, each once."""
    made_from = {expression.text: expression.columns for expression in expressions(names)}
    return tuple(dict.fromkeys(column for name in names for column in made_from.get(name, (name,))))


def with_derived(panel: Panel, names: Sequence[str]) -> Panel:
    """The panel with a column for each of these expressions, unless it has one of that name.

    Values are taken as they were known at their own row: codes of missing values that only later rows tell stay in.

    Raises:
        DataError: If there is no such formula, or the panel lacks a column of it; lists those that there are.
    """
    absent = [name for name in names if name not in panel.columns]
    for name in absent:
        if parse(name) is None and (call := _CALL.fullmatch(name)):
            meant = did_you_mean(call[1], FORMULAS)
            raise DataError(f"There is neither a column {quote(name)} nor a formula {call[1]!r}.", meant + _listed())
    made = expressions(absent)
    if not made:
        return panel
    values = [expression.values(panel) for expression in made]
    return replace(
        panel,
        values=np.column_stack([panel.values, *values]),
        columns=panel.columns + tuple(expression.text for expression in made),
        warnings=(*panel.warnings, *filter(None, map(_undefined, made, values, [panel] * len(made)))),
    )


def _undefined(expression: Expression, values: Floats, panel: Panel) -> str:
    """What is said of rows whose columns are there, and yet give no value; empty if there are none."""
    there = np.logical_and.reduce([~np.isnan(_measured(panel, name)) for name in expression.columns])
    for first in np.flatnonzero(np.diff(panel.stretches(), prepend=-1)):
        there[first : first + expression.rows_before] = False
    rows = np.flatnonzero(there & np.isnan(values))
    if not len(rows):
        return ""
    what = f"{quote(expression.text)}: {len(rows):,} value(s) missing, the first at "
    why = "nothing moves there, or a value that it needs is missing or not positive"
    return f"{what}{panel.clock.format(panel.times[rows[0]])}: {why}."


def _measured(panel: Panel, name: str) -> Floats:
    """A column without the codes that the rows up to each tell."""
    column = panel.values[:, panel.column(name)]
    if name not in panel.coded:
        return column
    order = None if panel.n_series == 1 else np.argsort(panel.times, kind="stable")
    return np.where(are_codes(panel.coded[name], order), np.nan, panel.coded[name])


# Beyond a year of business days a mean of squared returns says little of the newest of them.
_MOST_STEPS = 260


def log_return(price: Floats) -> Floats:
    """The change of the logarithm since the row before, [T]: 0.01 is about one percent up; of either sign."""
    return np.diff(np.log(price), prepend=np.nan)


def realised_volatility(price: Floats, steps: int) -> Floats:
    """The root of the mean squared log return of the last ``steps`` rows, [T]: a standard deviation for one step.

    Neighbours share all but one of their returns, so of a forecast h steps ahead ``steps`` - h are known already.

    Reference: Andersen, Bollerslev, Diebold & Labys 2003.
    """
    squares = log_return(price) ** 2
    result = np.full(len(price), np.nan)
    if len(price) >= steps:
        result[steps - 1 :] = np.lib.stride_tricks.sliding_window_view(squares, steps).mean(axis=1)
    return np.sqrt(result)


def range_volatility(high: Floats, low: Floats) -> Floats:
    """The standard deviation of the log price over a step, from its range, [T]: ln(high / low) / √(4 ln 2).

    Reference: Parkinson 1980.
    """
    return np.log(high / low) / np.sqrt(4 * np.log(2))


def garman_klass(open_: Floats, high: Floats, low: Floats, close: Floats) -> Floats:
    """The standard deviation of the log price over a step, from its range and its ends, [T].

    Its square is ln(high / low)² / 2 - (2 ln 2 - 1) ln(close / open)²: less noisy than the range alone.

    Reference: Garman & Klass 1980.
    """
    return np.sqrt(np.log(high / low) ** 2 / 2 - (2 * np.log(2) - 1) * np.log(close / open_) ** 2)


FORMULAS: dict[str, Formula] = {
    "log_return": Formula(log_return, ("price",), volatility=False, rows_before=lambda steps: 1),
    "realised_volatility": Formula(
        realised_volatility, ("price", _STEPS), volatility=True, rows_before=lambda steps: steps
    ),
    "range_volatility": Formula(range_volatility, ("high", "low"), volatility=True),
    "garman_klass": Formula(garman_klass, ("open", "high", "low", "close"), volatility=True),
}
