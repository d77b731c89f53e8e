"""An exported network as one Keras model; importing this lets Keras read its layers from a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from forecast.commands.export.in_units import (
    OWN,
    Statistics,
    forecast_in_units,
    inputs_in_units,
    scaled_inputs,
    share_of,
)
from forecast.config import NetworkConfig
from forecast.data.bounds import Bounds
from forecast.model import Member
from forecast.models.backends.keras import ArrayOps, filled_network
from forecast.models.backends.tensorflow import keras
from forecast.models.network import Shape

ops = keras.ops


class _WithStatistics(keras.layers.Layer):  # type: ignore[misc]
    """A layer that holds the statistics of a run, which are saved with it: arrays by name, in the file as lists."""

    def __init__(self, shape: dict[str, Any], statistics: dict[str, Any], **arguments: Any) -> None:
        # The layer's own type keeps Keras from rounding what it is called with to float32.
        super().__init__(**arguments | {"dtype": "float64"})
        self.arrays = {name: np.asarray(array) for name, array in statistics.items()}
        self.windows = Shape(**shape | {"categories": tuple(shape["categories"])})
        bounds = Bounds(self.arrays["low"], self.arrays["high"], self.arrays["circular"])
        mean, scale, logged, own = (self.arrays[name] for name in ("mean", "scale", "logged", "own"))
        self.statistics = Statistics(mean, scale, logged, bounds, own)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        arrays = {name: array.tolist() for name, array in self.arrays.items()}
        return super().get_config() | {"shape": vars(self.windows), "statistics": arrays}


@keras.saving.register_keras_serializable("forecast")
class ScaledInputs(_WithStatistics):
    """`scaled_inputs` as a layer, from inputs in measurement units."""

    def call(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """What `scaled_inputs` returns, and the index of each window's series, 0 where there is one series."""
        past = inputs["past"]
        if "series" in inputs:  # one for each window; a negative one is read as too large, which is refused
            series = ops.reshape(inputs["series"], ops.shape(past)[:1])
            inputs = inputs | {"series": ops.where(series < 0, self.windows.series, series)}
        series = ops.cast(inputs["series"] if "series" in inputs else ops.zeros_like(past[:, 0, 0]), "int32")
        return scaled_inputs(ArrayOps, self.windows, self.statistics, inputs) | {"series": series}


@keras.saving.register_keras_serializable("forecast")
class ForecastInUnits(_WithStatistics):
    """`forecast_in_units` as a layer, from scaled forecasts and their series."""

    def call(self, forecast: Any, series: Any, own: Sequence[Any] = ()) -> Any:
        """The forecasts in float64."""
        quantiles = len(forecast.shape) == 4
        return forecast_in_units(ArrayOps, self.windows, self.statistics, forecast, series, quantiles, own)


@keras.saving.register_keras_serializable("forecast")
class Weighted(keras.layers.Layer):  # type: ignore[misc]
    """What a member's forecasts count in the ensemble's, by their steps."""

    def __init__(self, share: Any, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.share = np.asarray(share, np.float32)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return super().get_config() | {"share": self.share.tolist()}

    def call(self, forecast: Any) -> Any:
        """The forecasts times their share."""
        return forecast * self.share


def network_in_units(
    config: NetworkConfig, shape: Shape, members: Sequence[Member], statistics: Statistics
) -> keras.Model:
    """The mean of an ensemble's members as one Keras model, in the columns' own units of measurement.

    Inputs are those of `inputs_in_units`; the output is ``{"forecast": [B, H, D]}``, or [B, H, D, Q], in float64.
    """
    inputs = {
        name: keras.Input(size, dtype=dtype, name=name)
        for name, (dtype, size) in inputs_in_units(config, shape).items()
    }
    bounds = vars(statistics.bounds)
    arrays = {"mean": statistics.mean, "scale": statistics.scale, "logged": statistics.logged, **bounds}
    arrays["own"] = statistics.own
    fed = ScaledInputs(vars(shape), arrays, name="scale")(inputs)
    own = [fed.pop(name) for name in OWN if name in fed]
    forecasts = []
    for number, member in enumerate(members, 1):
        filled = filled_network(member.config, shape, member.weights)
        # Only with the inputs that its forecast depends on, and under a name that no other member has.
        network = keras.Model({name: filled.input[name] for name in fed}, filled.output, name=f"network_{number}")
        share = share_of(member, shape, bool(config.quantiles))
        forecasts.append(network(fed) if share is None else Weighted(share, name=f"share_{number}")(network(fed)))
    together = keras.layers.average if members[0].shares is None else keras.layers.add
    scaled = together(forecasts) if len(forecasts) > 1 else forecasts[0]
    return keras.Model(
        inputs,
        {"forecast": ForecastInUnits(vars(shape), arrays, name="unscale")(scaled, fed["series"], own)},
        name="forecast",
    )
