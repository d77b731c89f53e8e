"""The structure of delimited text: delimiter, header, quotes and field counts by line, settled before any parser runs.

A parser that meets a row with one field too many shifts the values and makes the date an index; one that meets an
unclosed quote swallows rows. Here every record is counted first, so that what reaches the parser has one shape.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.csv

from forecast.errors import DataError, quote, setting
from forecast.tables import explain
from forecast.tables.input import Input, call_to_read
from forecast.tables.records import NEWLINE, QUOTE, Records, find_records
from forecast.tables.table import Table, check_names

MAX_COLUMNS = 2000
_DELIMITERS = (",", ";", "\t", "|")
_BY_NAME = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}


def read_text(source: Input, delimiter: str | None = None, skip_rows: int = 0) -> Table:
    """The table of a delimited text, every cell as text.

    Args:
        source: UTF-8 text with the line feed as line end.
        delimiter: One character, or its name such as ``tab``; None infers it.
        skip_rows: Lines before the header that are left out.

    Raises:
        DataError: If the records differ in length, a quote is not closed or swallows rows, or names are empty, double
            or too many; names the line.
    """
    text = _without_lines(source, skip_rows)
    if not text.strip():
        raise DataError(
            f"{source.label} holds only blank lines.", f"Give a table with a header: {call_to_read('data.csv')}"
        )
    mark = _infer_delimiter(source, text) if delimiter is None else _named_delimiter(source, delimiter)
    _check_quotes(source, text, mark, skip_rows)
    records, n_blank = _without_blank(find_records(text, mark, skip_rows + 1), mark)
    warnings = source.warnings
    if n_blank:
        warnings += (f"{n_blank:,} blank line(s) between the rows are left out.",)
    if (records.fields != records.fields[0]).any():
        raise explain.uneven(source, records, mark)
    if records.fields[0] > MAX_COLUMNS:
        raise DataError(
            f"{source.label} has {records.fields[0]:,} columns; the limit is {MAX_COLUMNS:,}.",
            "Keep those that matter: " + source.mended_by(f"cut -d'{mark}' -f1-20"),
        )
    names = _names(source, records, mark)
    if len(records) == 1:
        raise DataError(f"{source.label} holds a header and no rows.", "Give at least a few dozen rows of data.")
    _check_swallowed(source, records, mark)
    _check_repeated(source, records)
    columns = _cells(source, records, mark)
    return Table(source, names, columns, records.lines[1:], warnings=warnings + _odd_names(names))


def _without_lines(source: Input, skip_rows: int) -> bytes:
    text, start = source.content or b"", 0
    for _ in range(skip_rows):
        start = text.find(b"\n", start) + 1
        if not start:
            count = text.count(b"\n")
            raise DataError(
                f"{setting('skip_rows', skip_rows)} leaves nothing: {source.label} has {count:,} lines.",
                source.retry(skip_rows=0),
            )
    return text[start:]


def _named_delimiter(source: Input, delimiter: str) -> str:
    mark = _BY_NAME.get(delimiter.lower(), delimiter)
    if len(mark) != 1 or not mark.isascii() or mark in '"\n\r\0':
        raise DataError(
            f"{setting('delimiter')} {quote(delimiter)} is not one ASCII character.",
            f"{source.retry(delimiter=';')} (or tab)",
        )
    return mark


def _infer_delimiter(source: Input, text: bytes) -> str:
    """The candidate that divides the largest share of the first lines into equally many fields."""
    sample = text[: 1 << 17]
    if len(sample) < len(text):
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    n_lines = max(1, len(re.findall(rb"[^\n\s][^\n]*", sample)))
    scores = {}
    for mark in _DELIMITERS:
        fields = find_records(sample, mark).fields
        fields = fields[fields > 1]
        if len(fields):
            counts = np.bincount(fields)
            usual = int(counts.argmax())
            scores[mark] = (counts[usual] / n_lines, int(fields[0]) == usual, usual)
    if text[:200].lstrip()[:1] in (b"{", b"["):
        raise DataError(
            f"{source.label} is JSON, not a table.", "Convert it: pandas.read_json(…).to_csv('data.csv', index=False)"
        )
    if scores:
        return max(scores, key=lambda mark: scores[mark])
    line = sample.lstrip(b"\n")[:200].split(b"\n")[0].decode("utf-8", "replace")
    if len(line.split()) > 1:
        raise DataError(
            f"{source.label} has no comma, semicolon, tab or bar between its fields; its first line is {quote(line)}.",
            "If blanks divide the fields: " + source.mended_by("sed -E 's/ +/,/g'"),
        )
    return ","


def _check_quotes(source: Input, text: bytes, mark: str, skipped: int) -> None:
    """Refuse a quotation mark inside a field, or one that is never closed; quoted marks are doubled."""
    quotes = np.flatnonzero(np.frombuffer(text, np.uint8) == QUOTE)
    if not len(quotes):
        return
    opening = np.arange(len(quotes)) % 2 == 0
    outside = np.where(opening, quotes - 1, quotes + 1)  # the byte on the other side than the field
    padded = np.frombuffer(text + b"\n", np.uint8)  # a text begins and ends as a line does
    wrong = ~np.isin(padded[outside], (ord(mark), NEWLINE, QUOTE))
    wrong[-1] |= len(quotes) % 2 == 1
    if wrong.any():
        first = int(np.argmax(wrong))
        opener = int(quotes[first - first % 2])
        line = text.count(b"\n", 0, opener) + 1 + skipped
        begin = text.rfind(b"\n", 0, opener) + 1
        row = text[begin : begin + 200].split(b"\n")[0].decode("utf-8", "replace")
        raise DataError(
            f"{source.label}, line {line}: a quotation mark does not open and close a whole field: {quote(row)}.",
            explain.look_at(source, line),
        )


def _without_blank(records: Records, mark: str) -> tuple[Records, int]:
    """The records that are not blank, and how many of the others stand between them."""
    blank = records.ends == records.starts
    spaced = [int(i) for i in np.flatnonzero((records.fields == 1) & ~blank) if not records.raw(i).strip()]
    text = records.text
    if spaced:
        blank[spaced] = True
        mended = bytearray(text)
        for record in spaced:  # the parser skips empty lines, but not spaces
            start, end = int(records.starts[record]), int(records.ends[record])
            mended[start:end] = b"\n" * (end - start)
        text = bytes(mended)
    filled = np.flatnonzero(~blank)
    last = len(filled) - 1
    while last > 0 and not records.raw(filled[last]).strip(mark.encode() + b" "):
        last -= 1  # a row of delimiters alone is as blank as the lines before it
    between = int(blank[filled[0] : filled[last]].sum())
    return replace(records.chosen(~blank), text=text), between


def _names(source: Input, records: Records, mark: str) -> tuple[str, ...]:
    where = f"{source.label}, line {records.lines[0]}"
    header = records.raw(0).decode("utf-8")
    try:
        cells = next(csv.reader(io.StringIO(header, newline=""), delimiter=mark, strict=True))
    except (csv.Error, StopIteration) as error:
        raise DataError(
            f"{where}: the header cannot be read: {error}.", f"Look at it: {source.piped('head -n 1')}"
        ) from None
    names = tuple(cell.strip() for cell in cells)
    if names[-1] == "" and "" not in names[:-1] and records.text.count(mark.encode() + b"\n") >= len(records) - 1:
        raise DataError(
            f"{where}: every row ends in a {explain.NAMES_OF_MARKS.get(mark, 'delimiter')}, "
            "and so the last column has no name.",
            "Remove it: " + source.mended_by(f"sed 's/{mark}$//'"),
        )
    check_names(names, where)
    return names


def _odd_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Warnings where names differ only by case, blanks or Unicode form, or lost characters before they came here."""
    seen: dict[str, str] = {}
    pairs = []
    for name in names:
        key = re.sub(r"\s+", "", unicodedata.normalize("NFKC", name)).casefold()
        if key in seen:
            pairs.append(f"{quote(seen[key])} and {quote(name)}")
        seen[key] = name
    warnings = []
    if pairs:
        warnings.append(
            f"{len(pairs)} pair(s) of names differ only by case, blanks or Unicode form: {', '.join(pairs[:3])}."
        )
    lost = [name for name in names if "\ufffd" in name]
    if lost:
        listed = ", ".join(map(quote, lost[:3]))
        warnings.append(f"{len(lost)} name(s) lost characters when the file was written (U+FFFD): {listed}.")
    return tuple(warnings)


