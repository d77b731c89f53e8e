"""The clock of timestamps: inferred from the usual step, and every row put onto it or refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from forecast.clocks.days import DAY, MONTHS, WEEKDAYS, weekdays
from forecast.clocks.exchanges import is_exchange, sessions_of
from forecast.clocks.month_days import MonthDays
from forecast.clocks.offsets import MONTHS_IN, Times
from forecast.clocks.row_numbers import STEP
from forecast.data.clock import Clock
from forecast.errors import DataError, setting
from forecast.sources.infer_week import open_week, step_of_pattern
from forecast.tables.zone_rules import CANDIDATES, are_midnights, wall_times

_COUNTABLE = ("us", "ms", "s", "min", "h", "D", "B", "W", "MS", "ME", "QS", "QE", "YS", "YE")
_MICROSECONDS = {"D": 86_400_000_000, "h": 3_600_000_000, "min": 60_000_000, "s": 1_000_000, "ms": 1_000, "us": 1}
_USUAL_STEPS = tuple(
    count * _MICROSECONDS[unit]
    for unit, counts in (
        ("ms", (10, 20, 50, 100, 200, 500)),
        ("s", (1, 2, 5, 10, 15, 20, 30)),
        ("min", (1, 2, 3, 5, 6, 10, 12, 15, 20, 30)),
        ("h", (1, 2, 3, 4, 6, 8, 12)),
        ("D", (1, 2, 7)),
    )
    for count in counts
)
_DAY = np.timedelta64(1, "D")
_WEEK = np.timedelta64(7, "D")
_CENTURY = np.timedelta64(36_525, "D")

# A regular series loses some rows and gains none between; with fewer usual steps than this it has no clock.
_LEAST_USUAL = 0.5
# A weekend row in business-day data is an error or a special session, not a daily clock.
_MOST_WEEKENDS = 0.05
# With more rows than this off the clock, it is not their clock.
MOST_SNAPPED = 0.10
# Hours that shift by a season leave no slot open all year.
_LEAST_OPEN = 0.8
# Periods that are shorter wobble for another reason than the calendar; of others each lies between these shares of the
# mean, so that none is absent.
_LEAST_UNEVEN = np.timedelta64(9, "D")
_LEAST_PERIOD, _LONGEST_PERIOD = 0.6, 1.45
# A cycle of their lengths is one that has come so many times, this share of it alike.
_CYCLES, _LEAST_ALIKE = 3, 0.9
# Days of a month are at most so many, each in this share of the months.
_MOST_DAYS, _LEAST_ON_DAYS, _LEAST_MONTHS = 6, 0.8, 4
# Rows whose days are looked at together, so that they take little memory.
_ROWS_AT_ONCE = 1 << 18
# Days that a month's first or last trading day lies away from the calendar's.
_CALENDAR_SLACK = 4


@dataclass(frozen=True)
class Snapped:
    """Rows on a clock.

    Args:
        rows: The rows that are kept, [T], by series and time.
        times: Their timestamps, [T].
        moved: How many of them lay off the clock.
        dropped: How many rows gave way to one that is nearer to their position.
    """

    rows: NDArray[np.int64]
    times: Times
    moved: int
    dropped: int


def usual_step(times: Times, series: NDArray[np.int64]) -> float:
    """The median step between rows of a series, in microseconds; 0 if there is none."""
    lengths, counts = _lengths(_steps(times, series))
    return _median(lengths, counts) if len(lengths) else 0.0


def usual_length(times: Times, series: NDArray[np.int64]) -> int:
    """The step between rows of a series that comes most often, in microseconds.

    Raises:
        DataError: If there is none.
    """
    lengths, counts = _lengths(_steps(times, series))
    if not len(lengths):
        raise DataError("There are too few rows to see the step between them.", f"Name it: {setting('freq', 'D')}")
    return int(lengths[counts.argmax()].astype("timedelta64[us]").astype(np.int64))


def _lengths(steps: NDArray[np.timedelta64]) -> tuple[NDArray[np.timedelta64], NDArray[np.int64]]:
    """The different lengths of steps, ascending, and how many have each; nothing is sorted where all are alike."""
    if len(steps) and (steps == steps[0]).all():
        return steps[:1], np.array([len(steps)])
    return np.unique(steps, return_counts=True)


def _median(lengths: NDArray[np.timedelta64], counts: NDArray[np.int64]) -> float:
    """The median of steps of different lengths, in microseconds."""
    middle = (counts.sum() - np.array([1, 0])) // 2  # one step, or the two about the middle
    both = lengths[np.searchsorted(np.cumsum(counts), middle, side="right")]
    return float(both.astype("timedelta64[us]").astype(np.int64).mean())


def _steps(times: Times, series: NDArray[np.int64]) -> NDArray[np.timedelta64]:
    """The steps from row to row within series; a new array."""
    steps, within = np.diff(times), series[1:] == series[:-1]
    if not within.all():  # moved within the array, of which there is but one in memory
        steps[: np.count_nonzero(within)] = steps[within]
    return steps[: np.count_nonzero(within)]


def candidate_clocks(times: Times, series: NDArray[np.int64], tz: str | None = None) -> Iterator[tuple[Clock, float]]:
    """The clocks that timestamps could lie on, the likeliest first, with the share of rows that may be off it.

    Args:
        times: Timestamps [T], ascending within each series.
        series: The series of each row, [T], ascending.
        tz: The zone of the times, which tells what is open when.
    """
    steps = _steps(times, series)
    if not len(steps):
        return
    lengths, counts = _lengths(steps)
    usual, median = lengths[counts.argmax()], _median(lengths, counts)
    if usual > _CENTURY:
        return
    calendar = _calendar_alias(times, median / _MICROSECONDS["D"], alike=counts.max() / len(steps))
    if are_midnights(times) and (days := _days_of_month(times)):
        yield Clock(f"{calendar if len(days) == 1 and calendar else 'MS'} {','.join(map(str, days))}"), MOST_SNAPPED
    if calendar:
        yield Clock(calendar), MOST_SNAPPED
    # Friday to Monday is one step of a business-day clock.
    if usual == _DAY and (weekdays(times) >= 5).mean() < _MOST_WEEKENDS and lengths[-1] >= 3 * _DAY:
        yield Clock("B"), MOST_SNAPPED
    if usual == _WEEK and counts.max() >= _LEAST_USUAL * len(steps):
        yield Clock(_anchored("W", times)), MOST_SNAPPED
    elif counts.max() >= _LEAST_USUAL * len(steps):
        clock = Clock(spelled(int(usual.astype("timedelta64[us]").astype(np.int64))))
        has_gaps = counts.max() < len(steps)
        if has_gaps and (week := open_week(replace(clock, tz=tz).wall(times), series, clock.kind.length)):
            yield Clock(f"{clock.freq} {week[0]}"), MOST_SNAPPED
        yield clock, MOST_SNAPPED
    if are_midnights(times):
        # Open on some days of the week only, so that no step is the usual one.
        if median < 7 * _MICROSECONDS["D"] and (week := open_week(times, series, DAY)):
            yield Clock(f"D {week[0]}"), MOST_SNAPPED
        if periods := _uneven_periods(times, steps):
            yield periods, 0.0
    else:
        if pattern := pattern_of(Clock("s", tz).wall(times), series):
            yield pattern, MOST_SNAPPED
        yield Clock(spelled(round_step(median))), 1.0  # it wobbles, so every row may be off


def pattern_of(wall: Times, series: NDArray[np.int64], is_asked_for: bool = False) -> Clock | None:
    """The clock of the slots of a week in which rows stand, however far apart; None if they follow no such pattern.

    Args:
        wall: Wall times [T], ascending within each series.
        series: The series of each row, [T].
        is_asked_for: Whether the user says that there is a pattern, so that two weeks prove it.
    """
    week = open_week(wall, series, step_of_pattern(wall), is_asked_for)
    return None if week is None else Clock(f"{spelled(week[0].step)} {week[0]}")


def spelled(microseconds: int) -> str:
    """A step as a pandas offset alias: ``15min``."""
    unit = next(name for name, size in _MICROSECONDS.items() if microseconds % size == 0)
    count = microseconds // _MICROSECONDS[unit]
    return unit if count == 1 else f"{count}{unit}"


def round_step(microseconds: float) -> int:
    """The step of a usual length nearest to one that wobbles, in microseconds."""
    return min(_USUAL_STEPS, key=lambda step: abs(np.log(step / max(microseconds, 1.0))))


def usual_alias(microseconds: float) -> str:
    """The alias of a usual step that is nearest to one that wobbles: ``15min``, ``D``, ``MS``."""
    days = microseconds / _MICROSECONDS["D"]
    longer = next((alias for alias, least in (("YS", 250), ("QS", 60), ("MS", 20)) if days >= least), None)
    return longer or spelled(round_step(microseconds))


def _days_of_month(times: Times) -> list[int]:
    """The few days of a month on which rows stand, 31 for its last one; none where that is the first or the last alone.

    One day stands for its month, quarter or year; several stand in each month.
    """
    counts, months = np.zeros(32, np.int64), set[int]()
    for some in np.array_split(times, -(-len(times) // _ROWS_AT_ONCE)):
        days, month = some.astype("datetime64[D]"), some.astype("datetime64[M]")
        number = (days - month.astype("datetime64[D]")).astype(np.int64) + 1
        number[days + _DAY == (month + 1).astype("datetime64[D]")] = 31
        counts += np.bincount(number, minlength=32)
        months.update(np.unique(month.astype(np.int64)).tolist())
    found = np.flatnonzero(counts >= _LEAST_ON_DAYS * counts.max())
    if len(found) > _MOST_DAYS or counts[found].sum() < _LEAST_ON_DAYS * len(times) or found.tolist() in ([1], [31]):
        return []
    if len(months) < _LEAST_MONTHS:
        return []
    return found.tolist() if len(found) == 1 or counts[found].min() >= _LEAST_ON_DAYS * len(months) else []


def _uneven_periods(times: Times, steps: NDArray[np.timedelta64]) -> Clock | None:
    """A clock of periods of four or five weeks, of bills each 28 to 33 days …; None where one is absent."""
    unit, length = ("W", _WEEK) if (steps % _WEEK == np.timedelta64(0, "D")).all() else ("D", _DAY)
    lengths = steps / length
    mean = float(lengths.mean())
    alike = lengths.min() > _LEAST_PERIOD * mean and lengths.max() < _LONGEST_PERIOD * mean
    if not alike or steps.mean() < _LEAST_UNEVEN:
        return None
    newest = lengths[-_CYCLES * 13 :]
    for n in range(2, 14):  # the shortest cycle in which the newest lengths come again, such as 4, 4, 5
        if len(newest) >= _CYCLES * n and (newest[n:] == newest[:-n]).mean() > _LEAST_ALIKE:
            return Clock(f"~{','.join(f'{length:.0f}' for length in newest[-n:])}{unit}@{str(times[-1])[:10]}")
    return Clock(f"~{mean:.4f}{unit}")


def zone_of_sessions(times: Times, series: NDArray[np.int64]) -> str | None:
    """The zone in which rows stand at the same hours all year, where in UTC they shift; None if there is none.

    Args:
        times: Timestamps in UTC [T], ascending within each series.
        series: The series of each row, [T].
    """
    lengths, counts = _lengths(_steps(times, series))
    if not len(lengths) or counts.max() == counts.sum() or counts.max() < _LEAST_USUAL * counts.sum():
        return None
    clock = Clock(spelled(int(lengths[counts.argmax()].astype("timedelta64[us]").astype(np.int64))))
    if (in_utc := open_week(times, series, clock.kind.length)) is None or in_utc[1] >= _LEAST_OPEN:
        return None
    weeks = {tz: open_week(wall_times(times, tz), series, clock.kind.length) for tz in CANDIDATES}
    shares = {tz: week[1] for tz, week in weeks.items() if week is not None and week[1] >= _LEAST_OPEN}
    return max(shares, key=lambda tz: shares[tz], default=None)


def _calendar_alias(times: Times, usual: float, alike: float) -> str | None:
    """``MS``, ``ME``, ``QS-JAN``, ``YE-DEC`` and the like, where the usual step is one to twelve months.

    Args:
        times: Timestamps [T].
        usual: The median step between them, in days.
        alike: The share of the steps that have the length which comes most often.
    """
    lengths = (("M", 28, 31), ("Q", 89, 93), ("2Q", 180, 185), ("Y", 364, 367))
    unit = next((unit for unit, low, high in lengths if low <= usual <= high), None)
    if unit is None:
        return None
    month = times.astype("datetime64[M]")
    days = times.astype("datetime64[D]")
    ahead = (month + 1).astype("datetime64[D]") - days
    ends = bool((ahead <= np.timedelta64(_CALENDAR_SLACK, "D")).mean() > 0.5)
    # Steps of exactly 28 or 30 days come to a new day of the month each time: a fixed step, no calendar month.
    if unit == "M" and alike > 0.9 and not ends and len(np.unique(days - month.astype("datetime64[D]"))) > 1:
        return None
    alias = unit + ("E" if ends else "S")
    if unit == "M":
        return alias
    if unit == "2Q":
        counts = np.bincount(month.astype(np.int64) % 6, minlength=6)
        return f"{alias}-{MONTHS[int(counts.argmax())]}" if counts.max() >= _LEAST_USUAL * len(times) else None
    share = np.bincount(month.astype(np.int64) % MONTHS_IN[alias[0]]).max() / len(times)
    return _anchored(alias, times) if share >= _LEAST_USUAL else None


def _anchored(alias: str, times: Times) -> str:
    """A weekly, quarterly or yearly alias with the weekday or month on which most timestamps lie."""
    if alias == "W":
        return f"W-{WEEKDAYS[int(np.bincount(weekdays(times)).argmax())]}"
    month = int(np.bincount(times.astype("datetime64[M]").astype(np.int64) % MONTHS_IN[alias[0]]).argmax())
    # Quarters are named after their first month of the year as starts and their last as ends: QS-JAN, QE-DEC.
    return f"{alias}-{MONTHS[month + (9 if alias == 'QE' else 0)]}"


def named_clock(freq: str, times: Times | None = None) -> Clock:
    """The clock that the user named; ``W``, ``QS`` and the like take their anchor from the timestamps.

    Args:
        freq: A pandas offset alias, or an exchange.
        times: Timestamps that will lie on it, if any.

    Raises:
        DataError: If it is no alias, or one whose steps cannot be numbered (business hours, second Tuesdays …).
        MachineError: If it is an exchange, whose sessions are looked up in a library that is not installed.
    """
    if is_exchange(freq) and times is not None and len(times):
        return Clock(freq, session_days=sessions_of(freq, times.min(), times.max()))
    clock = Clock(freq)
    alias = _alias(clock)
    if clock.freq == STEP or clock.is_uneven or clock.unit == "session":
        return clock
    if alias not in _COUNTABLE or (alias == "B" and clock.multiple > 1):
        raise DataError(
            f"A clock of {clock.freq!r} is not supported.",
            "Use a multiple of s, min, h, D, W, MS, ME, QS, QE, YS or YE; B for business days; D MON-SAT for a week.",
        )
    if times is not None and "-" not in freq and clock.multiple == 1 and alias in ("W", "QS", "QE", "YS", "YE"):
        return Clock(_anchored(alias, times))
    return clock


def snap(times: Times, series: NDArray[np.int64], clock: Clock) -> Snapped:
    """Put every row onto the clock: at the nearest position of a fixed step, or in its period of a calendar step.

    Args:
        times: Timestamps [R], ascending within each series.
        series: The series of each row, [R], ascending.
        clock: The clock to put them onto.

    Returns:
        The rows with their positions; of several rows at one position the nearest.
    """
    if clock.is_uneven or clock.freq == STEP:
        positions, off = times, np.zeros(len(times), bool)
    elif isinstance(clock.slots, MonthDays):
        positions = _nearest_days(times, clock.slots)
        off = positions.astype("datetime64[D]") != times.astype("datetime64[D]")
    elif clock.unit in ("B", "session", "M", "Q", "Y"):
        positions = period_labels(times, clock)
        # Every month on its 15th, or every day at 16:00, is one convention; rows elsewhere in the period are strays.
        into = (times - positions).astype("timedelta64[D]").astype(np.int64)
        off = np.abs(into - np.median(into)) > (0 if clock.unit in ("B", "session") else _CALENDAR_SLACK)
    else:
        positions = _nearest(times, series, clock)
        off = positions != times
    is_open = clock.is_open(positions)
    if is_open.all() and ((positions[1:] > positions[:-1]) | (series[1:] > series[:-1])).all():
        return Snapped(np.arange(len(times)), positions, int(off.sum()), 0)
    distance = np.abs(times - positions).astype(np.int64)
    order = np.lexsort((times, distance, positions, series))
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(series[order]) != 0) | (positions[order][1:] != positions[order][:-1])
    first &= is_open[order]
    rows = order[first]
    return Snapped(rows, positions[rows], int(off[rows].sum()), len(times) - len(rows))


def _nearest(times: Times, series: NDArray[np.int64], clock: Clock) -> Times:
    """The nearest position of a fixed clock whose phase is that of most rows of the series."""
    step = int(clock.step.astype(np.int64))
    micro = times.astype("datetime64[us]").astype(np.int64)
    phase = micro % step
    if clock.unit == "W":
        on_anchor = weekdays(times) == _anchor_weekday(clock)
        phase[~on_anchor] = -1
    elif (phase == phase[0]).all():
        return times
    anchor_day = (_anchor_weekday(clock) - 3) % 7 * _MICROSECONDS["D"] if clock.unit == "W" else 0
    phases = np.empty_like(micro)
    starts = np.flatnonzero(np.diff(series, prepend=-1, append=int(series[-1]) + 1))
    for begin, end in pairwise(starts.tolist()):
        values, counts = np.unique(phase[begin:end], return_counts=True)
        if values[0] == -1:
            values, counts = values[1:], counts[1:]
        phases[begin:end] = values[counts.argmax()] if len(values) else anchor_day
        if clock.unit != "W" and counts.max() < _LEAST_USUAL * (end - begin):
            phases[begin:end] = _mean_phase(phase[begin:end], step)
    # Whole numbers throughout: rounding in floating point loses microseconds.
    return ((micro - phases + step // 2) // step * step + phases).astype("datetime64[us]")


def _nearest_days(times: Times, days: MonthDays) -> Times:
    """The nearest of the days of a month to each time, [R]."""
    number = days.ordinals(times)
    before, after = days.times(number), days.times(number + 1)
    return np.where(times - before <= after - times, before, after)


def _mean_phase(phases: NDArray[np.int64], step: int) -> int:
    """The mean of phases that wobble about it: 0 where it is near, else to a sixtieth of the step."""
    turns = np.exp(2j * np.pi * phases / step).mean()
    mean = float(np.angle(turns) / (2 * np.pi))
    return 0 if abs(mean) < 0.25 else round(mean % 1 * 60) * (step // 60) % step


def _alias(clock: Clock) -> str:
    """The alias without multiple and anchor, which tells starts from ends: ``QS`` of ``2QS-JAN``."""
    return clock.freq.partition(" ")[0].partition("-")[0].lstrip("0123456789")


def _anchor_weekday(clock: Clock) -> int:
    return WEEKDAYS.index(clock.freq.rpartition("-")[2])


def period_labels(times: Times, clock: Clock) -> Times:
    """The position whose period holds each timestamp [R]: the start of ``MS``, the end of ``ME``, the day of ``B``.

    A fixed step is counted from midnight of 1970-01-01; a week ends on its anchor.
    """
    if isinstance(clock.slots, MonthDays):
        return clock.slots.times(clock.slots.ordinals(times))
    days = times.astype("datetime64[D]")
    if clock.unit == "session":
        return days.astype("datetime64[us]")
    labels: NDArray[np.datetime64]
    alias = _alias(clock)
    if alias == "B":
        labels = np.busday_offset(days, 0, roll="preceding")
    elif alias == "W":
        ahead = (_anchor_weekday(clock) - weekdays(times)) % 7
        labels = (days.astype(np.int64) + ahead).astype("datetime64[D]")
    elif clock.unit in ("M", "Q", "Y"):
        span = MONTHS_IN[alias[0]] * clock.multiple
        anchor = clock.freq.rpartition("-")[2]
        first = MONTHS.index(anchor) if anchor in MONTHS else 0
        month = times.astype("datetime64[M]").astype(np.int64)
        if alias.endswith("E"):
            last = month + (first - month) % span
            following = (last + 1).astype("datetime64[M]").astype("datetime64[D]")
            labels = (following.astype(np.int64) - 1).astype("datetime64[D]")
        else:
            labels = (month - (month - first) % span).astype("datetime64[M]")
    else:
        step = int(clock.step.astype(np.int64))
        micro = times.astype("datetime64[us]").astype(np.int64)
        labels = (micro // step * step).astype("datetime64[us]")
    return labels.astype("datetime64[us]")


def irregular(times: Times, series: NDArray[np.int64], label: str, hint: str) -> DataError:
    """The error for timestamps without a clock, with a histogram of their steps."""
    lengths, counts = np.unique(np.diff(times)[np.diff(series) == 0], return_counts=True)
    common = np.argsort(-counts, kind="stable")[:6]
    widest = int(counts.max(initial=1))
    lines = [
        f"  {_in_words(lengths[i]):>14} {'#' * max(1, 24 * int(counts[i]) // widest):<24} {counts[i]:,}" for i in common
    ]
    if rest := int(counts.sum() - counts[common].sum()):
        lines.append(f"  {'other steps':>14} {'':<24} {rest:,}")
    return DataError(f"{label} has no regular clock. Steps between rows:\n" + "\n".join(lines), hint)


def _in_words(step: np.timedelta64) -> str:
    """A length of time in its two largest units: ``1 h 40 min``."""
    left = int(step.astype("timedelta64[us]").astype(np.int64))
    words = []
    for unit, size in (("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000)):
        if left >= size:
            words.append(f"{left // size:,} {unit}")
            left %= size
    return " ".join(words[:2]) or f"{left} µs"
