"""An exported network: from the columns' own units of measurement to forecasts in them, and as an ONNX graph.

Written once over a back end's operations; the arithmetic is that of `forecast.data.scaling`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from forecast.config import DataConfig, NetworkConfig
from forecast.data.bounds import TURN, Bounds, bounds_of
from forecast.data.panel import Floats
from forecast.data.scaling import Scaler, log_where, scale, unscale
from forecast.data.windows import Flags, Ints
from forecast.model import Member
from forecast.models.backends.onnx import Graph, GraphOps, OnnxOps, Value
from forecast.models.network import Network, Shape

# An array, tensor or graph value of a back end.
Array = Any

# The names of the `own_statistics`.
OWN = ("own mean", "own scale")


@dataclass(frozen=True)
class Statistics:
    """What scales the columns of each series, and the limits of the targets.

    Args:
        mean: Of the scaler, and 0 for the calendar, [S, F].
        scale: Of the scaler, and 1 for the calendar, [S, F].
        logged: Which columns are logged first, [F].
        bounds: The limits of the targets of each series.
        own: Which columns are scaled by the window itself, [S, F]: those of the series that is none of the run's, in
            the last place where there is one. Mean and scale are 0 there.
    """

    mean: Floats
    scale: Floats
    logged: Flags
    bounds: Bounds
    own: Flags

    @property
    def turns(self) -> Floats:
        """A whole turn where a column is an angle that is followed round its circle, and 0 elsewhere, [S, F]."""
        turns = np.zeros_like(self.mean)
        turns[:, : self.bounds.circular.shape[1]] = TURN * self.bounds.circular
        return turns


def statistics_of(scaler: Scaler, config: DataConfig, shape: Shape) -> Statistics:
    """The statistics of a run."""
    columns = shape.measured + shape.known
    calendar, n_trained = (0, columns - len(scaler.columns)), len(scaler.series_ids)
    mean = np.pad(scaler.mean, ((0, 0), calendar))
    deviation = np.pad(scaler.scale, ((0, 0), calendar), constant_values=1.0)
    bounds = bounds_of(np.arange(shape.series), config)
    own = np.zeros((shape.series, columns), bool)
    if shape.series > n_trained:
        own[-1, : shape.measured] = True
        own[-1, : shape.targets] = ~bounds.circular[-1]
        mean, deviation = (np.where(own, 0.0, np.concatenate([part, part[:1]])) for part in (mean, deviation))
        if config.channels == "independent":  # which of them it is, nobody knows
            bounds.low[-1], bounds.high[-1] = -np.inf, np.inf
    return Statistics(mean, deviation, np.pad(scaler.logged, calendar), bounds, own)


def inputs_in_units(config: NetworkConfig, shape: Shape) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The type and the size of a window in each input of a network that takes rows in their own units of measurement.

    Returns:
        ``past``, in which what is measured may be NaN if the run's windows may have holes; ``future`` where the decoder
        reads what is known ahead; ``series``, a number from 0 on, where there are several. A network that learned to do
        without the name of a series takes one number more, of any other.
    """
    inputs: dict[str, tuple[str, tuple[int, ...]]] = {
        "past": ("float64", (shape.lookback, shape.measured + shape.known))
    }
    if shape.known and config.decode != "direct":
        inputs["future"] = ("float64", (shape.horizon, shape.known))
    if shape.series > 1:
        inputs["series"] = ("int64", ())
    return inputs


def _unwrap_angles(ops: Any, rows: Array, turns: Array) -> Array:
    """Windows of rows [B, n, C] in which each angle continues past a full turn: 350, 10, 30 becomes 350, 370, 390.

    ``turns`` is 360 for angles, and 0 for other columns, [B, 1, C].
    """
    before = ops.concat([rows[:, :1], rows[:, :-1]], axis=1)
    return rows - ops.cumsum(ops.round((rows - before) / TURN), axis=1) * turns


@dataclass(frozen=True)
class Holes:
    """What stands for the missing values of windows, as `forecast.data.holes.fill_within` fills them.

    Args:
        filled: [B, L, C]; 1 in a column without a value.
        ages: Steps since each value was observed, [B, L, C].
        observed: 1 where a value was observed, else 0, [B, L, C].
        any_observed: 1 in a column with a value, else 0, [B, L, C].
    """

    filled: Array
    ages: Array
    observed: Array
    any_observed: Array


