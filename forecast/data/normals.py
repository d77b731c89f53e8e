"""What the training rows say of each target for all time: its means, how often it is zero, its climatology.

The naive forecasts that remember no newest row are made from it. The word is the weather services': climate normals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from forecast.data.clock import Times
from forecast.data.panel import Floats, Panel

# Of all constants, zero has the least mean absolute error where at least half of the values are zero.
SPARSE = 0.5

# Days before and after a day of the year that its climatology is the mean of, over all training years.
_DAYS_ASIDE = 7

_DAYS_IN_YEAR = 366

# A yearly cycle is one if the climatology of the years before explains at least this share of the last year's variance.
_LEAST_EXPLAINED = 0.2

# More means than these would make the file of a run's scaler large.
_MOST_MEANS = 200_000

# Steps of a season differ if their means explain at least this share of the training rows' variance, beyond what as
# many means explain of noise; and of fewer seasons nothing can be said.
_LEAST_SEASONAL, _FEWEST_SEASONS = 0.02, 3

# What the heterogeneous autoregression knows: the newest value, and the means of a week and of a month of business
# days; and the windows that it is fitted to, at least, more than ten for each of its numbers.
HAR_SPANS, _FEWEST_HAR = (1, 5, 22), 50

# A value so many interquartile ranges from the median is an error, and counts in no mean: a million among a thousand
# values of noise would make their mean a forecast that anything beats.
_ERROR = 20


@dataclass(frozen=True)
class Normals:
    """The normals of S series and D targets.

    Args:
        mean: Of the training rows, [S, D]; NaN where nothing was observed in them.
        sparse: Whether at least half of the observed training values of all series are zero.
        climatology: Mean of each day of the year and the days around it, [S, D, 366]; None where it does not apply.
        seasonal: Mean at each phase of the season (see `Clock.phases`), [S, D, m]; None where phases do not differ.
        har: The weights of `har_inputs` in the logarithm at each step, [S, D, 4, H]; None of targets that are no
            volatilities.
    """

    mean: Floats
    sparse: bool
    climatology: Floats | None
    seasonal: Floats | None = None
    har: Floats | None = None

    def of_series(self, order: NDArray[np.int64]) -> Normals:
        """The normals of these series, in this order."""
        others = (None if means is None else means[order] for means in (self.climatology, self.seasonal, self.har))
        return Normals(self.mean[order], self.sparse, *others)

    def to_record(self) -> dict[str, Any]:
        """The normals as values of JSON; `from_record` reverses it to the last bit."""
        return {
            "mean": [[None if np.isnan(value) else value for value in row] for row in self.mean.tolist()],
            "sparse": self.sparse,
            "climatology": None if self.climatology is None else self.climatology.tolist(),
            "seasonal": None if self.seasonal is None else self.seasonal.tolist(),
            **({} if self.har is None else {"har": self.har.tolist()}),
        }

    @classmethod
    def from_record(cls, record: SavedNormals, n_series: int) -> Normals:
        """The normals that `to_record` wrote.

        Raises:
            ValueError: If their shapes do not fit each other, or the number of series.
        """
        mean = np.array([[np.nan if value is None else value for value in row] for row in record.mean], np.float64)
        climatology, seasonal, har = (
            None if means is None else np.array(means, np.float64)
            for means in (record.climatology, record.seasonal, record.har)
        )
        fits = climatology is None or climatology.shape == (*mean.shape, _DAYS_IN_YEAR)
        fits &= seasonal is None or seasonal.shape[:-1] == mean.shape
        fits &= har is None or har.shape[:-1] == (*mean.shape, 1 + len(HAR_SPANS))
        if mean.ndim != 2 or len(mean) != n_series or not fits:
            raise ValueError("it has not one normal for each series and target")
        return cls(mean, record.sparse, climatology, seasonal, har)


class SavedNormals(BaseModel):
    """Normals as they stand in a run's scaler.json."""

    model_config = ConfigDict(extra="forbid", strict=True)
    mean: list[list[FiniteFloat | None]]
    sparse: bool
    climatology: list[list[Annotated[list[FiniteFloat], Field(min_length=366, max_length=366)]]] | None
    seasonal: list[list[list[FiniteFloat]]] | None = None  # an earlier version did not write it
    har: list[list[list[list[FiniteFloat]]]] | None = None


