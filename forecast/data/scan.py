"""The structure of delimited text: delimiter, header, quotes and field counts by line, settled before any parser runs.

A parser that meets a row with one field too many shifts the values and makes the date an index; one that meets an
unclosed quote swallows rows. Here every record is counted first, so that what reaches the parser has one shape.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from forecast.data.source import Source, show
from forecast.errors import DataError

MAX_COLUMNS = 2000
_DELIMITERS = (",", ";", "\t", "|")
_SPELLED = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", " ": "space"}
_CHUNK = 1 << 23
_QUOTE, _NEWLINE = 34, 10


@dataclass(frozen=True)
class Cells:
    """A delimited table as text, every record of the same length.

    Args:
        names: C column names.
        columns: C arrays of R strings.
        lines: The line that each record begins on, [R], counted from 1.
        delimiter: What stands between the fields.
        warnings: What was mended, one sentence each.
    """

    names: tuple[str, ...]
    columns: tuple[pa.Array, ...]
    lines: NDArray[np.int64]
    delimiter: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Records:
    """The bytes and the lines of each record, and how many fields it has."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    lines: NDArray[np.int64]
    last: NDArray[np.int64]
    fields: NDArray[np.int64]

    def keep(self, chosen: NDArray[np.bool_]) -> _Records:
        columns = (self.starts, self.ends, self.lines, self.last, self.fields)
        return _Records(*(column[chosen] for column in columns))


def read_cells(source: Source, delimiter: str | None = None, skip_rows: int = 0) -> Cells:
    """The cells of a delimited text.

    Args:
        source: UTF-8 text with the line feed as line end.
        delimiter: One character, or its name such as ``tab``; None infers it.
        skip_rows: Lines before the header that are left out.

    Raises:
        DataError: If the records differ in length, a quote is not closed or swallows rows, or names are empty, double
            or too many; names the line.
    """
    text, skipped = _skip(source, skip_rows)
    mark = _delimiter(source, text) if delimiter is None else _spelled(source, delimiter)
    records = _records(source, text, mark, skipped)
    blank, text = _blank(text, records)
    records, inside = records.keep(~blank), np.flatnonzero(blank)
    if not len(records.starts):
        raise DataError(
            f"{source.label} holds only blank lines.", "Give a table with a header: forecast inspect data.csv"
        )
    warnings = source.warnings
    inner = int(np.sum((inside > np.flatnonzero(~blank)[0]) & (inside < np.flatnonzero(~blank)[-1])))
    if inner:
        warnings += (
            f"{inner:,} blank line{'s' if inner > 1 else ''} between the rows {'are' if inner > 1 else 'is'} left out.",
        )
    _check_counts(source, text, records, mark)
    names = _names(source, text, records, mark)
    if len(records.starts) == 1:
        raise DataError(f"{source.label} holds a header and no rows.", "Give at least a few dozen rows of data.")
    _check_swallowed(source, text, records, mark)
    _check_repeated(source, text, records)
    warnings += _odd_names(names)
    columns = _parse(source, text, records, mark)
    return Cells(names, columns, records.lines[1:], mark, warnings)


def _skip(source: Source, skip_rows: int) -> tuple[bytes, int]:
    if skip_rows < 0:
        raise DataError(f"--skip-rows {skip_rows} is negative.", source.command("--skip-rows 0"))
    start = 0
    for skipped in range(skip_rows):
        start = source.data.find(b"\n", start) + 1
        if not start:
            raise DataError(
                f"--skip-rows {skip_rows} leaves nothing: {source.label} has {skipped + 1} lines.",
                source.command("--skip-rows 0"),
            )
    return source.data[start:] if start else source.data, skip_rows


def _spelled(source: Source, delimiter: str) -> str:
    mark = _SPELLED.get(delimiter.lower(), delimiter)
    if len(mark) != 1 or not mark.isascii() or mark in '"\n\r\0':
        raise DataError(
            f"--delimiter {show(delimiter)} is not one ASCII character.",
            source.command("--delimiter ';'") + " (or tab)",
        )
    return mark


