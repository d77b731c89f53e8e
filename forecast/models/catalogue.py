"""MODELS: the presets by name. To add a model, add an entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from forecast.config import Config, NetworkConfig, Settings, nest, settings_from_toml
from forecast.errors import ConfigError, setting


@dataclass(frozen=True)
class Preset:
    """A named choice of settings.

    Args:
        summary: One line for lists.
        parts: Settings by name; those that the user gives have precedence.
    """

    summary: str
    parts: Mapping[str, object] = field(default_factory=dict)


# The fastest preset, and the best or level with it on the validation span of every series that was tried.
DEFAULT_MODEL = "segment-lstm"

# What a comparison compares by default: the networks of textbooks, and the default.
COMPARED = ("rnn", "lstm", "stacked-lstm", "gru", DEFAULT_MODEL)


def configure(settings: Mapping[str, object] | None = None, file: Path | None = None, **fields: object) -> Settings:
    """Settings from a preset, a TOML file and fields; the later one wins.

    Args:
        settings: Fields by name, such as ``{"model": "gru", "lookback": 48}``, or tables of them by section.
        file: A TOML file of the same.
        fields: Settings as keywords: ``configure(model="gru", lookback=48)``.

    Raises:
        ConfigError: If a setting or preset does not exist, or a value is not allowed.
    """
    given = nest({**(settings or {}), **fields})
    if file is None:
        return _with_preset(given)
    try:
        in_file = nest(settings_from_toml(file))
        return _with_preset({part: {**in_file.get(part, {}), **given.get(part, {})} for part in {**in_file, **given}})
    except ConfigError as error:
        if error.setting is not None and not any(error.setting in values for values in given.values()):
            error.args = (f"{file}: {error.args[0]}", *error.args[1:])
        raise


def _with_preset(asked: dict[str, dict[str, object]]) -> Settings:
    name = asked.setdefault("network", {}).setdefault("model", DEFAULT_MODEL)
    if not isinstance(name, str) or name not in MODELS:
        known = f"Models: {', '.join(MODELS)}."
        raise ConfigError(f"There is no model {name!r}.", known, setting="model", value=name, allowed=MODELS)
    merged = nest(MODELS[name].parts)
    cell = asked["network"].get("cell", merged["network"]["cell"])
    if cell != merged["network"]["cell"]:
        raise ConfigError(
            f"cell: the model {name} is made of {merged['network']['cell']} cells. Received: {cell!r}.",
            f"Choose another {setting('model')}: {', '.join(MODELS)}.",
        )
    for section, values in asked.items():
        merged.setdefault(section, {}).update(values)
    return Settings.from_sections(merged)


def has_baseline(settings: Settings) -> bool:
    """Whether the vanilla RNN is trained beside the model."""
    return settings.training.baseline and settings.network.cell != "rnn"


def network_configs(config: Config) -> dict[str, NetworkConfig]:
    """The networks of a run by name: ``model`` and perhaps ``baseline``, the vanilla RNN of the same design.

    The field ``model`` of each is its column in tables and plots.
    """
    networks = {"model": config.network}
    if has_baseline(config):
        networks["baseline"] = config.replace(network={"model": "rnn", "cell": "rnn"}).network
    return networks


def references_of(settings: Settings) -> tuple[str, ...]:
    """What the model of a run is scored against: the naive forecasts, and the vanilla RNN if it is the baseline."""
    from forecast.models.naive import NAIVE  # pandas takes a second, and the help of every command reads this file

    return (*NAIVE, *(["rnn"] if has_baseline(settings) else []))


# Segments make a long memory cheap: a week of hours is 21 turns of the cell (Lin et al. 2023, SegRNN). Each channel
# stands on its own with shared weights, and the whole horizon is asked for at once.
_SEGMENTED: Mapping[str, object] = {
    "units": (64,),
    "segment": None,  # asked from the season
    "decode": "parallel",
    "linear": None,
    "head_dropout": 0.3,
    "channels": "independent",
    "steps_per_epoch": 60,
}

MODELS: dict[str, Preset] = {
    "rnn": Preset("Elman's network of 1990: one tanh layer, no gates.", {"cell": "rnn", "units": (64,)}),
    "lstm": Preset("One LSTM layer.", {"cell": "lstm", "units": (64,)}),
    "stacked-lstm": Preset(
        "Two LSTM layers, the second reading the first's outputs.", {"cell": "lstm", "units": (64, 32)}
    ),
    "gru": Preset("One GRU layer: two gates, no separate cell state.", {"cell": "gru", "units": (64,)}),
    "peephole-lstm": Preset(
        "One LSTM layer whose gates see the cell state (Gers & Schmidhuber 2000).",
        {"cell": "peephole", "units": (64,)},
    ),
    "coupled-lstm": Preset(
        "One LSTM layer that writes where it forgets, i = 1 - f (Greff et al. 2017).",
        {"cell": "coupled", "units": (64,)},
    ),
    "slstm": Preset(
        "One sLSTM layer: exponential gates, normalised (Beck et al. 2024, xLSTM).", {"cell": "slstm", "units": (64,)}
    ),
    "mingru": Preset(
        "One minGRU layer: a GRU whose gate does not see the state (Feng et al. 2024).",
        {"cell": "mingru", "units": (64,)},
    ),
    "bi-lstm": Preset(
        "An LSTM layer from each end of the window (Schuster & Paliwal 1997).",
        {"cell": "lstm", "units": (64,), "bidirectional": True},
    ),
    "segment-lstm": Preset(
        "LSTM over segments of a long window, the horizon asked for at once.", {"cell": "lstm", **_SEGMENTED}
    ),
    "segment-gru": Preset("The same with a GRU.", {"cell": "gru", **_SEGMENTED}),
    "segment-rnn": Preset("The same with a vanilla RNN.", {"cell": "rnn", **_SEGMENTED}),
}
