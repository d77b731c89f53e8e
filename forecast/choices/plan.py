"""What will be trained: each choice with its reason, and the plan in sentences to read before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forecast.choices.portfolio import portfolio_in_words
from forecast.config import Config, NetworkConfig, Settings
from forecast.data.clock import Clock
from forecast.errors import setting


@dataclass(frozen=True)
class Choice:
    """A choice of a setting that was left open.

    Args:
        field: Name of the setting.
        value: What it is now.
        why: The reason.
    """

    field: str
    value: object
    why: str


# The reason of a choice by the clock alone.
_BY_CLOCK = "usual for the clock"

# Why an open field gets the value that it gets.
REASONS = {
    "target": "the main column of the source",
    "covariates": "columns that vary and cost few windows; none for a price or a volatility",
    "known": "words that are learned as embeddings come first",
    "static": "none never changes in a series",
    "season": _BY_CLOCK,
    "lookback": _BY_CLOCK,
    "horizon": _BY_CLOCK,
    "calendar": "yes for a series with a season that is no price or volatility",
    "transform": "log for prices and volatilities",
    "volatility": "the formula tells how much a series moves",
    "loss": "qlike for volatilities, else mae",
    "channels": "the targets are forecast together",
    "limits": "by names, units and training values",
    "circular": "by names, units and training values",
    "normalise": "relative to the last value; none if a state is carried, and of a volatility",
    "cycle": "the season",
    "linear": "yes for series that are no prices and have no columns known ahead",
    "linear_inputs": "yes where there is a linear map",
    "segment": "divides the season if it can, and makes about sixteen turns of the cell",
    "mirror": "yes for prices in logarithms",
    "patience": "ten epochs; four beside a linear map, which leaves little to learn",
    "hide_series": "a tenth where the network knows series by their names",
    "least_observed": "holes cost few windows or none",
    "hide_values": "one in twenty where values may be missing",
    "model": "the mean of a portfolio",
    "newest": "the usual lookback; other members of the portfolio may read more",
    "batch_size": "large enough for the cores, small enough for a dozen steps in a pass",
    "levels": "ascending, with those between the quantiles of the head",
    "validation": "a tenth",
    "test": "a fifth",
    "validation_from": "directly before the test span",
    "split": "there is one series",
}


def choices_of(settings: Settings, config: Config, reasons: Mapping[str, str]) -> list[Choice]:
    """Each choice by which a configuration differs from the settings.

    Args:
        settings: What the user asked for.
        config: What was chosen.
        reasons: Those that hold for this panel only, by field; an empty one is none.
    """
    reasons = REASONS | {field: why for field, why in reasons.items() if why}
    asked, chosen = settings.model_dump(), config.model_dump()
    return [
        Choice(field, value, reasons[field])
        for section, fields in chosen.items()
        if section in Settings.model_fields and section != "read"  # what was inferred while reading was told then
        for field, value in fields.items()
        if value != asked[section][field]
    ]


def plan_in_sentences(config: Config, clock: Clock, choices: Sequence[Choice]) -> list[str]:
    """What will be forecast, from what and how, in sentences to read before training.

    Args:
        config: What `resolve` returned.
        clock: The clock of the panel.
        choices: What `resolve` returned.
    """
    data, segment = config.data, config.network.segment
    usual = config.network.newest or data.lookback

    words = {own.column: own.words for own in config.read.notation if own.numbered}

    def known_in_words(name: str) -> str:
        count = sum(word != "" for word in words.get(name, ()))
        none = " or none" * ("" in words.get(name, ()))
        return f"{name} ({count:,} words{none}, learned as an embedding)" if count else name

    reasons = {choice.field: choice.why for choice in choices}
    why = reasons.get("newest" if config.portfolio and config.network.newest else "lookback", _BY_CLOCK)
    sentences = [
        f"target: {', '.join(data.target)}"
        + (f"; other inputs: {', '.join(data.covariates)}" if data.covariates else "")
        + (f"; known ahead: {', '.join(map(known_in_words, data.known))}" if data.known else ""),
        f"lookback {clock.describe(usual)}{f' ({why})' if why not in (_BY_CLOCK, REASONS['newest']) else ''}, "
        f"horizon {clock.describe(data.horizon)}, "
        + (f"season {clock.describe(data.season)}" if data.season > 1 else "no season"),
    ]
    particular = {field: why for field, why in reasons.items() if why != REASONS[field]}
    sentences += dict.fromkeys(
        particular[field]
        for field in ("covariates", "static", "validation", "test", "split", "least_observed")
        if field in particular
    )
    if data.limits:
        sentences.append(f"forecasts stay within what is possible: {', '.join(map(_limit_in_words, data.limits))}")
    if data.circular:
        sentences.append(f"angles in degrees, scored along the circle: {', '.join(data.circular)}")
    if "transform" in particular and config.network.normalise == "last":
        sentences.append(f"taken for a price {particular['transform']}: logged, cumulative returns are forecast")
    if config.network.normalise == "smoothing" and "normalise" in particular:
        sentences.append(f"counted from exponential smoothing: {particular['normalise']}")
    if "linear" in particular:
        sentences.append(f"no linear map beside the network: {particular['linear']}")
    if segment > 1:
        turns = -(-usual // segment)
        sentences.append(f"fed in segments of {clock.describe(segment)}, {turns} turns of the cell")
    if config.network.stateful and not config.network.carries_states:
        sentences.append(carries_nothing(config.network))
    if config.portfolio:
        reads = f"; its longest members read {clock.describe(data.lookback)}" if data.lookback > usual else ""
        sentences.append(portfolio_in_words(config) + reads)
    return sentences


def carries_nothing(network: NetworkConfig) -> str:
    """What is said of a network that carries its state while it is trained, but not in a stream."""
    return (
        "stateful, but a stream forecasts from windows and carries no state: its normalise is "
        f"{network.normalise} and its segment {network.segment} (it would with {setting('normalise', 'none')} and "
        f"{setting('segment', 1)})"
    )


def _limit_in_words(limit: str) -> str:
    """``humidity=0:100`` as "humidity 0 … 100", ``rain=0:`` as "rain ≥ 0"."""
    name, _, ends = limit.rpartition("=")
    low, _, high = ends.partition(":")
    return f"{name} {low} … {high}" if low and high else f"{name} ≥ {low}" if low else f"{name} ≤ {high}"
