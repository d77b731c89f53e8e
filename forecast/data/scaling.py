"""Scaler: the transform and the statistics of each series and column, fitted on training rows alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from forecast.data.panel import Floats, Panel
from forecast.data.quantities import TURN
from forecast.errors import DataError, setting

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

# Rows that are transformed together; those of a longer series are fitted column by column.
_AT_ONCE = 1 << 20


# The arithmetic, over the operations of NumPy or of a back end in `forecast.models.backends`: the same lines scale the
# rows that are trained on, and stand in the networks that are exported.


def scale(ops: Any, values: Any, mean: Any, deviation: Any, logged: Flags) -> Any:
    """What a network is fed of values in measurement units: ``(log(x) or x - mean) / deviation``.

    Args:
        ops: Functions of arrays by NumPy's names.
        values: [..., C].
        mean: Broadcasts with them.
        deviation: Positive; broadcasts with them.
        logged: Which of the columns are logged; broadcasts with them.
    """
    return (_where(ops, logged, ops.log, values) - mean) / deviation


def unscale(ops: Any, values: Any, mean: Any, deviation: Any, logged: Flags) -> Any:
    """The reverse of `scale`."""
    return _where(ops, logged, ops.exp, values * deviation + mean)


def unwrap_angles(ops: Any, rows: Any, turns: Any) -> Any:
    """Rows [B, n, C] with each angle followed round its circle: 350, 10, 30 becomes 350, 370, 390.

    Args:
        ops: Functions of arrays.
        rows: In measurement units.
        turns: 360 where a column is an angle, and 0 elsewhere, [B, 1, C].
    """
    before = ops.concat([rows[:, :1], rows[:, :-1]], axis=1)
    return rows - ops.cumsum(ops.round((rows - before) / TURN), axis=1) * turns


def _where(ops: Any, mask: Flags, function: Callable[[Any], Any], values: Any) -> Any:
    if not mask.any():
        return values
    return function(values) if mask.all() else ops.where(mask, function(values), values)


@dataclass(frozen=True)
class Scaler:
    """Standardises in float64: ``(transform(x) - mean) / scale``, per series and column.

    Args:
        mean: [S, C].
        scale: [S, C], positive; 1 where a column did not move in the training rows.
        logged: [C], which columns are logged first.
        columns: C names.
        series_ids: S names.
    """

    mean: Floats
    scale: Floats
    logged: NDArray[np.bool_]
    columns: tuple[str, ...]
    series_ids: tuple[str, ...]

    def transform(self, values: Floats, series: Ints, column: int, out: NDArray[np.floating]) -> None:
        """Write the scaled values of one column, and 0 where none is known, into an array of any precision.

        Args:
            values: [T] in the column's own units.
            series: The series of each row, [T].
            column: Which of the columns.
            out: [T].

        Raises:
            DataError: If the column is under a log transform and holds a value that is not positive.
        """
        if self.logged[column]:
            _refuse_non_positive(values, self.columns[column])
        one = len(self.series_ids) == 1
        for first in range(0, len(values), _AT_ONCE):  # in float64, so that a whole copy would weigh
            block = slice(first, first + _AT_ONCE)
            of_series = 0 if one else series[block]
            mean, deviation = self.mean[of_series, column], self.scale[of_series, column]
            out[block] = np.nan_to_num(scale(np, values[block], mean, deviation, self.logged[column]), copy=False)

    def inverse(self, scaled: NDArray[np.floating], series: Ints) -> Floats:
        """Values in the columns' own units, of the first D columns.

        Args:
            scaled: [N, H, D], or quantiles [N, H, D, Q].
            series: The series of each window, [N].
        """
        n_targets = scaled.shape[2]
        each = (slice(None), None, slice(n_targets), *[None] * (scaled.ndim - 3))
        logged = self.logged[:n_targets].reshape(-1, *[1] * (scaled.ndim - 3))
        with np.errstate(over="ignore"):  # of columns that are not logged
            return unscale(np, scaled, self.mean[series][each], self.scale[series][each], logged)

    def for_series(self, series_ids: tuple[str, ...]) -> Scaler:
        """The scaler of these series, in this order.

        Raises:
            DataError: If one was not among the training series; lists those that were.
        """
        order = self.positions(series_ids)
        return Scaler(self.mean[order], self.scale[order], self.logged, self.columns, series_ids)

    def positions(self, series_ids: tuple[str, ...]) -> Ints:
        """Where these series stand among the S that the scaler was fitted to.

        Raises:
            DataError: If one was not among them; lists those that were.
        """
        if len(self.series_ids) == len(series_ids) == 1:
            return np.zeros(1, np.int64)  # a lone series may carry another name in another file
        unknown = [name for name in series_ids if name not in self.series_ids]
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
        return np.array([self.series_ids.index(name) for name in series_ids])

    def to_record(self) -> dict[str, Any]:
        """The scaler as values of JSON; `from_record` reverses it to the last bit."""
        return {
            "columns": list(self.columns),
            "series_ids": list(self.series_ids),
            "logged": self.logged.tolist(),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
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
        return cls(mean, scale, np.array(saved.logged, bool), tuple(saved.columns), tuple(saved.series_ids))


class _Saved(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    columns: list[str]
    series_ids: list[str]
    logged: list[bool]
    mean: list[list[FiniteFloat]]
    scale: list[list[Annotated[FiniteFloat, Field(gt=0)]]]


def fit_scaler(
    panel: Panel,
    training_rows: NDArray[np.bool_],
    logged: tuple[str, ...],
    pooled: tuple[str, ...] = (),
    circular: NDArray[np.bool_] | None = None,
) -> Scaler:
    """Fit on the training rows alone: a scaler that has seen the test years knows their mean.

    Args:
        panel: S series of T rows in all; NaN is passed over.
        training_rows: Which rows are for training, [T].
        logged: Columns to log first.
        pooled: Columns that share their statistics over all series, so that what differs between series is not lost.
        circular: Which of the first columns are angles, [S, D]; their scale is a quarter turn.

    Raises:
        DataError: If a column has no value in a series' training rows, or one that cannot be logged.
    """
    from sklearn.preprocessing import StandardScaler  # takes most of a second to import, and only training needs it

    mean = np.zeros((panel.n_series, len(panel.columns)))
    scale = np.ones_like(mean)
    is_logged = np.array([name in logged for name in panel.columns])
    for series in range(panel.n_series):
        rows = panel.rows(series)
        for column in np.flatnonzero(is_logged):
            _refuse_non_positive(panel.values[rows, column], panel.columns[column])
        # Its temporary arrays are as large as what it is fitted to; the last bits depend on what is fitted together.
        width = len(panel.columns) if rows.stop - rows.start <= _AT_ONCE else 1
        for first in range(0, len(panel.columns), width):
            together = slice(first, first + width)
            seen = panel.values[rows, together][training_rows[rows]]
            empty = np.isnan(seen).all(axis=0)
            if empty.any():
                of_series = f" of series {panel.series_ids[series]!r}" if panel.n_series > 1 else ""
                raise DataError(
                    f"Column {panel.columns[first + int(np.argmax(empty))]!r}{of_series} has no value in the "
                    "training span.",
                    f"Leave it out ({setting('covariates')}), or move the training span with "
                    f"{setting('validation_from')} and {setting('test_from')}.",
                )
            logs = is_logged[together]
            seen[:, logs] = np.log(seen[:, logs])
            fitted = StandardScaler().fit(seen)
            mean[series, together], scale[series, together] = fitted.mean_, fitted.scale_
    if circular is not None and circular.any():
        mean[:, : circular.shape[1]][circular], scale[:, : circular.shape[1]][circular] = 0.0, 90.0
    shared = [panel.column(name) for name in pooled]
    if shared:
        fitted = StandardScaler().fit(panel.values[training_rows][:, shared])
        mean[:, shared], scale[:, shared] = fitted.mean_, fitted.scale_
    return Scaler(mean, scale, is_logged, panel.columns, panel.series_ids)


def unscaled(panel: Panel) -> Scaler:
    """The scaler that leaves everything as it is: for rows that are judged, and fed to no network."""
    shape = (panel.n_series, len(panel.columns))
    return Scaler(np.zeros(shape), np.ones(shape), np.zeros(shape[1], bool), panel.columns, panel.series_ids)


def _refuse_non_positive(values: Floats, name: str) -> None:
    bad = values <= 0
    if bad.any():
        raise DataError(
            f"Column {name!r} cannot be logged: {int(bad.sum())} values are not positive, the first is "
            f"{values[bad][0]:g}.",
            f"Use {setting('transform', 'none')}.",
        )
