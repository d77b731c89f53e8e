"""The newest forecast of each series: H steps after its last row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecast.config import DataConfig
from forecast.data.panel import Floats, Panel, Times
from forecast.data.prepare import Rows, encode, long_format
from forecast.data.scaling import Scaler
from forecast.data.windows import InUnits, Windows, fill_forward, median
from forecast.inference.intervals import Intervals, interval_columns
from forecast.models.naive import naive_forecasts


@dataclass(frozen=True)
class Newest:
    """What the newest forecast is made from.

    Args:
        rows: The newest rows of each series, and H after them that hold only what is known ahead.
        windows: A window for each series that can be forecast; it ends where the data end.
        refused: Why each of the others cannot, one sentence each.
        filled: Where values were carried forward, one sentence each.
    """

    rows: Rows
    windows: Windows
    refused: tuple[str, ...]
    filled: tuple[str, ...]


def newest_rows(panel: Panel, config: DataConfig, scaler: Scaler) -> Newest:
    """The rows and windows of the newest forecast.

    A row that is absent from the lookback is carried forward from the one before, as a missing value is: training has
    windows to spare and leaves out those with a gap, but there is only one newest window. What is known ahead must be
    there for each of the H steps: rows after the last target hold it.

    Args:
        panel: Arranged columns.
        config: The run's resolved data configuration.
        scaler: The run's scaler.
    """
    lookback, horizon = config.lookback, config.horizon
    reach = max(lookback, config.season) + config.longest_fill
    rows = encode(_newest(panel, reach, horizon, len(config.known)), config, scaler)
    starts, refused, filled = [], [], []
    for series, end in enumerate(rows.panel.offsets[1:]):
        cutoff = end - horizon - 1
        start = cutoff - lookback + 1
        of_series = f" of series {panel.series_ids[series]!r}" if panel.n_series > 1 else ""
        measured = _measured_rows(panel, series, len(config.known))
        has = measured.stop - measured.start
        unknown = np.isnan(rows.panel.values[cutoff + 1 : end, len(panel.columns) - len(config.known) :])
        seen = f"the last {lookback} rows{of_series} (the lookback)"
        if has < lookback:
            refused.append(f"The newest forecast needs {lookback} rows{of_series} (the lookback), there are {has}.")
        elif start < rows.panel.offsets[series] or len(np.unique(rows.panel.stretches()[start : cutoff + 1])) > 1:
            refused.append(f"A gap breaks {seen}.")
        elif not rows.usable[start : cutoff + 1].all():
            bad = start + int(np.argmin(rows.usable[start : cutoff + 1]))
            missing = next(
                name
                for column, name in enumerate(panel.columns)
                if not fill_forward(rows.panel, config.longest_fill, column)[1][bad]
            )
            refused.append(
                f"In {seen}, {missing!r} is missing at {pd.Timestamp(rows.panel.times[bad])} and for "
                f"{config.longest_fill} rows before."
            )
        elif unknown.any():
            step, column = np.argwhere(unknown)[0]
            refused.append(
                f"{config.known[column]!r} must be known for the {horizon} steps ahead{of_series}, and is missing at "
                f"{pd.Timestamp(rows.panel.times[cutoff + 1 + step])}: add rows that hold it, their target left empty."
            )
        else:
            starts.append(start)
            holes = int(np.isnan(rows.panel.values[start : cutoff + 1]).any(axis=1).sum())
            if holes:
                filled.append(f"{holes} of {seen} are absent or incomplete; the last seen values are carried on")
    return Newest(rows, Windows(np.array(starts, np.int64), lookback, horizon), tuple(refused), tuple(filled))


def newest_forecast(
    newest: Newest, models: Mapping[str, InUnits], season: int, intervals: Intervals | None = None
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
        fans = intervals.only(models).fans(forecasts, series)
        fans = {name: rows.bounds.within(fan, series) for name, fan in fans.items()}
        y_pred |= interval_columns(fans, intervals)
    return long_format(rows, windows, np.arange(len(windows)), y_pred)


def newest_paths(
    newest: Newest, models: Mapping[str, InUnits], intervals: Intervals, count: int, seed: int
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
    fans = intervals.only(models).fans(forecasts, series)
    drawn = {
        name: intervals.calibrations[name].paths(fan, count, np.random.default_rng(seed)) for name, fan in fans.items()
    }
    every = np.arange(len(windows))
    frames = []
    for path in range(count):
        columns = {name: rows.bounds.within(paths[path], series) for name, paths in drawn.items()}
        frames.append(long_format(rows, windows, every, columns).assign(path=path + 1))
    found = pd.concat(frames, ignore_index=True)[["unique_id", "ds", "cutoff", "path", *models]]
    return found.sort_values(["unique_id", "path", "ds"], kind="stable", ignore_index=True)


def _newest(panel: Panel, reach: int, horizon: int, n_known: int) -> Panel:
    """The last ``reach`` places of each series on the clock, empty where a row is absent, and H more.

    The H rows are empty but for the last ``n_known`` columns.
    """
    values, times, offsets = [], [], [0]
    for series in range(panel.n_series):
        rows = _measured_rows(panel, series, n_known)
        ahead = panel.clock.future(panel.times[rows.stop - 1], horizon)
        own_times, own = panel.times[rows][-reach:], panel.values[rows][-reach:]
        if panel.clock.unit != "B":  # on business days an absent row is a holiday
            place = panel.clock.ordinals(own_times)
            place -= place[-1] - reach + 1
            inside = place >= 0
            first = int(place[inside][0])
            tail = np.full((reach - first, len(panel.columns)), np.nan)
            tail[place[inside] - first] = own[inside]
            since = own_times[inside][0]
            own_times = np.concatenate([[since], panel.clock.future(since, reach - first - 1)])
            own = tail
        values += [own, _known_ahead(panel, series, ahead, n_known)]
        times += [own_times, ahead]
        offsets.append(offsets[-1] + len(own) + horizon)
    return replace(panel, values=np.concatenate(values), times=np.concatenate(times), offsets=tuple(offsets))


def _measured_rows(panel: Panel, series: int, n_known: int) -> slice:
    """The rows of a series, where something is known ahead up to the last one that holds more than that."""
    rows = panel.rows(series)
    if not n_known:
        return rows
    # Where nothing is measured at all, every row is one that waits for its measurements.
    return slice(rows.start, rows.start + (count_measured(panel.values[rows], n_known) or rows.stop - rows.start))


def count_measured(values: Floats, n_known: int) -> int:
    """How many rows of a series [T, C] there are up to the last that holds more than its n_known last columns."""
    if not n_known:
        return len(values)
    measured = ~np.logical_and.reduce(np.isnan(values[:, :-n_known]), axis=1)
    return len(measured) - int(np.argmax(measured[::-1])) if measured.any() else 0


def _known_ahead(panel: Panel, series: int, ahead: Times, n_known: int) -> Floats:
    """H rows with what the panel knows of them, [H, C]; a column that never changes in a series stays as it is."""
    values = np.full((len(ahead), len(panel.columns)), np.nan)
    rows = panel.rows(series)
    own_times, own = panel.times[rows], panel.values[rows]
    place = np.minimum(np.searchsorted(own_times, ahead), len(own_times) - 1)
    there = own_times[place] == ahead
    for column in range(len(panel.columns) - n_known, len(panel.columns)):
        seen = own[~np.isnan(own[:, column]), column]
        values[there, column] = own[place[there], column]
        if len(seen) and (seen == seen[0]).all():
            values[:, column] = seen[0]
    return values
