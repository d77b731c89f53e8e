"""Tables from DataFrames: their index, levels of names and rows, and types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from forecast.errors import DataError, quote, setting
from forecast.tables.input import Dialect, Input
from forecast.tables.names import join_levels, with_names
from forecast.tables.table import Column, Table

# The column of the series' names.
_SERIES = "unique_id"

_TAKEN = (
    "Give a DataFrame, frames by the names of their series ({'north': frame}), or columns of one length by theirs "
    "({'ds': times, 'y': values}); of groups the frame that was grouped, with "
    f"{setting('series_id')}."
)


class FrameLike(Protocol):
    """A frame of another library, such as Polars, or a table of Arrow."""

    def to_pandas(self) -> pd.DataFrame:
        """The same as a DataFrame."""


Frames = pd.DataFrame | pd.Series | FrameLike | Mapping[str, Any]


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
    if frame.empty:
        raise DataError(
            f"{source.label} has {len(frame)} rows and {len(frame.columns)} columns.", "Give a table with rows."
        )
    frame = _with_index_as_columns(frame)
    names = tuple(str(name).strip() for name in frame.columns)
    kept = [i for i, name in enumerate(names) if name not in dialect.skip_columns]  # of whatever type they are
    dialect = replace(dialect, skip_columns=tuple(name for name in dialect.skip_columns if name not in names))
    names = tuple(names[i] for i in kept)
    dtypes = zip(names, frame.dtypes.iloc[kept], strict=True)
    zones = {name: str(dtype.tz) for name, dtype in dtypes if isinstance(dtype, pd.DatetimeTZDtype)}
    columns = tuple(_column(frame.iloc[:, i], n, source) for n, i in zip(names, kept, strict=True))
    table = Table(source, names, columns, zones=zones, warnings=source.warnings, notes=notes)
    return with_names(table, dialect, source.label)


def as_frame(source: Frames) -> pd.DataFrame:
    """One frame of what is given in memory: a series, frames by the names of their series, or columns by theirs.

    Raises:
        DataError: If it is none of these; says what is taken.
    """
    if isinstance(source, pd.DataFrame):
        return source
    if isinstance(source, pd.Series):
        return source.to_frame("value" if source.name is None else str(source.name))
    if hasattr(source, "to_pandas"):
        return as_frame(source.to_pandas())
    if not isinstance(source, Mapping):
        raise DataError(f"A {type(source).__name__} is no table.", _TAKEN)
    if not source:
        raise DataError("There is no frame.", "Give frames by the names of their series.")
    are_frames = [isinstance(part, (pd.DataFrame, pd.Series)) or hasattr(part, "to_pandas") for part in source.values()]
    if all(are_frames):
        return _stacked({str(name): as_frame(part) for name, part in source.items()})
    if any(are_frames):
        name = next(name for name, is_frame in zip(source, are_frames, strict=True) if not is_frame)
        raise DataError(f"{quote(str(name))} is a {type(source[name]).__name__}, others are frames.", _TAKEN)
    try:
        return pd.DataFrame({name: list(column) for name, column in source.items()})
    except (TypeError, ValueError):
        listed = ", ".join(map(quote, list(map(str, source))[:5]))
        raise DataError(f"{listed} are neither frames nor columns of one length.", _TAKEN) from None


def _stacked(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Frames of series below one another, with a column ``unique_id`` of their names.

    Raises:
        DataError: If one is empty, or has such a column of its own.
    """
    parts = []
    for name, given in frames.items():
        frame = _with_index_as_columns(given)
        if frame.empty:
            raise DataError(f"The frame of {quote(name)} has no rows.", "Leave it out, or give it rows.")
        if _SERIES in frame.columns:
            raise DataError(
                f"The frame of {quote(name)} has a column {_SERIES!r} of its own.",
                "Join frames that name their series with pandas.concat, and give the one that comes of it.",
            )
        parts.append(frame.assign(**{_SERIES: name}))
    return pd.concat(parts, ignore_index=True)


def _with_index_as_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its index as its first columns, where that carries time or names."""
    index = frame.index
    if isinstance(index, pd.MultiIndex):
        return frame.reset_index(names=_names_of_levels(index))
    carries_time = isinstance(index, (pd.DatetimeIndex, pd.PeriodIndex)) or index.name
    name = str(index.name or "time")
    if (carries_time or not pd.api.types.is_numeric_dtype(index.dtype)) and name not in map(str, frame.columns):
        return frame.reset_index(names=name)
    return frame


def _names_of_levels(index: pd.MultiIndex) -> list[str]:
    """The names of an index of several levels: beside the time, a single other one names the series."""
    times = [
        isinstance(level.dtype, (pd.DatetimeTZDtype, pd.PeriodDtype)) or level.dtype.kind == "M"
        for level in index.levels
    ]
    return [
        _SERIES
        if not is_time and len(times) == 2 and any(times)
        else str(name)
        if name is not None
        else "time"
        if is_time
        else _SERIES
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
