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

from forecast.errors import DataError, EmptyError, quote, setting
from forecast.tables import explain
from forecast.tables.input import Dialect, Input, call_to_read
from forecast.tables.monthnames import MONTHS
from forecast.tables.names import counted, join_levels, with_names
from forecast.tables.notation import parse_numbers
from forecast.tables.records import NEWLINE, QUOTE, Records, find_records
from forecast.tables.table import Ints, Table
from forecast.tables.timeforms import TIMELIKE, form_of, infer_count, infer_form

MAX_COLUMNS = 2000
_TALLEST_HEADER, _LONGEST_FOOTER = 4, 20
_SAMPLE = 100

# The first line of some files for Excel, which names the delimiter.
DECLARED = rb'(?i)"?sep=([ -~\t])"?\n'

_DELIMITERS = (",", ";", "\t", "|")
_BY_NAME = {"tab": "\t", "\\t": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}


def read_text(source: Input, dialect: Dialect) -> Table:
    """The table of a delimited text, every cell as text.

    Args:
        source: UTF-8 text with the line feed as line end.
        dialect: How it is written, as far as that is known.

    Raises:
        DataError: If the records differ in length, a quote is not closed or swallows rows, or names are empty, double
            or too many; names the line.
    """
    declared = re.match(DECLARED, source.content or b"")
    if declared and not dialect.skip_rows:
        dialect = replace(dialect, skip_rows=1, delimiter=dialect.delimiter or declared[1].decode())
    text = _without_lines(source, dialect.skip_rows)
    if not text.strip():
        raise DataError(
            f"{source.label} holds only blank lines.", f"Give a table with a header: {call_to_read('data.csv')}"
        )
    named = dialect.delimiter
    mark = _infer_delimiter(source, text) if named is None else named_delimiter(source, named)
    if mark == " ":
        text = re.sub(rb"[ \t]+", b" ", re.sub(rb"^[ \t]+|[ \t]+$", b"", text, flags=re.MULTILINE))
    _check_quotes(source, text, mark, dialect.skip_rows)
    records, blank_lines = _without_blank(find_records(text, mark, dialect.skip_rows + 1), mark)
    records, warnings = _without_footer(source, records, mark, dialect.skip_footer)
    warnings = source.warnings + warnings
    if n_blank := int((blank_lines < records.lines[-1]).sum()):
        warnings += (f"{n_blank:,} blank line(s) between the rows are left out.",)
    fields = records.fields
    with_empty_end = len(fields) > 1 and bool((fields[1:] == fields[0] + 1).all()) and _end_in(records, mark)
    if (fields != fields[0]).any() and not with_empty_end:
        raise explain.uneven(source, records, mark)
    if len(records) == 1:
        raise EmptyError(f"{source.label} holds a header and no rows.", "Give at least a few dozen rows of data.")
    names, n_more, joined = _header(source, records, mark)
    if not n_more and _are_data(names):
        raise explain.no_header(source, names, mark)
    names += ("",) * with_empty_end
    are_steps = len(counted(names)) > len(names) / 2 and not TIMELIKE.search(names[0])
    are_times = are_steps or infer_form([*names[-_SAMPLE:]])  # which may be many
    if len(names) > MAX_COLUMNS and not dialect.columns and not are_times:
        raise DataError(
            f"{source.label} has {len(names):,} columns; the limit is {MAX_COLUMNS:,}.",
            f"Name those that matter: {source.call(columns=tuple(name for name in names[1:4] if ',' not in name))}",
        )
    _check_swallowed(source, records, mark)
    _check_repeated(source, records)
    rows = records.from_record(1 + n_more)
    columns = _cells(source, rows, mark)
    table = Table(source, names, columns, rows.lines, warnings=warnings + joined, delimiter=mark)
    table = with_names(table, dialect, f"{source.label}, line {records.lines[0]}")
    return replace(table, warnings=table.warnings + _odd_names(table.names))


def _are_data(names: tuple[str, ...]) -> bool:
    """Whether the first line holds numbers and times alone, and no dates of columns."""
    is_data = (parse_numbers(pa.array([n])).count or form_of(n) or re.fullmatch(explain.CLOCK, n) for n in names)
    return all(is_data) and not (len(names) > 2 and (infer_form([*names]) or infer_count([*names])))


def _end_in(records: Records, mark: str) -> bool:
    """Whether every row below the header ends in the delimiter."""
    last = np.frombuffer(records.text, np.uint8)[records.ends[1:] - 1]
    return bool((last == ord(mark)).all())


def _without_footer(source: Input, records: Records, mark: str, n_skipped: int) -> tuple[Records, tuple[str, ...]]:
    """The records without a footer, and what was passed over: the last lines if so many are named, else remarks.

    A remark is text in the first cell and nothing behind it: the name of a source, a copyright.
    """
    if n_skipped:
        if n_skipped >= len(records) - 1:
            raise DataError(
                f"{setting('skip_footer', n_skipped)} leaves nothing: {source.label} has {len(records) - 1:,} rows.",
                source.retry(skip_footer=0),
            )
        return records.until_record(len(records) - n_skipped), ()
    last = len(records)
    if records.fields[:2].max() > 1:
        while last > 2 and last > len(records) - _LONGEST_FOOTER and _is_remark(records, last - 1, mark):
            last -= 1
    if last == len(records) or last == len(records) - _LONGEST_FOOTER:
        return records, ()
    shown, n_lines = records.shown(last), len(records) - last
    return records.until_record(last), (f"A footer of {n_lines} line(s) is passed over: {shown}.",)


