"""Walk over the rows of a panel, each series from its first judged row to its last, and judge each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from forecast.config import DataConfig
from forecast.data.bounds import TURN
from forecast.data.holes import on_whole_clock
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Rows, forecasts_in_units
from forecast.data.windows import Flags, Ints, count_set, fewest_of, median
from forecast.model import Model
from forecast.outliers.usual import UsualErrors, leads_of
from forecast.outliers.watch import Watch
from forecast.progress import Progress

# Rows before the first judged one from which the recent size of the errors is learned: twice its half-life.
WARM_UP = 100

# Forecasts that are made at once: few after a suspect row, for the next may be one too and would make them void; then
# twice as many each time.
_FEW, _MANY = 4, 512

# A longer gap is told by its first row alone.
LONGEST_GAP = 1000


@dataclass(frozen=True)
class JudgedRows:
    """What is said of all rows of a panel, [T, D] each; as in `Judgement`, NaN where a row was not judged."""

    expected: Floats
    low: Floats
    high: Floats
    p: Floats
    near: Floats
    far: Floats
    above: Floats


class _CleanedRows:
    """Rows as a network is fed them, with what was expected in place of suspect values."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._instead = np.full((rows.panel.n_rows, rows.n_targets), np.nan, np.float32)

    @property
    def identity(self) -> Ints:
        return self._rows.identity

    def window_inputs(self, starts: Ints, lookback: int, horizon: int) -> NDArray[np.float32]:
        window = self._rows.window_inputs(starts, lookback, horizon)
        instead = self._instead[starts[:, None] + np.arange(lookback)]
        targets = window[:, :lookback, : instead.shape[-1]]
        targets[...] = np.where(np.isnan(instead), targets, instead)
        return window

    def replace(self, row: int, target: int, value: float) -> None:
        series = self._rows.series[row : row + 1]
        self._rows.scaler.transform(np.array([value]), series, target, self._instead[row : row + 1, target])

    def restore(self, rows: slice, target: int) -> None:
        self._instead[rows, target] = np.nan


def with_rows_ahead(panel: Panel, horizon: int, n_known: int) -> Panel:
    """The panel with a row for each step of its clock, and H rows after each series: so its last rows are forecast.

    Args:
        panel: Arranged rows.
        horizon: H.
        n_known: How many of the last columns are known ahead; after the rows they are what they were last.
    """
    panel = on_whole_clock(panel, LONGEST_GAP)
    values, times = [], []
    for series in range(panel.n_series):
        own, own_times = panel.values[panel.rows(series)], panel.times[panel.rows(series)]
        ahead = np.full((horizon, own.shape[1]), np.nan)
        ahead[:, own.shape[1] - n_known :] = own[-1:, own.shape[1] - n_known :]
        values += [own, ahead]
        times += [own_times, panel.clock.future(own_times[-1], horizon)]
    offsets = np.array(panel.offsets) + horizon * np.arange(panel.n_series + 1)
    return replace(
        panel, values=np.concatenate(values), times=np.concatenate(times), offsets=tuple(offsets.tolist()), coded={}
    )


def judge_rows(
    rows: Rows,
    model: Model,
    config: DataConfig,
    usual: Sequence[UsualErrors | None],
    judged: Flags,
    stuck: Flags,
    progress: Progress,
) -> JudgedRows:
    """Judge rows by the forecasts from those before them.

    Args:
        rows: Of `with_rows_ahead`.
        model: A run's model.
        config: The run's data configuration.
        usual: The usual errors of each series; None for one that is not judged.
        judged: Which rows are judged, [T].
        stuck: Where a sensor is stuck, [T, D].
        progress: Receives how many rows are done.
    """
    walk, done = _Walk(rows, model, config, stuck), 0
    for series in range(rows.panel.n_series):
        own = rows.panel.rows(series)
        chosen = own.start + np.flatnonzero(judged[own])
        if len(chosen) and (of_series := usual[series]) is not None:
            first = max(own.start, int(chosen[0]) - max(walk.far, WARM_UP))
            walk.over(range(first, int(chosen[-1]) + 1), Watch(of_series, rows.bounds.circular[series]))
            done += len(chosen)
            progress.counted("judging rows", done, int(judged.sum()))
    return walk.found


