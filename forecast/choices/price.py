"""Whether a target is a price: prices move in proportion to themselves and have no level to return to."""

from __future__ import annotations

import re

import numpy as np

from forecast.data.panel import Floats, Panel
from forecast.data.windows import Flags
from forecast.sources.formulas import parse

# Words of a column's name that say so.
_NAMES = re.compile(r"(?<![a-z])(adj|ask|bid|close|closing|nav|price|quote|settle|settlement)(?![a-z])", re.IGNORECASE)

# The steps over which a random walk must keep wandering, and what share of that it must do. Of a random walk the
# variance of changes over k steps is k times that of one step; of calls or sales, which return to their level, hardly
# more than that of one step. The bar is below what chance makes of 99 in 100 random walks of a year.
_STEPS, _LEAST_RATIO = 20, 0.3

# A ratio of fewer values than these times the steps is of chance.
_FEWEST_STRETCHES = 10


def why_price(panel: Panel, target: str, training_rows: Flags, known_rows: Flags) -> str:
    """Why a target is taken for a price; empty if it is not. Values of the test span decide nothing.

    A price has business days or an exchange's sessions, positive values, and a name that says so or a logarithm that
    moves like a random walk.

    Args:
        panel: What was read.
        target: Name of the target.
        training_rows: Which rows belong to the training span, [T].
        known_rows: Which belong to it or to the validation span, [T]; these have a logarithm each.

    Reference: Lo & MacKinlay 1988 (the variance ratio).
    """
    values = panel.values[:, panel.column(target)]
    is_of_market = panel.clock.unit in ("B", "session")
    if not is_of_market or (values[known_rows] <= 0).any() or parse(target) is not None:
        return ""
    series = [values[rows][training_rows[rows]] for rows in map(panel.rows, range(panel.n_series))]
    series = [of_series[~np.isnan(of_series)] for of_series in series]
    if _NAMES.search(target):
        return "by its name"
    ratios = [variance_ratio(np.log(of_series)) for of_series in series]
    if any(not ratio >= _LEAST_RATIO for ratio in ratios):
        return ""
    return "for its logarithm moves like a random walk"


def variance_ratio(values: Floats) -> float:
    """The variance of changes over k steps over k times that of one step: 1 for a random walk; NaN of few values."""
    if len(values) < _FEWEST_STRETCHES * _STEPS:
        return float("nan")
    changes, drift = np.diff(values), (values[-1] - values[0]) / (len(values) - 1)
    one = np.mean((changes - drift) ** 2)
    many = np.mean((values[_STEPS:] - values[:-_STEPS] - _STEPS * drift) ** 2)
    return float(many / (_STEPS * one)) if one > 0 else float("nan")
