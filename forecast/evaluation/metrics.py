"""Flat metric functions on arrays, in the targets' own units, pooled over every point."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forecast.data.panel import Floats


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


def mase(y_true: ArrayLike, y_pred: ArrayLike, naive_error: float) -> float:
    """Mean absolute scaled error: 1 is as wrong as the seasonal naive was, one step ahead, on the training rows.

    Args:
        y_true: Observed.
        y_pred: Forecast, of the same shape.
        naive_error: What `seasonal_naive_error` returned for the training rows.

    Returns:
        The error, or NaN where ``naive_error`` is zero or unknown.

    Reference: Hyndman & Koehler 2006.
    """
    return mae(y_true, y_pred) / naive_error if naive_error > 0 else float("nan")


def skill(error: float, reference: float) -> float:
    """1 - error / reference: the share of the reference's error that is avoided; NaN where the reference is perfect."""
    return 1 - error / reference if reference > 0 else float("nan")


def symmetric_errors(y_true: Floats, y_pred: Floats) -> Floats:
    """The percentage error of each point, 0 … 200; 0 where both are zero."""
    total = np.abs(y_true) + np.abs(y_pred)
    return 200 * np.divide(np.abs(y_true - y_pred), total, out=np.zeros_like(total), where=total > 0)


def seasonal_naive_error(y: Floats, season: int, stretches: NDArray[np.int64] | None = None) -> float:
    """Mean absolute difference of values one season apart; NaN where no pair of them was observed.

    Args:
        y: The training rows of one series, [T]; NaN is passed over.
        season: m.
        stretches: The unbroken stretch of each row, [T]; pairs across a gap are not a season apart.
    """
    differences = np.abs(y[season:] - y[:-season]) if len(y) > season else np.zeros(0)
    if stretches is not None and len(y) > season:
        differences = differences[stretches[season:] == stretches[:-season]]
    differences = differences[~np.isnan(differences)]
    return float(differences.mean()) if len(differences) else float("nan")


def _errors(y_true: ArrayLike, y_pred: ArrayLike) -> Floats:
    observed, forecast = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    if observed.shape != forecast.shape:
        raise ValueError(f"y_true and y_pred differ in shape: {observed.shape} and {forecast.shape}")
    if not observed.size:
        raise ValueError("there is no point to score")
    return observed - forecast
