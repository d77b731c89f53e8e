"""The errors that are usual: how large those of each series are, and how they are distributed.

A row is judged by three expectations. One step ahead a spike is seen; far ahead, which is a season, what came slowly;
by the median of the same phase of the seven seasons before, what came more slowly than that.

The errors are those of rows that the network was not trained on: of the validation span for rows of the test span, and
of the test span, which the run holds, for later ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from forecast.config import DataConfig
from forecast.data.clock import Times
from forecast.data.panel import Floats
from forecast.data.prepare import Rows
from forecast.data.windows import Flags, Ints, Windows, median
from forecast.errors import DataError
from forecast.model import Model
from forecast.outliers.distribution import FEWEST_ERRORS, ErrorDistribution
from forecast.runs.run import Run

# Suspect rows in sequence after which a level is taken for the new one. It is more than a spike of two rows, and as
# few as possible: until then each row is judged by a forecast from farther back.
MOST_SUSPECT = 3

# Rows after which an error has half its weight in the size of the errors of each expectation: those of forecasts as in
# `intervals/sizes.py`, those of the median, which last for days, ten times as long. An error counts at most so many
# sizes in it, so that an anomaly does not hide the next one. The size is at least this share of the usual one.
_SHARES = 1 - 0.5 ** (1 / np.array([[50.0], [50.0], [500.0]]))
_MOST_SIZES = 4.0
_LEAST_SIZE = 0.2

# Seasons of which the median is taken, and how many of them must have a value.
_SEASONS, _FEWEST_SEASONS = 7, 4

# The median is left out where its errors are larger than those far ahead by more than this. About a level they are 1.1
# times as large; of a random walk, which it says nothing of, twice.
_NO_SEASON = 1.5

# A distribution of its own needs so many errors: with fewer, a series has that of all series.
_OWN = 200

# The size of errors where there is none: not zero, to divide by.
_NO_SIZE = 1e-100

# Where the errors of the three expectations stand among those of all leads: near, far, by the season.
_JUDGED = [0, -2, -1]

# Errors that are kept of all series together; more of them change nothing.
_MOST_ERRORS = 100_000


@dataclass(frozen=True)
class UsualErrors:
    """The usual errors of one series, transformed as the network's targets are, per lead and target.

    Args:
        sizes: Mean absolute error of the three expectations: near, far, by the season, [3, D].
        growth: How much larger they are 1 … K + 1 steps ahead than one step ahead, K being `MOST_SUSPECT`, [K + 1, D].
        distributions: Those of the errors in multiples of their recent size, [3][D].
        has_season: Whether the season tells anything, [D].
        logged: Whether errors are those of logarithms.
    """

    sizes: Floats
    growth: Floats
    distributions: tuple[tuple[ErrorDistribution, ...], ...]
    has_season: Flags
    logged: bool


def leads_of(config: DataConfig) -> Ints:
    """The steps ahead that are judged: 1 … K + 1, and far ahead, which is a season, or the horizon if that is shorter.

    A season of hours is a day. Of a short horizon the last step stands for those beyond it, [K + 2].
    """
    return np.minimum([*range(1, MOST_SUSPECT + 2), max(config.season, 1)], config.horizon)


def updated_size(size: Floats, usual: Floats, absolute: Floats) -> Floats:
    """The recent size of errors after one more; one that is NaN tells nothing."""
    clipped = np.minimum(absolute, _MOST_SIZES * size)
    return np.maximum(np.where(np.isnan(absolute), size, size + _SHARES * (clipped - size)), _LEAST_SIZE * usual)


def seasonal_medians(places: Ints, values: Floats, season: int) -> Floats:
    """The median of the values at the same phase of the seven seasons before each, [n, D]; NaN of too few.

    Args:
        places: Steps of the clock, ascending, [n].
        values: [n, D].
        season: m.
    """
    if season < 2 or not len(places):
        return np.full(values.shape, np.nan)
    back = places[:, None] - season * np.arange(1, _SEASONS + 1)
    at = np.minimum(np.searchsorted(places, back), len(places) - 1)
    before = np.where((places[at] == back)[..., None], values[at], np.nan)  # [n, seasons, D]
    ordered = np.sort(before, axis=1)  # NaN last
    count = (~np.isnan(before)).sum(axis=1)
    middle = np.maximum([(count - 1) // 2, count // 2], 0)
    low, high = (np.take_along_axis(ordered, rank[:, None], axis=1)[:, 0] for rank in middle)
    return np.where(count >= _FEWEST_SEASONS, (low + high) / 2, np.nan)


def usual_errors(run: Run, rows: Rows, errors: Mapping[str, Floats]) -> list[UsualErrors]:
    """The usual errors of each series of some rows; of one that has none, those of all series for its own spread.

    Args:
        run: A run.
        rows: Rows of some series.
        errors: By name of a series, its errors in order of time at `leads_of` and by the season, [n, K + 3, D].

    Raises:
        DataError: If there are too few.
    """
    n_targets, spread = rows.n_targets, rows.scaler.scale[:, : rows.n_targets]
    nothing = np.zeros((0, MOST_SUSPECT + 3, n_targets))
    by_series = [errors.get(name, nothing) for name in rows.panel.series_ids]
    by_series = [own if np.isfinite(own[:, :-1]).any(axis=0).all() else nothing for own in by_series]
    n_errors = sum(map(len, by_series))
    if n_errors < FEWEST_ERRORS:
        raise DataError(
            f"{run.name} has {n_errors} forecasts of rows that it was not trained on: too few to say what is usual.",
            f"{FEWEST_ERRORS} are needed: train it on more rows.",
        )
    means = np.array([_mean_sizes(own) for own in by_series])  # [S, K + 3, D]
    known = np.isfinite(means)
    counts = known.sum(axis=0)
    relative = np.where(known, means / spread[:, None], 0).sum(axis=0) / np.maximum(counts, 1)
    usual = np.where(means > 0, means, np.maximum(relative * spread[:, None], _NO_SIZE))
    scaled = [_in_sizes(own[:, _JUDGED], of_own[_JUDGED]) for own, of_own in zip(by_series, usual, strict=True)]
    has_season = (counts[-1] > 0) & (usual[:, -1] <= _NO_SEASON * usual[:, -2])
    of_all = np.concatenate(scaled)
    pooled = _distributions(of_all, of_all)
    return [
        UsualErrors(
            sizes[_JUDGED],
            sizes[: MOST_SUSPECT + 1] / sizes[0],
            _distributions(own, of_all) if len(own) >= _OWN else pooled,
            by_season,
            rows.logged,
        )
        for sizes, own, by_season in zip(usual, scaled, has_season, strict=True)
    ]


def _mean_sizes(errors: Floats) -> Floats:
    """The mean of the absolute errors [n, K + 3, D] that are known, [K + 3, D]; NaN where none is."""
    known = np.isfinite(errors)
    return np.where(known, np.abs(errors), 0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)


def _distributions(errors: Floats, of_all: Floats) -> tuple[tuple[ErrorDistribution, ...], ...]:
    """Those of each expectation and target of errors [n, 3, D]; of all series' errors where too few are known."""

    def chosen(lead: int, target: int) -> ErrorDistribution:
        own = errors[:, lead, target]
        own = own if np.isfinite(own).sum() >= FEWEST_ERRORS else of_all[:, lead, target]
        return ErrorDistribution.fit(own if np.isfinite(own).sum() >= FEWEST_ERRORS else np.zeros(FEWEST_ERRORS))

    return tuple(tuple(chosen(lead, d) for d in range(errors.shape[2])) for lead in range(errors.shape[1]))