def join_normals(first: Normals, others: Sequence[Normals]) -> Normals:
    """The normals of all series of some normals, those of the first before the others'.

    Which normals there are, the first says. Others that lack a mean of each day or phase have their mean there.
    """

    def joined(of_first: Floats | None, of_others: list[Floats | None]) -> Floats | None:
        if of_first is None:
            return None
        own = [
            np.broadcast_to(other.mean[..., None], (*other.mean.shape, of_first.shape[-1])) if means is None else means
            for other, means in zip(others, of_others, strict=True)
        ]
        return np.concatenate([of_first, *own])

    return replace(
        first,
        mean=np.concatenate([first.mean, *(other.mean for other in others)]),
        climatology=joined(first.climatology, [other.climatology for other in others]),
        seasonal=joined(first.seasonal, [other.seasonal for other in others]),
        har=None if first.har is None else np.concatenate([n.har for n in (first, *others) if n.har is not None]),
    )


def fit_normals(
    panel: Panel, training_rows: NDArray[np.bool_], n_targets: int, season: int, har_steps: int = 0
) -> Normals:
    """The normals of the first columns of a panel, from its training rows alone.

    Args:
        panel: S series of T rows in all, targets first.
        training_rows: Which rows belong to the training span, [T].
        n_targets: D.
        season: m.
        har_steps: H, if the targets are volatilities.
    """
    har = _har(panel, training_rows, n_targets, har_steps) if har_steps else None
    panel = _without_errors(panel, training_rows, n_targets)
    mean = np.full((panel.n_series, n_targets), np.nan)
    n_zeros = n_seen = 0
    for series in range(panel.n_series):
        rows = panel.rows(series)
        seen = panel.values[rows, :n_targets][training_rows[rows]]
        known = ~np.isnan(seen)
        count = known.sum(axis=0)
        np.divide(np.nansum(seen, axis=0), count, out=mean[series], where=count > 0)
        n_zeros += int((seen == 0).sum())
        n_seen += int(count.sum())
    return Normals(
        mean,
        n_seen > 0 and n_zeros >= SPARSE * n_seen,
        _climatology(panel, training_rows, mean),
        _seasonal(panel, training_rows, mean, season),
        har,
    )


def har_inputs(logs: Floats) -> Floats:
    """One, and the means of the last 1, 5 and 22 of logarithms [..., 22] that are known, [..., 4]."""
    return np.stack([np.ones(logs.shape[:-1]), *(np.nanmean(logs[..., -n:], axis=-1) for n in HAR_SPANS)], axis=-1)


def _har(panel: Panel, training_rows: NDArray[np.bool_], n_targets: int, horizon: int) -> Floats:
    """The heterogeneous autoregression of logarithms [S, D, 4, H], by least squares for each step.

    Half of the variance that it leaves is added, so that its exponential is the mean of a lognormal value.

    Reference: Corsi 2009.
    """
    month, stretches = HAR_SPANS[-1], panel.stretches()
    weights = np.zeros((panel.n_series, n_targets, 1 + len(HAR_SPANS), horizon))
    weights[:, :, 1] = 1.0  # the last value, where too few rows tell more
    for series, target in np.ndindex(weights.shape[:2]):
        rows = panel.rows(series)
        own = np.flatnonzero(training_rows[rows]) + rows.start
        if len(own) < month + horizon + _FEWEST_HAR:
            continue
        logs = np.lib.stride_tricks.sliding_window_view(np.log(panel.values[own, target]), month + horizon)
        unbroken = stretches[own[: len(logs)]] == stretches[own[-len(logs) :]]
        logs = logs[unbroken & ~np.isnan(logs).any(axis=1)]
        if len(logs) >= _FEWEST_HAR:
            x, y = har_inputs(logs[:, :month]), logs[:, month:]
            solved = np.linalg.lstsq(x, y, rcond=None)[0]
            solved[0] += np.var(y - x @ solved, axis=0) / 2
            weights[series, target] = solved
    return weights


