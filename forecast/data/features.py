"""Calendar features: inputs that are known ahead, because they follow from the clock."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecast.clocks.days import DAY, WEEK, week_offsets
from forecast.data.clock import Clock, Times
from forecast.data.panel import Floats

_YEAR = 365.2425 * DAY


def calendar_features(times: Times, clock: Clock) -> Floats:
    """Sine and cosine of each calendar cycle that is longer than a step, and which days are public holidays.

    A clock of hours or less has the day, the week and the year, all by local time; a clock of days the week and the
    year; a longer one the year; one of steps without times none.

    Args:
        times: Timestamps [...].
        clock: The step between rows.

    Returns:
        [..., K] within -1 … 1; K is 0 on a yearly clock.
    """
    phases = _phases(times, clock)
    waves = [wave(2 * np.pi * phase) for phase in phases for wave in (np.sin, np.cos)]
    cycles = np.stack(waves, axis=-1) if waves else np.zeros((*times.shape, 0))
    if clock.public_holidays is None:
        return cycles
    return np.concatenate([cycles, clock.public_holidays.features(clock.wall(times).astype("datetime64[D]"))], axis=-1)


def calendar_names(clock: Clock) -> tuple[str, ...]:
    """Names of the K features, in the order of `calendar_features`."""
    cycles = tuple(f"{wave} of {cycle}" for cycle in _cycles(clock) for wave in ("sine", "cosine"))
    return cycles if clock.public_holidays is None else cycles + clock.public_holidays.feature_names


class Calendar:
    """The calendar features of T rows in float32, computed on demand.

    Args:
        times: Timestamps [T].
        clock: The step between rows; None for no features.
    """

    def __init__(self, times: Times, clock: Clock | None) -> None:
        self._times, self._clock = times, clock

    @property
    def width(self) -> int:
        """K, the number of features."""
        return len(calendar_names(self._clock)) if self._clock else 0

    def at(self, rows: NDArray[np.signedinteger]) -> NDArray[np.float32]:
        """The features at these rows [...], [..., K]."""
        first, end = int(rows.min(initial=len(self._times))), int(rows.max(initial=-1)) + 1
        if end - first < rows.size:  # windows that overlap
            return self._features(self._times[first:end])[rows - first]
        return self._features(self._times[rows])

    def _features(self, times: Times) -> NDArray[np.float32]:
        if self._clock is None:
            return np.zeros((*times.shape, 0), np.float32)
        return calendar_features(times, self._clock).astype(np.float32)


def _cycles(clock: Clock) -> tuple[str, ...]:
    if clock.unit in ("s", "min", "h"):
        return ("day", "week", "year")
    if clock.unit in ("D", "B", "session"):
        return ("week", "year")
    return ("year",) if clock.unit in ("W", "M", "Q") else ()


def _phases(times: Times, clock: Clock) -> list[NDArray[np.float64]]:
    times = clock.wall(times)
    micros = times.astype("datetime64[us]").astype(np.int64)
    by_cycle = {
        "day": (micros % DAY) / DAY,
        "week": week_offsets(times) / WEEK,
        "year": (times - times.astype("datetime64[Y]")).astype(np.int64) / _YEAR,
    }
    return [by_cycle[cycle] for cycle in _cycles(clock)]
