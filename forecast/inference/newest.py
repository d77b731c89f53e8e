"""The newest forecast of each series, and sample paths of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecast.data.newest import NewestRows
from forecast.data.prepare import long_format
from forecast.data.windows import Forecaster, median
from forecast.intervals.conformal import Intervals, interval_columns
from forecast.models.naive import naive_forecasts


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
