"""The numbers of the text columns of one table, whose marks say the same in all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from forecast.errors import DataError, quote, setting
from forecast.tables.input import Dialect, Notation
from forecast.tables.notation import Numbers, infer_notation, is_missing, parse_as, parse_numbers, without_words
from forecast.tables.table import Table

# Fewer points before three digits each may be chance.
_FEWEST_POINTS = 5

# Cells that are looked at before all of them are.
_SAMPLE = 1000


def read_numbers(
    table: Table, names: list[str], dialect: Dialect, known: Mapping[str, Notation]
) -> tuple[dict[str, Numbers], dict[str, Notation], list[str]]:
    """The text columns of a table read as numbers; the marks that one column proves are those of all.

    Args:
        table: The table.
        names: Columns of text.
        dialect: How they are written, as far as that is known.
        known: The notation of columns that were read before, in other rows.

    Returns:
        The numbers by column; the notation of those that are not plain; what was inferred, one sentence for each kind.

    Raises:
        DataError: If a mark is none, or a point may stand before a fraction or behind thousands.
    """
    given = given_marks(table, dialect)
    if given is None:
        _refuse_codes(table, names)
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
    plain = (
        [] if given else [name for name, numbers in read.items() if name not in notation and not len(numbers.others)]
    )
    grouped = [name for name in plain if points_group(cells[name].slice(0, _SAMPLE)) and points_group(cells[name])]
    if {decimal for decimal, _ in marks} == {"."}:
        notation |= {name: replace(notation[name], thousands=",") for name in in_doubt}
    elif {decimal for decimal, _ in marks} == {","}:
        for name in (*in_doubt, *grouped):
            notation[name] = replace(notation.get(name, Notation(name)), decimal=",", thousands=".")
    else:
        is_german = _is_german(table) and not any(_has_fractions(cells[name]) for name in plain)
        for name in grouped:
            _refuse_points(table, name, cells[name], read[name], is_german)
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
    point = decimal or ("," if thousands == "." else ".")
    group = " " if thousands in ("space", "\u00a0", "\u202f") else thousands or ""
    if point not in (".", ","):
        raise DataError(
            f"{setting('decimal')} {quote(point)} is neither a point nor a comma.", table.source.retry(decimal=",")
        )
    if len(group) > 1 or group == point or group.isalnum() or group in ("+", "-"):
        raise DataError(
            f"{setting('thousands')} {quote(group)} is not one mark other than the decimal {quote(point)}.",
            table.source.retry(thousands="." if point == "," else ","),
        )
    return point, group


def _has_fractions(cells: pa.Array) -> bool:
    """Whether a point stands before a fraction of a plain number, and cannot group thousands."""
    return bool(pc.any(pc.match_substring_regex(cells, r"^\s*[+-]?\d*\.(?:\d{1,2}|\d{4,})\s*$")).as_py())


def points_group(cells: pa.Array) -> bool:
    """Whether three digits stand behind every point of plain numbers, as in ``1.234``, as behind thousands."""
    texts = pc.ascii_trim_whitespace(cells)
    with_point = texts.filter(pc.match_substring(texts, "."))
    if not len(with_point):
        return False
    return bool(pc.all(pc.match_substring_regex(with_point, r"^[+-]?[1-9]\d{0,2}(?:\.\d{3})+$")).as_py())


def _is_german(table: Table) -> bool:
    """Whether a file has dates such as 31.12.2020 and no commas between its fields, as where points group thousands."""
    texts = [column.slice(0, _SAMPLE) for column in table.columns if isinstance(column, pa.Array)]
    dates = [pc.match_substring_regex(cells, r"^\s*\d{1,2}\.\d{1,2}\.\d{2,4}\b") for cells in texts]
    return table.delimiter in (";", "\t") and any(pc.all(matches).as_py() for matches in dates)


def _refuse_codes(table: Table, names: list[str]) -> None:
    """Refuse ``+0050,1``: a sign before zeros that fill a width is that of a code of several fields."""
    commas = [name for name in names if _all_are(table[name], r"^\s*[+-]?\d+,\d+\s*$")]
    codes = [name for name in commas if _all_are(table[name], r"^\s*[+-](?:0\d{2,}|\d{4,}),\d+\s*$")]
    codes = [name for name in codes if pc.any(pc.match_substring_regex(table[name], r"^\s*[+-]0\d")).as_py()]
    if codes:
        skipped = (*table.source.given.get("skip_columns", ()), *commas)
        raise DataError(
            f"{table.cell(0, codes[0])}: {quote(table[codes[0]][0].as_py())} is several fields in one cell, "
            "as NOAA writes a value and its quality; a decimal comma has no zeros that fill a width before it.",
            f"Without such columns: {table.source.call(skip_columns=skipped)}\n"
            "To forecast one of them, give its value a column of its own.",
        )


def _all_are(cells: pa.Array, pattern: str) -> bool:
    """Whether all cells match, the first before the others."""
    return all(pc.all(pc.match_substring_regex(some, pattern)).as_py() for some in (cells.slice(0, 1), cells))


def _refuse_points(table: Table, name: str, cells: pa.Array, numbers: Numbers, is_german: bool) -> None:
    """Refuse ``1.234`` beside ``987``: a fraction of three digits would now and then end in a zero, and so in two.

    In a file of German dates it is refused without such neighbours.
    """
    whole = numbers.values == np.rint(numbers.values)
    with_point = pc.match_substring(cells, ".").to_numpy(zero_copy_only=False)
    hundreds = whole & ~with_point & (np.abs(numbers.values) >= 100)
    is_mixed = with_point.sum() >= _FEWEST_POINTS and hundreds.sum() >= max(_FEWEST_POINTS, 0.05 * len(whole))
    if is_mixed or is_german:
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
            (how.minus_behind, "A minus behind a number makes it negative"),
        ]
        for applies, kind in kinds:
            if applies:
                of_kind.setdefault(kind, []).append(name)
    return [f"{kind}: {', '.join(map(quote, names))}." for kind, names in of_kind.items()]


def _holds(cells: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, pattern)).as_py())