class _Walk:
    """What the walks over all series share; arguments as of `judge_rows`."""

    def __init__(self, rows: Rows, model: Model, config: DataConfig, stuck: Flags) -> None:
        self._rows, self._model, self._stuck = rows, model, stuck
        self._cleaned, self._usable = _CleanedRows(rows), _usable_lookbacks(rows, config)
        self.far = int(leads_of(config)[-1])
        shape = (rows.panel.n_rows, rows.n_targets)
        self.found = JudgedRows(*(np.full(shape, np.nan) for _ in fields(JudgedRows)))

    def over(self, span: range, watch: Watch) -> None:
        """Judge the rows of a span of one series, in order of time."""
        # Forecasts one step and far ahead, by the row that is forecast.
        ahead = np.full((2, len(span) + self.far, self._rows.n_targets), np.nan)
        row, size = span.start, _FEW
        while row < span.stop:
            block = np.arange(row, min(row + size, span.stop))
            self._forecast(block, block - span.start, ahead)
            size = min(2 * size, _MANY)
            for row in block.tolist():
                if self._judge(row, ahead[:, row - span.start], watch):
                    size = _FEW  # what is fed has changed: the forecasts of later rows are void
                    break
            row += 1

    def _forecast(self, block: Ints, at: Ints, ahead: Floats) -> None:
        """Forecast from before each row of a block, of which ``at`` are the places in ``ahead``."""
        rows, lookback = self._rows, self._model.shape.lookback
        ahead[0, at], ahead[1, at + self.far - 1] = np.nan, np.nan
        able = (block >= lookback) & self._usable[np.maximum(block - lookback, 0)]
        if able.any():
            starts = block[able] - lookback
            values = median(forecasts_in_units(self._model.scaled_forecast(self._cleaned, starts), rows, starts))
            ahead[0, at[able]] = values[:, 0]
            if self.far > 1:
                ahead[1, at[able] + self.far - 1] = values[:, self.far - 1]

    def _judge(self, row: int, ahead: Floats, watch: Watch) -> bool:
        """Judge a row, and say whether it changes what is fed of rows up to it."""
        y = self._rows.observed(np.array(row))
        judgement = watch.judge(y, ahead[0], ahead[1], self._stuck[row])
        for name, values in vars(self.found).items():
            values[row] = getattr(judgement, name)
        for target in np.flatnonzero(judgement.suspect & np.isfinite(judgement.expected)).tolist():
            expected = judgement.expected[target]
            if watch.circular[target]:
                expected += TURN * np.rint((y[target] - expected) / TURN)
            self._cleaned.replace(row, target, expected)
        for target in np.flatnonzero(judgement.believed).tolist():
            self._cleaned.restore(slice(row - judgement.believed[target], row), target)
        return bool(judgement.suspect.any() or judgement.believed.any())


def _usable_lookbacks(rows: Rows, config: DataConfig) -> Flags:
    """Which rows begin a lookback that can be fed, [T]."""
    lookback, n_rows = config.lookback, rows.panel.n_rows
    n_starts, stretches = max(0, n_rows - lookback + 1), rows.panel.stretches()
    good = stretches[:n_starts] == stretches[n_rows - n_starts :]
    if rows.masked:
        for seen in rows.target_is_seen.T:
            good &= count_set(seen, lookback) >= fewest_of(lookback, config.least_observed)
    else:
        good &= count_set(rows.usable, lookback) == lookback
    result = np.zeros(n_rows, bool)
    result[:n_starts] = good
    return result