def _check_swallowed(source: Input, records: Records, mark: str) -> None:
    """Refuse a quoted field that holds a whole row: its closing quote was lost in one row and found in another."""
    for record in np.flatnonzero(records.last_lines > records.lines):
        first, last, fields = records.lines[record], records.last_lines[record], int(records.fields[record])
        if fields > 1 and records.raw(record).count(mark.encode()) - (fields - 1) >= fields - 1:
            raise DataError(
                f"{source.label}, line {first}: a quoted field swallows the next row: {records.shown(record)}.",
                explain.look_at(source, first, last),
            )


def _check_repeated(source: Input, records: Records) -> None:
    """Refuse a header that stands again among the rows, where two files were joined."""
    text, header = records.text, records.raw(0)
    again = text.find(b"\n" + header + b"\n", int(records.ends[0]))
    if again < 0 and text.endswith(b"\n" + header):
        again = len(text) - len(header) - 1
    if again >= int(records.ends[0]):
        line = records.lines[np.searchsorted(records.starts, again + 1)]
        raise DataError(
            f"{source.label}, line {line}: the header stands here a second time: {quote(header.decode())}.",
            "Remove it: " + source.mended_by(f"sed {line}d"),
        )


def _cells(source: Input, records: Records, mark: str) -> tuple[pa.Array, ...]:
    """Every column below the header as an array of strings."""
    names = [str(i) for i in range(int(records.fields[0]))]
    longest = int((records.ends - records.starts).max())
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(pa.py_buffer(memoryview(records.text)[records.starts[1] :])),
            pa.csv.ReadOptions(column_names=names, block_size=max(1 << 20, 2 * longest + 2)),
            pa.csv.ParseOptions(delimiter=mark, newlines_in_values=bool((records.last_lines > records.lines).any())),
            pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )
    except (pa.ArrowInvalid, pa.ArrowCapacityError) as error:
        raise DataError(
            f"{source.label} cannot be divided into cells: {error}.", "Check its quotes and line ends."
        ) from None
    if table.num_rows != len(records) - 1:
        raise DataError(
            f"{source.label}: {len(records) - 1:,} rows were counted but {table.num_rows:,} were read.",
            "Check its quotes and line ends.",
        )
    return tuple(column.combine_chunks() for column in table.columns)
