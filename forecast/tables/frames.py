"""Frames of any kind: how they become tables, and results become frames of the kind that came in.

Arrow is what the kinds have in common: whatever has ``__arrow_c_stream__`` is taken, be it of Polars, DuckDB or others.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from forecast.errors import DataError, quote, setting
from forecast.tables.input import Dialect, Input
from forecast.tables.names import join_levels, with_names
from forecast.tables.table import Column, Table

# The column of the series' names.
_SERIES = "unique_id"

_TAKEN = (
    "Give a DataFrame, frames by the names of their series ({'north': frame}), columns of one length by theirs "
    "({'ds': times, 'y': values}), or arrays (times, values); of groups the frame that was grouped, with "
    f"{setting('series_id')}."
)


@runtime_checkable
class ArrowStream(Protocol):
    """Whatever hands its rows to Arrow: a frame of Polars, a table or stream of Arrow, a relation of DuckDB."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows as a stream of Arrow."""


@runtime_checkable
class Convertible(Protocol):
    """Whatever makes a DataFrame of itself."""

    def to_pandas(self) -> pd.DataFrame:
        """The same as a DataFrame."""


@runtime_checkable
class Lazy(Protocol):
    """A frame that is yet to be computed, as of Polars."""

    def collect(self) -> Any:
        """Its rows."""


Arrays = NDArray[Any] | tuple[Any, Any] | Sequence[Mapping[str, Any]] | Sequence[float]
Other = ArrowStream | Convertible | Lazy | Mapping[str, Any] | Arrays
Frames = pd.DataFrame | pd.Series | Other


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
    given, frame = set(frame.columns), _with_index_as_columns(frame)
    index = tuple(str(name).strip() for name in frame.columns if name not in given)
    names = tuple(str(name).strip() for name in frame.columns)
    kept = [i for i, name in enumerate(names) if name not in dialect.skip_columns]  # of whatever type they are
    dialect = replace(dialect, skip_columns=tuple(name for name in dialect.skip_columns if name not in names))
    names = tuple(names[i] for i in kept)
    dtypes = zip(names, frame.dtypes.iloc[kept], strict=True)
    zones = {name: str(dtype.tz) for name, dtype in dtypes if isinstance(dtype, pd.DatetimeTZDtype)}
    columns = tuple(_column(frame.iloc[:, i], n, source) for n, i in zip(names, kept, strict=True))
    table = Table(source, names, columns, zones=zones, warnings=source.warnings, notes=notes, index=index)
    return with_names(table, dialect, source.label)


def as_frame(source: Frames) -> pd.DataFrame:
    """One frame of what is given in memory: a frame of any kind, frames by the names of their series, columns, arrays.

    Raises:
        DataError: If it is none of these; says what is taken.
    """
    if isinstance(source, pd.Series):
        source = source.to_frame("value" if source.name is None else str(source.name))
    if isinstance(source, pd.DataFrame):
        return source.rename_axis("step") if _is_column_of_steps(source) else source
    if isinstance(source, Convertible):
        return as_frame(source.to_pandas())
    if isinstance(source, ArrowStream):
        return pa.table(source).to_pandas()
    if isinstance(source, Lazy):
        return as_frame(source.collect())
    if not isinstance(source, Mapping):
        return _of_arrays(source)
    if not source:
        raise DataError("There is no frame.", "Give frames by the names of their series.")
    are_frames = [_is_frame(part) for part in source.values()]
    if all(are_frames):
        return _stacked({str(name): as_frame(part) for name, part in source.items()})
    if any(are_frames):
        name = next(name for name, is_frame in zip(source, are_frames, strict=True) if not is_frame)
        raise DataError(f"{quote(str(name))} is a {type(source[name]).__name__}, others are frames.", _TAKEN)
    try:
        columns = {name: c.to_pandas() if isinstance(c, Convertible) else c for name, c in source.items()}
        return pd.DataFrame({name: list(column) for name, column in columns.items()})
    except (TypeError, ValueError):
        listed = ", ".join(map(quote, list(map(str, source))[:5]))
        raise DataError(f"{listed} are neither frames nor columns of one length.", _TAKEN, setting="source") from None


