"""Rows in order of time and on a regular clock: sorted, each time once, and every row at its place."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.clocks.exchanges import exchanges_like, sessions_of
from forecast.config import ReadOptions
from forecast.data.bounds import is_angle
from forecast.data.clock import STEP, Clock, Times
from forecast.data.panel import Floats
from forecast.errors import DataError, quote, setting
from forecast.sources import infer_clock as clocks
from forecast.sources.aggregates import IN_WORDS
from forecast.sources.asked_clock import asked_clock
from forecast.sources.clock_in_words import (
    cut_in_words,
    exchange_in_words,
    left_out_in_words,
    lost_in_words,
    period_in_words,
    skipped_hours,
    week_in_words,
)
from forecast.sources.infer_holidays import in_words, infer_holidays
from forecast.sources.infer_week import PATTERN
from forecast.sources.resampling import OwnClock, average, means_from
from forecast.tables.table import Table
from forecast.tables.zone_rules import wall_times, zones_of_repeats

Ints = NDArray[np.int64]

# A longer usual step, in microseconds, is one of days, which are local ones where there is a zone.
_LONGEST_OF_DAY = 20 * 3_600_000_000

# Numbers of rows are microseconds of 1970; a row of a later time has a date.
_FIRST_DATE = np.datetime64("1970-01-03", "us")


@dataclass(frozen=True)
class Observations:
    """Rows of a table.

    Args:
        times: Timestamps [R].
        series: The number of the series of each row, [R].
        values: Float64 [R, C].
        words: The index of each word in X columns of words, int32 [R, X]; -1 where there is none.
        coded: Columns [R] in which codes may mean missing, with these, by name.
    """

    times: Times
    series: Ints
    values: Floats
    words: NDArray[np.int32]
    coded: dict[str, Floats] = field(default_factory=dict)

    def take(self, rows: Ints) -> Observations:
        """These rows in this order."""
        coded = {name: raw[rows] for name, raw in self.coded.items()}
        return Observations(self.times[rows], self.series[rows], self.values[rows], self.words[rows], coded)


@dataclass(frozen=True)
class OnClock:
    """Rows on a clock.

    Args:
        rows: The rows.
        clock: The clock.
        notes: What was inferred, one sentence each.
        warnings: What was mended, one counted sentence each.
        given_clock: The clock that rows of the same kind are read by, where a few of them would not show it.
    """

    rows: Observations
    clock: Clock
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    given_clock: str | None = None

    @property
    def read_options(self) -> dict[str, Any]:
        """The fields of `ReadOptions` by which a few rows of the same kind are read alike."""
        found = {"tz": self.clock.tz, "freq": self.given_clock, "session_days": self.clock.session_days}
        return {name: value for name, value in found.items() if value is not None}


def in_order(
    table: Table,
    rows: Observations,
    ids: tuple[str, ...],
    names: tuple[str, ...],
    duplicates: str | None = None,
    tz: str | None = None,
) -> tuple[Observations, list[str]]:
    """Rows of the table by series and time, each time once, and what was mended.

    Args:
        table: Where the rows stand, for messages.
        rows: R rows in the order of the table.
        ids: Names of the series.
        names: Names of the columns.
        duplicates: What is taken of rows that share a time: the ``first``, the ``last`` or the ``mean``.
        tz: The zone of the times, in UTC; None if they have none.

    Raises:
        DataError: If a time stands twice in a series with other values and ``duplicates`` is None; names both rows.
    """
    times, series = rows.times, rows.series
    if ((series[1:] > series[:-1]) | ((series[1:] == series[:-1]) & (times[1:] > times[:-1]))).all():
        return rows, []
    warnings = []
    steps = np.diff(times).astype(np.int64)[np.diff(series) == 0]
    if (steps < 0).any() and (steps > 0).any():
        warnings.append(f"{(steps < 0).sum():,} row(s) are out of order; the rows are sorted by time.")
    order = np.lexsort((times, series))
    if (np.diff(order) != 1).any():
        rows = rows.take(order)
    repeats = np.flatnonzero((np.diff(rows.series) == 0) & (np.diff(rows.times).astype(np.int64) == 0)) + 1
    if not len(repeats):
        return rows, warnings
    before, after = rows.values[repeats - 1], rows.values[repeats]
    differ = ~((before == after) | (np.isnan(before) & np.isnan(after)))
    if not differ.any():
        warnings.append(f"{len(repeats):,} identical row(s) are left out.")
        return rows.take(np.setdiff1d(np.arange(len(rows.times)), repeats)), warnings
    if duplicates is not None:
        warnings.append(f"{len(repeats):,} row(s) share the time of another; of those the {duplicates} is taken.")
        return _one_of_each(rows, repeats, duplicates), warnings
    which, column = map(int, np.argwhere(differ)[0])
    at = int(repeats[which])
    first, second = sorted((int(order[at - 1]), int(order[at])))
    of_series = f" of series {quote(ids[rows.series[at]])}" if len(ids) > 1 else ""
    raise DataError(
        f"{table.row(second)}: the time {_shown(rows.times[at], tz)}{of_series} was given before "
        f"({table.row(first)}) with another {quote(names[column])}: "
        f"{before[which, column]:g} and {after[which, column]:g}.",
        _advise_on_repeated_times(table, rows, tz),
    )


def _one_of_each(rows: Observations, repeats: Ints, duplicates: str) -> Observations:
    """One row for each time: the first or the last of the table, or the mean of each column."""
    is_first = np.ones(len(rows.times), bool)
    is_first[repeats] = False
    if duplicates == "first":
        return rows.take(np.flatnonzero(is_first))
    if duplicates == "last":
        return rows.take(np.flatnonzero(np.append(is_first[1:], True)))
    kept = rows.take(np.flatnonzero(is_first))
    return replace(kept, values=means_from(rows.values, np.flatnonzero(is_first))[0])


def _shown(time: np.datetime64, tz: str | None) -> str:
    return Clock("s", tz).format(time)


def _advise_on_repeated_times(table: Table, rows: Observations, tz: str | None) -> str:
    """What to do about times that stand twice: in autumn one hour does, when clocks go back."""
    source = table.source
    if tz is None and (zones := zones_of_repeats(rows.times, rows.series)):
        others = f"; {', '.join(zones[1:4])} and others repeat it, too" if len(zones) > 1 else ""
        return f"{source.retry(tz=zones[0])} (the hour that autumn repeats; name the zone of this clock{others})"
    steps = np.diff(np.unique(rows.times)).astype(np.int64)
    step = clocks.usual_alias(float(np.median(steps))) if len(steps) else "D"
    others = f"{setting('duplicates', 'first')}, {setting('duplicates', 'last')} or {setting('resample', step)}"
    return f"{source.retry(duplicates='mean')} (or {others}; or {setting('series_id')} for several series)"


def on_clock(
    table: Table,
    rows: Observations,
    ids: tuple[str, ...],
    names: tuple[str, ...],
    options: ReadOptions,
    tz: str | None,
    whole_days: bool,
) -> OnClock:
    """Rows on a regular clock: the one that was asked for, or the one that their steps show.

    Args:
        table: Where the rows stand, for messages.
        rows: R rows by series and time; their times in UTC if there is a zone and they are no whole days.
        ids: Names of the series.
        names: Names of the columns.
        options: The clock, or what to average the rows onto.
        tz: The zone of the times.
        whole_days: Whether they are local dates.

    Raises:
        DataError: If they lie on no clock; shows a histogram of their steps.
    """
    sessions = None
    by_hours = options.resample is None and (options.freq in (None, PATTERN) or options.sessions is not None)
    if tz == "UTC" and options.tz is None and by_hours and not whole_days:
        sessions = clocks.zone_of_sessions(rows.times, rows.series)
        tz = sessions or tz
    named = asked_clock(rows.times, rows.series, options, None if whole_days else tz)
    by_day = clocks.usual_step(rows.times, rows.series) > _LONGEST_OF_DAY if named is None else not _divides_day(named)
    own, instants = None, None
    if options.resample is not None:
        own = _own_clock(table, rows, ids, options, tz, whole_days)
    if tz is not None and not whole_days and by_day:
        instants, rows = rows.times, replace(rows, times=wall_times(rows.times, tz))
    if options.resample is not None and named is not None:
        return _resampled(table, rows, ids, names, replace(named, tz=tz), own, options.aggregate, instants)
    if named is not None and named.freq == STEP:
        return _numbered(rows, named)
    n_rows, label = len(rows.times), table.source.label
    if named is None and np.count_nonzero(rows.series[1:] == rows.series[:-1]) < 2:
        raise DataError(
            f"{label} has {n_rows} row(s), too few to see the step between them.", table.source.retry(freq="D")
        )
    candidates = clocks.candidate_clocks(rows.times, rows.series, tz) if named is None else [(named, 1.0)]
    fewest: tuple[int, Clock] | None = None
    for candidate, most_off in candidates:
        clock = replace(candidate, tz=tz)
        snapped = clocks.snap(rows.times, rows.series, clock)
        n_off = snapped.dropped if most_off == 1 else snapped.moved + snapped.dropped
        if options.weekdays or options.sessions:  # what lies outside is left out as asked
            n_off = 0
        if n_off <= clocks.MOST_SNAPPED * n_rows:
            is_said = options.freq == PATTERN or options.weekdays or options.sessions
            placed = _placed(rows, clock, snapped, given=named is not None and not is_said)
            if sessions is not None:
                told = f"The hours of the rows shift by one twice a year, as those of {sessions} do: its zone is taken."
                placed = replace(placed, notes=(told, *placed.notes))
            clock = placed.clock
            needs_many_rows = most_off == 1 or clock.slots is not None or clock.is_uneven or clock.unit == "session"
            return replace(placed, given_clock=clock.freq if needs_many_rows else None)
        if fewest is None or n_off < fewest[0]:
            fewest = n_off, clock
    what = label
    if fewest is not None:
        what = f"{label}: {fewest[0]:,} of {n_rows:,} rows are off a clock of {fewest[1].describe()}; it"
    raise clocks.irregular(rows.times, rows.series, what, _advise_on_steps(table, rows))


def _divides_day(clock: Clock) -> bool:
    return clock.unit in ("s", "min", "h")


def _advise_on_steps(table: Table, rows: Observations) -> str:
    """What to do about rows without a clock: average them onto steps of about their own length."""
    step = clocks.usual_alias(clocks.usual_step(rows.times, rows.series))
    return f"{table.source.retry(resample=step)} (the mean of each step), or take them in their order: " + setting(
        "freq", STEP
    )


def _own_clock(
    table: Table, rows: Observations, ids: tuple[str, ...], options: ReadOptions, tz: str | None, whole_days: bool
) -> OnClock | None:
    """Rows that are to be averaged on the clock that they have themselves; None if they have none."""
    times, series = rows.times, rows.series
    is_first = np.ones(len(times), bool)
    is_first[1:] = (times[1:] != times[:-1]) | (series[1:] != series[:-1])
    once = replace(rows.take(np.flatnonzero(is_first)), values=np.zeros((int(is_first.sum()), 0)))
    asked = {"resample": None}
    if options.freq is not None:  # rows that were averaged before have another clock than those of the training
        of_rows = None if options.freq == PATTERN else clocks.named_clock(options.freq).kind.length
        asked |= {} if of_rows and 0.5 < clocks.usual_step(times, series) / of_rows < 2 else {"freq": None}
    with suppress(DataError):
        placed = on_clock(table, once, ids, (), options.model_copy(update=asked), tz, whole_days)
        return None if placed.clock.freq == STEP else placed
    return None


def _resampled(
    table: Table,
    rows: Observations,
    ids: tuple[str, ...],
    names: tuple[str, ...],
    clock: Clock,
    own: OnClock | None,
    how: str,
    instants: Times | None,
) -> OnClock:
    """The means of whole periods, or what else is asked for; ``instants`` are the times in UTC of wall times.

    Raises:
        DataError: If no period is whole.
    """
    if clock.is_uneven or clock.unit in (STEP, "session"):
        raise DataError(
            f"Rows are not averaged onto a clock of {clock.freq}, but onto one of pandas: 1h, D, W, MS …",
            f"Average them onto days, for example: {setting('resample', 'D')}",
        )
    # No training span is shorter than this.
    early = rows.times <= np.partition(rows.times, len(rows.times) // 5)[len(rows.times) // 5]
    angles = np.array([is_angle(name, column[early]) for name, column in zip(names, rows.values.T, strict=True)])
    known = None
    if own is not None:
        local = own.clock.is_zoned and clock.tz is not None and not _divides_day(clock)
        shown = partial(wall_times, tz=str(clock.tz)) if local else np.asarray
        known = OwnClock(own.clock, own.rows.times, own.rows.series, shown)
    averages = average(rows.times, rows.series, rows.values, clock, angles, known, how, instants)
    if averages.is_cut.all():
        raise DataError(
            f"{table.source.label}: no period of {clock.describe()} is whole: {cut_in_words(averages, ids, clock)}.",
            "Give more rows, or average them onto a shorter step.",
        )
    has_whole = np.isin(averages.series, averages.series[~averages.is_cut])
    values = np.where(averages.is_cut[:, None], np.nan, averages.values)
    is_open = clock.is_open(averages.times)
    kept = is_open & (~averages.is_cut | ~has_whole)  # a series without a whole period stays, and has no values
    series = averages.series[kept]
    numbers, firsts = np.unique(rows.series, return_index=True)
    words = np.maximum.reduceat(rows.words, firsts)  # those that change in a series are not among them
    words = words[np.searchsorted(numbers, series)]
    means = Observations(averages.times[kept], series, np.ascontiguousarray(values[kept]), words)
    done = f"{len(rows.times):,} rows are {IN_WORDS[how]} into {kept.sum():,} of {clock.describe()} each."
    notes, warnings = [], [done]
    if how in ("mean", "duration"):
        notes += lost_in_words(names, rows.values, averages, clock, angles)
    if not is_open.all():
        warnings.append(f"{averages.n_rows[~is_open].sum():,} rows when {clock.freq} is closed are left out.")
    if averages.is_cut.any():
        notes.append(f"Left out, as rows begin or end within: {cut_in_words(averages, ids, clock)}.")
    if n_sparse := int(averages.has_too_few.sum()):
        first = int(averages.has_too_few.argmax())
        warnings.append(
            f"{n_sparse:,} period(s) have too few of the usual values of a column, which is missing then; the "
            f"first is {period_in_words(averages, first, ids, clock)}."
        )
    given = None if own is None else own.given_clock
    return OnClock(means, clock, tuple(notes), tuple(warnings), given)


def _numbered(rows: Observations, clock: Clock) -> OnClock:
    """Rows with numbers for times; dates are replaced by the numbers of the rows."""
    if (rows.times < _FIRST_DATE).all():
        return OnClock(rows, clock, ("The rows have numbers instead of times.",), ())
    first = np.searchsorted(rows.series, rows.series)
    numbers = (np.arange(len(rows.times)) - first).astype("datetime64[us]")
    return OnClock(replace(rows, times=numbers), clock, ("The rows are numbered in their order.",), ())


def _placed(rows: Observations, clock: Clock, snapped: clocks.Snapped, given: bool) -> OnClock:
    """Rows at their places on a clock; ``given`` tells whether the user named it."""
    n_rows = len(rows.times)
    warnings = []
    if snapped.moved:
        warnings.append(
            f"{snapped.moved:,} time(s) off the clock are moved to their place on it, by less than half a step."
        )
    if snapped.dropped:
        warnings += left_out_in_words(rows.times[np.setdiff1d(np.arange(n_rows), snapped.rows)], clock)
    alike = exchanges_like(rows.times) if clock.freq == "B" and not given else ()
    if len(alike) == 1:
        clock = replace(clock, session_days=sessions_of(alike[0], rows.times.min(), rows.times.max()))
    notes = [] if given else [f"One row every {clock.describe().removeprefix('1 ')} ({clock.freq})."]
    notes += exchange_in_words(clock, alike, rows.times.max())
    if clock.is_uneven:
        warnings.append("The length of a step varies, so the times of forecasts are uncertain by a few days.")
    if len(snapped.rows) < n_rows:
        rows = rows.take(snapped.rows)
    if not snapped.moved and (snapped.times != rows.times).any():
        first = snapped.times[0].astype("datetime64[D]")
        notes.append(
            f"Each time stands for its period and is moved to its place on {clock.freq}, the first to {first}."
        )
    elif clock.tz is None and clock.unit in ("min", "h") and (spring := skipped_hours(snapped.times, rows.series)):
        warnings.append(spring)
    rows = replace(rows, times=snapped.times)
    if clock.week is not None:
        notes += week_in_words(clock.week, clock.wall(rows.times), rows.series)
    if clock.unit == "B" or clock.week is not None:
        rules = infer_holidays(clock.wall(rows.times), clock.has_slots)
        clock = replace(clock, holidays=rules)
        if rules:
            listed = ", ".join(map(in_words, rules[:3])) + " …" * (len(rules) > 3)
            notes.append(f"No row on {len(rules)} holidays in any year, which forecasts leave out: {listed}.")
    return OnClock(rows, clock, tuple(notes), tuple(warnings))
