"""A table that comes line by line, without an end."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from forecast.config import ReadOptions
from forecast.data.cadence import place
from forecast.data.panel import Clock, Floats
from forecast.data.rows import SERIES_IDS
from forecast.errors import DataError
from forecast.tables.columns import checked
from forecast.tables.numerals import parse_numbers
from forecast.tables.source import Source, show
from forecast.tables.stamps import find_stamps, localise
from forecast.tables.table import Table

# Bytes that are read at once, at most.
_AT_ONCE = 65_536

# Seconds between two looks at a file that may grow.
_WAIT = 0.2

_DELIMITERS = ",;\t|"


# No line of a table is longer; a binary file may be.
_LONGEST = 1_000_000


def lines_of(path: str, follow: bool = False) -> Iterator[bytes | None]:
    """The lines of a file or of standard input as they come; None whenever the next one has to be waited for.

    Args:
        path: A path, or ``-`` for standard input.
        follow: Wait at the end of a file for it to grow.

    Raises:
        DataError: If there is no such file, or a line has no end.
    """
    hint = "Give a file, or - for standard input."
    file: Any = None
    try:
        file = sys.stdin.buffer if path == "-" else open(path, "rb")  # noqa: SIM115 - standard input stays open
        rest = b""
        while True:
            yield None
            chunk = file.read1(_AT_ONCE)
            if not chunk:
                if not follow:
                    break
                time.sleep(_WAIT)
                continue
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
            if len(rest) > _LONGEST:
                raise DataError(f"{show(path)} has a line of more than {_LONGEST:,} bytes: no table has.", hint)
        if rest:
            yield rest
    except OSError as error:
        raise DataError(f"Cannot read {show(path)}: {error.strerror}.", hint) from None
    finally:
        if file is not None and path != "-":
            file.close()


@dataclass(frozen=True)
class Line:
    """One row.

    Args:
        time: Its place on the clock.
        values: The columns that were asked for, [C]; NaN where missing.
        series: What the column of the series holds; empty where there is none.
    """

    time: np.datetime64
    values: Floats
    series: str = ""


class LineReader:
    """Reads single lines below a header, with the same eyes as a whole table.

    Args:
        header: The first line.
        columns: Names of the C columns to read.
        clock: The beat of the rows.
        options: What is not to be inferred.
        source: What messages call the lines, and what the user would type for them.
        several: Whether a column tells several series apart.

    Raises:
        DataError: If a column is missing.
    """

    def __init__(
        self,
        header: str,
        columns: tuple[str, ...],
        clock: Clock,
        options: ReadOptions,
        source: Source,
        several: bool = False,
    ) -> None:
        header = header.lstrip("\ufeff")
        self._delimiter = options.delimiter or max(_DELIMITERS, key=header.count)
        self._columns, self._clock, self._source, self._options = columns, clock, source, options
        self.names = tuple(name.strip() for name in self._cells(header))
        named = options.series_id or next((name for name in self.names if name.casefold() in SERIES_IDS), SERIES_IDS[0])
        self._series_id = named if several else None
        for name in (*columns, *([named] if several else ())):
            if name not in self.names:
                raise DataError(
                    f"{source.label}, line 1: column {show(name)} is missing; there are "
                    f"{', '.join(map(show, self.names))}.",
                    f"The header must name {', '.join(map(show, columns))}{', the series' if several else ''} "
                    "and the time.",
                )

    def read(self, text: str, number: int) -> Line:
        """The row of one line.

        Args:
            text: The line.
            number: Its number, for messages.

        Raises:
            DataError: If a cell is not a number or the time cannot be read; names line, column and value.
        """
        cells = self._cells(text)
        if len(cells) != len(self.names):
            raise DataError(
                f"{self._source.label}, line {number}: {len(cells)} fields, the header has {len(self.names)}: "
                f"{show(text.strip())}.",
                "Give as many fields as there are names; empty ones for what is missing.",
            )
        columns = tuple(pa.array([cell], pa.string()) for cell in cells)
        table = Table(self._source, self.names, columns, np.array([number]))
        stamps = find_stamps(table, self._options.time_column, self._options.date_format)
        alone = np.zeros(1, np.int64)
        times, _ = localise(stamps, alone, self._options.tz, self._source)
        if np.isnat(times[0]):
            raise DataError(
                f"{table.place(0)}: {show(text.strip())} has no time, or one that its time zone leaves out.",
                table.look(0),
            )
        decimal, thousands = self._options.decimal or ".", self._options.thousands or ""
        values = [checked(table, name, parse_numbers(table[name], decimal, thousands))[0] for name in self._columns]
        series = cells[self.names.index(self._series_id)].strip() if self._series_id else ""
        return Line(place(times, alone, self._clock).times[0], np.array(values), series)

    def _cells(self, text: str) -> list[str]:
        return next(csv.reader([text.rstrip("\r\n")], delimiter=self._delimiter), [])
