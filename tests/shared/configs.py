"""Small configurations for tests that need a resolved one."""

from __future__ import annotations

from forecast.config import Config, nest

PLAIN = {
    "covariates": (),
    "static": (),
    "calendar": False,
    "lookback": 6,
    "horizon": 3,
    "season": 1,
    "transform": "none",
    "volatility": False,
    "limits": (),
    "circular": (),
    "channels": "joint",
    "validation": 0.1,
    "test": 0.2,
    "split": "time",
    "least_observed": 1.0,
    "normalise": "none",
    "segment": 1,
    "linear": False,
    "linear_inputs": False,
    "batch_size": 16,
    "patience": 10,
    "loss": "mae",
    "mirror": False,
    "hide_series": 0.0,
    "hide_values": 0.0,
}


def plain_config(**fields: object) -> Config:
    """The plainest choice of every open field, and these fields beside or in place of them; None is an open one."""
    chosen = {name: value for name, value in fields.items() if value is not None or name not in PLAIN}
    return Config.from_sections(nest(PLAIN | chosen))
