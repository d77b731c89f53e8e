"""Rows that need no inference, read as arrays: their times in ISO 8601, one step of the run's clock after another.

How any table is read and mended takes longer than a small network's forecast. Whatever could be read otherwise than it
stands, or be mended, is left to that; the rest makes the same panel, with the same warnings, and a test compares them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from forecast.config import ReadOptions
from forecast.data.clock import STEP, Times
from forecast.data.codes import may_hold_codes
from forecast.data.panel import Panel
from forecast.runs.run import Run
from forecast.sources.quality import panel_warnings
from forecast.tables.columns import names_a_counter
from forecast.tables.input import series_keys
from forecast.tables.timeforms import TIMELIKE
from forecast.tables.timeparts import names_a_clock, names_a_part, names_an_end
from forecast.tables.zone_rules import from_wall

# Settings of reading that change nothing about plain rows.
_HARMLESS = {
    *("series_id", "time_column", "columns", "named", "codes"),
    *("encoding", "delimiter", "decimal", "thousands", "skip_rows", "skip_footer"),
}

# Settings that only repeat what the clock of the run says.
_OF_CLOCK = {"freq", "session_days", "tz"}

# Days, or times to the second or minute, of a year that is no mistake; an offset from UTC may follow.
_DAYS = re.compile(r"(?:(?:19|20)\d\d-\d\d-\d\d\n)+")
_TIMES = re.compile(r"(?:(?:19|20)\d\d-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?\n)+")
_OFFSETS = re.compile(r"(?:Z|[+-][01]\d:[0-5]\d)")

# A step of a later number would have a date.
_LAST_STEP = 1 << 37

# Rows of a series from which its step is plain to see.
_FEWEST = 8

# Numbers from which on a column could count seconds, and repeat the time.
_EPOCH = 1e8


class PlainRows:
    """What a run says of its rows, so that they need not tell it again.

    Args:
        run: A run.
        time: The field that holds the time.
        series: The field that tells the series apart.
        columns: The fields of numbers.
    """

    def __init__(self, run: Run, time: str, series: str, columns: Sequence[str]) -> None:
        self._clock, self._time, self._columns = run.clock, time, tuple(columns)
        self._steps_until = lru_cache(self._clock.past)  # many clients ask at the same time of the month
        self._options: ReadOptions = run.read_options
        self._series = series if len(run.data["series_ids"]) > 1 else None
        known_otherwise = (TIMELIKE.search, names_a_counter, names_a_clock, names_a_part, names_an_end)
        changed = self._options.model_dump(exclude_defaults=True).keys() - _HARMLESS - _OF_CLOCK
        clock = self._clock
        shown_by_rows = clock.unit in ("s", "min", "h", "D", "W", "M", "Q", "Y") and clock.slots is None
        self._apply = (
            not changed
            and not any(test(name) for test in known_otherwise for name in columns)
            and (self._series is None or len(series_keys(series)) == 1)
            and (self._options.freq == clock.freq or (self._options.freq is None and shown_by_rows))
            and (self._options.tz == clock.tz and (clock.tz is None or clock.is_zoned))
            and not clock.is_uneven
        )

    def panel(self, rows: Sequence[Mapping[str, Any]]) -> Panel | None:
        """The panel of some rows; None if they are to be read as any table is.

        Args:
            rows: By field: the time and the series as text, numbers or None.
        """
        fields = (self._time, *([self._series] if self._series else []), *self._columns)
        if not self._apply or any(row.keys() != set(fields) for row in rows):
            return None
        times = self._times([row[self._time] for row in rows])
        if times is None:
            return None
        values = np.array([[row[name] for name in self._columns] for row in rows], np.float64)
        ids: tuple[str, ...] = ("",)
        offsets = [0, len(rows)]
        if self._series is not None:
            named = np.array([row[self._series] for row in rows], dtype=object)
            names, series = np.unique(named, return_inverse=True)
            if not all(name and name == name.strip() for name in names):
                return None
            order = np.lexsort((times, series))
            times, values, ids = times[order], values[order], tuple(names)
            offsets = np.searchsorted(series[order], np.arange(len(ids) + 1)).tolist()
        if not all(self._are_steps(times[first:end]) for first, end in pairwise(offsets)):
            return None
        if np.isnan(values).all(axis=0).any() or np.nanmax(np.abs(values)) >= _EPOCH:
            return None
        if any(map(may_hold_codes, values.T)):
            return None
        panel = Panel(
            values=values,
            times=times,
            columns=self._columns,
            clock=self._clock,
            series_ids=ids,
            offsets=tuple(offsets),
            name="the table",
        )
        return replace(panel, warnings=panel_warnings(panel, self._options))

    def _times(self, texts: Sequence[Any]) -> Times | None:
        """Times [T] as panels on the clock keep them; None unless each is written in the same way, and plainly."""
        if self._clock.freq == STEP:
            return np.array(texts, "datetime64[us]") if max(texts) < _LAST_STEP and min(texts) >= 0 else None
        offsets = texts
        if self._clock.is_zoned and (written := _OFFSETS.search(texts[0], 16)):
            at = written.start()
            texts, offsets = [text[:at] for text in texts], [text[at:] for text in texts]
        joined = "\n".join([*texts, ""])
        if len({*map(len, texts)}) > 1 or not (_DAYS.fullmatch(joined) or _TIMES.fullmatch(joined)):
            return None
        try:
            local = np.array(texts, "datetime64[us]")
        except ValueError:  # a month of 13, which is told in words elsewhere
            return None
        if not self._clock.is_zoned:
            return local
        if offsets is texts:
            times = from_wall(local, str(self._clock.tz))
            return times if (self._clock.wall(times) == local).all() else None  # an hour that spring leaves out
        if not all(map(_OFFSETS.fullmatch, set(offsets))):
            return None
        minutes = {text: _minutes(text) for text in set(offsets)}
        return local - np.array([minutes[text] for text in offsets], "timedelta64[m]")

    def _are_steps(self, times: Times) -> bool:
        """Whether times [T] follow each other on the clock, enough of them that nobody would doubt which it is."""
        if len(times) < _FEWEST:
            return False
        if self._clock.slots is None and self._clock.unit in ("s", "min", "h", "D", STEP):
            return bool((np.diff(times) == self._clock.step).all())
        if self._clock.unit in ("B", "session"):  # a day without a row is a holiday
            days = times.astype("datetime64[D]")
            absent = np.diff(self._clock.ordinals(times)) - 1
            ascend = ((absent == 0) | self._clock.is_closed_for(absent)).all()
            return bool(ascend and (days == times).all() and self._clock.is_open(times).all())
        return bool((self._steps_until(times[-1], len(times)) == times).all())


def _minutes(offset: str) -> int:
    """The minutes of an offset from UTC, such as +05:30."""
    if offset == "Z":
        return 0
    minutes = 60 * int(offset[1:3]) + int(offset[4:])
    return -minutes if offset[0] == "-" else minutes
