"""The time of each row: found among the columns, and read strictly, every cell in one form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forecast.errors import DataError, quote, setting
from forecast.tables import explain
from forecast.tables.notation import parse_numbers
from forecast.tables.table import Bools, Ints, Table, Times, as_text
from forecast.tables.timeforms import MONTHS, TIMELIKE, directives, infer_count, infer_form, pattern_of
from forecast.tables.zone_rules import zone_of_offsets

# The likeliest names first.
_NAMES = ("ds", "datetime", "date_time", "timestamp", "time", "date", "valid", "utc", "time_utc")
_PART_NAMES = {
    "y": ("year", "yr", "yyyy"),
    "m": ("month", "mon", "mo"),
    "d": ("day", "dd", "mday", "dom"),
    "H": ("hour", "hr", "hh"),
    "M": ("minute", "minutes"),
}
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?[AaPp][Mm])?")
_NAME_OF_CLOCK = re.compile("time|hour|hora|heure|zeit|uhr", re.I)
_SAMPLE = 60
_SECOND = 1_000_000  # microseconds
_EPOCHS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


@dataclass(frozen=True)
class TimeColumn:
    """The time of each row.

    Args:
        times: Timestamps [R], ``datetime64[us]``; in UTC if ``zoned``.
        form: How they are written, such as ``YYYY-MM-DD``.
        used: Names of the columns they were made from.
        zoned: Whether the table gave their offset from UTC.
        zone: The zone that it gave, such as ``Europe/Berlin`` or ``+01:00``, where it is one for all rows.
        whole_days: Whether no time of day was given.
        notes: What was inferred, one sentence each.
        warnings: What was mended, one counted sentence each.
    """

    times: Times
    form: str = ""
    used: frozenset[str] = frozenset()
    zoned: bool = False
    zone: str | None = None
    whole_days: bool = False
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cells:
    """Cells that are to be read as time, and how messages name them.

    Args:
        text: R strings without blanks about them.
        table: The table that they stand in.
        columns: The columns that they were made from, for messages.
    """

    text: pa.Array
    table: Table
    columns: str

    def at(self, row: int) -> str:
        """A cell and its value, as messages begin."""
        return f"{self.table.row(row)}, {self.columns}: {quote(self.text[row].as_py())}"

    def refuse_where(self, wrong: Bools, why: str) -> None:
        """Refuse the first cell that is wrong."""
        _refuse_where(wrong, self.at, why)


def find_times(table: Table, time_column: str | None, date_format: str | None) -> TimeColumn:
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
    ranked = [(rank, name) for name in table.names if (rank := _rank(table, name, date_format)) is not None]
    if ranked:
        return _with_time_of_day(table, min(ranked)[1], date_format)
    parts = _parts(table)
    if "y" in parts and len(parts) > 1:
        return _assembled(table, parts)
    counts = {name: form for name in table.names if (form := _form_of_numbers(table, name))}
    for name in counts:
        if TIMELIKE.search(name):
            return _read_column(table, name, date_format)
    for name, form in counts.items():
        if form not in ("YYYY", "YYYYMM", "serial"):
            return _read_column(table, name, date_format)
    if "y" in parts:
        return _assembled(table, parts)
    raise explain.no_time(table, {name: sample(as_text(table[name])) for name in table.names})


def sample(column: pa.Array) -> list[str]:
    """Filled cells from all over a column; all of them are read later, these show what they are."""
    rows = np.unique(np.linspace(0, len(column) - 1, min(len(column), _SAMPLE)).astype(np.int64))
    return [text for text in pc.ascii_trim_whitespace(column.take(pa.array(rows))).to_pylist() if text]


def _rank(table: Table, name: str, date_format: str | None) -> tuple[bool, int, bool, int] | None:
    """How likely a column is the time (less is likelier), or None where it is none."""
    column = table[name]
    gappy = False
    if isinstance(column, pa.Array):
        gappy = pc.any(pc.equal(column, "")).as_py()
        texts = sample(column)
        if date_format is not None:
            if not texts or np.isnat(_strptime(texts, date_format)).mean() > 0.5:
                return None
        elif infer_form(texts) is None:
            return None
    elif column.dtype.kind != "M":
        return None
    folded = name.casefold()
    position = _NAMES.index(folded) if folded in _NAMES else len(_NAMES)
    return gappy, position, not TIMELIKE.search(name), table.names.index(name)


def _form_of_numbers(table: Table, name: str) -> str | None:
    """The form of a column of whole numbers, if they could count time."""
    column = table[name]
    if isinstance(column, pa.Array):
        texts = sample(column)
    elif column.dtype.kind == "f":
        finite = column[np.isfinite(column)]
        texts = [f"{value:.0f}" for value in finite[:: max(1, len(finite) // _SAMPLE)] if value == np.rint(value)]
    else:
        return None
    return infer_form([text.partition(".")[0] for text in texts]) or infer_count(texts)


def _named(table: Table, time_column: str, date_format: str | None) -> TimeColumn:
    if time_column in table.names:
        return _with_time_of_day(table, time_column, date_format)
    names = [name.strip() for name in time_column.split(",")]
    if unknown := [name for name in names if name not in table.names]:
        raise DataError(
            f"There is no column {quote(unknown[0])} for {setting('time_column')}.",
            f"Columns: {', '.join(map(quote, table.names[:20]))}.",
        )
    if len(names) == 2 and infer_form(sample(as_text(table[names[0]]))):
        return _joined(table, names[0], names[1])
    parts = {part: name for name in names for part, known in _PART_NAMES.items() if name.casefold() in known}
    if len(parts) < len(names) or "y" not in parts:
        raise DataError(
            f"{setting('time_column')} {quote(time_column)}: the parts must be named year, month, day, hour, minute.",
            table.source.retry(time_column="NAME"),
        )
    return _assembled(table, parts)


def _read_column(table: Table, name: str, date_format: str | None) -> TimeColumn:
    """The times of one column."""
    column = table[name]
    if not isinstance(column, pa.Array) and column.dtype.kind == "M":
        _refuse_far(column, lambda row: table.cell(row, name))
        zone = table.zones.get(name)
        whole = zone is None and bool((column == column.astype("datetime64[D]")).all())
        note = f"Time: column {quote(name)}."
        return TimeColumn(
            column, used=frozenset((name,)), zoned=zone is not None, zone=zone, whole_days=whole, notes=(note,)
        )
    cells = Cells(pc.ascii_trim_whitespace(as_text(column)), table, f"column {quote(name)}")
    if date_format is not None:
        found = _parse_as(cells, date_format)
    else:
        texts = sample(cells.text)
        form = infer_form(texts) or infer_count(texts)
        if form is None:
            raise explain.unreadable_time(table, name, texts)
        found = _parse(cells, form)
    note = f"Time: column {quote(name)}, written as {found.form}."
    return replace(found, used=frozenset((name,)), notes=(note, *found.notes))


def _with_time_of_day(table: Table, name: str, date_format: str | None) -> TimeColumn:
    """The times of a column; days that repeat are joined with a column of the time of day."""
    found = _read_column(table, name, date_format)
    if not found.whole_days or len(np.unique(found.times)) == len(found.times):
        return found
    for other in table.names:
        column = table[other]
        named = other != name and _NAME_OF_CLOCK.search(other)
        if named and isinstance(column, pa.Array) and all(map(_TIME_OF_DAY.fullmatch, sample(column))):
            return _joined(table, name, other)
    hour = _parts(table).get("H")
    if hour is None:
        return found
    hours = _whole_numbers(table, hour)
    since = _time_of_day({"H": hours}, lambda row: f"{table.cell(row, hour)}: {hours[row]}")
    notes = (*found.notes, f"The hour is taken from column {quote(hour)}.")
    return replace(found, times=found.times + since, used=found.used | {hour}, whole_days=False, notes=notes)


def names_a_clock(name: str) -> bool:
    """Whether a column is called as one of the time of day."""
    return _NAME_OF_CLOCK.search(name) is not None or name.casefold() in _PART_NAMES["H"]


def _joined(table: Table, date: str, clock: str) -> TimeColumn:
    """Times from a column of dates and one of the time of day."""
    texts = [pc.ascii_trim_whitespace(as_text(table[name])) for name in (date, clock)]
    named = f"columns {quote(date)} and {quote(clock)}"
    cells = Cells(pc.binary_join_element_wise(*texts, " "), table, named)
    form = infer_form(sample(cells.text))
    if form is None:
        raise DataError(f"{cells.at(0)} is not a time.", table.source.retry(time_column="NAME"))
    found = _parse(cells, form)
    note = f"Time: {named}, written as {found.form}."
    return replace(found, used=frozenset((date, clock)), notes=(note, *found.notes))


def _parts(table: Table) -> dict[str, str]:
    """Columns that hold the year, the month and so on: part -> name."""
    by_name = {name.casefold(): name for name in reversed(table.names)}
    return {part: by_name[s] for part, known in _PART_NAMES.items() for s in reversed(known) if s in by_name}


def _assembled(table: Table, names: dict[str, str]) -> TimeColumn:
    """Times from columns of the year, month, day, hour and minute."""
    if "d" in names and "m" not in names:
        raise DataError(f"{table.source.label} has a day but no month.", table.source.retry(time_column="NAME"))
    parts = {part: _whole_numbers(table, name) for part, name in names.items()}

    def at(row: int) -> str:
        return f"{table.row(row)}: " + "-".join(str(numbers[row]) for numbers in parts.values())

    times = _dates(parts, at) + _time_of_day(parts, at)
    _refuse_far(times, at)
    note = f"Time: put together from columns {', '.join(map(quote, names.values()))}."
    return TimeColumn(times, used=frozenset(names.values()), whole_days="H" not in names, notes=(note,))


def _whole_numbers(table: Table, name: str) -> Ints:
    column = table[name]
    values = parse_numbers(column).values if isinstance(column, pa.Array) else column
    wrong = ~(np.abs(values) < 10_000) | (values != np.rint(values))
    if wrong.any():
        row = int(np.argmax(wrong))
        shown = quote(as_text(column)[row].as_py())
        what = f"{table.cell(row, name)}: {shown} is not a whole number of the calendar."
        raise DataError(what, explain.look_at_row(table, row))
    return values.astype(np.int64)


def _parse(cells: Cells, form: str) -> TimeColumn:
    """The timestamps of cells, every one in the same form; the note of the column is still to be added.

    Raises:
        DataError: If a cell is empty, has another form or is no date, or day and month cannot be told apart.
    """
    if form == "serial":
        raise DataError(
            f"{cells.at(0)} looks like a day number of a spreadsheet.",
            "Format the column as a date (YYYY-MM-DD) in the spreadsheet and export it again.",
        )
    if form.startswith("epoch"):
        return _epoch(cells, form)
    if (times := _iso(cells.text, form)) is not None:
        return TimeColumn(times, form, whole_days=form == "YYYY-MM-DD")
    text = _split(cells, pattern_of(form), form)
    if {"a", "b"} <= text.keys():
        return _day_or_month_first(cells, text, form)
    return _from_text(cells, text, form)


def _iso(text: pa.Array, form: str) -> Times | None:
    """Timestamps of a plain ISO form, ten times as fast; None where a cell needs a closer look (24:00, second 60 …)."""
    width = {"YYYY-MM-DD": 10, "YYYY-MM-DD HH:MM": 16, "YYYY-MM-DD HH:MM:SS": 19}.get(form)
    # Arrow takes every ISO form at once; only cells of one width are of one form.
    if width is None or not pc.all(pc.equal(pc.binary_length(text), width)).as_py():
        return None
    try:
        times: Times = pc.cast(text, pa.timestamp("us")).to_numpy(zero_copy_only=False).astype("datetime64[us]")
    except pa.ArrowInvalid:
        return None
    return times if (times >= np.datetime64("0001-01-01")).all() else None


def _split(cells: Cells, pattern: str, form: str) -> dict[str, pa.Array]:
    """The parts of each cell by name, as text."""
    parts = pc.extract_regex(cells.text, pattern)
    if parts.null_count:
        row = int(np.flatnonzero(parts.is_null().to_numpy(zero_copy_only=False))[0])
        raise explain.other_form(cells.table, cells.columns, cells.text, row, form)
    return {parts.type.field(i).name: parts.field(i) for i in range(parts.type.num_fields)}


def _day_or_month_first(cells: Cells, text: dict[str, pa.Array], form: str) -> TimeColumn:
    """Settle day-first or month-first over the whole column: by a number above 12, else by the regular cadence."""
    first, second = (_numbers(text[name]) for name in "ab")
    other_form = form.replace("DD", "mm", 1).replace("MM", "DD", 1).replace("mm", "MM", 1)
    if first.max() > 12 and second.max() > 12:
        rows = sorted((int(np.argmax(first > 12)), int(np.argmax(second > 12))))
        raise DataError(
            f"{cells.at(rows[1])} puts day and month the other way round than {cells.at(rows[0])}.",
            "Write every date in one format, best as YYYY-MM-DD.",
        )
    day_first = {"d": text["a"], "m": text["b"], **text}, form
    month_first = {"d": text["b"], "m": text["a"], **text}, other_form
    if first.max() > 12:
        return _from_text(cells, *day_first)
    if second.max() > 12:
        return _from_text(cells, *month_first)
    found = [_from_text(cells, *order) for order in (day_first, month_first)]
    regular = [_regularity(column.times) for column in found]
    for this, other in ((0, 1), (1, 0)):
        if regular[this] == 1 > regular[other] or (regular[this] > 0.99 and regular[other] < 0.95):
            note = f"Day and month could be either way; only {found[this].form} gives a regular cadence."
            return replace(found[this], notes=(*found[this].notes, note))
    raise DataError(
        f"{cells.at(0)}: day and month cannot be told apart; no number in the column is above 12.",
        f"If the day comes first: {cells.table.source.call(date_format=directives(form))}\n"
        f"If the month comes first: {setting('date_format', directives(other_form))}",
    )


def _regularity(times: Times) -> float:
    """The share of steps that are the usual step; months count as equally long."""
    unique = np.unique(times)
    if len(unique) < 3:
        return 0.0
    steps = [np.diff(unique.astype(np.int64))]
    if len(np.unique(unique - unique.astype("datetime64[M]"))) == 1:
        steps.append(np.diff(unique.astype("datetime64[M]").astype(np.int64)))
    return max(float(np.unique(step, return_counts=True)[1].max() / len(step)) for step in steps)


def _numbers(text: pa.Array) -> Ints:
    return pc.cast(pc.if_else(pc.equal(text, ""), "0", text), pa.int64()).to_numpy(zero_copy_only=False)


def _microseconds(fraction: pa.Array) -> Ints:
    """The digits behind a second's point as a number; those beyond the sixth are cut off."""
    return _numbers(pc.utf8_slice_codeunits(pc.utf8_rpad(fraction, 6, "0"), 0, 6))


