"""A table as it came: text, numbers or timestamps by column, and where each row stands in its file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forecast.errors import EmptyError, quote
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
        notes: What was inferred or passed over, one sentence each.
        delimiter: What stands between the fields of its file; empty for a table without a text.
        index: The columns that were the index of a DataFrame.
    """

    source: Input
    names: tuple[str, ...]
    columns: tuple[Column, ...]
    lines: Ints | range | None = None
    zones: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    delimiter: str = ""
    index: tuple[str, ...] = ()

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
        raise EmptyError(f"{table.source.label} holds a header and only empty rows.", "Give at least a few dozen rows.")
    inner = int(empty[: kept[-1]].sum())
    warning = (f"{inner:,} row(s) of empty fields are left out.",) if inner else ()
    return replace(table.take(kept), warnings=table.warnings + warning)


def is_timestamps(column: Column) -> bool:
    """Whether a column holds timestamps, not text or numbers."""
    return not isinstance(column, pa.Array) and column.dtype.kind == "M"


def as_text(column: Column) -> pa.Array:
    """A column as text, as it would stand in a file."""
    if isinstance(column, pa.Array):
        return column
    if is_timestamps(column):
        return pa.array(np.datetime_as_string(column, unit="s"))
    whole = np.isfinite(column) & (column == np.rint(column)) & (np.abs(column) < 2**53)
    return pa.array(
        [str(int(v)) if w else ("" if v != v else repr(float(v))) for v, w in zip(column, whole, strict=True)]
    )
