"""The weekly pattern of slots that rows follow: learned from them, or said by the user and fitted to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecast.clocks.days import DAY, WEEK, week_offsets
from forecast.clocks.offsets import Times
from forecast.clocks.week import Week
from forecast.errors import DataError, setting

Ints = NDArray[np.int64]

# How `--freq` asks for the pattern.
PATTERN = "pattern"

# Of a week, a slot in which at most this share of the weeks has a row is closed; rows in such slots are at most this
# share of all; so many weeks at least prove it; and this is how likely chance may be to leave one of its slots empty.
_SELDOM_OPEN, _MOST_ODD_ROWS, _LEAST_WEEKS, _CHANCE = 0.05, 0.01, 4, 0.01
_MOST_SLOTS = 7 * 24 * 60


def open_week(wall: Times, series: Ints, step: int, is_asked_for: bool = False) -> tuple[Week, float] | None:
    """The open slots of a week, and in which share of the weeks the one that is seldomest open is; None without any.

    A slot is closed if no row stands in it, and chance would not leave any slot that empty.

    Args:
        wall: Wall times [T], ascending within each series.
        series: The series of each row, [T].
        step: Microseconds from slot to slot.
        is_asked_for: Whether the user says that there is a pattern, so that two weeks prove it.
    """
    if DAY % step:
        return None
    offsets = week_offsets(wall)
    phase = _usual_phase(offsets, step)
    slots, n_slots = (offsets - phase) // step, WEEK // step
    if n_slots > _MOST_SLOTS:
        return None
    weeks = wall.astype("datetime64[us]").astype(np.int64) - offsets
    n_weeks = 1 + int(((weeks[1:] != weeks[:-1]) | (series[1:] != series[:-1])).sum())
    share = np.bincount(np.clip(slots, 0, n_slots - 1), minlength=n_slots) / n_weeks
    is_open = share > _SELDOM_OPEN
    if is_open.all() or not is_open.any() or n_weeks < (2 if is_asked_for else _LEAST_WEEKS):
        return None
    by_chance = n_slots * (1 - share[is_open].mean()) ** n_weeks
    few_odd_rows = share[~is_open].sum() <= _MOST_ODD_ROWS * share.sum()
    if not is_asked_for and (by_chance > _CHANCE or not few_odd_rows):
        return None
    return Week(tuple((np.flatnonzero(is_open) * step + phase).tolist()), step), float(share[is_open].min())


def _usual_phase(offsets: Ints, step: int) -> int:
    """Where between two slots most rows stand, in microseconds."""
    phases, counts = np.unique(offsets % step, return_counts=True)
    return int(phases[counts.argmax()])


def step_of_pattern(wall: Times) -> int:
    """The longest step on which all slots of a week lie that rows [T] are often in, in microseconds."""
    offsets, counts = np.unique(week_offsets(wall), return_counts=True)
    n_weeks = 1 + int((wall.max() - wall.min()).astype("timedelta64[us]").astype(np.int64)) // WEEK
    often = offsets[counts > _SELDOM_OPEN * n_weeks]
    return int(np.gcd.reduce(np.append(np.diff(often), DAY)))


def stated_week(wall: Times, step: int, weekdays: str | None, sessions: str | None) -> Week:
    """The slots of a week that the user names and in which rows [T] stand.

    A session of 09:30-11:00 has the slot of 11:00 only if there are rows of it: some call a step by its beginning.

    Args:
        wall: Wall times [T].
        step: Microseconds from slot to slot.
        weekdays: Such as ``mon-sat``; None for all.
        sessions: Such as ``09:30-11:00,13:00-14:30``; None for all day.

    Raises:
        DataError: If no row stands in any of them.
    """
    offsets = week_offsets(wall)
    named = np.array(Week.parse(f"{weekdays or 'MON-SUN'} {sessions or ''}".strip(), step).slots)
    if not sessions:
        named = named + _usual_phase(offsets, step)
    nearest = named[np.searchsorted(named, offsets - step // 2).clip(max=len(named) - 1)]
    slots, counts = np.unique(nearest[np.abs(offsets - nearest) < step / 2], return_counts=True)
    n_weeks = 1 + int((wall.max() - wall.min()).astype("timedelta64[us]").astype(np.int64)) // WEEK
    kept = slots[counts > _SELDOM_OPEN * n_weeks]
    if not len(kept):
        raise DataError(
            f"No row stands in {' '.join(filter(None, (weekdays, sessions)))}.",
            f"Are these the hours of the zone of the rows? It is named by {setting('tz')}.",
        )
    return Week(tuple(kept.tolist()), step)


def slots_without_row(week: Week, wall: Times, series: Ints) -> tuple[int, int, int, int]:
    """How many slots between the first and the last row of a series have none, and of which slot most are missing.

    Returns:
        The slots without a row; the slot of the week that most of them are, in microseconds since Monday; how many
        weeks lack it, of how many.
    """
    numbers = week.ordinals(wall)
    first = np.flatnonzero(np.diff(series, prepend=-1))
    last = np.append(first[1:], len(series)) - 1
    expected = np.zeros(len(week.slots), np.int64)
    for begin, end in zip(numbers[first].tolist(), numbers[last].tolist(), strict=True):
        expected += (end - begin + 1) // len(expected)
        expected[np.arange(begin, begin + (end - begin + 1) % len(expected)) % len(expected)] += 1
    missing = expected - np.bincount(numbers % len(expected), minlength=len(expected))
    worst = int(missing.argmax())
    return int(missing.sum()), week.slots[worst], int(missing[worst]), int(expected[worst])
