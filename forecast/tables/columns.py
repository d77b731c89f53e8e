"""Which columns of a table are measurements, and their values."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from forecast.errors import DataError
from forecast.tables.numerals import Numbers, comma_role, decorated, explain, parse_numbers
from forecast.tables.source import show
from forecast.tables.stamps import Stamps
from forecast.tables.table import Floats, Table
from forecast.tables.timeformats import guess

_COUNTERS = ("no", "no.", "nr", "id", "index", "idx", "row", "rownum", "rowid", "row_id", "row_number", "#", "num",
             "number", "obs", "record", "seq", "sno", "unnamed:0")  # fmt: skip
_PARTS = ("year", "month", "day", "hour", "minute", "second")


@dataclass(frozen=True)
class Measured:
    """The columns of a table beside its time.

    Args:
        names: C names, in the order of the table.
        values: Float64 [R, C], NaN where missing.
        texts: The columns of words, which could tell series apart, and why each is no measurement.
        notes: What was inferred, one sentence each.
    """

    names: tuple[str, ...]
    values: Floats
    texts: dict[str, str]
    notes: tuple[str, ...]


def read_columns(
    table: Table, stamps: Stamps, series_id: str | None, decimal: str | None = None, thousands: str | None = None
) -> Measured:
    """The measurements of a table; words, row counters and parts of the date are left out.

    Args:
        table: R rows.
        stamps: Their times; the columns that these were made from are left out.
        series_id: The column that names the series, left out as well.
        decimal: What stands before the fraction; None infers it.
        thousands: What groups the digits by three; None for nothing.

    Raises:
        DataError: If a cell of a numeric column is not a finite number, or no column is numeric.
    """
    candidates = [name for name in table.names if name not in stamps.used and name != series_id]
    read, notes = _numbers(
        table, [name for name in candidates if isinstance(table[name], pa.Array)], decimal, thousands
    )
    numeric: dict[str, Floats] = {}
    texts: dict[str, int] = {}
    for name in candidates:
        if name in read:
            if _is_numeric(table[name], read[name]):
                numeric[name] = checked(table, name, read[name])
            else:
                texts[name] = int(read[name].words[0])
        elif table[name].dtype.kind == "f":
            numeric[name] = _finite(table, name)
        else:
            notes.append(f"A second column of times is left out: {show(name)}.")
    parts = [name for name in numeric if name.casefold() in _PARTS]
    if 0 < len(parts) < len(numeric):
        numeric = {name: values for name, values in numeric.items() if name not in parts}
        notes.append(f"Left out, as they repeat the time: {', '.join(map(show, parts))}.")
    for name in [name for name in numeric if _counts_rows(name, numeric[name])]:
        if len(numeric) > 1:
            del numeric[name]
            notes.append(f"Left out as a row counter: {show(name)}.")
    if not numeric:
        raise _nothing_numeric(table, texts)
    _refuse_headless(table, numeric, stamps)
    why = {name: f"{table.cell(row, name)}: {explain(table, row, name)[0]}" for name, row in texts.items()}
    return Measured(tuple(numeric), np.column_stack(list(numeric.values())), why, tuple(notes))


def _numbers(
    table: Table, names: list[str], decimal_mark: str | None, thousands_mark: str | None
) -> tuple[dict[str, Numbers], list[str]]:
    """Each text column read as numbers; decimal commas are taken where a column leaves no other reading."""
    decimal, thousands = decimal_mark or ".", thousands_mark or ""
    if decimal not in (".", ","):
        raise DataError(
            f"--decimal {show(decimal)} is neither a point nor a comma.", table.source.command("--decimal ,")
        )
    if len(thousands) > 1 or thousands == decimal or thousands.isalnum() or thousands in ("+", "-"):
        raise DataError(
            f"--thousands {show(thousands)} is not one mark other than the decimal {show(decimal)}.",
            table.source.command("--thousands ,"),
        )
    read = {name: parse_numbers(table[name], decimal, thousands) for name in names}
    if decimal_mark is not None or thousands_mark is not None:
        return read, []
    roles = {name: comma_role(table[name], numbers.words) for name, numbers in read.items() if len(numbers.words)}
    if "decimal" not in roles.values():
        return read, []
    written = [name for name, role in roles.items() if role]
    read |= {name: parse_numbers(table[name], ",") for name in written}
    return read, [f"Decimal commas in {', '.join(map(show, written))}."]


def _is_numeric(cells: pa.Array, numbers: Numbers) -> bool:
    """Whether a column is meant as numbers, if badly written ones; a column of words is not."""
    if numbers.count >= len(numbers.words):
        return True
    sample = [text.strip() for text in cells.take(pa.array(numbers.words[:200])).to_pylist()]
    marked = re.compile(r"[+-]?\d+((,\d+)+(\.\d+)?|(\.\d+)+,\d*|\.\d*)")
    odd = sum(decorated(text) or marked.fullmatch(text) is not None for text in sample)
    return odd * 2 > len(sample)


def checked(table: Table, name: str, numbers: Numbers) -> Floats:
    """The values of a numeric column, every cell of which is a finite number or missing.

    Args:
        table: Where the column stands, for messages.
        name: Its name.
        numbers: What was read.

    Raises:
        DataError: If a cell is neither; names file, line, column and value.
    """
    if len(numbers.words):
        row = int(numbers.words[0])
        why, hint = explain(table, row, name)
        others = len(numbers.words) - 1
        more = f" {others:,} more cell(s) of the column cannot be read either." if others else ""
        raise DataError(f"{table.cell(row, name)}: {why}{more}", hint)
    for rows, why in (
        (numbers.infinite, "is infinite, or beyond the largest number"),
        (numbers.long, "has more digits than a number keeps"),
    ):
        if len(rows):
            row = int(rows[0])
            raise DataError(f"{table.cell(row, name)}: {show(table[name][row].as_py())} {why}.", table.look(row))
    return numbers.values


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


def _nothing_numeric(table: Table, texts: dict[str, int]) -> DataError:
    what = f"{table.source.label} has no numeric column beside its time."
    if not texts:
        return DataError(what, "Add the values to forecast as a further column.")
    name, row = next(iter(texts.items()))
    why, hint = explain(table, row, name)
    return DataError(f"{what} {table.cell(row, name)}: {why}", hint)


def _refuse_headless(table: Table, numeric: dict[str, Floats], stamps: Stamps) -> None:
    """Refuse a file whose first line is data: read as a header, it would be lost."""
    if table.lines is None:
        return
    values = {name for name in table.names if parse_numbers(pa.array([name])).count or guess([name])}
    if values and all(name in values for name in table.names if name in numeric or name in stamps.used):
        header = ",".join(["time", *(f"value{i}" for i in range(1, len(table.names)))])
        raise DataError(
            f"{table.source.label} has no header: its first line is {show(', '.join(table.names))}.",
            f"Name the columns: (echo '{header}'; {table.source.piped('cat')}) | forecast inspect -",
        )
