"""What is said of rows that were put onto a clock, or averaged onto a longer one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecast.clocks.days import DAY, WEEKDAYS, weekdays
from forecast.clocks.week import Week, clock_time
from forecast.data.clock import STEP, Clock, Times
from forecast.data.panel import Floats
from forecast.errors import Sentence, listed, quote, setting
from forecast.sources.aggregates import shares_within
from forecast.sources.infer_week import slots_without_row
from forecast.sources.resampling import Averages
from forecast.tables.zone_rules import zone_of_skipped_hours

Ints = NDArray[np.int64]

# Less of the variance is not worth a word.
_LEAST_LOST = 0.01

# More periods that are not whole are counted, not named.
_MOST_LISTED = 4

# Sessions that are known for less time after the last row may be forecast.
_KNOWN_LONG = np.timedelta64(3 * 365, "D")

# More absent hours than these are no springs.
_MOST_SPRINGS = 200


def week_in_words(week: Week, wall: Times, series: Ints) -> list[str]:
    """What is said of slots of a week that are without a row now and then, as on holidays."""
    n_missing, slot, n_weeks, of_weeks = slots_without_row(week, wall, series)
    if not n_missing:
        return []
    worst = WEEKDAYS[slot // DAY] + (f" {clock_time(slot % DAY)}" if week.per_day > 1 else "")
    return [f"{n_missing:,} slots have no row, most often that of {worst}: in {n_weeks:,} of {of_weeks:,} weeks."]


def exchange_in_words(clock: Clock, alike: tuple[str, ...], last: np.datetime64) -> list[str]:
    """What is said of the exchanges that rows of business days fit alike, and of the sessions after the last row."""
    days = clock.session_days
    if days is None:
        like = f"The rows fit the sessions of {', '.join(alike)} alike"
        return [Sentence(f"{like} ({setting('freq', alike[0])} takes those of one).")] if alike else []
    said: list[str] = []
    if alike:
        which = f"The rows fit the sessions of {days.exchange} and of no other exchange"
        said.append(Sentence(f"{which} ({setting('freq', 'B')} takes business days)."))
    if half := [day for day in days.half if np.datetime64(day) > last]:
        said.append(f"Sessions after the last row that end early: {listed(half, _MOST_LISTED)}.")
    if np.datetime64(days.until) - last < _KNOWN_LONG:
        said.append(f"The sessions are known until {days.until}; after it each day of their week is taken for one.")
    return said


def left_out_in_words(times: Times, clock: Clock) -> list[str]:
    """What is said of rows at these times, which have no place of their own on the clock."""
    weekend = times[weekdays(times) >= 5] if clock.unit == "B" else times[:0]
    said: list[str] = []
    if len(weekend):
        which = f"{len(weekend):,} row(s) on Saturdays and Sundays, the first of {clock.format(weekend.min())},"
        daily = f"{setting('freq', 'D')} keeps them, and a day without a row is a gap"
        in_order = f"{setting('freq', STEP)} keeps them, and takes all rows in their order"
        said.append(Sentence(f"{which} are left out, as nearly all rows lie on business days ({daily}; {in_order})."))
    if clock.unit == "session" or clock.week is not None:
        is_open = clock.is_open(times)
        if not is_open.all():
            first = f"the first of {clock.format(times[~is_open].min())}"
            said.append(f"{(~is_open).sum():,} row(s) when {clock.freq} is closed, {first}, are left out.")
            times = times[is_open]
    if n_others := len(times) - len(weekend):
        said.append(f"{n_others:,} row(s) are left out: another row is nearer to the same place on the clock.")
    return said


def skipped_hours(times: Times, series: Ints) -> str:
    """A warning if every absent hour is one that spring leaves out in some zone."""
    steps = np.diff(times)
    wide = (steps > np.median(steps.astype(np.int64)).astype("timedelta64[us]")) & (np.diff(series) == 0)
    before = np.unique(times[:-1][wide])
    if not len(before) or len(before) > _MOST_SPRINGS:
        return ""
    usual = np.timedelta64(int(np.median(steps.astype(np.int64))), "us")
    zone = zone_of_skipped_hours((before + usual).astype(times.dtype))
    if zone is None:
        return ""
    return Sentence(
        f"The hour after {Clock('s').format(before[0])} is absent, as in spring, when clocks go forward; if these are "
        f"local times, name their zone: {setting('tz', zone)}"
    )


def lost_in_words(
    names: tuple[str, ...], values: Floats, averages: Averages, clock: Clock, angles: NDArray[np.bool_]
) -> list[str]:
    """How much of what columns vary lies within periods, where a mean does not show it; of angles nothing is said."""
    firsts = np.cumsum(averages.n_rows) - averages.n_rows
    shares = np.where(angles, 0.0, shares_within(values, averages.values, firsts))
    lost = [f"{share:.0%} of {quote(name)}" for name, share in zip(names, shares, strict=True) if share >= _LEAST_LOST]
    within = f"Lost is what varies within {clock.describe()}"
    return [f"{within}: {listed(lost, _MOST_LISTED)} (of the variance)."] if lost else []


def cut_in_words(averages: Averages, ids: tuple[str, ...], clock: Clock) -> str:
    """The periods at the ends of the series that are not whole, and how many of their rows are there."""
    cut = np.flatnonzero(averages.is_cut).tolist()
    return listed([period_in_words(averages, period, ids, clock) for period in cut], _MOST_LISTED)


def period_in_words(averages: Averages, period: int, ids: tuple[str, ...], clock: Clock) -> str:
    """A period and how many of its rows are there: ``2024-03-01 (10 of 31 rows)``."""
    of_series = f" of {quote(ids[averages.series[period]])}" if len(ids) > 1 else ""
    n_rows, n_whole = int(averages.n_rows[period]), int(averages.n_whole[period])
    share = f"{n_rows:,} of {n_whole:,}" if n_whole else f"{n_rows:,}"
    return f"{clock.format(averages.times[period])}{of_series} ({share} rows)"