def like(source: object, results: pd.DataFrame) -> Any:
    """A table of results as a frame of the kind in which the rows came.

    Args:
        source: What the rows came in.
        results: The table.

    Returns:
        A frame of Polars, lazy for a lazy one; a table of Arrow for whatever else hands its rows to Arrow; columns by
        name for arrays and for columns by name; a DataFrame for all others, as for files.
    """
    if isinstance(source, Mapping):
        first = next(iter(source.values()))
        return like(first, results) if _is_frame(first) else _as_arrays(results)
    if isinstance(source, np.ndarray | tuple | list):
        return _as_arrays(results)
    if isinstance(source, pd.DataFrame | pd.Series) or not _is_foreign(source):
        return results
    table = pa.Table.from_pandas(results, preserve_index=False).replace_schema_metadata()
    if type(source).__module__.partition(".")[0] != "polars":
        return table
    frame = sys.modules["polars"].DataFrame(table)
    return frame.lazy() if isinstance(source, Lazy) else frame


def _as_arrays(results: pd.DataFrame) -> dict[str, NDArray[Any]]:
    return {str(name): column.to_numpy() for name, column in results.items()}


def _is_foreign(thing: object) -> bool:
    """Whether it is a frame or a column of another library."""
    return isinstance(thing, Convertible | ArrowStream | Lazy)


def _is_frame(part: object) -> bool:
    """Whether it can be a series by itself: a frame, or a column with an index. A plain column is a part of one."""
    if isinstance(part, pd.Series):
        return not _is_array(part)
    is_column = hasattr(part, "__len__") and not hasattr(part, "columns")
    return isinstance(part, pd.DataFrame) or (_is_foreign(part) and not is_column)


def _is_column_of_steps(frame: pd.DataFrame) -> bool:
    """Whether there is nothing but numbers, and an index that numbers them."""
    is_numbered = frame.index.name is None and pd.api.types.is_integer_dtype(frame.index.dtype)
    return is_numbered and frame.shape[1] == 1 and pd.api.types.is_numeric_dtype(frame.dtypes.iloc[0])


def _is_array(series: pd.Series) -> bool:
    """Whether its index says no more than the number of each row."""
    return isinstance(series.index, pd.RangeIndex) and series.index.name is None


def _of_arrays(source: object) -> pd.DataFrame:
    """A frame of an array [T] or [T, C], of times and such an array, of named fields, or of rows that are mappings.

    An array without times is a series of steps.

    Raises:
        DataError: If it is none of these.
    """
    times: Any = None
    values: Any = source
    if isinstance(source, tuple) and len(source) == 2:
        times, values = source
    try:
        if isinstance(values, list) and values and isinstance(values[0], Mapping):
            return pd.DataFrame(values)
        array = np.asarray(values)
        if array.dtype.names:
            return pd.DataFrame.from_records(array)
        if array.ndim not in (1, 2) or not np.issubdtype(array.dtype, np.number):
            raise TypeError
        index = pd.RangeIndex(len(array)) if times is None else pd.Index(np.asarray(times))
        if len(index) != len(array):
            raise DataError(f"{len(index):,} times do not fit {len(array):,} values.", "Give a time for each value.")
        named = index.rename("step" if pd.api.types.is_integer_dtype(index) else "time")
        return pd.DataFrame(array, named, columns=["value"] if array.ndim == 1 else None)
    except (TypeError, ValueError):
        raise DataError(f"A value of type {type(source).__name__} is no table.", _TAKEN, setting="source") from None


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
    """The names of an index of several levels: beside the time, a single other one names the series.

    Where no level is a time, the last one is, if it holds whole numbers: those of steps.
    """
    times = [
        isinstance(level.dtype, (pd.DatetimeTZDtype, pd.PeriodDtype)) or level.dtype.kind == "M"
        for level in index.levels
    ]
    if not any(times):
        times[-1] = pd.api.types.is_integer_dtype(index.levels[-1].dtype)
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
