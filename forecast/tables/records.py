"""Where each record of a delimited text begins and ends, and how many fields it has: counted on the raw bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.errors import quote
from forecast.tables.table import Bools, Ints

QUOTE, NEWLINE = 34, 10


@dataclass(frozen=True)
class Records:
    """R records of a text; a quoted field may spread one over several lines.

    Args:
        text: UTF-8 with the line feed as line end.
        starts: The byte that each begins with, [R].
        ends: The byte behind its last, [R].
        lines: The line it begins on, [R], counted from 1.
        last_lines: The line it ends on, [R].
        fields: How many fields it has, [R].
    """

    text: bytes
    starts: Ints
    ends: Ints
    lines: Ints
    last_lines: Ints
    fields: Ints

    def __len__(self) -> int:
        return len(self.starts)

    def raw(self, record: int | np.integer) -> bytes:
        """The bytes of a record."""
        return self.text[self.starts[record] : self.ends[record]]

    def shown(self, record: int | np.integer) -> str:
        """A record as messages show it."""
        return quote(self.raw(record).decode("utf-8", "replace"))

    def from_record(self, first: int) -> Records:
        """This record and those behind it."""
        return self.chosen(np.arange(len(self)) >= first)

    def until_record(self, stop: int) -> Records:
        """The records before this one; what is behind them is no longer part of the text."""
        kept = self.chosen(np.arange(len(self)) < stop)
        return Records(
            self.text[: self.ends[stop - 1]] + b"\n",
            *(getattr(kept, n) for n in ("starts", "ends", "lines", "last_lines", "fields")),
        )

    def chosen(self, choice: Bools) -> Records:
        """The chosen records alone."""
        columns = (self.starts, self.ends, self.lines, self.last_lines, self.fields)
        return Records(self.text, *(column[choice] for column in columns))


def find_records(text: bytes, mark: str, first_line: int = 1) -> Records:
    """Every record of a text whose quotes are closed; of one whose last quote is not, those before it.

    Args:
        text: UTF-8 with the line feed as line end.
        mark: The delimiter.
        first_line: The number of the line that the text begins with.
    """
    data = np.frombuffer(text, np.uint8)
    line_ends, marks = np.flatnonzero(data == NEWLINE), np.flatnonzero(data == ord(mark))
    ends, closed = line_ends, True
    if quoted := text.rfind(b'"') + 1:
        # A byte lies inside quotes when an odd number of them stands before it; behind the last, as that leaves it.
        inside = np.bitwise_xor.accumulate((data[:quoted] == QUOTE).view(np.uint8)).view(bool)
        closed = not inside[-1]
        ends, marks = (at[~inside[np.minimum(at, quoted - 1)]] for at in (line_ends, marks))
    if closed and not text.endswith(b"\n"):
        ends = np.append(ends, len(text))
    starts = np.concatenate([[0], ends[:-1] + 1])[: len(ends)]
    fields = 1 + np.diff(np.searchsorted(marks, ends), prepend=0)
    lines, last_lines = (np.searchsorted(line_ends, at) + first_line for at in (starts, ends))
    return Records(text, starts, ends, lines, last_lines, fields)
