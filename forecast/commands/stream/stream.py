"""A forecast after each new row of a growing series, at the same cost however long the series is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, SupportsFloat

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.archive.store import Archive, Row
from forecast.commands.stream.known_forecasts import KnownForecasts
from forecast.commands.stream.recent_rows import RESTART, RecentRows, check_slot, most_series, read_state, write_state
from forecast.data.clock import STEP, Clock
from forecast.data.codes import are_codes, codes_of
from forecast.data.newest import newest_rows, rows_before_cutoff
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Rows, arrange, values_without_logarithm
from forecast.data.windows import Forecaster, Ints
from forecast.data.words import UNKNOWN
from forecast.errors import DataError, RunError, quote, without_settings
from forecast.model import Model, forecasters, load_models, newest_forecast
from forecast.outliers.newest import NewestJudge, rows_to_judge_by
from forecast.runs.calibration import intervals_of
from forecast.runs.find import find
from forecast.runs.rows import far_rows, read_like, read_options, refuse_no_numbers, scaler_of, unseen_in_words
from forecast.runs.run import Run
from forecast.sources.formulas import expressions, raw_columns, with_derived
from forecast.sources.infer_clock import period_labels
from forecast.sources.missing import mask_named, mask_spikes, newest_spikes
from forecast.sources.read import Source
from forecast.sources.spikes import REACH
from forecast.tables.lines import Line
from forecast.tables.zone_rules import HOUR


class Stream:
    """A run that is fed one row after another, and returns the newest forecast after each.

    A run that was trained to carry its states (``stateful``, fed step by step, not normalised by window) carries them
    from row to row, and so remembers the whole stream. Any other sees the window that it was trained on, the last L
    rows. Either way a row costs the same however many came before it, and a stream that was interrupted forecasts what
    an uninterrupted one does.

    Args:
        run: A run or its name.
        state: A file that keeps the recent rows and states between calls; None keeps them in memory.
        keep: Keep what is forecast, as of `predict`, with each `save`.
        anomalies: Say of each row how improbable it was, and whether it is odd: ``p`` and ``kind`` in its forecast.
        runs_dir: Where runs live.

    ``refused`` says why the last row got no forecast, one sentence for each series of the window; ``passed_over``
    counts the rows that were there already. ``warnings`` say where the newest value is far from those before it, or
    the recent rows have come to lie far from those of the training, each once, until they no longer do; and which rows
    are absent before it. ``number`` is the last row's in its series, counted from 1 since the state began.

    Raises:
        RunError: If the file is damaged, or belongs to another training.
    """

    def __init__(
        self,
        run: Run | str,
        state: Path | None = None,
        *,
        keep: bool | str = False,
        anomalies: bool = False,
        runs_dir: Path | None = None,
    ) -> None:
        self.run, self.state = find(run, runs_dir=runs_dir), state
        self._archive = Archive.open(self.run, None if keep is True else keep) if keep else None
        self._unkept: list[Row] = []
        data = self.run.config.data
        self.columns = raw_columns(data.target + data.covariates + data.known)
        self.clock = self.run.clock
        self.series_ids: tuple[str, ...] = tuple(self.run.data["series_ids"])
        self.carries_states = self.run.config.network.carries_states
        self.refused: tuple[str, ...] = ()
        self.warnings: tuple[str, ...] = ()
        self.passed_over = self.number = 0
        self.header = ""  # of the file that is followed: what is left of it after a rotation may have none
        self._options = read_options(self.run)
        if not os.path.isfile(str(self._options.known_forecasts)):  # what rows hold ahead is what is known
            self._options = self._options.model_copy(update={"known_forecasts": None})
        self._forecasts = KnownForecasts(self._options) if self._options.known_forecasts else None
        intervals_of(self.run, "end")  # read now, and kept
        self._most_rows = rows_before_cutoff(data) + (data.horizon if data.known else 0)
        derived = expressions(self.run.config.read.derived)
        self._most_rows += max((expression.rows_before for expression in derived), default=0)
        self._recent: dict[str, RecentRows] = {}
        if self._options.spikes == "missing":
            self._most_rows += REACH + 1  # by which the others are judged
        most_read = max(self._most_rows, rows_to_judge_by(data))
        self._judge = NewestJudge(self.run) if anomalies else None
        if anomalies:
            self._most_rows = most_read
        self._pushed: set[str] = set()  # the series that got a row of the present source
        self._undo: tuple[str, RecentRows] | None = None
        self._warned: dict[str, set[tuple[str, str]]] = {}  # by series, what is known to lie far from the training
        self._models: dict[str, Model] = {}
        if state is not None and state.exists():
            self._recent, self.header = read_state(state, self.run, most_read, len(self.columns))

    def push(self, time: Any, values: Mapping[str, Any], series_id: str | None = None) -> pd.DataFrame | None:
        """Take one row, and forecast the H steps after it.

        Args:
            time: The row's timestamp.
            values: The run's columns by name; NaN or None where missing. A word for a column of words.
            series_id: Which series; may be left out where there is only one.

        Returns:
            unique_id, ds, cutoff and a column for each model, as from `predict`; None while there are too few rows,
            too many of their values are missing, or the row was there already.

        Raises:
            DataError: If the row is out of order, leaves a gap, or lacks a column. It then changes nothing.
        """
        for notation in self.run.config.read.notation:
            if notation.words and notation.column in values:
                values = {**values, **notation.numbers(values[notation.column])}
        missing = [name for name in self.columns if name not in values]
        if missing:
            listed = ", ".join(map(repr, self.columns))
            raise DataError(
                f"Column {missing[0]!r} is missing; the run {self.run.name} takes {listed}.",
                "Give every column, NaN for what was not measured.",
            )
        row = np.array([_to_number(name, values[name]) for name in self.columns])
        return self.push_local(self._to_time(time), row, self.check_series(series_id))

    def _to_time(self, time: Any) -> np.datetime64:
        """A time that was pushed; on a clock of steps the number of one."""
        if self.clock.freq == STEP and isinstance(time, (int, np.integer)) and not isinstance(time, bool):
            return np.datetime64(int(time), "us")
        return self._whole_period(self.clock.to_utc(_to_timestamp(time)))

    def _whole_period(self, time: np.datetime64) -> np.datetime64:
        """A time, of a run on averages that of one.

        Raises:
            DataError: If it lies within a period over which the rows of the training were averaged.
        """
        if self.run.config.read.resample is None or (label := period_labels(np.array([time]), self.clock)[0]) == time:
            return time
        raise DataError(
            f"The row of {Clock('s', self.clock.tz).format(time)} lies within a period of {self.clock.describe()}: the "
            f"rows that {self.run.name} was trained on are averaged.",
            f"Send one row for each whole period, its mean, with the time {self.clock.format(label)}.",
        )

    def time_of(self, row: Line) -> np.datetime64:
        """The time of a line as panels on the run's clock keep it; without one it is the next step's."""
        if np.isnat(row.time):
            times = self._recent_of(self.check_series(row.series or None)).times
            return self.clock.future(times[-1], 1)[0] if len(times) else np.datetime64(0, "us")
        return self._whole_period(self.clock.to_utc(pd.Timestamp(row.time, tz=row.tz)))

    def push_local(self, time: np.datetime64, row: Floats, series_id: str) -> pd.DataFrame | None:
        """The same as `push_row`; of two equal local times in autumn, one that was seen already is the second."""
        recent, later = self._recent_of(series_id), time + HOUR
        seen = len(recent.times) > 0 and time <= recent.times[-1] and not recent.contains(time, row)
        if seen and self.clock.is_zoned and (np.diff(self.clock.wall(np.array([time, later]))) == 0).all():
            time = later
        return self.push_row(time, row, series_id)

    def push_row(self, time: np.datetime64, row: Floats, series_id: str, forecast: bool = True) -> pd.DataFrame | None:
        """The same as `push` for values [C] in the order of ``columns``; without ``forecast`` they are only kept."""
        data = self.run.config.data
        self.warnings, self._undo = (), None
        before = self._recent_of(series_id)
        row = self._mask(row, before)
        bridges_gaps = data.least_observed < 1
        # A source that is read again from its beginning repeats rows that were dropped long ago; and where rows may be
        # absent, one that comes so late changes no forecast.
        dropped = len(before.times) > 0 and time < before.times[0] and (bridges_gaps or series_id not in self._pushed)
        if dropped or before.contains(time, row):
            self.passed_over += 1
            return None
        if not len(before.times) and len(self.series_ids) == 1:
            check_slot(time, np.datetime64(self.run.data["last"], "us"), self.clock)
        after = before.append(time, row, self.clock, self._most_rows, bridges_gaps)
        after = replace(after, number=before.number + forecast)
        result = None
        if forecast or self.carries_states:
            recent = self._panel(after, series_id)
            panel = arrange(recent, data)
            newest = newest_rows(panel, data, scaler_of(self.run, panel))
            with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is refused
                after, models = self._run_models(newest.rows, after)
                if forecast and len(newest.windows):
                    # As they stood when the run was made: they do not adapt to the stream.
                    intervals = intervals_of(self.run, "end", newest.rows.scaler)
                    result = newest_forecast(newest, models, data.season, intervals)
            if result is not None:
                refuse_no_numbers(self.run, result.select_dtypes("float").to_numpy())
                if self._judge is not None:
                    flags, odd = self._judge.flags(panel, after.discoveries)
                    result["p"] = [flags[name].p for name in result["unique_id"]]
                    result["kind"] = [flags[name].kind for name in result["unique_id"]]
                    after = replace(after, discoveries=odd)
                if self._archive is not None:
                    self._unkept += self._archive.rows_of(result, newest.rows.panel.fingerprint())
            self.refused = newest.refused
            self._warn_of_odd_rows(after, recent, panel, series_id)
            if len(before.times) and len(after.times) > 1 and after.times[-2] > before.times[-1]:
                first, last = self.clock.future(before.times[-1], 1)[0], after.times[-2]
                absent = " to ".join(map(self.clock.format, dict.fromkeys((first, last))))
                self.warnings += (f"The rows of {absent} are absent, and read as missing.",)
        self._undo = series_id, before
        self._recent[series_id], self.number = after, after.number
        self._pushed.add(series_id)
        return result

    def undo(self) -> None:
        """Forget the row that was pushed last, such as one whose forecast did not get where it should."""
        if self._undo is not None:
            series_id, before = self._undo
            self._recent[series_id], self._undo = before, None

    def expect_repeats(self) -> None:
        """What is pushed next is another source, which may begin with rows that were pushed long ago."""
        self._pushed.clear()

    def remember(self, source: Source) -> None:
        """Take the rows of a source without forecasting: the history before the stream.

        Args:
            source: Anything that `read` takes; of each series the rows since its last gap count, and those before it
                if the run's windows may have holes.

        Raises:
            DataError: If it does not fit the run.
        """
        options = self._options.model_copy(update={"spikes": "keep"})  # they are judged row by row
        panel = read_like(source, options)
        if panel.clock.freq != self.clock.freq:
            raise DataError(f"The clock of the rows is {panel.clock.freq}; the run's is {self.clock.freq}.")
        is_only_series = panel.n_series == len(self.series_ids) == 1
        picked, stretches = panel.select(self.columns), panel.stretches()
        for series, name in enumerate(panel.series_ids):
            series_id, rows = self.check_series(None if is_only_series else name), panel.rows(series)
            after_gap = rows.start + int(np.searchsorted(stretches[rows], stretches[rows.stop - 1]))
            if self.run.config.data.least_observed < 1:
                after_gap = rows.start
            first = after_gap if self.carries_states else max(after_gap, rows.stop - self._most_rows)
            for row in range(first, rows.stop):
                self.push_row(panel.times[row], picked.values[row], series_id, forecast=False)
        self.passed_over = 0
        self.expect_repeats()

    def newest(self, series_id: str | None = None) -> pd.Timestamp | None:
        """The newest time of a series; None before its first row."""
        times = self._recent_of(self.check_series(series_id)).times
        return self.clock.local(times[-1:])[0] if len(times) else None

    def save(self) -> None:
        """Keep what was forecast, and then write recent rows and states, if any, to their file, whole or not at all."""
        if self._archive is not None:  # before the state, which says what need not be forecast again
            self._archive.write(self._unkept)
            self._unkept.clear()
        if self.state is not None and self._recent:
            write_state(self.state, self.run, self._recent, self.header)

    def check_series(self, series_id: str | None) -> str:
        """The name of a series of the run, of its only one, or of another, if the run forecasts series never seen.

        Raises:
            DataError: If it does not, or there are too many of them.
        """
        if series_id is None and len(self.series_ids) == 1:
            return self.series_ids[0]
        is_new = series_id not in self.series_ids
        if is_new and (series_id is None or self.carries_states or not self.run.takes_unseen_series):
            listed = ", ".join(map(repr, self.series_ids[:10]))
            raise DataError(f"The run {self.run.name} has no series {series_id!r}.", f"It has {listed}.")
        if is_new and series_id not in self._recent and len(self._recent) >= most_series(self.run):
            raise DataError(f"A stream follows {most_series(self.run):,} series at most.", "Start another one.")
        return str(series_id)

    def _mask(self, row: Floats, before: RecentRows) -> Floats:
        """The row without the values that are read as missing, but for spikes: these are judged by the rows as sent."""
        row = row.copy()
        mask_named(self.columns, row[None], self._options.missing)
        return row if self._options.keep_sentinels else self._without_codes(before, row)

    def _without_codes(self, recent: RecentRows, row: Floats) -> Floats:
        """The row, in which codes are missing values: those of the run, and others that the recent rows tell."""
        seen = np.concatenate([recent.values, row[None]])
        for column, name in enumerate(self.columns):
            if row[column] in codes_of(name, self._options.codes or ()) or are_codes(seen[:, column])[-1]:
                row[column] = np.nan
        return row

    def _panel(self, recent: RecentRows, series_id: str) -> Panel:
        """The recent rows of a series as they are forecast from."""
        values = recent.values
        if self._options.spikes == "missing":
            values = values.copy()
            mask_spikes(self.columns, values, np.zeros(1, np.int64))
        panel = Panel(values, recent.times, self.columns, self.clock, (series_id,), name=self.run.name)
        panel = with_derived(panel, self._options.derived)
        return panel if self._forecasts is None else self._forecasts.beside(panel)

    def _warn_of_odd_rows(self, recent: RecentRows, panel: Panel, arranged: Panel, series_id: str) -> None:
        """Say what is odd of the recent rows of a series, unless it was said of the rows before."""
        found = far_rows(self.run, arranged, np.ones(arranged.n_rows, bool))
        if unseen := unseen_in_words(self.run, arranged):
            found["", "unseen"] = unseen
        for name, sentence in values_without_logarithm(panel, self.run.config.data).items():
            found[name, "not positive"] = without_settings(sentence)
        # At first of all rows that were remembered, then of each new one.
        for name in self.run.config.categories:
            words = recent.values[0 if series_id not in self._warned else -1 :, self.columns.index(name)]
            if len(unknown := np.flatnonzero(words == UNKNOWN)):
                at = self.clock.format(recent.times[len(recent.times) - len(words) + unknown[-1]])
                found[name, "unknown"] = f"{quote(name)} at {at} stands in no training row: unknown."
        then = " and is read as missing" if self._options.spikes == "missing" else ""
        for name in newest_spikes(self.columns, recent.values):
            if (name, "far") in found:
                continue
            value = f"{quote(name)}: {recent.values[-1, self.columns.index(name)]:g}"
            at = self.clock.format(recent.times[-1])
            found[name, "spike"] = f"{value} at {at} lies far from the values before it{then}."
        known = self._warned.get(series_id, set())
        self.warnings = tuple(sentence for what, sentence in found.items() if what not in known)
        self._warned[series_id] = set(found)

    def _recent_of(self, series_id: str) -> RecentRows:
        none = RecentRows(
            np.zeros(0, "datetime64[us]"), np.zeros((0, len(self.columns))), len(self.run.config.data.known)
        )
        return self._recent.get(series_id, none)

    def _run_models(self, rows: Rows, recent: RecentRows) -> tuple[RecentRows, dict[str, Forecaster]]:
        """The recent rows with the states after the newest of them, and each model as a function of windows.

        Raises:
            DataError: If the row cannot be fed, because a value is missing for too long.
            RunError: If a saved state is of another network.
        """
        if not self._models:
            lookback, stateful_series = (1, rows.panel.n_series) if self.carries_states else (None, None)
            self._models = load_models(self.run, self.run.forecast_weights, lookback, stateful_series)
        if not self.carries_states:
            return recent, forecasters(self._models, rows)
        data = self.run.config.data
        cutoffs = np.array(rows.panel.offsets[1:]) - data.horizon - 1
        if not rows.usable[cutoffs].all():
            raise DataError(
                f"The row of {self.clock.format(recent.times[-1])} lacks a value that has been missing for more than "
                f"{data.longest_fill} rows, and the state cannot go on without it.",
                f"Fill it in, or forget all before with {RESTART}.",
            )
        states: dict[str, tuple[NDArray[np.float32], ...]] = {}
        forecasts: dict[str, Forecaster] = {}
        for name, model in self._models.items():
            keys = [f"{name}/{number}" for number, _ in enumerate(model.members, 1)]
            before = [recent.states.get(key) for key in keys]
            for key, member, parts in zip(keys, model.members, before, strict=True):
                shapes = member.runtime.state_shapes(len(cutoffs))
                if parts is not None and [state.shape for state in parts] != shapes:
                    raise RunError(f"The saved state {key} is not of this network.", f"Start over with {RESTART}.")
            values, after = model.step(rows, cutoffs, before)
            states |= {key: tuple(parts) for key, parts in zip(keys, after, strict=True)}
            forecasts[name] = partial(_forecast_of_series, values, rows)
        return replace(recent, states=states), forecasts


def _to_number(column: str, value: Any) -> float:
    """A value of a row as a number; NaN where it is missing.

    Raises:
        DataError: If it is text or anything else that is not a number, or infinite.
    """
    if value is None or value is pd.NA:
        return np.nan
    if isinstance(value, (str, bytes)) or not np.isscalar(value) or not isinstance(value, SupportsFloat):
        raise DataError(f"Column {column!r} is {quote(value)}, which is not a number.", "Give a number, or None.")
    number = float(value)
    if np.isinf(number):
        raise DataError(f"Column {column!r} is infinite.", "Give a number, or None.")
    return number


def _to_timestamp(time: Any) -> pd.Timestamp:
    """A time as a timestamp, with a zone if it has one.

    Raises:
        DataError: If it is not a time; a number could be one of several.
    """
    stamp = None
    with suppress(ValueError, TypeError):
        stamp = None if isinstance(time, (int, float, np.number)) else pd.Timestamp(time)
    if stamp is None or pd.isna(stamp):
        raise DataError(f"{quote(time)} is not a time.", "Give a timestamp, or text such as 2024-01-31 13:00.")
    return stamp


def _forecast_of_series(forecasts: Floats, rows: Rows, starts: Ints) -> Floats:
    """Forecasts that were made already, one for each series, of the windows that start at these rows."""
    return forecasts[rows.series[starts]]