def _delimiter(source: Source, text: bytes) -> str:
    """The candidate that divides the largest share of the first lines into equally many fields."""
    sample = text[: 1 << 17]
    if len(sample) < len(text):
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    scores = {}
    for mark in _DELIMITERS:
        fields = np.concatenate([chunk[2] for chunk in _count(sample, mark)])
        fields = fields[fields > 1]
        lines = max(1, len(re.findall(rb"[^\n\s][^\n]*", sample)))
        if len(fields):
            counts = np.bincount(fields)
            modal = int(counts.argmax())
            scores[mark] = (counts[modal] / lines, int(fields[0]) == modal, modal)
    if text.lstrip()[:1] in (b"{", b"["):
        raise DataError(f"{source.label} is JSON, not a table.", "Convert it: pandas.read_json(…).to_csv('data.csv', index=False)")
    if scores:
        return max(scores, key=lambda mark: scores[mark])
    line = text.lstrip(b"\n")[:200].split(b"\n")[0].decode("utf-8", "replace")
    if len(line.split()) > 1:
        raise DataError(
            f"{source.label} has no comma, semicolon, tab or bar between its fields; its first line is {show(line)}.",
            f"If blanks divide the fields: tr -s ' ' ',' < {source.path} | forecast inspect -",
        )
    return ","


def _count(
    text: bytes, mark: str
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], list[int]]]:
    """Record ends, line ends before each, fields, and misplaced quotes (with the opening one), chunk by chunk."""
    delimiter = ord(mark)
    quoted, lines, fields = 0, 0, 1
    opener = -1
    for begin in range(0, max(1, len(text)), _CHUNK):
        chunk = np.frombuffer(text, np.uint8, min(_CHUNK, len(text) - begin), begin)
        ends = np.flatnonzero(chunk == _NEWLINE)
        marks = np.flatnonzero(chunk == delimiter)
        stray: list[int] = []
        all_ends = ends
        quotes = np.flatnonzero(chunk == _QUOTE)
        if quoted or len(quotes):
            # A byte lies inside quotes when an odd number of them stands before it.
            ends = ends[(np.searchsorted(quotes, ends) + quoted) % 2 == 0]
            marks = marks[(np.searchsorted(quotes, marks) + quoted) % 2 == 0]
            stray, opener = _stray(text, begin + quotes, quoted, opener, delimiter)
            quoted = (quoted + len(quotes)) % 2
        before = np.searchsorted(marks, ends)
        number = np.diff(before, prepend=0) + 1
        if len(number):
            number[0] += fields - 1
            fields = len(marks) - int(before[-1]) + 1
        else:
            fields += len(marks)
        yield begin + ends, lines + np.searchsorted(all_ends, ends), number, stray
        lines += len(all_ends)
    if quoted:
        yield np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), [opener]
    elif not text.endswith(b"\n"):
        yield np.array([len(text)]), np.array([lines]), np.array([fields]), []


def _stray(text: bytes, quotes: NDArray[np.int64], quoted: int, opener: int, delimiter: int) -> tuple[list[int], int]:
    """The first quote that neither begins nor ends a field, given as the opening quote it belongs to."""
    if not len(quotes):
        return [], opener
    data = np.frombuffer(text, np.uint8)
    opening = (np.arange(len(quotes)) + quoted) % 2 == 0
    beside = np.where(opening, quotes - 1, quotes + 1)
    outside = (beside < 0) | (beside >= len(data))
    neighbour = data[np.where(outside, 0, beside)]
    wrong = ~outside & (neighbour != delimiter) & (neighbour != _NEWLINE) & (neighbour != _QUOTE)
    openers = np.maximum.accumulate(np.where(opening, quotes, opener))
    first = np.flatnonzero(wrong)[:1]
    return [int(openers[i]) for i in first], int(openers[-1])


def _records(source: Source, text: bytes, mark: str, skipped: int) -> _Records:
    parts = []
    for ends, lines, fields, stray in _count(text, mark):
        if stray:
            line = text.count(b"\n", 0, stray[0]) + 1 + skipped
            begin = text.rfind(b"\n", 0, stray[0]) + 1
            row = text[begin : begin + 200].split(b"\n")[0].decode("utf-8", "replace")
            raise DataError(
                f"{source.label}, line {line}: a quotation mark opens a field and is not closed at its end: {show(row)}.",
                f"Look at it: sed -n {line}p {source.path}",
            )
        parts.append((ends, lines, fields))
    ends, line_of_end, fields = (np.concatenate(column).astype(np.int64) for column in zip(*parts, strict=True))
    starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)
    lines = np.concatenate([[0], line_of_end[:-1] + 1]).astype(np.int64) + 1 + skipped
    return _Records(starts, ends, lines, line_of_end + 1 + skipped, fields)


