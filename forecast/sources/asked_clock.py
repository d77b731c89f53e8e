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
    if options.resample is None and options.freq == PATTERN:
        if (learned := clocks.pattern_of(wall, series, is_asked_for=True)) is None:
            raise DataError(
                "The rows follow no weekly pattern: no slot of a week is always empty, or there are not two weeks.",
                f"Leave {setting('freq')} out, or name the hours: {setting('sessions', '09:00-17:00')}",
            )
        return learned
    if options.weekdays or options.sessions:
        freq = options.freq if " " in (options.freq or "") else asked
        clock = clocks.named_clock(freq or clocks.spelled(clocks.usual_length(times, series)))
        step, alias = clock.kind.length, clock.freq.partition(" ")[0]
        if clock.week is not None:  # what a run learned before
            wall = clock.week.times(np.arange(len(clock.week.slots)))
        elif DAY % step or clock.unit not in ("s", "min", "h", "D") or (step == DAY and options.sessions):
            raise DataError(
                f"A step of {clock.describe()} has no weekdays and sessions: days have weekdays, hours have both.",
                f"Leave {setting('weekdays')} and {setting('sessions')} out.",
            )
        return Clock(f"{alias} {stated_week(wall, step, options.weekdays, options.sessions)}")
    if asked and options.session_days is not None and options.session_days.exchange == asked:
        return Clock(asked, session_days=options.session_days)
    return clocks.named_clock(asked, None if options.resample else times) if asked else None
