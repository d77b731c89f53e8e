"""Rows averaged onto a longer step. A mean over a part of a period is not passed off as that of the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.clocks.month_days import MonthDays
from forecast.data.clock import Clock, Times
from forecast.data.panel import Floats
from forecast.sources.aggregates import means_by_duration, reduced
from forecast.sources.infer_clock import period_labels, usual_step
from forecast.tables.zone_rules import from_wall

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# A period in which a column has fewer values than this share of its usual number gets no mean: the least for a valid
# daily mean of hours in the Directive 2008/50/EC on the quality of the air.
_LEAST_PRESENT = 0.75
# Rows without a clock fill the last period if they come as near to its end as in this share of the other periods, or
# if no more of it is left than the longest of this share of their steps.
_USUAL = 0.9


@dataclass(frozen=True)
class OwnClock:
    """The clock of the rows that are averaged.

    Args:
        clock: The clock.
        times: The rows at their places on it [R], by series and time.
        series: The series of each, [R].
        shown: Takes times on it to those that are averaged: wall times of days, where its own are in UTC.
    """

    clock: Clock
    times: Times
    series: Ints
    shown: Callable[[Times], Times]


@dataclass(frozen=True)
class Averages:
    """Means over periods, by series and time.

    Args:
        times: The label of each period, [T].
        series: Its series, [T].
        values: Means [T, C]; NaN where a column has no value, or too few.
        n_rows: Rows in each period, [T].
        n_whole: Rows that a whole one has, [T]; 0 where the rows have no clock that tells.
        is_cut: Whether the rows of the series begin or end within the period, [T].
        has_too_few: Whether a column has too few values in it for a mean, [T].
    """

    times: Times
    series: Ints
    values: Floats
    n_rows: Ints
    n_whole: Ints
    is_cut: Bools
    has_too_few: Bools


def average(
    times: Times,
    series: Ints,
    values: Floats,
    clock: Clock,
    angles: Bools,
    own: OwnClock | None,
    how: str = "mean",
    instants: Times | None = None,
) -> Averages:
    """The mean of each column over every period of a clock that holds a row; of angles, the mean direction.

    Args:
        times: Timestamps [R], by series and time.
        series: The series of each row, [R].
        values: Float64 [R, C]; NaN is left out of a mean.
        clock: The clock of the result.
        angles: Which columns are angles in degrees, [C].
        own: The clock of the rows, which tells how many of them a period has; None if they have none.
        how: Of columns that are no angles another aggregate than the mean: a key of `IN_WORDS`.
        instants: The times in UTC, [R], where ``times`` are wall times of the clock's zone.
    """
    periods = period_labels(times, clock)
    is_first = np.ones(len(times), bool)
    is_first[1:] = (periods[1:] != periods[:-1]) | (series[1:] != series[:-1])
    firsts = np.flatnonzero(is_first)
    averages, counts = means_from(values, firsts)
    if how == "duration":
        averages = _by_duration(times if instants is None else instants, series, values, periods[firsts], firsts, clock)
    elif how != "mean":
        averages = reduced(how, values, firsts)
    if angles.any():
        radians = np.radians(values[:, angles])
        east, north = (means_from(part(radians), firsts)[0] for part in (np.sin, np.cos))
        averages[:, angles] = np.degrees(np.arctan2(east, north)) % 360
    labels, of_series = periods[firsts], series[firsts].astype(np.int64)
    n_whole, is_cut, too_few = (
        np.zeros(len(labels), np.int64),
        np.zeros(len(labels), bool),
        np.zeros(counts.shape, bool),
    )
    if own is not None and 2 * own.clock.step <= clock.step:
        n_whole, is_cut = _by_clock(own, clock, labels, of_series)
        too_few = _too_few(counts, n_whole, is_cut, of_series, 1.0 if how == "sum" else _LEAST_PRESENT)
        averages[too_few] = np.nan
    elif own is None and 2 * usual_step(times, series) <= clock.step.astype(np.int64):
        is_cut = _by_other_periods(times, series, clock)
    n_rows = np.diff(firsts, append=len(times))
    has_too_few = ~is_cut & too_few.any(axis=1)
    return Averages(labels, of_series, averages, n_rows, n_whole, is_cut, has_too_few)


def _by_duration(instants: Times, series: Ints, values: Floats, labels: Times, firsts: Ints, clock: Clock) -> Floats:
    """The means of the periods of every series by how long each value holds, at most for the length of a period."""
    starts, ends = instants_of(labels, clock)
    means = []
    for (begin, end), (first, last) in zip(_spans(series), _spans(series[firsts]), strict=True):
        rows, periods = slice(begin, end), slice(first, last)
        means.append(means_by_duration(instants[rows], values[rows], starts[periods], ends[periods], clock.step))
    return np.concatenate(means)


def means_from(values: Floats, firsts: Ints) -> tuple[Floats, Ints]:
    """The mean of each column over stretches that begin with these rows, and how many values it has, [T, C] each.

    Each sum is of its own rows alone. Those of pandas differ in the last bit with a value that is missing elsewhere.
    """
    known = ~np.isnan(values)
    counts = np.add.reduceat(known, firsts, axis=0, dtype=np.int64)
    sums = np.add.reduceat(np.where(known, values, 0.0), firsts, axis=0)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0), counts


def _spans(series: Ints) -> Iterator[tuple[int, int]]:
    """The rows of each series: from and to."""
    return pairwise(np.flatnonzero(np.diff(series, prepend=-1, append=series[-1] + 1)).tolist())


def _by_clock(own: OwnClock, clock: Clock, labels: Times, of_series: Ints) -> tuple[Ints, Bools]:
    """How many rows each period has by the clock of the rows, and whether some come before the first or after the last.

    Args:
        own: The clock of the rows.
        clock: The clock of the periods.
        labels: The periods, [T].
        of_series: The series of each, [T].
    """
    reach = 2 * int(clock.step / own.clock.step) + 1  # a leap year is longer than the usual year
    n_whole, is_cut = np.zeros(len(labels), np.int64), np.zeros(len(labels), bool)
    for (begin, end), (first, last) in zip(_spans(own.series), _spans(of_series), strict=True):
        rows, clocked = own.times[begin:end], own.clock
        steps = int(np.ptp(clocked.ordinals(rows))) + reach
        places = np.concatenate([clocked.past(rows[0], reach + 1), clocked.future(rows[0], steps)])
        of_place = period_labels(own.shown(places), clock)
        periods, counts = np.unique(of_place, return_counts=True)
        at = np.searchsorted(periods, labels[first:last]).clip(max=len(periods) - 1)
        n_whole[first:last] = np.where(periods[at] == labels[first:last], counts[at], 0)
        is_cut[first] = of_place[reach - 1] == of_place[reach]
        newest = int(np.searchsorted(places, rows[-1]))
        is_cut[last - 1] |= of_place[newest] == of_place[newest + 1]
    return n_whole, is_cut


def _by_other_periods(times: Times, series: Ints, clock: Clock) -> Bools:
    """Whether rows without a clock begin or end farther within the first and last period than in the others, [T]."""
    is_cut: list[Bools] = []
    for begin, end in _spans(series):
        rows = times[begin:end]
        labels = period_labels(rows, clock)
        firsts = np.flatnonzero(np.concatenate([[True], labels[1:] != labels[:-1]]))
        lasts = np.append(firsts[1:], len(rows)) - 1
        starts, ends = _bounds(labels[firsts], clock)
        cut = np.zeros(len(firsts), bool)
        if len(firsts) > 2:
            late, early = (gaps.astype(np.int64) for gaps in (rows[firsts] - starts, ends - rows[lasts]))
            step = np.quantile(np.diff(rows).astype(np.int64), _USUAL)
            cut[0] = late[0] > max(step, np.quantile(late[1:], _USUAL))
            cut[-1] = early[-1] > max(step, np.quantile(early[:-1], _USUAL))
        is_cut.append(cut)
    return np.concatenate(is_cut)


def _bounds(labels: Times, clock: Clock) -> tuple[Times, Times]:
    """The start of each period and of the one after it, by its label [T], which is its first day or its last."""
    if isinstance(clock.slots, MonthDays):
        return labels, clock.slots.times(clock.slots.ordinals(labels) + 1)
    index = pd.DatetimeIndex(labels)
    day = pd.Timedelta(1, "D") if clock.unit == "W" or clock.offset.rule_code.split("-")[0].endswith("E") else None
    starts = index if day is None else index - clock.offset + day
    ends = index + (clock.offset if day is None else day)
    return starts.to_numpy().astype("datetime64[us]"), ends.to_numpy().astype("datetime64[us]")


def instants_of(labels: Times, clock: Clock) -> tuple[Times, Times]:
    """The start of each period and of the one after it in UTC: days of a zone begin at its midnight."""
    starts, ends = _bounds(labels, clock)
    if clock.tz is None or clock.is_zoned:
        return starts, ends
    return from_wall(starts, clock.tz), from_wall(ends, clock.tz)


def _too_few(counts: Ints, n_whole: Ints, is_cut: Bools, of_series: Ints, least: float) -> Bools:
    """Where a column has some values, and too few of what it usually has, [T, C].

    A column that is measured at each third row has its usual number if it has a third. What is usual is the median of
    the series so far, so that no later row decides on an earlier mean.

    Args:
        counts: Values of each column in each period, [T, C].
        n_whole: Rows that a period has by the clock, [T].
        is_cut: Which periods do not tell what is usual, [T].
        of_series: The series of each period, [T].
        least: The share of the usual number that is enough; a sum takes all.
    """
    shares = np.where(counts > 0, counts / np.maximum(n_whole, 1)[:, None], np.nan)
    whole = pd.DataFrame(np.where((~is_cut & (n_whole > 0))[:, None], shares, np.nan))
    usual = whole.groupby(of_series).expanding().median().to_numpy()
    return (n_whole > 0)[:, None] & (shares < least * usual)
