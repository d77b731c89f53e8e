"""A column of times: its cells as they are written, and what was read of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forecast.errors import quote
from forecast.tables.calendar import refuse_where
from forecast.tables.table import Bools, Column, Ints, Table, Times, as_text
from forecast.tables.timeforms import tidied

# Cells of a column that are looked at before all are read.
_SAMPLE = 60


@dataclass(frozen=True)
class TimeColumn:
    """The time of each row.

    Args:
        times: Timestamps [R], ``datetime64[us]``; in UTC if ``zoned``.
        form: How they are written, such as ``YYYY-MM-DD``.
        used: Names of the columns they were made from, or that repeat them.
        zoned: Whether the table gave their offset from UTC.
        zone: The zone that it gave, such as ``Europe/Berlin`` or ``+01:00``, where it is one for all rows.
        whole_days: Whether no time of day was given.
        notes: What was inferred, one sentence each.
        warnings: What was mended, one counted sentence each.
        time_column: The columns that hold them, as the option of that name takes them; None for one.
        date_format: The format that reads a single one of these rows in the same way; None where the row says it all.
        by_all_rows: Whether part of the rows could have been read otherwise.
        elapsed: The time since midnight, [R], where periods are counted: 50 half hours on the long day of autumn.
    """

    times: Times
    form: str = ""
    used: frozenset[str] = frozenset()
    zoned: bool = False
    zone: str | None = None
    whole_days: bool = False
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    time_column: str | None = None
    date_format: str | None = None
    by_all_rows: bool = False
    elapsed: NDArray[np.timedelta64] | None = None


@dataclass(frozen=True)
class Cells:
    """Cells that are to be read as time, and how messages name them.

    Args:
        text: R strings without blanks about them.
        table: The table that they stand in.
        columns: The columns that they were made from, for messages.
        shown: The cells as they are written, where ``text`` was put together; None where it is that.
    """

    text: pa.Array
    table: Table
    columns: str
    shown: pa.Array | None = None

    @property
    def written(self) -> pa.Array:
        """The cells as they are written."""
        return self.text if self.shown is None else self.shown

    def at(self, row: int) -> str:
        """A cell and its value, as messages begin."""
        return f"{self.table.row(row)}, {self.columns}: {quote(self.written[row].as_py())}"

    def refuse_where(self, wrong: Bools, why: str) -> None:
        """Refuse the first cell that is wrong."""
        refuse_where(wrong, self.at, why)


def sample(column: Column) -> list[str]:
    """Filled cells from all over a column as text; all of them are read later, these show what they are."""
    rows = np.unique(np.linspace(0, len(column) - 1, min(len(column), _SAMPLE)).astype(np.int64))
    cells = column.take(pa.array(rows)) if isinstance(column, pa.Array) else as_text(column[rows])
    return [text for text in tidied(pc.ascii_trim_whitespace(cells)).to_pylist() if text]


def numbers_of(text: pa.Array) -> Ints:
    """Digits as numbers, [R]; 0 for none."""
    return pc.cast(pc.if_else(pc.equal(text, ""), "0", text), pa.int64()).to_numpy(zero_copy_only=False)


def microseconds_of(fraction: pa.Array) -> Ints:
    """The digits behind a second's point as a number; those beyond the sixth are cut off."""
    return numbers_of(pc.utf8_slice_codeunits(pc.utf8_rpad(fraction, 6, "0"), 0, 6))


def fields_of(parts: pa.Array) -> dict[str, pa.Array]:
    """The groups of a regular expression by name, as text [R]; empty where a group is absent."""
    return {parts.type.field(i).name: pc.fill_null(parts.field(i), "") for i in range(parts.type.num_fields)}
