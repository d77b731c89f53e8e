"""The columns of a table that are measurements: which they are, and their numbers, every cell exact or explained."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from forecast.errors import DataError, quote, setting
from forecast.tables import explain
from forecast.tables.input import read_output_of
from forecast.tables.table import Bools, Floats, Ints, Table, as_text
from forecast.tables.timeforms import infer_form

# How tables write "nothing was measured", in lower case.
MISSING = ("", "-", "--", "?", ".", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "null", "none", "nil", "nat", "(null)")

# Names of a column that tells series apart.
SERIES_IDS = ("unique_id", "series_id", "item_id")

_COUNTERS = ("no", "no.", "nr", "id", "index", "idx", "row", "rownum", "rowid", "row_id", "row_number", "#", "num",
             "number", "obs", "record", "seq", "sno", "unnamed:0")  # fmt: skip
_PARTS = ("year", "month", "day", "hour", "minute", "second")

# A column of more different texts than this, and of more than half its rows, holds remarks: it tells no series apart.
_REMARKS = 1000


@dataclass(frozen=True)
class Numbers:
    """A column of R cells read as numbers.

    Args:
        values: Float64 [R], NaN where a cell is missing or no number.
        missing: Which cells are written as missing, [R].
        others: Rows whose cell is neither a number nor missing.
        infinite: Rows whose number is infinite or beyond the range of float64.
        too_long: Rows whose integer has more digits than any number type keeps.
    """

    values: Floats
    missing: Bools
    others: Ints
    infinite: Ints
    too_long: Ints

    @property
    def count(self) -> int:
        """How many cells are numbers."""
        return len(self.values) - int(self.missing.sum()) - len(self.others)


@dataclass(frozen=True)
class Measurements:
    """The columns of a table beside its time.

    Args:
        names: C names, in the order of the table.
        values: Float64 [R, C], NaN where missing.
        texts: Columns that could tell series apart: name -> dictionary-encoded strings, [R].
        not_numeric: Columns of words, and why each is no measurement.
        notes: What was inferred, one sentence each.
    """

    names: tuple[str, ...]
    values: Floats
    texts: dict[str, pa.DictionaryArray]
    not_numeric: dict[str, str]
    notes: tuple[str, ...]


def is_missing(cells: pa.Array) -> Bools:
    """Which cells are written as missing, [R]."""
    folded = pc.utf8_lower(pc.ascii_trim_whitespace(cells))
    return pc.is_in(folded, pa.array(MISSING)).to_numpy(zero_copy_only=False)


def parse_numbers(cells: pa.Array, decimal: str = ".", thousands: str = "") -> Numbers:
    """The numbers of a column of text.

    Args:
        cells: R strings.
        decimal: What stands before the fraction.
        thousands: What groups the digits by three; empty for nothing.
    """
    none = np.zeros(0, np.int64)
    if decimal == "." and not thousands:
        try:
            values = pc.cast(cells, pa.float64()).to_numpy(zero_copy_only=False)
            if np.isfinite(values).all() and (not len(values) or np.abs(values).max() < 1e18):
                return Numbers(values, np.zeros(len(values), bool), none, none, none)
        except pa.ArrowInvalid:
            pass  # a cell is missing or no plain number
    trimmed = pc.ascii_trim_whitespace(cells)
    missing = is_missing(trimmed)
    point, group = re.escape(decimal), re.escape(thousands)
    whole = rf"(?:\d{{1,3}}(?:{group}\d{{3}})+|\d+)" if thousands else r"\d+"
    number = pc.match_substring_regex(trimmed, rf"^[+-]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?$")
    endless = pc.match_substring_regex(trimmed, r"^[+-]?[iI][nN][fF](?:[iI][nN][iI][tT][yY])?$")
    endless = endless.to_numpy(zero_copy_only=False)
    plain = pc.replace_substring(trimmed, thousands, "") if thousands else trimmed
    plain = pc.replace_substring(plain, decimal, ".") if decimal != "." else plain
    values = pc.cast(pc.if_else(number, plain, pa.scalar(None, pa.string())), pa.float64())
    values = values.to_numpy(zero_copy_only=False).astype(np.float64)
    others = ~(missing | number.to_numpy(zero_copy_only=False) | endless)
    large = np.flatnonzero(np.abs(values) >= 1e18)
    too_long = [row for row in large if re.fullmatch(r"[+-]?\d{19,}", plain[int(row)].as_py())]
    infinite = np.flatnonzero(np.isinf(values) | endless)
    return Numbers(values, missing, np.flatnonzero(others), infinite, np.array(too_long, np.int64))


def checked(table: Table, name: str, numbers: Numbers) -> Floats:
    """The values of a numeric column.

    Args:
        table: The table that the column stands in, for messages.
        name: Its name.
        numbers: Its cells.

    Raises:
        DataError: If a cell is neither a finite number nor missing; names file, line, column and value.
    """
    if len(numbers.others):
        row, n_more = int(numbers.others[0]), len(numbers.others) - 1
        why, advice = explain.not_a_number(table, row, name)
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


def read_measurements(
    table: Table, of_time: frozenset[str], series_id: str | None, decimal: str | None, thousands: str | None
) -> Measurements:
    """The measurements of a table; words, row counters and parts of the date are left out.

    Args:
        table: R rows.
        of_time: The columns that tell the time, which are left out.
        series_id: The column that names the series, left out as well.
        decimal: What stands before the fraction; None infers it.
        thousands: What groups the digits by three; None for nothing.

    Raises:
        DataError: If a cell of a numeric column is not a finite number, or no column is numeric.
    """
    candidates = [name for name in table.names if name not in of_time and name != series_id]
    written = [name for name in candidates if isinstance(table[name], pa.Array)]
    read, notes = _read_numbers(table, written, decimal, thousands)
    numeric: dict[str, Floats] = {}
    words: dict[str, int] = {}
    for name in candidates:
        if name in read:
            if _is_numeric(table[name], read[name]):
                numeric[name] = checked(table, name, read[name])
            else:
                words[name] = int(read[name].others[0])
        elif table[name].dtype.kind == "f":
            numeric[name] = _finite(table, name)
        else:
            notes.append(f"A second column of times is left out: {quote(name)}.")
    parts = [name for name in numeric if name.casefold() in _PARTS]
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
    texts = {name: pc.dictionary_encode(table[name]) for name in words}
    texts = {name: cells for name, cells in texts.items() if not _are_remarks(cells)}
    if series_id is not None:
        texts[series_id] = pc.dictionary_encode(as_text(table[series_id]))
    return Measurements(tuple(numeric), np.column_stack(list(numeric.values())), texts, not_numeric, tuple(notes))


def _read_numbers(
    table: Table, names: list[str], decimal: str | None, thousands: str | None
) -> tuple[dict[str, Numbers], list[str]]:
    """Each text column read as numbers; decimal commas are taken where a column leaves no other reading."""
    point, group = decimal or ".", thousands or ""
    if point not in (".", ","):
        raise DataError(
            f"{setting('decimal')} {quote(point)} is neither a point nor a comma.", table.source.retry(decimal=",")
        )
    if len(group) > 1 or group == point or group.isalnum() or group in ("+", "-"):
        raise DataError(
            f"{setting('thousands')} {quote(group)} is not one mark other than the decimal {quote(point)}.",
            table.source.retry(thousands=","),
        )
    read = {name: parse_numbers(table[name], point, group) for name in names}
    if decimal is not None or thousands is not None:
        return read, []
    roles = {name: _role_of_commas(table[name], numbers.others) for name, numbers in read.items()}
    if "decimal" not in roles.values():
        return read, []
    with_commas = [name for name, role in roles.items() if role]
    read |= {name: parse_numbers(table[name], ",") for name in with_commas}
    return read, [f"Decimal commas in {', '.join(map(quote, with_commas))}."]


def _role_of_commas(cells: pa.Array, others: Ints) -> str:
    """What the commas in cells that are no plain numbers are: ``decimal`` for certain, ``unclear``, or neither."""
    texts = pc.ascii_trim_whitespace(cells.take(pa.array(others)))
    with_comma = pc.match_substring_regex(texts, r"^[+-]?\d+,\d+$").to_numpy(zero_copy_only=False)
    if not with_comma.any():
        return ""
    grouped = pc.match_substring_regex(texts, r"^[+-]?[1-9]\d{0,2}(?:,\d{3})+$").to_numpy(zero_copy_only=False)
    pointed = pc.match_substring(pc.ascii_trim_whitespace(cells), ".").to_numpy(zero_copy_only=False)
    if not with_comma.all() or pointed.any():
        return "unclear" if (with_comma | grouped).mean() > 0.5 else ""
    return "unclear" if grouped.all() else "decimal"


def _is_numeric(cells: pa.Array, numbers: Numbers) -> bool:
    """Whether a column is meant as numbers, if badly written ones; a column of words is not."""
    if numbers.count >= len(numbers.others):
        return True
    sample = [text.strip() for text in cells.take(pa.array(numbers.others[:200])).to_pylist()]
    grouped = re.compile(r"[+-]?\d+((,\d+)+(\.\d+)?|(\.\d+)+,\d*|\.\d*)")
    odd = sum(explain.is_decorated(text) or grouped.fullmatch(text) is not None for text in sample)
    return odd * 2 > len(sample)


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
        header = ",".join(["time", *(f"value{i}" for i in range(1, len(table.names)))])
        named = read_output_of(f"(echo '{header}'; {table.source.piped('cat')})")
        raise DataError(
            f"{table.source.label} has no header: its first line is {quote(', '.join(table.names))}.",
            f"Name the columns: {named}",
        )
