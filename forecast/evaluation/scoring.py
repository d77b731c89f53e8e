"""Scores of every model on every window, summed chunk by chunk so that memory does not grow with windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast.config import Config
from forecast.data.panel import Floats
from forecast.data.prepare import Rows, long_format
from forecast.data.quality import TURN
from forecast.data.windows import Flags, Ints, InUnits, Windows, middle
from forecast.evaluation.figures import figures
from forecast.evaluation.metrics import NaiveError, seasonal_naive_error
from forecast.evaluation.sums import Seen, new_sums
from forecast.inference.following import Follower
from forecast.inference.intervals import Intervals, calibrate, interval_columns
from forecast.models.naive import naive_forecasts

_POINTS_AT_ONCE = 2_000_000
_ROWS_OF_FORECASTS = 1_000_000

# Losses of single steps that are kept of each model for the test of significance.
_STEPS_TESTED = 4_000_000

# Points that intervals are calibrated on; more of them change nothing.
_POINTS_OF_CALIBRATION = 2_000_000

# With fewer windows an interval would be the range of what little was seen.
_FEWEST_WINDOWS = 10


@dataclass(frozen=True)
class Evaluation:
    """What became of a judgement.

    Args:
        metrics: The content of metrics.json.
        forecasts: Long format: unique_id, ds, cutoff, y and a column for each model, and for the ends of its intervals.
            All origins, or evenly spaced ones where all of them would be more than a million rows.
        intervals: The intervals as they stand at the end of the data.
    """

    metrics: dict[str, Any]
    forecasts: pd.DataFrame
    intervals: Intervals | None = None


def naive_errors(rows: Rows, training_rows: Flags, season: int) -> dict[str, NaiveError]:
    """The seasonal naive's one-step error on the training rows, for each unique id; NaN where it cannot be told."""
    stretches = rows.panel.stretches()
    return {
        name: seasonal_naive_error(
            rows.panel.values[span, target][learned],
            season,
            stretches[span][learned],
            TURN if rows.bounds.circular[series, target] else None,
        )
        for series, of_series in enumerate(rows.unique_ids)
        for span in [rows.panel.rows(series)]
        for learned in [_without_copy(training_rows[span])]
        for target, name in enumerate(of_series)
    }


def _without_copy(flags: Flags) -> Flags | slice:
    """What picks these rows: a slice where they are the first ones, as training rows are."""
    count = int(flags.sum())
    return slice(count) if flags[:count].all() else flags


