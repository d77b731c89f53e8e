"""The metrics: one entry of `METRICS` each, at the end of this file.

A flat function, the scores in metrics.json and the tables follow from the entry. `mae(y_true, y_pred)`, and any other
metric that needs only these two arrays, is a function of this module; those that need more have a function of their
own. All scores are calculated in float64, in the target's own units, and pooled over every point that was observed.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forecast.data.panel import Floats
from forecast.data.windows import Flags, Ints
from forecast.evaluation.yardstick import seasonal_naive_error as seasonal_naive_error  # for mase and rmsse


@dataclass(frozen=True)
class PointForecast:
    """One forecast of each point, beside what was observed.

    Args:
        y_true: Observed, [n, H, D].
        y_pred: Forecast, [n, H, D].
        last: The last value seen before each window, [n, 1, D]; NaN where it is unknown.
        tolerance: Changes up to this size count as none, [n, 1, D].
    """

    y_true: Floats
    y_pred: Floats
    last: Floats | float = math.nan
    tolerance: Floats | float = 0.0

    @cached_property
    def error(self) -> Floats:
        """Forecast minus observed, [n, H, D]."""
        return self.y_pred - self.y_true

    @cached_property
    def moves(self) -> Flags:
        """Where both the observation and the forecast differ from the last value, [n, H, D]."""
        moved: Flags = (np.abs(self.y_true - self.last) > self.tolerance) & (
            np.abs(self.y_pred - self.last) > self.tolerance
        )
        return moved


@dataclass(frozen=True)
class QuantileForecast:
    """A quantile of each point, beside what was observed.

    Args:
        y_true: Observed, [n, H, D].
        y_quantile: Forecast of the quantile, [n, H, D].
        probability: Of the quantile, within 0 … 1.
    """

    y_true: Floats
    y_quantile: Floats
    probability: float


@dataclass(frozen=True)
class IntervalForecast:
    """An interval for each point, beside what was observed.

    Args:
        y_true: Observed, [n, H, D].
        low: Lower ends, [n, H, D].
        high: Upper ends, [n, H, D].
    """

    y_true: Floats
    low: Floats
    high: Floats


@dataclass
class ScoredPoints:
    """What all forecasts of the same points share; a metric is pooled with it.

    Args:
        counts: The number of points of each series and target, [S, D]; those that were not observed are none.
        observed: The sum of the absolute observations.
        naive_mae: The mean absolute error of the naive forecast by series and target, [S, D]; NaN where unknown.
        naive_rmse: The root of its mean squared error, [S, D].
        circular: Whether a target is an angle, so that errors relative to its value mean nothing.
        season: m, the steps between the two values of a naive error.
        level: Of the interval that is scored, in %.
        one_unit: Whether all points have one unit of measurement, so that their errors can be added.
    """

    counts: Ints
    observed: float
    naive_mae: Floats
    naive_rmse: Floats
    circular: bool = False
    season: int = 1
    level: float = math.nan
    one_unit: bool = True

    @cached_property
    def count(self) -> int:
        """The number of all points."""
        return int(self.counts.sum())


@dataclass(frozen=True)
class Metric:
    """All that is known of a metric.

    Args:
        name: What tables call it.
        meaning: What it says, for a reader who does not know it.
        formula: With y observed, ŷ forecast, [l, u] an interval and q a quantile.
        unit: The target's own unit, percent, a share of 1, or a ratio without a unit.
        parts: Its pointwise parts: functions of a forecast that return a value for each point, [n, H, D].
        pool: The score, from the scored points and the sum of each part. The sums of a `PointForecast` are kept by
            series, step and target, [S, H, D], others by series and target, [S, D].
        undefined: Why there is no score, from the same arguments; empty where there is one.
        of: The kind of forecast that it scores.
        by_step: Whether an interval's metric is reported for each step of the horizon, too.
        cost: The best forecast has least of this; None where no value is best by itself.
        signed: Whether tables write a plus sign.
        weighted: Whether large values count more than small ones, though the score itself has no unit.
        of_scales: Whether tables show it only where series or targets have several scales.
        shown: Which tables show it: the report's, those of a run on the terminal, too, or leaderboards as well.
        reference: The paper.
    """

    name: str
    meaning: str
    formula: str
    unit: Literal["target", "percent", "share", "ratio"]
    parts: tuple[Callable[[Any], NDArray[Any]], ...]
    pool: Callable[..., float]
    undefined: Callable[..., str] = lambda *_: ""
    of: type[PointForecast | QuantileForecast | IntervalForecast] = PointForecast
    by_step: bool = False
    cost: Callable[[float], float] | None = abs
    signed: bool = False
    weighted: bool = False
    of_scales: bool = False
    shown: Literal["report", "run", "leaderboard"] = "run"
    reference: str = ""

    def score(self, points: ScoredPoints, sums: Mapping[Callable[..., Any], Floats]) -> tuple[float, str]:
        """The score, or NaN and the reason why it is undefined.

        Args:
            points: The points that were scored.
            sums: The sum of each part.
        """
        values = [sums[part] for part in self.parts]
        reason = self.undefined(points, *values) if points.count else "nothing was observed"
        if not points.one_unit and (self.unit == "target" or self.weighted):
            reason = "the targets are not known to have one unit of measurement"
        return (math.nan, reason) if reason else (float(self.pool(points, *values)), "")

    def head(self, unit: str) -> str:
        """The head of its column: "MAE °C", "sMAPE %".

        Args:
            unit: The target's; empty where it is unknown.
        """
        return f"{self.name} {unit if self.unit == 'target' else '%' if self.unit == 'percent' else ''}".rstrip()


def metrics_of(kind: type) -> dict[str, Metric]:
    """The metrics that score a kind of forecast, by their names in metrics.json."""
    return {name: metric for name, metric in METRICS.items() if metric.of is kind}


def __getattr__(name: str) -> Callable[[ArrayLike, ArrayLike], float]:
    """The flat function of a metric that needs nothing but observations and forecasts: `mae(y_true, y_pred)`."""
    if name.startswith("__") or name not in metrics_of(PointForecast):
        raise AttributeError(f"there is no metric {name!r}; there are {', '.join(METRICS)}")
    flat = partial(_flat_points, name)
    flat.__doc__ = f"{METRICS[name].meaning}: {METRICS[name].formula}"
    return flat


def __dir__() -> list[str]:
    return sorted({*globals(), *metrics_of(PointForecast)})


def mase(y_true: ArrayLike, y_pred: ArrayLike, naive_error: float) -> float:
    """Mean absolute scaled error: 1 is as wrong as the seasonal naive was, one step ahead, on the training rows.

    Args:
        y_true: Observed.
        y_pred: Forecast, of the same shape.
        naive_error: The ``mae`` that `seasonal_naive_error` returned for the training rows.

    Returns:
        The error, or NaN where ``naive_error`` is zero or unknown.
    """
    return _flat_points("mase", y_true, y_pred, naive_error)


def rmsse(y_true: ArrayLike, y_pred: ArrayLike, naive_error: float) -> float:
    """Root mean squared scaled error: as `mase`, of squares; ``naive_error`` is the ``rmse`` of the naive forecast."""
    return _flat_points("rmsse", y_true, y_pred, naive_error)


def directional_accuracy(y_true: ArrayLike, y_pred: ArrayLike, last: ArrayLike, tolerance: float = 0.0) -> float:
    """Share of points that moved from the last seen value to the side that was forecast, in %.

    Args:
        y_true: Observed, [N, H].
        y_pred: Forecast, of the same shape.
        last: The last value seen before each forecast, [N].
        tolerance: Changes up to this size count as none: networks calculate in float32.

    Returns:
        The share among the points where both observation and forecast moved; NaN where there is none, as for
        persistence.
    """
    observed, forecast = _arrays(y_true, y_pred)
    before = np.asarray(last, np.float64)[:, None]
    return _flat("directional_accuracy", PointForecast(observed, forecast, before, tolerance))


def quantile_loss(y_true: ArrayLike, y_quantile: ArrayLike, probability: float) -> float:
    """Mean pinball loss, doubled, so that it is the mean absolute error at the median; in the target's units.

    Reference: Koenker & Bassett 1978.
    """
    return crps(y_true, np.asarray(y_quantile)[..., None], [probability])


def weighted_quantile_loss(y_true: ArrayLike, y_quantiles: ArrayLike, probabilities: Sequence[float]) -> float:
    """`crps`, of the same arguments, over the mean size of what was observed; NaN where only zero was."""
    return _flat_quantiles("wql", y_true, y_quantiles, probabilities)


def crps(y_true: ArrayLike, y_quantiles: ArrayLike, probabilities: Sequence[float]) -> float:
    """Continuous ranked probability score by quantiles: the mean of their losses, in the target's units.

    With evenly spaced quantiles it converges to the score itself; with one at the median it is the mean absolute error.

    Args:
        y_true: Observed, [...].
        y_quantiles: Quantiles of the forecast, [..., Q].
        probabilities: Of which probability each is, Q within 0 … 1.
    """
    return _flat_quantiles("crps", y_true, y_quantiles, probabilities)


def coverage(y_true: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Share of points that lie within their interval, 0 … 1."""
    return _flat("coverage", IntervalForecast(*_arrays(y_true, low, high)))


