"""An exported network as one Keras model; importing this lets Keras read its layers from a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from forecast.commands.export.in_units import Statistics, forecast_in_units, inputs_in_units, scaled_inputs
from forecast.config import NetworkConfig
from forecast.data.bounds import Bounds
from forecast.models.backends.keras import ArrayOps
from forecast.models.backends.tensorflow import keras
from forecast.models.network import Shape

ops = keras.ops

# The arrays that `_WithStatistics` saves.
_STATISTICS = ("mean", "scale", "logged", "low", "high", "circular")


class _WithStatistics(keras.layers.Layer):  # type: ignore[misc]
    """A layer that holds the statistics of a run, which are saved with it.

    Args:
        shape: Sizes of the windows, as a dictionary.
        statistics: Arrays by name, as lists where they were saved.
        arguments: Those of a Keras layer.
    """

    def __init__(self, shape: dict[str, int], statistics: dict[str, Any], **arguments: Any) -> None:
        # The layer's own type keeps Keras from rounding what it is called with to float32.
        super().__init__(**arguments | {"dtype": "float64"})
        self.arrays = {name: np.asarray(array) for name, array in statistics.items()}
        self.windows = Shape(**shape)
        mean, scale, logged, low, high, circular = (self.arrays[name] for name in _STATISTICS)
        self.statistics = Statistics(mean, scale, logged, Bounds(low, high, circular))

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        arrays = {name: array.tolist() for name, array in self.arrays.items()}
        return super().get_config() | {"shape": vars(self.windows), "statistics": arrays}


@keras.saving.register_keras_serializable("forecast")
class ScaledInputs(_WithStatistics):
    """`scaled_inputs` as a layer, from inputs in measurement units."""

    def call(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The scaled inputs in float32, and the series, which are all the first where there is one."""
        past = inputs["past"]
        series = ops.cast(inputs["series"] if "series" in inputs else ops.zeros_like(past[:, 0, 0]), "int32")
        return scaled_inputs(ArrayOps, self.windows, self.statistics, inputs) | {"series": series}


@keras.saving.register_keras_serializable("forecast")
class ForecastInUnits(_WithStatistics):
    """`forecast_in_units` as a layer, from scaled forecasts and their series."""

    def call(self, forecast: Any, series: Any) -> Any:
        """The forecasts in float64."""
        quantiles = len(forecast.shape) == 4
        return forecast_in_units(ArrayOps, self.windows, self.statistics, forecast, series, quantiles)


def network_in_units(
    config: NetworkConfig, shape: Shape, members: Sequence[keras.Model], statistics: Statistics
) -> keras.Model:
    """The mean of an ensemble's networks as one Keras model, in the columns' own units of measurement.

    Inputs are those of `inputs_in_units`; the output is ``{"forecast": [B, H, D]}``, or [B, H, D, Q]; all in float64,
    but that ``series`` is a number from 0 on.

    Args:
        config: A resolved configuration.
        shape: Sizes of input and output.
        members: What `build_network` returned for each, with its weights.
        statistics: Of each series and column.
    """
    inputs = {
        name: keras.Input(size, dtype="int64" if name == "series" else "float64", name=name)
        for name, size in inputs_in_units(config, shape).items()
    }
    bounds = vars(statistics.bounds)
    arrays = {"mean": statistics.mean, "scale": statistics.scale, "logged": statistics.logged, **bounds}
    fed = ScaledInputs(vars(shape), arrays, name="scale")(inputs)
    answers = []
    for number, member in enumerate(members, 1):
        # Of what it could be fed, only what its answer depends on; and under a name of its own.
        network = keras.Model({name: member.input[name] for name in fed}, member.output, name=f"network_{number}")
        answers.append(network(fed))
    scaled = keras.layers.average(answers) if len(answers) > 1 else answers[0]
    return keras.Model(
        inputs,
        {"forecast": ForecastInUnits(vars(shape), arrays, name="unscale")(scaled, fed["series"])},
        name="forecast",
    )
