"""Networks and windows that several tests use, and weights that no test takes for fresh ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from configs import plain_config
from forecast.config import NetworkConfig, nest
from forecast.models.backends.keras import set_weights, weights_of
from forecast.models.catalogue import MODELS, configure
from forecast.models.network import Shape
from references import Weights

SHAPE = Shape(lookback=8, horizon=4, targets=2, covariates=1, known=2, series=2)
PLAIN = Shape(lookback=8, horizon=4, targets=1, covariates=1, known=0, series=1)
BATCH = 6

NORMALISE = ("none", "last", "standard", "last-scaled")
DECODE = ("direct", "parallel", "recursive")
SEGMENT = (1, 3)  # which divides neither the lookback nor the horizon


def parts(**settings: object) -> NetworkConfig:
    """A small network, of a preset or else of any cell."""
    small = {"units": (4,), "normalise": "none", "segment": 1, "decode": "direct"} | settings
    preset = nest(MODELS[str(settings["model"])].parts)["network"] if "model" in settings else {}
    return plain_config(**(preset | small)).network


# Steps of the cycle of a network that counts from the cycle before: they divide neither the lookback nor the horizon.
CYCLE = 3


def tiny(model: str, normalise: str, decode: str, segment: int) -> NetworkConfig:
    units = (4, 3) if len(configure({"model": model}).network.units) > 1 else (4,)
    cycle = CYCLE if normalise == "seasonal" else None
    return parts(model=model, units=units, normalise=normalise, cycle=cycle, decode=decode, segment=segment)


def inputs_of(shape: Shape, seed: int = 0, batch: int = BATCH) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "past": rng.normal(size=(batch, shape.lookback, shape.features)).astype(np.float32),
        "future": rng.normal(size=(batch, shape.horizon, shape.known)).astype(np.float32),
        "series": (np.arange(batch) % shape.series).astype(np.int32),
    }


def forecast(network: Any, inputs: dict[str, np.ndarray]) -> np.ndarray:
    return network(inputs, training=False).numpy()


@dataclass(frozen=True)
class ArrayRows:
    """Rows that are an array: their inputs [T, F], and the index of each row's series [T]."""

    inputs: np.ndarray
    identity: np.ndarray

    def window_inputs(self, starts: np.ndarray, lookback: int, horizon: int) -> np.ndarray:
        return self.inputs[starts[:, None] + np.arange(lookback + horizon)]


def random_weights(network: Any, seed: int = 0) -> Weights:
    """Weights of which none is zero, biases included; the network is filled with them."""
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(0, 0.5, array.shape).astype(np.float32) for name, array in weights_of(network).items()}
    set_weights(network, weights)
    return weights
