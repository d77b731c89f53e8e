"""Tables with a column for each date, one series a row: turned so that each row is one time of one series."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from forecast.errors import quote
from forecast.tables.monthnames import MONTHS
from forecast.tables.notation import is_missing, parse_numbers
from forecast.tables.table import Column, Table, as_text
from forecast.tables.timeforms import form_of, infer_count, infer_form

# Fewer columns with dates as names may be anything.
_FEWEST_DATES = 3

# The columns that a turned table gets.
_TIME, _VALUE, _SERIES = "time", "value", "unique_id"


def turned(table: Table) -> tuple[Table, str | None]:
    """A table of one row for each time of each series, and the column that names the series; others as they are."""
    times = _times_by_name(table)
    if not times:
        return _turned_months(table), None
    dates = list(times)
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
    columns[_TIME] = pa.array([*times.values()] * n_rows)
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


def _turned_months(table: Table) -> Table:
    """A table of years with a column for each month as one of a row for each month; another one as it is."""
    months = {MONTHS[word]: name for name in table.names if (word := name.lower().strip(".")) in MONTHS}
    others = [name for name in table.names if name not in months.values()]
    if len(months) < 12:
        return table
    years = next((name for name in others if _are_years(table[name])), None)
    if years is None:
        return table
    n_rows = len(table)
    order = np.arange(n_rows * 12).reshape(12, n_rows).T.ravel()
    cells = pa.concat_arrays([as_text(table[months[month]]) for month in range(1, 13)]).take(pa.array(order))
    times = [f"{year.strip()}-{m:02d}" for year in as_text(table[years]).to_pylist() for m in range(1, 13)]
    # The months of the last year that are still to come.
    last = max((i for i, is_there in enumerate(~is_missing(cells)) if is_there), default=-1) + 1
    told = f"Each row is a year, each column a month: {n_rows:,} rows become {last:,}."
    lines = None if table.lines is None else np.repeat(np.asarray(table.lines), 12)[:last]
    columns = (pa.array(times[:last]), cells.slice(0, last))
    return replace(table, names=(_TIME, _VALUE), columns=columns, lines=lines, warnings=(*table.warnings, told))


def _are_years(column: Column) -> bool:
    texts = [text.strip() for text in as_text(column).to_pylist()]
    return len(set(texts)) == len(texts) and infer_count(texts) == "YYYY"


def _times_by_name(table: Table) -> dict[str, str]:
    """The names that are times of one form, and those times; none where they are too few."""
    texts = {name: re.sub(r"^(\d{4}) \[YR\1\]$", r"\1", name) for name in table.names}  # as the World Bank has them
    times = {name: text for name, text in texts.items() if form_of(text)}
    if len(times) >= _FEWEST_DATES:
        return times if infer_form([*times.values()]) else {}
    times = {name: text for name, text in texts.items() if text.isdigit() and infer_count([text]) in ("YYYY", "YYYYMM")}
    return times if len(times) >= _FEWEST_DATES and infer_count([*times.values()]) else {}


def _holds_times(column: Column) -> bool:
    if not isinstance(column, pa.Array):
        return bool(column.dtype.kind == "M")
    return infer_form([text for text in column.slice(0, 60).to_pylist() if text]) is not None


def _series(table: Table, others: list[str]) -> tuple[str, pa.Array]:
    """The column that names each row: one of words that tells all apart, all together, one of codes, or a count."""
    cells = {name: pc.utf8_trim_whitespace(as_text(table[name])) for name in others}
    words = {name: texts for name, texts in cells.items() if len(parse_numbers(texts).others)}
    joined = ["/".join(filter(None, row)) for row in zip(*(texts.to_pylist() for texts in words.values()), strict=True)]
    together = {_SERIES: pa.array(joined)} if words else {}
    for name, texts in [*words.items(), *together.items(), *cells.items()]:
        if pc.count_distinct(texts).as_py() == len(table) and not pc.any(pc.equal(texts, "")).as_py():
            return name, texts
    return _SERIES, pa.array([str(number + 1) for number in range(len(table))])
