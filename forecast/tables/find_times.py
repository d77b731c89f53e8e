"""Which columns of a table tell the time, and the time of each row."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecast.errors import DataError, NoTimeError, quote, setting
from forecast.tables import explain
from forecast.tables.calendar import FAR, refuse_far
from forecast.tables.notation import parse_numbers
from forecast.tables.roworder import ended_days, refuse_swapped
from forecast.tables.spelling import no_column
from forecast.tables.table import Floats, Table, Times, as_text, is_timestamps
from forecast.tables.timecells import Cells, TimeColumn, sample
from forecast.tables.timeforms import (
    EPOCHS,
    SPREADSHEET,
    TIMELIKE,
    ZONE,
    infer_count,
    infer_form,
    is_day,
    is_iso,
    is_monthly,
    is_period,
)
from forecast.tables.timeparts import (
    HOUR,
    PLUS,
    are_codes,
    clock_form,
    clocks_called,
    code_of,
    codes_of,
    day_text,
    find_clock,
    find_parts,
    names_a_begin,
    names_a_part,
    names_an_end,
    parts_called,
    read_parts,
)
from forecast.tables.times import formats_that_read, read_cells, reads
from forecast.tables.timetext import are_told_apart

# The likeliest names first.
_NAMES = ("ds", "datetime", "date_time", "timestamp", "time", "date", "valid", "utc", "time_utc")

# Names of columns that may number the steps of a table without times, and the most that such numbers are.
_STEPS = ("ds", "step", "t", "time", "timestep", "time_step", "index", "idx")
_MOST_STEPS = 10**9

# Numbers of steps that nobody has called so: a step may be absent here and there.
_LEAST_COUNTED = 0.5

# Names of columns of times in UTC, but for UTC+1; and of columns that name the zone of each time.
_UTC = re.compile(r"(?<![A-Za-z])utc(?![A-Za-z]| ?[+-]? ?\d)", re.I)
_ZONE_NAMES = re.compile(r"(time[ _]?zone|tz)", re.I)

# Columns of a table without a time that formats are tried on, at most.
_TRIED = 20


def names_a_time(name: str) -> bool:
    """Whether a column is called as one that holds a time, or a part, the end or the zone of it."""
    called = name.casefold() in _NAMES or names_a_part(name) or names_a_begin(name) or names_an_end(name)
    return called or bool(TIMELIKE.search(name) or _ZONE_NAMES.fullmatch(name))


def find_times(table: Table, time_column: str | None, date_format: str | None) -> TimeColumn:
    """The time of each row of a table.

    Args:
        table: R rows.
        time_column: The name of its column, or of several, divided by commas; None infers it.
        date_format: As in ``strptime``, or the name of a form, of several columns with ``+``; None infers it.

    Raises:
        DataError: If there is no time, or it is ambiguous or written in several ways; names line and value.
    """
    found = ended_days(_found(table, time_column, date_format))
    refuse_swapped(table, found.times)
    others = [name for name in table.names if name not in found.used]
    ends = [name for name in others if names_an_end(name) and _holds_time(table, name)]
    notes = [f"An interval is dated by its beginning; left out: {', '.join(map(quote, ends))}."] if ends else []
    if len(found.times) and found.times.min() > np.datetime64(f"{FAR}"):
        year = int(str(found.times.min())[:4])
        warning = f"The years are far ahead: of the Buddhist calendar, {year} is {year - 543}; subtract 543 from each."
        found = replace(found, warnings=(*found.warnings, warning))
    dates = [name for name in others if name not in ends and TIMELIKE.search(name) and _are_compact(table, name)]
    if dates:
        notes.append(f"A second column of times is left out: {', '.join(map(quote, dates))}.")
    others = [name for name in others if name not in ends and name not in dates]
    epochs = [name for name in others if _repeats_as_epoch(table, name, found.times)] if len(others) > 1 else []
    if epochs:
        notes.append(f"Left out, as they repeat the time: {', '.join(map(quote, epochs))}.")
    return replace(found, used=found.used.union(ends, dates, epochs), notes=(*found.notes, *notes))


def find_times_or_steps(
    table: Table, time_column: str | None, date_format: str | None, series_id: str | None
) -> TimeColumn:
    """The time of each row; where nothing is a time, the column that numbers the steps of each series one by one.

    Args:
        table: R rows.
        time_column: As for `find_times`.
        date_format: As for `find_times`.
        series_id: The column that tells series apart; None if there is none.

    Raises:
        DataError: As `find_times`.
    """
    try:
        return find_times(table, time_column, date_format)
    except DataError as error:
        may_count = _may_count(table, time_column)
        if date_format is not None or not may_count or not (time_column or isinstance(error, NoTimeError)):
            raise
        series = as_text(table[series_id]).to_pylist() if series_id else [""] * len(table)
        name = next((name for name in may_count if _counts_on(_numbers(table, name), series)), None)
        if name is None:
            raise
        found = find_steps(table, name, None, series_id)
    note = f"Nothing is a time: the clock is the steps that {quote(name)} numbers, without a calendar."
    return replace(found, notes=(note,))


def find_steps(table: Table, time_column: str | None, date_format: str | None, series_id: str | None) -> TimeColumn:
    """The time of each row of a table that need not have one: the number of a row in its series, as microseconds.

    Args:
        table: R rows.
        time_column: As for `find_times`; it may hold whole numbers.
        date_format: As for `find_times`.
        series_id: The column that tells series apart; None if there is none.

    Raises:
        DataError: If the column that was named holds neither numbers nor times.
    """
    series = as_text(table[series_id]).to_pylist() if series_id else [""] * len(table)
    for name in _may_count(table, time_column if time_column in table.names else None):
        numbers = _numbers(table, name)
        if _are_steps(numbers, series):
            note = f"Step: the whole numbers of column {quote(name)}."
            return TimeColumn(numbers.astype("datetime64[us]"), "step", frozenset((name,)), notes=(note,))
    try:
        return find_times(table, time_column, date_format)
    except DataError:
        if time_column is not None or date_format is not None:
            raise
    rows = pd.Series(series).groupby(series).cumcount().to_numpy()
    note = "No column is read as a time: the rows are taken in their order."
    return TimeColumn(rows.astype("datetime64[us]"), "step", notes=(note,), by_all_rows=True)


def _may_count(table: Table, time_column: str | None) -> list[str]:
    """The columns that may number the steps: the one that was named, else those that are called so, or an index."""
    named = [name for name in table.names if name.casefold() in _STEPS or name in table.index]
    asked = named if time_column is None else [time_column]
    return [name for name in asked if name in table.names and not is_timestamps(table[name])]


def _numbers(table: Table, name: str) -> Floats:
    column = table[name]
    return parse_numbers(column).values if isinstance(column, pa.Array) else column


def _counts_on(numbers: Floats, series: list[str]) -> bool:
    """Whether numbers [R] are steps of which, within a series, most follow the one before."""
    if not _are_steps(numbers, series):
        return False
    steps = pd.Series(numbers).sort_values().groupby(pd.Series(series)).diff().dropna()
    return len(steps) > 0 and bool((steps == 1).mean() > _LEAST_COUNTED)


def _are_steps(numbers: Floats, series: list[str]) -> bool:
    """Whether numbers [R] are the steps of each series: whole, and none twice."""
    if not (np.isfinite(numbers) & (numbers == np.rint(numbers)) & (numbers >= 0)).all():
        return False
    return numbers.max() < _MOST_STEPS and not pd.DataFrame({"n": numbers, "series": series}).duplicated().any()


def _found(table: Table, time_column: str | None, date_format: str | None) -> TimeColumn:
    names = [time_column] if time_column in table.names else (time_column or "").split(",")
    names = [name.strip() for name in names if name]
    if unknown := [name for name in names if name not in table.names]:
        raise no_column(unknown[0], setting("time_column"), table.names)
    codes = codes_of(date_format or "")
    if len(codes) > 1:
        if not are_codes(codes):
            raise explain.unknown_format(table, str(date_format))
        names = names or _columns_of(table, codes)
        if len(names) == len(codes):
            return read_parts(table, list(zip(codes, names, strict=True)))
        if (iso := next((name for name in table.names if _is_iso(table, name)), None)) is None:
            raise explain.no_such_columns(table, str(date_format))
        return _read_column(table, iso, None)
    if len(names) > 1:
        return _named_parts(table, names)
    if names:
        return _with_clock(table, names[0], date_format)
    ranked = [(rank, name) for name in table.names if (rank := _rank(table, name, date_format)) is not None]
    if ranked:
        return _with_clock(table, min(ranked)[1], date_format)
    parts = find_parts(table)
    if len(parts) > 1:
        return _parts_with_clock(table, parts)
    counts = {name: form for name in table.names if (form := _form_of_numbers(table, name))}
    for name in counts:
        if TIMELIKE.search(name):
            return _with_clock(table, name, date_format)
    for name, form in counts.items():
        if form.startswith("epoch"):
            return _read_column(table, name, date_format)
    if parts:
        return read_parts(table, parts)
    raise explain.no_time(table, {name: sample(table[name]) for name in table.names}, _readable(table, counts))


def _readable(table: Table, counts: dict[str, str]) -> dict[str, str]:
    """Columns that could be the time if the user said so, with the format that reads them, empty for none."""
    found = {name: form if form in SPREADSHEET else "" for name, form in counts.items()}
    for name in table.names[:_TRIED]:
        if isinstance(table[name], pa.Array) and name not in found:
            date_formats = formats_that_read(Cells(pc.ascii_trim_whitespace(table[name]), table, ""))
            found |= {name: date_formats[0]} if date_formats else {}
    return found


def _rank(table: Table, name: str, date_format: str | None) -> tuple[bool, bool, int, bool, bool, int] | None:
    """How likely a column is the time (less is likelier), or None where it is none."""
    column = table[name]
    gappy, form = False, ""
    if is_timestamps(column):
        pass
    elif isinstance(column, pa.Array):
        gappy = pc.any(pc.equal(column, "")).as_py()
        texts = sample(column)
        if date_format is not None:
            if not texts or reads(texts, date_format).mean() < 0.5:
                return None
        elif (form := infer_form(texts) or "") == "" or (is_monthly(form) and not TIMELIKE.search(name)):
            return None
    else:
        return None
    folded = name.casefold()
    position = _NAMES.index(folded) if folded in _NAMES else len(_NAMES)
    is_timelike = TIMELIKE.search(name) or names_a_begin(name)
    return gappy, names_an_end(name), position, not is_timelike, is_period(form), table.names.index(name)


def _holds_time(table: Table, name: str) -> bool:
    return clock_form(table, name) == "HH:MM" or _rank(table, name, None) is not None


def _are_compact(table: Table, name: str) -> bool:
    """Whether a column of digits such as 20200101 are dates, which would pass for a measurement."""
    return (infer_form([] if is_timestamps(table[name]) else sample(table[name])) or "").startswith("YYYYMMDD")


def _repeats_as_epoch(table: Table, name: str, times: Times) -> bool:
    """Whether a column counts from 1970 to the times [R] of its rows, in whatever zone."""
    unit = EPOCHS.get(_form_of_numbers(table, name) or "")
    if unit is None:
        return False
    column = table[name]
    numbers: Floats = parse_numbers(column).values if isinstance(column, pa.Array) else column
    hours = (numbers / unit - times.astype(np.int64) / 1e6) / 3600
    return bool((np.abs(hours) <= 24).all() and np.ptp(hours) <= 1 + 1e-6)  # summer time


def _form_of_numbers(table: Table, name: str) -> str | None:
    """The form of a column of numbers, if they could count time."""
    texts = [] if is_timestamps(table[name]) else sample(table[name])
    return infer_form([text.partition(".")[0] for text in texts]) or infer_count(texts)


def _is_iso(table: Table, name: str) -> bool:
    return is_timestamps(table[name]) or is_iso(infer_form(sample(table[name])) or "")


def _columns_of(table: Table, codes: list[str]) -> list[str]:
    """The columns that hold a time of these forms, as far as they are found."""
    if names := parts_called(table, codes):
        return names
    ranked = [(rank, name) for name in table.names if (rank := _rank(table, name, codes[0])) is not None]
    if not ranked:
        return []
    date = min(ranked)[1]
    return [date, *clocks_called(table, codes[1:], [date])]


def _named_parts(table: Table, names: list[str]) -> TimeColumn:
    """The times of several columns that the user named."""
    codes = codes_of(PLUS.join(code_of(table, name) for name in names))
    parts = list(zip(codes, names, strict=True))
    if is_timestamps(table[names[0]]) or infer_form(sample(table[names[0]])):
        parts[0] = "", names[0]
    if not are_codes([parts[0][0] or "YYYYMMDD", *codes[1:]]) or parts[0][0] not in ("", "YYYY"):
        named = setting("time_column", ",".join(names))
        raise DataError(
            f"{named}: columns are not called year, month, week, day, hour or the like, or do not hold it.",
            f"Say what they hold: {setting('date_format', 'YYYY + ww')}, {setting('date_format', 'YYYYMMDD + HHMM')} …",
        )
    return read_parts(table, parts)


def _read_column(table: Table, name: str, date_format: str | None) -> TimeColumn:
    """The times of one column."""
    column = table[name]
    if is_timestamps(column):
        refuse_far(column, lambda row: table.cell(row, name))
        zone = table.zones.get(name)
        whole = bool((column == column.astype("datetime64[D]")).all())
        whole = whole and zone is None
        note = f"Time: column {quote(name)}."
        return TimeColumn(
            column, used=frozenset((name,)), zoned=zone is not None, zone=zone, whole_days=whole, notes=(note,)
        )
    text = pc.ascii_trim_whitespace(as_text(column))
    if "%" not in (date_format or "") and (zone := _zones_beside(table, text)):
        return _with_zones(table, name, zone, date_format)
    found = read_cells(Cells(text, table, f"column {quote(name)}"), date_format)
    note = f"Time: column {quote(name)}, written as {found.form}."
    if _UTC.search(name) and not found.zoned and not found.whole_days:
        note += " By its name it is in UTC."
        found = replace(found, zoned=True, zone="UTC")
    return replace(found, used=frozenset((name,)), notes=(note, *found.notes))


def _zones_beside(table: Table, text: pa.Array) -> str | None:
    """The column that names the zone of each time of day in these cells [R], such as EST and EDT."""
    name = next((name for name in table.names if _ZONE_NAMES.fullmatch(name)), None)
    if name is None or is_timestamps(table[name]):
        return None
    zones = pc.ascii_trim_whitespace(as_text(table[name]))
    if not are_told_apart(pc.unique(zones).to_pylist()):
        return None
    zoned = pc.binary_join_element_wise(text, zones, " ")
    return name if (infer_form(sample(zoned)) or "").endswith(ZONE) else None


def _with_zones(table: Table, name: str, zone: str, date_format: str | None) -> TimeColumn:
    """The times of one column, whose zones stand in another."""
    text, zones = (pc.ascii_trim_whitespace(as_text(table[column])) for column in (name, zone))
    cells = Cells(pc.binary_join_element_wise(text, zones, " "), table, f"columns {quote(name)} and {quote(zone)}")
    found = read_cells(cells, None if date_format is None else date_format + ZONE)
    note = f"Time: column {quote(name)}, written as {found.form.removesuffix(ZONE)}, its zone in {quote(zone)}."
    of_one = None if found.date_format is None else found.date_format.removesuffix(ZONE)
    return replace(found, used=frozenset((name, zone)), notes=(note, *found.notes), date_format=of_one)


def _with_clock(table: Table, name: str, date_format: str | None) -> TimeColumn:
    """The times of a column; days that repeat are joined with a column of the time of day."""
    clock = _clock_beside(table, name, date_format)
    return read_parts(table, [(date_format or "", name), *clock]) if clock else _read_column(table, name, date_format)


def _clock_beside(table: Table, name: str, date_format: str | None) -> list[tuple[str, str]]:
    """The columns of the time of day, with their forms, that belong to a column of days that repeat."""
    if is_timestamps(table[name]):
        if (table[name] != table[name].astype("datetime64[D]")).any():
            return []
    elif not is_day(date_format or infer_form(sample(table[name])) or ""):
        return []
    days = pc.dictionary_encode(day_text(table, name))
    if len(days.dictionary) == len(days):
        return []
    return find_clock(table, days.indices.to_numpy(zero_copy_only=False), frozenset((name,)))


def _parts_with_clock(table: Table, parts: list[tuple[str, str]]) -> TimeColumn:
    """The times of columns of the year and the like; days may have a time of day beside them."""
    found = read_parts(table, parts)
    if parts[-1][0] not in ("DD", "DDD"):
        return found
    days = np.unique(found.times, return_inverse=True)[1]
    repeat = days.max() + 1 < len(days)
    clock = find_clock(table, days, found.used) if repeat else find_clock(table, None, found.used, HOUR)
    return read_parts(table, [*parts, *clock]) if clock else found
