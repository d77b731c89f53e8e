"""Scaling: the arithmetic, and the statistics of each series and column, which are fitted on training rows alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from forecast.data.normals import Normals, SavedNormals
from forecast.data.panel import Floats, Panel
from forecast.errors import DataError, setting

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

# Rows that are scaled in one block. The statistics of a longer series are fitted column by column.
_BLOCK = 1 << 20


# These functions take the operations of NumPy or of a back end in `forecast.models.backends`: the same lines scale the
# rows of a training and are a part of an exported network.


def scale(ops: Any, values: Any, mean: Any, deviation: Any, logged: Flags) -> Any:
    """Scaled values: ``(x - mean) / deviation``, with log(x) in place of x in logged columns.

    Args:
        ops: Functions of arrays, with the names of NumPy.
        values: In measurement units, [..., C].
        mean: Broadcasts with the values.
        deviation: Positive; broadcasts with the values.
        logged: Which columns are logged; broadcasts with the values.
    """
    return (log_where(ops, logged, values) - mean) / deviation


def log_where(ops: Any, logged: Flags, values: Any) -> Any:
    """The values [..., C], with log(x) in place of x in logged columns."""
    return _where(ops, logged, ops.log, values)


def unscale(ops: Any, values: Any, mean: Any, deviation: Any, logged: Flags) -> Any:
    """Values in measurement units from scaled ones: the inverse of `scale`."""
    return _where(ops, logged, ops.exp, values * deviation + mean)


def _where(ops: Any, mask: Flags, function: Callable[[Any], Any], values: Any) -> Any:
    if not mask.any():
        return values
    return function(values) if mask.all() else ops.where(mask, function(values), values)


@dataclass(frozen=True)
class Scaler:
    """The statistics of each series and column, in float64.

    Args:
        mean: [S, C].
        scale: Standard deviation, [S, C]; 1 for a column that is constant in the training rows.
        logged: Which columns are logged first, [C].
        columns: C names.
        series_ids: S names.
        normals: What else the training rows say of the targets; None for a run of a version that did not keep it.
        categories: The columns that hold numbers of words, which are left as they are, and how many numbers each has.
        n_unseen: How many of the series, the last ones, were not trained on; their statistics are of their own rows.
    """

    mean: Floats
    scale: Floats
    logged: NDArray[np.bool_]
    columns: tuple[str, ...]
    series_ids: tuple[str, ...]
    normals: Normals | None = None
    categories: Mapping[str, int] = field(default_factory=dict)
    n_unseen: int = 0

    @property
    def n_trained(self) -> int:
        """How many of the series were trained on, the first ones."""
        return len(self.series_ids) - self.n_unseen

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.series_ids)}

    def transform(self, values: Floats, series: Ints, column: int, out: NDArray[np.floating]) -> None:
        """Write the scaled values of one column into an array of any precision; 0 where a value is missing.

        Args:
            values: In measurement units, [T].
            series: The index of each row's series, [T].
            column: The index of the column.
            out: Receives the scaled values, [T].

        Raises:
            DataError: If the column is logged and has a value that is not positive.
        """
        if size := self.categories.get(self.columns[column]):
            out[:] = np.where((values >= 0) & (values < size), values, 0)  # no other number is that of a word
            return
        if self.logged[column]:
            refuse_non_positive(values, self.columns[column])
        for first in range(0, len(values), _BLOCK):  # a float64 copy of a whole column would take much memory
            block = slice(first, first + _BLOCK)
            of_series = 0 if len(self.series_ids) == 1 else series[block]
            mean, deviation = self.mean[of_series, column], self.scale[of_series, column]
            with np.errstate(over="ignore"):  # what is no number in float32 is refused by whoever forecasts from it
                out[block] = np.nan_to_num(scale(np, values[block], mean, deviation, self.logged[column]), copy=False)

    def inverse(self, scaled: NDArray[np.floating], series: Ints) -> Floats:
        """Values in measurement units of the first D columns, the targets.

        Args:
            scaled: [N, H, D], or quantiles [N, H, D, Q].
            series: The index of each window's series, [N].
        """
        n_targets = scaled.shape[2]
        each = (slice(None), None, slice(n_targets), *[None] * (scaled.ndim - 3))
        logged = self.logged[:n_targets].reshape(-1, *[1] * (scaled.ndim - 3))
        with np.errstate(over="ignore"):  # exp also runs over the columns that are not logged
            return unscale(np, scaled, self.mean[series][each], self.scale[series][each], logged)

    def for_series(self, series_ids: tuple[str, ...]) -> Scaler:
        """The scaler of these series, in this order.

        Raises:
            DataError: If one was not among the training series; lists those that were.
        """
        order = self.positions(series_ids)
        normals = None if self.normals is None else self.normals.of_series(order)
        statistics = self.mean[order], self.scale[order], self.logged
        return Scaler(*statistics, self.columns, series_ids, normals, self.categories)

    def keeping(self, categories: Mapping[str, int]) -> Scaler:
        """The scaler that leaves columns of numbers of words as they are.

        Args:
            categories: How many numbers each of them has.
        """
        if not categories:
            return self
        mean, deviation = self.mean.copy(), self.scale.copy()
        kept = [self.columns.index(name) for name in categories]
        mean[:, kept], deviation[:, kept] = 0.0, 1.0
        return replace(self, mean=mean, scale=deviation, categories=categories)

    def positions(self, series_ids: tuple[str, ...]) -> Ints:
        """The indices of these series among the S series of the scaler.

        Raises:
            DataError: If one was not among the training series; lists those that were.
        """
        if len(self.series_ids) == len(series_ids) == 1:
            return np.zeros(1, np.int64)  # a single series may have another name in another file
        unknown = [name for name in series_ids if name not in self._numbers]
        if unknown:
            known = f"It knows {', '.join(map(repr, self.series_ids[:20]))}."
            if self.series_ids == ("",):
                raise DataError(
                    f"The run was trained on one series, and here are {len(series_ids)}: {', '.join(series_ids[:20])}.",
                    "Give the rows of one of them.",
                )
            if unknown == [""]:
                raise DataError(
                    f"The run was trained on {len(self.series_ids)} series, and these rows do not say which they are.",
                    f"Add the column that names the series. {known}",
                )
            raise DataError(f"The run was not trained on series {unknown[0]!r}.", known)
        return np.array([self._numbers[name] for name in series_ids], np.int64)

    def unseen(self, series_ids: Sequence[str]) -> Ints:
        """The numbers of those of these series that are not among the S series."""
        if len(self.series_ids) == len(series_ids) == 1:
            return np.zeros(0, np.int64)
        return np.array([number for number, name in enumerate(series_ids) if name not in self._numbers], np.int64)

    def to_record(self) -> dict[str, Any]:
        """The scaler as values of JSON; `from_record` reverses it to the last bit."""
        return {
            "columns": list(self.columns),
            "series_ids": list(self.series_ids),
            "logged": self.logged.tolist(),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            **({} if self.normals is None else {"normals": self.normals.to_record()}),
            **({"categories": dict(self.categories)} if self.categories else {}),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Scaler:
        """The scaler that `to_record` wrote.

        Raises:
            ValueError: If it has other keys or other shapes, or a scale that is not positive and finite.
        """
        saved = _Saved.model_validate(record)
        size = len(saved.series_ids), len(saved.columns)
        unique = len(set(saved.series_ids)), len(set(saved.columns))
        tables = [[len(row) for row in rows] == [size[1]] * size[0] for rows in (saved.mean, saved.scale)]
        if unique != size or len(saved.logged) != size[1] or not all(tables):
            raise ValueError("it has not one statistic for each series and column")
        mean, scale = (np.array(rows, np.float64).reshape(size) for rows in (saved.mean, saved.scale))
        normals = None if saved.normals is None else Normals.from_record(saved.normals, size[0])
        logged = np.array(saved.logged, bool)
        return cls(mean, scale, logged, tuple(saved.columns), tuple(saved.series_ids), normals, saved.categories)


class _Saved(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    columns: list[str]
    series_ids: list[str]
    logged: list[bool]
    mean: list[list[FiniteFloat]]
    scale: list[list[Annotated[FiniteFloat, Field(gt=0)]]]
    normals: SavedNormals | None = None  # an earlier version did not write them
    categories: dict[str, Annotated[int, Field(ge=2)]] = {}  # nor these


def fit_scaler(
    panel: Panel,
    training_rows: NDArray[np.bool_],
    logged: tuple[str, ...],
    pooled: tuple[str, ...] = (),
    circular: NDArray[np.bool_] | None = None,
) -> Scaler:
    """The scaler of a panel, from its training rows alone: statistics of the test span would reveal its mean.

    Args:
        panel: S series of T rows in all; NaN is ignored.
        training_rows: Which rows belong to the training span, [T].
        logged: Names of the columns to log first.
        pooled: Names of the columns with one statistic for all series, which keeps the differences between series.
        circular: Which of the targets are angles, [S, D]; these get mean 0 and a quarter turn as scale.

    Raises:
        DataError: If a column has no value in the training rows, or a value that cannot be logged.
    """
    mean = np.zeros((panel.n_series, len(panel.columns)))
    scale = np.ones_like(mean)
    is_logged = np.array([name in logged for name in panel.columns])
    for series in range(panel.n_series):
        rows = panel.rows(series)
        for column in np.flatnonzero(is_logged):
            refuse_non_positive(panel.values[rows, column], panel.columns[column])
        # The last bits depend on which columns are fitted together, and the temporary arrays are as large as these.
        width = len(panel.columns) if rows.stop - rows.start <= _BLOCK else 1
        for first in range(0, len(panel.columns), width):
            together = slice(first, first + width)
            seen = panel.values[rows, together][training_rows[rows]]
            if not len(seen):
                mean[series, together] = np.nan
                continue
            logs = is_logged[together]
            seen[:, logs] = np.log(seen[:, logs])
            mean[series, together], scale[series, together] = mean_and_deviation(seen)
    _borrow_statistics(panel, mean, scale)
    if circular is not None and circular.any():
        mean[:, : circular.shape[1]][circular], scale[:, : circular.shape[1]][circular] = 0.0, 90.0
    shared = [panel.column(name) for name in pooled]
    if shared:
        mean[:, shared], scale[:, shared] = mean_and_deviation(panel.values[training_rows][:, shared])
    return Scaler(mean, scale, is_logged, panel.columns, panel.series_ids)


def mean_and_deviation(values: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each column, [C] each; NaN of a column without a value.

    The bits are those of scikit-learn's ``StandardScaler``, which takes twenty times as long to fit the few rows of one
    of thousands of series, and a second to import. The deviation is 1 where rounding alone makes one of a constant.

    Args:
        values: [n, C], n ≥ 1; NaN is passed over.

    Reference:
        The corrected two-pass algorithm of Chan, Golub & LeVeque 1983.
    """
    missing = np.isnan(values)
    count = len(values) - missing.sum(axis=0)

    def total(summands: Floats) -> Floats:
        return np.sum(np.where(missing, 0.0, summands) if missing.any() else summands, axis=0)

    with np.errstate(invalid="ignore", divide="ignore"):  # of columns without a value
        mean = total(values) / count
        distance = values - mean
        correction = total(distance)
        variance = (total(np.square(distance, out=distance)) - correction**2 / count) / count
        deviation, epsilon = np.sqrt(variance), np.finfo(np.float64).eps
        deviation[variance <= count * epsilon * variance + (count * mean * epsilon) ** 2] = 1.0
    return mean, deviation