def errors_of_windows(rows: Rows, model: Model, windows: Windows, config: DataConfig) -> dict[str, Floats]:
    """The errors of the newest windows of each series, [n, K + 3, D], by its name.

    Args:
        rows: The rows that the windows point into.
        model: Which was not trained on them.
        windows: Those of the validation span.
        config: The run's data configuration.
    """
    series, leads, medians = rows.series[windows.starts], leads_of(config) - 1, medians_of(rows, config.season)
    most, result = max(_OWN, _MOST_ERRORS // rows.panel.n_series), {}
    for number, name in enumerate(rows.panel.series_ids):
        own = replace(windows, starts=windows.starts[series == number][-most:])
        if len(own):
            y_true = rows.observed(own.future())
            forecasts, by_season = median(model.forecast(rows, own.starts)), medians[own.cutoffs + 1][:, None]
            expected, y_true = np.hstack([forecasts[:, leads], by_season]), y_true[:, [*leads, 0]]
            expected = rows.bounds.unwrap_towards(expected, y_true, rows.series[own.starts])
            result[name] = _errors(y_true, expected, rows.logged)
    return result


def medians_of(rows: Rows, season: int) -> Floats:
    """The `seasonal_medians` of the targets, [T, D]."""
    clock, targets = rows.panel.clock, rows.panel.values[:, : rows.n_targets]
    spans = map(rows.panel.rows, range(rows.panel.n_series))
    return np.concatenate(
        [seasonal_medians(clock.ordinals(rows.panel.times[own]), targets[own], season) for own in spans]
    )


def errors_of_test_span(run: Run, rows: Rows) -> dict[str, Floats]:
    """The same of the forecasts of its test span that a run holds, of those of its series that are among the rows."""
    table, horizon, clock = run.test_forecasts, run.config.data.horizon, rows.panel.clock
    leads = leads_of(run.config.data) - 1
    by_id = {str(name): part for name, part in table.groupby("unique_id", sort=False)}
    result = {}
    for series, (series_id, names) in enumerate(zip(rows.panel.series_ids, rows.unique_ids, strict=True)):
        if any(name not in by_id for name in names):
            continue
        y_true, forecasts = (
            np.stack([by_id[name][column].to_numpy().reshape(-1, horizon) for name in names], axis=-1)
            for column in ("y", run.config.network.model)
        )
        times = _times_of(by_id[names[0]]["ds"])
        places, firsts = np.unique(clock.ordinals(times), return_index=True)
        values = np.stack([by_id[name]["y"].to_numpy()[firsts] for name in names], axis=-1)
        medians = seasonal_medians(places, values, run.config.data.season)
        by_season = medians[np.searchsorted(places, clock.ordinals(times[::horizon]))][:, None]
        forecasts, y_true = np.hstack([forecasts[:, leads], by_season]), y_true[:, [*leads, 0]]
        forecasts = rows.bounds.unwrap_towards(forecasts, y_true, np.full(len(y_true), series))
        result[series_id] = _errors(y_true, forecasts, rows.logged)
    return result


def _times_of(ds: pd.Series) -> Times:
    """Times as panels keep them, of those in a table."""
    naive = ds.dt.tz_convert(None) if isinstance(ds.dtype, pd.DatetimeTZDtype) else ds
    return naive.to_numpy().astype("datetime64[us]")


def _errors(y_true: Floats, forecasts: Floats, logged: bool) -> Floats:
    return np.log(y_true) - np.log(forecasts) if logged else y_true - forecasts


def _in_sizes(errors: Floats, usual: Floats) -> Floats:
    """Errors in order of time [n, leads, D] in multiples of their recent size, as it was known before each."""
    size, scaled = usual, np.empty_like(errors)
    for number, error in enumerate(errors):
        scaled[number] = error / size
        size = updated_size(size, usual, np.abs(error))
    return scaled
