"""Scores of every model on every window, summed chunk by chunk so that memory does not grow with windows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.panel import Floats
from forecast.data.prepare import Rows, long_format
from forecast.data.windows import Flags, Ints, InUnits, Windows
from forecast.evaluation.metrics import seasonal_naive_error, skill, symmetric_errors
from forecast.evaluation.significance import diebold_mariano
from forecast.evaluation.verdict import verdict
from forecast.models.naive import naive_forecasts

_POINTS_AT_ONCE = 2_000_000
_ROWS_OF_FORECASTS = 1_000_000


@dataclass(frozen=True)
class Evaluation:
    """What became of a judgement.

    Args:
        metrics: The content of metrics.json.
        forecasts: Long format: unique_id, ds, cutoff, y and a column for each model. All origins, or evenly spaced
            ones where all of them would be more than a million rows.
    """

    metrics: dict[str, Any]
    forecasts: pd.DataFrame


@dataclass
class _Tally:
    """Sums over windows, by series, step and target, [S, H, D]; and each window's weighted mean absolute error."""

    absolute: Floats
    squared: Floats
    symmetric: Floats
    by_window: list[Floats] = field(default_factory=list)

    def add(self, y_true: Floats, y_pred: Floats, series: Ints, weights: Floats) -> None:
        """Add some windows, which stand in the order of their series."""
        error = np.abs(y_true - y_pred)
        firsts = np.flatnonzero(np.r_[True, np.diff(series) > 0])
        self.absolute[series[firsts]] += np.add.reduceat(error, firsts)
        self.squared[series[firsts]] += np.add.reduceat(error**2, firsts)
        self.symmetric[series[firsts]] += np.add.reduceat(symmetric_errors(y_true, y_pred), firsts)
        self.by_window.append((error * weights[series][:, None, :]).mean(axis=(1, 2)))


def naive_errors(rows: Rows, training_rows: Flags, season: int) -> dict[str, float]:
    """The seasonal naive's one-step error on the training rows, for each unique id; NaN where it cannot be told."""
    stretches = rows.panel.stretches()
    return {
        name: seasonal_naive_error(
            rows.panel.values[span, target][training_rows[span]], season, stretches[span][training_rows[span]]
        )
        for span, of_series in zip(map(rows.panel.rows, range(rows.panel.n_series)), rows.unique_ids, strict=True)
        for target, name in enumerate(of_series)
    }