def _from_text(cells: Cells, text: Mapping[str, pa.Array], form: str) -> TimeColumn:
    """Timestamps from the parts of each cell, checked against the calendar and the clock."""
    parts = {name: _numbers(text[name]) for name in "ymdwjHMS" if name in text}
    if "n" in text:
        index = pc.index_in(pc.utf8_slice_codeunits(pc.utf8_lower(text["n"]), 0, 3), pa.array(MONTHS))
        parts["m"] = pc.fill_null(index, -1).to_numpy(zero_copy_only=False).astype(np.int64) + 1
        cells.refuse_where(parts["m"] == 0, "names no month (English names or their first three letters)")
    if "q" in text:
        parts["m"] = _numbers(text["q"]) * 3 - 2
    if "f" in text:
        parts["f"] = _microseconds(text["f"])
    if "p" in text:
        hour = parts["H"]
        cells.refuse_where((hour < 1) | (hour > 12), "has no hour from 1 to 12 before AM or PM")
        afternoon = pc.equal(pc.utf8_lower(text["p"]), "p").to_numpy(zero_copy_only=False)
        parts["H"] = hour % 12 + 12 * afternoon
    dates = _dates(parts, cells.at)
    if "w" in parts:
        cells.refuse_where((parts["w"] < 1) | (parts["w"] > 53), "is not a week of the year")
        # The fourth of January always lies in week 1; a week begins on Monday.
        fourth = dates.astype("datetime64[D]").astype(np.int64) + 3
        dates = (fourth - (fourth + 3) % 7 + (parts["w"] - 1) * 7).astype("datetime64[D]").astype("datetime64[us]")
    if "j" in parts:
        cells.refuse_where((parts["j"] < 1) | (parts["j"] > 366), "is not a day of the year")
        dates = dates + (parts["j"] - 1).astype("timedelta64[D]")
    found = TimeColumn(dates + _time_of_day(parts, cells.at), form, whole_days="H" not in parts)
    if leap := int((parts.get("S", np.zeros(0)) == 60).sum()):
        warning = f"{leap:,} timestamp(s) with second 60 (a leap second) are read as the next minute."
        found = replace(found, warnings=(warning,))
    if "z" in text:
        return _from_zone(cells, found, text["z"])
    _refuse_far(found.times, cells.at)
    return found


