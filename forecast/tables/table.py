"""A table as it came: text, numbers or timestamps by column, and where each row stands in its file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forecast.errors import DataError, quote
from forecast.tables.input import Input

# Text is an Arrow array of strings (which has no types), numbers float64, timestamps datetime64[us] in UTC or zoneless.
Column: TypeAlias = Any

Times: TypeAlias = NDArray[np.datetime64]
Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Table:
    """R rows of C named columns.

    Args:
        source: Where it came from, for messages.
        names: C names.
        columns: C arrays of length R.
        lines: The line of each row in the file, [R]; None for a table without lines.
        zones: The time zone of each column of timestamps that carried one, by name.
        warnings: What was mended, one sentence each.
    """

    source: Input
    names: tuple[str, ...]
    columns: tuple[Column, ...]
    lines: Ints | range | None = None
    zones: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Column:
        return self.columns[self.names.index(name)]

    def __len__(self) -> int:
        return len(self.columns[0])

    def row(self, number: int) -> str:
        """A row as messages name it: ``data.csv, line 17``."""
        if self.lines is None:
            return f"{self.source.label}, row {number + 1}"
        return f"{self.source.label}, line {self.lines[number]}"

    def cell(self, row: int, name: str) -> str:
        """A cell as messages name it: ``data.csv, line 17, column 'T'``."""
        return f"{self.row(row)}, column {quote(name)}"

    def take(self, rows: Ints) -> Table:
        """These rows in this order."""
        columns = tuple(c.take(pa.array(rows)) if isinstance(c, pa.Array) else c[rows] for c in self.columns)
        lines = None if self.lines is None else np.asarray(self.lines)[rows]
        return replace(self, columns=columns, lines=lines)


def check_names(names: tuple[str, ...], where: str) -> None:
    """Refuse names that do not tell the columns apart.

    Raises:
        DataError: If a name is empty or stands twice.
    """
    if "" in names:
        raise DataError(
            f"{where}: column {names.index('') + 1} of {len(names)} has no name.",
            "Name it in the header; pandas writes an unnamed first column unless told: to_csv(index_label='time')",
        )
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        positions = [str(i + 1) for i, name in enumerate(names) if name == double]
        raise DataError(
            f"{where}: the name {quote(double)} stands {len(positions)} times (columns {', '.join(positions[:5])}).",
            "Give each column its own name in the header.",
        )


def without_empty_rows(table: Table) -> Table:
    """The table without rows of delimiters alone, which a spreadsheet leaves at its end.

    Raises:
        DataError: If there is no other row.
    """
    empty = np.ones(len(table), bool)
    for column in table.columns:
        empty &= pc.equal(pc.ascii_trim_whitespace(column), "").to_numpy(zero_copy_only=False)
        if not empty.any():
            return table
    kept = np.flatnonzero(~empty)
    if not len(kept):
        raise DataError(f"{table.source.label} holds a header and only empty rows.", "Give at least a few dozen rows.")
    inner = int(empty[: kept[-1]].sum())
    warning = (f"{inner:,} row(s) of empty fields are left out.",) if inner else ()
    return replace(table.take(kept), warnings=table.warnings + warning)


def as_text(column: Column) -> pa.Array:
    """A column as text, as it would stand in a file."""
    if isinstance(column, pa.Array):
        return column
    if column.dtype.kind == "M":
        return pa.array(np.datetime_as_string(column, unit="s"))
    whole = np.isfinite(column) & (column == np.rint(column)) & (np.abs(column) < 2**53)
    return pa.array(
        [str(int(v)) if w else ("" if v != v else repr(float(v))) for v, w in zip(column, whole, strict=True)]
    )


def from_frame(frame: pd.DataFrame, source: Input) -> Table:
    """The columns of a DataFrame, its index first where that carries time.

    Raises:
        DataError: If it is empty, its names are not plain, or a type cannot be read.
    """
    if isinstance(frame.columns, pd.MultiIndex) or isinstance(frame.index, pd.MultiIndex):
        raise DataError(f"{source.label} has names or rows in several levels.", "Flatten it: frame.reset_index()")
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
    check_names(names, source.label)
    dtypes = zip(names, frame.dtypes, strict=True)
    zones = {name: str(dtype.tz) for name, dtype in dtypes if isinstance(dtype, pd.DatetimeTZDtype)}
    columns = tuple(_column(frame.iloc[:, i], names[i], source) for i in range(len(names)))
    return Table(source, names, columns, zones=zones, warnings=source.warnings)


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