def _borrow_statistics(panel: Panel, mean: Floats, scale: Floats) -> None:
    """Give columns without a training value in some series the medians of the other series, in place, [S, C].

    No window of such a series is trained on; once it has grown, it can be forecast.

    Raises:
        DataError: If a column has no value in any series.
    """
    for column in np.flatnonzero(np.isnan(mean).any(axis=0)):
        empty = np.isnan(mean[:, column])
        if empty.all():
            raise DataError(
                f"Column {panel.columns[column]!r} has no value in the training span.",
                f"Leave it out ({setting('covariates')}), or move the training span with "
                f"{setting('validation_from')} and {setting('test_from')}.",
            )
        mean[empty, column], scale[empty, column] = np.median(mean[~empty, column]), np.median(scale[~empty, column])


def unscaled(panel: Panel) -> Scaler:
    """A scaler that changes nothing, for rows that are scored without a network."""
    shape = (panel.n_series, len(panel.columns))
    return Scaler(np.zeros(shape), np.ones(shape), np.zeros(shape[1], bool), panel.columns, panel.series_ids)


def refuse_non_positive(values: Floats, name: str) -> None:
    """Refuse to log a column with values that have no logarithm.

    Raises:
        DataError: If a value is not positive; counts them.
    """
    bad = values <= 0
    if bad.any():
        raise DataError(
            f"Column {name!r} cannot be logged: {int(bad.sum())} values are not positive, the first is "
            f"{values[bad][0]:g}.",
            f"Use {setting('transform', 'none')}.",
        )
