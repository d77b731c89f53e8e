"""A long table read block by block, so that its text and its numbers never stand in memory together.

Each block is read with the same eyes as a whole table. Where all of them agree on the time, its format and the columns,
so would the whole, and their numbers are put together. Where they do not, or one is in doubt, the table is read whole.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from forecast.config import ReadOptions
from forecast.data.rows import Series, are_one_series, by_column, find_series, named_series, single_series
from forecast.errors import DataError
from forecast.memory import check_memory
from forecast.tables import scan
from forecast.tables.columns import Measured, names_a_counter, read_columns
from forecast.tables.encoding import decode
from forecast.tables.source import Source, origin_of
from forecast.tables.stamps import Stamps, find_stamps, names_a_clock
from forecast.tables.table import Table, from_frame, without_empty_rows

# A shorter file is read whole, in bytes.
LONG = 1 << 25

# Bytes of text and rows of Parquet in a block.
BYTES, ROWS = 1 << 23, 1 << 17

# Beside its measurements a row takes its time, and what the checks calculate of them.
_BYTES_OF_ROW = 64

# Encodings in which a byte 10 is the end of a line and nothing else.
_BYTEWISE = re.compile(r"utf-?8(-sig)?|latin-?1|cp125\d|iso-?8859-\d+|ascii", re.I)
_LONGEST_LINE = 1 << 20


@dataclass(frozen=True)
class Gathered:
    """What was read of a table.

    Args:
        table: Where it came from and where its rows stand, for messages; without its columns.
        stamps: The time of each row, [R].
        measured: Its measurements.
        series: The series of each row.
    """

    table: Table
    stamps: Stamps
    measured: Measured
    series: Series


def gather_whole(table: Table, options: ReadOptions) -> Gathered:
    """Read a table that is in memory.

    Raises:
        DataError: If it is ambiguous, or a cell is not what its column is; names line, column and value.
    """
    named = named_series(table, options)
    stamps = find_stamps(table, options.time_column, options.date_format)
    measured = read_columns(table, stamps, named, options.decimal, options.thousands)
    series = find_series(table, stamps.times, measured, named)
    return Gathered(replace(table, columns=()), stamps, measured, series)


def gather_blocks(path: str | Path, options: ReadOptions) -> Gathered | None:
    """Read a long file of plain text or Parquet block by block; None where it must be read whole.

    Raises:
        DataError: If its numbers would not fit into memory.
    """
    try:
        if not os.path.isfile(path) or os.path.getsize(path) < LONG:
            return None
        with open(path, "rb") as file:
            header = file.readline(_LONGEST_LINE)
        named_text = Path(path).suffix.lower() in (".csv", ".tsv", ".txt")
        if header.startswith((b"\x1f\x8b", b"PK")) or (header.startswith(b"PAR1") and named_text):
            return None
        if b"\0" in header and not header.startswith(b"PAR1"):
            return None  # no text, and its lines need not be counted to be refused
        origin = origin_of(str(path))
        if header.startswith(b"PAR1"):
            parquet = pa.parquet.ParquetFile(path)
            blocks, n_rows = _blocks_of_parquet(parquet, origin), parquet.metadata.num_rows
            n_columns = parquet.metadata.num_columns
        elif options.skip_rows or not _BYTEWISE.fullmatch(options.encoding or "utf-8"):
            return None
        else:
            blocks, n_rows = _blocks_of_text(Path(path), origin, options), _count_lines(Path(path))
            n_columns = max(header.count(mark) for mark in b",;\t|")
    except (OSError, ValueError, pa.ArrowException):
        return None  # the error is explained where the file is read whole
    check_memory(n_rows * (8 * n_columns + _BYTES_OF_ROW), origin.label)
    try:
        return _gathered(blocks, n_rows, origin, options)
    except (DataError, OSError, pa.ArrowException):
        return None


def _count_lines(path: Path) -> int:
    """The lines of a file, one more where the last of them has an end."""
    with path.open("rb") as file:
        return 1 + sum(block.count(b"\n") for block in iter(lambda: file.read(BYTES), b""))


def _blocks_of_text(path: Path, origin: Source, options: ReadOptions) -> Iterator[Table]:
    """The rows of a text, each block below the header.

    Raises:
        DataError: If a row is no line of its own.
    """
    mark, done = options.delimiter, 0
    with path.open("rb") as file:
        header = file.readline(_LONGEST_LINE)
        while text := file.read(BYTES):
            text += file.readline(_LONGEST_LINE)
            cells = scan.read_cells(decode(replace(origin, data=header + text), options.encoding), mark)
            table = Table(origin, cells.names, cells.columns, cells.lines + done, warnings=cells.warnings)
            n_lines = text.count(b"\n") + (not text.endswith(b"\n"))
            if not len(without_empty_rows(table)) == len(table) == n_lines:
                raise DataError("A row is no line of its own.")
            mark, done = cells.delimiter, done + n_lines
            yield table


def _blocks_of_parquet(file: pa.parquet.ParquetFile, origin: Source) -> Iterator[Table]:
    for batch in file.iter_batches(ROWS):
        yield from_frame(pa.Table.from_batches([batch]).to_pandas(), origin)


def _gathered(blocks: Iterable[Table], n_rows: int, origin: Source, options: ReadOptions) -> Gathered | None:
    """What the blocks hold together; None where one is in doubt or says otherwise than the first.

    Args:
        blocks: Of one table.
        n_rows: Their rows, at most.
        origin: What messages call it.
        options: What is not to be inferred.

    Raises:
        DataError: If a block cannot be read.
    """
    agreed: tuple[object, ...] = ()
    ids: dict[str, int] = {}
    done = 0
    for table in blocks:
        named = named_series(table, options)
        stamps = find_stamps(table, options.time_column, options.date_format)
        measured = read_columns(table, stamps, named, options.decimal, options.thousands)
        columns = table.names, measured.names, tuple(measured.texts), named
        said = (*columns, measured.notes, stamps.used, stamps.zoned, stamps.whole_days, stamps.notes)
        if not agreed:
            agreed, texts = said, measured.texts
            values, times = np.empty((n_rows, len(measured.names))), np.empty(n_rows, "datetime64[us]")
            codes = np.empty(n_rows if named else 0, np.int64)
        rows = slice(done, done + len(table))
        if said != agreed or _is_doubtful(table, stamps) or rows.stop > n_rows:
            return None
        values[rows], times[rows] = measured.values, stamps.times
        if named:
            of_block = by_column(table, named)
            codes[rows] = np.array([ids.setdefault(name, len(ids)) for name in of_block.ids])[of_block.codes]
        done = rows.stop
    if not agreed:
        return None
    times = times[:done]
    if named:
        names = tuple(sorted(ids))
        series = Series(named, names, np.argsort([ids[name] for name in names])[codes[:done]])
    elif are_one_series(times):
        series = single_series(done)
    else:
        return None
    lines = None if table.lines is None else range(2, done + 2)
    return Gathered(
        Table(origin, table.names, (), lines),
        replace(stamps, times=times),
        replace(measured, values=values[:done], texts=texts),
        series,
    )


def _is_doubtful(table: Table, stamps: Stamps) -> bool:
    """Whether what was mended must be counted over the whole table, or only the whole tells what a column is."""
    mended = table.warnings or stamps.warnings
    days = stamps.whole_days and any(names_a_clock(name) for name in table.names if name not in stamps.used)
    return bool(mended) or days or any(names_a_counter(name) for name in table.names)
