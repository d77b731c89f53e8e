"""Tables from DataFrames: their index, levels of names and rows, and types."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa

from forecast.errors import DataError, quote
from forecast.tables.input import Dialect, Input
from forecast.tables.names import join_levels, with_names
from forecast.tables.table import Column, Table


def from_frame(frame: pd.DataFrame, source: Input, dialect: Dialect) -> Table:
    """The columns of a DataFrame, its index first where that carries time.

    Raises:
        DataError: If it is empty, its names are not plain, or a type cannot be read.
    """
    notes: tuple[str, ...] = ()
    if isinstance(frame.columns, pd.MultiIndex):
        frame = frame.set_axis(
            join_levels([[str(part) for part in level] for level in zip(*frame.columns, strict=True)]), axis=1
        )
        notes = (f"The levels of the column names are joined: {', '.join(map(quote, frame.columns[:5]))}.",)
    if isinstance(frame.index, pd.MultiIndex):
        frame = frame.reset_index(names=_names_of_levels(frame.index))
    if frame.empty:
        raise DataError(
            f"{source.label} has {len(frame)} rows and {len(frame.columns)} columns.", "Give a table with rows."
        )
    carries_time = isinstance(frame.index, (pd.DatetimeIndex, pd.PeriodIndex)) or frame.index.name
    if carries_time or not pd.api.types.is_numeric_dtype(frame.index.dtype):
        name = str(frame.index.name or "time")
        if name not in map(str, frame.columns):
            frame = frame.reset_index(names=name)
    names = tuple(str(name).strip() for name in frame.columns)
    kept = [i for i, name in enumerate(names) if name not in dialect.skip_columns]  # of whatever type they are
    dialect = replace(dialect, skip_columns=tuple(name for name in dialect.skip_columns if name not in names))
    names = tuple(names[i] for i in kept)
    dtypes = zip(names, frame.dtypes.iloc[kept], strict=True)
    zones = {name: str(dtype.tz) for name, dtype in dtypes if isinstance(dtype, pd.DatetimeTZDtype)}
    columns = tuple(_column(frame.iloc[:, i], n, source) for n, i in zip(names, kept, strict=True))
    table = Table(source, names, columns, zones=zones, warnings=source.warnings, notes=notes)
    return with_names(table, dialect, source.label)


def _names_of_levels(index: pd.MultiIndex) -> list[str]:
    """The names of an index of several levels; one without a name is the time, or the series."""
    times = [
        isinstance(level.dtype, (pd.DatetimeTZDtype, pd.PeriodDtype)) or level.dtype.kind == "M"
        for level in index.levels
    ]
    return [
        str(name)
        if name is not None
        else "time"
        if is_time
        else "unique_id"
        if times.count(False) == 1
        else f"level_{i}"
        for i, (name, is_time) in enumerate(zip(index.names, times, strict=True))
    ]


def _column(series: pd.Series, name: str, source: Input) -> Column:
    kind = series.dtype
    try:
        if isinstance(kind, pd.PeriodDtype):
            series = series.dt.to_timestamp()
            kind = series.dtype
        if isinstance(kind, pd.DatetimeTZDtype):
            return series.dt.tz_convert(None).to_numpy().astype("datetime64[us]")
        if getattr(kind, "kind", "O") == "M":
            return series.to_numpy().astype("datetime64[us]")
        if pd.api.types.is_bool_dtype(kind) or not pd.api.types.is_numeric_dtype(kind) or kind.kind == "c":
            cells = ["" if missing else str(v) for v, missing in zip(series, series.isna(), strict=True)]
            return pa.array(cells, pa.string())
        return np.array(series.to_numpy(dtype=np.float64, na_value=np.nan))
    except (TypeError, ValueError, OverflowError, pa.ArrowException) as error:
        raise DataError(
            f"{source.label}, column {quote(name)} of type {kind} cannot be read: {error}.",
            "Convert it to numbers or text.",
        ) from None