def _from_zone(cells: Cells, local: TimeColumn, zone: pa.Array) -> TimeColumn:
    """Local times in UTC, by the offset that each cell states."""
    parts = pc.extract_regex(zone, r"^(?P<s>[+-])(?P<h>\d{2}):?(?P<m>\d{0,2})$")
    hours, minutes = (_numbers(pc.if_else(parts.is_valid(), parts.field(name), "0")) for name in "hm")
    cells.refuse_where((hours > 15) | (minutes > 59), "has an impossible offset from UTC")
    negative = pc.fill_null(pc.equal(parts.field("s"), "-"), False).to_numpy(zero_copy_only=False)
    offset = np.where(negative, -1, 1) * (hours * 60 + minutes)
    if (local.times == local.times.astype("datetime64[D]")).all() and offset.any():
        # Days that begin at local midnight: in UTC they would begin at 22:00 or 23:00 by season.
        note = "Every time is a local midnight; the local dates are kept."
        return replace(local, zoned=True, whole_days=True, notes=(note,), warnings=())
    times = local.times - (offset * 60 * _SECOND).astype("timedelta64[us]")
    _refuse_far(times, cells.at)
    found = replace(local, times=times, zoned=True, whole_days=False)
    if not offset.any():
        return replace(found, zone="UTC", notes=("Timestamps are in UTC.",))
    if (offset == offset[0]).all():
        zone = f"{'-' if offset[0] < 0 else '+'}{abs(offset[0]) // 60:02d}:{abs(offset[0]) % 60:02d}"
        return replace(found, zone=zone)
    if zone := zone_of_offsets(times, offset):
        return replace(found, zone=zone)
    warning = f"Timestamps have {len(np.unique(offset))} different offsets from UTC; all are converted to UTC."
    return replace(found, warnings=(*local.warnings, warning))


