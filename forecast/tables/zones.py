"""The zone of the times of a table: stated by its user or the table, or proved by the times themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.errors import DataError, quote, setting
from forecast.tables.input import Input
from forecast.tables.table import Ints, Times
from forecast.tables.timecells import TimeColumn
from forecast.tables.zone_rules import HOUR, are_ambiguous, are_midnights, wall_times, zone_of_days, zone_of_days_of


@dataclass(frozen=True)
class ZonedTimes:
    """Times with their zone.

    Args:
        times: Timestamps [R]: in UTC where there are a zone and a time of day, else as written. NaT for those in the
            hour that spring leaves out.
        tz: The zone; None if there is none.
        whole_days: Whether they are local dates.
        notes: What was inferred, one sentence each.
        warnings: What was mended, one counted sentence each.
    """

    times: Times
    tz: str | None
    whole_days: bool
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def in_zone(column: TimeColumn, groups: Ints, tz: str | None, source: Input) -> ZonedTimes:
    """The times of a column with their zone.

    Args:
        column: The time of each row, in the order of the table.
        groups: A number for each row, [R]; within one, an hour that comes twice is the repeated hour of autumn.
        tz: Name of the zone; None infers it.
        source: For messages.

    Raises:
        DataError: If there is no such zone.
    """
    if tz is not None:
        _check_zone(tz, source)
    if column.whole_days:
        return ZonedTimes(column.times, tz or column.zone, True)
    if column.elapsed is not None:
        return _counted_from_midnight(column.times, column.elapsed, tz, source)
    if not column.zoned:
        return ZonedTimes(column.times, None, False) if tz is None else _localized(column.times, groups, tz)
    notes: tuple[str, ...] = ()
    if tz is None:
        tz = column.zone or "UTC"
        if proved := zone_of_days(column.times, tz):
            notes = (f"The time of day changes by an hour twice a year, as in {proved}: the times are of that zone.",)
            tz = proved
    local = wall_times(column.times, tz)
    whole_days = are_midnights(local)
    if not notes and tz != "UTC":
        notes = (f"{'Days' if whole_days else 'Times'} are local ones of {tz}.",)
    return ZonedTimes(local if whole_days else column.times, tz, whole_days, notes)


def _check_zone(tz: str, source: Input) -> None:
    try:
        pd.DatetimeIndex(["2000-01-01"]).tz_localize(tz)
    except Exception:  # zoneinfo raises KeyError, ValueError and OSError, for names that are paths others too
        raise DataError(f"{setting('tz')} {quote(tz)} is not a time zone.", source.retry(tz="Europe/Berlin")) from None


def _localized(local: Times, groups: Ints, tz: str) -> ZonedTimes:
    """Wall times [R] of a zone in UTC; of two equal ones the second is the later one.

    Stamps that end their step repeat the hour after the ambiguous one, so they are placed by their beginnings.
    """
    repeats = _repeats(local, groups)
    along = np.diff(local).astype(np.int64)
    if (along < 0).sum() > (along > 0).sum():  # the newest row comes first
        repeats = _repeats(local[::-1], groups[::-1])[::-1]
    steps = np.diff(np.unique(local)).astype(np.int64)
    usual = np.timedelta64(int(np.median(steps)), "us") if len(steps) else HOUR
    twice = local[repeats]
    end_their_step = (
        usual <= HOUR
        and len(twice) > 0
        and not are_ambiguous(twice, tz).all()
        and bool(are_ambiguous((twice - usual).astype(local.dtype), tz).all())
    )
    shift = usual if end_their_step else 0 * HOUR
    zoned = pd.DatetimeIndex(local - shift).tz_localize(tz, ambiguous=~repeats, nonexistent="NaT")
    lost = int(np.count_nonzero(zoned.isna()))
    note = f"Times are local ones of {tz}{', and end their step' if end_their_step else ''}."
    warnings = (f"{lost:,} row(s) in the hour that spring leaves out in {tz} are left out.",) if lost else ()
    times = zoned.tz_convert(None).to_numpy().astype("datetime64[us]") + shift
    return ZonedTimes(times.astype("datetime64[us]"), tz, False, (note,), warnings)


def _counted_from_midnight(times: Times, elapsed: NDArray[np.timedelta64], tz: str | None, source: Input) -> ZonedTimes:
    """Times [R] that are counted from midnight, so that days of 23 and 25 hours have fewer and more of them."""
    midnights = (times - elapsed).astype("datetime64[us]")
    if tz is None:
        by_day = pd.Series(elapsed.astype("timedelta64[us]").astype(np.int64)).groupby(midnights).max()
        hour = int(HOUR.astype(np.int64))
        long_days = by_day.index[by_day >= 24 * hour].to_numpy()
        short_days = by_day.index[by_day == by_day.median() - hour].to_numpy()
        zone = zone_of_days_of(25, long_days) or zone_of_days_of(23, short_days)
        if len(long_days) or zone:
            day, n_hours = (long_days[0], 25) if len(long_days) else (short_days[0], 23)
            raise DataError(
                f"{source.label}: {str(day)[:10]} has the periods of {n_hours} hours, as they are counted where clocks "
                "go forward in spring and back in autumn.",
                f"{source.retry(tz=zone or 'Europe/Berlin')} (name the zone of this clock)",
            )
        return ZonedTimes(times, None, False)
    begins = pd.DatetimeIndex(midnights).tz_localize(tz, ambiguous=True, nonexistent="shift_forward")
    utc = begins.tz_convert(None).to_numpy().astype("datetime64[us]") + elapsed
    return ZonedTimes(utc.astype("datetime64[us]"), tz, False, (f"Periods are counted from local midnight in {tz}.",))


def _repeats(times: Times, groups: Ints) -> np.ndarray:
    """Which times [R] stood before in their group."""
    return pd.DataFrame({"group": groups, "time": times}).duplicated().to_numpy()
