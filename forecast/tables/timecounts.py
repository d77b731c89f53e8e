"""Times that are written as a count: of seconds since 1970, or of the days of a spreadsheet."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from forecast.tables import explain
from forecast.tables.calendar import SECOND, refuse_far
from forecast.tables.timecells import Cells, TimeColumn, fields_of, microseconds_of, numbers_of
from forecast.tables.timeforms import EPOCHS, tidied

# A count, whole or with a fraction, that 64 bits hold.
NUMERAL = r"^(?P<w>[1-8]?\d{1,18})(?:[.,](?P<f>\d*))?$"

_LAST_SECOND = 253_402_300_799  # of the year 9999
_EPOCHS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


def epoch(cells: Cells, form: str) -> TimeColumn:
    """Times as a count since 1970."""
    unit = form.split()[1]
    text = _numerals(cells, form)
    count = numbers_of(text["w"])
    cells.refuse_where(count > min(_LAST_SECOND * EPOCHS[form], 2**63 - 1), "is later than the year 9999")
    micro = count // 1000 if unit == "ns" else count * {"s": SECOND, "ms": 1_000, "us": 1}[unit]
    if unit in ("s", "ms"):
        micro = micro + microseconds_of(text["f"]) * 1000 // EPOCHS[form] // 1000
    times = micro.astype("datetime64[us]")
    refuse_far(times, cells.at)
    note = f"Times are {_EPOCHS[unit]} since 1970-01-01, in UTC."
    return TimeColumn(times, form, zoned=True, zone="UTC", notes=(note,))


def day_numbers(cells: Cells, form: str) -> TimeColumn:
    """Times as the days that spreadsheets count: 1 is the first of January 1900, or 0 that of 1904."""
    text = _numerals(cells, form)
    days = numbers_of(text["w"])
    # The system of 1900 has a 29 February 1900, day 60; later days are counted from a day earlier.
    cells.refuse_where((days > 2_958_465) | ((days < 61) & (form == "excel")), "is not a day number from 1900-03-01 on")
    since = np.datetime64("1904-01-01" if form == "excel-1904" else "1899-12-30", "us")
    digits = pc.utf8_slice_codeunits(pc.utf8_rpad(text["f"], 15, "0"), 0, 15)
    seconds = np.rint(numbers_of(digits) / 1e15 * 86_400).astype(np.int64)
    times = since + days.astype("timedelta64[D]") + seconds.astype("timedelta64[s]")
    refuse_far(times, cells.at)
    first = np.datetime_as_string(times[0], "m").replace("T", " ")
    note = f"Day numbers of a spreadsheet, counted from {form[-4:] if form[-1].isdigit() else 1900} ({form}): {first} …"
    return TimeColumn(times, form, whole_days=not seconds.any(), notes=(note,), date_format=form, by_all_rows=True)


def _numerals(cells: Cells, form: str) -> dict[str, pa.Array]:
    """The digits before and behind the point of each cell."""
    found = pc.extract_regex(tidied(cells.text), NUMERAL)
    if found.null_count:
        row = int(np.flatnonzero(found.is_null().to_numpy(zero_copy_only=False))[0])
        raise explain.other_form(cells.table, cells.columns, cells.written, row, form)
    return fields_of(found)
