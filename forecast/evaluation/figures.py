"""The figures of metrics.json, out of what was summed over windows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Floats
from forecast.data.prepare import Rows
from forecast.data.windows import Ints, Windows
from forecast.evaluation.metrics import NaiveError, skill
from forecast.evaluation.significance import FEWEST_ORIGINS, by_step, diebold_mariano, skill_interval
from forecast.evaluation.sums import FanSums, ModelSums, Sums
from forecast.evaluation.verdict import is_echo, verdict
from forecast.models.naive import NAIVE

SCHEMA = 1


def figures(rows: Rows, windows: Windows, sums: Sums, season: int, models: tuple[str, ...]) -> dict[str, Any]:
    """The content of metrics.json; a figure that is undefined is None, with a reason beside it.

    Args:
        rows: The rows that the windows point into.
        windows: What was scored.
        sums: What was summed over them.
        season: m.
        models: Names of the models, the judged one first.
    """
    reasons: dict[str, str] = {}
    model, *others = models
    references = [name for name in [*others, *NAIVE] if name in sums.models]
    compared = _compared(rows, windows, sums, model, references, reasons)
    echo = sums.echo.echo()
    if math.isnan(echo.difference_skill):
        reasons["echo.difference_skill"] = "nothing ever changes from step to step"
    n_windows = int(sums.counts.sum())
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "n_windows": n_windows,
        "horizon": windows.horizon,
        "unit": rows.unit,
        "season": season,
        "model": model,
        "models": {name: _of_model(name, one, sums, season, reasons) for name, one in sums.models.items()},
        **compared,
        "by_step": {
            name: _known_list(one.absolute.sum(axis=(0, 2)) / (n_windows * rows.n_targets))
            for name, one in sums.models.items()
        },
        "echo": {
            "best_lag": echo.best_lag,
            "difference_skill": _known(echo.difference_skill),
            "delayed": echo.delayed and is_echo(compared["skill"], compared["p_value"], n_windows),
        },
        "intervals": _of_intervals(sums, n_windows * rows.n_targets, reasons),
        "skill_of": "MASE" if sums.several_scales else "MAE",
        "reasons": reasons,
        "naive_error": {
            name: {"mae": _known(mae), "rmse": _known(rmse)}
            for of_series, *errors in zip(rows.unique_ids, sums.yardsticks, sums.squared_yardsticks, strict=True)
            for name, mae, rmse in zip(of_series, *errors, strict=True)
        },
    }
    if sums.yardsticks.size > 1:
        found["by_series"] = _by_series(rows, windows, sums)
    return found | {"verdict": verdict(found)}


def some_steps(horizon: int) -> list[int]:
    """The steps that tables show: the first, the last and some between."""
    return sorted({max(1, round(share * horizon)) for share in (0, 0.25, 0.5, 0.75, 1)})


def naive_errors_of(metrics: Mapping[str, Any]) -> dict[str, NaiveError]:
    """The naive errors that the scores in a metrics.json were scaled by."""
    return {
        name: NaiveError(*(math.nan if error[kind] is None else error[kind] for kind in NaiveError._fields))
        for name, error in metrics["naive_error"].items()
    }


def _of_model(name: str, one: ModelSums, sums: Sums, season: int, reasons: dict[str, str]) -> dict[str, float | None]:
    points = sums.counts.sum() * one.absolute[0].size
    told = float(one.told.sum())
    found = {
        "mae": one.absolute.sum() / points,
        "rmse": math.sqrt(one.squared.sum() / points),
        "mase": _scaled(one.absolute, sums.yardsticks, sums.counts),
        "rmsse": math.sqrt(_scaled(one.squared, sums.squared_yardsticks**2, sums.counts)),
        "smape": one.symmetric.sum() / points if not sums.circular else math.nan,
        "wape": 100 * one.absolute.sum() / sums.observed if sums.relative else math.nan,
        "bias": one.signed.sum() / points,
        "directional_accuracy": 100 * one.right.sum() / told if told else math.nan,
    }
    never = f"values {season} steps apart never differ, or are never both observed, in the training rows"
    why = {
        "mase": never,
        "rmsse": never,
        "smape": sums.no_relative,
        "wape": sums.no_relative,
        "directional_accuracy": "it never forecasts a change, or nothing ever changed",
    }
    reasons |= {f"models.{name}.{figure}": why[figure] for figure, value in found.items() if math.isnan(value)}
    return {figure: _known(value) for figure, value in found.items()}


def _scaled(errors: Floats, yardsticks: Floats, counts: Ints) -> float:
    """Mean error in units of the yardstick, pooled over the series and targets that have one; NaN when none has."""
    usable = (yardsticks > 0) & (counts > 0)[:, None]
    if not usable.any():
        return math.nan
    scaled = errors.sum(axis=1)[usable] / yardsticks[usable]
    points = np.broadcast_to(counts[:, None], yardsticks.shape)[usable].sum() * errors.shape[1]
    return float(scaled.sum() / points)


def _compared(
    rows: Rows, windows: Windows, sums: Sums, model: str, references: list[str], reasons: dict[str, str]
) -> dict[str, Any]:
    """Skill against each reference, how sure it is, and at which steps."""
    horizon = -(-windows.horizon // windows.spacing)  # in origins
    grouped = {name: _losses(rows, windows, sums, sums.models[name]) for name in (model, *references)}
    (own, own_steps), spacing = grouped[model], windows.spacing * sums.tested_every
    gains = {name: skill(float(own.mean()), float(grouped[name][0].mean())) for name in references}
    p_values = {name: diebold_mariano(own, grouped[name][0], horizon) for name in references}
    intervals = {name: skill_interval(own, grouped[name][0], horizon) for name in references}
    p_by_step = {name: by_step(own_steps, grouped[name][1], spacing) for name in references}
    reasons |= {f"skill.{name}": f"{name} makes no error here" for name, gain in gains.items() if math.isnan(gain)}
    reasons |= {f"p_value.{name}": "fewer than eight origins" for name, p in p_values.items() if math.isnan(p)}
    few = "no more origins than steps ahead" if len(own) >= FEWEST_ORIGINS else "fewer than eight origins"
    reasons |= {f"skill_interval.{name}": few for name, ends in intervals.items() if math.isnan(ends[0])}
    return {
        "skill": {name: _known(gain) for name, gain in gains.items()},
        "skill_interval": {name: None if math.isnan(ends[0]) else list(ends) for name, ends in intervals.items()},
        "skill_by_step": {
            name: [_known(skill(*means)) for means in zip(own_steps.mean(axis=0), steps.mean(axis=0), strict=True)]
            for name, (_, steps) in grouped.items()
            if name != model
        },
        "p_value": {name: _known(p) for name, p in p_values.items()},
        "p_by_step": {name: _known_list(p) for name, p in p_by_step.items()},
    }


def _losses(rows: Rows, windows: Windows, sums: Sums, one: ModelSums) -> tuple[Floats, Floats]:
    """Losses by origin, [N'], and by origin and step, [K', H], in order of time, of the same mean as by window."""
    cutoffs = rows.panel.times[windows.cutoffs]
    return (
        _summed_by_time(np.concatenate(one.by_window), cutoffs),
        _summed_by_time(np.concatenate(one.by_step), cutoffs[sums.tested]),
    )


def _summed_by_time(values: Floats, times: NDArray[np.datetime64]) -> Floats:
    """Sums over the series at one time, which are no independent witnesses, over the mean number of series."""
    order = np.argsort(times, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(times[order]).astype(np.int64) > 0])
    return np.add.reduceat(values[order], starts, axis=0) / (len(values) / len(starts))


def _of_intervals(sums: Sums, points_a_step: int, reasons: dict[str, str]) -> dict[str, Any] | None:
    """Coverage, width and scores of the intervals; None where there are none."""
    if not sums.fans:
        return None
    if not sums.relative:
        reasons |= {f"intervals.models.{name}.wql": sums.no_relative for name in sums.fans}
    return {
        "levels": list(sums.levels),
        "adaptive": sums.adaptive,
        "models": {name: _of_fan(fan, sums, points_a_step) for name, fan in sums.fans.items()},
    }


def _of_fan(fan: FanSums, sums: Sums, points_a_step: int) -> dict[str, Any]:
    points = points_a_step * fan.covered.shape[1]
    found: dict[str, Any] = {
        "crps": fan.pinball / points,
        "wql": fan.pinball / sums.observed if sums.relative else None,
    }
    for number, level in enumerate(sums.levels):
        width = float(fan.width[number].sum() / points)
        found[str(level)] = {
            "coverage": fan.covered[number].sum() / points,
            "width": width,
            "winkler": width + 2 / (1 - level / 100) * fan.beyond[number] / points,
            "coverage_by_step": (fan.covered[number] / points_a_step).tolist(),
            "width_by_step": (fan.width[number] / points_a_step).tolist(),
        }
    return found


def _by_series(rows: Rows, windows: Windows, sums: Sums) -> dict[str, dict[str, float | None]]:
    """The mean absolute error of each series and target that has a window, by model."""
    return {
        rows.unique_ids[series][target]: {
            name: _known(one.absolute[series, :, target].sum() / (sums.counts[series] * windows.horizon))
            for name, one in sums.models.items()
        }
        for series in np.flatnonzero(sums.counts)
        for target in range(rows.n_targets)
    }


def _known_list(values: Floats) -> list[float | None]:
    return [_known(value) for value in values]


def _known(value: float) -> float | None:
    """The value as JSON takes it: None where it is not finite."""
    return float(value) if math.isfinite(value) else None
