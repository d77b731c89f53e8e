"""The rules of time zones: what a clock on the wall shows, which hours come twice or never, what explains times."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Times = NDArray[np.datetime64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Zones by which times are explained, the most people's first. Of zones with the same rules one stands for all.
CANDIDATES = (
    "Europe/Berlin", "America/New_York", "Europe/London", "America/Chicago", "America/Los_Angeles", "Europe/Athens",
    "Australia/Sydney", "America/Denver", "Pacific/Auckland", "America/Santiago", "America/Halifax",
    "Australia/Adelaide", "Asia/Jerusalem", "America/Sao_Paulo", "Asia/Tehran", "America/Anchorage", "America/St_Johns",
    "Africa/Cairo", "America/Asuncion", "Europe/Moscow",
)  # fmt: skip
HOUR = np.timedelta64(3_600_000_000, "us")


def wall_times(times: Times, tz: str) -> Times:
    """What a clock on the wall shows in a zone at times in UTC, [T]."""
    local = pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(tz).tz_localize(None)
    return local.to_numpy().astype("datetime64[us]")


def from_wall(wall: Times, tz: str) -> Times:
    """Times in UTC of what a clock on the wall shows, [T]: the first of two hours, the hour after a hole in spring."""
    zoned = pd.DatetimeIndex(wall).tz_localize(tz, ambiguous=np.ones(len(wall), bool), nonexistent="shift_forward")
    return zoned.tz_convert(None).to_numpy().astype("datetime64[us]")


def are_ambiguous(wall: Times, tz: str) -> Bools:
    """Which wall times [T] come twice in a zone."""
    zoned = pd.DatetimeIndex(wall).tz_localize(tz, ambiguous="NaT", nonexistent="shift_forward")
    return np.asarray(zoned.isna())


def are_midnights(wall: Times) -> bool:
    """Whether all wall times are midnights."""
    return bool((wall == wall.astype("datetime64[D]")).all())


def zones_of_repeats(times: Times, groups: Ints) -> list[str]:
    """The zones in which all wall times that stand twice [R] lie in, or end, the hour that autumn repeats.

    Args:
        times: Wall times [R].
        groups: The number of the series of each, [R].
    """
    repeated = pd.DataFrame({"group": groups, "time": times}).duplicated(keep=False).to_numpy()
    distinct = np.unique(times[repeated])
    ended = (distinct - HOUR).astype(distinct.dtype)
    return [
        tz
        for tz in (CANDIDATES if len(distinct) else ())
        if are_ambiguous(distinct, tz).all() or are_ambiguous(ended, tz).all()
    ]


def zone_of_skipped_hours(wall: Times) -> str | None:
    """The first zone in which all these absent wall times [n] lie in the hour that spring leaves out."""
    for tz in CANDIDATES if len(wall) else ():
        there = pd.DatetimeIndex(wall).tz_localize(tz, ambiguous=np.ones(len(wall), bool), nonexistent="NaT")
        if there.isna().all():
            return tz
    return None


def zone_of_days_of(hours: int, midnights: Times) -> str | None:
    """The first zone in which these days [n], given by their midnights, have so many hours."""
    for tz in CANDIDATES if len(midnights) else ():
        begins, ends = (
            pd.DatetimeIndex(day).tz_localize(tz, nonexistent="shift_forward", ambiguous="NaT").tz_convert(None)
            for day in (midnights, midnights + np.timedelta64(1, "D"))
        )
        if (ends - begins == pd.Timedelta(hours=hours)).all():
            return tz
    return None


def zone_of_offsets(times: Times, minutes: Ints) -> str | None:
    """The first zone that is these minutes [T] ahead of UTC at these times in UTC [T]."""
    local = times + (minutes * 60_000_000).astype("timedelta64[us]")
    return next((tz for tz in CANDIDATES if (wall_times(times, tz) == local).all()), None)


def zone_of_days(times: Times, tz: str) -> str | None:
    """The zone in which daily or longer times in UTC have one time of day, where in ``tz`` they have two.

    Of several such zones the first in which that time is midnight.
    """
    times = np.unique(times)
    if len(times) < 3 or np.median(np.diff(times).astype(np.int64)) < 23 * HOUR.astype(np.int64):
        return None
    if len(_times_of_day(wall_times(times, tz))) != 2:
        return None
    regular = [zone for zone in CANDIDATES if len(_times_of_day(wall_times(times, zone))) == 1]
    return next((zone for zone in regular if are_midnights(wall_times(times, zone))), regular[0] if regular else None)


def _times_of_day(wall: Times) -> Times:
    return np.unique(wall - wall.astype("datetime64[D]"))
