"""What has changed since a run was trained: the losses that are due, what its intervals hold, and its inputs.

Days are the blocks of which `find_change` takes the sums, or a horizon where that is longer, for forecasts of
neighbouring origins share most of what they forecast. The thresholds are such that a false alarm comes once a year, of
all that is watched together.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from forecast.archive.cusum import FEWEST_BLOCKS, Change, find_change
from forecast.archive.due import Alarm, DueForecasts
from forecast.archive.store import angles_of
from forecast.data.bounds import TURN
from forecast.data.clock import STEP, Clock, Times
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import count_targets
from forecast.data.windows import Ints
from forecast.errors import quote
from forecast.runs.run import Run
from forecast.sources.quantities import recognise

# Losses are judged beside those of this naive forecast at the same times: some weeks are hard for everybody.
_BESIDE = "persistence"

# Inputs of more series are not watched.
_MOST_SERIES = 500

# A shift of an input that is smaller, in standard deviations of its days as far as other inputs do not tell of them,
# says more of the weather of a year than of a sensor. Seen on eight years of an airport, in which nothing was changed;
# no simulation chose it.
_LEAST_SHIFT = 0.5

# The least loss that has a logarithm, as a share of the mean.
_LEAST = 1e-3


def alarms_of(run: Run, due: DueForecasts, observed: Panel | None) -> list[Alarm]:
    """What has changed since this version of a run was trained, the earliest first; empty if nothing has.

    Args:
        run: The run.
        due: Its forecasts that are due, of any version.
        observed: Rows, arranged as the run's network takes them; inputs are compared with the rows of the training as
            far as these are among them.
    """
    own = due.only(due.versions == run.version)
    inputs = [] if observed is None else _watched_columns(run, observed)
    streams = 2 + len(inputs)
    alarms = _changed_losses(run, own, streams)
    if observed is not None:
        alarms += _changed_inputs(run, observed, inputs, streams)
    return sorted(alarms, key=lambda alarm: alarm.noticed)


def _changed_losses(run: Run, due: DueForecasts, streams: int) -> list[Alarm]:
    """Whether the losses, or the share of observations outside their intervals, are larger than on the test span."""
    if not len(due):
        return []
    tested, level = run.test_forecasts, min(run.config.intervals.levels, default=None)
    scales = {name: error["mae"] for name, error in run.metrics["naive_error"].items()}
    parts = [_points_of_test(run, tested, level), _points_of_due(due, level)]
    points = pd.concat(parts, keys=["normal", "watched"], names=["span"]).reset_index("span")
    points = points[points["loss"].notna()]
    if len(scales) > 1:  # of series in several units
        scale = points["unique_id"].map(scales).astype(float)
        points = points[scale > 0]
        points["loss"] /= scale
        points["beside"] /= scale
    clock = run.clock
    per_block = max(run.config.data.horizon, _steps_per_day(clock))
    points["block"] = clock.ordinals(points["cutoff"].to_numpy("datetime64[us]")) // per_block
    ends = points.groupby("block")["cutoff"].agg(["min", "max"])
    sums = points.groupby(["span", "block"])[["loss", "beside", "outside"]].mean()
    least = _LEAST * sums[["loss", "beside"]].mean()
    sums["ratio"] = np.log(sums["loss"].clip(lower=least["loss"]) / sums["beside"].clip(lower=least["beside"]))
    if set(points["span"]) != {"normal", "watched"}:
        return []
    normal, watched = sums.loc["normal"], sums.loc["watched"]
    alarms = []
    for kind, column in (("losses", "ratio"), ("coverage", "outside")):
        change = find_change(normal[column].to_numpy(), watched[column].to_numpy(), streams, sides=(1,))
        if change is None:
            continue
        began, noticed = watched.index[change.began], watched.index[change.noticed]
        since = points[(points["span"] == "watched") & (points["block"] >= began)]
        times = ends.loc[began, "min"].to_datetime64(), ends.loc[noticed, "max"].to_datetime64()
        worst = _worst_series(points[points["span"] == "normal"], since, "loss" if kind == "losses" else "outside")
        if kind == "losses":
            was, now = (np.exp(blocks["ratio"].mean()) for blocks in (normal, watched.loc[began:]))
            what = f"the error is {now:.0%} of that of the last value, where it was {was:.0%} on the test span"
        else:
            was, now = 1 - normal["outside"].mean(), 1 - since["outside"].mean()
            what = (
                f"the {level}% intervals hold {now:.0%} of the observations, where they held {was:.0%} on the test span"
            )
        most = f", most in {quote(worst)}" if worst else ""
        alarms.append(_alarm(clock, kind, "", worst, *times, f"{what}{most}"))
    return alarms


def _points_of_test(run: Run, tested: pd.DataFrame, level: int | None) -> pd.DataFrame:
    """The points of the test span: cutoff, unique_id, loss, beside, outside."""
    model, clock = run.config.network.model, run.clock
    names = tested["unique_id"].unique()
    y, angle = tested["y"], tested["unique_id"].isin(names[angles_of(run, names.tolist())])

    def apart(column: str) -> pd.Series:
        error = y - tested[column]
        return error.where(~angle, (error + TURN / 2) % TURN - TURN / 2).abs()

    outside = pd.Series(np.nan, tested.index)
    if level is not None and f"{model}-lo-{level}" in tested:
        low, high = tested[f"{model}-lo-{level}"], tested[f"{model}-hi-{level}"]
        outside = ((y < low) | (y > high)).astype(float).where(~angle & y.notna() & low.notna())
    cutoff = tested["cutoff"]
    if clock.freq == STEP:
        cutoff = pd.to_datetime(cutoff, unit="us")
    elif cutoff.dt.tz is not None:
        cutoff = cutoff.dt.tz_convert(None)
    return pd.DataFrame({"cutoff": cutoff, "unique_id": tested["unique_id"], "loss": apart(model),
                         "beside": apart(_BESIDE), "outside": outside})  # fmt: skip


def _points_of_due(due: DueForecasts, level: int | None) -> pd.DataFrame:
    """The same of forecasts that are due."""
    shape = due.y.shape
    outside = np.full(shape, np.nan)
    if level is not None and f"{due.model}-lo-{level}" in due.forecasts:
        low, high = due.forecasts[f"{due.model}-lo-{level}"], due.forecasts[f"{due.model}-hi-{level}"]
        outside = ((due.y < low) | (due.y > high)).astype(float)
        outside[np.isnan(due.y + low) | due.angles[:, None]] = np.nan
    return pd.DataFrame({
        "cutoff": np.repeat(due.cutoffs, shape[1]),
        "unique_id": np.repeat(due.unique_ids, shape[1]),
        "loss": np.abs(due.errors(due.model)).ravel(),
        "beside": np.abs(due.errors(_BESIDE)).ravel(),
        "outside": outside.ravel(),
    })  # fmt: skip


def _worst_series(normal: pd.DataFrame, since: pd.DataFrame, column: str) -> str:
    """The series whose mean of a column has risen most; empty where there is only one."""
    rise = since.groupby("unique_id")[column].mean() - normal.groupby("unique_id")[column].mean()
    return str(rise.idxmax()) if len(rise) > 1 and rise.notna().any() else ""


# An input: the number of its series, and that of its column.
Input = tuple[int, int]


def _watched_columns(run: Run, observed: Panel) -> list[Input]:
    """The inputs that are watched: neither words nor angles."""
    config = run.config
    skipped = {*config.categories, *config.data.circular, *(observed.columns[:count_targets(config.data)]
               if config.data.circular else ())}  # fmt: skip
    columns = [column for column, name in enumerate(observed.columns) if name not in skipped]
    return [(series, column) for series in range(min(observed.n_series, _MOST_SERIES)) for column in columns]


class _Shift(NamedTuple):
    """An input that is no longer what others tell of it.

    Args:
        key: The input.
        size: By how much, in standard deviations of what is normally left unexplained.
        by: The same in its own unit.
        change: When.
        residual: What is unexplained, by day, [B].
    """

    key: Input
    size: float
    by: float
    change: Change
    residual: Floats


# Of so many inputs that have shifted it is tried whether the others still have without them.
_SUSPECTS = 5


def _changed_inputs(run: Run, observed: Panel, inputs: Sequence[Input], streams: int) -> list[Alarm]:
    """Which inputs are no longer what the season, the others of their series and the same of other series tell.

    A sensor that drifts makes others suspicious that are told by it. So that input is named without which the fewest
    others have shifted, of those the one that has most; from then on it tells nothing of the others.
    """
    days, means = _daily_means(observed)
    is_normal = days <= _day_of(run.clock, np.array([run.data["last"]], "datetime64[us]"))[0]
    if not is_normal.any() or is_normal.all():
        return []

    def shifted(keys: Sequence[Input], unusable: Collection[Input]) -> list[_Shift]:
        told_by, found = [key for key in inputs if key not in unusable], []
        for key in keys:
            residual = _residuals(days, means, key, told_by, is_normal)
            normal, watched = residual[is_normal], residual[~is_normal]
            change = find_change(normal, watched, streams)
            if change is not None:
                by = float(np.nanmean(watched[change.began :]) - np.nanmean(normal))
                size = abs(by) / max(float(np.nanstd(normal)), 1e-300)
                if size >= _LEAST_SHIFT and (by > 0) == change.rises:  # else it has come back
                    found.append(_Shift(key, size, by, change, residual))
        return found

    changed: dict[Input, Alarm] = {}
    found = shifted(inputs, ())
    while found:
        suspects = sorted(found, key=lambda each: -each.size)[:_SUSPECTS]
        rests = [shifted([each.key for each in found if each.key != suspect.key], {*changed, suspect.key})
                 for suspect in suspects]  # fmt: skip
        which = min(range(len(suspects)), key=lambda number: (len(rests[number]), -suspects[number].size))
        culprit, found = suspects[which], rests[which]
        began, noticed = (days[~is_normal][block] for block in (culprit.change.began, culprit.change.noticed))
        y, after = means[:, *culprit.key], days >= noticed
        guess = _other_unit(observed, culprit.key[1], y[is_normal], y[after], y[after] - culprit.residual[after])
        others = [suspect for suspect, rest in zip(suspects, rests, strict=True)
                  if suspect is not culprit and len(rest) == len(found) and not guess]  # fmt: skip
        changed[culprit.key] = _input_alarm(observed, culprit, others[:2], began, noticed, guess)
    return list(changed.values())


def _input_alarm(
    observed: Panel, culprit: _Shift, others: Sequence[_Shift], began: int, noticed: int, guess: str
) -> Alarm:
    series, column = culprit.key
    times = observed.times[observed.rows(series)]
    of_row = _day_of(observed.clock, times)

    def lies(shift: _Shift) -> str:
        name, of_other = observed.columns[shift.key[1]], observed.series_ids[shift.key[0]]
        size = f"{abs(shift.by):.3g} {observed.units.get(name, '')}".strip()
        whose = f" of {of_other}" if shift.key[0] != series else ""
        return f"{quote(name)}{whose} lies {size} {'higher' if shift.by > 0 else 'lower'}"

    lie = ", or ".join(map(lies, [culprit, *others])) + "," * bool(others)
    what = f"{lie} than the season and the other inputs tell{guess}"
    of_series = observed.series_ids[series]
    alarm = _alarm(
        observed.clock,
        "inputs",
        observed.columns[column],
        of_series,
        times[of_row == began][0],
        times[of_row == noticed][-1],
        f"{of_series}: {what}" if of_series else what,
    )
    return replace(alarm, or_else=tuple(observed.columns[other.key[1]] for other in others))


# What units of one quantity often differ by, where the column does not say what it measures.
_FACTORS = (1000.0, 100.0, 1e-3, 1e-2)

# The share of a shift that is left when values are converted back, at most, for another unit to be its reason.
_EXPLAINED = 0.15


def _other_unit(observed: Panel, column: int, normal: Floats, values: Floats, expected: Floats) -> str:
    """In which other unit new daily means would be what was expected of them; empty if in none."""
    values, expected = (part[~np.isnan(values + expected)] for part in (values, expected))
    shift = np.abs(values - expected).mean() if len(values) else 0.0
    name = observed.columns[column]
    measured = recognise(name, observed.units.get(name, ""), np.nanpercentile(normal, [1, 50, 99]))
    for own in measured.units if measured else ():
        for other in measured.quantity.units if measured else ():
            back = np.array([own.from_first(other.to_first(value)) for value in values])
            if other is not own and np.abs(back - expected).mean() < _EXPLAINED * shift:
                return f": another unit ({other.name} for {own.name})?"
    for factor in _FACTORS:
        if np.abs(values / factor - expected).mean() < _EXPLAINED * np.abs(expected).mean() < shift:
            return f": {factor:g} times as large, another unit?"
    return ""


def _alarm(
    clock: Clock, kind: Any, column: str, series: str, began: np.datetime64, noticed: np.datetime64, what: str
) -> Alarm:
    when = f"Since about {clock.format(began)}, noticed {clock.format(noticed)}"
    return Alarm(kind, column, series, began, noticed, f"{when}: {what.rstrip('.')}{'' if what.endswith('?') else '.'}")


def _steps_per_day(clock: Clock) -> int:
    """Steps of a clock in a day; 1 on one whose steps are longer, and on one of steps."""
    if clock.freq == STEP:
        return 1
    return max(1, int(np.timedelta64(1, "D") / clock.step))


def _day_of(clock: Clock, times: Times) -> Ints:
    """The number of the day of each time; that of the step on a clock of steps."""
    if clock.freq == STEP:
        return times.astype("datetime64[us]").astype(np.int64)
    return clock.wall(times).astype("datetime64[D]").astype(np.int64)


def _daily_means(observed: Panel) -> tuple[Ints, Floats]:
    """The days that have rows, [B], and the mean of each column of each series on them, [B, S, C]."""
    days, of_row = np.unique(_day_of(observed.clock, observed.times), return_inverse=True)
    shape = (len(days), observed.n_series, len(observed.columns))
    sums, counts = np.zeros(shape), np.zeros(shape)
    known = ~np.isnan(observed.values)
    at = of_row, observed.series_of_row()
    np.add.at(sums, at, np.where(known, observed.values, 0.0))
    np.add.at(counts, at, known)
    least = np.median(counts[counts > 0]) / 2 if counts.any() else 1  # of a day that is almost missing, no mean
    return days, np.where(counts >= max(least, 1), sums / np.maximum(counts, 1), np.nan)


# Parts of the training span by the others of which each is told, so that what is left is that of new rows.
_FOLDS = 4


def _residuals(days: Ints, means: Floats, key: Input, others: Sequence[Input], is_normal: Any) -> Floats:
    """What the season and other inputs do not tell of an input, by day, [B]; NaN where it is not known.

    Args:
        days: The days.
        means: Daily means, [B, S, C].
        key: The input.
        others: What may tell of it.
        is_normal: Which days are of the training rows, [B].
    """
    series, column = key
    y = means[:, series, column]
    same = [other for other, of_column in others if of_column == column and other != series]
    beside = [of_column for other, of_column in others if other == series and of_column != column]
    parts = [means[:, series, of_column] for of_column in beside]
    if len(same) > 1:  # of two that differ nobody knows which has changed
        with np.errstate(invalid="ignore"):
            seen = ~np.isnan(means[:, same, column])
            count = np.where(seen.any(axis=1), seen.sum(axis=1), np.nan)
            parts.append(np.nansum(means[:, same, column], axis=1) / count)
    if np.ptp(days[is_normal]) >= 550:  # days of a year and a half, in which a season can be told from a trend
        angle = 2 * np.pi * days / 365.2425
        parts += [wave(n * angle) for n in (1, 2) for wave in (np.sin, np.cos)]
    known = is_normal & ~np.isnan(y)
    parts = [part for part in parts if np.isfinite(part[known]).any() and np.nanstd(part[known]) > 0]
    if known.sum() < max(FEWEST_BLOCKS, 5 * (1 + len(parts))):
        return np.full(len(y), np.nan)
    x = np.ones((len(y), 1 + len(parts)))
    for number, part in enumerate(parts, 1):
        mean, spread = np.nanmean(part[known]), np.nanstd(part[known])
        x[:, number] = np.where(np.isnan(part), 0.0, (part - mean) / spread)
    residual = y - x @ _fit(x[known], y[known])
    for fold in np.array_split(np.flatnonzero(known), _FOLDS):
        rest = known.copy()
        rest[fold] = False
        residual[fold] = y[fold] - x[fold] @ _fit(x[rest], y[rest])
    return residual


def _fit(x: Floats, y: Floats) -> Floats:
    return np.asarray(np.linalg.lstsq(x, y, rcond=1e-6)[0])
