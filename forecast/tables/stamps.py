"""The time of each row: found among the columns, or put together from several."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forecast.errors import DataError
from forecast.tables import timeparse
from forecast.tables.numerals import parse_numbers
from forecast.tables.source import Source, show
from forecast.tables.table import Table, Times, as_text
from forecast.tables.timeformats import guess, guess_number

# The likeliest names first.
_NAMES = ("ds", "datetime", "date_time", "timestamp", "time", "date", "valid", "utc", "time_utc")
_TIMELIKE = re.compile(
    r"date|time|stamp|year|epoch|period|datum|zeit|fecha|heure|^(ds|dt|ts|t|day|month|unix|utc)$", re.I
)
_PART_NAMES = {
    "year": ("year", "yr", "yyyy"),
    "month": ("month", "mon", "mo"),
    "day": ("day", "dd", "mday", "dom"),
    "hour": ("hour", "hr", "hh"),
    "minute": ("minute", "minutes"),
}
_OF_DAY = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp][Mm])?")
_CLOCKLIKE = re.compile("time|hour|hora|heure|zeit|uhr", re.I)
_SAMPLE = 60


@dataclass(frozen=True)
class Stamps:
    """The time of each row.

    Args:
        times: Timestamps [R], ``datetime64[us]``; in UTC if ``zoned``.
        used: Names of the columns they were made from.
        zoned: Whether the table gave their offset from UTC.
        whole_days: Whether no time of day was given.
        notes: What was inferred, one sentence each.
        warnings: What was mended, one counted sentence each.
    """

    times: Times
    used: frozenset[str]
    zoned: bool = False
    whole_days: bool = False
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def find_stamps(table: Table, time_column: str | None, date_format: str | None) -> Stamps:
    """The time of each row of a table.

    Args:
        table: R rows.
        time_column: The name of its column, or of several, divided by commas; None infers it.
        date_format: As in ``strptime``; None infers it.

    Raises:
        DataError: If there is no time, or it is ambiguous or written in several ways; names line and value.
    """
    if time_column is not None:
        return _named(table, time_column, date_format)
    found = [(rank, name) for name in table.names if (rank := _rank(table, name, date_format)) is not None]
    if found:
        name = min(found, key=lambda pair: pair[0])[1]
        return _with_clock(table, name, _one(table, name, date_format))
    parts = _parts(table)
    if "year" in parts and len(parts) > 1:
        return _assembled(table, parts)
    for timelike_only in (True, False):
        for name in table.names:
            words = _number_words(table, name)
            if words and (_TIMELIKE.search(name) if timelike_only else words not in ("YYYY", "YYYYMM", "serial")):
                return _one(table, name, date_format)
    if "year" in parts:
        return _assembled(table, parts)
    raise _no_time(table)


def _sample(column: pa.Array) -> list[str]:
    """Filled cells from all over a column; all of them are read later, these show what they are."""
    rows = np.unique(np.linspace(0, len(column) - 1, min(len(column), _SAMPLE)).astype(np.int64))
    return [text for text in pc.ascii_trim_whitespace(column.take(pa.array(rows))).to_pylist() if text]


def _rank(table: Table, name: str, date_format: str | None) -> tuple[bool, int, bool, int] | None:
    """How likely a column is the time (less is likelier), or None where it is none."""
    column = table[name]
    gappy = False
    if isinstance(column, pa.Array):
        gappy = pc.any(pc.equal(column, "")).as_py()
        sample = _sample(column)
        if date_format is not None:
            if not sample or np.isnat(timeparse.strptime(sample, date_format)).mean() > 0.5:
                return None
        elif guess(sample) is None:
            return None
    elif column.dtype.kind != "M":
        return None
    folded = name.casefold()
    named = _NAMES.index(folded) if folded in _NAMES else len(_NAMES)
    return gappy, named, not _TIMELIKE.search(name), table.names.index(name)


def _number_words(table: Table, name: str) -> str | None:
    column = table[name]
    if isinstance(column, pa.Array):
        sample = _sample(column)
    elif column.dtype.kind == "f":
        finite = column[np.isfinite(column)]
        sample = [f"{value:.0f}" for value in finite[:: max(1, len(finite) // _SAMPLE)] if value == np.rint(value)]
    else:
        return None
    whole = [text.partition(".")[0] for text in sample]
    return guess(whole) or guess_number(sample)


def _cells(table: Table, name: str) -> timeparse.Cells:
    return timeparse.Cells(pc.ascii_trim_whitespace(as_text(table[name])), table, f"column {show(name)}")


def _one(table: Table, name: str, date_format: str | None) -> Stamps:
    column = table[name]
    if not isinstance(column, pa.Array) and column.dtype.kind == "M":
        timeparse.refuse_far(column, lambda row: table.cell(row, name))
        zoned = name in table.zoned
        whole = bool((column == column.astype("datetime64[D]")).all())
        note = f"Time: column {show(name)}{' in UTC' * (zoned and not whole)}."
        return Stamps(column, frozenset((name,)), zoned, whole, (note,))
    cells = _cells(table, name)
    sample = _sample(cells.text)
    if date_format is not None:
        parsed = timeparse.parse_with(cells, date_format)
    else:
        words = guess(sample) or guess_number(sample)
        if words is None:
            raise _unreadable(table, name, sample)
        parsed = timeparse.parse_times(cells, words)
    note = f"Time: column {show(name)}, written as {parsed.words}."
    return Stamps(
        parsed.times, frozenset((name,)), parsed.zoned, parsed.whole_days, (note, *parsed.notes), parsed.warnings
    )


def _unreadable(table: Table, name: str, sample: list[str]) -> DataError:
    if not sample:
        return DataError(
            f"{table.source.label}: column {show(name)} is empty.", table.source.command("--time-column NAME")
        )
    if re.match(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2}(\D|$)", sample[0]):
        separator = re.search(r"[-/.]", sample[0])[0]  # type: ignore[index]
        form = separator.join(("%d", "%m", "%y"))
        return DataError(
            f"{table.cell(0, name)}: {show(sample[0])} has a year of two digits.",
            table.source.command(f"--date-format '{form}'"),
        )
    return DataError(
        f"{table.cell(0, name)}: {show(sample[0])} is not a time.",
        table.source.command("--date-format '%d.%m.%Y %H:%M'"),
    )


def _named(table: Table, time_column: str, date_format: str | None) -> Stamps:
    if time_column in table.names:
        return _with_clock(table, time_column, _one(table, time_column, date_format))
    names = [name.strip() for name in time_column.split(",")]
    unknown = [name for name in names if name not in table.names]
    if unknown:
        raise DataError(
            f"There is no column {show(unknown[0])} for --time-column.",
            f"Columns: {', '.join(map(show, table.names[:20]))}.",
        )
    if len(names) == 2 and guess(_sample(as_text(table[names[0]]))):
        return _joined(table, names[0], names[1])
    parts = {part: name for name in names for part, spelled in _PART_NAMES.items() if name.casefold() in spelled}
    if len(parts) < len(names) or "year" not in parts:
        raise DataError(
            f"--time-column {show(time_column)}: the parts must be named year, month, day, hour, minute.",
            table.source.command("--time-column NAME"),
        )
    return _assembled(table, parts)


def _with_clock(table: Table, name: str, stamps: Stamps) -> Stamps:
    """Days joined with a column of the time of day, where the days alone repeat."""
    if not stamps.whole_days or len(np.unique(stamps.times)) == len(stamps.times):
        return stamps
    for other in table.names:
        column = table[other]
        named = other != name and _CLOCKLIKE.search(other)
        if named and isinstance(column, pa.Array) and all(map(_OF_DAY.fullmatch, _sample(column))):
            return _joined(table, name, other)
    hour = _parts(table).get("hour")
    if hour is None:
        return stamps
    hours = _integers(table, hour)
    zero = np.zeros_like(hours)
    since = timeparse.add_clock(hours, zero, zero, zero, lambda row: f"{table.cell(row, hour)}: {hours[row]}")
    note = f"The hour is taken from column {show(hour)}."
    times = stamps.times + since.astype("timedelta64[us]")
    return Stamps(times, stamps.used | {hour}, stamps.zoned, False, (*stamps.notes, note), stamps.warnings)


def names_a_clock(name: str) -> bool:
    """Whether a column is called as one of the time of day."""
    return _CLOCKLIKE.search(name) is not None or name.casefold() in _PART_NAMES["hour"]


def _joined(table: Table, date: str, clock: str) -> Stamps:
    """Times from a column of dates and one of the time of day."""
    joined = pc.binary_join_element_wise(_cells(table, date).text, _cells(table, clock).text, " ")
    cells = timeparse.Cells(joined, table, f"columns {show(date)} and {show(clock)}")
    words = guess(_sample(joined))
    if words is None:
        raise DataError(f"{cells.at(0)} is not a time.", table.source.command("--time-column NAME"))
    parsed = timeparse.parse_times(cells, words)
    note = f"Time: columns {show(date)} and {show(clock)}, written as {parsed.words}."
    return Stamps(
        parsed.times, frozenset((date, clock)), parsed.zoned, parsed.whole_days, (note, *parsed.notes), parsed.warnings
    )


def _parts(table: Table) -> dict[str, str]:
    """Columns that hold the year, the month and so on: part -> name."""
    by_name = {name.casefold(): name for name in reversed(table.names)}
    return {part: by_name[s] for part, spelled in _PART_NAMES.items() for s in reversed(spelled) if s in by_name}


def _integers(table: Table, name: str) -> NDArray[np.int64]:
    column = table[name]
    values = parse_numbers(column).values if isinstance(column, pa.Array) else column
    wrong = ~(np.abs(values) < 10_000) | (values != np.rint(values))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{table.cell(row, name)}: {show(as_text(column)[row].as_py())} is not a whole number of the calendar.",
            table.look(row),
        )
    return values.astype(np.int64)


def _assembled(table: Table, parts: dict[str, str]) -> Stamps:
    """Times from columns of the year, month, day, hour and minute."""
    if "day" in parts and "month" not in parts:
        raise DataError(f"{table.source.label} has a day but no month.", table.source.command("--time-column NAME"))
    ones = np.ones(len(table), np.int64)
    part = {name: _integers(table, column) for name, column in parts.items()}

    def at(row: int) -> str:
        return f"{table.place(row)}: " + "-".join(str(part[p][row]) for p in part)

    dates = timeparse.build_dates(part["year"], part.get("month", ones), part.get("day", ones), at)
    since = timeparse.add_clock(part.get("hour", ones * 0), part.get("minute", ones * 0), ones * 0, ones * 0, at)
    times = dates.astype("datetime64[us]") + since.astype("timedelta64[us]")
    timeparse.refuse_far(times, at)
    note = f"Time: put together from columns {', '.join(map(show, parts.values()))}."
    return Stamps(times, frozenset(parts.values()), whole_days="hour" not in parts, notes=(note,))


def _no_time(table: Table) -> DataError:
    shown = []
    for name in table.names[:12]:
        sample = _sample(as_text(table[name]))
        shown.append(f"  {show(name)}: {', '.join(map(show, sample[:2])) or 'empty'}")
    first = next((n for n in table.names if _TIMELIKE.search(n)), table.names[0])
    sample = _sample(as_text(table[first]))
    if sample and re.match(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2}(\D|$)", sample[0]):
        return _unreadable(table, first, sample)
    return DataError(
        f"{table.source.label} has no column that is a time. Its columns begin:\n" + "\n".join(shown),
        table.source.command("--time-column NAME --date-format '%d.%m.%Y'"),
    )


def localise(
    stamps: Stamps, series: NDArray[np.int64], tz: str | None, source: Source
) -> tuple[Times, tuple[str, ...]]:
    """Times in UTC where the zone of their clock is given, else as they are; and what was mended.

    Args:
        stamps: The time of each row.
        series: The series of each row, [R]: within one, an hour that comes twice is the repeated hour of autumn.
        tz: Name of the zone, or None.
        source: For messages.

    Returns:
        Timestamps [R], NaT for those in the hour that spring leaves out; and one counted sentence for each repair.

    Raises:
        DataError: If there is no such zone.
    """
    if tz is None:
        return stamps.times, ()
    try:
        pd.DatetimeIndex(["2000-01-01"]).tz_localize(tz)
    except Exception:  # zoneinfo raises KeyError, ValueError and OSError, for names that are paths others too
        raise DataError(f"--tz {show(tz)} is not a time zone.", source.command("--tz Europe/Berlin")) from None
    if stamps.zoned or stamps.whole_days:
        why = "the times carry their own offset" if stamps.zoned else "the times are whole days"
        return stamps.times, (f"--tz {show(tz)} is not used: {why}.",)
    local = pd.Series(stamps.times)
    second = local.groupby([series, local.to_numpy()]).cumcount().to_numpy() > 0
    if (np.diff(stamps.times).astype(np.int64) < 0).sum() * 2 > len(local):
        second = local[::-1].groupby([series[::-1], local.to_numpy()[::-1]]).cumcount().to_numpy()[::-1] > 0
    zoned = pd.DatetimeIndex(local).tz_localize(tz, ambiguous=~second, nonexistent="NaT")
    lost = int(np.count_nonzero(zoned.isna()))
    warning = (f"{lost:,} row(s) in the hour that spring leaves out in {tz} are left out.",) if lost else ()
    return zoned.tz_convert(None).to_numpy().astype("datetime64[us]"), warning
