"""Naive forecasts: nothing to fit, always shown. A network that does not beat them has learned nothing of use.

One entry of `NAIVE` each, at the end of this file. Scores, tables, plots, verdicts and the newest forecast follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from forecast.data.normals import HAR_SPANS, Normals, day_of_year, har_inputs
from forecast.data.panel import Floats
from forecast.data.prepare import Rows
from forecast.data.windows import Ints, Windows

# Holes of this share of a season are filled by a line before the seasonal naive looks in an earlier season. On ten
# series of hours, days and months of which a fifth was removed, before their test spans, it is never more than 1 %
# worse than the better of always the line and always an earlier season, which are 59 % and 7 % worse at worst.
_SHORT_HOLE = 1 / 8

# Where a value of the seasonal naive is from.
_NEWEST_SEASON, _EARLIER_SEASON, _LAST_VALUE = 0, 1, 2


@dataclass(frozen=True)
class Naive:
    """A naive forecast.

    Args:
        name: What a sentence calls it: "the last value".
        forecast: Of some windows, given by their first rows [n], in the targets' own units, [n, H, D].
        where: Where it stands among the references, for a reader.
        stands: Whether it does, for these rows.
    """

    name: str
    forecast: Callable[[Rows, Windows, Ints, int], Floats]
    where: str = "everywhere"
    stands: Callable[[Rows], bool] = lambda _: True


def naive_forecasts(rows: Rows, windows: Windows, picked: slice | Ints, season: int) -> dict[str, Floats]:
    """The naive forecasts of some windows, in the targets' own units.

    Args:
        rows: The rows that the windows point into; each cut-off row is observed or filled forward.
        windows: N windows.
        picked: Which n of them.
        season: m, steps in one seasonal cycle.

    Returns:
        [n, H, D] by name.
    """
    starts = windows.starts[picked]
    return {name: naive.forecast(rows, windows, starts, season) for name, naive in NAIVE.items() if naive.stands(rows)}


def count_seasons(rows: Rows, windows: Windows, picked: slice | Ints, season: int) -> tuple[int, int]:
    """At how many points a gap moves the seasonal naive to an earlier season, and at how many to the last value."""
    origin = _seasonal(rows, windows.cutoffs[picked], np.arange(1, windows.horizon + 1), season)[1]
    return int((origin == _EARLIER_SEASON).sum()), int((origin == _LAST_VALUE).sum())


def _last_value(rows: Rows, windows: Windows, starts: Ints, _: int) -> Floats:
    return np.repeat(rows.filled_at(starts + windows.lookback - 1)[:, None, :], windows.horizon, axis=1)


def _seasonal_value(rows: Rows, windows: Windows, starts: Ints, season: int) -> Floats:
    return _seasonal(rows, starts + windows.lookback - 1, np.arange(1, windows.horizon + 1), season)[0]


def _seasonal(rows: Rows, cutoffs: Ints, steps: Ints, season: int) -> tuple[Floats, NDArray[np.int8]]:
    """The value at the same phase of the newest season that has one, and where it is from, [n, H, D] each."""
    # The newest cycle that lies wholly before the horizon step: y[t + h - m * ceil(h / m)].
    back = steps - season * -(-steps // season)
    source = cutoffs[:, None] + back
    same_stretch = rows.panel.stretches()
    reachable = same_stretch[np.maximum(source, 0)] == same_stretch[cutoffs][:, None]
    values = _seasonal_source(rows, np.maximum(source, 0), cutoffs[:, None], season)
    found = (reachable & (source >= 0))[..., None] & ~np.isnan(values)
    origin = np.where(found, np.int8(_NEWEST_SEASON), np.int8(_LAST_VALUE))
    if found.all():
        return values, origin
    values[~found] = np.nan
    _fill_from_earlier_seasons(rows, cutoffs, back, season, values, origin)
    # Where the data do not reach back a season, the last value is the best that a naive forecast can do.
    return np.where(np.isnan(values), rows.filled_at(cutoffs)[:, None, :], values), origin


def _fill_from_earlier_seasons(
    rows: Rows, cutoffs: Ints, back: Ints, season: int, values: Floats, origin: NDArray[np.int8]
) -> None:
    """Fill missing values [n, H, D] with those of the nearest earlier season across gaps, in place."""
    positions, series = rows.panel.positions(np.arange(rows.panel.n_rows)), rows.series
    firsts = positions[np.minimum(rows.panel.offsets[:-1], rows.panel.n_rows - 1)]
    window, step = np.nonzero(np.isnan(values).any(axis=2))
    wanted, n_back = positions[cutoffs[window]] + back[step], 0
    while len(window):
        row = np.minimum(np.searchsorted(positions, wanted), rows.panel.n_rows - 1)
        there = (positions[row] == wanted) & (series[row] == series[cutoffs[window]])
        found = _seasonal_source(rows, row, cutoffs[window], season)
        old, new = values[window, step], np.where(there[:, None], found, np.nan)
        taken = np.isnan(old) & ~np.isnan(new)
        values[window, step] = np.where(taken, new, old)
        origin[window, step] = np.where(taken, _EARLIER_SEASON if n_back else _NEWEST_SEASON, origin[window, step])
        wanted, n_back = wanted - season, n_back + 1
        left = np.isnan(values[window, step]).any(axis=1) & (wanted >= firsts[series[cutoffs[window]]])
        window, step, wanted = window[left], step[left], wanted[left]


def _seasonal_source(rows: Rows, at: Ints, cutoffs: Ints, season: int) -> Floats:
    """The targets at rows [...] of the season before, as forecasts at these cut-offs [...] know them, [..., D].

    NaN where there is no value of that phase. Where windows may have holes, those that are so short that the phase
    hardly changes are filled by the line between the values beside them.
    """
    if not rows.masked:
        return rows.filled_at(at)
    values, stretches = rows.observed(at), rows.panel.stretches()
    for target, is_seen in enumerate(rows.target_is_seen.T):
        hole, seen, y = np.isnan(values[..., target]), np.flatnonzero(is_seen), rows.panel.values[:, target]
        row, cutoff = at[hole], np.broadcast_to(cutoffs, at.shape)[hole]
        place = np.searchsorted(seen, row)
        before = seen[np.maximum(place - 1, 0)]
        after = seen[np.minimum(place, len(seen) - 1)]
        after = np.where((after > row) & (after <= cutoff), after, before)  # what is not known yet fills nothing
        size = np.where(after > before, after - before - 1, row - before)
        short = (size <= season * _SHORT_HOLE) & (before < row)
        short &= (stretches[before] == stretches[row]) & (stretches[after] == stretches[row])
        line = y[before] + (row - before) / np.maximum(after - before, 1) * (y[after] - y[before])
        values[hole, target] = np.where(short, line, np.nan)
    return values


def _drift(rows: Rows, windows: Windows, starts: Ints, _: int) -> Floats:
    """The line through the first and the last value seen; of logarithms where the targets are logged."""
    cutoffs = starts + windows.lookback - 1
    (first_at, first), (last_at, last) = _first_and_last_seen(rows, starts, cutoffs)
    if rows.logged:
        first, last = np.log(first), np.log(last)
    steps = (cutoffs[:, None] - last_at)[:, None] + np.arange(1, windows.horizon + 1)[:, None]
    line = last[:, None] + ((last - first) / np.maximum(last_at - first_at, 1))[:, None] * steps
    return rows.bounds.clip(np.exp(line) if rows.logged else line, rows.series[starts])


def _first_and_last_seen(rows: Rows, starts: Ints, cutoffs: Ints) -> list[tuple[Ints, Floats]]:
    """The rows [n, D or 1] of the first and the last value that each window knows of each target, and these [n, D]."""
    if not rows.masked:
        return [(at[:, None], rows.filled_at(at)) for at in (starts, cutoffs)]
    seen = [np.flatnonzero(of_target) for of_target in rows.target_is_seen.T]
    last = np.stack([at[np.searchsorted(at, cutoffs, side="right") - 1] for at in seen], axis=1)
    first = np.stack([at.take(np.searchsorted(at, starts), mode="clip") for at in seen], axis=1)
    return [(at, rows.panel.values[at, np.arange(rows.n_targets)]) for at in (np.minimum(first, last), last)]


def _mean(rows: Rows, windows: Windows, starts: Ints, _: int) -> Floats:
    mean = _normals(rows).mean[_known_normals(rows, windows, starts)][:, None, :]
    return _or_last_value(np.repeat(mean, windows.horizon, axis=1), rows, windows, starts)


def _seasonal_mean(rows: Rows, windows: Windows, starts: Ints, season: int) -> Floats:
    means = _normals(rows).seasonal
    assert means is not None
    times = rows.panel.times[Windows(starts, windows.lookback, windows.horizon).future()]  # [n, H]
    phases = rows.panel.clock.phases(times.ravel(), season).reshape(times.shape)
    mean = means[_known_normals(rows, windows, starts)[:, None], :, phases]
    return _or_last_value(mean, rows, windows, starts)


def _zero(rows: Rows, windows: Windows, starts: Ints, _: int) -> Floats:
    return np.zeros((len(starts), windows.horizon, rows.n_targets))


def _day_of_year_mean(rows: Rows, windows: Windows, starts: Ints, _: int) -> Floats:
    climatology = _normals(rows).climatology
    assert climatology is not None
    days = day_of_year(rows.panel.times[Windows(starts, windows.lookback, windows.horizon).future()])  # [n, H]
    mean = climatology[_known_normals(rows, windows, starts)[:, None], :, days]
    return _or_last_value(mean, rows, windows, starts)


def _log_har(rows: Rows, windows: Windows, starts: Ints, _: int) -> Floats:
    cutoffs, stretches = starts + windows.lookback - 1, rows.panel.stretches()
    at = cutoffs[:, None] - np.arange(HAR_SPANS[-1])[::-1]
    seen = rows.filled_at(np.maximum(at, 0))  # [n, 22, D]
    seen[(at < 0) | (stretches[np.maximum(at, 0)] != stretches[cutoffs][:, None])] = np.nan
    har = _normals(rows).har
    assert har is not None
    weights = har[_known_normals(rows, windows, starts)]  # [n, D, 4, H]
    return np.exp(np.einsum("ndi,ndih->nhd", har_inputs(np.log(seen.swapaxes(1, 2))), weights))


def _normals(rows: Rows) -> Normals:
    assert rows.normals is not None
    return rows.normals


def _or_last_value(mean: Floats, rows: Rows, windows: Windows, starts: Ints) -> Floats:
    # A series that the training rows do not hold has no mean yet.
    return np.where(np.isnan(mean), rows.filled_at(starts + windows.lookback - 1)[:, None, :], mean)


def _known_normals(rows: Rows, windows: Windows, starts: Ints) -> Ints:
    return rows.normals_known[starts + windows.lookback - 1]


def _has_level(rows: Rows, which: Callable[[Normals], bool] = lambda _: True) -> bool:
    """Whether there are normals to speak of: of values that are neither prices nor angles."""
    return rows.normals is not None and not rows.logged and not rows.bounds.circular.any() and which(rows.normals)


NAIVE: dict[str, Naive] = {
    "persistence": Naive("the last value", _last_value),
    "seasonal-naive": Naive("the seasonal naive", _seasonal_value),
    "drift": Naive("the drift", _drift),
    "mean": Naive(
        "the mean of the training rows",
        _mean,
        where="values that are neither logged nor angles",
        stands=_has_level,
    ),
    "seasonal-mean": Naive(
        "the seasonal mean",
        _seasonal_mean,
        where="training rows whose values differ by the phase of the season",
        stands=partial(_has_level, which=lambda normals: normals.seasonal is not None),
    ),
    "zero": Naive(
        "always zero",
        _zero,
        where="at least half of the training values are zero",
        stands=partial(_has_level, which=lambda normals: normals.sparse),
    ),
    "climatology": Naive(
        "the climatology",
        _day_of_year_mean,
        where="days with a yearly cycle, in training rows of two years or more",
        stands=partial(_has_level, which=lambda normals: normals.climatology is not None),
    ),
    "log-har": Naive(
        "the log-HAR",
        _log_har,
        where="volatilities: the heterogeneous autoregression of their logarithms, fitted to the training rows",
        stands=lambda rows: rows.volatility,
    ),
}
