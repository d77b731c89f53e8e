"""The columns of a table that are measurements: which they are, and their numbers, every cell exact or explained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from forecast.errors import DataError, quote, setting
from forecast.tables import explain
from forecast.tables.input import Dialect, Notation
from forecast.tables.notation import Numbers, parse_numbers
from forecast.tables.numbers import read_numbers
from forecast.tables.spelling import no_column
from forecast.tables.table import Column, Floats, Table, as_text
from forecast.tables.timeforms import infer_form

# Names of a column that tells series apart.
SERIES_IDS = ("unique_id", "series_id", "item_id")

_COUNTERS = ("no", "no.", "nr", "id", "index", "idx", "row", "rownum", "rowid", "row_id", "row_number", "#", "num",
             "number", "obs", "record", "record_rn", "seq", "sno", "unnamed:0")  # fmt: skip
_PARTS = ("year", "month", "day", "hour", "minute", "second")

# A column of more different words is no category.
MOST_WORDS = 12

# A column of more different texts than this, and of more than half its rows, holds remarks: it tells no series apart.
_REMARKS = 1000


@dataclass(frozen=True)
class Measurements:
    """The columns of a table beside its time.

    Args:
        names: C names, in the order of the table.
        values: Float64 [R, C], NaN where missing.
        texts: Columns that could tell series apart: name -> dictionary-encoded strings, [R].
        not_numeric: Columns of words, and why each is no measurement.
        left_out: Other columns that are none, and why.
        notes: What was inferred, one sentence each.
        notation: How columns are written that hold more than plain numbers.
    """

    names: tuple[str, ...]
    values: Floats
    texts: dict[str, pa.DictionaryArray]
    not_numeric: dict[str, str]
    left_out: dict[str, str]
    notes: tuple[str, ...]
    notation: tuple[Notation, ...] = ()


def checked(table: Table, name: str, numbers: Numbers, notation: Notation | None = None) -> Floats:
    """The values of a numeric column.

    Args:
        table: The table that the column stands in, for messages.
        name: Its name.
        numbers: Its cells.
        notation: How they are written; None for plainly.

    Raises:
        DataError: If a cell is neither a finite number nor missing; names file, line, column and value.
    """
    if len(numbers.others):
        row, n_more = int(numbers.others[0]), len(numbers.others) - 1
        why, advice = explain.not_a_number(table, row, name, notation)
        more = f" {n_more:,} more cell(s) of the column cannot be read either." if n_more else ""
        raise DataError(f"{table.cell(row, name)}: {why}{more}", advice)
    for rows, why in (
        (numbers.infinite, "is infinite, or beyond the largest number"),
        (numbers.too_long, "has more digits than a number keeps"),
    ):
        if len(rows):
            row = int(rows[0])
            shown = quote(table[name][row].as_py())
            raise DataError(f"{table.cell(row, name)}: {shown} {why}.", explain.look_at_row(table, row))
    return numbers.values


def read_measurements(table: Table, of_time: frozenset[str], series_id: str | None, dialect: Dialect) -> Measurements:
    """The measurements of a table; words, row counters and parts of the date are left out.

    Args:
        table: R rows.
        of_time: The columns that tell the time, which are left out.
        series_id: The column that names the series, left out as well.
        dialect: How it is written, as far as that is known.

    Raises:
        DataError: If a cell of a numeric column is not a finite number, or no column is numeric.
    """
    candidates = [name for name in table.names if name not in of_time and name != series_id]
    wanted = _wanted(table, candidates, dialect)
    known = {notation.column: notation for notation in dialect.notation}
    categories = [name for name in wanted if name in known and known[name].words]
    written = [name for name in wanted if isinstance(table[name], pa.Array) and name not in categories]
    read, notation, notes = read_numbers(table, written, dialect, known)
    numeric: dict[str, Floats] = {}
    words: dict[str, int] = dict.fromkeys(categories, 0)
    for name in wanted:
        if name in read:
            if _is_numeric(table[name], read[name]):
                numeric[name] = checked(table, name, read[name], notation.get(name))
            else:
                words[name] = int(read[name].others[0])
        elif name in categories:
            pass
        elif table[name].dtype.kind == "f":
            numeric[name] = _finite(table, name)
        else:
            notes.append(f"A second column of times is left out: {quote(name)}.")
    asked = (*dialect.columns, *dialect.named)
    parts = [name for name in numeric if name.casefold() in _PARTS and name not in asked]
    if 0 < len(parts) < len(numeric):
        numeric = {name: values for name, values in numeric.items() if name not in parts}
        notes.append(f"Left out, as they repeat the time: {', '.join(map(quote, parts))}.")
    for name in [name for name, values in numeric.items() if _counts_rows(name, values)]:
        if len(numeric) > 1:
            del numeric[name]
            notes.append(f"Left out as a row counter: {quote(name)}.")
    if not numeric:
        raise _nothing_numeric(table, words)
    _refuse_headless(table, of_time.union(numeric))
    not_numeric = {
        name: f"{table.cell(row, name)}: {explain.not_a_number(table, row, name)[0]}" for name, row in words.items()
    }
    texts = {name: _as_words(table[name]) for name in words}
    left_out = {name: "It was not asked for." for name in candidates if name not in wanted}
    if series_id is not None:
        texts[series_id] = _as_words(table[series_id])
    elif left_out:  # one of them may tell series apart
        texts |= {name: _as_words(table[name]) for name in left_out if _begins_with_words(table[name])}
    for name in [name for name, cells in texts.items() if name != series_id and _are_remarks(cells)]:
        cells = texts.pop(name)
        if name in words:
            not_numeric[name] = f"It holds {len(cells.dictionary):,} different words in {len(cells):,} rows: remarks."
    used = tuple(notation[name] for name in numeric if name in notation)
    values = np.column_stack(list(numeric.values()))
    return Measurements(tuple(numeric), values, texts, not_numeric, left_out, tuple(notes), used)


def _wanted(table: Table, candidates: list[str], dialect: Dialect) -> list[str]:
    """The candidates that are asked for: all, unless some are named."""
    for name in dialect.columns:
        if name not in table.names:
            raise no_column(name, setting("columns"), table.names)
    return [name for name in candidates if name in dialect.columns] if dialect.columns else candidates


def _as_words(column: Column) -> pa.DictionaryArray:
    return pc.dictionary_encode(pc.utf8_trim_whitespace(as_text(column)))


def _begins_with_words(column: Column) -> bool:
    return isinstance(column, pa.Array) and len(parse_numbers(column.slice(0, _REMARKS)).others) > 0


def _is_numeric(cells: pa.Array, numbers: Numbers) -> bool:
    """Whether a column is meant as numbers, if badly written ones; a column of words, or of codes, is not."""
    if not len(numbers.others):
        return True
    sample = [text.strip() for text in cells.take(pa.array(numbers.others[:200])).to_pylist()]
    if sum(map(explain.is_decorated, sample)) * 2 > len(sample):
        return True
    return numbers.count >= len(numbers.others) and not _are_codes(cells, numbers)


def _are_codes(cells: pa.Array, numbers: Numbers) -> bool:
    """Whether numbers among words are words, too: codes such as 0, a, b and c, at least as many words as numbers."""
    words = pc.count_distinct(cells.take(pa.array(numbers.others))).as_py()
    values = np.unique(numbers.values[~np.isnan(numbers.values)])
    return len(values) <= words and words + len(values) <= MOST_WORDS and bool((values == np.rint(values)).all())


def _finite(table: Table, name: str) -> Floats:
    values: Floats = table[name]
    endless = np.isinf(values)
    if endless.any():
        row = int(np.argmax(endless))
        raise DataError(f"{table.cell(row, name)}: {values[row]} is not finite.", "Write a missing value as NaN.")
    return values


def names_a_counter(name: str) -> bool:
    """Whether a column is called as one that numbers the rows."""
    return name.casefold().replace(" ", "") in _COUNTERS


def _counts_rows(name: str, values: Floats) -> bool:
    """Whether a column numbers the rows, in whatever order they stand."""
    if not names_a_counter(name) or np.isnan(values).any():
        return False
    unique = np.unique(values)
    whole = (unique == np.rint(unique)).all()
    return bool(whole and len(unique) > 0.9 * len(values) and unique[-1] - unique[0] == len(unique) - 1)


def _are_remarks(cells: pa.DictionaryArray) -> bool:
    return len(cells.dictionary) > max(_REMARKS, len(cells) / 2)


def _nothing_numeric(table: Table, words: dict[str, int]) -> DataError:
    what = f"{table.source.label} has no numeric column beside its time."
    if not words:
        return DataError(what, "Add the values to forecast as a further column.")
    name, row = next(iter(words.items()))
    why, advice = explain.not_a_number(table, row, name)
    return DataError(f"{what} {table.cell(row, name)}: {why}", advice)


def _refuse_headless(table: Table, used: frozenset[str]) -> None:
    """Refuse a file whose first line is data: read as a header, it would be lost."""
    if table.lines is None:
        return
    values = {name for name in table.names if parse_numbers(pa.array([name])).count or infer_form([name])}
    if values and used <= values:
        raise explain.no_header(table.source, table.names, table.delimiter)