def judge(
    rows: Rows,
    windows: Windows,
    models: Mapping[str, InUnits],
    season: int,
    naive_error: Mapping[str, float],
) -> Evaluation:
    """Score models and naive forecasts side by side, on the same windows.

    Args:
        rows: The rows that the windows point into.
        windows: Every window to score; none is dropped.
        models: The judged model first, then the baseline if there is one, then others.
        season: m.
        naive_error: What MASE is scaled by, for each unique id (see `naive_errors`).
    """
    kept_step = max(1, -(-len(windows) * windows.horizon * rows.n_targets // _ROWS_OF_FORECASTS))
    yardsticks = np.array([[naive_error[name] for name in of_series] for of_series in rows.unique_ids])
    weights = _weights(yardsticks)
    tallies: dict[str, _Tally] = {}
    counts = np.zeros(rows.panel.n_series, np.int64)
    frames = []
    for picked in _chunks(len(windows), windows.horizon * rows.n_targets):
        series = rows.series[windows.starts[picked]]
        y_true = rows.observed(windows.future(picked))
        y_pred = {name: model(windows.starts[picked]) for name, model in models.items()}
        y_pred |= naive_forecasts(rows, windows, picked, season)
        np.add.at(counts, series, 1)
        for name, values in y_pred.items():
            if name not in tallies:
                shape = (len(counts), *y_true.shape[1:])
                tallies[name] = _Tally(np.zeros(shape), np.zeros(shape), np.zeros(shape))
            tallies[name].add(y_true, values, series, weights)
        kept = np.arange(-picked.start % kept_step, len(y_true), kept_step)
        chunk = np.arange(picked.start, picked.stop)[kept]
        columns = {"y": y_true[kept]} | {name: values[kept] for name, values in y_pred.items()}
        frames.append(long_format(rows, windows, chunk, columns))
    forecasts = pd.concat(frames, ignore_index=True).sort_values(
        ["unique_id", "cutoff"], kind="stable", ignore_index=True
    )
    metrics = _metrics(rows, windows, yardsticks, tallies, counts, season, tuple(models))
    return Evaluation(metrics | {"forecasts_every": kept_step}, forecasts)


def _weights(yardsticks: Floats) -> Floats:
    """What each series' and target's errors count in skill and p-value, [S, D].

    One series counts as it is. Several would be decided by the largest numbers alone, so each is divided by its own
    naive error, as in MASE; one that has none counts nothing.
    """
    if not _several_scales(yardsticks):
        return np.ones_like(yardsticks)
    return np.divide(1.0, yardsticks, out=np.zeros_like(yardsticks), where=yardsticks > 0)


def _several_scales(yardsticks: Floats) -> bool:
    """Whether skill is judged on scaled errors: of several series or targets, with a naive error to scale by."""
    return yardsticks.size > 1 and bool((yardsticks > 0).any())


def _chunks(n_windows: int, points: int) -> Iterator[slice]:
    size = max(1, _POINTS_AT_ONCE // points)
    return (slice(first, min(first + size, n_windows)) for first in range(0, n_windows, size))


def _metrics(
    rows: Rows,
    windows: Windows,
    yardsticks: Floats,
    tallies: Mapping[str, _Tally],
    counts: Ints,
    season: int,
    models: tuple[str, ...],
) -> dict[str, Any]:
    ids = rows.unique_ids
    measure = "MASE" if _several_scales(yardsticks) else "MAE"
    reasons: dict[str, str] = {}
    scored = counts > 0
    points = counts.sum() * windows.horizon * rows.n_targets
    by_model = {}
    for name, tally in tallies.items():
        by_model[name] = {
            "mae": tally.absolute.sum() / points,
            "rmse": math.sqrt(tally.squared.sum() / points),
            "mase": _mase(tally.absolute, yardsticks, counts),
            "smape": tally.symmetric.sum() / points,
        }
        if math.isnan(by_model[name]["mase"]):
            reasons[f"models.{name}.mase"] = (
                f"values {season} steps apart never differ, or are never both observed, in the training rows"
            )
    model, *others = models
    references = [name for name in [*others, "persistence", "seasonal-naive"] if name in tallies]
    by_window = {name: np.concatenate(tallies[name].by_window) for name in [model, *references]}
    gains = {name: skill(float(by_window[model].mean()), float(by_window[name].mean())) for name in references}
    order, starts = _by_time(rows, windows)
    losses = {name: _mean_by_group(values[order], starts) for name, values in by_window.items()}
    p_values = {name: diebold_mariano(losses[model], losses[name], windows.horizon) for name in references}
    reasons |= {f"skill.{name}": f"{name} makes no error here" for name, gain in gains.items() if math.isnan(gain)}
    reasons |= {f"p_value.{name}": "fewer than eight origins" for name, p in p_values.items() if math.isnan(p)}
    known_gains, known_p_values = _nulls(gains), _nulls(p_values)
    metrics: dict[str, Any] = {
        "schema": 1,
        "n_windows": int(counts.sum()),
        "horizon": windows.horizon,
        "unit": rows.unit,
        "season": season,
        "model": model,
        "models": {name: _nulls(values) for name, values in by_model.items()},
        "skill": known_gains,
        "p_value": known_p_values,
        "by_step": {
            name: [_known(value) for value in tally.absolute.sum(axis=(0, 2)) / (counts.sum() * rows.n_targets)]
            for name, tally in tallies.items()
        },
        "skill_of": measure,
        "verdict": verdict(model, known_gains, known_p_values, measure),
        "reasons": reasons,
        "naive_error": {
            name: _known(error)
            for of_series, errors in zip(ids, yardsticks, strict=True)
            for name, error in zip(of_series, errors, strict=True)
        },
    }
    if len(counts) * rows.n_targets > 1:
        metrics["by_series"] = {
            ids[series][target]: _nulls(
                {
                    name: tally.absolute[series, :, target].sum() / (counts[series] * windows.horizon)
                    for name, tally in tallies.items()
                }
            )
            for series in np.flatnonzero(scored)
            for target in range(rows.n_targets)
        }
    return metrics


def _mase(absolute: Floats, naive_error: Floats, counts: Ints) -> float:
    """Pooled over the series and targets that can be scaled; NaN when there is none."""
    usable = (naive_error > 0) & (counts > 0)[:, None]
    if not usable.any():
        return math.nan
    scaled = absolute.sum(axis=1)[usable] / naive_error[usable]
    points = np.broadcast_to(counts[:, None], naive_error.shape)[usable].sum() * absolute.shape[1]
    return float(scaled.sum() / points)


def _by_time(rows: Rows, windows: Windows) -> tuple[Ints, Ints]:
    """The order of the windows by cut-off time, and where each new time starts: series at one time count once."""
    cutoffs = rows.panel.times[windows.cutoffs]
    order = np.argsort(cutoffs, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(cutoffs[order]).astype(np.int64) > 0])
    return order, starts


def _mean_by_group(values: Floats, starts: Ints) -> Floats:
    return np.add.reduceat(values, starts) / np.diff(np.r_[starts, len(values)])


def _nulls(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _known(value) for name, value in values.items()}


def _known(value: float) -> float | None:
    """The value as JSON takes it: None where it is not finite."""
    return float(value) if math.isfinite(value) else None
