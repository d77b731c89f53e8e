"""The times of a column's cells: read strictly, every cell in the form of its column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecast.errors import DataError, quote, setting
from forecast.tables import explain
from forecast.tables.cadence import REGULAR, fullness
from forecast.tables.calendar import (
    SECOND,
    Clock,
    dates,
    first_of_century,
    refuse_far,
    refuse_where,
    time_of_day,
)
from forecast.tables.monthnames import MONTHS, WEEKDAYS
from forecast.tables.table import Bools, Column, Ints, Table, Times, as_text
from forecast.tables.timeforms import (
    CENTURY,
    EPOCHS,
    INTERVAL,
    SINCE,
    SPREADSHEET,
    form_of,
    formats_like,
    infer_count,
    infer_form,
    is_day,
    is_iso,
    named_form,
    orders_of,
    pattern_of,
    spelled,
    tidied,
    with_any_clock,
)
from forecast.tables.zone_rules import zone_of_offsets

_SAMPLE = 60
_NUMERAL = r"^(?P<w>\d{1,19})(?:[.,](?P<f>\d*))?$"
_FEWEST = 8  # day numbers of a spreadsheet that are taken for such by their cadence
_EPOCHS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}

# Minutes ahead of UTC of the zones that cells name.
_ZONES = {"Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 60, "CET": 60, "MEZ": 60, "CEST": 120, "MESZ": 120}
_ZONES |= {"EET": 120, "EEST": 180, "MSK": 180, "JST": 540, "KST": 540, "AEST": 600, "AEDT": 660, "NZST": 720}
_ZONES |= {"NZDT": 780, "EST": -300, "EDT": -240, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420}

# Names that several zones have: the name beside which one is meant, its minutes, and a place where it may be.
_SHARED = {
    "CST": ("CDT", -360, "America/Chicago"),
    "BST": ("GMT", 60, "Europe/London"),
    "IST": ("GMT", 60, "Asia/Kolkata"),
}


@dataclass(frozen=True)
class TimeColumn:
    """The time of each row.

    Args:
        times: Timestamps [R], ``datetime64[us]``; in UTC if ``zoned``.
        form: How they are written, such as ``YYYY-MM-DD``.
        used: Names of the columns they were made from, or that repeat them.
        zoned: Whether the table gave their offset from UTC.
        zone: The zone that it gave, such as ``Europe/Berlin`` or ``+01:00``, where it is one for all rows.
        whole_days: Whether no time of day was given.
        notes: What was inferred, one sentence each.
        warnings: What was mended, one counted sentence each.
        time_column: The columns that hold them, as the option of that name takes them; None for one.
        date_format: The format that reads a single one of these rows in the same way; None where the row says it all.
        by_all_rows: Whether part of the rows could have been read otherwise.
    """

    times: Times
    form: str = ""
    used: frozenset[str] = frozenset()
    zoned: bool = False
    zone: str | None = None
    whole_days: bool = False
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    time_column: str | None = None
    date_format: str | None = None
    by_all_rows: bool = False


@dataclass(frozen=True)
class Cells:
    """Cells that are to be read as time, and how messages name them.

    Args:
        text: R strings without blanks about them.
        table: The table that they stand in.
        columns: The columns that they were made from, for messages.
        shown: The cells as they are written, where ``text`` was put together; None where it is that.
    """

    text: pa.Array
    table: Table
    columns: str
    shown: pa.Array | None = None

    def at(self, row: int) -> str:
        """A cell and its value, as messages begin."""
        shown = self.text if self.shown is None else self.shown
        return f"{self.table.row(row)}, {self.columns}: {quote(shown[row].as_py())}"

    def refuse_where(self, wrong: Bools, why: str) -> None:
        """Refuse the first cell that is wrong."""
        refuse_where(wrong, self.at, why)


@dataclass(frozen=True)
class _Parts:
    """The parts of each cell by name, as text, what form they have, and what was mended."""

    text: dict[str, pa.Array]
    form: str
    warnings: tuple[str, ...] = ()

    def ordered(self, form: str) -> _Parts:
        """The same parts in the order of another form."""
        names = dict(zip(_part_names(self.form), _part_names(form), strict=True))
        return replace(self, text={names.get(name, name): text for name, text in self.text.items()}, form=form)


def sample(column: Column) -> list[str]:
    """Filled cells from all over a column as text; all of them are read later, these show what they are."""
    rows = np.unique(np.linspace(0, len(column) - 1, min(len(column), _SAMPLE)).astype(np.int64))
    cells = column.take(pa.array(rows)) if isinstance(column, pa.Array) else as_text(column[rows])
    return [text for text in tidied(pc.ascii_trim_whitespace(cells)).to_pylist() if text]


def reads(texts: list[str], date_format: str) -> Bools:
    """Which cells a format reads that the user named, [R]; the name of a form reads ISO 8601 as well."""
    if "%" in date_format:
        return ~np.isnat(strptime(texts, date_format))
    form, _ = named_form(date_format) or ("", CENTURY)
    if not form:
        return np.zeros(len(texts), bool)
    pattern = _NUMERAL if form in (*EPOCHS, *SPREADSHEET) else with_any_clock(form) or pattern_of(form, weekday=True)
    return np.array([re.match(pattern, text) is not None or is_iso(form_of(text) or "") for text in texts], bool)


def read_cells(cells: Cells, date_format: str | None, clock: Clock | None = None) -> TimeColumn:
    """The times of cells in the format that the user named, or the form that most of them have.

    Args:
        cells: R cells.
        date_format: As in ``strptime``, or the name of a form, which reads ISO 8601 as well; None infers it.
        clock: The time of day of each, [R], where it stands elsewhere: what tells orders of day and month apart.

    Raises:
        DataError: If a cell is no such time, or no form or several fit.
    """
    if date_format is not None and "%" in date_format:
        return _by_strptime(cells, date_format)
    named = named_form(date_format) if date_format is not None else None
    if date_format is not None and named is None:
        raise explain.unknown_format(cells.table, date_format)
    texts = sample(cells.text)
    form = infer_form(texts)
    if named and not (form and is_iso(form)):
        return _read_named(cells, *named)
    form = form or infer_count(texts)
    if form is None:
        raise explain.unreadable_time(cells.table, cells.columns, texts, formats_that_read(cells))
    return read_form(cells, form, clock)


def _read_named(cells: Cells, form: str, since: int) -> TimeColumn:
    """The times of cells in the form that the user named."""
    if form in EPOCHS:
        return _epoch(cells, form)
    if form in SPREADSHEET:
        return _day_numbers(cells, form)
    return _from_text(cells, _split(cells, form, asked=True), since)


def formats_that_read(cells: Cells) -> list[str]:
    """Formats of ``strptime`` that read every cell of a column which has no known form, the most regular first."""
    texts = sample(cells.text)
    found: dict[str, Times] = {}
    for date_format in formats_like(texts[0] if texts else ""):
        if not np.isnat(strptime(texts, date_format)).any():
            times = strptime(cells.text.to_pylist(), date_format)
            if not np.isnat(times).any() and not any(np.array_equal(times, other) for other in found.values()):
                found[date_format] = times
    full = {date_format: fullness(times) for date_format, times in found.items()}
    best = max(full.values(), default=0)
    return sorted((date_format for date_format in full if full[date_format] > best / 2), key=lambda f: -full[f])


def read_form(cells: Cells, form: str, clock: Clock | None = None) -> TimeColumn:
    """The times of cells in the form that most of them have; of forms that look alike, the one that all rows fit.

    Raises:
        DataError: If a cell is empty, has another form or is no date, or several forms fit.
    """
    if form in EPOCHS:
        return _epoch(cells, form)
    if form in SPREADSHEET:
        found = _day_numbers(cells, form)
        if len(np.unique(found.times)) < _FEWEST or fullness(found.times) < REGULAR:
            raise explain.day_numbers(cells.table, cells.columns, sample(cells.text)[0])
        return replace(found, notes=(), warnings=found.notes)
    if (times := _iso(cells.text, form)) is not None:
        return TimeColumn(times, form, whole_days=form == "YYYY-MM-DD")
    parts = _split(cells, form)
    return _from_text(cells, parts) if len(orders_of(parts.form)) == 1 else _in_one_order(cells, parts, clock)


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


def _part_names(form: str) -> list[str]:
    return list(re.compile(pattern_of(form)).groupindex)


def _split(cells: Cells, form: str, asked: bool = False) -> _Parts:
    """The parts of each cell; some may lack the time of day, which spreadsheets drop at midnight, or its seconds."""
    tidy = tidied(cells.text)
    found = pc.extract_regex(tidy, pattern_of(form))
    if found.null_count:
        found = pc.extract_regex(tidy, pattern_of(form, weekday=True))
    if not found.null_count:
        return _Parts(_fields(found), form)
    failed = int(np.flatnonzero(found.is_null().to_numpy(zero_copy_only=False))[0])
    refusal = explain.other_form(cells.table, cells.columns, cells.text, failed, form)
    loose = with_any_clock(form)
    found = pc.extract_regex(tidy, loose) if loose else found
    if found.null_count:
        raise refusal
    text = _fields(found)
    bare, full = (int(pc.sum(pc.equal(text[part], "")).as_py()) for part in "HS")
    # Whoever leaves midnight out writes no 00:00.
    if not asked and bare and (bare * 2 > len(tidy) + 1 or _says_midnight(text)):
        raise refusal
    day, timed, rest = form.partition(" HH:MM")
    if not timed and pc.any(pc.not_equal(text["p"], "")).as_py():
        rest = " AM/PM"
    seconds = ":SS" if full < len(tidy) else ""
    mended: tuple[str, ...] = (f"{bare:,} date(s) without a time of day are read as midnight.",) if bare else ()
    if seconds and full > bare:
        mended += (f"{full - bare:,} time(s) without seconds are read as full minutes.",)
    return _Parts(text, f"{day} HH:MM{seconds}{rest.removeprefix(':SS')}", mended)


def _fields(parts: pa.Array) -> dict[str, pa.Array]:
    return {parts.type.field(i).name: pc.fill_null(parts.field(i), "") for i in range(parts.type.num_fields)}


def _says_midnight(text: Mapping[str, pa.Array]) -> bool:
    """Whether a cell with a time of day says 00:00."""
    said = pc.not_equal(text["H"], "").to_numpy(zero_copy_only=False)
    hour, minute, second = (_numbers(text[part]) for part in "HMS")
    zero = (hour == 12) & pc.is_in(text["p"], pa.array(["a", "A"])) if "p" in text else hour == 0
    return bool((said & np.asarray(zero) & (minute == 0) & (second == 0)).any())


def _in_one_order(cells: Cells, parts: _Parts, clock: Clock | None) -> TimeColumn:
    """Times whose order of day, month and year, or kind of period, only the whole column settles.

    By the calendar where it leaves one order, else by the regular cadence. The year comes first, and a number is a week
    or a quarter, only where nothing else can be meant.
    """
    orders = orders_of(parts.form)
    usual = 2 if orders[0].startswith("DD") and orders[1].startswith("MM") else 1
    read: dict[str, TimeColumn] = {}
    refusals = []
    for form in orders:
        try:
            found = _from_text(cells, parts.ordered(form))
        except DataError as refusal:
            refusals.append(refusal)
            continue
        # Palindromes such as 01/01/90, 02/02/91 say the same in every order.
        if not any(np.array_equal(found.times, other.times) for other in read.values()):
            read[form] = found
    if not read:
        raise _against_each_other(cells, parts) or refusals[0]
    if len(read) == 1:
        form, found = next(iter(read.items()))
        return found if usual == 1 and form == orders[0] else replace(found, date_format=found.date_format or form)
    since = np.timedelta64(0, "us") if clock is None else clock
    form, why = _settled({form: found.times + since for form, found in read.items()}, orders[:usual])
    if not form:
        raise _undecided(cells, list(read.values()))
    found = read[form]
    if usual == 1 and form == orders[0]:
        return found  # a single row is read so, too
    note = f"Read as {form}, not as {' or '.join(other for other in read if other != form)}: {why}."
    return replace(found, notes=(*found.notes, note), date_format=found.date_format or form, by_all_rows=True)


def _settled(read: Mapping[str, Times], usual: tuple[str, ...]) -> tuple[str, str]:
    """Which of several forms that fit every row is meant, and why: the only regular one, else the only usual one.

    Empty where two could be meant.
    """
    full = {form: fullness(times) for form, times in read.items()}
    best = max(full, key=lambda form: full[form])
    others = max(value for form, value in full.items() if form != best)
    if full[best] >= REGULAR and others <= full[best] / 2:
        return best, "only then do the rows follow each other regularly"
    likely = [form for form in read if form in usual]
    beaten = best not in likely or others == full[best]
    if len(likely) == 1 and (len(usual) == 1 or full[best] < REGULAR or not beaten):
        return likely[0], "it is the usual one"
    return "", ""


def _against_each_other(cells: Cells, parts: _Parts) -> DataError | None:
    """The refusal of a column in which one cell has the day first and another the month."""
    numbers = [_numbers(parts.text[part]) for part in "dm"] if {"d", "m"} <= parts.text.keys() else []
    if not numbers or not all((number > 12).any() for number in numbers):
        return None
    rows = sorted(int(np.argmax(number > 12)) for number in numbers)
    return DataError(
        f"{cells.at(rows[1])} puts day and month in the other order than {cells.at(rows[0])}.",
        "Write every date in one format, best as YYYY-MM-DD.",
    )


def _undecided(cells: Cells, read: list[TimeColumn]) -> DataError:
    """The refusal of a column that several formats read, each as regular as the other."""
    source, numbers = cells.table.source, "day, month and year" if "YYYY" not in read[0].form else "day and month"
    lines = []
    for found in read:
        first, last = np.datetime_as_string(found.times[[0, -1]], "D")
        date_format = spelled(found.form) if found.date_format in (None, found.form) else str(found.date_format)
        lines.append(f"If it is {found.form}, {first} to {last}: {source.call(date_format=date_format)}")
    return DataError(f"{cells.at(0)}: {numbers} cannot be told apart; every row fits several orders.", "\n".join(lines))


def _numbers(text: pa.Array) -> Ints:
    return pc.cast(pc.if_else(pc.equal(text, ""), "0", text), pa.int64()).to_numpy(zero_copy_only=False)


def _microseconds(fraction: pa.Array) -> Ints:
    """The digits behind a second's point as a number; those beyond the sixth are cut off."""
    return _numbers(pc.utf8_slice_codeunits(pc.utf8_rpad(fraction, 6, "0"), 0, 6))


