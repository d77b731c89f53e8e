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
from forecast.data.clock import Times
from forecast.data.codes import may_hold_codes
from forecast.data.panel import Panel
from forecast.runs.run import Run
from forecast.sources.quality import panel_warnings
from forecast.tables.columns import names_a_counter
from forecast.tables.input import series_keys
from forecast.tables.timeforms import TIMELIKE
from forecast.tables.timeparts import names_a_clock, names_a_part, names_an_end

# Settings of reading that change nothing about plain rows.
_HARMLESS = {
    *("series_id", "time_column", "columns", "named", "codes"),
    *("encoding", "delimiter", "decimal", "thousands", "skip_rows", "skip_footer"),
}

# Days, or times to the second or minute, of a year that is no mistake.
_DAYS = re.compile(r"(?:(?:19|20)\d\d-\d\d-\d\d\n)+")
_TIMES = re.compile(r"(?:(?:19|20)\d\d-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?\n)+")

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
        changed = self._options.model_dump(exclude_defaults=True).keys() - _HARMLESS
        by_rule = self._clock.unit in ("s", "min", "h", "D", "W", "M", "Q", "Y")
        self._apply = (
            not changed
            and not any(test(name) for test in known_otherwise for name in columns)
            and (self._series is None or len(series_keys(series)) == 1)
            and (by_rule and self._clock.slots is None and not self._clock.is_uneven)
            and run.clock.tz is None
            and not run.clock.holidays
        )

    def panel(self, rows: Sequence[Mapping[str, Any]]) -> Panel | None:
        """The panel of some rows; None if they are to be read as any table is.

        Args:
            rows: By field: the time and the series as text, numbers or None.
        """
        fields = (self._time, *([self._series] if self._series else []), *self._columns)
        if not self._apply or any(row.keys() != set(fields) for row in rows):
            return None
        texts = [row[self._time] for row in rows]
        joined = "\n".join([*texts, ""])
        if len({*map(len, texts)}) > 1 or not (_DAYS.fullmatch(joined) or _TIMES.fullmatch(joined)):
            return None
        try:
            times = np.array(texts, "datetime64[us]")
        except ValueError:  # a month of 13, which is told in words elsewhere
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

    def _are_steps(self, times: Times) -> bool:
        """Whether times [T] follow each other on the clock, enough of them that nobody would doubt which it is."""
        if len(times) < _FEWEST:
            return False
        if self._clock.unit in ("s", "min", "h", "D"):
            return bool((np.diff(times) == self._clock.step).all())
        return bool((self._steps_until(times[-1], len(times)) == times).all())
