"""What is wrong with a table, and what mends it: the refusals that first have to find out what was meant.

Each way to go on stands on a line of its own. It is tried on the table before it is shown, and left out if it fails.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from forecast.errors import DataError, NoTimeError, phrase, quote, setting
from forecast.tables.input import Input, Notation, read_output_of
from forecast.tables.records import Records
from forecast.tables.table import Table, as_text
from forecast.tables.timeforms import TIMELIKE, form_of, infer_count

# Numbers with other marks than were taken for theirs, what is said of them, and the marks they have.
_OTHER_MARKS: tuple[tuple[str, str, dict[str, str]], ...] = (
    (r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", "is written with a thousands comma", {"thousands": ","}),
    (r"[+-]?\d{1,3}(\.\d{3})+,\d*", "groups its digits by points", {"thousands": ".", "decimal": ","}),
    (r"[+-]?\d+\.\d*", f"has a decimal point where {setting('decimal')} asks for a comma", {"decimal": "."}),
    (r"[+-]?\d+,\d+", "is written with a decimal comma", {"decimal": ","}),
)

# A time of day.
CLOCK = r"\d{1,2}:\d{2}(:\d{2})?"

# Rows before the first time that are taken for a preamble, and behind the last for a footer, at most.
_PREAMBLE, _FOOTER = 50, 10


def look_at(source: Input, line: int, last: int | None = None) -> str:
    """Advice to look at a line, or at several."""
    lines = f"{line}p" if last is None else f"{line},{last}p"
    return f"Look at it: {source.piped(f'sed -n {lines}')}"


def look_at_row(table: Table, row: int) -> str:
    """Advice to look at a row, or to correct it where there is no file."""
    if table.lines is None or table.source.files:
        return "Correct the row, then try again."
    return look_at(table.source, table.lines[row])


def no_header(source: Input, first: tuple[str, ...], delimiter: str) -> DataError:
    """Why a file whose first line is data is no table yet: read as a header, that line would be lost.

    Args:
        source: The file.
        first: The cells of its first line.
        delimiter: What stands between them.
    """
    names: list[str] = []
    has_clock = any(re.fullmatch(CLOCK, cell) for cell in first)
    for number, cell in enumerate(first):
        is_epoch = number == 0 and (infer_count([cell]) or "").startswith("epoch")
        is_date = is_epoch or form_of(cell) is not None
        name = "time" if re.fullmatch(CLOCK, cell) else ("date" if has_clock else "time") if is_date else ""
        n_values = sum(name.startswith("value") for name in names)
        names.append(name if name and name not in names else f"value{n_values + 1}")
    header = delimiter.join(names)
    echoed = header.replace("\t", "'$'\\t''")
    command = f"(echo '{echoed}'; {source.piped('cat')})"
    named = read_output_of(command, {"pattern": r"\A", "by": f"{header}\n"}, source.given)
    return DataError(
        f"{source.label} has no header: its first line is {quote(', '.join(first))}.",
        f"Name the columns: {named}",
    )


def uneven(source: Input, records: Records, mark: str) -> DataError:
    """Why records differ in length: a preamble, a trailing delimiter, a decimal comma, a footer, or one bad row."""
    fields, lines = records.fields, records.lines
    header, usual = int(fields[0]), int(np.bincount(fields[1:]).argmax())
    first = int(np.flatnonzero(fields == usual)[0])
    is_titled = first == 1 and len(records) > 2 and not re.search(rb'(?:^|[,;\t|])"?[+-]?\d', records.raw(1))
    if header != usual and (first > 1 or header == 1 or is_titled):
        return DataError(
            f"{source.label}, line {lines[0]}: {records.shown(0)} is no header; "
            f"rows of {usual} fields begin in line {lines[first]}.",
            source.retry(skip_rows=int(lines[first]) - 1),
        )
    if header != usual:
        what = f"{source.label}, line {lines[1]}: {usual} fields where the header has {header} names: "
        what += f"{records.shown(1)}."
        rows = [records.raw(i) for i in range(1, min(len(fields), 200))]
        if mark == "," and usual > header and all(re.search(rb"\d,\d", row) for row in rows):
            marks = f"{setting('delimiter', ';')} {setting('decimal', ',')}"
            return DataError(
                f"{what} It may be written with decimal commas, which a comma-delimited file cannot hold.",
                f"Export it with semicolons between the fields, and read it with {marks}.",
            )
        return DataError(what, f"Give every column a name: {source.piped('sed -n 1,2p')}")
    odd = np.flatnonzero(fields != header)
    record, n_more = int(odd[0]), len(odd) - 1
    count = int(fields[record])
    more = f" {n_more:,} more rows are like that." if n_more else ""
    what = f"{source.label}, line {lines[record]}: {count} field(s) where the header has {header}: "
    what += f"{records.shown(record)}.{more}"
    advice = look_at(source, lines[record])
    if len(odd) <= _FOOTER and record == len(fields) - len(odd):
        what += " The file may be cut off, or end in a footer."
        advice += f"\nWithout its end: {source.call(skip_footer=source.given.get('skip_footer', 0) + len(odd))}"
    elif count > header:
        what += " A comma inside a field (a decimal comma, a thousands comma, a text) must be quoted." * (mark == ",")
    return DataError(what, advice)


def is_decorated(text: str) -> bool:
    """Whether a cell is a number, if written with a unit, a sign, a currency or marks: ``12.5 C``, ``1,234``."""
    return bool(
        re.fullmatch(
            r"[$€£¥]\s*[-+]?\d[\d.,]*|[-+]?\d[\d.,]*\s*[%°$€£¥][A-Za-z]?|[-+]?\d+(?:\.\d+\s?|\s)[A-Za-z/]{1,5}|"
            r"[+-]?\d+(?:(?:,\d+)+(?:\.\d+)?|(?:\.\d+)+,\d*|\.\d*|(?: \d{3})+(?:[.,]\d*)?(?:\s?\D{1,5})?)",
            text,
        )
        or (re.search(r"\d", text) and _foreign_character(text))
    )


def _has_points(column: pa.Array) -> bool:
    return bool(pc.any(pc.match_substring_regex(column, r"^\s*[+-]?\d*\.\d+\s*$")).as_py())


def _foreign_character(text: str) -> str:
    """The first character that reads like part of a number but is none to a computer."""
    for character in text:
        if character in "\u2212\u2013\u2012\ufe63\uff0d\u00a0\u202f\u2007\u2009":
            return character
        if not character.isascii() and unicodedata.category(character) == "Nd":
            return character
    return ""


def not_a_number(table: Table, row: int, name: str, notation: Notation | None = None) -> tuple[str, str]:
    """Why a cell is not a number, and advice.

    Args:
        table: The table that the cell stands in.
        row: Its row.
        name: Its column.
        notation: How the other cells of the column are written; None for plainly.
    """
    text, source = as_text(table[name])[row].as_py().strip(), table.source
    shown, ways = quote(text), [look_at_row(table, row), source.without(name) if len(table.names) > 2 else ""]
    why = "is not a number."
    number = text if notation is None else text.replace(notation.unit, "").strip()
    if re.search(r"\d", text) and (foreign := _foreign_character(text)):
        why = f"contains {unicodedata.name(foreign).lower()} (U+{ord(foreign):04X}), not ASCII."
        if foreign.isspace():
            ways.insert(0, source.retry(thousands="space", **({"decimal": ","} if "," in text else {})))
        elif table.lines is not None and (foreign == "\u2212" or unicodedata.category(foreign) == "Pd"):
            mended = source.mended_by(rf"sed -E 's/{foreign}([0-9.])/-\1/g'", f"{foreign}(?=[0-9.])", "-")
            ways.insert(0, f"Write it as a hyphen: {mended}")
    elif re.fullmatch(r"[+-]?\d{1,3}(?: \d{3})+(?:[.,]\d*)?(?:\s?\D{1,5})?", text):
        why = "groups its digits by blanks."
        ways.insert(0, source.retry(thousands="space", **({"decimal": ","} if "," in text else {})))
    elif re.fullmatch(r"[+-]?\d{1,3},\d{3}", number):
        why = "is written with a thousands comma."
        ways = [f"{source.retry(thousands=',')} (it is {number.replace(',', '')})"]
        if not any(isinstance(column, pa.Array) and _has_points(column) for column in table.columns):
            ways.append(f"{source.retry(decimal=',')} (it is {number.replace(',', '.')})")
    elif notation is not None and notation.unit and re.search(r"\d", text):
        why = f"is written without the {notation.unit} of the column's other cells."
    elif marks := next(((why, marks) for pattern, why, marks in _OTHER_MARKS if re.fullmatch(pattern, text)), None):
        why = f"{marks[0]}."
        if "thousands" not in source.given:
            ways.insert(0, source.retry(**marks[1]))
    elif "%" in text and is_decorated(text):
        why = "is a percentage, the column's other cells are not."
    elif re.search(r"[$€£¥]", text) and is_decorated(text):
        why = "carries a currency, the column's other cells do not."
    elif re.search(r"[A-Za-z°/]+$", text) and is_decorated(text):
        why = "carries a unit, the column's other cells do not."
    elif re.match(r"[<>≤≥~]\s*\d", text) or not re.search(r"\d", text):
        ways.insert(0, source.with_missing(text))
    return f"{shown} {why}", "\n".join(filter(None, ways))


def other_form(table: Table, columns: str, text: pa.Array, row: int, form: str) -> DataError:
    """Why the cell of a row is no time of the form of its column: empty, of another form, a footer, a preamble."""
    where, cell, lines = f"{table.row(row)}, {columns}", text[row].as_py(), table.lines
    what = f"{where}: {quote(cell)} is not a time of the form {form}" if cell else f"{where}: the time is empty"
    if row >= len(text) - _FOOTER and lines is not None and not any(map(form_of, text.slice(row).to_pylist())):
        n_lines = len(text) - row
        skipped = table.source.given.get("skip_footer", 0) + n_lines
        return DataError(
            f"{what}; {'it is the last row' if n_lines == 1 else 'no row below is one'}, so perhaps a footer.",
            f"Without it: {table.source.call(skip_footer=skipped)}",
        )
    if cell == "":
        return DataError(f"{what}.", "Every row needs a time; remove the row or fill it.")
    if other := form_of(cell):
        return DataError(
            f"{where}: {quote(cell)} is written as {other}, the column as {form}: mixed formats.",
            "Write every time in one format, best as YYYY-MM-DD HH:MM.",
        )
    first = next((r for r, cell in enumerate(text.slice(0, _PREAMBLE).to_pylist()) if form_of(cell)), 0)
    if row == 0 < first and lines is not None:
        above = text.slice(0, first).to_pylist()
        header = next((r for r, cell in enumerate(above) if TIMELIKE.search(cell)), first - 1)
        return DataError(
            f"{what}; the times begin in line {lines[first]}.",
            table.source.retry(skip_rows=int(lines[header]) - 1),
        )
    other_column = phrase("another --time-column", "another time_column")
    return DataError(f"{what}.", f"Correct the row, or name {other_column}. {look_at_row(table, row)}")


def unreadable_time(table: Table, columns: str, texts: list[str], date_formats: list[str]) -> DataError:
    """Why a column that was named as the time, or is called so, is none.

    Args:
        table: The table.
        columns: The column, as messages name it.
        texts: Some of its filled cells.
        date_formats: Formats that read it.
    """
    source, other = table.source, f"Name the column of the time with {setting('time_column')}."
    if not texts:
        return DataError(f"{source.label}: {columns} is empty.", other)
    advice = [source.retry(date_format=date_format) for date_format in date_formats[:3]]
    return DataError(
        f"{table.row(0)}, {columns}: {quote(texts[0])} is not a time.",
        "\n".join(advice) or other,
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
        f"{setting('date_format')} {quote(date_format)} is not a format: it has no directive such as %Y, "
        "and no form has this name.",
        f"Write it like {setting('date_format', '%d.%m.%Y %H:%M')}, or by name: YYYY-MM-DD, YYYY-Qq, YYYYWW, excel …",
    )


def no_such_columns(table: Table, date_format: str) -> DataError:
    """Why a format of several columns reads no table: they are not found."""
    return DataError(
        f"{table.source.label} has no columns for {setting('date_format')} {quote(date_format)}.",
        f"Name them: {setting('time_column', 'DATE,TIME')}. Columns: {', '.join(map(quote, table.names[:20]))}.",
    )


def no_time(table: Table, texts: dict[str, list[str]], readable: dict[str, str]) -> NoTimeError:
    """Why a table has no time.

    Args:
        table: The table.
        texts: Some filled cells of each column.
        readable: Columns that could be one, and the format that reads them; empty for none.
    """
    shown = [f"  {quote(name)}: {', '.join(map(quote, cells[:2])) or 'empty'}" for name, cells in texts.items()]
    advice = [
        table.source.retry(time_column=name, **({"date_format": date_format} if date_format else {}))
        for name, date_format in readable.items()
    ]
    return NoTimeError(
        f"{table.source.label} has no column that is a time. Its columns begin:\n" + "\n".join(shown[:12]),
        "\n".join([*advice[:3], f"To take the rows in their order: {table.source.call(freq='step')}"]),
    )