def _from_text(cells: Cells, split: _Parts, since: int | None = None) -> TimeColumn:
    """Timestamps from the parts of each cell, checked against the calendar and the clock.

    Args:
        cells: For messages.
        split: Their parts.
        since: The first of the hundred years that years of two digits may be; None infers it.
    """
    text, form = split.text, split.form
    parts = {name: _numbers(text[name]) for name in "YymdqwujHMS" if name in text}
    notes: tuple[str, ...] = ()
    date_format = None
    if "y" in parts:
        cells.refuse_where(pc.utf8_length(text["y"]).to_numpy(zero_copy_only=False) != 2, "has no year of two digits")
        since = first_of_century(parts["y"]) if since is None else since
        parts["Y"] = since + (parts["y"] - since) % 100
        notes = (f"Years of two digits are read as {parts['Y'].min()} to {parts['Y'].max()}.",)
        date_format = form if since == CENTURY else f"{form}{SINCE}{since}"
    if "b" in text:
        parts["m"] = _looked_up(text["b"], MONTHS)
        cells.refuse_where(parts["m"] == 0, "names no month")
    if "k" in text:
        cells.refuse_where(_looked_up(text["k"], dict.fromkeys(WEEKDAYS, 1) | {"": 1}) == 0, "names no weekday")
    if "f" in text:
        parts["f"] = _microseconds(text["f"])
    if "p" in text:
        hour, said = parts["H"], pc.not_equal(text["p"], "").to_numpy(zero_copy_only=False)
        cells.refuse_where(said & ((hour < 1) | (hour > 12)), "has no hour from 1 to 12 before AM or PM")
        afternoon = pc.equal(pc.utf8_lower(text["p"]), "p").to_numpy(zero_copy_only=False)
        parts["H"] = np.where(said, hour % 12 + 12 * afternoon, hour)
    times = dates(parts, cells.at) + time_of_day(parts, cells.at)
    whole_days = "H" not in parts and INTERVAL not in form
    found = TimeColumn(times, form, whole_days=whole_days, warnings=split.warnings, date_format=date_format)
    if INTERVAL in form:
        notes += ("An interval is dated by its beginning.",)
    if leap := int((parts.get("S", np.zeros(0)) == 60).sum()):
        warning = f"{leap:,} timestamp(s) with second 60 (a leap second) are read as the next minute."
        found = replace(found, warnings=(*found.warnings, warning))
    if "z" in text:
        found = _from_zone(cells, found, _offsets(cells, text["z"], form))
        return replace(found, notes=notes + found.notes, by_all_rows=date_format is not None)
    refuse_far(found.times, cells.at)
    return replace(found, notes=notes, by_all_rows=date_format is not None)