def interval_width(low: ArrayLike, high: ArrayLike) -> float:
    """Mean width of the intervals, in the target's units."""
    return _flat("width", IntervalForecast(*_arrays(low, low, high)))  # whatever was observed


def winkler(y_true: ArrayLike, low: ArrayLike, high: ArrayLike, level: float) -> float:
    """Interval score: the width, and for a point outside 2/(1 - level) times its distance; in the target's units.

    Args:
        y_true: Observed.
        low: Lower ends, of the same shape.
        high: Upper ends.
        level: The share of points that the interval should hold, such as 0.8.
    """
    return _flat("winkler", IntervalForecast(*_arrays(y_true, low, high)), level=100 * level)


def scaled_crps(y_true: ArrayLike, y_quantiles: ArrayLike, probabilities: Sequence[float], naive_error: float) -> float:
    """`crps` over the naive error of the series, as in `mase`; NaN where that is zero or unknown."""
    return _flat_quantiles("scaled_crps", y_true, y_quantiles, probabilities, naive_error)


def scaled_winkler(y_true: ArrayLike, low: ArrayLike, high: ArrayLike, level: float, naive_error: float) -> float:
    """`winkler` over the naive error of the series, as in `mase`: the MSIS of the M4 competition."""
    forecast = IntervalForecast(*_arrays(y_true, low, high))
    return _flat("scaled_winkler", forecast, naive_error=naive_error, level=100 * level)


