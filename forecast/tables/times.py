"""The times of a column: in the form that all rows fit, which is told where several look alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.errors import DataError, quote, setting
from forecast.tables import explain
from forecast.tables.cadence import REGULAR, fullness
from forecast.tables.calendar import Clock, refuse_far
from forecast.tables.table import Bools, Times
from forecast.tables.timecells import Cells, TimeColumn, numbers_of, sample
from forecast.tables.timecounts import NUMERAL, day_numbers, epoch
from forecast.tables.timeforms import (
    CENTURY,
    EPOCHS,
    SPREADSHEET,
    form_of,
    formats_like,
    infer_count,
    infer_form,
    is_day,
    is_iso,
    is_monthly,
    named_form,
    orders_of,
    pattern_of,
    spelled,
    with_any_clock,
)
from forecast.tables.timetext import Parts, read_iso, split_cells, times_of

# Fewer day numbers of a spreadsheet could be any other measurement.
_FEWEST = 8
_MONTHS_OF_YEAR = 12


def reads(texts: list[str], date_format: str) -> Bools:
    """Which cells a format reads that the user named, [R]; the name of a form reads ISO 8601 as well."""
    if "%" in date_format:
        return ~np.isnat(strptime(texts, date_format))
    form, _ = named_form(date_format) or ("", CENTURY)
    if not form:
        return np.zeros(len(texts), bool)
    if form in SPREADSHEET:
        return np.array([re.match(NUMERAL, text) is not None and float(text.replace(",", ".")) > 60 for text in texts])
    pattern = NUMERAL if form in EPOCHS else with_any_clock(form) or pattern_of(form, weekday=True)
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
    texts = sample(cells.text)
    form = infer_form(texts)
    if date_format is not None and ("%" in date_format or not is_iso(form or "")):
        try:
            return _in_format(cells, date_format)
        except DataError as refusal:
            raise DataError(refusal.args[0], _advise_on_format(cells) or refusal.args[1]) from None
    if date_format is not None and named_form(date_format) is None:
        raise explain.unknown_format(cells.table, date_format)
    form = form or infer_count(texts)
    if form is None:
        raise explain.unreadable_time(cells.table, cells.columns, texts, formats_that_read(cells))
    return read_form(cells, form, clock)


def _in_format(cells: Cells, date_format: str) -> TimeColumn:
    """The times of cells in the format that the user named."""
    if "%" in date_format:
        return _by_strptime(cells, date_format)
    if (named := named_form(date_format)) is None:
        raise explain.unknown_format(cells.table, date_format)
    form, since = named
    if form in EPOCHS:
        return epoch(cells, form)
    if form in SPREADSHEET:
        return day_numbers(cells, form)
    return times_of(cells, split_cells(cells, form, asked=True), since)


def _advise_on_format(cells: Cells) -> str:
    """Advice to read cells in the format that all of them have, instead of the one that was named; empty if none is."""
    try:
        found = read_cells(cells, None)
    except DataError:
        return ""
    date_format = found.date_format if found.date_format not in (None, found.form) else spelled(found.form)
    return cells.table.source.retry(date_format=date_format)


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
        return epoch(cells, form)
    if form in SPREADSHEET:
        found = day_numbers(cells, form)
        if len(np.unique(found.times)) < _FEWEST or fullness(found.times) < REGULAR:
            raise explain.day_numbers(cells.table, cells.columns, sample(cells.text)[0])
        return replace(found, notes=(), warnings=found.notes)
    if (times := read_iso(cells.text, form)) is not None:
        return TimeColumn(times, form, whole_days=form == "YYYY-MM-DD")
    parts = split_cells(cells, form)
    if len(orders_of(parts.form)) > 1:
        return _in_one_order(cells, parts, clock)
    found = times_of(cells, parts)
    if is_monthly(form) and not _follow_monthly(found.times):
        raise DataError(
            f"{cells.at(0)} may be a month of a year or a day without one; the rows do not follow month by month.",
            f"If it is a month: {cells.table.source.call(date_format=form)}\nDays need their year.",
        )
    return found


def _follow_monthly(times: Times) -> bool:
    """Whether times [R] follow each other month by month, for more than a year."""
    months = np.abs(np.diff(times.astype("datetime64[M]")).astype(np.int64))
    return len(np.unique(times)) > _MONTHS_OF_YEAR and bool((months == 1).mean() >= REGULAR)


def _in_one_order(cells: Cells, parts: Parts, clock: Clock | None) -> TimeColumn:
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
            found = times_of(cells, parts.ordered(form))
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
    if (season := next((form for form in read if form.startswith("YYYY/yy")), "")) and len(np.unique(found.times)) > 2:
        return replace(read[season], date_format=season, by_all_rows=True)
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


def _against_each_other(cells: Cells, parts: Parts) -> DataError | None:
    """The refusal of a column in which one cell has the day first and another the month."""
    numbers = [numbers_of(parts.text[part]) for part in "dm"] if {"d", "m"} <= parts.text.keys() else []
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
    if np.isnat(times).any():
        wrong = int(np.argmax(np.isnat(times)))
        raise DataError(f"{cells.at(wrong)} does not have the format {quote(date_format)}.", "Correct the row.")
    refuse_far(times, cells.at)
    return TimeColumn(times, date_format, zoned="%z" in date_format, whole_days=is_day(date_format))