def _looked_up(words: pa.Array, numbers: Mapping[str, int]) -> Ints:
    """The number of each word, 0 for a word that has none."""
    index = pc.index_in(pc.utf8_lower(words), pa.array(list(numbers)))
    known = np.array([*numbers.values(), 0])
    return known[pc.fill_null(index, len(numbers)).to_numpy(zero_copy_only=False)]


def _offsets(cells: Cells, zone: pa.Array, form: str) -> pa.Array:
    """Zones as offsets such as ``+01:00``: of names, those that mean one zone alone."""
    names = pc.dictionary_encode(zone)
    named = names.dictionary.to_pylist()
    offsets = []
    for name in named:
        minutes = _ZONES.get(name.upper())
        beside, shared, place = _SHARED.get(name, ("", 0, "Europe/London"))
        minutes = shared if minutes is None and beside in named else minutes
        if minutes is not None:
            offsets.append(f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}")
        elif name[-1:].isdigit():
            offsets.append(re.sub("^(UTC|GMT)", "", name))
        else:
            row = int(np.argmax(pc.equal(zone, name).to_numpy(zero_copy_only=False)))
            literal = spelled(form.removesuffix("±zone")) + f" {name}"
            raise DataError(
                f"{cells.at(row)}: {quote(name)} may mean several time zones.",
                f"{cells.table.source.retry(date_format=literal, tz=place)} (name the zone of this clock)",
            )
    return pa.array(offsets).take(names.indices)


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
    times = local.times - (offset * 60 * SECOND).astype("timedelta64[us]")
    refuse_far(times, cells.at)
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