def _is_remark(records: Records, record: int, mark: str) -> bool:
    first, *others = _fields(records, record, mark)
    if any(others) or not re.match(r"[^\W\d]|[*(©\"]", first) or form_of(first):
        return False
    # What is left of a line that was cut off may begin with the name of a month.
    cut = re.match(r"([^\W\d]+)[ /.-]*(?:\d|$)", first)
    return len(first) > 3 and not (cut and cut[1].lower() in MONTHS)


def _fields(records: Records, record: int, mark: str) -> list[str]:
    text = records.raw(record).decode("utf-8", "replace")
    return [cell.strip() for cell in next(csv.reader(io.StringIO(text, newline=""), delimiter=mark), [])] or [""]


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


def named_delimiter(source: Input, delimiter: str) -> str:
    """The character between fields, from itself or its name; blanks count as one where they divide fields."""
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
            f"If blanks divide the fields: {source.call(delimiter='space')}",
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


def _without_blank(records: Records, mark: str) -> tuple[Records, Ints]:
    """The records that are not blank, and the lines of the others that stand between them."""
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
    between = slice(filled[0], filled[last])
    return replace(records.chosen(~blank), text=text), records.lines[between][blank[between]]


def _header(source: Input, records: Records, mark: str) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
    """The names of the columns, how many records below the first belong to the header, and what that means."""
    where = f"{source.label}, line {records.lines[0]}"
    try:
        names = tuple(next(csv.reader(io.StringIO(records.raw(0).decode(), newline=""), delimiter=mark, strict=True)))
    except (csv.Error, StopIteration) as error:
        raise DataError(
            f"{where}: the header cannot be read: {error}.", f"Look at it: {source.piped('head -n 1')}"
        ) from None
    names = tuple(name.strip() for name in names)
    head = [_fields(records, record, mark) for record in range(min(len(records), _TALLEST_HEADER + 3))]
    n_more = _count_header_rows(head)
    if not n_more:
        return names, 0, ()
    levels = head[: 1 + n_more]
    units = [level for level in levels[1:] if any(re.search("[°%/²³µ]|^[(\\[].*[)\\]]$", cell) for cell in level[1:])]
    named = [level for level in levels if level not in units]
    first = next((level[0] for level in reversed(named) if level[0]), "")
    joined = join_levels([level[1:] for level in named if any(level[1:])])
    for level in units:
        cells = (cell.strip("()[]") for cell in level[1:])
        joined = [f"{name} ({unit})" if unit else name for name, unit in zip(joined, cells, strict=True)]
    shown = ", ".join(map(quote, joined[:4])) + " …" * (len(joined) > 4)
    return (first, *joined), n_more, (f"The first {1 + n_more} rows are read as one header: {shown}.",)


def _count_header_rows(head: list[list[str]]) -> int:
    """How many records below the first belong to the header, as levels of names, units, or the name of an index.

    They hold words alone, and the rows behind them numbers. A row that would do as a header alone is no level: what
    stands above it is a preamble.
    """
    if len({len(cells) for cells in head}) > 1 or len(head[0]) < 2:
        return 0

    def holds_data(cells: list[str]) -> bool:
        return any(re.match(r"[+-]?[$€£]?\(?[.,]?\d", cell) or form_of(cell) for cell in cells)

    count = next((i for i, cells in enumerate(head[1:]) if holds_data(cells)), len(head))
    if not 0 < count <= min(_TALLEST_HEADER, len(head) - 2) or holds_data(head[0][:1]):
        return 0
    numeric = [any(re.match(r"[+-]?\d", cells[i]) for cells in head[1 + count :]) for i in range(1, len(head[0]))]
    for cells in head[1 : 1 + count]:
        complete = bool(head[0][0]) and all(cells) and len(set(cells)) == len(cells)
        complete = complete and TIMELIKE.search(cells[0]) is not None and not TIMELIKE.search(head[0][0])
        named = [bool(cell) for cell, is_number in zip(cells[1:], numeric, strict=True) if is_number]
        is_index_name = cells[0] and not any(cells[1:])
        if complete or not (is_index_name or (named and sum(named) * 2 >= len(named))):
            return 0
    return count


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
        start = again + 1
        line = records.lines[np.searchsorted(records.starts, start)]
        name = header.decode()
        pattern = rf"(?<=\n){re.escape(name)}(?:\n|\Z)"
        raise DataError(
            f"{source.label}, line {line}: the header appears here a second time: {quote(name)}.",
            f"{explain.look_at(source, line)}\nRemove it: {source.mended_by(f'sed {line}d', pattern)}",
        )


def _cells(source: Input, records: Records, mark: str) -> tuple[pa.Array, ...]:
    """Every column of these records as an array of strings."""
    names = [str(i) for i in range(int(records.fields[0]))]
    longest = int((records.ends - records.starts).max())
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(pa.py_buffer(memoryview(records.text)[records.starts[0] : records.ends[-1]])),
            pa.csv.ReadOptions(column_names=names, block_size=max(1 << 20, 2 * longest + 2)),
            pa.csv.ParseOptions(delimiter=mark, newlines_in_values=bool((records.last_lines > records.lines).any())),
            pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )
    except (pa.ArrowInvalid, pa.ArrowCapacityError) as error:
        raise DataError(
            f"{source.label} cannot be divided into cells: {error}.", "Check its quotes and line ends."
        ) from None
    if table.num_rows != len(records):
        raise DataError(
            f"{source.label}: {len(records):,} rows were counted but {table.num_rows:,} were read.",
            "Check its quotes and line ends.",
        )
    return tuple(column.combine_chunks() for column in table.columns)