def fill_holes(ops: Any, past: Array, lookback: int) -> Holes:
    """Fill windows [B, L, C] in log2 L turns: each takes from a neighbour that is twice as far away."""
    missing = ops.isnan(past)
    filled = ops.where(missing, np.zeros(1), past)
    observed = seen = ops.where(missing, np.zeros(1), np.ones(1))
    ages, distances = 0.0 * seen, [2**power for power in range((lookback - 1).bit_length())]
    for back in distances:
        of_earlier = [ops.concat([0.0 * part[:, :back], part[:, : lookback - back]], axis=1)
                      for part in (filled, ages, seen)]  # fmt: skip
        taken = (1.0 - seen) * of_earlier[2]
        filled, ages, seen = filled + taken * of_earlier[0], ages + taken * (of_earlier[1] + back), seen + taken
    ages = ages + (1.0 - seen) * np.arange(1.0, lookback + 1)[:, None]
    for ahead in distances:
        of_later = [ops.concat([part[:, ahead:], 0.0 * part[:, :ahead]], axis=1) for part in (filled, seen)]
        taken = (1.0 - seen) * of_later[1]
        filled, seen = filled + taken * of_later[0], seen + taken
    return Holes(filled + (1.0 - seen), ages, observed, seen)  # 1 has a logarithm


def own_statistics(
    ops: Any, statistics: Statistics, past: Array, series: Array, observed: Array | None
) -> tuple[Array, Array]:
    """Mean and scale of each window [B, L, C] itself where it is scaled by these, 0 elsewhere, [B, 1, C] each.

    ``observed`` is 1 where a value counts, and 0 elsewhere, [B, L, C]; None where all count.
    """
    logged = log_where(ops, statistics.logged, past)
    if observed is None:
        mean, deviation = ops.mean(logged), ops.sqrt(ops.variance(logged))
    else:
        share = ops.maximum(ops.mean(observed), np.full(1, 1e-9))
        mean = ops.mean(logged * observed) / share
        away = (logged - mean) * observed
        deviation = ops.sqrt(ops.mean(away * away) / share)
    # 1 where the deviation is that of rounding: the scaler, too, divides a column that never changes by 1.
    above_rounding = (deviation * 1e12 - ops.maximum(mean, -mean)) * 1e30
    never_changes = 1.0 - ops.minimum(ops.maximum(above_rounding, np.zeros(1)), np.ones(1))
    is_own = _of_windows(ops, statistics.own.astype(np.float64), series)
    return mean * is_own, (deviation + never_changes) * is_own


def scaled_inputs(ops: Any, shape: Shape, statistics: Statistics, inputs: dict[str, Array]) -> dict[str, Array]:
    """The scaled inputs of a network, ``past`` and ``future``, in float32; and the `own_statistics`, if they are used.

    ``ops`` are those of a back end; ``inputs`` are those of `inputs_in_units`, in measurement units.
    """

    def scaled(rows: Array, columns: slice, own: tuple[Array, Array] | None = None) -> Array:
        mean, deviation = (
            _of_windows(ops, part[:, columns], inputs.get("series")) for part in (statistics.mean, statistics.scale)
        )
        if own is not None:
            mean, deviation = mean + own[0], deviation + own[1]
        return ops.cast(scale(ops, rows, mean, deviation, statistics.logged[columns]), "float32")

    past, holes = inputs["past"], None
    if shape.masked:
        holes = fill_holes(ops, past, shape.lookback)  # what is known has none
        past = holes.filled
    if statistics.turns.any():
        past = _unwrap_angles(ops, past, _of_windows(ops, statistics.turns, inputs.get("series")))
    own = None
    if statistics.own.any():
        own = own_statistics(ops, statistics, past, inputs["series"], holes.observed if holes else None)
    fed = {"past": scaled(past, slice(None), own)}
    if holes:
        m, window = shape.measured, fed["past"] * ops.cast(holes.any_observed, "float32")
        parts = [window[:, :, :m], ops.cast(holes.ages, "float32")[:, :, :m]]
        fed["past"] = ops.concat([*parts, window[:, :, m:]] if shape.known else parts, axis=-1)
    if "future" in inputs:
        fed["future"] = scaled(inputs["future"], slice(shape.measured, None))
    if own is not None:
        fed |= dict(zip(OWN, own, strict=True))
    return fed


def forecast_in_units(
    ops: Any,
    shape: Shape,
    statistics: Statistics,
    forecast: Array,
    series: Array | None,
    quantiles: bool,
    own: Sequence[Array] = (),
) -> Array:
    """Forecasts in measurement units, in float64, from scaled ones; held within limits, angles within 0 … 360.

    ``ops`` are those of a back end. ``forecast`` is [B, H, D], or quantiles [B, H, D, Q]; ``series`` holds the index of
    each window's series, [B], and is None where there is one; ``own`` are its `own_statistics`, if they are used.
    """
    d, bounds, quantile_axis = shape.targets, statistics.bounds, [1] if quantiles else []
    mean, deviation, low, high, circular = (
        _of_windows(ops, part[:, :d].reshape(-1, d, *quantile_axis), series)
        for part in (statistics.mean, statistics.scale, bounds.low, bounds.high, bounds.circular)
    )
    if own:
        of_targets = (ops.reshape(part[:, :, :d], (-1, 1, d, *quantile_axis)) for part in own)
        mean, deviation = (part + of_window for part, of_window in zip((mean, deviation), of_targets, strict=True))
    logged = statistics.logged[:d].reshape(-1, *quantile_axis)
    values = unscale(ops, ops.cast(forecast, "float64"), mean, deviation, logged)
    if np.isfinite(bounds.low).any():
        values = ops.maximum(values, low)
    if np.isfinite(bounds.high).any():
        values = ops.minimum(values, high)
    return ops.where(circular, ops.mod(values, TURN), values) if bounds.circular.any() else values


