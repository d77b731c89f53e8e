"""What scaled errors are divided by: the error of the seasonal naive, one step ahead, on the training rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from forecast.data.bounds import TURN
from forecast.data.panel import Floats
from forecast.data.prepare import Rows
from forecast.data.windows import Flags, Ints

# Pairs of values whose differences are in memory at the same time.
_PAIRS_AT_ONCE = 1 << 20

# Differences of this share of the values are rounding in float64: a sine of a whole number of steps does repeat itself,
# and the mean of equal values is their value.
ROUNDING = 1e-12

# A value stands out of a yardstick if its two differences make this share of the sum, and each of them is this many
# times any other. By simulation that marks no honest series of 200 rows with a variance (normal, t, GARCH, rain,
# lognormal: at most 1 %, 4 % without one), and one value of 100 standard deviations among 200 or 1,000 among 5,000.
_OUTSTANDING_SHARE, _OUTSTANDING_TIMES = 0.2, 10


class Outlier(NamedTuple):
    """A value of the training rows that alone makes much of a yardstick.

    Args:
        time: Its time, in ISO 8601.
        value: The value.
        share: Of the sum of the naive forecast's errors, within 0 … 1.
        mae_without: The naive MAE without its two errors.
    """

    time: str
    value: float
    share: float
    mae_without: float


class NaiveError(NamedTuple):
    """The error of the seasonal naive, one step ahead, on the training rows; NaN where it is unknown.

    Args:
        mae: Its mean absolute error, by which absolute errors are scaled.
        rmse: The root of its mean squared error.
        outlier: The value that alone makes much of it, if there is one.
    """

    mae: float
    rmse: float
    outlier: Outlier | None = None

    @property
    def usual_mae(self) -> float:
        """The mean absolute error without that value."""
        return self.outlier.mae_without if self.outlier else self.mae


def seasonal_naive_error(
    y: Floats, season: int, stretches: NDArray[np.integer] | None = None, turn: float | None = None
) -> NaiveError:
    """Mean absolute and root mean squared difference of values one season apart; NaN where no pair was observed.

    Args:
        y: The training rows of one series, [T]; NaN is passed over.
        season: m.
        stretches: The unbroken stretch of each row, [T]; pairs across a gap are not a season apart.
        turn: A full turn, where values are angles.
    """
    n_pairs, absolute, squared, size = 0, 0.0, 0.0, 0.0
    for later, differences in _differences(y, season, stretches, turn):
        n_pairs += len(differences)
        absolute += float(differences.sum())
        squared += float(np.square(differences).sum())
        size += float(np.abs(y[later]).sum())
    if not n_pairs:
        return NaiveError(math.nan, math.nan)
    if absolute <= ROUNDING * size:
        return NaiveError(0.0, 0.0)
    return NaiveError(absolute / n_pairs, float(np.sqrt(squared / n_pairs)))


def naive_errors(rows: Rows, training_rows: Flags, season: int) -> dict[str, NaiveError]:
    """The seasonal naive's one-step error on the training rows, for each unique id; NaN where it is undefined."""
    stretches = rows.panel.stretches()
    errors = {}
    for series, unique_ids in enumerate(rows.unique_ids):
        span = rows.panel.rows(series)
        learned = _without_copy(training_rows[span])
        times, unbroken = rows.panel.times[span][learned], stretches[span][learned]
        for target, name in enumerate(unique_ids):
            y, turn = rows.panel.values[span, target][learned], TURN if rows.bounds.circular[series, target] else None
            errors[name] = seasonal_naive_error(y, season, unbroken, turn)
            # An angle cannot lie far from others.
            if turn is None and (found := outstanding_value(y, season, unbroken)) is not None:
                row, *figures = found
                outlier = Outlier(rows.panel.clock.isoformat(times[row]), float(y[row]), *figures)
                errors[name] = errors[name]._replace(outlier=outlier)
    return errors


