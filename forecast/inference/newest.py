"""The newest forecast of each series: H steps after its last row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from forecast.config import DataConfig, chosen
from forecast.data.panel import Panel
from forecast.data.prepare import Rows, encode
from forecast.data.scaling import Scaler
from forecast.data.windows import Forecasting, Windows
from forecast.errors import DataError
from forecast.models.naive import naive_forecasts


def newest_rows(panel: Panel, config: DataConfig, scaler: Scaler) -> tuple[Rows, Windows]:
    """The rows with H empty ones after the last of each series, and the window of each series that ends there.

    Args:
        panel: Arranged columns.
        config: The run's resolved data configuration.
        scaler: The run's scaler.

    Raises:
        DataError: If a series has fewer rows than the lookback, or a gap or too many missing values within it.
    """
    lookback, horizon = chosen(config.lookback), chosen(config.horizon)
    rows = encode(_extended(panel, horizon), config, scaler)
    ends = np.asarray(rows.panel.offsets[1:])
    starts = ends - lookback - horizon
    stretches = rows.panel.stretches()
    for series, (start, end) in enumerate(zip(starts, ends, strict=True)):
        cutoff = end - horizon - 1
        of_series = f" of series {panel.series_ids[series]!r}" if panel.n_series > 1 else ""
        has = cutoff + 1 - rows.panel.offsets[series]
        if has < lookback:
            raise DataError(
                f"The newest forecast needs {lookback} rows{of_series} (the lookback), there are {has}.",
                "Give the rows before them too.",
            )
        if stretches[start] != stretches[cutoff]:
            gap = panel.times[_last_gap(panel, series)]
            raise DataError(
                f"The last {lookback} rows{of_series} (the lookback) have a gap before {gap}.",
                "Fill it, or wait until enough rows have come after it.",
            )
        if not rows.usable[start : cutoff + 1].all():
            bad = start + int(np.argmin(rows.usable[start : cutoff + 1]))
            missing = [name for name, value in zip(panel.columns, rows.filled[bad], strict=True) if np.isnan(value)]
            raise DataError(
                f"The last {lookback} rows{of_series} (the lookback) miss {missing[0]!r} at "
                f"{rows.panel.times[bad]} and for more than {config.longest_fill} rows before.",
                "Fill it in, or train with a larger --longest-fill.",
            )
    return rows, Windows(starts, lookback, horizon)


def newest_forecast(
    rows: Rows, windows: Windows, scaler: Scaler, models: Mapping[str, Forecasting], season: int
) -> pd.DataFrame:
    """The forecast of every model and of the naive ones: unique_id, ds, cutoff and a column for each.

    Args:
        rows: What `newest_rows` returned.
        windows: One window for each series.
        scaler: The run's scaler.
        models: Scaled forecasts by name.
        season: m.
    """
    scaler = scaler.for_series(rows.panel.series_ids)
    series = rows.series[windows.starts]
    y_pred = {
        name: scaler.inverse(model(windows.starts).astype(np.float64), series) for name, model in models.items()
    } | naive_forecasts(rows, windows, slice(None), season)
    ids = rows.unique_ids
    frames = [
        pd.DataFrame(
            {
                "unique_id": ids[number][target],
                "ds": rows.panel.times[windows.future([index])[0]],
                "cutoff": rows.panel.times[windows.cutoffs[index]],
            }
            | {name: values[index, :, target] for name, values in y_pred.items()}
        )
        for index, number in enumerate(series)
        for target in range(rows.n_targets)
    ]
    return pd.concat(frames, ignore_index=True)


def _extended(panel: Panel, horizon: int) -> Panel:
    values, times, offsets = [], [], [0]
    for series in range(panel.n_series):
        rows = panel.rows(series)
        values += [panel.values[rows], np.full((horizon, len(panel.columns)), np.nan)]
        times += [panel.times[rows], panel.clock.future(panel.times[rows.stop - 1], horizon)]
        offsets.append(offsets[-1] + rows.stop - rows.start + horizon)
    return replace(panel, values=np.concatenate(values), times=np.concatenate(times), offsets=tuple(offsets))


def _last_gap(panel: Panel, series: int) -> int:
    rows = panel.rows(series)
    stretches = panel.stretches()[rows]
    return rows.start + int(np.flatnonzero(np.diff(stretches))[-1]) + 1
