"""What is wrong with a table, and what mends it: the refusals that first have to find out what was meant.

Every piece of advice was tried before it was written: the tests run it, and it must lead to a table.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pyarrow as pa

from forecast.errors import DataError, phrase, quote, setting
from forecast.tables.input import Input
from forecast.tables.records import Records
from forecast.tables.table import Table
from forecast.tables.timeforms import form_of

NAMES_OF_MARKS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", " ": "space"}

# Numbers with other marks than were taken for theirs, what is said of them, and the marks they have.
_OTHER_MARKS: tuple[tuple[str, str, dict[str, str]], ...] = (
    (r"[+-]?\d{1,3}(\.\d{3})+,\d*", "groups its digits by points", {"thousands": ".", "decimal": ","}),
    (r"[+-]?\d+\.\d*", f"has a decimal point where {setting('decimal')} asks for a comma", {"decimal": "."}),
    (r"[+-]?\d+,\d+", "is written with a decimal comma", {"decimal": ","}),
)

# Rows before the first time that are taken for a preamble, at most.
_PREAMBLE = 50


def look_at(source: Input, line: int, last: int | None = None) -> str:
    """Advice to look at a line, or at several."""
    lines = f"{line}p" if last is None else f"{line},{last}p"
    return f"Look at it: {source.piped(f'sed -n {lines}')}"


def look_at_row(table: Table, row: int) -> str:
    """Advice to look at a row, or to correct it where there is no file."""
    return "Correct the row, then try again." if table.lines is None else look_at(table.source, table.lines[row])


def _mend(table: Table, program: str) -> str:
    """Advice to send the text through a program, where there is a text."""
    return "Correct it, then try again." if table.lines is None else f"Try: {table.source.mended_by(program)}"


def uneven(source: Input, records: Records, mark: str) -> DataError:
    """Why records differ in length: a preamble, a trailing delimiter, a decimal comma, a footer, or one bad row."""
    fields, lines = records.fields, records.lines
    header, usual = int(fields[0]), int(np.bincount(fields[1:]).argmax())
    first = int(np.flatnonzero(fields == usual)[0])
    if header != usual and (first > 1 or header == 1):
        return DataError(
            f"{source.label}, line {lines[0]}: {records.shown(0)} is no header; "
            f"rows of {usual} fields begin in line {lines[first]}.",
            source.retry(skip_rows=int(lines[first]) - 1),
        )
    if header != usual:
        what = f"{source.label}, line {lines[1]}: {usual} fields where the header has {header} names: "
        what += f"{records.shown(1)}."
        rows = [records.raw(i) for i in range(1, min(len(fields), 200))]
        if all(row.endswith(mark.encode()) for row in rows):
            return DataError(
                f"{what} Every row ends in a {NAMES_OF_MARKS.get(mark, 'delimiter')}.",
                "Remove it: " + source.mended_by(f"sed 's/{mark}$//'"),
            )
        if mark == "," and usual > header and all(re.search(rb"\d,\d", row) for row in rows):
            return DataError(
                f"{what} It may be written with decimal commas, which a comma-delimited file cannot hold.",
                f"Export it with semicolons. {source.retry(delimiter=';', decimal=',')}",
            )
        return DataError(what, f"Give every column a name: {source.piped('sed -n 1,2p')}")
    odd = np.flatnonzero(fields != header)
    record, n_more = int(odd[0]), len(odd) - 1
    count = int(fields[record])
    more = f" {n_more:,} more rows are like that." if n_more else ""
    what = f"{source.label}, line {lines[record]}: {count} field(s) where the header has {header}: "
    what += f"{records.shown(record)}.{more}"
    if record == len(fields) - 1 and count < header:
        return DataError(
            f"{what} The file may be cut off, or end in a footer.", f"Look at its end: {source.piped('tail -n 3')}"
        )
    if count > header:
        what += " A comma inside a field (a decimal comma, a thousands comma, a text) must be quoted." * (mark == ",")
    return DataError(what, look_at(source, lines[record]))


def is_decorated(text: str) -> bool:
    """Whether a cell is a number with a unit, a sign or a currency about it, such as ``12.5 C``."""
    return bool(
        re.fullmatch(
            r"[$€£¥]\s*[-+]?\d[\d.,]*|[-+]?\d[\d.,]*\s*[%°$€£¥][A-Za-z]?|[-+]?\d+(?:\.\d+\s?|\s)[A-Za-z/]{1,5}", text
        )
        or (re.search(r"\d", text) and _foreign_character(text))
    )


def _foreign_character(text: str) -> str:
    """The first character that reads like part of a number but is none to a computer."""
    for character in text:
        if character in "\u2212\u2013\u2012\ufe63\uff0d\u00a0\u202f\u2007\u2009":
            return character
        if not character.isascii() and unicodedata.category(character) == "Nd":
            return character
    return ""


def not_a_number(table: Table, row: int, name: str) -> tuple[str, str]:
    """Why a cell is not a number, and advice that makes it one."""
    text, source = table[name][row].as_py().strip(), table.source
    shown = quote(text)
    foreign = _foreign_character(text)
    if foreign and re.search(r"\d", text):
        is_minus = unicodedata.category(foreign) == "Pd" or foreign == "\u2212"
        ascii_form = str(unicodedata.decimal(foreign, "-" if is_minus else ""))
        # A space of another kind would not outlive being copied.
        pattern = "".join(rf"\x{byte:02x}" for byte in foreign.encode()) if foreign.isspace() else foreign
        return (
            f"{shown} contains {unicodedata.name(foreign).lower()} (U+{ord(foreign):04X}), not ASCII.",
            _mend(table, f"sed 's/{pattern}/{ascii_form}/g'"),
        )
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", text):
        could_be_fraction = "." not in text and text.count(",") == 1
        either = f" (or {setting('decimal', ',')} if it is a fraction)" if could_be_fraction else ""
        return f"{shown} is written with a thousands comma.", source.retry(thousands=",") + either
    for pattern, why, marks in _OTHER_MARKS:
        if re.fullmatch(pattern, text):
            return f"{shown} {why}.", source.retry(**marks)
    if "%" in text and is_decorated(text):
        return f"{shown} is a percentage, not a number.", _mend(table, "sed 's/%//g'")
    sign = re.search(r"[$€£¥]", text)
    if sign and is_decorated(text):
        return f"{shown} carries a currency.", _mend(table, f"sed 's/[{sign[0]}]//g'")
    unit = re.search(r"[A-Za-z°/]+$", text)
    if unit and is_decorated(text):
        return (
            f"{shown} carries a unit, which belongs into the header.",
            _mend(table, rf"sed -E 's/([0-9]) ?{_sed_pattern(unit[0])}\b/\1/g'"),
        )
    if text.lower() in ("true", "false"):
        return f"{shown} is a truth value, not a number.", _mend(table, "sed 's/true/1/gi; s/false/0/gi'")
    how = "A missing value is written as an empty cell, NA, null, ? or -."
    if not text.isprintable() or len(text) > 30 or re.search(r"\d", text):
        return f"{shown} is not a number.", f"{how} {look_at_row(table, row)}"
    word = re.sub(r"^(?=\w)|(?<=\w)$", r"\\b", _sed_pattern(text))
    return f"{shown} is not a number.", f"{how} " + _mend(table, f"sed 's/{word}/NA/g'")


def _sed_pattern(text: str) -> str:
    """A text as a pattern of ``sed`` that matches it alone, within single quotes."""
    return re.sub(r"([\\/.*\[\]^$])", r"\\\1", text).replace("'", "'\\''")


def other_form(table: Table, columns: str, text: pa.Array, row: int, form: str) -> DataError:
    """Why the cell of a row is no time of the form of its column: empty, of another form, a footer, a preamble."""
    where, cell, lines = f"{table.row(row)}, {columns}", text[row].as_py(), table.lines
    if cell == "":
        return DataError(f"{where}: the time is empty.", "Every row needs a time; remove the row or fill it.")
    if other := form_of(cell):
        return DataError(
            f"{where}: {quote(cell)} is written as {other}, the column as {form}: mixed formats.",
            "Write every time in one format, best as YYYY-MM-DD HH:MM.",
        )
    what = f"{where}: {quote(cell)} is not a time of the form {form}"
    if row == len(text) - 1 and lines is not None:
        return DataError(
            f"{what}; it is the last row, so perhaps a footer.",
            f"Remove it: {table.source.mended_by(f'sed {lines[row]}d')}",
        )
    first = next((r for r, cell in enumerate(text.slice(0, _PREAMBLE).to_pylist()) if form_of(cell)), 0)
    if row == 0 < first and lines is not None:
        return DataError(
            f"{what}; the times begin in line {lines[first]}.",
            table.source.retry(skip_rows=int(lines[first - 1]) - 1),
        )
    other_column = phrase("another --time-column", "another time_column")
    return DataError(f"{what}.", f"Correct the row, or name {other_column}. {look_at_row(table, row)}")


def unreadable_time(table: Table, columns: str, texts: list[str]) -> DataError:
    """Why a column that was named as the time, or is called so, is none; ``texts`` are some of its filled cells."""
    source = table.source
    if not texts:
        return DataError(f"{source.label}: {columns} is empty.", source.retry(time_column="NAME"))
    return DataError(
        f"{table.row(0)}, {columns}: {quote(texts[0])} is not a time.", source.retry(date_format="%d.%m.%Y %H:%M")
    )


def day_numbers(table: Table, columns: str, text: str) -> DataError:
    """Why numbers that look like the days of a spreadsheet are not taken for such."""
    return DataError(
        f"{table.row(0)}, {columns}: {quote(text)} looks like a day number of a spreadsheet.",
        table.source.retry(date_format="excel"),
    )


def unknown_format(table: Table, date_format: str) -> DataError:
    """Why a format is none."""
    return DataError(
        f"{setting('date_format')} {quote(date_format)} is no format: it has no directive such as %Y, "
        "and no form has this name.",
        f"Write it like {setting('date_format', '%d.%m.%Y %H:%M')}, or by name: YYYY-MM-DD, YYYY-Qq, YYYYWW, excel …",
    )


def no_time(table: Table, texts: dict[str, list[str]]) -> DataError:
    """Why a table has no time; ``texts`` are some filled cells of each column."""
    shown = [f"  {quote(name)}: {', '.join(map(quote, cells[:2])) or 'empty'}" for name, cells in texts.items()]
    return DataError(
        f"{table.source.label} has no column that is a time. Its columns begin:\n" + "\n".join(shown[:12]),
        table.source.retry(time_column="NAME", date_format="%d.%m.%Y"),
    )
