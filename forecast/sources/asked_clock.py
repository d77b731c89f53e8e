"""The clock that the user names, or names a part of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from forecast.clocks.days import DAY
from forecast.config import ReadOptions
from forecast.data.clock import Clock, Times
from forecast.errors import DataError, setting
from forecast.sources import infer_clock as clocks
from forecast.sources.infer_week import PATTERN, stated_week

Ints = NDArray[np.int64]


def asked_clock(times: Times, series: Ints, options: ReadOptions, tz: str | None) -> Clock | None:
    """The clock that the user names, or names a part of; None if the steps of the rows are to show it.

    Args:
        times: Of the rows [R], in UTC if there is a zone.
        series: The series of each row, [R].
        options: What is asked for.
        tz: The zone of the times, by whose hours a pattern repeats.

    Raises:
        DataError: If there is no such clock, or the rows do not follow it.
    """
    asked, wall = options.resample or options.freq, Clock("s", tz).wall(times)
    if asked is not None and options.session_days is not None and options.session_days.exchange == asked:
        clock = Clock(asked, session_days=options.session_days)
    elif asked == PATTERN:
        clock = _pattern(wall, series)
    elif options.weekdays or options.sessions:
        freq = options.freq if " " in (options.freq or "") else asked  # the slots that a run learned before
        clock = clocks.named_clock(freq or clocks.spelled(clocks.usual_length(times, series)))
    elif asked is not None:
        clock = clocks.named_clock(asked, None if options.resample else times)
    else:
        return None
    return _within(clock, wall, options) if options.weekdays or options.sessions else clock


def _pattern(wall: Times, series: Ints) -> Clock:
    """The clock of the slots of a week in which rows stand; refused if they follow no pattern."""
    learned = clocks.pattern_of(wall, series, is_asked_for=True)
    if learned is None:
        raise DataError(
            "The rows follow no weekly pattern: no slot of a week is always empty, or there are not two weeks.",
            f"Leave {setting('freq')} out, or name the hours: {setting('sessions', '09:00-17:00')}",
        )
    return learned


def _within(clock: Clock, wall: Times, options: ReadOptions) -> Clock:
    """The slots of a clock that lie within the weekdays and sessions that are asked for, and hold rows."""
    step = clock.kind.length
    if clock.week is not None:
        wall = clock.week.times(np.arange(len(clock.week.slots)))
    elif DAY % step or clock.unit not in ("s", "min", "h", "D") or (step == DAY and options.sessions):
        raise DataError(
            f"A step of {clock.describe()} has no weekdays and sessions: days have weekdays, hours have both.",
            f"Leave {setting('weekdays')} and {setting('sessions')} out.",
        )
    return Clock(f"{clock.freq.partition(' ')[0]} {stated_week(wall, step, options.weekdays, options.sessions)}")