def _epoch(cells: Cells, form: str) -> TimeColumn:
    """Times as a count since 1970."""
    unit = form.split()[1]
    text = _numerals(cells, form)
    count = _numbers(text["w"])
    micro = count // 1000 if unit == "ns" else count * {"s": SECOND, "ms": 1_000, "us": 1}[unit]
    if unit in ("s", "ms"):
        micro = micro + _microseconds(text["f"]) * 1000 // EPOCHS[form] // 1000
    times = micro.astype("datetime64[us]")
    refuse_far(times, cells.at)
    note = f"Times are {_EPOCHS[unit]} since 1970-01-01, in UTC."
    return TimeColumn(times, form, zoned=True, zone="UTC", notes=(note,))


def _day_numbers(cells: Cells, form: str) -> TimeColumn:
    """Times as the days that spreadsheets count: 1 is the first of January 1900, or 0 that of 1904."""
    text = _numerals(cells, form)
    days = _numbers(text["w"])
    # The system of 1900 has a 29 February 1900, day 60; later days are counted from a day earlier.
    cells.refuse_where((days > 2_958_465) | ((days < 61) & (form == "excel")), "is not a day number from 1900-03-01 on")
    since = np.datetime64("1904-01-01" if form == "excel-1904" else "1899-12-30", "us")
    digits = pc.utf8_slice_codeunits(pc.utf8_rpad(text["f"], 15, "0"), 0, 15)
    seconds = np.rint(_numbers(digits) / 1e15 * 86_400).astype(np.int64)
    times = since + days.astype("timedelta64[D]") + seconds.astype("timedelta64[s]")
    refuse_far(times, cells.at)
    first = np.datetime_as_string(times[0], "m").replace("T", " ")
    note = f"Day numbers of a spreadsheet, counted from {form[-4:] if form[-1].isdigit() else 1900} ({form}): {first} …"
    return TimeColumn(times, form, whole_days=not seconds.any(), notes=(note,), date_format=form, by_all_rows=True)


