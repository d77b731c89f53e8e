"""Flat metric functions on arrays, in the targets' own units, pooled over every point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forecast.data.panel import Floats

# Pairs of values whose differences are held together.
_PAIRS_AT_ONCE = 1 << 20


def mae(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(_errors(y_true, y_pred))))


def rmse(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.mean(np.square(_errors(y_true, y_pred)))))


def smape(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Symmetric mean absolute percentage error, 0 … 200 %; a point where both are zero counts as no error.

    Reference: Makridakis 1993, in the form of the M4 competition.
    """
    _errors(y_true, y_pred)
    return float(np.mean(symmetric_errors(np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64))))


def wape(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Weighted absolute percentage error: the sum of errors over the sum of |observed|, in %; NaN where that is zero.

    Reference: Kolassa & Schütz 2007, as MAD/mean ratio.
    """
    total = float(np.abs(np.asarray(y_true, np.float64)).sum())
    errors = float(np.abs(_errors(y_true, y_pred)).sum())
    return 100 * errors / total if total > 0 else float("nan")


def bias(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Mean of forecast minus observed: positive where forecasts are too high."""
    return float(-np.mean(_errors(y_true, y_pred)))


def directional_accuracy(y_true: ArrayLike, y_pred: ArrayLike, last: ArrayLike, still: float = 0.0) -> float:
    """Share of points that moved, from the last seen value, to the side that was forecast, in %.

    Args:
        y_true: Observed, [N, H].
        y_pred: Forecast, of the same shape.
        last: The last value seen before each forecast, [N].
        still: Changes up to this size are none: networks calculate in float32.

    Returns:
        The share among the points where both observation and forecast moved; NaN where there is none, as for
        persistence.
    """
    _errors(y_true, y_pred)
    seen = np.asarray(last, np.float64)[:, None]
    told, right = directions(np.asarray(y_true, np.float64) - seen, np.asarray(y_pred, np.float64) - seen, still)
    return 100 * float(right.sum() / told.sum()) if told.any() else float("nan")


def mase(y_true: ArrayLike, y_pred: ArrayLike, naive_error: float) -> float:
    """Mean absolute scaled error: 1 is as wrong as the seasonal naive was, one step ahead, on the training rows.

    Args:
        y_true: Observed.
        y_pred: Forecast, of the same shape.
        naive_error: The ``mae`` that `seasonal_naive_error` returned for the training rows.

    Returns:
        The error, or NaN where ``naive_error`` is zero or unknown.

    Reference: Hyndman & Koehler 2006.
    """
    return mae(y_true, y_pred) / naive_error if naive_error > 0 else float("nan")


def rmsse(y_true: ArrayLike, y_pred: ArrayLike, naive_error: float) -> float:
    """Root mean squared scaled error: as `mase`, of squares; ``naive_error`` is the ``rmse`` of the naive forecast.

    Reference: Hyndman & Koehler 2006; the M5 competition.
    """
    return rmse(y_true, y_pred) / naive_error if naive_error > 0 else float("nan")


def quantile_loss(y_true: ArrayLike, y_quantile: ArrayLike, probability: float) -> float:
    """Mean pinball loss, doubled, so that it is the mean absolute error at the median; in the target's units.

    Reference: Koenker & Bassett 1978.
    """
    return float(np.mean(pinball(_errors(y_true, y_quantile), probability)))


def weighted_quantile_loss(y_true: ArrayLike, y_quantiles: ArrayLike, probabilities: Sequence[float]) -> float:
    """Quantile loss summed over points and averaged over quantiles, over the sum of |observed|; NaN where that is zero.

    Args:
        y_true: Observed, [...].
        y_quantiles: Quantiles of the forecast, [..., Q].
        probabilities: Of which probability each is, Q within 0 … 1.

    Reference: Salinas et al. 2020, DeepAR.
    """
    total = float(np.abs(np.asarray(y_true, np.float64)).mean())
    return crps(y_true, y_quantiles, probabilities) / total if total > 0 else float("nan")


def crps(y_true: ArrayLike, y_quantiles: ArrayLike, probabilities: Sequence[float]) -> float:
    """Continuous ranked probability score by quantiles: the mean of their losses, in the target's units.

    With evenly spaced quantiles it converges to the score itself; with one at the median it is the mean absolute error.

    Args:
        y_true: Observed, [...].
        y_quantiles: Quantiles of the forecast, [..., Q].
        probabilities: Of which probability each is, Q within 0 … 1.

    Reference: Gneiting & Raftery 2007.
    """
    values = np.asarray(y_quantiles, np.float64)
    return float(np.mean([quantile_loss(y_true, values[..., n], p) for n, p in enumerate(probabilities)]))


def coverage(y_true: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """Share of points that lie within their interval, 0 … 1."""
    return float(np.mean((_errors(y_true, low) >= 0) & (_errors(y_true, high) <= 0)))


def interval_width(low: ArrayLike, high: ArrayLike) -> float:
    """Mean width of the intervals, in the target's units."""
    return float(np.mean(_errors(high, low)))


def winkler(y_true: ArrayLike, low: ArrayLike, high: ArrayLike, level: float) -> float:
    """Interval score: the width, and for a point outside 2/(1 - level) times its distance; in the target's units.

    Args:
        y_true: Observed.
        low: Lower ends, of the same shape.
        high: Upper ends.
        level: The share of points that the interval should hold, such as 0.8.

    Reference: Winkler 1972; Gneiting & Raftery 2007.
    """
    below, above = np.maximum(-_errors(y_true, low), 0), np.maximum(_errors(y_true, high), 0)
    return interval_width(low, high) + float(np.mean(2 / (1 - level) * (below + above)))


def skill(error: float, reference: float) -> float:
    """1 - error / reference: the share of the reference's error that is avoided; NaN where the reference is perfect."""
    return 1 - error / reference if reference > 0 else float("nan")


def symmetric_errors(y_true: Floats, y_pred: Floats) -> Floats:
    """The percentage error of each point, 0 … 200; 0 where both are zero."""
    total = np.abs(y_true) + np.abs(y_pred)
    return 200 * np.divide(np.abs(y_true - y_pred), total, out=np.zeros_like(total), where=total > 0)


def directions(moved: Floats, forecast: Floats, still: Floats | float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which points moved where a move was forecast, and which of those to the side that was forecast.

    Args:
        moved: Observed minus the last value seen.
        forecast: The same of the forecast.
        still: Changes up to this size are none.
    """
    told = (np.abs(moved) > still) & (np.abs(forecast) > still)
    return told, told & (np.sign(moved) == np.sign(forecast))


def pinball(error: Floats, probability: float) -> Floats:
    """Twice the pinball loss of each error, observed minus forecast: |error| at the median."""
    return 2 * np.maximum(probability * error, (probability - 1) * error)


class NaiveError(NamedTuple):
    """How wrong the seasonal naive is, one step ahead, on the training rows: what scaled errors are divided by."""

    mae: float
    rmse: float


def seasonal_naive_error(
    y: Floats, season: int, stretches: NDArray[np.integer] | None = None, turn: float | None = None
) -> NaiveError:
    """Mean absolute and root mean squared difference of values one season apart; NaN where no pair was observed.

    Args:
        y: The training rows of one series, [T]; NaN is passed over.
        season: m.
        stretches: The unbroken stretch of each row, [T]; pairs across a gap are not a season apart.
        turn: Of angles, what makes a whole one.
    """
    n_pairs, absolute, squared = 0, 0.0, 0.0
    for first in range(season, len(y), _PAIRS_AT_ONCE):
        later = slice(first, min(first + _PAIRS_AT_ONCE, len(y)))
        earlier = slice(first - season, later.stop - season)
        differences = np.abs(y[later] - y[earlier])
        known = ~np.isnan(differences)
        if stretches is not None:
            known &= stretches[later] == stretches[earlier]
        differences = differences[known]
        if turn is not None:
            differences = np.abs(differences - turn * np.rint(differences / turn))
        n_pairs += len(differences)
        absolute += float(differences.sum())
        squared += float(np.square(differences).sum())
    if not n_pairs:
        return NaiveError(float("nan"), float("nan"))
    return NaiveError(absolute / n_pairs, float(np.sqrt(squared / n_pairs)))


def _errors(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    observed, forecast = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    if observed.shape != forecast.shape:
        raise ValueError(f"y_true and y_pred differ in shape: {observed.shape} and {forecast.shape}")
    if not observed.size:
        raise ValueError("there is no point to score")
    return observed - forecast
