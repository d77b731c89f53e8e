"""SPACE: what a search tries, one entry for each thing that it decides; and what a trial's values make of the defaults.

What the user fixed leaves the space, and so does what the rows have no room for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from forecast.choices.lookback import TURNS, default_segment
from forecast.choices.usual import default_patience
from forecast.config import Config, Settings, nest
from forecast.models.catalogue import MODELS
from forecast.models.network import COUNTED_AHEAD

Value = bool | int | float | str

# The lookbacks that are tried, in those of the defaults.
_LOOKBACKS = (0.5, 1, 2, 4)


@dataclass(frozen=True)
class Between:
    """All numbers from the lowest to the highest, even on a logarithmic scale; or those in steps from the lowest on."""

    low: float
    high: float
    step: float | None = None


Choices = Sequence[Value] | Between


@dataclass(frozen=True)
class Dimension:
    """One thing that a search decides.

    Args:
        name: In tables and plots: that of the setting, where it is one setting.
        settings: The settings that it decides. Where the user gave one of them, nothing is left to be searched.
        choices: What is tried, of these defaults and as asked; nothing where it makes no sense with them.
        of: What it is in a configuration.
        apply: The settings that a value stands for, from the configuration so far; None if it is the setting's own.
    """

    name: str
    settings: tuple[str, ...]
    choices: Callable[[Config, Settings], Choices]
    of: Callable[[Config], Value]
    apply: Callable[[Value, Config], Mapping[str, object]] | None = None

    def changed(self, config: Config, value: Value) -> Config:
        """The configuration with another value."""
        settings = {self.settings[0]: value} if self.apply is None else self.apply(value, config)
        return config.replace(**nest(settings))


def space_of(
    config: Config, asked: Settings, given: Collection[str], has_room: Callable[[int], bool]
) -> dict[str, Choices]:
    """What is searched: the choices by the name of their dimension, with the value of the defaults among them.

    Args:
        config: The defaults.
        asked: What was asked for, by which they were resolved.
        given: The settings that the user fixed.
        has_room: Whether the rows have enough windows of a lookback.
    """
    space: dict[str, Choices] = {}
    for dimension in SPACE:
        if not set(dimension.settings).isdisjoint(given):
            continue
        choices = dimension.choices(config, asked)
        if not isinstance(choices, Between) and choices:
            usual = dimension.of(config)
            choices = tuple(choices) if usual in choices else (usual, *choices)
            if dimension.name == "lookback":
                choices = tuple(lookback for lookback in choices if has_room(int(lookback)))
        if isinstance(choices, Between) or len(choices) > 1:
            space[dimension.name] = choices
    return space


def values_of(config: Config, space: Collection[str]) -> dict[str, Value]:
    """What the dimensions of a space are in a configuration."""
    return {dimension.name: dimension.of(config) for dimension in SPACE if dimension.name in space}


def configured(values: Mapping[str, Value], defaults: Config, asked: Settings) -> Config:
    """The defaults with the values of a trial, and with what follows from them where the user left it open."""
    if values == values_of(defaults, values):
        return defaults
    config = defaults
    for dimension in SPACE:
        if dimension.name in values:
            config = dimension.changed(config, values[dimension.name])
    network, season = config.network, config.data.season
    following: dict[str, object] = {"linear_inputs": network.linear and asked.network.linear_inputs is not False}
    if asked.network.cycle is None:
        following["cycle"] = season if network.normalise in COUNTED_AHEAD else None
    if asked.network.segment is None:
        following["segment"] = default_segment(config.data.lookback, season, int(values.get("turns", TURNS)))
    if asked.training.patience is None:
        following["patience"] = default_patience(network.linear)
    return config.replace(**nest(following))


def in_words(choices: Choices) -> str:
    """The choices as a table names them."""
    if isinstance(choices, Between):
        return f"{choices.low:g} … {choices.high:g}" + (f" by {choices.step:g}" if choices.step else "")
    return ", ".join(value_in_words(value) for value in choices)


def value_in_words(value: object) -> str:
    """A value as tables write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else f"{value}"


def _cells(config: Config, asked: Settings) -> Choices:
    """The cells that the model has a preset with, so that what is found can be asked for by name."""
    family = config.network.model.removesuffix(config.network.cell)
    return [name.removeprefix(family) for name in MODELS if name.startswith(family)] if family else ()


def _lookbacks(config: Config, asked: Settings) -> Choices:
    usual, season = config.data.lookback, config.data.season
    longest = {max(2, int(times * usual)) for times in _LOOKBACKS}
    whole = {lookback - lookback % season if lookback > season else lookback for lookback in longest}
    return sorted(lookback for lookback in {usual, *whole} if lookback >= min(usual, season))


def _centres(config: Config, asked: Settings) -> Choices:
    network = config.network
    if network.stateful:
        return ()
    centres = ["last", "last-scaled"] if asked.training.fall_back else ["last", "standard", "last-scaled"]
    is_seasonal = 1 < config.data.season <= config.data.lookback // max(1, round(1 / _LOOKBACKS[0]))
    if is_seasonal and network.decode != "recursive" and not asked.training.fall_back:
        centres += COUNTED_AHEAD
    return centres


def _losses(config: Config, asked: Settings) -> Choices:
    return () if config.data.volatility or config.network.quantiles else ("mae", "huber", "mse")


def _scaled_units(value: Value, config: Config) -> Mapping[str, object]:
    units = config.network.units
    return {"units": tuple(int(value) * size // units[0] or 1 for size in units)}


def _layers(value: Value, config: Config) -> Mapping[str, object]:
    units, count = config.network.units, int(value)
    return {"units": (*units, *units[-1:] * count)[:count]}


# In this order they are applied. To search another setting, add an entry: its choices, and what it is in a
# configuration. The ranges are those in which the presets and the members of portfolios lie, and some way beyond.
SPACE = (
    Dimension(
        "cell",
        ("model", "cell"),
        _cells,
        lambda config: config.network.cell,
        lambda value, config: {
            "model": f"{config.network.model.removesuffix(config.network.cell)}{value}",
            "cell": value,
        },
    ),
    Dimension("units", ("units",), lambda *_: (16, 32, 64, 128), lambda config: config.network.units[0], _scaled_units),
    Dimension(
        "layers",
        ("units", "go_backwards"),
        lambda *_: (1, 2),
        lambda config: len(config.network.units),
        _layers,
    ),
    Dimension("lookback", ("lookback",), _lookbacks, lambda config: config.data.lookback),
    Dimension(
        "turns",  # of the cell over the lookback, which is cut into as many segments
        ("segment",),
        lambda config, asked: (8, 16, 32) if asked.network.segment is None else (),
        lambda _: TURNS,
        lambda *_: {},
    ),
    Dimension("normalise", ("normalise", "cycle"), _centres, lambda config: config.network.normalise),
    Dimension(
        "linear",
        ("linear",),
        lambda config, asked: (True, False) if asked.network.linear is None else (),
        lambda config: config.network.linear,
    ),
    Dimension(
        "head_dropout", ("head_dropout",), lambda *_: Between(0.0, 0.5, 0.1), lambda config: config.network.head_dropout
    ),
    Dimension(
        "learning_rate",
        ("learning_rate",),
        lambda *_: Between(3e-4, 1e-2),
        lambda config: config.training.learning_rate,
    ),
    Dimension("loss", ("loss", "quantiles"), _losses, lambda config: config.training.loss),
)
