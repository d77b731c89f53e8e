"""Timestamps from text and numbers: one format for the whole column, inferred strictly or refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forecast.errors import DataError
from forecast.tables.source import show
from forecast.tables.table import Table, Times
from forecast.tables.timeformats import MONTHS, directives, format_of, formats

_US = 1_000_000

# Rows before the header that are looked through for where it begins.
_PREAMBLE = 50


@dataclass(frozen=True)
class Parsed:
    """A column of timestamps.

    Args:
        times: Timestamps [R], ``datetime64[us]``, in UTC if ``zoned``.
        words: Its format in words.
        zoned: Whether the cells carried an offset from UTC.
        whole_days: Whether no cell carried a time of day.
        notes: What was inferred, one sentence each.
        warnings: What was mended, one counted sentence each.
    """

    times: Times
    words: str
    zoned: bool = False
    whole_days: bool = False
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cells:
    """A column to be read as time, with what an error needs to name its place.

    Args:
        text: R strings without blanks about them.
        table: Where it stands.
        columns: The columns that it was made from, in words.
    """

    text: pa.Array
    table: Table
    columns: str

    def cell(self, row: int) -> str:
        """A cell as messages name it."""
        return f"{self.table.place(row)}, {self.columns}"

    def at(self, row: int) -> str:
        """A row and its value, as messages begin."""
        return f"{self.cell(row)}: {show(self.text[row].as_py())}"


def parse_times(cells: Cells, words: str) -> Parsed:
    """The timestamps of a column of text, every cell in the same format.

    Args:
        cells: The column.
        words: The format, as ``guess`` or ``guess_number`` gave it.

    Raises:
        DataError: If a cell is empty, has another format or is no date, or day and month cannot be told apart.
    """
    if words == "serial":
        raise DataError(
            f"{cells.at(0)} looks like a day number of a spreadsheet.",
            "Format the column as a date (YYYY-MM-DD) in the spreadsheet and export it again.",
        )
    if words.startswith("epoch"):
        return _epoch(cells, words)
    if (times := _iso(cells.text, words)) is not None:
        return Parsed(times, words, whole_days=words == "YYYY-MM-DD")
    if words in ("YYYY", "YYYYMM"):
        pattern = {"YYYY": r"^(?P<y>\d{4})(?:\.0*)?$", "YYYYMM": r"^(?P<y>\d{4})(?P<m>\d{2})(?:\.0*)?$"}[words]
    else:
        pattern = formats()[words].pattern
    parts = pc.extract_regex(cells.text, pattern)
    if parts.null_count:
        _refuse_other(cells, int(np.flatnonzero(parts.is_null().to_numpy(zero_copy_only=False))[0]), words)
    names = {parts.type.field(i).name for i in range(parts.type.num_fields)}
    text = {name: parts.field(name) for name in names}
    if {"a", "b"} <= names:
        return _ordered(cells, text, words)
    return _assemble(cells, text, words)


def _iso(text: pa.Array, words: str) -> Times | None:
    """Timestamps of a plain ISO form, ten times as fast; None where a cell needs a closer look (24:00, second 60 …)."""
    width = {"YYYY-MM-DD": 10, "YYYY-MM-DD HH:MM": 16, "YYYY-MM-DD HH:MM:SS": 19}.get(words)
    # Arrow takes every ISO form at once; only cells of one width are of one format.
    if width is None or not pc.all(pc.equal(pc.binary_length(text), width)).as_py():
        return None
    try:
        times: Times = pc.cast(text, pa.timestamp("us")).to_numpy(zero_copy_only=False).astype("datetime64[us]")
    except pa.ArrowInvalid:
        return None
    return times if (times >= np.datetime64("0001-01-01")).all() else None


def _refuse_other(cells: Cells, row: int, words: str) -> None:
    text = cells.text[row].as_py()
    if text == "":
        raise DataError(f"{cells.cell(row)}: the time is empty.", "Every row needs a time; remove the row or fill it.")
    other = format_of(text)
    if other:
        raise DataError(
            f"{cells.at(row)} is written as {other}, the column as {words}: mixed formats.",
            "Write every time in one format, best as YYYY-MM-DD HH:MM.",
        )
    lines = cells.table.lines
    if row == len(cells.text) - 1 and lines is not None:
        raise DataError(
            f"{cells.at(row)} is not a time of the form {words}; it is the last row, so perhaps a footer.",
            f"Remove it: {cells.table.source.through(f'sed {lines[row]}d')}",
        )
    good = next((r for r, text in enumerate(cells.text.slice(0, _PREAMBLE).to_pylist()) if format_of(text)), 0)
    if row == 0 < good and lines is not None:
        raise DataError(
            f"{cells.at(row)} is not a time of the form {words}; the times begin in line {lines[good]}.",
            cells.table.source.command(f"--skip-rows {lines[good - 1] - 1}"),
        )
    raise DataError(
        f"{cells.at(row)} is not a time of the form {words}.",
        f"Correct the row, or name another --time-column. {cells.table.look(row)}",
    )


def _ordered(cells: Cells, text: dict[str, pa.Array], words: str) -> Parsed:
    """Settle day-first or month-first over the whole column: by a number above 12, else by the regular cadence."""
    first, second = (_ints(text[name]) for name in "ab")
    month_first = words.replace("DD", "MM", 1).replace("MM", "DD", 2).replace("DD", "MM", 1)
    day_text = {"d": text["a"], "m": text["b"], **text}
    month_text = {"d": text["b"], "m": text["a"], **text}
    if first.max() > 12 and second.max() > 12:
        one, other = int(np.argmax(first > 12)), int(np.argmax(second > 12))
        raise DataError(
            f"{cells.at(max(one, other))} puts day and month the other way round than {cells.at(min(one, other))}.",
            "Write every date in one format, best as YYYY-MM-DD.",
        )
    if first.max() > 12:
        return _assemble(cells, day_text, words)
    if second.max() > 12:
        return _assemble(cells, month_text, month_first)
    readings = [_assemble(cells, day_text, words), _assemble(cells, month_text, month_first)]
    regular = [_regularity(reading.times) for reading in readings]
    for chosen, other in ((0, 1), (1, 0)):
        if regular[chosen] == 1 > regular[other] or (regular[chosen] > 0.99 and regular[other] < 0.95):
            note = f"Day and month could be either way; only {readings[chosen].words} gives a regular cadence."
            return replace(readings[chosen], notes=(*readings[chosen].notes, note))
    day_first = cells.table.source.command(f"--date-format {directives(words)!r}").removeprefix("Try: ")
    raise DataError(
        f"{cells.at(0)}: day and month cannot be told apart; no number in the column is above 12.",
        f"If the day comes first: {day_first}\nIf the month comes first: --date-format {directives(month_first)!r}",
    )


def _regularity(times: Times) -> float:
    """The share of steps that are the usual step; months count as equally long."""
    unique = np.unique(times)
    if len(unique) < 3:
        return 0.0
    steps = [np.diff(unique.astype(np.int64))]
    if len(np.unique(unique - unique.astype("datetime64[M]"))) == 1:
        months: NDArray[np.int64] = unique.astype("datetime64[M]").astype(np.int64)
        steps.append(np.diff(months))
    return max(float(np.unique(step, return_counts=True)[1].max() / len(step)) for step in steps)


def _ints(text: pa.Array) -> NDArray[np.int64]:
    return pc.cast(pc.if_else(pc.equal(text, ""), "0", text), pa.int64()).to_numpy(zero_copy_only=False)


def _assemble(cells: Cells, text: dict[str, pa.Array], words: str) -> Parsed:
    """Timestamps from the parts of each cell, checked against the calendar and the clock."""
    year = _ints(text["y"])
    rows = len(year)
    warnings: list[str] = []
    if "n" in text:
        month = _named_months(cells, text["n"])
    elif "q" in text:
        month = _ints(text["q"]) * 3 - 2
    else:
        month = _ints(text["m"]) if "m" in text else np.ones(rows, np.int64)
    day = _ints(text["d"]) if "d" in text else np.ones(rows, np.int64)
    dates = build_dates(year, month, day, cells.at)
    if "w" in text:
        dates = _iso_weeks(cells, year, _ints(text["w"]))
    if "j" in text:
        number = _ints(text["j"])
        _refuse_where(cells, (number < 1) | (number > 366), "is not a day of the year")
        dates = (dates.astype(np.int64) + number - 1).astype("datetime64[D]")
    clock = [_ints(text[name]) if name in text else np.zeros(rows, np.int64) for name in "HMS"]
    micro = np.zeros(rows, np.int64)
    if "f" in text:
        micro = _ints(pc.utf8_slice_codeunits(pc.utf8_rpad(text["f"], 9, "0"), 0, 6))
    if "p" in text:
        _refuse_where(cells, (clock[0] < 1) | (clock[0] > 12), "has no hour from 1 to 12 before AM or PM")
        afternoon = pc.equal(pc.utf8_lower(text["p"]), "p").to_numpy(zero_copy_only=False)
        clock[0] = clock[0] % 12 + 12 * afternoon
    seconds = add_clock(clock[0], clock[1], clock[2], micro, cells.at)
    if leap := int((clock[2] == 60).sum()):
        warnings.append(f"{leap:,} timestamp(s) with second 60 (a leap second) are read as the next minute.")
    times = dates.astype("datetime64[us]") + seconds.astype("timedelta64[us]")
    if "z" not in text:
        refuse_far(times, cells.at)
        return Parsed(times, words, whole_days="H" not in text, warnings=tuple(warnings))
    return _to_utc(cells, times, text["z"], words, warnings)


def _to_utc(cells: Cells, times: Times, zone: pa.Array, words: str, warnings: list[str]) -> Parsed:
    parts = pc.extract_regex(zone, r"^(?P<s>[+-])(?P<h>\d{2}):?(?P<m>\d{0,2})$")
    stated = parts.is_valid()
    hours, minutes = (_ints(pc.if_else(stated, parts.field(name), "0")) for name in "hm")
    sign = np.where(pc.fill_null(pc.equal(parts.field("s"), "-"), False).to_numpy(zero_copy_only=False), -1, 1)
    _refuse_where(cells, (hours > 15) | (minutes > 59), "has an impossible offset from UTC")
    offset = sign * (hours * 60 + minutes)
    notes: tuple[str, ...] = ()
    midnights = times == times.astype("datetime64[D]")
    if midnights.all() and offset.any():
        # Days that begin at local midnight: in UTC they would begin at 22:00 or 23:00 by season.
        return Parsed(
            times,
            words,
            zoned=True,
            whole_days=True,
            notes=("Every time is a local midnight; the local dates are kept.",),
        )
    if len(np.unique(offset)) > 1:
        warnings.append(
            f"Timestamps have {len(np.unique(offset))} different offsets from UTC; all are converted to UTC."
        )
    elif offset.any():
        notes = (f"Timestamps are converted from UTC{offset[0] / 60:+g} h to UTC.",)
    else:
        notes = ("Timestamps are in UTC.",)
    utc = times - (offset * 60 * _US).astype("timedelta64[us]")
    refuse_far(utc, cells.at)
    return Parsed(utc, words, zoned=True, notes=notes, warnings=tuple(warnings))


def _named_months(cells: Cells, names: pa.Array) -> NDArray[np.int64]:
    index = pc.index_in(pc.utf8_slice_codeunits(pc.utf8_lower(names), 0, 3), pa.array(MONTHS))
    month = pc.fill_null(index, -1).to_numpy(zero_copy_only=False).astype(np.int64) + 1
    _refuse_where(cells, month == 0, "names no month (English names or their first three letters)")
    return month


def _iso_weeks(cells: Cells, year: NDArray[np.int64], week: NDArray[np.int64]) -> NDArray[np.datetime64]:
    # The fourth of January always lies in week 1; a week begins on Monday.
    fourth = (year - 1970).astype("datetime64[Y]").astype("datetime64[D]") + 3
    _refuse_where(cells, (week < 1) | (week > 53), "is not a week of the year")
    number = fourth.astype(np.int64)
    return (number - (number + 3) % 7 + (week - 1) * 7).astype("datetime64[D]")


def build_dates(
    year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64], at: Callable[[int], str]
) -> NDArray[np.datetime64]:
    """Dates from their parts, [R].

    Raises:
        DataError: If a date is not in the calendar; ``at`` names its row.
    """
    months = (year - 1970) * 12 + np.clip(month, 1, 12) - 1
    begin = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    length = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - begin
    wrong = (year < 1) | (year > 9999) | (month < 1) | (month > 12) | (day < 1) | (day > length)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{at(row)} is not a date of the calendar (year {year[row]}, month {month[row]}, day {day[row]}).",
            "Correct the row, or name the format: --date-format '%Y-%m-%d'",
        )
    return (begin + day - 1).astype("datetime64[D]")


def add_clock(
    hour: NDArray[np.int64],
    minute: NDArray[np.int64],
    second: NDArray[np.int64],
    micro: NDArray[np.int64],
    at: Callable[[int], str],
) -> NDArray[np.int64]:
    """Microseconds since midnight, [R]; 24:00 is the end of its day.

    Raises:
        DataError: If a time of day does not exist; ``at`` names its row.
    """
    end_of_day = (hour == 24) & (minute == 0) & (second == 0) & (micro == 0)
    wrong = ((hour > 23) & ~end_of_day) | (hour < 0) | (minute > 59) | (minute < 0) | (second > 60) | (second < 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"{at(row)} has no such time of day.", "Hours are 0 to 23 (24:00 ends a day), minutes 0 to 59.")
    return ((hour * 60 + minute) * 60 + second) * _US + micro


def refuse_far(times: Times, at: Callable[[int], str]) -> None:
    """Refuse times outside the years 1 to 9999, which no calendar function holds.

    Raises:
        DataError: If there is one; ``at`` names its row.
    """
    wrong = np.isnat(times) | (times < np.datetime64("0001-01-01")) | (times >= np.datetime64("10000-01-01"))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"{at(row)} is missing or outside the years 1 to 9999.", "Correct or remove the row.")


def _refuse_where(cells: Cells, wrong: NDArray[np.bool_], what: str) -> None:
    if wrong.any():
        raise DataError(f"{cells.at(int(np.argmax(wrong)))} {what}.", "Correct the row, then try again.")


def _epoch(cells: Cells, words: str) -> Parsed:
    unit = {"s": _US, "ms": 1_000, "us": 1, "ns": 0.001}[words.split()[1]]
    parts = pc.extract_regex(cells.text, r"^(?P<w>\d{1,19})(?:\.(?P<f>\d*))?$")
    if parts.null_count:
        _refuse_other(cells, int(np.flatnonzero(parts.is_null().to_numpy(zero_copy_only=False))[0]), words)
    whole = _ints(parts.field("w"))
    times = whole // 1000 if unit == 0.001 else whole * int(unit)
    if unit == _US:
        times = times + _ints(pc.utf8_slice_codeunits(pc.utf8_rpad(pc.fill_null(parts.field("f"), ""), 6, "0"), 0, 6))
    stamps = times.astype("datetime64[us]")
    refuse_far(stamps, cells.at)
    unit_name = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}[words.split()[1]]
    return Parsed(stamps, words, zoned=True, notes=(f"Times are {unit_name} since 1970-01-01, in UTC.",))


def strptime(texts: list[str], date_format: str) -> Times:
    """Timestamps by a ``strptime`` format, [R]; in UTC where it has a ``%z``, and NaT for cells of another form.

    Raises:
        DataError: If the format is none.
    """
    zoned = "%z" in date_format
    try:
        if "%" not in date_format:
            raise ValueError("it has no directive such as %Y")
        read = pd.to_datetime(pd.Series(texts, dtype=object), format=date_format, errors="coerce", utc=zoned)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(
            f"--date-format {show(date_format)} is no format: {error}.", "Write it like --date-format '%d.%m.%Y %H:%M'"
        ) from None
    times = (read.dt.tz_localize(None) if zoned else read).to_numpy()
    return times.astype("datetime64[us]")


def parse_with(cells: Cells, date_format: str) -> Parsed:
    """The timestamps of a column in a format that the user named.

    Args:
        cells: The column.
        date_format: As in ``strptime``: ``%d.%m.%Y %H:%M``.

    Raises:
        DataError: If the format is none, or a cell does not have it.
    """
    times = strptime(cells.text.to_pylist(), date_format)
    wrong = np.isnat(times)
    if wrong.any():
        raise DataError(
            f"{cells.at(int(np.argmax(wrong)))} does not have the format {show(date_format)}.",
            cells.table.source.command("--date-format '%Y-%m-%d %H:%M'"),
        )
    refuse_far(times, cells.at)
    whole_days = not re.search(r"%[HIXcTfs]", date_format)
    return Parsed(times, date_format, zoned="%z" in date_format, whole_days=whole_days)