def _numerals(cells: Cells, form: str) -> dict[str, pa.Array]:
    """The digits before and behind the point of each cell."""
    found = pc.extract_regex(tidied(cells.text), _NUMERAL)
    if found.null_count:
        row = int(np.flatnonzero(found.is_null().to_numpy(zero_copy_only=False))[0])
        raise explain.other_form(cells.table, cells.columns, cells.text, row, form)
    return _fields(found)


def strptime(texts: list[str], date_format: str) -> Times:
    """Timestamps by a ``strptime`` format, [R]; in UTC where it has a ``%z``, and NaT for cells of another form."""
    zoned = "%z" in date_format
    try:
        read = pd.to_datetime(pd.Series(texts, dtype=object), format=date_format, errors="coerce", utc=zoned)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(
            f"{setting('date_format')} {quote(date_format)} is not a format: {error}.",
            f"Write it like {setting('date_format', '%d.%m.%Y %H:%M')}",
        ) from None
    return (read.dt.tz_localize(None) if zoned else read).to_numpy().astype("datetime64[us]")


def _by_strptime(cells: Cells, date_format: str) -> TimeColumn:
    """The timestamps of cells in a format that the user named."""
    times = strptime(cells.text.to_pylist(), date_format)
    advice = cells.table.source.retry(date_format="%Y-%m-%d %H:%M")
    refuse_where(np.isnat(times), cells.at, f"does not have the format {quote(date_format)}", advice)
    refuse_far(times, cells.at)
    return TimeColumn(times, date_format, zoned="%z" in date_format, whole_days=is_day(date_format))
