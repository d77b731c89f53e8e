"""Tables with a column for each date, one series a row: turned so that each row is one time of one series."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forecast.errors import DataError, listed, quote
from forecast.tables.monthnames import MONTHS
from forecast.tables.names import counted
from forecast.tables.notation import is_missing, parse_numbers
from forecast.tables.table import Column, Table, as_text
from forecast.tables.timeforms import TIMELIKE, form_of, infer_count, infer_form
from forecast.tables.timeparts import names_a_part

# Fewer columns with dates as names may be anything.
_FEWEST_DATES = 3

# Fewer columns that count up, as x1 and x2 do, may be anything.
_FEWEST_STEPS = 20

# Cells that are looked at before all are.
_SAMPLE = 1000

# Series that a warning names.
_MOST_LISTED = 5

# The columns that a turned table gets.
_TIME, _VALUE, _SERIES = "time", "value", "unique_id"


def turned(table: Table, is_stepped: bool) -> tuple[Table, str | None]:
    """A table of one row for each time of each series, and the column that names the series; others as they are.

    Args:
        table: Any table.
        is_stepped: Whether its rows may go without times.

    Raises:
        DataError: If its columns are the steps of its rows, and they may not.
    """
    times = _times_by_name(table)
    if not times and (times := _steps_by_name(table)) and not is_stepped:
        first, *_, last = times
        raise DataError(
            f"{table.source.label}: each row is one series, with its values in the columns {quote(first)} to "
            f"{quote(last)}, and there are no dates.",
            table.source.retry(freq="step"),
        )
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
    lines = None if table.lines is None else np.asarray(table.lines)[rows]
    long = replace(table, names=tuple(columns), columns=tuple(columns.values()), lines=lines)
    kept = _with_values(long[_VALUE], n_dates, from_first=not is_stepped)
    if len(kept) and (is_stepped or n_rows > 1):
        long = long.take(kept)
    told = [
        f"Each column from {quote(dates[0])} to {quote(dates[-1])} is one time: the table is turned, "
        f"{n_rows:,} row(s) of {n_dates:,} times become {len(long):,} rows."
    ]
    if series_id is not None and len(empty := np.setdiff1d(np.arange(n_rows), rows[kept])):
        named = listed([quote(names[row].as_py()) for row in empty.tolist()], _MOST_LISTED)
        told.append(f"Left out, as every value is missing: {named}.")
    return replace(long, warnings=(*table.warnings, *told)), series_id


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


def _steps_by_name(table: Table) -> dict[str, str]:
    """Columns that count the steps of the series in each row, as d_1 and d_2 do, and their numbers; none elsewhere."""
    names = [name for name in counted(table.names) if not _holds_words(table[name])]
    others = [name for name in table.names if name not in names]
    if any(TIMELIKE.search(name) or names_a_part(name) or _holds_times(table[name]) for name in others):
        return {}
    cells = [as_text(table[name]) for name in others if _holds_words(table[name])]
    if len(names) < _FEWEST_STEPS or all(pc.count_distinct(texts).as_py() < len(table) for texts in cells):
        return {}
    return {name: str(number) for number, name in enumerate(names, 1)}


def _holds_words(column: Column) -> bool:
    if not isinstance(column, pa.Array) or parse_numbers(column.slice(0, _SAMPLE)).count:
        return False
    return parse_numbers(column).count == 0 and not is_missing(column).all()


def _with_values(values: pa.Array, n_steps: int, from_first: bool) -> NDArray[np.int64]:
    """The rows up to the last value of each series, maybe from its first one on, of cells of S series by D steps."""
    is_there = ~is_missing(values).reshape(-1, n_steps)
    kept = np.maximum.accumulate(is_there[:, ::-1], axis=1)[:, ::-1]
    return np.flatnonzero(kept & np.maximum.accumulate(is_there, axis=1) if from_first else kept)


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
