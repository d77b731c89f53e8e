"""A table that comes line by line, without an end: each line is read as a table of one row."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from forecast.errors import DataError, quote
from forecast.tables.columns import SERIES_IDS, checked
from forecast.tables.explain import look_at_row
from forecast.tables.find_times import find_steps, find_times
from forecast.tables.input import Dialect, Input, key_part, series_keys
from forecast.tables.notation import parse_as, parse_numbers, without_words
from forecast.tables.numbers import given_marks
from forecast.tables.structure import named_delimiter
from forecast.tables.table import Floats, Table
from forecast.tables.zones import in_zone

_DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Line:
    """One row.

    Args:
        time: Its time; in UTC if it has a zone. NaT of a row that has neither a time nor the number of its step.
        tz: ``UTC``, or None if its time has no zone.
        values: The columns that were asked for, [C]; NaN where missing.
        series: What the column of the series holds, or the name of its column; empty where there is none.
    """

    time: np.datetime64
    tz: str | None
    values: Floats
    series: str = ""


class LineReader:
    """Reads single lines below a header as the same table in one piece would be read.

    Args:
        header: The first line.
        columns: Names of the C columns to read.
        source: What messages call the lines, and what the user would type for them.
        dialect: What is not to be inferred.
        tz: The zone of the clock; None for none.
        has_series: Whether a column tells several series apart.
        is_wide: Whether each of the columns is a series.

    Raises:
        DataError: If a column is missing.
    """

    def __init__(
        self,
        header: str,
        columns: tuple[str, ...],
        source: Input,
        dialect: Dialect,
        tz: str | None = None,
        has_series: bool = False,
        is_wide: bool = False,
    ) -> None:
        header = header.lstrip("\ufeff")
        named = dialect.delimiter
        self._delimiter = max(_DELIMITERS, key=header.count) if named is None else named_delimiter(source, named)
        self._columns, self._source, self._dialect, self._tz, self._is_wide = columns, source, dialect, tz, is_wide
        self.names = tuple(name.strip() or f"Unnamed: {i}" for i, name in enumerate(self._cells(header)))
        known = (name for name in self.names if name.casefold() in SERIES_IDS)
        series_id = dialect.series_id or next(known, SERIES_IDS[0])
        keys = (series_id,) if series_id in self.names else series_keys(series_id)
        self._keys = keys if has_series else ()
        self._notation = {notation.column: notation for notation in dialect.notation}
        self._words = {name: notation for notation in dialect.notation if notation.words for name in notation.columns}
        needed = dict.fromkeys(self._words[name].column if name in self._words else name for name in columns)
        for name in (*needed, *self._keys):
            if name not in self.names:
                raise DataError(
                    f"{source.label}, line 1: column {quote(name)} is missing; there are "
                    f"{', '.join(map(quote, self.names))}.",
                    f"The header must name {', '.join(map(quote, needed))}{', the series' if has_series else ''} "
                    "and the time.",
                )

    def read(self, text: str, number: int) -> list[Line]:
        """The row of one line; of a wide one that of each series.

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
                f"{quote(text.strip())}.",
                "Give as many fields as there are names; empty ones for what is missing.",
            )
        columns = tuple(pa.array([cell], pa.string()) for cell in cells)
        table = Table(self._source, self.names, columns, np.array([number]))
        if self._dialect.freq == "step":
            time = find_steps(table, self._dialect.time_column, self._dialect.date_format, None)
            time = replace(time, times=np.full(1, "NaT", "datetime64[us]")) if time.by_all_rows else time
        else:
            time = find_times(table, self._dialect.time_column, self._dialect.date_format)
        zoned = in_zone(time, np.zeros(1, np.int64), self._tz, self._source)
        if np.isnat(zoned.times[0]) and self._dialect.freq != "step":
            raise DataError(
                f"{table.row(0)}: {quote(text.strip())} has no time, or one that its time zone leaves out.",
                look_at_row(table, 0),
            )
        parts = [cells[self.names.index(key)].strip() for key in self._keys]
        series = "/".join(map(key_part, parts)) if len(parts) > 1 else "".join(parts)
        tz = None if zoned.tz is None or zoned.whole_days else "UTC"
        values = np.concatenate([self._values(table, name) for name in self._columns])
        if self._is_wide:
            return [Line(zoned.times[0], tz, values[[at]], name) for at, name in enumerate(self._columns)]
        return [Line(zoned.times[0], tz, values, series)]

    def _values(self, table: Table, name: str) -> Floats:
        """The values of a column, [1]."""
        if name in self._words:
            words = self._words[name]
            return np.array([words.numbers(table[words.column][0].as_py())[name]])
        cells = without_words(table[name], self._dialect.missing_words)
        if (notation := self._notation.get(name)) is not None:
            return checked(table, name, parse_as(cells, notation), notation)
        return checked(table, name, parse_numbers(cells, *(given_marks(table, self._dialect) or (".", ""))))

    def _cells(self, text: str) -> list[str]:
        line = " ".join(text.split()) if self._delimiter == " " else text.rstrip("\r\n")
        return next(csv.reader([line], delimiter=self._delimiter), [])