def skill(error: float, reference: float) -> float:
    """1 - error / reference: the share of the reference's error that is avoided; NaN where the reference is perfect."""
    return 1 - error / reference if reference > 0 else math.nan


def _flat(name: str, *forecasts: Any, naive_error: float = math.nan, level: float = math.nan) -> float:
    """A score of whole arrays, taken as windows of one step of one series; of several quantiles, averaged over them."""
    metric, y_true = METRICS[name], forecasts[0].y_true
    seen = ~np.isnan(y_true)

    def total(values: NDArray[Any]) -> float:
        return float(values.sum() if seen.all() else values[seen].sum())

    sums = {part: np.full((1, 1, 1), np.mean([total(part(each)) for each in forecasts])) for part in metric.parts}
    naive, counts = np.full((1, 1), naive_error), np.full((1, 1), seen.sum())
    return metric.score(ScoredPoints(counts, total(np.abs(y_true)), naive, naive, level=level), sums)[0]


def _flat_points(name: str, y_true: ArrayLike, y_pred: ArrayLike, naive_error: float = math.nan) -> float:
    return _flat(name, PointForecast(*_arrays(y_true, y_pred)), naive_error=naive_error)


def _flat_quantiles(
    name: str, y_true: ArrayLike, y_quantiles: ArrayLike, probabilities: Sequence[float], naive_error: float = math.nan
) -> float:
    observed, *quantiles = _arrays(y_true, *np.moveaxis(np.asarray(y_quantiles), -1, 0))
    forecasts = (QuantileForecast(observed, *pair) for pair in zip(quantiles, probabilities, strict=True))
    return _flat(name, *forecasts, naive_error=naive_error)


def _arrays(y_true: ArrayLike, *forecasts: ArrayLike) -> list[Floats]:
    """The arrays in float64, which must be of one shape."""
    observed, *others = (np.asarray(values, np.float64) for values in (y_true, *forecasts))
    for other in others:
        if observed.shape != other.shape:
            raise ValueError(f"y_true and y_pred differ in shape: {observed.shape} and {other.shape}")
    if not observed.size:
        raise ValueError("there is no point to score")
    return [observed, *others]


def absolute_error(forecast: PointForecast) -> Floats:
    """|ŷ - y| of each point."""
    return np.abs(forecast.error)


def squared_error(forecast: PointForecast) -> Floats:
    """(ŷ - y)² of each point."""
    return forecast.error**2


def qlike_loss(forecast: PointForecast) -> Floats:
    """Of each point y / ŷ - ln(y / ŷ) - 1; a forecast of less than a thousandth of y counts as that."""
    ratio = forecast.y_true / np.maximum(forecast.y_pred, 1e-3 * forecast.y_true)
    return np.asarray(ratio - np.log(ratio) - 1)


