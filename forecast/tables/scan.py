"""The structure of delimited text: delimiter, header, quotes and field counts by line, settled before any parser runs.

A parser that meets a row with one field too many shifts the values and makes the date an index; one that meets an
unclosed quote swallows rows. Here every record is counted first, so that what reaches the parser has one shape.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from forecast.errors import DataError
from forecast.tables.records import Records, count_fields, find_blank, find_records
from forecast.tables.source import Source, show

MAX_COLUMNS = 2000
_DELIMITERS = (",", ";", "\t", "|")
_SPELLED = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", " ": "space"}


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
    text = _skip(source, skip_rows)
    if not text.strip():
        raise DataError(
            f"{source.label} holds only blank lines.", "Give a table with a header: forecast inspect data.csv"
        )
    mark = _delimiter(source, text) if delimiter is None else _spelled(source, delimiter)
    records = find_records(source, text, mark, skip_rows)
    blank, text = find_blank(text, records)
    warnings = source.warnings
    filled = np.flatnonzero(~blank)
    last = len(filled) - 1
    while last > 0 and not text[records.starts[filled[last]] : records.ends[filled[last]]].strip(mark.encode() + b" "):
        last -= 1  # a row of delimiters alone is as blank as the lines before it
    if inner := int(blank[filled[0] : filled[last]].sum()):
        warnings += (f"{inner:,} blank line(s) between the rows are left out.",)
    records = records.keep(~blank)
    _check_counts(source, text, records, mark)
    names = _names(source, text, records, mark)
    if len(records.starts) == 1:
        raise DataError(f"{source.label} holds a header and no rows.", "Give at least a few dozen rows of data.")
    _check_swallowed(source, text, records, mark)
    _check_repeated(source, text, records)
    warnings += _odd_names(names)
    columns = _parse(source, text, records, mark)
    return Cells(names, columns, records.lines[1:], mark, warnings)


def _skip(source: Source, skip_rows: int) -> bytes:
    start = 0
    for _ in range(skip_rows):
        start = source.data.find(b"\n", start) + 1
        if not start:
            lines = source.data.count(b"\n")
            raise DataError(
                f"--skip-rows {skip_rows} leaves nothing: {source.label} has {lines:,} lines.",
                source.command("--skip-rows 0"),
            )
    return source.data[start:]


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
        fields = np.concatenate([chunk[2] for chunk in count_fields(sample, mark)])
        fields = fields[fields > 1]
        lines = max(1, len(re.findall(rb"[^\n\s][^\n]*", sample)))
        if len(fields):
            counts = np.bincount(fields)
            modal = int(counts.argmax())
            scores[mark] = (counts[modal] / lines, int(fields[0]) == modal, modal)
    if text[:200].lstrip()[:1] in (b"{", b"["):
        raise DataError(
            f"{source.label} is JSON, not a table.", "Convert it: pandas.read_json(…).to_csv('data.csv', index=False)"
        )
    if scores:
        return max(scores, key=lambda mark: scores[mark])
    line = sample.lstrip(b"\n")[:200].split(b"\n")[0].decode("utf-8", "replace")
    if len(line.split()) > 1:
        raise DataError(
            f"{source.label} has no comma, semicolon, tab or bar between its fields; its first line is {show(line)}.",
            "If blanks divide the fields: " + source.through("sed -E 's/ +/,/g'"),
        )
    return ","


def _check_counts(source: Source, text: bytes, records: Records, mark: str) -> None:
    fields = records.fields
    header, rows = int(fields[0]), fields[1:]
    if len(rows) and (rows != header).any():
        raise _uneven(source, text, records, mark)
    if header > MAX_COLUMNS:
        raise DataError(
            f"{source.label} has {header:,} columns; the limit is {MAX_COLUMNS:,}.",
            "Keep those that matter: " + source.through(f"cut -d'{mark}' -f1-20"),
        )


def _uneven(source: Source, text: bytes, records: Records, mark: str) -> DataError:
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
            f"{source.label}, line {lines[0]}: {row(0)} is no header; "
            f"rows of {modal} fields begin in line {lines[first]}.",
            source.command(f"--skip-rows {lines[first] - 1}"),
        )
    if header != modal:
        what = f"{source.label}, line {lines[1]}: {modal} fields where the header has {header} names: {row(1)}."
        cells = [text[records.starts[i] : records.ends[i]] for i in range(1, min(len(fields), 200))]
        if all(cell.endswith(mark.encode()) for cell in cells):
            return DataError(
                f"{what} Every row ends in a {_NAMES.get(mark, 'delimiter')}.",
                "Remove it: " + source.through(f"sed 's/{mark}$//'"),
            )
        if mark == "," and modal > header and all(re.search(rb"\d,\d", cell) for cell in cells):
            return DataError(
                f"{what} It may be written with decimal commas, which a comma-delimited file cannot hold.",
                "Export it with semicolons. " + source.command("--delimiter ';' --decimal ,"),
            )
        return DataError(what, f"Give every column a name: {source.piped('sed -n 1,2p')}")
    record = int(np.flatnonzero(fields != header)[0])
    count = int(fields[record])
    others = int(np.sum(fields != header)) - 1
    more = f" {others:,} more rows are like that." if others else ""
    what = f"{source.label}, line {lines[record]}: {count} field(s) where the header has {header}: {row(record)}.{more}"
    if record == len(fields) - 1 and count < header:
        return DataError(
            f"{what} The file may be cut off, or end in a footer.", f"Look at its end: {source.piped('tail -n 3')}"
        )
    if count > header:
        what += " A comma inside a field (a decimal comma, a thousands comma, a text) must be quoted." * (mark == ",")
    return DataError(what, f"Look at it: {source.piped(f'sed -n {lines[record]}p')}")


def _names(source: Source, text: bytes, records: Records, mark: str) -> tuple[str, ...]:
    header = text[records.starts[0] : records.ends[0]].decode("utf-8")
    try:
        cells = next(csv.reader(io.StringIO(header, newline=""), delimiter=mark, strict=True))
    except (csv.Error, StopIteration) as error:
        raise DataError(
            f"{source.label}, line {records.lines[0]}: the header cannot be read: {error}.",
            f"Look at it: {source.piped('head -n 1')}",
        ) from None
    names = tuple(cell.strip() for cell in cells)
    if names[-1] == "" and "" not in names[:-1] and text.count(mark.encode() + b"\n") >= len(records.starts) - 1:
        raise DataError(
            f"{source.label}, line {records.lines[0]}: every row ends in a {_NAMES.get(mark, 'delimiter')}, "
            "and so the last column has no name.",
            "Remove it: " + source.through(f"sed 's/{mark}$//'"),
        )
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


def _check_swallowed(source: Source, text: bytes, records: Records, mark: str) -> None:
    """Refuse a quoted field that holds a whole row: its closing quote was lost in one row and found in another."""
    for record in np.flatnonzero(records.last > records.lines):
        raw = text[records.starts[record] : records.ends[record]]
        fields = int(records.fields[record])
        if fields > 1 and raw.count(mark.encode()) - (fields - 1) >= fields - 1:
            raise DataError(
                f"{source.label}, line {records.lines[record]}: a quoted field swallows the next row: "
                f"{show(raw.decode('utf-8', 'replace'))}.",
                f"Look at it: {source.piped(f'sed -n {records.lines[record]},{records.last[record]}p')}",
            )


def _check_repeated(source: Source, text: bytes, records: Records) -> None:
    """Refuse a header that stands again among the rows, where two files were joined."""
    header = text[records.starts[0] : records.ends[0]]
    again = text.find(b"\n" + header + b"\n", int(records.ends[0]))
    if again < 0 and text.endswith(b"\n" + header):
        again = len(text) - len(header) - 1
    if again >= int(records.ends[0]):
        line = records.lines[np.searchsorted(records.starts, again + 1)]
        raise DataError(
            f"{source.label}, line {line}: the header stands here a second time: {show(header.decode())}.",
            "Remove it: " + source.through(f"sed {line}d"),
        )


def _parse(source: Source, text: bytes, records: Records, mark: str) -> tuple[pa.Array, ...]:
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
