"""What leads from the columns' own units to what a network is fed, and from its forecasts back. Needs no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.config import DataConfig, NetworkConfig
from forecast.data.bounds import Bounds, bounds_of
from forecast.data.panel import Floats
from forecast.data.quantities import TURN
from forecast.data.scaling import Scaler
from forecast.data.windows import Flags
from forecast.models.shape import Shape


@dataclass(frozen=True)
class Units:
    """The statistics of each series and column, and what the forecasts can be.

    Args:
        mean: Of the scaler, and 0 for the calendar, [S, F].
        scale: Of the scaler, and 1 for the calendar, [S, F].
        logged: Which columns are logged first, [F].
        bounds: What the targets of each series can be.
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


def units_of(scaler: Scaler, config: DataConfig, shape: Shape) -> Units:
    """The units of a run.

    Args:
        scaler: The run's scaler.
        config: Its resolved data configuration.
        shape: Sizes of its network's windows.
    """
    calendar = (0, shape.features - len(scaler.columns))
    return Units(
        np.pad(scaler.mean, ((0, 0), calendar)),
        np.pad(scaler.scale, ((0, 0), calendar), constant_values=1.0),
        np.pad(scaler.logged, calendar),
        bounds_of(np.arange(shape.series), config),
    )


def inputs_in_units(config: NetworkConfig, shape: Shape) -> dict[str, tuple[int, ...]]:
    """The size of a window in each input of a network that takes rows in their own units.

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
