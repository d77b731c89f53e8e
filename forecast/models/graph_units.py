"""Networks as one ONNX graph that takes rows and returns forecasts in their own units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto, helper

from forecast.config import NetworkConfig
from forecast.data.panel import Floats
from forecast.data.quantities import TURN
from forecast.data.windows import Flags
from forecast.models.graph import Weights, written_into
from forecast.models.graph_nodes import Graph
from forecast.models.shape import Shape
from forecast.models.units import Units, inputs_in_units

_DOUBLE, _INT = TensorProto.DOUBLE, TensorProto.INT64


def graph_in_units(config: NetworkConfig, shape: Shape, members: Sequence[Weights], units: Units) -> bytes:
    """The mean of an ensemble's networks as the bytes of an ONNX model, in the columns' own units.

    Inputs are those of `inputs_in_units`; the output is ``forecast``, [B, H, D] or [B, H, D, Q]; all in float64, but
    that ``series`` is a number from 0 on.

    Args:
        config: A resolved configuration.
        shape: Sizes of input and output.
        members: The weights of each member by name.
        units: The statistics of each series and column.

    Raises:
        NotInGraph: If ONNX has no node for the cell with these arguments.
    """
    return _Wrapper(shape, units).written(config, members)


class _Wrapper:
    """Holds what both ends share: the graph, and the statistics."""

    def __init__(self, shape: Shape, units: Units) -> None:
        self.shape, self.units = shape, units
        self.graph = Graph()
        self.node = self.graph.node

    def written(self, config: NetworkConfig, members: Sequence[Weights]) -> bytes:
        sizes = inputs_in_units(config, self.shape)
        fed = {"past": self.scaled(self.unrolled("past"), 0), "series": "series"}
        if "future" in sizes:
            fed["future"] = self.scaled("future", self.shape.features - self.shape.known)
        answers = [written_into(self.graph, fed, config, self.shape, weights) for weights in members]
        mean = self.node("Mean", *answers) if len(answers) > 1 else answers[0]
        self.graph.name("forecast", self.in_units(mean, len(config.quantiles)))
        answer = [self.shape.horizon, self.shape.targets, *([len(config.quantiles)] if config.quantiles else [])]
        return self.graph.model(
            [
                helper.make_tensor_value_info(name, _INT if name == "series" else _DOUBLE, ["B", *size])
                for name, size in sizes.items()
            ],
            [helper.make_tensor_value_info("forecast", _DOUBLE, ["B", *answer])],
        )

    def unrolled(self, past: str) -> str:
        """The rows with each angle followed round its circle, as `forecast.data.bounds.unrolled` does."""
        turns = self.units.turns
        if not turns.any():
            return past
        before = self.node("Concat", self.graph.cut(past, 0, 1, 1), self.graph.cut(past, 0, -1, 1), axis=1)
        steps = self.node("Round", self.node("Div", self.node("Sub", past, before), np.array(TURN)))
        return str(self.node("Sub", past, self.node("Mul", self.node("CumSum", steps, np.array(1)), self.own(turns))))

    def scaled(self, rows: str, first: int) -> str:
        """What the network is fed of rows [B, n, C] that hold the columns from one on."""
        logged = self.units.logged[first:]
        if logged.any():
            rows = self.node("Where", logged, self.node("Log", rows), rows)
        centred = self.node("Sub", rows, self.own(self.units.mean[:, first:]))
        return str(
            self.node("Cast", self.node("Div", centred, self.own(self.units.scale[:, first:])), to=TensorProto.FLOAT)
        )

    def in_units(self, scaled: str, n_quantiles: int) -> str:
        """Forecasts in the targets' own units, from scaled ones."""
        d, bounds, axes = self.shape.targets, self.units.bounds, 1 if n_quantiles else 0
        values = self.node("Cast", scaled, to=_DOUBLE)
        values = self.node("Mul", values, self.own(self.units.scale[:, :d], axes))
        values = self.node("Add", values, self.own(self.units.mean[:, :d], axes))
        logged = self.units.logged[:d].reshape(-1, *[1] * axes)
        if logged.any():
            values = self.node("Where", logged, self.node("Exp", values), values)
        if np.isfinite(bounds.low).any():
            values = self.node("Max", values, self.own(bounds.low, axes))
        if np.isfinite(bounds.high).any():
            values = self.node("Min", values, self.own(bounds.high, axes))
        if bounds.circular.any():
            # ONNX's remainder of a negative number is negative, so it is taken again.
            turned = self.node("Add", self.node("Mod", values, np.array(TURN), fmod=1), np.array(TURN))
            turned = self.node("Mod", turned, np.array(TURN), fmod=1)
            values = self.node("Where", self.own(bounds.circular, axes), turned, values)
        return str(values)

    def own(self, statistic: Floats | Flags, axes: int = 0) -> str:
        """A statistic [S, C] of the windows' series, [B, 1, C] with so many axes behind."""
        beside = statistic.reshape(len(statistic), 1, -1, *[1] * axes)
        return (
            str(self.node("Gather", beside, "series", axis=0)) if self.shape.series > 1 else self.graph.constant(beside)
        )
