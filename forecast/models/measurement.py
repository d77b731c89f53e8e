"""From the columns' own units of measurement to what a network is fed, and back: written once over a back end's ops.

The same lines scale the rows that are trained on (NumPy) and stand in the networks that are exported (Keras, ONNX).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from forecast.config import DataConfig, NetworkConfig
from forecast.data.bounds import Bounds, bounds_of
from forecast.data.panel import Floats
from forecast.data.quality import TURN
from forecast.data.scaling import Scaler
from forecast.data.windows import Flags
from forecast.models.network import Shape

# An array, tensor or graph value of a back end.
Array = Any


@dataclass(frozen=True)
class Statistics:
    """What scales the columns of each series, and the limits of the targets.

    Args:
        mean: Of the scaler, and 0 for the calendar, [S, F].
        scale: Of the scaler, and 1 for the calendar, [S, F].
        logged: Which columns are logged first, [F].
        bounds: The limits of the targets of each series.
    """

    mean: Floats
    scale: Floats
    logged: Flags
    bounds: Bounds

    @property
    def turns(self) -> Floats:
        """A whole turn where a column is an angle that is followed round its circle, and 0 elsewhere, [S, F]."""
        turns = np.zeros_like(self.mean)
        turns[:, : self.bounds.circular.shape[1]] = TURN * self.bounds.circular
        return turns


def statistics_of(scaler: Scaler, config: DataConfig, shape: Shape) -> Statistics:
    """The statistics of a run.

    Args:
        scaler: The run's scaler.
        config: Its resolved data configuration.
        shape: Sizes of its network's windows.
    """
    calendar = (0, shape.features - len(scaler.columns))
    return Statistics(
        np.pad(scaler.mean, ((0, 0), calendar)),
        np.pad(scaler.scale, ((0, 0), calendar), constant_values=1.0),
        np.pad(scaler.logged, calendar),
        bounds_of(np.arange(shape.series), config),
    )


def inputs_in_units(config: NetworkConfig, shape: Shape) -> dict[str, tuple[int, ...]]:
    """The size of a window in each input of a network that takes rows in their own units of measurement.

    Args:
        config: A resolved configuration.
        shape: Sizes of input and output.

    Returns:
        ``past``; ``future`` where the decoder reads what is known ahead; ``series`` where there are several.
    """
    sizes: dict[str, tuple[int, ...]] = {"past": (shape.lookback, shape.features)}
    if shape.known and config.decode != "direct":
        sizes["future"] = (shape.horizon, shape.known)
    if shape.series > 1:
        sizes["series"] = ()
    return sizes


def _where(ops: Any, mask: Flags, function: Callable[[Array], Array], values: Array) -> Array:
    """A function of the columns of a mask, and the others as they are."""
    return ops.where(mask, function(values), values) if mask.any() else values


def unwrap_angles(ops: Any, rows: Array, turns: Array) -> Array:
    """Rows [B, n, C] with each angle followed round its circle: 350, 10, 30 becomes 350, 370, 390.

    Args:
        ops: Of a back end.
        rows: In measurement units.
        turns: 360 where a column is an angle, and 0 elsewhere, [B, 1, C].
    """
    before = ops.concat([rows[:, :1], rows[:, :-1]], axis=1)
    return rows - ops.cumsum(ops.round((rows - before) / TURN), axis=1) * turns


def scale(ops: Any, values: Array, mean: Array, scale: Array, logged: Flags) -> Array:
    """What a network is fed of values in measurement units: ``(log(x) or x − mean) / scale``.

    Args:
        ops: Of a back end.
        values: [..., C].
        mean: Broadcasts with them, and so do the others.
        scale: Positive.
        logged: Which of the columns are logged.
    """
    return (_where(ops, logged, ops.log, values) - mean) / scale


def unscale(ops: Any, values: Array, mean: Array, scale: Array, logged: Flags) -> Array:
    """The reverse of `scale`: forecasts in measurement units from what a network returns."""
    return _where(ops, logged, ops.exp, values * scale + mean)


def within_bounds(ops: Any, values: Array, low: Array, high: Array, circular: Flags | Array, bounds: Bounds) -> Array:
    """Forecasts held between their limits, and angles turned into 0 … 360.

    Args:
        ops: Of a back end.
        values: In measurement units.
        low: The least; broadcasts with them, and so do the others.
        high: The most.
        circular: Which are angles.
        bounds: Of all series, by which what no series needs is left out.
    """
    if np.isfinite(bounds.low).any():
        values = ops.maximum(values, low)
    if np.isfinite(bounds.high).any():
        values = ops.minimum(values, high)
    return ops.where(circular, ops.mod(values, TURN), values) if bounds.circular.any() else values


def in_measurement_units(
    ops: Any,
    config: NetworkConfig,
    shape: Shape,
    statistics: Statistics,
    inputs: dict[str, Array],
    forecast: Callable[[Array, Array | None, Array], Array],
) -> Array:
    """A forecast in measurement units [B, H, D] or [B, H, D, Q] from inputs in measurement units, in float64.

    Args:
        ops: Of a back end.
        config: The network's configuration.
        shape: Sizes of its windows.
        statistics: Of each series and column.
        inputs: Those of `inputs_in_units`.
        forecast: From the scaled past, what is known ahead, and the series to the scaled forecast, all in float32.
    """
    series = inputs.get("series")

    def of_series(statistic: Floats | Flags, axes: int = 3) -> Array:
        """A statistic [S, C] of each window's series, [B, 1, C] with 1s behind up to so many axes."""
        beside = statistic.reshape(len(statistic), 1, -1, *[1] * (axes - 3))
        return ops.take(beside, series) if series is not None else beside

    def scaled(rows: Array, columns: slice) -> Array:
        mean, deviation = of_series(statistics.mean[:, columns]), of_series(statistics.scale[:, columns])
        return ops.cast(scale(ops, rows, mean, deviation, statistics.logged[columns]), np.float32)

    past, future = inputs["past"], inputs.get("future")
    if statistics.turns.any():
        past = unwrap_angles(ops, past, of_series(statistics.turns))
    known = slice(shape.features - shape.known, None)
    answer = forecast(scaled(past, slice(None)), None if future is None else scaled(future, known), series)

    axes, d, bounds = 4 if config.quantiles else 3, shape.targets, statistics.bounds
    logged = statistics.logged[:d].reshape(-1, *[1] * (axes - 3))
    mean, deviation = of_series(statistics.mean[:, :d], axes), of_series(statistics.scale[:, :d], axes)
    values = unscale(ops, ops.cast(answer, np.float64), mean, deviation, logged)
    limits = (of_series(part, axes) for part in (bounds.low, bounds.high, bounds.circular))
    return within_bounds(ops, values, *limits, bounds)
