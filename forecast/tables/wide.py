"""Tables with a column for each date, one series a row: turned so that each row is one time of one series."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from forecast.errors import quote
from forecast.tables.table import Column, Table, as_text
from forecast.tables.timeforms import form_of, infer_count, infer_form

# Fewer columns with dates as names may be anything.
_FEWEST_DATES = 3

# The columns that a turned table gets.
_TIME, _VALUE, _SERIES = "time", "value", "unique_id"


def turned(table: Table) -> tuple[Table, str | None]:
    """A table of one row for each time of each series, and the column that names the series; others as they are."""
    dates = _dates(table)
    if not dates:
        return table, None
    others = [name for name in table.names if name not in dates]
    if any(_holds_times(table[name]) for name in others) or len(others) > len(dates):
        return table, None
    n_rows, n_dates = len(table), len(dates)
    cells = [as_text(table[name]) for name in dates]
    # Row after row, as a file is read: [R, D] in one column.
    order = np.arange(n_rows * n_dates).reshape(n_dates, n_rows).T.ravel()
    columns: dict[str, Column] = {}
    rows = np.repeat(np.arange(n_rows), n_dates)
    for name in others:
        column = table[name]
        columns[name] = column.take(pa.array(rows)) if isinstance(column, pa.Array) else column[rows]
    columns[_TIME] = pa.array(dates * n_rows)
    columns[_VALUE] = pa.concat_arrays(cells).take(pa.array(order))
    series_id = None
    if n_rows > 1:
        series_id, names = _series(table, others)
        columns[series_id] = names.take(pa.array(rows))
    told = (
        f"Each column from {quote(dates[0])} to {quote(dates[-1])} is one time: the table is turned, "
        f"{n_rows:,} row(s) of {n_dates:,} times become {n_rows * n_dates:,} rows."
    )
    lines = None if table.lines is None else np.asarray(table.lines)[rows]
    warnings = (*table.warnings, told)
    return replace(
        table, names=tuple(columns), columns=tuple(columns.values()), lines=lines, warnings=warnings
    ), series_id


def _dates(table: Table) -> list[str]:
    """The names that are times of one form; none where they are too few."""
    named = [name for name in table.names if form_of(name)]
    if len(named) < _FEWEST_DATES:
        named = [name for name in table.names if name.isdigit() and infer_count([name]) in ("YYYY", "YYYYMM")]
        return named if len(named) >= _FEWEST_DATES and infer_count(named) else []
    return named if infer_form(named) else []


def _holds_times(column: Column) -> bool:
    if not isinstance(column, pa.Array):
        return bool(column.dtype.kind == "M")
    return infer_form([text for text in column.slice(0, 60).to_pylist() if text]) is not None


def _series(table: Table, others: list[str]) -> tuple[str, pa.Array]:
    """The column that names each row: the first that tells all apart, else all of text together, else the number."""
    texts = {name: pc.utf8_trim_whitespace(as_text(table[name])) for name in others}
    for name, cells in texts.items():
        if pc.count_distinct(cells).as_py() == len(table) and "" not in cells.to_pylist():
            return name, cells
    rows = zip(*(cells.to_pylist() for name, cells in texts.items() if isinstance(table[name], pa.Array)), strict=True)
    joined = ["/".join(filter(None, row)) for row in rows]
    if len(set(joined)) < len(table):
        joined = [str(number + 1) for number in range(len(table))]
    return _SERIES, pa.array(joined)