def _symmetric_error(forecast: PointForecast) -> Floats:
    """The percentage error of each point, 0 … 200; 0 where both are zero."""
    size = np.abs(forecast.y_true) + np.abs(forecast.y_pred)
    return 200 * np.divide(absolute_error(forecast), size, out=np.zeros_like(size), where=size > 0)


def _right_moves(forecast: PointForecast) -> Flags:
    observed, expected = np.sign(forecast.y_true - forecast.last), np.sign(forecast.y_pred - forecast.last)
    return forecast.moves & (observed == expected)


def _pinball(forecast: QuantileForecast) -> Floats:
    """Twice the pinball loss of each point: its absolute error, at the median."""
    error, p = forecast.y_true - forecast.y_quantile, forecast.probability
    return 2 * np.maximum(p * error, (p - 1) * error)


def inside(forecast: IntervalForecast) -> Flags:
    """Whether each point lies within its interval."""
    held: Flags = (forecast.low <= forecast.y_true) & (forecast.y_true <= forecast.high)
    return held


def _width(forecast: IntervalForecast) -> Floats:
    return forecast.high - forecast.low


def _distance(forecast: IntervalForecast) -> Floats:
    """How far each point lies outside its interval."""
    return np.maximum(forecast.low - forecast.y_true, 0) + np.maximum(forecast.y_true - forecast.high, 0)


def mean(points: ScoredPoints, total: Floats) -> float:
    """The mean over points."""
    return total.sum() / points.count


def _scaled(points: ScoredPoints, errors: Floats, scales: Floats) -> float:
    """The mean over points of each error in units of its series' and target's scale, where there is one."""
    usable = _usable(scales, points)
    of_series = errors.reshape(len(errors), -1, errors.shape[-1]).sum(axis=1)  # [S, D]
    share = points.counts[usable].sum() / points.count
    return float((of_series[usable] / scales[usable]).sum() / (share * points.count))


def _usable(scales: Floats, points: ScoredPoints) -> Flags:
    return (scales > 0) & (points.counts > 0)


def _interval_score(points: ScoredPoints, width: Floats, outside: Floats) -> Floats:
    """The sum of Winkler's score over points, from those of the width and of the distance outside."""
    return width + 2 / (1 - points.level / 100) * outside


def _no_scale(points: ScoredPoints, errors: Floats) -> str:
    if _usable(points.naive_mae, points).any():
        return ""
    return f"values {points.season} steps apart never differ, or are never both observed, in the training rows"


def _no_zero(points: ScoredPoints, *_: Floats) -> str:
    return "an angle has no zero" if points.circular else ""


def _nothing_observed(points: ScoredPoints, *_: Floats) -> str:
    return _no_zero(points) or ("" if points.observed > 0 else "everything observed is zero")


def _no_moves(points: ScoredPoints, right: Floats, moves: Floats) -> str:
    return "" if moves.sum() > 0 else "it never forecasts a change, or nothing ever changed"


