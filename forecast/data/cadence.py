"""The clock of timestamps: inferred from the usual step, and every row put onto it or refused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.data.panel import Clock, Floats, Times
from forecast.errors import DataError

_DAY = np.timedelta64(1, "D")
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
# A regular series loses some rows and gains none between; with fewer usual steps than this it has no clock.
_LEAST_USUAL = 0.5
# A weekend row in business-day data is an error or a special session, not a daily clock.
_MOST_WEEKENDS = 0.05
MOST_SNAPPED = 0.10
# Days that a month's last or first trading day lies away from the calendar's.
_CALENDAR_SLACK = 4


@dataclass(frozen=True)
class Placed:
    """Rows on a clock.

    Args:
        rows: The rows that are kept, [T], by series and time.
        times: Their timestamps, [T].
        moved: How many of them lay off the clock.
        dropped: How many rows lost their place to a nearer one.
    """

    rows: NDArray[np.int64]
    times: Times
    moved: int
    dropped: int


def infer_clock(times: Times, series: NDArray[np.int64]) -> Clock | None:
    """The clock of timestamps, or None where most steps differ.

    Args:
        times: Timestamps [T], ascending within each series.
        series: The series of each row, [T], ascending.
    """
    steps = np.diff(times)[np.diff(series) == 0]
    steps = steps[steps > np.timedelta64(0)]
    if not len(steps):
        return None
    lengths, counts = np.unique(steps, return_counts=True)
    usual = lengths[counts.argmax()]
    share = counts.max() / len(steps)
    calendar = _calendar_clock(times, steps)
    if calendar:
        return Clock(calendar)
    # Days that business skips: Friday to Monday is one step of a business-day clock.
    days = times.astype("datetime64[D]")
    weekend = (days.astype(np.int64) + 3) % 7 >= 5
    if usual == _DAY and weekend.mean() < _MOST_WEEKENDS and (steps >= 3 * _DAY).any():
        return Clock("B")
    if share < _LEAST_USUAL:
        return None
    return Clock(_fixed_alias(usual, times))


def _calendar_clock(times: Times, steps: NDArray[np.timedelta64]) -> str | None:
    """``MS``, ``ME``, ``QS-…``, ``YS-…`` or their ends, where the usual step is that long and each period has one row."""
    usual = float(np.median(steps) / _DAY)
    unit = next((u for u, low, high in (("M", 28, 31), ("Q", 89, 93), ("Y", 364, 367)) if low <= usual <= high), None)
    if unit is None:
        return None
    months = times.astype("datetime64[M]")
    day = (times.astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64) + 1
    length = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    ends = (day > length - _CALENDAR_SLACK).mean() > 0.5
    # Exactly 28 or 30 days each time walk through the month: a fixed step.
    alike = np.unique(steps, return_counts=True)[1].max() / len(steps)
    if unit == "M" and alike > 0.9 and not ends and len(np.unique(day)) > 1:
        return None
    suffix = "E" if ends else "S"
    if unit == "M":
        return f"M{suffix}"
    span = 3 if unit == "Q" else 12
    number, count = np.unique(months.astype(np.int64) % span, return_counts=True)
    if count.max() < 0.5 * count.sum():
        return None
    # Quarters are named after their first month of the year as starts, and their last as ends: QS-JAN, QE-DEC.
    month = int(number[count.argmax()]) + (9 if unit == "Q" and ends else 0)
    return f"{unit}{suffix}-{_MONTHS[month]}"


def _fixed_alias(step: np.timedelta64, times: Times) -> str:
    micro = int(step.astype("timedelta64[us]").astype(np.int64))
    if micro == 7 * 86_400_000_000:
        weekdays = (times.astype("datetime64[D]").astype(np.int64) + 3) % 7
        return f"W-{_WEEKDAYS[int(np.bincount(weekdays).argmax())]}"
    for alias, size in (
        ("D", 86_400_000_000),
        ("h", 3_600_000_000),
        ("min", 60_000_000),
        ("s", 1_000_000),
        ("ms", 1000),
    ):
        if micro % size == 0:
            return f"{micro // size}{alias}"
    return f"{micro}us"


def place(times: Times, series: NDArray[np.int64], clock: Clock) -> Placed:
    """Put every row onto the clock: the nearest free position of a fixed step, the own period of a calendar step.

    Args:
        times: Timestamps [R], ascending within each series.
        series: The series of each row, [R], ascending.
        clock: The beat.
    """
    if clock.unit in ("B", "M", "Q", "Y"):
        spots = period_labels(times, clock)
        # Every month on its 15th, or every day at 16:00, is one convention; rows elsewhere in the period are strays.
        into = (times - spots).astype("timedelta64[D]").astype(np.int64)
        off = np.abs(into - np.median(into)) > (0 if clock.unit == "B" else _CALENDAR_SLACK)
    else:
        spots = _nearest(times, series, clock)
        off = spots != times
    distance = np.abs(times - spots).astype(np.int64)
    order = np.lexsort((times, distance, spots, series))
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(series[order]) != 0) | (spots[order][1:] != spots[order][:-1])
    rows = order[first]
    return Placed(rows, spots[rows], int(off[rows].sum()), len(times) - len(rows))


def _nearest(times: Times, series: NDArray[np.int64], clock: Clock) -> Times:
    """The nearest position of a fixed clock whose phase is that of most rows of the series."""
    step = int(clock.step.astype(np.int64))
    micro = times.astype("datetime64[us]").astype(np.int64)
    if clock.unit == "W":
        weekday = _WEEKDAYS.index(clock.freq.rpartition("-")[2])
        phases = np.full(len(times), _weekly_phase(micro, step, weekday))
    else:
        phase = micro % step
        if (phase == phase[0]).all():
            return times
        phases = np.empty_like(micro)
        bounds = np.flatnonzero(np.diff(series, prepend=-1, append=series[-1] + 1))
        for begin, end in zip(bounds[:-1], bounds[1:], strict=True):
            values, counts = np.unique(phase[begin:end], return_counts=True)
            phases[begin:end] = values[counts.argmax()]
    return (np.rint((micro - phases) / step).astype(np.int64) * step + phases).astype("datetime64[us]")


def _weekly_phase(micro: NDArray[np.int64], step: int, weekday: int) -> int:
    """Microseconds from the epoch, modulo the step, to the anchor's weekday at the usual time of day."""
    day = 86_400_000_000
    of_day, count = np.unique(micro % day, return_counts=True)
    on_anchor = micro[(micro // day + 3) % 7 == weekday]
    weeks, number = np.unique((on_anchor // day) * day % step, return_counts=True)
    start = int(weeks[number.argmax()]) if len(weeks) else ((weekday - 3) % 7) * day
    return (start + int(of_day[count.argmax()])) % step


def period_labels(times: Times, clock: Clock) -> Times:
    """The position whose period holds each timestamp: the start of ``MS``, the end of ``ME``, the day of ``B``.

    Args:
        times: Timestamps [R].
        clock: Any clock; a fixed step is counted from midnight of 1970-01-01.
    """
    days = times.astype("datetime64[D]")
    if clock.unit == "B":
        return np.busday_offset(days, 0, roll="preceding").astype("datetime64[us]")
    if clock.unit == "W":
        weekday = _WEEKDAYS.index(clock.freq.rpartition("-")[2])
        number = days.astype(np.int64)
        ahead = (weekday - (number + 3)) % 7
        return (days + ahead).astype("datetime64[us]")
    if clock.unit in ("M", "Q", "Y"):
        span = {"M": 1, "Q": 3, "Y": 12}[clock.unit] * clock.multiple
        anchor = clock.freq.rpartition("-")[2]
        first = _MONTHS.index(anchor) if anchor in _MONTHS else 0
        months = times.astype("datetime64[M]").astype(np.int64)
        if "E" in clock.freq.partition("-")[0]:
            last = months + (first - months) % span if clock.unit != "M" else months
            return ((last + 1).astype("datetime64[M]").astype("datetime64[D]") - 1).astype("datetime64[us]")
        return (months - (months - first) % span).astype("datetime64[M]").astype("datetime64[us]")
    step = int(clock.step.astype(np.int64))
    micro = times.astype("datetime64[us]").astype(np.int64)
    return (micro - micro % step).astype("datetime64[us]")


def resample(
    times: Times, series: NDArray[np.int64], values: Floats, clock: Clock
) -> tuple[Times, NDArray[np.int64], Floats]:
    """The mean of each column over every period of the clock that holds a row.

    Args:
        times: Timestamps [R].
        series: The series of each row, [R], ascending.
        values: Float64 [R, C]; NaN is left out of a mean.
        clock: The beat of the result.

    Returns:
        Timestamps [T], series [T] and values [T, C], by series and time.
    """
    frame = pd.DataFrame(values).groupby([series, period_labels(times, clock)], sort=True).mean()
    stamps = frame.index.get_level_values(1).to_numpy().astype("datetime64[us]")
    return stamps, frame.index.get_level_values(0).to_numpy().astype(np.int64), np.ascontiguousarray(frame.to_numpy())


def irregular(times: Times, series: NDArray[np.int64], label: str, command: str) -> DataError:
    """The error for timestamps without a clock, with a histogram of their steps."""
    steps = np.diff(times)[np.diff(series) == 0]
    lengths, counts = np.unique(steps, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:6]
    widest = max(counts[order], default=1)
    lines = [
        f"  {step_in_words(lengths[i]):>14} {'#' * max(1, round(24 * counts[i] / widest)):<24} {counts[i]:,}"
        for i in order
    ]
    rest = len(steps) - int(counts[order].sum())
    lines += [f"  {'other steps':>14} {'':<24} {rest:,}"] if rest else []
    return DataError(f"{label} has no regular clock. Steps between rows:\n" + "\n".join(lines), command)


def step_in_words(step: np.timedelta64) -> str:
    """A length of time in its largest fitting units: ``1 h 40 min``."""
    micro = int(step.astype("timedelta64[us]").astype(np.int64))
    words = []
    for unit, size in (("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000)):
        if micro >= size:
            words.append(f"{micro // size:,} {unit}")
            micro %= size
    return " ".join(words[:2]) or f"{micro} µs"
