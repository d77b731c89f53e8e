"""The rows and windows of the newest forecast: the H steps after the last row of each series."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np

from forecast.config import DataConfig
from forecast.data.clock import Clock, Times
from forecast.data.normals import HAR_SPANS
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Rows, encode
from forecast.data.scaling import Scaler
from forecast.data.windows import Ints, Windows, fewest_of, fill_forward
from forecast.errors import setting

# How a warning begins that some series have no forecast, and of how many of them it says why.
_NO_FORECAST, _NAMED = "there will be no forecast", 5

# What a warning says of a lookback with holes.
_CARRIED = "the last seen values are carried forward"

# Steps of all windows that are forecast at once: each has quantiles of every model.
_STEPS_AT_ONCE = 100_000


@dataclass(frozen=True)
class NewestRows:
    """The input of the newest forecast.

    Args:
        rows: The newest rows of each series, and H rows after them that hold only what is known ahead.
        windows: A window for each series that can be forecast; its lookback ends at the last row.
        refused: Why each other series cannot be forecast, one sentence each.
        filled: Where values were carried forward, one sentence each.
        carried: For how many rows before its cut-off each target of each window was not observed, [N, D].
    """

    rows: Rows
    windows: Windows
    refused: tuple[str, ...]
    filled: tuple[str, ...]
    carried: Ints

    def parts(self) -> Iterator[NewestRows]:
        """The same rows with some of the windows at a time, so that forecasts of many series take little memory."""
        size = max(1, _STEPS_AT_ONCE // self.windows.horizon)
        for first in range(0, len(self.windows), size):
            part = slice(first, first + size)
            windows = replace(self.windows, starts=self.windows.starts[part])
            yield replace(self, windows=windows, carried=self.carried[part])


def newest_rows(panel: Panel, config: DataConfig, scaler: Scaler) -> NewestRows:
    """The rows and windows of the newest forecast.

    A row that is absent from the lookback is filled from the row before it, as a missing value is. Training leaves out
    windows with a gap, for it has many; there is only one newest window. Known covariates must be given for each of
    the H steps, in rows after the last target.

    Args:
        panel: Arranged columns.
        config: The run's data configuration.
        scaler: The run's scaler.
    """
    lookback, horizon = config.lookback, config.horizon
    masked = config.least_observed < 1
    reach = rows_before_cutoff(config)
    least, fewest = lookback if masked else 0, fewest_of(lookback, config.least_observed)
    rows = encode(_newest_on_clock(panel, least, reach, horizon, len(config.known)), config, scaler)
    starts, refused, filled, carried = [], [], [], []
    issued = rows.know_ahead(np.asarray(rows.panel.offsets[1:]) - horizon - 1, horizon, config.least_observed)
    given = [column for column in range(rows.n_targets + rows.n_covariates, len(panel.columns)) if column not in issued]
    for series, end in enumerate(rows.panel.offsets[1:]):
        cutoff = end - horizon - 1
        start = cutoff - lookback + 1
        of_series = f" of series {panel.series_ids[series]!r}" if panel.n_series > 1 else ""
        measured = measured_rows(panel, series, len(config.known))
        n_rows = measured.stop - measured.start
        unknown = np.isnan(rows.panel.values[cutoff + 1 : end, given])
        seen = f"the last {lookback} rows{of_series} (the lookback)"
        if n_rows < lookback and not masked:
            refused.append(f"The newest forecast needs {lookback} rows{of_series} (the lookback), there are {n_rows}.")
        elif start < rows.panel.offsets[series] or len(np.unique(rows.panel.stretches()[start : cutoff + 1])) > 1:
            refused.append(f"A gap breaks {seen}.")
        elif masked and (there := _fewest_seen(rows.observed(np.arange(start, cutoff + 1)))) < fewest:
            refused.append(f"In {seen}, {there} values of the target are there; {fewest} are needed.")
        elif not rows.usable[start : cutoff + 1].all():
            bad = start + int(np.argmin(rows.usable[start : cutoff + 1]))
            missing = next(
                name
                for column, name in enumerate(panel.columns)
                if not fill_forward(rows.panel, config.longest_fill, column)[1][bad]
            )
            refused.append(
                f"In {seen}, {missing!r} is missing at {panel.clock.format(rows.panel.times[bad])} and for "
                f"{config.longest_fill} rows before."
            )
        elif (unknown.all(axis=0) if masked else unknown).any():
            step, column = np.argwhere(unknown)[0]
            refused.append(
                f"{panel.columns[given[column]]!r} must be known for the {horizon} steps ahead{of_series}, and is "
                f"missing at {panel.clock.format(rows.panel.times[cutoff + 1 + step])}: add rows that hold it, their "
                "target left empty."
            )
        elif untold := [panel.columns[column] for column, is_told in issued.items() if not is_told[series]]:
            refused.append(
                f"{untold[0]!r} must be known for the {horizon} steps ahead{of_series}, and what was issued of it by "
                f"{panel.clock.format(rows.panel.times[cutoff])} does not reach so far: give newer forecasts, or a "
                f"shorter {setting('horizon')}."
            )
        else:
            starts.append(start)
            holes = int(np.isnan(rows.panel.values[start : cutoff + 1]).any(axis=1).sum())
            carried.append(_rows_since_seen(rows.observed(np.arange(rows.panel.offsets[series], cutoff + 1))))
            if holes:
                until = int(carried[-1].max())
                last_seen = panel.clock.format(rows.panel.times[cutoff - until])
                at_the_end = f" to the end from {last_seen}: intervals are those of {until} more steps ahead"
                filled.append(f"{holes} of {seen} are absent or incomplete; {_CARRIED}{at_the_end if until else ''}")
    windows = Windows(np.array(starts, np.int64), lookback, horizon)
    more = len(filled) - _NAMED
    if more > 0:
        filled[_NAMED:] = [f"of {more} more series, too, rows are absent or incomplete; {_CARRIED}"]
    return NewestRows(rows, windows, tuple(refused), tuple(filled), np.reshape(carried, (len(starts), rows.n_targets)))


def rows_before_cutoff(config: DataConfig) -> int:
    """The rows up to a cut-off that a forecast and the naive ones beside it look at.

    Where windows may have holes, the seasonal naive may need the two seasons before, too.
    """
    reach = max(config.lookback, HAR_SPANS[-1] if config.volatility else 0)
    if config.least_observed < 1:
        return max(reach, 3 * config.season)
    return max(reach, config.season) + config.longest_fill


def forecast_warnings(newest: NewestRows) -> tuple[str, ...]:
    """Warnings about the forecast of what follows the last rows: that there will be none, or none of some series."""
    refused, n_series = newest.refused, newest.rows.panel.n_series
    if not refused:
        return newest.filled
    what = _NO_FORECAST + (f" of {len(refused)} of {n_series} series" if n_series > 1 else "")
    more = f" And {len(refused) - _NAMED} more." if len(refused) > _NAMED else ""
    return (f"{what}. {' '.join(refused[:_NAMED])}{more}", *newest.filled)


def why_no_forecast(warnings: Sequence[str]) -> str:
    """Why no forecast follows the rows that a run was trained on, from the warnings that it keeps; empty if unknown."""
    return next((text.partition(". ")[2] for text in warnings if text.startswith(_NO_FORECAST)), "")


def carried_forward(warnings: Sequence[str]) -> tuple[str, ...]:
    """What the warnings that a run keeps say of values that were carried forward into its newest forecast."""
    return tuple(text for text in warnings if _CARRIED in text)


def _fewest_seen(targets: Floats) -> int:
    """In how many rows [T, D] the target that is observed least often was observed."""
    return int((~np.isnan(targets)).sum(axis=0).min())


def _rows_since_seen(targets: Floats) -> Ints:
    """How many rows of targets [T, D] follow the last one that is not NaN, [D]."""
    return np.argmax(~np.isnan(targets[::-1]), axis=0)


def _newest_on_clock(panel: Panel, least: int, reach: int, horizon: int, n_known: int) -> Panel:
    """The last ``reach`` steps of each series on the clock, NaN where a row is absent, and H steps after them.

    Rows of NaN stand before a series of fewer than ``least`` steps. Of the H steps only the last ``n_known`` columns
    have values.
    """
    values, times, offsets = [], [], [0]
    future = cache(partial(panel.clock.future, steps=horizon))  # nearly all series end at the same time
    for series in range(panel.n_series):
        rows = measured_rows(panel, series, n_known)
        ahead = future(panel.times[rows.stop - 1])
        own_times, own = panel.times[rows][-reach:], panel.values[rows][-reach:]
        if least and n_known:  # what is known is carried forward from however long ago
            own = np.vstack([_last_known(panel.values[rows][: 1 - len(own) or None], n_known), own[1:]])
        if panel.clock.unit != "B":  # on business days an absent row is a holiday
            own_times, own = _with_absent_rows(own_times, own, panel.clock, reach)
        if len(own) < least:
            before = panel.clock.past(own_times[0], least - len(own) + 1)[:-1]
            own_times = np.concatenate([before, own_times])
            own = np.concatenate([np.full((len(before), own.shape[1]), np.nan), own])
        values += [own, _known_ahead(panel, series, ahead, n_known)]
        times += [own_times, ahead]
        offsets.append(offsets[-1] + len(own) + horizon)
    return replace(panel, values=np.concatenate(values), times=np.concatenate(times), offsets=tuple(offsets))


def _with_absent_rows(times: Times, values: Floats, clock: Clock, reach: int) -> tuple[Times, Floats]:
    """The rows of one series in its last ``reach`` steps, with a row of NaN for each that is absent between them.

    Args:
        times: Timestamps [T].
        values: [T, C].
        clock: Their clock.
        reach: Steps, at most.
    """
    absent = np.diff(clock.ordinals(times)) - 1
    absent[clock.is_closed_for(absent)] = 0
    if not absent.any():
        return times, values
    position = np.concatenate([[0], np.cumsum(absent + 1)])
    first = int(np.searchsorted(position, position[-1] - reach, side="right"))
    times, values, position, absent = times[first:], values[first:], position[first:] - position[first], absent[first:]
    all_times = np.empty(position[-1] + 1, times.dtype)
    all_times[position] = times
    for row in np.flatnonzero(absent):
        begin = position[row] + 1
        all_times[begin : begin + absent[row]] = clock.absent(times[row], int(absent[row]))
    all_values = np.full((len(all_times), values.shape[1]), np.nan)
    all_values[position] = values
    return all_times, all_values


def measured_rows(panel: Panel, series: int, n_known: int) -> slice:
    """The rows of a series up to the last measured one; rows after it hold only what is known ahead."""
    rows = panel.rows(series)
    if not n_known:
        return rows
    # If nothing is measured at all, no row is taken for one of the future.
    return slice(rows.start, rows.start + (count_measured(panel.values[rows], n_known) or rows.stop - rows.start))


def count_measured(values: Floats, n_known: int) -> int:
    """Number of rows of a series [T, C] up to the last one with a value outside its ``n_known`` last columns."""
    if not n_known:
        return len(values)
    measured = ~np.logical_and.reduce(np.isnan(values[:, :-n_known]), axis=1)
    return len(measured) - int(np.argmax(measured[::-1])) if measured.any() else 0


def _last_known(values: Floats, n_known: int) -> Floats:
    """The last of some rows [T, C], in which what is known and missing is the last value before it, [C]."""
    last = values[-1].copy()
    for column in range(values.shape[1] - n_known, values.shape[1]):
        seen = values[~np.isnan(values[:, column]), column]
        last[column] = seen[-1] if len(seen) else np.nan
    return last


def _known_ahead(panel: Panel, series: int, ahead: Times, n_known: int) -> Floats:
    """What is known of H future rows, [H, C]; a known column that never changes in a series keeps its value."""
    values = np.full((len(ahead), len(panel.columns)), np.nan)
    rows = panel.rows(series)
    own_times, own = panel.times[rows], panel.values[rows]
    position = np.minimum(np.searchsorted(own_times, ahead), len(own_times) - 1)
    given = own_times[position] == ahead
    for column in range(len(panel.columns) - n_known, len(panel.columns)):
        seen = own[~np.isnan(own[:, column]), column]
        values[given, column] = own[position[given], column]
        if len(seen) and (seen == seen[0]).all():
            values[:, column] = seen[0]
    return values
