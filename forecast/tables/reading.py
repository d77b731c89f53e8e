"""A file or a DataFrame, read: its times, its measurements, and the texts that could tell series apart.

A long file is read in chunks, so that its text and its numbers never stand in memory together. Each chunk is read as a
whole table would be. Where all of them agree on the time, its form and the columns, so would the whole, and their
numbers are put together. Where they do not, or one is in doubt, the file is read again in one piece.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecast.errors import DataError, EmptyError, MachineError, setting
from forecast.memory import core_count
from forecast.tables.bytes import CHUNK, TooLargeError
from forecast.tables.columns import SERIES_IDS, Measurements, names_a_counter, read_measurements
from forecast.tables.find_times import find_steps, find_times_or_steps
from forecast.tables.formats import Chunk, read_table, read_tables
from forecast.tables.frames import from_frame
from forecast.tables.input import Dialect, Input, series_keys
from forecast.tables.plain import PlainText, plain_text
from forecast.tables.spelling import no_column
from forecast.tables.table import Table, as_text
from forecast.tables.timecells import TimeColumn
from forecast.tables.timeparts import names_a_clock
from forecast.tables.wide import turned


@dataclass(frozen=True)
class Columns:
    """What was read of a table.

    Args:
        table: Where it came from and where its R rows stand, for messages; without its columns.
        time: The time of each row.
        series_id: The column that tells series apart by its name, or is said to; None if there is none.
        measured: Its measurements.
    """

    table: Table
    time: TimeColumn
    series_id: str | None
    measured: Measurements


def read_columns(found: Input, frame: pd.DataFrame | None, dialect: Dialect) -> Columns:
    """The columns of a file, of standard input, or of a DataFrame.

    Args:
        found: What is read.
        frame: The DataFrame; None for the bytes of ``found``.
        dialect: How it is written, as far as that is known.

    Raises:
        DataError: If it cannot be read or is ambiguous, or a cell is not what its column is; names line, column, value.
        MachineError: If the disk fails while reading.
    """
    if frame is not None:
        return columns_of(from_frame(frame, found, dialect), dialect)
    if found.content is None or len(found.content) > CHUNK:
        try:
            return _joined(_read_ahead(read_tables(found, dialect, in_one_piece=False), dialect))
        except TooLargeError:
            raise
        except (DataError, OSError, pa.ArrowException):
            pass  # the whole file tells what is wrong, or settles what the chunks disagree on
    try:
        return columns_of(read_table(found, dialect), dialect)
    except OSError as error:
        raise MachineError(f"{found.label} could not be read: {error}.", "Check the disk, then try again.") from error


def _read_ahead(parts: Iterator[Table | Chunk], dialect: Dialect) -> Iterator[Columns]:
    """The columns of each part, in order; all cores read, as many parts ahead as there are cores."""
    n_cores = core_count()
    plain: tuple[Columns, PlainText] | None = None
    with ThreadPoolExecutor(n_cores) as cores:
        coming: deque[Future[Columns]] = deque()
        for number, part in enumerate(parts):
            coming.append(cores.submit(_columns_of_part, part, dialect, plain))
            if number == 0 and isinstance(part, Table):
                first = coming[0].result()
                written = plain_text(part, first.time, first.measured, dialect)
                plain = None if written is None else (first, written)
            if len(coming) > n_cores:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def _columns_of_part(part: Table | Chunk, dialect: Dialect, plain: tuple[Columns, PlainText] | None) -> Columns:
    """The columns of a part; of plain text as those of its first part."""
    if isinstance(part, Table):
        return columns_of(part, dialect)
    if plain is not None:
        first, written = plain
        if (read := written.read(part)) is not None:
            times, values = read
            return replace(
                first, time=replace(first.time, times=times), measured=replace(first.measured, values=values)
            )
    return columns_of(part.table(), dialect)


def columns_of(table: Table, dialect: Dialect) -> Columns:
    """The columns of a table that is in memory.

    Raises:
        DataError: If it is ambiguous, or a cell is not what its column is; names line, column and value.
    """
    series_id = dialect.series_id
    if dialect.time_column is None and dialect.wide is not False:
        table, of_rows = turned(table, is_stepped=dialect.freq == "step")
        series_id = series_id or of_rows
    table = _with_keys(table, series_id)
    usual = next((name for name in table.names if name.casefold() in SERIES_IDS), None)
    if series_id is None or (series_id not in table.names and usual):
        series_id = usual  # rows in the long format, perhaps for a run that was trained on a file with other names
    elif series_id not in table.names:
        raise no_column(series_id, setting("series_id"), table.names)
    if dialect.freq == "step":
        time = find_steps(table, dialect.time_column, dialect.date_format, series_id)
    else:
        time = find_times_or_steps(table, dialect.time_column, dialect.date_format, series_id)
    if (left_out := np.isnat(time.times)).any():
        kept = np.flatnonzero(~left_out)
        table, time = table.take(kept), replace(time, times=time.times[kept])
    measured = read_measurements(table, time.used, series_id, dialect)
    return Columns(replace(table, columns=()), time, series_id, measured)


def _marked(cells: pa.Array) -> pa.Array:
    """Each cell as by `key_part`."""
    return pc.replace_substring(pc.replace_substring(cells, "\\", "\\\\"), "/", "\\/")


def _with_keys(table: Table, series_id: str | None) -> Table:
    """The table with the columns that together name its series, such as ``store,item``, joined into one."""
    keys = series_keys(series_id or "")
    if series_id in table.names or len(keys) < 2 or not set(keys) <= set(table.names):
        return table
    cells = [pc.utf8_trim_whitespace(as_text(table[key])) for key in keys]
    joined = pc.binary_join_element_wise(*map(_marked, cells), "/")
    for some in cells:  # a part that is missing is no name
        joined = pc.if_else(pc.equal(some, ""), "", joined)
    kept = [i for i, name in enumerate(table.names) if name not in keys]
    return replace(
        table,
        names=(str(series_id), *(table.names[i] for i in kept)),
        columns=(joined, *(table.columns[i] for i in kept)),
    )


def _joined(chunks: Iterator[Columns]) -> Columns:
    """The chunks of one table as one; a single chunk as it is.

    Raises:
        DataError: If one of several is in doubt, or says otherwise than the first.
    """
    first = next(chunks, None)
    if first is None:
        raise EmptyError("The table has no rows.", "Give at least a few dozen rows of data.")
    values, times = first.measured.values, first.time.times
    texts = {name: [cells] for name, cells in first.measured.texts.items()}
    for chunk in chunks:
        if _is_doubtful(first) or _is_doubtful(chunk) or _agreement(chunk) != _agreement(first):
            raise DataError("The chunks of the table disagree.")
        if values is first.measured.values:
            values, times = values.copy(), times.copy()
        done, n_rows = len(times), len(times) + len(chunk.time.times)
        # Grown in place: a list of chunks and their concatenation would hold every number twice.
        values.resize((n_rows, values.shape[1]), refcheck=False)
        times.resize(n_rows, refcheck=False)
        values[done:], times[done:] = chunk.measured.values, chunk.time.times
        for name, cells in chunk.measured.texts.items():
            texts[name].append(cells)
        pa.default_memory_pool().release_unused()  # the cells, whose numbers are kept
    if values is first.measured.values:
        return first
    joined_texts = {name: pa.concat_arrays(cells) for name, cells in texts.items()}
    measured = replace(first.measured, values=values, texts=joined_texts)
    start = None if first.table.lines is None else first.table.lines[0]
    table = replace(first.table, lines=None if start is None else range(start, start + len(times)))
    return Columns(table, replace(first.time, times=times), first.series_id, measured)


def _agreement(part: Columns) -> tuple[object, ...]:
    """What all chunks of a table must have alike."""
    time, measured = part.time, part.measured
    of_columns = part.table.names, part.series_id, measured.names, set(measured.texts), set(measured.not_numeric)
    return (
        *of_columns,
        part.table.notes,
        measured.notes,
        measured.notation,
        time.form,
        time.used,
        time.zoned,
        time.zone,
        time.whole_days,
        time.notes,
    )


def _is_doubtful(part: Columns) -> bool:
    """Whether something in a chunk can be counted or judged only over the whole table.

    That is what was mended, a column that may number the rows, and days that a column of the time of day belongs to.
    """
    table, time = part.table, part.time
    clocks = time.whole_days and any(names_a_clock(name) for name in table.names if name not in time.used)
    counted = time.elapsed is not None
    return (
        counted
        or bool(table.warnings or time.warnings)
        or time.by_all_rows
        or clocks
        or any(map(names_a_counter, table.names))
    )