def share_of(member: Member, shape: Shape, quantiles: bool) -> NDArray[np.float32] | None:
    """What a member's forecasts count at each step, [H, 1] or [H, 1, 1]; None where each member counts alike."""
    if member.shares is None:
        return None
    of_steps = np.broadcast_to(np.array(member.shares, np.float32), shape.horizon)
    return of_steps.reshape(-1, *[1] * (1 + quantiles))


def _of_windows(ops: Any, statistic: Floats | Flags, series: Array | None) -> Array:
    """The statistic [S, C, ...] of each window's series, [B, 1, C, ...]; [1, 1, C, ...] where there is one series."""
    for_all_steps = statistic[:, None]
    return for_all_steps if series is None else ops.take(for_all_steps, series, axis=0)


def _checked_series(graph: Graph, series: Value, n_windows: Value, n_series: int) -> Value:
    """The number of each window's series. ONNX Runtime refuses one that is too large, as a negative one is made here.

    Another count of them than of windows it refuses, too, because it cannot be brought into their shape.
    """
    is_negative = graph.node("Less", series, np.array(0))
    series = graph.node("Where", is_negative, np.array(n_series), series, dtype=np.int64)
    return graph.node("Reshape", series, n_windows, allowzero=1, dtype=np.int64)


def graph_in_units(config: NetworkConfig, shape: Shape, members: Sequence[Member], statistics: Statistics) -> bytes:
    """The mean of an ensemble's members as the bytes of an ONNX model, in the columns' own units of measurement.

    Inputs are those of `inputs_in_units`; the output is ``forecast``, [B, H, D] or [B, H, D, Q], in float64.
    """
    graph, inputs_of = Graph(), inputs_in_units(config, shape)
    inputs = {name: Value(graph, name, np.dtype(dtype).type) for name, (dtype, _) in inputs_of.items()}
    n_windows = graph.node("Shape", inputs["past"], start=0, end=1, dtype=np.int64)
    if "series" in inputs:
        inputs["series"] = _checked_series(graph, inputs["series"], n_windows, shape.series)
    # ONNX Runtime's recurrent nodes end the process where there is no window: one is put in, its forecast is left out.
    is_empty = graph.node("Cast", graph.node("Equal", n_windows, np.zeros(1, np.int64)), to=TensorProto.INT64)
    for name, (_, size) in inputs_of.items():
        none = np.zeros(len(size), np.int64)
        pads = graph.node("Concat", np.zeros(1, np.int64), none, is_empty, none, axis=0)
        one: Floats | Ints = np.array(0 if name == "series" else 1, inputs[name].dtype)
        inputs[name] = graph.node("Pad", inputs[name], pads, one, dtype=inputs[name].dtype)
    fed = scaled_inputs(GraphOps(graph), shape, statistics, inputs)
    series = inputs.get("series", fed["past"])
    forecasts = []
    for member in members:
        network = Network(member.config, shape, OnnxOps(graph, member.config, shape, member.weights))
        forecast = network.forecast(fed["past"], fed.get("future"), series)[0]
        share = share_of(member, shape, bool(config.quantiles))
        forecasts.append(forecast if share is None else forecast * share)
    kind = "Mean" if members[0].shares is None else "Sum"
    mean = graph.node(kind, *forecasts) if len(forecasts) > 1 else forecasts[0]
    own = [fed[name] for name in OWN if name in fed]
    by_series = mean, inputs.get("series")
    values = forecast_in_units(GraphOps(graph), shape, statistics, *by_series, bool(config.quantiles), own)
    values = graph.node("Slice", values, np.zeros(1, np.int64), n_windows, np.zeros(1, np.int64))
    graph.name("forecast", values)
    quantiles = [len(config.quantiles)] if config.quantiles else []
    return graph.model(
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), ["B", *size])
            for name, (dtype, size) in inputs_of.items()
        ],
        [
            helper.make_tensor_value_info(
                "forecast", TensorProto.DOUBLE, ["B", shape.horizon, shape.targets, *quantiles]
            )
        ],
    )