def _dates(parts: Mapping[str, Ints], at: Callable[[int], str]) -> Times:
    """Dates from year, month and day, [R]; ``at`` names a row that is not in the calendar."""
    year = parts["y"]
    month, day = (parts.get(name, np.ones_like(year)) for name in "md")
    months = (year - 1970) * 12 + np.clip(month, 1, 12) - 1
    begin, end = (m.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) for m in (months, months + 1))
    wrong = (year < 1) | (year > 9999) | (month < 1) | (month > 12) | (day < 1) | (day > end - begin)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{at(row)} is not a date of the calendar (year {year[row]}, month {month[row]}, day {day[row]}).",
            f"Correct the row, or name the format: {setting('date_format', '%Y-%m-%d')}",
        )
    return (begin + day - 1).astype("datetime64[D]").astype("datetime64[us]")


def _time_of_day(parts: Mapping[str, Ints], at: Callable[[int], str]) -> NDArray[np.timedelta64]:
    """The time since midnight, [R]; 24:00 is the end of its day. ``at`` names a row whose time does not exist."""
    zero = np.zeros_like(next(iter(parts.values())))
    hour, minute, second, micro = (parts.get(name, zero) for name in "HMSf")
    end_of_day = (hour == 24) & (minute == 0) & (second == 0) & (micro == 0)
    wrong = ((hour > 23) & ~end_of_day) | (hour < 0) | (minute > 59) | (minute < 0) | (second > 60) | (second < 0)
    _refuse_where(wrong, at, "has no such time of day", "Hours are 0 to 23 (24:00 ends a day), minutes 0 to 59.")
    return (((hour * 60 + minute) * 60 + second) * _SECOND + micro).astype("timedelta64[us]")