def calibrated(
    rows: Rows,
    windows: Windows,
    models: Mapping[str, InUnits],
    season: int,
    config: Config,
) -> Intervals | None:
    """Calibrate the intervals of models and naive forecasts on a span after training and before the test.

    Args:
        rows: The rows that the windows point into.
        windows: The windows of that span.
        models: By name.
        season: m.
        config: The run's resolved configuration.

    Returns:
        The intervals; None where no level is asked for, or the span has too few windows.
    """
    windows = windows.every(max(_FEWEST_WINDOWS, _POINTS_OF_CALIBRATION // (windows.horizon * rows.n_targets)))
    levels, heads = config.intervals.levels, config.network.quantiles
    if not levels or len(windows) < _FEWEST_WINDOWS:
        return None
    chunks = list(_chunks(rows, windows, models, season, _POINTS_AT_ONCE))
    y_true = np.concatenate([chunk.y_true for chunk in chunks])
    series = np.concatenate([chunk.series for chunk in chunks])
    of_series, logged = rows.panel.n_series, rows.logged
    spacing = windows.spacing if config.intervals.adaptive else None
    calibrations = {
        name: calibrate(
            y_true,
            np.concatenate([c.forecasts[name] for c in chunks]),
            series,
            of_series,
            levels,
            heads,
            logged,
            spacing,
        )
        for name in chunks[0].forecasts
    }
    return Intervals(levels, config.intervals.adaptive, calibrations)


def rough_intervals(config: Config, n_windows: int) -> tuple[str, ...]:
    """What to know of intervals that were calibrated on few windows, a sentence each.

    Args:
        config: The run's resolved configuration.
        n_windows: Windows of the span that they were calibrated on.
    """
    levels = config.intervals.levels
    if levels and n_windows < _FEWEST_WINDOWS:
        return (f"no intervals: the validation span has {n_windows} windows, and they take {_FEWEST_WINDOWS}",)
    # To lie above 97.5 % of what comes, a rank must be the 39th of 39 at the least.
    rough = [f"{level}%" for level in levels if n_windows + 1 < 2 / (1 - level / 100)]
    if not rough:
        return ()
    return (f"{n_windows} validation windows are too few for intervals of {' and '.join(rough)}: they will hold less",)


def kept_origins(metrics: Mapping[str, Any]) -> str:
    """What to know of a table of forecasts that was too long to be kept whole, to stand behind its number of rows."""
    every = metrics["forecasts_every"]
    return f", of one origin in {every}: all would be more than a million rows" if every > 1 else ""


def judge(
    rows: Rows,
    windows: Windows,
    models: Mapping[str, InUnits],
    season: int,
    naive_error: Mapping[str, NaiveError],
    intervals: Intervals | None = None,
) -> Evaluation:
    """Score models and naive forecasts side by side, on the same windows.

    Args:
        rows: The rows that the windows point into.
        windows: Every window to score; none is dropped.
        models: The judged model first, then the baseline if there is one, then others.
        season: m.
        naive_error: What scaled errors are divided by, for each unique id (see `naive_errors`).
        intervals: The intervals of all models, as they stood before the first window; None for none.
    """
    judgement = _Judgement(rows, windows, tuple(models), season, naive_error, intervals)
    frames = [judgement.add(chunk) for chunk in _chunks(rows, windows, models, season, _points_at_once(intervals))]
    forecasts = pd.concat(frames, ignore_index=True).sort_values(
        ["unique_id", "cutoff"], kind="stable", ignore_index=True
    )
    metrics = figures(rows, windows, judgement.sums, season, tuple(models)) | {"forecasts_every": judgement.kept_every}
    return Evaluation(metrics, forecasts, judgement.intervals_at_the_end())


def followed(
    rows: Rows, windows: Windows, models: Mapping[str, InUnits], season: int, intervals: Intervals
) -> Intervals:
    """The intervals of some models after these windows, whose outcomes are known.

    Args:
        rows: The rows that the windows point into.
        windows: The windows to follow.
        models: By name.
        season: m.
        intervals: The models' intervals before the first window.
    """
    if not len(windows):
        return intervals
    follower = _follower(rows, windows, intervals)
    for chunk in _chunks(rows, windows, models, season, _points_at_once(intervals)):
        follower.fans(chunk.y_true, chunk.forecasts, chunk.series)
    return follower.intervals()


def _follower(rows: Rows, windows: Windows, intervals: Intervals) -> Follower:
    return Follower(intervals, windows.spacing, longest=int(np.bincount(rows.series[windows.starts]).max()))


def _points_at_once(intervals: Intervals | None) -> int:
    """Points in a chunk; fewer where each has quantiles of every forecaster beside it."""
    if intervals is None:
        return _POINTS_AT_ONCE
    return _POINTS_AT_ONCE // (len(intervals.calibrations) * len(intervals.probabilities))


@dataclass(frozen=True)
class _Chunk:
    """Some windows and what was forecast of them: [n, H, D], or [n, H, D, Q] of a quantile head, by name."""

    number: Ints
    series: Ints
    y_true: Floats
    forecasts: Mapping[str, Floats]


def _chunks(
    rows: Rows, windows: Windows, models: Mapping[str, InUnits], season: int, points_at_once: int
) -> Iterator[_Chunk]:
    size = max(1, points_at_once // (windows.horizon * rows.n_targets))
    for first in range(0, len(windows), size):
        picked = slice(first, min(first + size, len(windows)))
        series, y_true = rows.series[windows.starts[picked]], rows.observed(windows.future(picked))
        forecasts = {name: model(windows.starts[picked]) for name, model in models.items()}
        forecasts |= naive_forecasts(rows, windows, picked, season)
        yield _Chunk(
            number=np.arange(picked.start, picked.stop),
            series=series,
            y_true=y_true,
            forecasts={name: rows.bounds.nearest(values, y_true, series) for name, values in forecasts.items()},
        )


class _Judgement:
    """Adds up chunk after chunk.

    Args:
        rows: The rows that the windows point into.
        windows: Every window to score.
        models: Names of the models, the judged one first.
        season: m.
        naive_error: What scaled errors are divided by.
        intervals: The intervals as they stood before the first window.
    """

    def __init__(
        self,
        rows: Rows,
        windows: Windows,
        models: tuple[str, ...],
        season: int,
        naive_error: Mapping[str, NaiveError],
        intervals: Intervals | None,
    ) -> None:
        self._rows, self._windows, self._models, self._intervals = rows, windows, models, intervals
        points = len(windows) * windows.horizon * rows.n_targets
        self.kept_every = max(1, -(-points // _ROWS_OF_FORECASTS))
        self.sums = new_sums(rows, windows, naive_error, max(1, -(-points // _STEPS_TESTED)))
        self._follower = None if intervals is None else _follower(rows, windows, intervals)

    def add(self, chunk: _Chunk) -> pd.DataFrame:
        """Add one chunk, and return those of its forecasts that are kept, in the long format."""
        rows, windows = self._rows, self._windows
        y_pred = {name: middle(values) for name, values in chunk.forecasts.items()}
        last = rows.filled_at(windows.cutoffs[chunk.number])
        self.sums.add(Seen(chunk.number, chunk.series, chunk.y_true, last), y_pred, self._models[0])
        columns = {"y": chunk.y_true} | y_pred
        if self._follower is not None and self._intervals is not None:
            fans = self._follower.fans(chunk.y_true, chunk.forecasts, chunk.series)
            fans = {name: rows.bounds.within(fan, chunk.series) for name, fan in fans.items()}
            self.sums.add_fans(chunk.y_true, fans, self._intervals)
            columns |= interval_columns({name: fans[name] for name in self._models}, self._intervals)
        kept = chunk.number % self.kept_every == 0
        return long_format(rows, windows, chunk.number[kept], {name: values[kept] for name, values in columns.items()})

    def intervals_at_the_end(self) -> Intervals | None:
        """The intervals after the last window."""
        return self._follower.intervals() if self._follower is not None else None
