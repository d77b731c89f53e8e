"""Which networks a run trains, and what their forecasts are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forecast.config import Config
from forecast.data.windows import Forecasting, Ints
from forecast.models.catalogue import network_configs
from forecast.models.naive import NAIVE
from forecast.runs import Run
from forecast.training.state import Arrays

if TYPE_CHECKING:
    from forecast.models.backend import keras
    from forecast.models.shapes import Shape


def column_names(config: Config) -> dict[str, str]:
    """The column of each network in tables and plots."""
    return {"model": config.network.model, "baseline": "rnn"}


def references_of(config: Config) -> tuple[str, ...]:
    """What the model of a run is judged against: the naive forecasts, and the vanilla RNN if one stands beside it."""
    beside = [column_names(config)[network] for network in network_configs(config) if network != "model"]
    return (*NAIVE, *beside)


def member_weights(weights: Arrays, number: int) -> Arrays:
    """The weights of one member of an ensemble under their names among those of all members."""
    return {f"{number + 1}/{name}": array for name, array in weights.items()}


def weights_of_member(weights: Mapping[str, NDArray[np.float32]], number: int) -> Arrays:
    """The reverse of `member_weights`: one member's weights out of those of all."""
    prefix = f"{number + 1}/"
    return {name.removeprefix(prefix): array for name, array in weights.items() if name.startswith(prefix)}


def rebuilt(run: Run, shape: Shape, model_weights: str, carrying: int | None = None) -> dict[str, list[keras.Model]]:
    """The networks of a run with their weights, the members of each.

    Args:
        run: A run.
        shape: The sizes of its windows.
        model_weights: Which weights the model gets: ``model`` or ``refit``.
        carrying: For how many series side by side the networks carry their state; None if they carry none.
    """
    from forecast.models.recurrent import build_network, set_weights

    config = run.config
    found: dict[str, list[keras.Model]] = {}
    for network, parts in network_configs(config).items():
        weights = run.weights(model_weights if network == "model" else network)
        found[network] = [
            build_network(
                parts.model_copy(update={"stateful": carrying is not None}), shape, config.training.seed, carrying
            )
            for _ in range(config.training.ensemble)
        ]
        for number, member in enumerate(found[network]):
            set_weights(member, weights_of_member(weights, number))
    return found


def averaged(members: Sequence[Forecasting]) -> Forecasting:
    """The mean of the members' forecasts."""

    def forecast(starts: Ints) -> NDArray[np.float32]:
        return np.mean([member(starts) for member in members], axis=0, dtype=np.float32)

    return forecast if len(members) > 1 else members[0]
