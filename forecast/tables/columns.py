"""The columns of a table that are measurements: which they are, and their numbers, every cell exact or explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from forecast.errors import DataError, quote, setting
from forecast.tables import explain
from forecast.tables.input import Dialect, Notation, read_output_of
from forecast.tables.notation import Numbers, infer_notation, is_missing, parse_as, parse_numbers, without_words
from forecast.tables.table import Column, Floats, Table, as_text
from forecast.tables.timeforms import infer_form

# Names of a column that tells series apart.
SERIES_IDS = ("unique_id", "series_id", "item_id")

_COUNTERS = ("no", "no.", "nr", "id", "index", "idx", "row", "rownum", "rowid", "row_id", "row_number", "#", "num",
             "number", "obs", "record", "seq", "sno", "unnamed:0")  # fmt: skip
_PARTS = ("year", "month", "day", "hour", "minute", "second")

# Fewer points before three digits each may be chance.
_FEWEST_POINTS = 5

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
    read, notation, notes = _read_numbers(table, written, dialect, known)
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
    texts = {name: _as_words(table[name]) for name in words}
    left_out = {name: "It was not asked for." for name in candidates if name not in wanted}
    if series_id is not None:
        texts[series_id] = _as_words(table[series_id])
    elif left_out:  # one of them may tell series apart
        texts |= {name: _as_words(table[name]) for name in left_out if _begins_with_words(table[name])}
    texts = {name: cells for name, cells in texts.items() if name == series_id or not _are_remarks(cells)}
    used = tuple(notation[name] for name in numeric if name in notation)
    values = np.column_stack(list(numeric.values()))
    return Measurements(tuple(numeric), values, texts, not_numeric, left_out, tuple(notes), used)


def _wanted(table: Table, candidates: list[str], dialect: Dialect) -> list[str]:
    """The candidates that are asked for: all, unless some are named."""
    for name in dialect.columns:
        if name not in table.names:
            listed = ", ".join(map(quote, table.names[:20]))
            raise DataError(f"There is no column {quote(name)} for {setting('columns')}.", f"Columns: {listed}.")
    return [name for name in candidates if name in dialect.columns] if dialect.columns else candidates


def _as_words(column: Column) -> pa.DictionaryArray:
    return pc.dictionary_encode(pc.utf8_trim_whitespace(as_text(column)))


def _begins_with_words(column: Column) -> bool:
    return isinstance(column, pa.Array) and len(parse_numbers(column.slice(0, _REMARKS)).others) > 0


def _read_numbers(
    table: Table, names: list[str], dialect: Dialect, known: Mapping[str, Notation]
) -> tuple[dict[str, Numbers], dict[str, Notation], list[str]]:
    """Each text column read as numbers, how those are written that are not plain, and what was inferred."""
    given = given_marks(table, dialect)
    cells = {name: _without_words(table[name], dialect) for name in names}
    notation = {name: known[name] for name in names if name in known}
    read = {name: parse_numbers(cells[name], *(given or (".", ""))) for name in names if name not in notation}
    in_doubt = []
    for name, numbers in read.items():
        if len(numbers.others) and (inferred := infer_notation(name, cells[name], given)):
            notation[name], certain = inferred
            in_doubt += [name] * (not certain)
    # What the marks of one column are, those of another column of the same file are as well.
    marks = {(n.decimal, n.thousands) for name, n in notation.items() if n.thousands and name not in in_doubt}
    if in_doubt and any(_has_fractions(cells[name]) for name in read if name not in notation):
        marks.add((".", ","))
    grouped = (
        [] if given else [name for name in read if name not in notation and _points_group(cells[name], read[name])]
    )
    if {decimal for decimal, _ in marks} == {"."}:
        notation |= {name: replace(notation[name], thousands=",") for name in in_doubt}
    elif {decimal for decimal, _ in marks} == {","}:
        for name in (*in_doubt, *grouped):
            notation[name] = replace(notation.get(name, Notation(name)), decimal=",", thousands=".")
    else:
        for name in grouped:
            _refuse_points(table, name, cells[name], read[name])
    read |= {name: parse_as(cells[name], notation[name]) for name in notation}
    return read, notation, _notes_on(notation, read, table)


def _without_words(cells: pa.Array, dialect: Dialect) -> pa.Array:
    """The cells without the words that are missing values; a column of such words alone keeps them."""
    blank = without_words(cells, dialect.missing_words)
    return cells if dialect.missing_words and is_missing(blank).all() else blank


def given_marks(table: Table, dialect: Dialect) -> tuple[str, str] | None:
    """The decimal and the thousands mark that the user named."""
    decimal, thousands = dialect.decimal, dialect.thousands
    if decimal is None and thousands is None:
        return None
    point, group = decimal or ".", " " if thousands in ("space", "\u00a0", "\u202f") else thousands or ""
    if point not in (".", ","):
        raise DataError(
            f"{setting('decimal')} {quote(point)} is neither a point nor a comma.", table.source.retry(decimal=",")
        )
    if len(group) > 1 or group == point or group.isalnum() or group in ("+", "-"):
        raise DataError(
            f"{setting('thousands')} {quote(group)} is not one mark other than the decimal {quote(point)}.",
            table.source.retry(thousands=","),
        )
    return point, group


def _has_fractions(cells: pa.Array) -> bool:
    """Whether a point stands before a fraction of a plain number, and cannot group thousands."""
    return bool(pc.any(pc.match_substring_regex(cells, r"^\s*[+-]?\d*\.(?:\d{1,2}|\d{4,})\s*$")).as_py())


def _points_group(cells: pa.Array, numbers: Numbers) -> bool:
    """Whether plain numbers such as ``1.234`` have three digits behind every point, as thousands have."""
    with_fraction = numbers.values[numbers.values != np.rint(numbers.values)]
    thousandths = with_fraction * 1000
    if len(numbers.others) or not len(with_fraction) or not np.allclose(thousandths, np.rint(thousandths), rtol=1e-9):
        return False
    texts = pc.ascii_trim_whitespace(cells)
    with_point = texts.filter(pc.match_substring(texts, "."))
    return bool(pc.all(pc.match_substring_regex(with_point, r"^[+-]?[1-9]\d{0,2}(?:\.\d{3})+$")).as_py())


def _refuse_points(table: Table, name: str, cells: pa.Array, numbers: Numbers) -> None:
    """Refuse ``1.234`` beside ``987``: a fraction of three digits would now and then end in a zero, and so in two."""
    whole = numbers.values == np.rint(numbers.values)
    with_point = pc.match_substring(cells, ".").to_numpy(zero_copy_only=False)
    hundreds = whole & ~with_point & (np.abs(numbers.values) >= 100)
    if with_point.sum() >= _FEWEST_POINTS and hundreds.sum() >= max(_FEWEST_POINTS, 0.05 * len(whole)):
        row = int(np.argmax(with_point))
        text, source = table[name][row].as_py().strip(), table.source
        raise DataError(
            f"{table.cell(row, name)}: {quote(text)} may be thousands or a fraction; every point of the column stands "
            "before three digits.",
            f"{source.retry(thousands='.', decimal=',')} (it is {text.replace('.', '')})\n"
            f"{source.retry(decimal='.')} (it is {text})",
        )


def _notes_on(notation: Mapping[str, Notation], read: Mapping[str, Numbers], table: Table) -> list[str]:
    """What was inferred of how the numbers are written, one sentence for each kind."""
    of_kind: dict[str, list[str]] = {}
    for name, how in notation.items():
        if how.words or not read[name].count:
            continue
        texts = table[name]
        kinds = [
            (how.truth, "Yes and no, or true and false, are read as 1 and 0"),
            (how.scaled, "K, M, B and T behind a number multiply it (2.97M is 2,970,000)"),
            (how.unit == "%", "Percentages, read without their sign"),
            (how.unit not in ("", "%"), f"The unit {how.unit} is taken from the cells"),
            (how.decimal == "," and _holds(texts, ","), "Decimal commas"),
            (how.thousands == "," and _holds(texts, ","), "Thousands commas"),
            (how.thousands == "." and _holds(texts, r"\.\d{3}"), "Thousands points"),
            (how.thousands in ("'", "’"), "Thousands apostrophes"),
            (_holds(texts, r"^\s*\("), "Numbers in parentheses are negative"),
        ]
        for applies, kind in kinds:
            if applies:
                of_kind.setdefault(kind, []).append(name)
    return [f"{kind}: {', '.join(map(quote, names))}." for kind, names in of_kind.items()]


def _holds(cells: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, pattern)).as_py())


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
        header = ",".join(["time", *(f"value{i}" for i in range(1, len(table.names)))])
        command = f"(echo '{header}'; {table.source.piped('cat')})"
        named = read_output_of(command, {"pattern": r"\A", "by": f"{header}\n"}, table.source.given)
        raise DataError(
            f"{table.source.label} has no header: its first line is {quote(', '.join(table.names))}.",
            f"Name the columns: {named}",
        )
