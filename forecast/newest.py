"""The newest forecast of a run: the H steps after the last row of each series, and sample paths of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.data.newest import NewestRows, newest_rows
from forecast.data.prepare import Rows, encode, long_format, windows_of
from forecast.data.windows import Forecaster, Ints, Windows, median
from forecast.errors import DataError
from forecast.evaluation.scoring import update_intervals
from forecast.intervals.conformal import Intervals, interval_columns
from forecast.model import Model, forecasters
from forecast.models.naive import naive_forecasts
from forecast.progress import Progress
from forecast.runs.calibration import intervals_of
from forecast.runs.rows import new_panel
from forecast.runs.run import Run
from forecast.sources.read import Source


def newest_forecast(
    newest: NewestRows, models: Mapping[str, Forecaster], season: int, intervals: Intervals | None = None
) -> pd.DataFrame:
    """The forecast of every model and of the naive ones: unique_id, ds, cutoff and a column for each.

    Args:
        newest: What `newest_rows` returned.
        models: By name.
        season: m.
        intervals: Those of the models, of the series of these rows; their ends get columns, such as ``lstm-lo-80``.
    """
    rows, windows = newest.rows, newest.windows
    forecasts = {name: model(windows.starts) for name, model in models.items()}
    y_pred = {name: median(values) for name, values in forecasts.items()}
    y_pred |= naive_forecasts(rows, windows, slice(None), season)
    if intervals is not None:
        series = rows.series[windows.starts]
        quantiles = intervals.only(models).quantiles(forecasts, series)
        quantiles = {name: rows.bounds.clip(values, series) for name, values in quantiles.items()}
        y_pred |= interval_columns(quantiles, intervals)
    return long_format(rows, windows, np.arange(len(windows)), y_pred)


def newest_paths(
    newest: NewestRows, models: Mapping[str, Forecaster], intervals: Intervals, count: int, seed: int
) -> pd.DataFrame:
    """Sample paths of every model from the newest origin: unique_id, ds, cutoff, path and a column for each.

    Args:
        newest: What `newest_rows` returned.
        models: By name.
        intervals: Those of the models, of the series of these rows.
        count: Paths of each series and target.
        seed: Decides which.
    """
    rows, windows = newest.rows, newest.windows
    series = rows.series[windows.starts]
    forecasts = {name: model(windows.starts) for name, model in models.items()}
    quantiles = intervals.only(models).quantiles(forecasts, series)
    drawn = {
        name: intervals.calibrations[name].paths(values, count, np.random.default_rng(seed))
        for name, values in quantiles.items()
    }
    every = np.arange(len(windows))
    frames = []
    for path in range(count):
        columns = {name: rows.bounds.clip(paths[path], series) for name, paths in drawn.items()}
        frames.append(long_format(rows, windows, every, columns).assign(path=path + 1))
    found = pd.concat(frames, ignore_index=True)[["unique_id", "ds", "cutoff", "path", *models]]
    return found.sort_values(["unique_id", "path", "ds"], kind="stable", ignore_index=True)


@dataclass(frozen=True)
class ForecastRequest:
    """What the newest forecast of a run from some rows asks its models.

    Args:
        run: The run.
        newest: The newest rows, and a window of each series.
        intervals: Those of these series as they stood when the run was made; None if it has none.
        since: All rows, and the windows since the run was made, whose errors the intervals follow; None if they do not.
    """

    run: Run
    newest: NewestRows
    intervals: Intervals | None
    since: tuple[Rows, Windows] | None

    @property
    def windows(self) -> list[tuple[Rows, Ints]]:
        """The first rows of all windows that the models are asked for, with the rows that they point into."""
        pairs = [(self.newest.rows, self.newest.windows), *([] if self.since is None else [self.since])]
        return [(rows, windows.starts) for rows, windows in pairs]

    def updated_intervals(self, models: Mapping[str, Model]) -> Intervals | None:
        """The intervals, after they have followed the errors since the run was made."""
        if self.intervals is None or self.since is None:
            return self.intervals
        rows, windows = self.since
        season, intervals = self.run.config.data.season, self.intervals.only(models)
        return update_intervals(rows, windows, forecasters(models, rows), season, intervals)

    def forecast(self, models: Mapping[str, Model]) -> pd.DataFrame:
        """The forecast, as from `predict`.

        Args:
            models: Those of the run, with its ``forecast_weights``.

        Raises:
            DataError: If the rows lead the network beyond all numbers.
        """
        season, newest = self.run.config.data.season, self.newest
        forecast = newest_forecast(newest, forecasters(models, newest.rows), season, self.updated_intervals(models))
        if not np.isfinite(forecast.drop(columns=["unique_id", "ds", "cutoff"])).all(axis=None):
            raise DataError(
                f"The rows are so far from those that {self.run.name} was trained on that its forecast is no number.",
                "Are they in the same units?",
            )
        return forecast


def request_forecast(run: Run, source: Source, progress: Progress) -> ForecastRequest:
    """Read new rows, and find out what a forecast from them takes.

    Args:
        run: A run.
        source: New rows.
        progress: Is told what was inferred and mended.

    Raises:
        DataError: If they do not fit the run.
    """
    panel = new_panel(run, source, progress)
    newest = newest_rows(panel, run.config.data, run.scaler)
    if not len(newest.windows):
        raise DataError(newest.refused[0], "Give more of the newest rows, without such holes.")
    for warning in newest.refused + newest.filled:
        progress.warn(warning)
    intervals = intervals_of(run, "end", panel.series_ids)
    if intervals is None:
        return ForecastRequest(run, newest, None, None)
    later = panel.times > np.datetime64(run.data["last"])
    if not intervals.adaptive or not later.any():
        return ForecastRequest(run, newest, intervals, None)
    rows = encode(panel, run.config.data, run.scaler)
    return ForecastRequest(run, newest, intervals, (rows, windows_of(rows, later, run.config.data)))