def _blank(text: bytes, records: _Records) -> tuple[NDArray[np.bool_], bytes]:
    """Which records are blank, and the text with their spaces turned into line ends, which the parser skips."""
    blank = records.ends == records.starts
    spaced = []
    for record in np.flatnonzero((records.fields == 1) & ~blank):
        if not text[records.starts[record] : records.ends[record]].strip():
            spaced.append(record)
    if spaced:
        blank[spaced] = True
        mended = bytearray(text)
        for record in spaced:
            start, end = int(records.starts[record]), int(records.ends[record])
            mended[start:end] = b"\n" * (end - start)
        text = bytes(mended)
    return blank, text


def _check_counts(source: Source, text: bytes, records: _Records, mark: str) -> None:
    fields = records.fields
    header, rows = int(fields[0]), fields[1:]
    if len(rows) and (rows != header).any():
        raise _uneven(source, text, records, mark)
    if header > MAX_COLUMNS:
        raise DataError(
            f"{source.label} has {header:,} columns; the limit is {MAX_COLUMNS:,}.",
            f"Keep those that matter: cut -d'{mark}' -f1-20 {source.path} | forecast inspect -",
        )


def _uneven(source: Source, text: bytes, records: _Records, mark: str) -> DataError:
    """Why the records are not equally long: a preamble, a trailing delimiter, a decimal comma, or one bad row."""
    fields, lines = records.fields, records.lines
    header, rows = int(fields[0]), fields[1:]
    modal = int(np.bincount(rows).argmax())

    def row(record: int) -> str:
        cells = text[records.starts[record] : records.ends[record]]
        return show(cells.decode("utf-8", "replace"))

    first = int(np.flatnonzero(fields == modal)[0])
    if header != modal and (first > 1 or header == 1):
        return DataError(
            f"{source.label}, line {lines[0]}: {row(0)} is no header; rows of {modal} fields begin in line {lines[first]}.",
            source.command(f"--skip-rows {lines[first] - 1}"),
        )
    if header != modal:
        what = f"{source.label}, line {lines[1]}: the header has {header} names but the rows have {modal} fields: {row(1)}."
        cells = [text[records.starts[i] : records.ends[i]] for i in range(1, min(len(fields), 200))]
        if all(cell.endswith(mark.encode()) for cell in cells):
            return DataError(
                f"{what} Every row ends in a {_NAMES.get(mark, 'delimiter')}.",
                f"Remove it: sed 's/{mark}$//' {source.path} | forecast inspect -",
            )
        if mark == "," and modal > header and all(re.search(rb"\d,\d", cell) for cell in cells):
            return DataError(
                f"{what} It may be written with decimal commas, which a comma-delimited file cannot hold.",
                "Export it with semicolons, then: forecast inspect data.csv --delimiter ';' --decimal ,",
            )
        return DataError(what, f"Give every column a name: sed -n 1,2p {source.path}")
    record = int(np.flatnonzero(fields != header)[0])
    count = int(fields[record])
    others = int(np.sum(fields != header)) - 1
    more = f" {others:,} more rows are like that." if others else ""
    what = f"{source.label}, line {lines[record]}: {count} field{'s' * (count != 1)} where the header has {header}: {row(record)}.{more}"
    if record == len(fields) - 1 and count < header:
        return DataError(
            f"{what} The file may be cut off, or end in a footer.", f"Look at its end: tail -n 3 {source.path}"
        )
    if count > header:
        what += " A comma inside a field (a decimal comma, a thousands comma, a text) must be quoted." * (mark == ",")
    return DataError(what, f"Look at it: sed -n {lines[record]}p {source.path}")


