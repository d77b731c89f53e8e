"""Which networks a run trains, and what their forecasts are called."""

from __future__ import annotations

from forecast.config import Config, NetworkConfig


def network_configs(config: Config) -> dict[str, NetworkConfig]:
    """The networks of a run: the model, and beside it the vanilla RNN of the same design unless the model is one."""
    networks = {"model": config.network}
    if config.training.baseline and config.network.cell != "rnn":
        networks["baseline"] = config.replace(network={"cell": "rnn"}).network
    return networks


def column_names(config: Config) -> dict[str, str]:
    """The column of each network in tables and plots."""
    return {"model": config.network.model, "baseline": "rnn"}