def _refuse_far(times: Times, at: Callable[[int], str]) -> None:
    """Refuse times outside the years 1 to 9999, which no calendar function holds."""
    wrong = np.isnat(times) | (times < np.datetime64("0001-01-01")) | (times >= np.datetime64("10000-01-01"))
    _refuse_where(wrong, at, "is missing or outside the years 1 to 9999", "Correct or remove the row.")


def _refuse_where(
    wrong: Bools, at: Callable[[int], str], why: str, advice: str = "Correct the row, then try again."
) -> None:
    if wrong.any():
        raise DataError(f"{at(int(np.argmax(wrong)))} {why}.", advice)


def _epoch(cells: Cells, form: str) -> TimeColumn:
    """Times as a count since 1970."""
    unit = form.split()[1]
    text = _split(cells, r"^(?P<w>\d{1,19})(?:\.(?P<f>\d*))?$", form)
    count = _numbers(text["w"])
    micro = count // 1000 if unit == "ns" else count * {"s": _SECOND, "ms": 1_000, "us": 1}[unit]
    if unit == "s":
        micro = micro + _microseconds(pc.fill_null(text["f"], ""))
    times = micro.astype("datetime64[us]")
    _refuse_far(times, cells.at)
    note = f"Times are {_EPOCHS[unit]} since 1970-01-01, in UTC."
    return TimeColumn(times, form, zoned=True, zone="UTC", notes=(note,))


