"""Where each record of a delimited text begins and ends, and how many fields it has: counted on the raw bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecast.errors import DataError
from forecast.tables.source import Source, show

_CHUNK = 1 << 23
_QUOTE, _NEWLINE = 34, 10


@dataclass(frozen=True)
class Records:
    """R records of a text; a quoted field may spread one over several lines.

    Args:
        starts: The byte that each begins with, [R].
        ends: The byte behind its last, [R].
        lines: The line it begins on, [R], counted from 1.
        last: The line it ends on, [R].
        fields: How many fields it has, [R].
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    lines: NDArray[np.int64]
    last: NDArray[np.int64]
    fields: NDArray[np.int64]

    def keep(self, chosen: NDArray[np.bool_]) -> Records:
        """The chosen records alone."""
        columns = (self.starts, self.ends, self.lines, self.last, self.fields)
        return Records(*(column[chosen] for column in columns))


def find_records(source: Source, text: bytes, mark: str, skipped: int) -> Records:
    """Every record of a text.

    Args:
        source: For messages.
        text: UTF-8 with the line feed as line end.
        mark: The delimiter.
        skipped: Lines of the source that stand before the text.

    Raises:
        DataError: If a quotation mark stands inside a field, or is never closed; names its line.
    """
    parts = []
    for ends, lines, fields, stray in count_fields(text, mark):
        if stray:
            line = text.count(b"\n", 0, stray[0]) + 1 + skipped
            begin = text.rfind(b"\n", 0, stray[0]) + 1
            row = text[begin : begin + 200].split(b"\n")[0].decode("utf-8", "replace")
            raise DataError(
                f"{source.label}, line {line}: a quotation mark does not open and close a whole field: {show(row)}.",
                f"Look at it: {source.piped(f'sed -n {line}p')}",
            )
        parts.append((ends, lines, fields))
    ends, line_of_end, fields = (np.concatenate(column).astype(np.int64) for column in zip(*parts, strict=True))
    starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)
    lines = np.concatenate([[0], line_of_end[:-1] + 1]).astype(np.int64) + 1 + skipped
    return Records(starts, ends, lines, line_of_end + 1 + skipped, fields)


def find_blank(text: bytes, records: Records) -> tuple[NDArray[np.bool_], bytes]:
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


def count_fields(
    text: bytes, mark: str
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], list[int]]]:
    """Record ends, line ends before each, fields, and misplaced quotes (with the opening one), chunk by chunk."""
    delimiter = ord(mark)
    quoted, lines, fields = 0, 0, 1
    opener = -1
    for begin in range(0, len(text), _CHUNK):
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