METRICS: dict[str, Metric] = {
    "mae": Metric(
        "MAE",
        "mean absolute error",
        formula="mean |ŷ − y|",
        unit="target",
        parts=(absolute_error,),
        pool=mean,
        shown="leaderboard",
    ),
    "rmse": Metric(
        "RMSE",
        "root of the mean squared error, which large errors dominate",
        formula="√ mean (ŷ − y)²",
        unit="target",
        parts=(squared_error,),
        pool=lambda points, squares: math.sqrt(mean(points, squares)),
        shown="leaderboard",
    ),
    "mase": Metric(
        "MASE",
        "MAE divided by that of the seasonal naive, one step ahead, on the training span",
        formula="mean over points of |ŷ − y| / naive MAE of the series",
        unit="ratio",
        parts=(absolute_error,),
        pool=lambda points, errors: _scaled(points, errors, points.naive_mae),
        undefined=_no_scale,
        shown="leaderboard",
        reference="Hyndman & Koehler 2006",
    ),
    "rmsse": Metric(
        "RMSSE",
        "the same of RMSE",
        formula="√ mean over points of (ŷ − y)² / naive MSE of the series",
        unit="ratio",
        parts=(squared_error,),
        pool=lambda points, squares: math.sqrt(_scaled(points, squares, points.naive_rmse**2)),
        undefined=_no_scale,
        shown="report",
        reference="Hyndman & Koehler 2006; the M5 competition",
    ),
    "smape": Metric(
        "sMAPE",
        "absolute error in percent of the mean of forecast and observed",
        formula="200 mean (|ŷ − y| / (|y| + |ŷ|)), 0 where both are zero",
        unit="percent",
        parts=(_symmetric_error,),
        pool=mean,
        undefined=_no_zero,
        reference="Makridakis 1993, in the form of the M4 competition",
    ),
    "wape": Metric(
        "WAPE",
        "sum of the absolute errors in percent of the sum of what was observed",
        formula="100 Σ |ŷ − y| / Σ |y|",
        unit="percent",
        parts=(absolute_error,),
        pool=lambda points, errors: 100 * errors.sum() / points.observed,
        weighted=True,
        undefined=_nothing_observed,
        shown="report",
        reference="Kolassa & Schütz 2007, as MAD/mean ratio",
    ),
    "qlike": Metric(
        "QLIKE",
        "the error of a variance or a volatility in proportion to it, of which too low a forecast has most",
        formula="mean y / ŷ − ln(y / ŷ) − 1",
        unit="ratio",
        parts=(qlike_loss,),
        pool=mean,
        shown="leaderboard",
        reference="Patton 2011",
    ),
    "bias": Metric(
        "bias",
        "mean of forecast minus observed",
        formula="mean (ŷ − y)",
        unit="target",
        parts=(operator.attrgetter("error"),),
        pool=mean,
        signed=True,
        shown="report",
    ),
    "directional_accuracy": Metric(
        "direction",
        "how often the change from the last value had the right sign",
        formula="100 × share of sign(ŷ − last) = sign(y − last), where both changed",
        unit="percent",
        parts=(_right_moves, operator.attrgetter("moves")),
        pool=lambda points, right, moves: 100 * right.sum() / moves.sum(),
        undefined=_no_moves,
        cost=operator.neg,
        shown="report",
    ),
    "crps": Metric(
        "CRPS",
        "the mean loss of the nine deciles, doubled: the error of the whole distribution; of one value, the MAE",
        formula="mean 2 max(p (y − q), (p − 1) (y − q)), over points and quantiles q of probability p",
        unit="target",
        parts=(_pinball,),
        pool=mean,
        of=QuantileForecast,
        reference="Gneiting & Raftery 2007",
    ),
    "scaled_crps": Metric(
        "scaled CRPS",
        "CRPS divided by the naive error of the series, as MASE is: of one value, the MASE",
        formula="mean over points of CRPS / naive MAE of the series",
        unit="ratio",
        parts=(_pinball,),
        pool=lambda points, losses: _scaled(points, losses, points.naive_mae),
        undefined=_no_scale,
        of=QuantileForecast,
        of_scales=True,
        reference="Makridakis et al. 2022: the scaled pinball loss of the M5 competition",
    ),
    "wql": Metric(
        "WQL",
        "CRPS over the mean size of what was observed",
        formula="CRPS / mean |y|",
        unit="ratio",
        parts=(_pinball,),
        pool=lambda points, losses: losses.sum() / points.observed,
        weighted=True,
        undefined=_nothing_observed,
        of=QuantileForecast,
        reference="Salinas et al. 2020, DeepAR",
    ),
    "coverage": Metric(
        "inside",
        "the share of the observations that lie within their interval, its ends included",
        formula="share of l ≤ y ≤ u",
        unit="share",
        parts=(inside,),
        pool=mean,
        of=IntervalForecast,
        by_step=True,
        cost=None,
    ),
    "width": Metric(
        "width",
        "the mean width of the intervals",
        formula="mean (u − l)",
        unit="target",
        parts=(_width,),
        pool=mean,
        of=IntervalForecast,
        by_step=True,
        cost=None,
    ),
    "winkler": Metric(
        "Winkler",
        "the width of an interval, and for a value outside 2 / (1 - level) times how far outside it lies",
        formula="mean (u − l + 2 / (1 − level) × distance of y from [l, u])",
        unit="target",
        parts=(_width, _distance),
        pool=lambda points, width, outside: mean(points, _interval_score(points, width, outside)),
        of=IntervalForecast,
        reference="Winkler 1972; Gneiting & Raftery 2007",
    ),
    "scaled_winkler": Metric(
        "MSIS",
        "Winkler divided by the naive error of the series, as MASE is: the mean scaled interval score",
        formula="mean over points of Winkler / naive MAE of the series",
        unit="ratio",
        parts=(_width, _distance),
        pool=lambda points, width, outside: _scaled(points, _interval_score(points, width, outside), points.naive_mae),
        undefined=lambda points, width, _: _no_scale(points, width),
        of=IntervalForecast,
        of_scales=True,
        reference="Makridakis et al. 2020: the M4 competition",
    ),
}
