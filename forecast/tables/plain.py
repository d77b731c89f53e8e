"""Long texts of times and plain numbers alone, whose chunks Arrow's parser makes numbers of at once.

What the first chunk of such a text is read as, cell by cell, holds for a further one that is written as plainly: each
cell parses as what its column is, and the times go on in one direction. Nothing else can be meant by it then, so that
texts need not be looked at. Any other chunk is read as the first one was, which tells what is wrong and in which cell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from forecast.tables.calendar import FAR
from forecast.tables.columns import Measurements
from forecast.tables.find_times import names_a_time
from forecast.tables.formats import Chunk
from forecast.tables.input import Dialect
from forecast.tables.notation import parse_numbers
from forecast.tables.numbers import points_group
from forecast.tables.table import Floats, Table, Times
from forecast.tables.timecells import TimeColumn
from forecast.tables.timetext import read_iso

# Days alone may have a time of day beside them.
_FORMS = ("YYYY-MM-DD HH:MM", "YYYY-MM-DD HH:MM:SS")

# What the user may have said without making any cell mean another thing.
_HARMLESS: dict[str, Any] = {"encoding": None, "delimiter": None, "skip_rows": 0, "freq": None, "time_column": None}


@dataclass(frozen=True)
class PlainText:
    """How the rows of a text are written.

    Args:
        delimiter: What stands between fields.
        time: The index of the column of the time.
        form: How it is written, an ISO form.
        fractions: Of each column, whether it has numbers with a point that is certain to stand before a fraction; of a
            column without a point none is certain, and the time has none.
    """

    delimiter: str
    time: int
    form: str
    fractions: tuple[bool, ...]

    def read(self, chunk: Chunk) -> tuple[Times, Floats] | None:
        """The times [R] and numbers [R, C] of a further chunk; None where a cell takes a closer look."""
        kinds = {str(i): pa.float64() if is_certain else pa.string() for i, is_certain in enumerate(self.fractions)}
        try:
            cells = pa.csv.read_csv(
                pa.py_buffer(chunk.rows),
                pa.csv.ReadOptions(column_names=list(kinds), use_threads=False),
                pa.csv.ParseOptions(delimiter=self.delimiter, quote_char=False, ignore_empty_lines=False),
                pa.csv.ConvertOptions(column_types=kinds, null_values=[""], strings_can_be_null=False),
            ).combine_chunks()
        except pa.ArrowInvalid:
            return None
        n_rows = cells.num_rows
        if b"\r" in chunk.rows and n_rows != chunk.count_lines():  # to Arrow it ends a line, too
            return None
        columns = [column.chunk(0) for column in cells.columns]
        times = read_iso(columns.pop(self.time), self.form)
        if times is None or times[0] > np.datetime64(f"{FAR}") or not _go_one_way(times):
            return None
        values = np.empty((n_rows, len(columns)))
        for position, column in enumerate(columns):
            if pa.types.is_string(column.type):
                if pc.any(pc.match_substring(column, ".")).as_py():
                    return None
                numbers = parse_numbers(column)
                if len(numbers.others) or len(numbers.infinite) or len(numbers.too_long):
                    return None
                values[:, position] = numbers.values
            else:
                values[:, position] = column.to_numpy(zero_copy_only=False)
                # A word such as inf or nan is a number to Arrow, but a missing cell is none.
                if np.count_nonzero(np.abs(values[:, position]) < 1e18) + column.null_count < n_rows:
                    return None
        return times, values


def plain_text(table: Table, time: TimeColumn, measured: Measurements, dialect: Dialect) -> PlainText | None:
    """How a text is written whose first chunk holds times and plain numbers alone; None if that is not certain.

    Args:
        table: The chunk as text.
        time: What was read of it as its time.
        measured: What was read of it as numbers.
        dialect: What is known of the text.
    """
    said = replace(dialect, **_HARMLESS) != Dialect() or dialect.freq == "step"
    if said or time.form not in _FORMS or measured.notation or len(table.names) != len(measured.names) + 1:
        return None
    (name,) = time.used
    if not names_a_time(name) or any(map(names_a_time, measured.names)) or not _go_one_way(time.times):
        return None
    with_points = [name for name in measured.names if pc.any(pc.match_substring(table[name], ".")).as_py()]
    if any(points_group(table[name]) for name in with_points):
        return None
    fractions = tuple(name in with_points for name in table.names)
    return PlainText(table.delimiter, table.names.index(name), time.form, fractions)


def _go_one_way(times: Times) -> bool:
    """Whether times ascend or descend throughout, each of them once."""
    steps = np.diff(times).astype(np.int64)
    return bool((steps > 0).all() or (steps < 0).all())
