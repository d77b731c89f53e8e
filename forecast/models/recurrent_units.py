"""Networks as one Keras model that takes rows and returns forecasts in their own units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from forecast.config import NetworkConfig
from forecast.data.quantities import TURN
from forecast.models.backend import keras
from forecast.models.shape import Shape
from forecast.models.units import Units, inputs_in_units

ops = keras.ops


def network_in_units(config: NetworkConfig, shape: Shape, members: Sequence[keras.Model], units: Units) -> keras.Model:
    """The mean of an ensemble's networks as one Keras model, in the columns' own units.

    Inputs are those of `inputs_in_units`; the output is ``{"forecast": [B, H, D]}``, or [B, H, D, Q]; all in float64,
    but that ``series`` is a number from 0 on.

    Args:
        config: A resolved configuration.
        shape: Sizes of input and output.
        members: What `build_network` returned for each, with its weights.
        units: The statistics of each series and column.
    """
    inputs = {
        name: keras.Input(size, dtype="int64" if name == "series" else "float64", name=name)
        for name, size in inputs_in_units(config, shape).items()
    }
    past = inputs["past"]
    # Even the network of one series learns from it how many windows there are.
    lone = ops.zeros_like(past[:, 0, 0])
    series = ops.cast(inputs.get("series", lone), "int32")
    statistics = units.mean, units.scale, units.logged, units.turns
    fed = {"past": Scale(*statistics, name="scale_past")(past, series), "series": series}
    if "future" in inputs:
        known = [array[..., shape.features - shape.known :] for array in statistics]
        fed["future"] = Scale(*known, name="scale_future")(inputs["future"], series)
    answers = []
    for number, member in enumerate(members, 1):
        # Of what it could be fed, only what its answer depends on; and under a name of its own.
        network = keras.Model({name: member.input[name] for name in fed}, member.output, name=f"network_{number}")
        answers.append(network(fed))
    scaled = keras.layers.average(answers) if len(answers) > 1 else answers[0]
    mean, scale, logged = (array[..., : shape.targets] for array in (units.mean, units.scale, units.logged))
    bounds = units.bounds
    back = Unscale(mean, scale, logged, bounds.low, bounds.high, bounds.circular, name="unscale")
    return keras.Model(inputs, {"forecast": back(scaled, series)}, name="forecast")


class _Statistics(keras.layers.Layer):  # type: ignore[misc]
    """Holds arrays of float64, by the names of the constructor's arguments."""

    def __init__(self, arguments: dict[str, Any], **arrays: Any) -> None:
        # The layer's own type keeps Keras from rounding what it is called with to float32.
        super().__init__(**arguments | {"dtype": "float64"})
        self.arrays = {name: np.asarray(array) for name, array in arrays.items()}

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return super().get_config() | {name: array.tolist() for name, array in self.arrays.items()}

    def own(self, name: str, series: Any, rank: int = 3) -> Any:
        """An array [S, C] of the windows' series, as it stands beside values of so many axes: [B, 1, C, …]."""
        array = self.arrays[name]
        return ops.reshape(ops.take(array, series, axis=0), (-1, 1, array.shape[1], *[1] * (rank - 3)))


@keras.saving.register_keras_serializable("forecast")
class Scale(_Statistics):
    """What a network is fed of rows [B, n, C] and their series [B].

    Angles are followed round their circle, as `forecast.data.bounds.unrolled` does.
    """

    def __init__(self, mean: Any, scale: Any, logged: Any, turns: Any, **arguments: Any) -> None:
        super().__init__(arguments, mean=mean, scale=scale, logged=logged, turns=turns)

    def call(self, rows: Any, series: Any) -> Any:
        """The rows in float32."""
        if self.arrays["turns"].any():
            before = ops.concatenate([rows[:, :1], rows[:, :-1]], axis=1)
            rows = rows - ops.cumsum(ops.round((rows - before) / TURN), axis=1) * self.own("turns", series)
        if self.arrays["logged"].any():
            rows = ops.where(self.arrays["logged"], ops.log(rows), rows)
        return ops.cast((rows - self.own("mean", series)) / self.own("scale", series), "float32")


@keras.saving.register_keras_serializable("forecast")
class Unscale(_Statistics):
    """Forecasts [B, H, D] or [B, H, D, Q] in the targets' own units, from scaled ones and their series [B]."""

    def __init__(
        self, mean: Any, scale: Any, logged: Any, low: Any, high: Any, circular: Any, **arguments: Any
    ) -> None:
        super().__init__(arguments, mean=mean, scale=scale, logged=logged, low=low, high=high, circular=circular)

    def call(self, scaled: Any, series: Any) -> Any:
        """The forecasts in float64."""
        rank = len(scaled.shape)
        mean, scale, low, high, circular = (
            self.own(name, series, rank) for name in ("mean", "scale", "low", "high", "circular")
        )
        values = mean + scaled * scale
        logged = self.arrays["logged"].reshape(-1, *[1] * (rank - 3))
        if logged.any():
            values = ops.where(logged, ops.exp(values), values)
        values = ops.minimum(ops.maximum(values, low), high)
        return ops.where(circular, ops.mod(values, TURN), values)
