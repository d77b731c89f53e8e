"""Scores of every model on every window, summed chunk by chunk so that memory does not grow with windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.data.panel import Floats
from forecast.data.prepare import Rows, long_format
from forecast.data.windows import Forecaster, Ints, Windows, median
from forecast.evaluation.calibrating import adaptive_intervals
from forecast.evaluation.chunks import Chunk, chunks_of
from forecast.evaluation.comparison import (
    Losses,
    SumsByOrigin,
    compare,
    known,
    loss_weights,
    origin_steps,
    several_scales,
)
from forecast.evaluation.metrics import (
    METRICS,
    IntervalForecast,
    PointForecast,
    QuantileForecast,
    ScoredPoints,
    absolute_error,
    inside,
    metrics_of,
    qlike_loss,
    squared_error,
)
from forecast.evaluation.verdict import EchoSums, is_echo, verdict
from forecast.evaluation.yardstick import ROUNDING, NaiveError, Outlier, figure_by_series
from forecast.intervals.conformal import DECILES, Intervals, interval, interval_columns
from forecast.models.naive import NAIVE, count_seasons
from forecast.shown import Shown

SCHEMA = 1

_ROWS_OF_FORECASTS = 1_000_000

# Losses of single steps that are kept of each model for the test of significance.
_STEPS_TESTED = 4_000_000

# A forecast or observation that differs from the last value by less than this share of a usual change has not moved:
# networks calculate in float32.
_TOLERANCE = 1e-3

# The sum over points of each pointwise part of a metric.
_Sums = dict[Callable[..., NDArray[Any]], Floats]


@dataclass(frozen=True)
class Evaluation(Shown):
    """The scores of several models on the same windows, and their forecasts.

    Args:
        metrics: The content of metrics.json.
        forecasts: Long format: unique_id, ds, cutoff, y and a column for each model, and for the ends of its intervals.
            All origins, or evenly spaced ones where all of them would be more than a million rows.
        intervals: The intervals as they stand at the end of the data.
    """

    metrics: dict[str, Any]
    forecasts: pd.DataFrame
    intervals: Intervals | None = None

    def __repr__(self) -> str:
        return f"<Evaluation of {self.metrics['n_windows']:,} windows: {self.metrics['verdict']}>"


def score_models(
    rows: Rows,
    windows: Windows,
    models: Mapping[str, Forecaster],
    season: int,
    naive_error: Mapping[str, NaiveError],
    intervals: Intervals | None = None,
    alone: Mapping[str, str] = MappingProxyType({}),
) -> Evaluation:
    """Score models and naive forecasts side by side, on the same windows.

    Args:
        rows: The rows that the windows point into.
        windows: Every window to score; none is dropped.
        models: The judged model first, then the baseline if there is one, then others.
        season: m.
        naive_error: What scaled errors are divided by, for each unique id (see `naive_errors`).
        intervals: The intervals of all models, as they stood before the first window; None for none.
        alone: Of models whose networks add nothing, by name, what it is that they add nothing to.
    """
    scorer = Scorer(rows, windows, tuple(models), season, naive_error, intervals, alone)
    chunks = chunks_of(rows, windows, models, season, intervals)
    frames = [scorer.kept(chunk, scorer.add(chunk)) for chunk in chunks]
    # Column by column, for the parts and the whole of all columns would take twice the memory.
    columns: dict[str, pd.Series] = {}
    for name in map(str, frames[0].columns.copy()):
        parts: list[pd.Series] = [frame.pop(name) for frame in frames]
        columns[name] = pd.concat(parts, ignore_index=True)
    forecasts = pd.DataFrame(columns, copy=False)
    if not forecasts["unique_id"].is_monotonic_increasing:  # several targets; else the windows of each series ascend
        forecasts = forecasts.sort_values(["unique_id", "cutoff"], kind="stable", ignore_index=True)
    return Evaluation(scorer.metrics(), forecasts, scorer.intervals_at_end())


@dataclass
class ModelSums:
    """What is summed over the windows of one model.

    Args:
        points: Parts of the metrics of points, by series, step and target, [S, H, D].
        quantiles: Parts of the metrics of quantiles, averaged over the deciles, by series and target, [S, D].
        intervals: By level, parts of the metrics of intervals, by series and target, [S, D].
        intervals_by_step: By level, those of the metrics that are reported by step, [H].
        loss_by_origin: The weighted absolute error of each window, by its origin, [O, 1]: the sum over its observed
            points over the number of all, so that the losses sum up to what the pooled error is the mean of. NaN
            where none was observed.
        loss_by_step: The same by step, of the origins that are tested by step, [K, H].
    """

    loss_by_origin: SumsByOrigin
    loss_by_step: SumsByOrigin
    points: _Sums = field(default_factory=dict)
    quantiles: _Sums = field(default_factory=dict)
    intervals: dict[int, _Sums] = field(default_factory=dict)
    intervals_by_step: dict[int, _Sums] = field(default_factory=dict)


class Scorer:
    """Sums over chunks of windows, and the scores that follow from them; arguments as of `score_models`.

    ``of_more`` says that these windows are some of more, whose sums will be added.
    """

    def __init__(
        self,
        rows: Rows,
        windows: Windows,
        models: tuple[str, ...],
        season: int,
        naive_error: Mapping[str, NaiveError],
        intervals: Intervals | None,
        alone: Mapping[str, str],
        of_more: bool = False,
    ) -> None:
        self.rows, self.models, self.unit, self._alone = rows, models, rows.unit, alone
        self._windows, self._intervals = windows, intervals
        self._levels = None if intervals is None else (list(intervals.levels), intervals.adaptive)
        self._adaptive = None if intervals is None else adaptive_intervals(rows, windows, intervals)
        n_points = len(windows) * windows.horizon * rows.n_targets
        self._kept_every = max(1, -(-n_points // _ROWS_OF_FORECASTS))
        cutoffs, self.clock, self.spacing = rows.panel.times[windows.cutoffs], rows.panel.clock, windows.spacing
        _, firsts, self._origin = np.unique(origin_steps(cutoffs, self.clock), True, True)  # [O], [N]
        self.origins = cutoffs[firsts]
        self.tested_every = 1 if of_more else tested_every(len(firsts), windows.horizon)
        self._naive_mae = figure_by_series(rows, naive_error, "mae")  # [S, D]
        self._usual_change = np.nan_to_num(figure_by_series(rows, naive_error, "usual_mae"))
        self._outliers = {name: error.outlier for name, error in naive_error.items() if error.outlier is not None}
        self._weights = loss_weights(self._naive_mae, of_more)
        self._parts, self._loss = [part for part in _parts(PointForecast) if part is not qlike_loss], absolute_error
        self.measure = "MASE" if of_more or several_scales(self._naive_mae) else "MAE"
        if rows.volatility:  # whose losses have no scale
            self._parts, self._loss, self.measure = _parts(PointForecast), qlike_loss, "QLIKE"
            self._weights = np.ones_like(self._weights)
        targets = range(rows.n_targets)
        sizes = [[_mean_size(rows.series_values(s, d)) for d in targets] for s in range(rows.panel.n_series)]
        self._rounding = ROUNDING * np.array(sizes)  # [S, D]
        self.n_windows = np.zeros(rows.panel.n_series, np.int64)  # [S]
        counts = np.zeros((rows.panel.n_series, windows.horizon, rows.n_targets), np.int64)
        naive_rmse, circular = figure_by_series(rows, naive_error, "rmse"), bool(rows.bounds.circular.any())
        self.points = ScoredPoints(counts, 0.0, self._naive_mae, naive_rmse, circular, season, one_unit=rows.one_unit)
        # Without a season there is no seasonal naive to move.
        self._has_gaps = season > 1 and (not rows.seen.all() or len(rows.panel.gaps()[0]) > 0)
        self.moved_seasons = np.zeros(2, np.int64)  # of the seasonal naive: to an earlier one, to the last value
        self.sums: dict[str, ModelSums] = {}
        self.echo = EchoSums(windows.horizon)
        # The last value before the first window of each series and target, [S, D].
        self._begun_at = np.full(self._naive_mae.shape, np.nan)

    def add(self, chunk: Chunk) -> dict[str, Floats]:
        """Add one chunk, and return what was observed, its forecasts and the ends of their intervals, [n, H, D]."""
        rows, windows = self.rows, self._windows
        y_pred = {name: median(values) for name, values in chunk.forecasts.items()}
        last = rows.filled_at(windows.cutoffs[chunk.numbers])
        n_windows = np.bincount(chunk.series, minlength=len(self.n_windows))
        self.n_windows += n_windows
        self.points.counts += n_windows[:, None, None]
        if chunk.missing is not None:
            np.subtract.at(self.points.counts, chunk.series, chunk.missing)
        self.points.observed += float(np.abs(chunk.of_observed(chunk.y_true)).sum())
        if self._has_gaps:
            self.moved_seasons += count_seasons(rows, windows, chunk.numbers, self.points.season)
        for name, values in y_pred.items():
            if name not in self.sums:
                n_tested = -(-len(self.origins) // self.tested_every)
                self.sums[name] = ModelSums(SumsByOrigin(len(self.origins)), SumsByOrigin(n_tested, windows.horizon))
            self._add_points(self.sums[name], chunk, self._without_rounding(values, chunk), last)
        self._add_echo(chunk, y_pred[self.models[0]], last)
        columns = {"y": chunk.y_true} | y_pred
        if self._adaptive is not None and self._intervals is not None:
            quantiles = self._adaptive.quantiles(chunk.y_true, chunk.forecasts, chunk.series)
            quantiles = {name: rows.bounds.clip(values, chunk.series) for name, values in quantiles.items()}
            for name, values in quantiles.items():
                self._add_quantiles(self.sums[name], chunk, self._without_rounding(values, chunk), self._intervals)
            columns |= interval_columns({name: quantiles[name] for name in self.models}, self._intervals)
        return columns

    def kept(self, chunk: Chunk, columns: Mapping[str, Floats]) -> pd.DataFrame:
        """Those of the forecasts of a chunk that are kept, in the long format."""
        kept = chunk.numbers % self._kept_every == 0
        values = {name: values[kept] for name, values in columns.items()}
        return long_format(self.rows, self._windows, chunk.numbers[kept], values)

    def _without_rounding(self, values: Floats, chunk: Chunk) -> Floats:
        """Forecasts [n, H, D] or quantiles [n, H, D, P]; what differs from the observed by rounding alone is set to it.

        Else errors of sixteen digits would be compared, and divided by.
        """
        y_true, most = chunk.y_true, self._rounding[chunk.series][:, None]
        if values.ndim > y_true.ndim:
            y_true, most = y_true[..., None], most[..., None]
        return np.where(np.abs(values - y_true) <= most, y_true, values)

    def _add_points(self, sums: ModelSums, chunk: Chunk, y_pred: Floats, last: Floats) -> None:
        tolerance = _TOLERANCE * self._usual_change[chunk.series][:, None]
        forecast = PointForecast(chunk.y_true, y_pred, last[:, None], tolerance)
        for part in self._parts:
            self._add_by_series(sums.points, part, chunk.series, chunk.of_observed(part(forecast)))
        losses = chunk.of_observed(self._loss(forecast) * self._weights[chunk.series][:, None, :])
        origins = self._origin[chunk.numbers]
        tested = origins % self.tested_every == 0
        by_window, by_step = losses.mean(axis=(1, 2)), losses[tested].mean(axis=2)
        if chunk.missing is not None:
            by_window[chunk.missing.all(axis=(1, 2))] = np.nan
            by_step[chunk.missing[tested].all(axis=2)] = np.nan
        sums.loss_by_origin.add(by_window[:, None], origins)
        sums.loss_by_step.add(by_step, origins[tested] // self.tested_every)

    def _add_echo(self, chunk: Chunk, y_pred: Floats, last: Floats) -> None:
        # Series and targets on different levels and scales are pooled: each counts from where it was first seen.
        firsts = np.flatnonzero(np.diff(chunk.series, prepend=-1))
        begun = chunk.series[firsts]
        self._begun_at[begun] = np.where(np.isnan(self._begun_at[begun]), last[firsts], self._begun_at[begun])
        scale = np.where(self._naive_mae > 0, self._naive_mae, 1.0)

        def centred(values: Floats) -> Floats:
            return (values - self._begun_at[chunk.series][:, None]) / scale[chunk.series][:, None]

        parts = [centred(values) for values in (chunk.y_true, y_pred, last[:, None])]
        for target in range(y_pred.shape[2]):
            observed, forecast, before = (part[..., target] for part in parts)
            self.echo.add(observed, forecast, before[:, 0])

    def _add_by_series(
        self, sums: _Sums, part: Callable[..., NDArray[Any]], series: Ints, values: NDArray[Any]
    ) -> None:
        """Add a part's values [n, …] of windows that stand by series [n] to its sums by series, [S, …]."""
        if part not in sums:
            sums[part] = np.zeros((len(self.n_windows), *values.shape[1:]))
        firsts = np.flatnonzero(np.diff(series, prepend=-1))
        sums[part][series[firsts]] += np.add.reduceat(np.asarray(values, np.float64), firsts)

    def _add_quantiles(self, sums: ModelSums, chunk: Chunk, values: Floats, intervals: Intervals) -> None:
        """Add quantiles of some windows, [n, H, D, P]."""
        probabilities, stepwise = intervals.probabilities, _parts(IntervalForecast, by_step=True)
        for level in intervals.levels:
            at_level = IntervalForecast(chunk.y_true, *interval(values, probabilities, level))
            totals, by_step = sums.intervals.setdefault(level, {}), sums.intervals_by_step.setdefault(level, {})
            for part in _parts(IntervalForecast):
                of_points = chunk.of_observed(part(at_level))
                self._add_by_series(totals, part, chunk.series, of_points.sum(axis=1))
                if part in stepwise:
                    by_step[part] = by_step.get(part, 0.0) + of_points.sum(axis=(0, 2))
        deciles = [QuantileForecast(chunk.y_true, values[..., probabilities.index(p)], p) for p in DECILES]
        for part in _parts(QuantileForecast):
            losses = np.mean([chunk.of_observed(part(decile)).sum(axis=1) for decile in deciles], axis=0)
            self._add_by_series(sums.quantiles, part, chunk.series, losses)

    def intervals_at_end(self) -> Intervals | None:
        """The intervals after the last window."""
        return self._adaptive.intervals() if self._adaptive is not None else None

    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json; a figure that is undefined is None, with a reason beside it."""
        rows, metrics, model = self.rows, self.figures(), self.models[0]
        metrics["naive_error"] = {
            name: {"mae": known(mae), "rmse": known(rmse)}
            for unique_ids, *errors in zip(rows.unique_ids, self._naive_mae, self.points.naive_rmse, strict=True)
            for name, mae, rmse in zip(unique_ids, *errors, strict=True)
        }
        by_series = self._by_series()
        if self._naive_mae.size > 1:
            metrics["by_series"] = by_series
            metrics["rmse_by_series"] = self._by_series(squared_error, math.sqrt)
            if self._intervals is not None:
                metrics["crps_by_series"] = self._crps_by_series()
        for name, calibration in (self._intervals.calibrations if self._intervals else {}).items():
            of_model = metrics["intervals"]["models"][name]
            if calibration.borrowed.any():
                borrowing = np.flatnonzero(calibration.borrowed & (self.n_windows > 0))
                of_model["borrowed"] = [unique_id for s in borrowing for unique_id in rows.unique_ids[s]]
            for level, totals in self.sums[name].intervals.items() if self._naive_mae.size > 1 else ():
                of_model[str(level)]["coverage_by_series"] = self._means_by_series(totals[inside])
        unscaled = [name for name in by_series if not (metrics["naive_error"][name]["mae"] or 0) > 0]
        if unscaled and self.measure == "MASE":  # which they are left out of
            metrics["unscaled"] = unscaled
        if self._outliers:
            metrics["yardstick"] = {
                name: _about_outlier(outlier, metrics["naive_error"][name]["mae"], by_series.get(name, {}).get(model))
                for name, outlier in self._outliers.items()
            }
        return metrics | {"verdict": verdict(metrics), "forecasts_every": self._kept_every}

    def figures(self) -> dict[str, Any]:
        """The figures that are not by series."""
        reasons, (model, *others) = dict[str, str](), self.models
        compared = self._compared(model, [name for name in [*others, *NAIVE] if name in self.sums], reasons)
        echo, n_windows = self.echo.echo(), int(self.n_windows.sum())
        if math.isnan(echo.difference_skill):
            reasons["echo.difference_skill"] = "nothing ever changes from step to step"
        points = replace(self.points, counts=self.points.counts.sum(axis=1))
        metrics: dict[str, Any] = {
            "schema": SCHEMA,
            "n_windows": n_windows,
            "n_origins": len(self.origins),
            "horizon": self.points.counts.shape[1],
            "unit": self.unit,
            "season": points.season,
            "model": model,
            "models": {
                name: _scores(PointForecast, points, sums.points, f"models.{name}", reasons)
                for name, sums in self.sums.items()
            },
            **compared,
            "by_step": {name: self._by_step(sums) for name, sums in self.sums.items()},
            "by_step_of": "QLIKE" if self.measure == "QLIKE" else "MAE" if points.one_unit else "MASE",
            "echo": {
                "best_lag": echo.best_lag,
                "difference_skill": known(echo.difference_skill),
                "delayed": echo.delayed and is_echo(compared["skill"], compared["p_value"], n_windows),
            },
            "intervals": self._interval_scores(points, reasons),
            "skill_of": self.measure,
            "reasons": reasons,
        }
        if self._alone:
            metrics["network_adds_nothing_to"] = dict(self._alone)
        n_points = n_windows * math.prod(self.points.counts.shape[1:])
        if n_missing := n_points - points.count:
            metrics |= {"n_points": n_points, "n_points_missing": n_missing}
        if self.moved_seasons.any():
            metrics["seasonal_naive"] = dict(
                zip(("from_earlier_season", "from_last_value"), self.moved_seasons.tolist(), strict=True)
            )
        return metrics

    def _at_steps(self) -> list[ScoredPoints]:
        """The points of each step of the horizon, [H]."""
        return [replace(self.points, counts=counts) for counts in np.moveaxis(self.points.counts, 1, 0)]

    def _compared(self, model: str, references: list[str], reasons: dict[str, str]) -> dict[str, Any]:
        """Skill against each reference, how sure it is, and at which steps."""
        horizon = -(-self.points.counts.shape[1] // self.spacing)  # in origins
        losses = {name: self._losses(self.sums[name]) for name in references}
        return compare(self._losses(self.sums[model]), losses, horizon, self.spacing * self.tested_every, reasons)

    def _losses(self, sums: ModelSums) -> Losses:
        by_origin = sums.loss_by_origin.sums()[:, 0]
        return Losses(by_origin[~np.isnan(by_origin)], sums.loss_by_step.sums())

    def _interval_scores(self, points: ScoredPoints, reasons: dict[str, str]) -> dict[str, Any] | None:
        """Coverage, width and scores of the intervals; None where there are none."""
        if self._levels is None:
            return None
        at_steps, by_model = self._at_steps(), dict[str, Any]()
        for name, sums in ((name, sums) for name, sums in self.sums.items() if sums.intervals):
            where = f"intervals.models.{name}"
            by_model[name] = _scores(QuantileForecast, points, sums.quantiles, where, reasons)
            for level, totals in sums.intervals.items():
                at_level, by_step = replace(points, level=level), sums.intervals_by_step[level]
                scores = _scores(IntervalForecast, at_level, totals, f"{where}.{level}", reasons)
                by_model[name][str(level)] = scores | {
                    f"{key}_by_step": [
                        known(metric.score(of_step, {part: by_step[part][step] for part in metric.parts})[0])
                        for step, of_step in enumerate(at_steps)
                    ]
                    for key, metric in metrics_of(IntervalForecast).items()
                    if metric.by_step
                }
        return {"levels": self._levels[0], "adaptive": self._levels[1], "models": by_model}

    def _by_step(self, sums: ModelSums) -> list[float | None]:
        """The mean absolute error at each step, [H]; scaled, where targets have not one unit; QLIKE of volatilities."""
        metric = METRICS["qlike" if self.measure == "QLIKE" else "mae" if self.points.one_unit else "mase"]
        return [
            known(metric.score(of_step, {self._loss: sums.points[self._loss][:, step : step + 1]})[0])
            for step, of_step in enumerate(self._at_steps())
        ]

    def _by_series(
        self,
        part: Callable[[PointForecast], Floats] = absolute_error,
        of_mean: Callable[[float], float] = float,
    ) -> dict[str, dict[str, float | None]]:
        """The mean of a part over each series and target that has a window, or a function of the mean, by model."""
        sums = {name: sums.points[part].sum(axis=1) for name, sums in self.sums.items()}
        return _by_name({name: self._means_by_series(of_model, of_mean) for name, of_model in sums.items()})

    def _crps_by_series(self) -> dict[str, dict[str, float | None]]:
        """The CRPS of each series and target that has a window, by model that has intervals."""
        (part,) = METRICS["crps"].parts
        return _by_name({name: self._means_by_series(self.sums[name].quantiles[part]) for name in self.models})

    def _means_by_series(self, sums: Floats, of_mean: Callable[[float], float] = float) -> dict[str, float | None]:
        """A function of the mean over the points of each series and target that has a window, of their sums [S, D]."""
        counts = self.points.counts.sum(axis=1)
        means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
        return {
            self.rows.unique_ids[series][target]: known(of_mean(float(means[series, target])))
            for series in np.flatnonzero(self.n_windows)
            for target in range(self.rows.n_targets)
        }


def tested_every(n_origins: int, horizon: int) -> int:
    """Of every how many origins the steps are tested for significance."""
    return max(1, -(-n_origins * horizon // _STEPS_TESTED))


def _by_name(scores: Mapping[str, Mapping[str, float | None]]) -> dict[str, dict[str, float | None]]:
    """Scores by model and then by unique id, the other way round."""
    unique_ids = next(iter(scores.values()))
    return {unique_id: {model: scores[model][unique_id] for model in scores} for unique_id in unique_ids}


def _mean_size(values: Floats) -> float:
    """The mean absolute value of those that are known; 0 if none is."""
    known_values = values[~np.isnan(values)]
    return float(np.abs(known_values).mean()) if len(known_values) else 0.0


def _about_outlier(outlier: Outlier, naive_mae: float, mae: float | None) -> dict[str, Any]:
    """A value that alone makes much of a yardstick, and the model's MASE of that series with it and without."""
    scales = {"mase": naive_mae, "mase_without": outlier.mae_without}
    return outlier._asdict() | {
        key: None if mae is None or not scale > 0 else mae / scale for key, scale in scales.items()
    }


def _parts(kind: type, by_step: bool = False) -> list[Callable[..., NDArray[Any]]]:
    """The parts of all metrics of a kind of forecast, each once; only of those that are reported by step."""
    metrics = [metric for metric in metrics_of(kind).values() if metric.by_step or not by_step]
    return list(dict.fromkeys(part for metric in metrics for part in metric.parts))


def _scores(
    kind: type, points: ScoredPoints, sums: _Sums, where: str, reasons: dict[str, str]
) -> dict[str, float | None]:
    """Every metric of a kind of forecast; None where it is undefined, and why, under ``where``, in ``reasons``."""
    scored = {key: metric for key, metric in metrics_of(kind).items() if sums.keys() >= {*metric.parts}}
    scores = {key: metric.score(points, sums) for key, metric in scored.items()}
    reasons |= {f"{where}.{key}": reason for key, (_, reason) in scores.items() if reason}
    return {key: known(value) for key, (value, _) in scores.items()}