def figure_by_series(rows: Rows, errors: Mapping[str, NaiveError], figure: str) -> Floats:
    """``mae``, ``rmse`` or ``usual_mae`` of each series and target, [S, D]."""
    return np.array([[getattr(errors[name], figure) for name in unique_ids] for unique_ids in rows.unique_ids])


def read_naive_errors(metrics: Mapping[str, Any]) -> dict[str, NaiveError]:
    """The naive errors that the scores in a metrics.json were scaled by."""
    outliers = {
        name: Outlier(*(note[field] for field in Outlier._fields))
        for name, note in metrics.get("yardstick", {}).items()
    }

    def number(value: float | None) -> float:
        return math.nan if value is None else value

    return {
        name: NaiveError(number(error["mae"]), number(error["rmse"]), outliers.get(name))
        for name, error in metrics["naive_error"].items()
    }


def naive_errors_beside(
    metrics: Mapping[str, Any], rows: Rows, known_rows: Flags, season: int
) -> dict[str, NaiveError]:
    """The naive errors that a run's scores were scaled by, and those of other series by their own rows.

    Args:
        metrics: The run's.
        rows: The rows that are scored.
        known_rows: Which of them come before those, [T].
        season: m.
    """
    errors = read_naive_errors(metrics)
    if all(name in errors for unique_ids in rows.unique_ids for name in unique_ids):
        return errors
    return naive_errors(rows, known_rows, season) | errors


def outstanding_value(
    y: Floats, season: int, stretches: NDArray[np.integer] | None = None
) -> tuple[int, float, float] | None:
    """The value that alone makes much of the naive error: it enters two differences, once as the later of two.

    Args:
        y: The training rows of one series, [T]; NaN is passed over.
        season: m.
        stretches: The unbroken stretch of each row, [T].

    Returns:
        Its row, its share of the sum of the errors, and the MAE without it; None if there is no such value.
    """
    n_pairs, total = 0, 0.0
    widest: list[tuple[float, int]] = []  # differences and their later rows, ascending: of one value two, and another
    for later, differences in _differences(y, season, stretches):
        n_pairs += len(differences)
        total += float(differences.sum())
        top = np.argsort(differences)[-3:]
        widest = sorted([*widest, *zip(differences[top].tolist(), later[top].tolist(), strict=True)])[-3:]
    if not total > 0:
        return None
    row = widest[-1][1]
    for at in (row - season, row):
        around = slice(max(0, at - season), at + season + 1)
        near = _differences(y[around], season, None if stretches is None else stretches[around])
        pairs = [
            (difference, around.start + int(later))
            for laters, differences in near
            for difference, later in zip(differences.tolist(), laters, strict=True)
        ]
        own = [difference for difference, later in pairs if later in (at, at + season)]
        others = max((difference for difference, later in widest if later not in (at, at + season)), default=0.0)
        stands_out = min(own) >= _OUTSTANDING_TIMES * others  # both do: where a level shifts, one does
        if stands_out and sum(own) > _OUTSTANDING_SHARE * total and n_pairs > len(own):
            return at, sum(own) / total, max(0.0, total - sum(own)) / (n_pairs - len(own))
    return None


def _differences(
    y: Floats, season: int, stretches: NDArray[np.integer] | None = None, turn: float | None = None
) -> Iterator[tuple[Ints, Floats]]:
    """The sizes of the differences of values one season apart that are both known, and the rows of the later ones."""
    for first in range(season, len(y), _PAIRS_AT_ONCE):
        later = slice(first, min(first + _PAIRS_AT_ONCE, len(y)))
        earlier = slice(first - season, later.stop - season)
        differences = np.abs(y[later] - y[earlier])
        known = ~np.isnan(differences)
        if stretches is not None:
            known &= stretches[later] == stretches[earlier]
        differences = differences[known]
        if turn is not None:
            differences = np.abs(differences - turn * np.rint(differences / turn))
        yield first + np.flatnonzero(known), differences


def _without_copy(flags: Flags) -> Flags | slice:
    """What picks these rows: a slice where they are the first ones, as training rows are."""
    count = int(flags.sum())
    return slice(count) if flags[:count].all() else flags
