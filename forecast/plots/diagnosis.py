"""Diagnosis of a run's errors: when they are large, what they depend on, and whether they follow a pattern."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.clock import Clock, Times
from forecast.data.panel import Floats
from forecast.evaluation.significance import SIGNIFICANT
from forecast.evaluation.yardstick import ROUNDING, read_naive_errors

_HOURS = tuple(f"{hour:02d}" for hour in range(24))
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# Of each part of a time stamp: the whole that it divides.
WHOLES = {"hour": "day", "weekday": "week", "month": "year"}

# Orders drawn to find what chance explains.
_ORDERS = 499

# A p-value that is not at least as small tells nothing when hours, weekdays and months are all looked at.
_SMALLEST_CHANCE = SIGNIFICANT / 3

# Forecasts are sorted by their value into so many groups of one size; each needs some to have a mean.
_GROUPS, _LEAST_IN_GROUP = 10, 5


@dataclass(frozen=True)
class ClockErrors:
    """Mean absolute errors by a part of the time stamp.

    Args:
        part: "hour", "weekday" or "month".
        names: The G hours, weekdays or months that were forecast.
        errors: By model, [G].
        n_wholes: How many days have all of these hours, weeks all weekdays, or years all months.
        p_value: The chance that the first model's errors would differ at least as much between them if none of them
            were special; NaN where so few wholes could not show anything.
    """

    part: str
    names: tuple[str, ...]
    errors: Mapping[str, Floats]
    n_wholes: int
    p_value: float


def errors_by_clock(
    forecasts: pd.DataFrame, models: Sequence[str], clock: Clock, scale: Mapping[str, float] | None = None
) -> Iterator[ClockErrors]:
    """Errors by hour, weekday and month, where the clock has them and the test span holds several.

    Args:
        forecasts: Long format.
        models: Columns of it, the judged model first.
        clock: The clock of the rows.
        scale: What each unique id's errors are divided by; None to leave them in their own units. Ids without a
            positive number are left out.
    """
    if scale is not None:
        of_row = forecasts["unique_id"].map({name: error for name, error in scale.items() if error > 0})
        forecasts = forecasts.loc[of_row.notna(), ["ds", "y", *models]]  # other columns would take their memory twice
        scales = of_row.dropna().to_numpy(float)
    else:
        scales = np.ones(len(forecasts))
    observed = forecasts["y"].to_numpy(float)
    errors = {model: np.abs(forecasts[model].to_numpy(float) - observed) / scales for model in models}
    seen = ~np.isnan(observed)
    for part, names, numbers, wholes in _parts(pd.DatetimeIndex(forecasts["ds"]), clock):
        counts = np.bincount(numbers[seen], minlength=len(names))
        observed_in = np.flatnonzero(counts)
        if len(observed_in) > 1:
            in_these = counts[numbers] > 0
            table = _means_by_whole(
                np.searchsorted(observed_in, numbers[in_these]), wholes[in_these], errors[models[0]][in_these]
            )
            yield ClockErrors(
                part,
                tuple(names[number] for number in observed_in),
                {model: np.bincount(numbers[seen], of_model[seen])[observed_in] / counts[observed_in]
                 for model, of_model in errors.items()},
                len(table),
                _chance_of_pattern(table),
            )  # fmt: skip


def _means_by_whole(numbers: np.ndarray, wholes: np.ndarray, errors: Floats) -> Floats:
    """Mean errors by hour of each day that has all of them, by weekday of each week, or by month of each year, [B, G].

    Of a day of which half of the hours were observed, those that were not have the mean of the others: they are then
    special on no day.

    Args:
        numbers: The hour, weekday or month of each error, 0 … G - 1, [n].
        wholes: The day, week or year of each, [n].
        errors: [n]; NaN where nothing was observed.
    """
    which, size = wholes - wholes.min(), int(numbers.max()) + 1
    cells, n_cells = which * size + numbers, (int(which.max()) + 1) * size
    seen = ~np.isnan(errors)
    forecast, observed = (np.bincount(of, minlength=n_cells).reshape(-1, size) for of in (cells, cells[seen]))
    kept = (forecast > 0).all(axis=1) & (2 * (observed > 0).sum(axis=1) >= size)
    sums, counts = np.bincount(cells[seen], errors[seen], n_cells).reshape(-1, size)[kept], observed[kept]
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return np.where(np.isnan(means), np.nanmean(means, axis=1, keepdims=True), means)


def _chance_of_pattern(table: Floats) -> float:
    """The p-value of means that differ between the columns of [B, G]; NaN where B rows could not make it small.

    Each row is turned by a random number of columns: that keeps how errors follow one another within a day and how days
    differ, and moves what belongs to one hour.
    """
    n_rows, size = table.shape
    if float(size) ** (1 - n_rows) > _SMALLEST_CHANCE:
        return math.nan
    own = table - table.mean(axis=1, keepdims=True)
    draws = np.random.default_rng(0)

    def differences(rows: Floats) -> float:
        return float((rows.mean(axis=0) ** 2).sum())

    turned = [
        differences(np.take_along_axis(own, (np.arange(size) + draws.integers(size, size=(n_rows, 1))) % size, axis=1))
        for _ in range(_ORDERS)
    ]
    return (1 + sum(by_chance >= differences(own) for by_chance in turned)) / (1 + _ORDERS)


def _parts(times: pd.DatetimeIndex, clock: Clock) -> Iterator[tuple[str, tuple[str, ...], np.ndarray, np.ndarray]]:
    """Hour, weekday and month of each time, as far as the clock has them, with the day, week or year that it is in."""
    days = times.tz_localize(None).to_numpy().astype("datetime64[D]").astype(np.int64)
    step = clock.step.astype("timedelta64[us]")
    if step < np.timedelta64(1, "D"):
        yield "hour", _HOURS, times.hour.to_numpy(), days
    if step < np.timedelta64(7, "D"):
        yield "weekday", _WEEKDAYS, times.day_of_week.to_numpy(), (days + 3) // 7  # 1970 began on a Thursday
    if step < np.timedelta64(80, "D"):
        yield "month", _MONTHS, times.month.to_numpy() - 1, times.year.to_numpy().astype(np.int64)


@dataclass(frozen=True)
class Residuals:
    """What was observed minus what was forecast, of one series.

    Args:
        times: When the values of the first step ahead were observed, as the axis shows it, [n].
        first: Their residuals, [n].
        every: The residuals of all steps ahead, [N].
        lags: Lags in steps of the clock, ascending, [K].
        autocorrelation: Of the first step's residuals, [K]; NaN where it is undefined.
        bounds: Within ± these lie nineteen of twenty autocorrelations of residuals without any pattern; wider where a
            gap leaves fewer pairs.
        is_still: Whether what was observed never changes, so that residuals show the model's own swings.
    """

    times: Times
    first: Floats
    every: Floats
    lags: list[int]
    autocorrelation: Floats
    bounds: Floats
    is_still: bool

    @property
    def outside(self) -> int:
        """How many autocorrelations lie outside their bound."""
        return int((np.abs(self.autocorrelation) > self.bounds).sum())


def residuals_of(rows: pd.DataFrame, model: str, horizon: int, clock: Clock, season: int) -> Residuals:
    """The residuals of a model on one series.

    The first step's are the ones to look for a pattern in: those farther ahead overlap, and so correlate by themselves.

    Args:
        rows: ``ds, y, <model>`` of one series, H rows for each cut-off, ascending; with a zone if the clock has one.
        model: The column.
        horizon: H.
        clock: The clock of the rows.
        season: m; the lags reach over two seasons.
    """
    observed = rows["y"].to_numpy(float)
    every = observed - rows[model].to_numpy(float)
    first, stamps = every[::horizon], rows["ds"].iloc[::horizon]
    times, utc = stamps, stamps
    if clock.is_zoned:  # where one hour stands twice on the wall
        times, utc = stamps.dt.tz_localize(None), stamps.dt.tz_convert(None)
    ordinals = clock.ordinals(utc.to_numpy().astype("datetime64[us]"))
    apart = int(np.diff(ordinals).min()) if len(ordinals) > 1 else 1  # a very long test span is kept in parts
    span = int(ordinals[-1] - ordinals[0]) // apart + 1 if len(ordinals) else 1
    wanted = max(24, min(2 * season, 400)) // apart
    count = min(max(wanted, 10), span // 4)
    correlation, pairs = _autocorrelation(first, (ordinals - ordinals[:1]) // apart, count)
    bounds = 1.96 / np.sqrt(np.maximum(pairs, 1))
    lags = [apart * lag for lag in range(1, count + 1)]
    return Residuals(times.to_numpy(), first, every, lags, correlation, bounds, _is_still(observed))


def _is_still(values: Floats) -> bool:
    """Whether the values that are known are one value, but for rounding."""
    known = values[np.isfinite(values)]
    return len(known) > 1 and bool(np.ptp(known) <= ROUNDING * np.abs(known).max())


def _autocorrelation(values: Floats, steps: np.ndarray, lags: int) -> tuple[Floats, Floats]:
    """The autocorrelation of values at these steps at lags 1 … ``lags``, NaN where there is no pair; pairs of each lag.

    Args:
        values: [n]; NaN where nothing is known.
        steps: When they were observed, ascending from 0, [n]; some may be absent.
        lags: The longest lag.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    known = np.isfinite(values)
    if lags < 1 or not known.any():
        return np.full(lags, np.nan), np.zeros(lags)
    size = int(steps[-1]) + 1
    centred, present = np.zeros(size), np.zeros(size)
    centred[steps[known]] = values[known] - values[known].mean()
    present[steps[known]] = 1.0
    variance = (centred**2).sum() / known.sum()
    length = next_fast_len(size + lags, real=True)  # so that the end meets only zeros
    pairs, products = (irfft(np.abs(rfft(signal, length)) ** 2, length)[1 : lags + 1] for signal in (present, centred))
    pairs = np.rint(pairs)
    if variance == 0:
        return np.full(lags, np.nan), pairs
    return np.where(pairs > 0, products / np.maximum(pairs, 1) / variance, np.nan), pairs


