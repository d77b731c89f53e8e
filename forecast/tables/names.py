"""The names of columns: each has one of its own, and a column without one is passed over, or refused."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from forecast.errors import DataError, quote
from forecast.tables.input import Dialect, series_keys
from forecast.tables.table import Column, Table, as_text
from forecast.tables.timeforms import TIMELIKE, infer_count, infer_form

# Columns that are looked through for the time one by one, at most.
_MANY = 500


def with_names(table: Table, dialect: Dialect, where: str) -> Table:
    """The table without the columns that are passed over; every other one has a name of its own.

    An empty column without a name is passed over, and the row index that pandas and R write. Another column without a
    name is called as pandas calls it, ``Unnamed: 3``, and has to be named in the dialect.

    Raises:
        DataError: If a name is empty or stands twice, and the column is not skipped.
    """
    names = [name or f"Unnamed: {i}" for i, name in enumerate(table.names)]
    nameless = [name for name, written in zip(names, table.names, strict=True) if not written]
    dropped = {name: "is not wanted" for name in names if name in dialect.skip_columns}
    notes = [f"There is no column {quote(name)} to skip." for name in dialect.skip_columns if name not in names]
    for position, name in enumerate(names):
        if name in nameless and name not in dropped:
            if _is_empty(table.columns[position]):
                dropped[name] = "has no name and no values"
            elif position == 0 and _is_row_index(table.columns[0]):
                dropped[name] = "has no name and numbers the rows"
    named = (
        *dialect.columns,
        *(dialect.time_column or "").split(","),
        dialect.series_id,
        *series_keys(dialect.series_id or ""),
    )
    for name in nameless:
        if name not in dropped and name not in named:
            if not dialect.columns:
                raise _nameless(table, names.index(name), where)
            dropped[name] = "has no name"
    kept = [i for i, name in enumerate(names) if name not in dropped]
    counts = Counter(names[i] for i in kept)
    if dialect.columns:  # which of two of a name is meant matters only where one is wanted
        kept = [i for i in kept if counts[names[i]] == 1 or names[i] in named]
        if len(kept) > _MANY:  # among so many the time is none of the plain numbers
            kept = [
                i for i in kept if names[i] in named or TIMELIKE.search(names[i]) or not _begins_plain(table.columns[i])
            ]
    for name in (names[i] for i in kept):
        if counts[name] > 1:
            positions = ", ".join([str(i + 1) for i, other in enumerate(names) if other == name][:5])
            raise DataError(
                f"{where}: the name {quote(name)} appears {counts[name]} times (columns {positions}).",
                "Give each column its own name in the header." + f"\n{table.source.without(name)}" * (len(counts) > 2),
            )
    notes += [
        f"Passed over: column {names.index(name) + 1} {why}." for name, why in dropped.items() if name in nameless
    ]
    if skipped := [name for name in dropped if name not in nameless]:
        notes.append(f"Skipped: {', '.join(map(quote, skipped))}.")
    if not kept:
        raise DataError(f"{where}: no column is left.", table.source.retry(skip_columns=()))
    columns = tuple(table.columns[i] for i in kept)
    return replace(table, names=tuple(names[i] for i in kept), columns=columns, notes=(*table.notes, *notes))


def _begins_plain(column: Column) -> bool:
    """Whether the first cell of a column is a plain number."""
    first = column[0].as_py() if isinstance(column, pa.Array) else column[0]
    return re.fullmatch(r"[+-]?\d+(\.\d*)?", str(first).strip()) is not None


def _is_empty(column: Column) -> bool:
    if isinstance(column, pa.Array):
        return bool(pc.all(pc.equal(pc.ascii_trim_whitespace(column), "")).as_py())
    return bool(np.isnan(column).all()) if column.dtype.kind == "f" else False


def _is_row_index(column: Column) -> bool:
    """Whether a column holds whole numbers that count up, as the index of a frame does, with gaps where it was cut."""
    try:
        values = pc.cast(column, pa.int64()).to_numpy() if isinstance(column, pa.Array) else column
    except pa.ArrowInvalid:
        return False
    steps = np.diff(values)
    if values.dtype.kind not in "if" or not (
        (steps == np.rint(steps)).all() and ((steps > 0).all() or (steps < 0).all())
    ):
        return False
    # Years and YYYYMMDD count up as well, but not from the start.
    return values.min() in (0, 1) or infer_count([f"{value:.0f}" for value in values[:60]]) is None


def _nameless(table: Table, position: int, where: str) -> DataError:
    name, source, cells = f"Unnamed: {position}", table.source, as_text(table.columns[position])
    texts = [text for text in pc.ascii_trim_whitespace(cells.slice(0, 60)).to_pylist() if text]
    may_be_time = infer_form(texts) or infer_count(texts)
    first = quote(cells[0].as_py())
    is_only = len(table.names) == 2 and not may_be_time
    is_title = 2 * sum(not other or other.startswith("Unnamed: ") for other in table.names) > len(table.names)
    below = source.call(skip_rows=source.given.get("skip_rows", 0) + 1)
    return DataError(
        f"{where}: column {position + 1} of {len(table.names)} has no name; its first cell is {first}.",
        f"This line is a title, and the next has the names: {below}\n" * is_title
        + f"It is the time: {source.call(time_column=name)}\n" * bool(may_be_time)
        + (f"It is the value: {source.call(columns=(name,))}" if is_only else source.without(name)),
    )


def counted(names: tuple[str, ...]) -> tuple[str, ...]:
    """The last names, as far as they count up behind the same letters, as d_1, d_2 and d_3 do."""
    match = re.fullmatch(r"(\D+)(\d+)", names[-1])
    if match is None:
        return ()
    prefix, last, count = match[1], int(match[2]), 0
    while count < len(names) and names[-1 - count] == f"{prefix}{last - count}":
        count += 1
    return names[len(names) - count :]


def join_levels(levels: list[list[str]]) -> list[str]:
    """One name for each column from names in several levels, without levels that say the same of all columns."""
    telling = [level for level in levels if len(set(level)) > 1] or levels[:1]
    return ["_".join(filter(None, parts)) for parts in zip(*telling, strict=True)]