def _without_errors(panel: Panel, training_rows: NDArray[np.bool_], n_targets: int) -> Panel:
    """The panel without the training values of targets that are errors; the panel itself if there are none."""
    values = panel.values
    for series, target in np.ndindex(panel.n_series, n_targets):
        span = panel.rows(series)
        rows = span.start + np.flatnonzero(training_rows[span])
        y = panel.values[rows, target]
        if np.isnan(y).all():
            continue
        low, median, high = np.nanquantile(y, (0.25, 0.5, 0.75))
        far = np.abs(y - median) > _ERROR * (high - low)
        if high > low and far.any():
            values = values.copy() if values is panel.values else values
            values[rows[far], target] = np.nan
    return panel if values is panel.values else replace(panel, values=values)


def day_of_year(times: Times) -> NDArray[np.int64]:
    """The day of the year of each time, from 0 to 365: 29 February is 59, and left out in other years."""
    days, years = times.astype("datetime64[D]"), times.astype("datetime64[Y]")
    begins, ends = years.astype("datetime64[D]"), (years + 1).astype("datetime64[D]")
    day = (days - begins).astype(np.int64)
    is_leap = (ends - begins).astype(np.int64) == _DAYS_IN_YEAR
    return day + (~is_leap & (day >= 59))


def _climatology(panel: Panel, training_rows: NDArray[np.bool_], mean: Floats) -> Floats | None:
    """The climatology [S, D, 366] of a daily clock, if the training rows are two years and have a yearly cycle."""
    if panel.clock.freq != "D" or not training_rows.any() or mean.size * _DAYS_IN_YEAR > _MOST_MEANS:
        return None
    times = panel.times[training_rows]
    last_year = times.max() - np.timedelta64(365, "D")
    if np.isnan(mean).any() or last_year - times.min() < np.timedelta64(365, "D"):
        return None
    normal = np.empty((*mean.shape, _DAYS_IN_YEAR))
    explained = []
    for series, target in np.ndindex(mean.shape):
        rows = panel.rows(series)
        own = training_rows[rows]
        days, is_last = day_of_year(panel.times[rows][own]), panel.times[rows][own] > last_year
        y = panel.values[rows, target][own]
        before, last = _means_around(y[~is_last], days[~is_last]), y[is_last]
        if np.isnan(before).any() or np.isnan(last).all():
            return None
        variance = np.nanmean((last - np.nanmean(y[~is_last])) ** 2)
        explained.append(1 - np.nanmean((last - before[days[is_last]]) ** 2) / variance if variance > 0 else 0.0)
        normal[series, target] = _means_around(y, days)
    return normal if np.mean(explained) >= _LEAST_EXPLAINED else None


def _means_around(y: Floats, days: NDArray[np.int64]) -> Floats:
    """The mean of the values on each day of the year and the days around it, [366]; NaN where there is none."""
    known = ~np.isnan(y)
    total = np.bincount(days[known], y[known], _DAYS_IN_YEAR)
    count = np.bincount(days[known], minlength=_DAYS_IN_YEAR)
    around = np.arange(-_DAYS_ASIDE, _DAYS_ASIDE + 1)[:, None] + np.arange(_DAYS_IN_YEAR)
    total, count = total[around % _DAYS_IN_YEAR].sum(axis=0), count[around % _DAYS_IN_YEAR].sum(axis=0)
    return np.divide(total, count, out=np.full(_DAYS_IN_YEAR, np.nan), where=count > 0)


def _seasonal(panel: Panel, training_rows: NDArray[np.bool_], mean: Floats, season: int) -> Floats | None:
    """The mean at each phase of the season [S, D, m], if every phase was observed and the phases differ."""
    if season < 2 or mean.size * season > _MOST_MEANS or panel.clock.is_uneven:
        return None
    phases = panel.clock.phases(panel.times, season)
    means = np.empty((*mean.shape, season))
    explained = []
    for series, target in np.ndindex(mean.shape):
        rows = panel.rows(series)
        y, phase = panel.values[rows, target][training_rows[rows]], phases[rows][training_rows[rows]]
        y, phase = y[~np.isnan(y)], phase[~np.isnan(y)]
        count = np.bincount(phase, minlength=season)
        if len(y) < _FEWEST_SEASONS * season or not count.all():
            return None
        means[series, target] = np.bincount(phase, y, season) / count
        left = np.mean((y - means[series, target, phase]) ** 2) * len(y) / (len(y) - season)
        variance = np.var(y, ddof=1)
        explained.append(float(1 - left / variance) if variance > 0 else 0.0)
    return means if np.mean(explained) >= _LEAST_SEASONAL else None