def _names(source: Source, text: bytes, records: _Records, mark: str) -> tuple[str, ...]:
    header = text[records.starts[0] : records.ends[0]].decode("utf-8")
    try:
        cells = next(csv.reader(io.StringIO(header, newline=""), delimiter=mark, strict=True))
    except (csv.Error, StopIteration) as error:
        raise DataError(f"{source.label}, line {records.lines[0]}: the header cannot be read: {error}.") from None
    names = tuple(cell.strip() for cell in cells)
    check_names(names, f"{source.label}, line {records.lines[0]}")
    return names


def check_names(names: tuple[str, ...], where: str) -> None:
    """Refuse names that do not tell the columns apart.

    Raises:
        DataError: If a name is empty or stands twice.
    """
    if "" in names:
        raise DataError(
            f"{where}: column {names.index('') + 1} of {len(names)} has no name.",
            "Name it in the header; pandas writes an unnamed first column unless told: to_csv(index_label='time')",
        )
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        places = [str(i + 1) for i, name in enumerate(names) if name == double]
        raise DataError(
            f"{where}: the name {show(double)} stands {len(places)} times (columns {', '.join(places[:5])}).",
            "Give each column its own name in the header.",
        )


def _odd_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Warnings where names differ only by case, blanks or Unicode form, or lost characters before they came here."""
    seen: dict[str, str] = {}
    pairs = []
    for name in names:
        key = re.sub(r"\s+", "", unicodedata.normalize("NFKC", name)).casefold()
        if key in seen:
            pairs.append(f"{show(seen[key])} and {show(name)}")
        seen[key] = name
    warnings = []
    if pairs:
        warnings.append(
            f"{len(pairs)} pair(s) of names differ only by case, blanks or Unicode form: {', '.join(pairs[:3])}."
        )
    lost = [name for name in names if "\ufffd" in name]
    if lost:
        warnings.append(
            f"{len(lost)} name(s) lost characters when the file was written (U+FFFD): {', '.join(map(show, lost[:3]))}."
        )
    return tuple(warnings)


def _check_swallowed(source: Source, text: bytes, records: _Records, mark: str) -> None:
    """Refuse a quoted field that holds a whole row: its closing quote was lost in one row and found in another."""
    for record in np.flatnonzero(records.last > records.lines):
        raw = text[records.starts[record] : records.ends[record]]
        fields = int(records.fields[record])
        if fields > 1 and raw.count(mark.encode()) - (fields - 1) >= fields - 1:
            raise DataError(
                f"{source.label}, line {records.lines[record]}: a quoted field swallows the next row: "
                f"{show(raw.decode('utf-8', 'replace'))}.",
                f"Look at it: sed -n {records.lines[record]},{records.last[record]}p {source.path}",
            )


def _check_repeated(source: Source, text: bytes, records: _Records) -> None:
    """Refuse a header that stands again among the rows, where two files were joined."""
    header = text[records.starts[0] : records.ends[0]]
    again = text.find(b"\n" + header + b"\n", int(records.ends[0]))
    if again >= 0:
        line = records.lines[np.searchsorted(records.starts, again + 1)]
        raise DataError(
            f"{source.label}, line {line}: the header stands here a second time: {show(header.decode())}.",
            f"Remove it: sed {line}d {source.path} | forecast inspect -",
        )


def _parse(source: Source, text: bytes, records: _Records, mark: str) -> tuple[pa.Array, ...]:
    width = int(records.fields[0])
    names = [str(i) for i in range(width)]
    longest = int((records.ends - records.starts).max())
    body = pa.py_buffer(memoryview(text)[records.starts[1] :])
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(body),
            pa.csv.ReadOptions(column_names=names, block_size=max(1 << 20, 2 * longest + 2)),
            pa.csv.ParseOptions(delimiter=mark, newlines_in_values=bool((records.last > records.lines).any())),
            pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )
    except (pa.ArrowInvalid, pa.ArrowCapacityError) as error:
        raise DataError(
            f"{source.label} cannot be divided into cells: {error}.", "Check its quotes and line ends."
        ) from None
    if table.num_rows != len(records.starts) - 1:
        raise DataError(
            f"{source.label}: {len(records.starts) - 1:,} rows were counted but {table.num_rows:,} were read.",
            "Check its quotes and line ends.",
        )
    return tuple(column.combine_chunks() for column in table.columns)