@dataclass(frozen=True)
class Reliability:
    """Mean observations against mean forecasts, by groups of nearly equal forecasts.

    Args:
        forecast: Mean forecast of each group, [G].
        observed: Mean of what was observed then, [G].
        slope: Of the straight line through all pairs; 1 is right, below 1 the forecasts swing too far. NaN if forecasts
            or observations are constant.
        bias: Mean of forecast minus observed.
        is_still: Whether what was observed never changes.
    """

    forecast: Floats
    observed: Floats
    slope: float
    bias: float
    is_still: bool


def reliability_of(rows: pd.DataFrame, model: str) -> Reliability:
    """The reliability of a model's forecasts: the mean observation of each group of nearly equal forecasts.

    Args:
        rows: ``y, <model>`` of one series.
        model: The column.

    Reference: Mincer & Zarnowitz 1969.
    """
    pairs = rows[["y", model]].to_numpy(float)
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    if not len(pairs):
        return Reliability(np.zeros(0), np.zeros(0), math.nan, math.nan, is_still=False)
    observed, forecast = pairs[np.argsort(pairs[:, 1], kind="stable")].T
    groups = max(1, min(_GROUPS, len(pairs) // _LEAST_IN_GROUP))
    edges = np.linspace(0, len(pairs), groups + 1).round().astype(int)
    means = np.array([[values[a:b].mean() for a, b in pairwise(edges)] for values in (forecast, observed)])
    centred, is_still = forecast - forecast.mean(), _is_still(observed)
    power = float(centred @ centred)
    slope = math.nan if is_still or _is_still(forecast) or power == 0 else float(centred @ observed) / power
    return Reliability(means[0], means[1], slope, float((forecast - observed).mean()), is_still)


@dataclass(frozen=True)
class Diagnosis:
    """What was found in the errors of a run.

    Args:
        by_clock: Errors by hour, weekday and month, where there are several of them.
        scaled: Whether those errors are divided by each series' naive error, as in MASE.
        residuals: Of the model, by unique id.
        reliability: By unique id and model.
    """

    by_clock: tuple[ClockErrors, ...]
    scaled: bool
    residuals: Mapping[str, Residuals]
    reliability: Mapping[str, Mapping[str, Reliability]]


def diagnose(forecasts: pd.DataFrame, metrics: Mapping[str, Any], clock: Clock, names: Sequence[str]) -> Diagnosis:
    """Diagnose the errors of a run.

    Args:
        forecasts: Of its test span, long format.
        metrics: Its scores.
        clock: The clock of its rows.
        names: The unique ids to diagnose one by one; those without a forecast are left out.
    """
    model, season, horizon = metrics["model"], metrics["season"], metrics["horizon"]
    networks = [name for name in (model, "rnn") if name in forecasts]
    scaled = metrics["skill_of"] == "MASE"
    scale = {name: error.mae for name, error in read_naive_errors(metrics).items()} if scaled else None
    groups = forecasts.groupby("unique_id", sort=False)
    rows = {name: groups.get_group(name) for name in names if name in groups.groups}
    return Diagnosis(
        tuple(errors_by_clock(forecasts, [name for name in metrics["models"] if name in forecasts], clock, scale)),
        scaled,
        {name: residuals_of(rows[name], model, horizon, clock, season) for name in rows},
        {name: {network: reliability_of(rows[name], network) for network in dict.fromkeys(networks)} for name in rows},
    )
