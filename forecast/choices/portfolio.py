"""PORTFOLIO: what is trained beside the model where there is time for it, in the order in which it is tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from forecast.choices.lookback import default_segment
from forecast.config import Config, MemberConfig
from forecast.errors import ConfigError

# The column of a portfolio's forecast.
ENSEMBLE = "ensemble"

# The longest lookback of a member, in those of the model.
_LONGER = 4

# How often each network is trained, each time from another seed, if there is time for that.
_ROUNDS = 3

# A forecast without recurrent layers: of the centre of the normalisation, and of the linear map if there is one.
_NO_LAYERS: Mapping[str, object] = {"units": (), "segment": 1, "decode": "parallel"}


@dataclass(frozen=True)
class Candidate:
    """A member that a portfolio may have.

    Args:
        summary: One line for lists.
        settings: The settings by which it differs from the model, from the model's configuration; None if it is the
            model itself, or makes no sense beside it.
        recurrent: Whether it has recurrent layers.
    """

    summary: str
    settings: Callable[[Config], Mapping[str, object] | None]
    recurrent: bool = True


def _without_layers(**settings: object) -> Callable[[Config], Mapping[str, object]]:
    return lambda config: {**_NO_LAYERS, "linear": False, **settings}


def _reading(config: Config, lookback: int) -> Mapping[str, object] | None:
    """Settings of the model with another lookback; None if there are no windows as long."""
    if not config.data.season <= lookback <= config.data.lookback or lookback == config.network.newest:
        return None
    segment = config.network.segment
    return {"newest": lookback, "segment": segment if segment == 1 else default_segment(lookback, config.data.season)}


def _usual(config: Config) -> int:
    return config.network.newest or config.data.lookback


def _with_cycle(seasons: int) -> Callable[[Config], Mapping[str, object] | None]:
    def settings(config: Config) -> Mapping[str, object] | None:
        cycle = seasons * config.data.season
        if config.data.season == 1 or cycle > config.data.lookback:
            return None
        return {**_NO_LAYERS, "linear": False, "normalise": "seasonal", "cycle": cycle, "newest": config.data.lookback}

    return settings


def _another_centre(config: Config) -> Mapping[str, object]:
    return {"normalise": "standard" if config.network.normalise != "standard" else "last"}


def _smoothing(**settings: object) -> Callable[[Config], Mapping[str, object] | None]:
    def of(config: Config) -> Mapping[str, object] | None:
        if config.network.normalise == "smoothing" and not settings:
            return None
        return {"normalise": "smoothing", "cycle": config.data.season, **settings}

    return of


PORTFOLIO: dict[str, Candidate] = {
    "linear": Candidate(
        "A linear map from the window to the horizon.", _without_layers(linear=True, normalise="last"), False
    ),
    "long-linear": Candidate(
        "The same from the longest window.",
        lambda config: {**_NO_LAYERS, "linear": True, "normalise": "standard", "newest": config.data.lookback},
        False,
    ),
    "smoothing": Candidate("Exponential smoothing of the window.", _smoothing(**_NO_LAYERS, linear=False), False),
    "smoothing-linear": Candidate(
        "Exponential smoothing and a linear map of what it leaves.", _smoothing(**_NO_LAYERS, linear=True), False
    ),
    "seasonal-naive": Candidate("The value one season before.", _with_cycle(1), False),
    "seven-seasons": Candidate("The value seven seasons before, which of hours is a week.", _with_cycle(7), False),
    "mean": Candidate("The mean of the window.", _without_layers(normalise="standard"), False),
    "last-value": Candidate("The last value.", _without_layers(normalise="last"), False),
    "gru": Candidate(
        "GRU cells that read the window relative to its mean.",
        lambda config: {"cell": "gru", **_another_centre(config)},
    ),
    "long": Candidate(
        "A lookback four times as long, if the series has room for it.",
        lambda config: _reading(config, config.data.lookback),
    ),
    "with-map": Candidate(
        "The model with a linear map beside it.", lambda config: None if config.network.linear else {"linear": True}
    ),
    "without-map": Candidate(
        "The model without the linear map beside it.",
        lambda config: {"linear": False} if config.network.linear else None,
    ),
    "wide": Candidate(
        "Twice as many units, and more dropout.",
        lambda config: {
            "units": tuple(2 * units for units in config.network.units),
            "head_dropout": 0.5,
            "normalise": "last-scaled",
        },
    ),
    "smoothed": Candidate("The model, counted from exponential smoothing.", _smoothing()),
    "short": Candidate(
        "A third of the lookback.", lambda config: _reading(config, max(config.data.season, _usual(config) // 3))
    ),
    "slstm": Candidate("sLSTM cells (Beck et al. 2024).", lambda config: {"cell": "slstm"}),
    "peephole": Candidate(
        "Peephole cells (Gers & Schmidhuber 2000), with the squared loss.",
        lambda config: {"cell": "peephole", **({} if config.network.quantiles else {"loss": "mse"})},
    ),
}


def plan_portfolio(config: Config, asked: Sequence[str], longest: int) -> Config:
    """The configuration of a run that trains a portfolio.

    Args:
        config: That of the model alone.
        asked: The members that were asked for; none, or ``all``, for all that make sense.
        longest: The longest lookback that the series has room for.

    Raises:
        ConfigError: If there is no member of a name that was asked for.
    """
    names = _names(asked, config.network.model)
    usual, model = config.data.lookback, config.network.model
    longer = usual
    if "long" in names or "long-linear" in names:
        longer = max(usual, min(_LONGER * usual, longest // config.data.season * config.data.season))
    base = config.replace(data={"lookback": longer}, network={"newest": usual, "model": ENSEMBLE})
    members = [MemberConfig(name=model)]
    for name in names:
        if name == model:
            continue
        settings = PORTFOLIO[name].settings(base)
        if settings is not None and _goes_with(base, member := MemberConfig(name=name, settings=dict(settings))):
            members.append(member)
    if config.training.time_limit is not None:
        members += [
            MemberConfig(
                name=f"{member.name} {turn}", settings=member.settings | {"seed": config.training.seed + turn - 1}
            )
            for turn in range(2, _ROUNDS + 1)
            for member in members
            if base.of_member(member).network.units
        ]
    return base.with_portfolio(members)


def portfolio_in_words(config: Config) -> str:
    """Which members are planned, and in what time."""
    names = [member.name for member in config.portfolio]
    rounds = {name.rsplit(" ", 1)[0] for name in names}
    again = "; then its networks again, from other seeds" if len(rounds) < len(names) else ""
    first = ", ".join(name for name in names if name in rounds)
    limit = config.training.time_limit
    within = "" if limit is None else f" within {limit:g} s"
    return f"an ensemble, whose members are trained one after the other{within}: {first}{again}"


def _names(asked: Sequence[str], model: str) -> list[str]:
    """The names of members, the model's first: it is what the ensemble is compared with."""
    names = {model: True} | {name: candidate.recurrent for name, candidate in PORTFOLIO.items()}
    if unknown := [name for name in asked if name not in names and name not in ("all", "recurrent")]:
        raise ConfigError(
            f"members: there is no member {unknown[0]!r}.", f"Members are all, recurrent, {', '.join(names)}."
        )
    if not asked or "all" in asked:
        return list(names)
    kept = {model, *asked}
    return [name for name, recurrent in names.items() if name in kept or (recurrent and "recurrent" in asked)]


def _goes_with(base: Config, member: MemberConfig) -> bool:
    try:
        base.of_member(member)
    except ConfigError:  # decode = recursive takes no season, to name one
        return False
    return True