def _strptime(texts: list[str], date_format: str) -> Times:
    """Timestamps by a ``strptime`` format, [R]; in UTC where it has a ``%z``, and NaT for cells of another form."""
    zoned = "%z" in date_format
    try:
        if "%" not in date_format:
            raise ValueError("it has no directive such as %Y")
        read = pd.to_datetime(pd.Series(texts, dtype=object), format=date_format, errors="coerce", utc=zoned)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(
            f"{setting('date_format')} {quote(date_format)} is no format: {error}.",
            f"Write it like {setting('date_format', '%d.%m.%Y %H:%M')}",
        ) from None
    return (read.dt.tz_localize(None) if zoned else read).to_numpy().astype("datetime64[us]")


def _parse_as(cells: Cells, date_format: str) -> TimeColumn:
    """The timestamps of cells in a format that the user named."""
    times = _strptime(cells.text.to_pylist(), date_format)
    advice = cells.table.source.retry(date_format="%Y-%m-%d %H:%M")
    _refuse_where(np.isnat(times), cells.at, f"does not have the format {quote(date_format)}", advice)
    _refuse_far(times, cells.at)
    whole_days = not re.search(r"%[HIXcTfs]", date_format)
    return TimeColumn(times, date_format, zoned="%z" in date_format, whole_days=whole_days)
