"""What only the order of the rows in their file tells of their times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from forecast.errors import DataError
from forecast.tables.cadence import REGULAR, fullness
from forecast.tables.table import Ints, Table, Times
from forecast.tables.timecells import TimeColumn

_DAY = np.timedelta64(1, "D")


def ended_days(found: TimeColumn) -> TimeColumn:
    """Times of which a midnight that closes its day, dated by that day, is moved to the day's end.

    Meters write the last interval of 1 January so: 23:00, 23:30, then 00:00 of 1 January, then 00:30 of 2 January.
    """
    if found.whole_days or found.zoned or len(found.times) < 3:
        return found
    changes = np.append(True, np.diff(found.times).astype(np.int64) != 0)  # series may share a time
    times = found.times[changes]
    days = times.astype("datetime64[D]")
    midnight = times == days
    steps = np.diff(times)
    if not midnight.any() or len(steps) < 2 or (steps > np.timedelta64(0)).mean() <= 0.5:
        return found
    step = np.median(steps[steps > np.timedelta64(0)].astype(np.int64)).astype("timedelta64[us]")
    closes = midnight.copy()
    closes[1:] &= days[1:] == days[:-1]
    closes[:-1] &= days[1:] != days[:-1]
    closes[0] &= times[1] == days[0] + _DAY + step
    follows = closes[1:] & (times[:-1] + step == days[:-1] + _DAY)
    if (midnight & ~closes).any() or follows.sum() * 2 <= closes.sum():
        return found
    row = np.cumsum(changes) - 1
    moved = closes[row]
    note = f"{moved.sum():,} midnight(s) follow the last time of their own date: they are read as 24:00, its end."
    return replace(found, times=found.times + moved * _DAY, warnings=(*found.warnings, note), by_all_rows=True)


def refuse_swapped(table: Table, times: Times) -> None:
    """Refuse dates that a spreadsheet or a program read with day and month swapped, wherever the day allowed it.

    Raises:
        DataError: If rows go back in time, and would not if day and month were swapped where the day is at most 12.
    """
    back = _going_back(times)
    if not back or np.isnat(times).any():
        return
    years, months, days = (times.astype(f"datetime64[{unit}]") for unit in "YMD")
    month, day = (months - years).astype(np.int64) + 1, (days - months).astype(np.int64) + 1
    swaps = (day <= 12) & (day != month)
    swapped = years.astype("datetime64[M]") + (day - 1).astype("timedelta64[M]")
    other = swapped.astype("datetime64[D]") + (month - 1).astype("timedelta64[D]") + (times - days)
    meant = np.where(swaps, other, times).astype("datetime64[us]")
    if swaps.all() or _going_back(meant) * 4 > back or fullness(meant) < REGULAR or fullness(times) >= REGULAR:
        return
    row = int(np.argmax(swaps))
    raise DataError(
        f"Day and month are swapped in {swaps.sum():,} of {len(times):,} rows, the first {table.row(row)}: read as "
        f"{np.datetime_as_string(times[row], 'D')}, in the order of the rows {np.datetime_as_string(meant[row], 'D')}.",
        "A spreadsheet swaps them where the day is at most 12. Export the dates from their source as YYYY-MM-DD.",
    )


def _going_back(times: Times) -> int:
    """How many rows go against the direction of most."""
    steps = np.diff(times).astype(np.int64)
    return int(min((steps < 0).sum(), (steps > 0).sum()))


def iso_years(year: Ints, week: Ints) -> Ints:
    """The ISO years [R] of weeks beside calendar years, where the order of the rows shows that they are such.

    31 December 2018 lies in week 1 of 2019, and 1 January 2017 in week 52 of 2016: weeks that follow week 52 of the
    same year, or of the year before.
    """
    if len(year) < 2:
        return year
    late = np.append(False, (week[1:] >= 52) & (year[1:] == year[:-1] + 1) & (week[:-1] >= 51))
    found = year - late
    first = np.append(False, (week[1:] == 1) & (week[:-1] >= 52) & (year[1:] == found[:-1]))
    return found + first
