"""The choice of open settings from the series: from its clock, its season, its length and its columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from forecast.choices.columns import check_columns, settle_covariates, settle_static, settle_targets
from forecast.choices.holes import settle_least_observed
from forecast.choices.lookback import default_segment, longer_lookbacks, longest_lookback, shorten_for_gaps
from forecast.choices.plan import Choice, choices_of
from forecast.choices.portfolio import plan_portfolio
from forecast.choices.price import why_price
from forecast.choices.probe import Found, probe
from forecast.choices.spans import settle_division, settle_shares, settle_validation_from, why_shares
from forecast.choices.usual import default_batch, default_patience, default_season, default_spans
from forecast.choices.words import decide_words
from forecast.config import Config, DataConfig, DataSettings, Settings
from forecast.data.bounds import check_limits, infer_circular, infer_limits
from forecast.data.codes import decide_codes
from forecast.data.normals import HAR_SPANS
from forecast.data.panel import Panel
from forecast.data.scaling import refuse_non_positive
from forecast.data.split import TEST, TRAIN, split_panel
from forecast.data.windows import Flags, Ints
from forecast.data.words import with_words
from forecast.errors import ConfigError, setting
from forecast.models.network import COUNTED_AHEAD
from forecast.sources.formulas import expressions

# Share of the windows of a panel whose series is hidden in training.
_HIDDEN = 0.1

# The share of values that are hidden from it where values may be missing.
_HIDDEN_VALUES = 0.05


def resolve(settings: Settings, panel: Panel) -> tuple[Config, list[Choice]]:
    """Choose a value for every field that the settings leave open.

    Args:
        settings: What the user asked for.
        panel: What was read.

    Returns:
        The configuration, and each choice by which it differs from the settings.

    Raises:
        DataError: If the target is ambiguous or missing, or no row is left to train on; or if it is to be logged and is
            not positive before the test span.
        ConfigError: If two settings contradict each other.
    """
    panel = with_words(panel, settings.read.notation)
    asked, targets = _with_names(settings, panel)
    check_columns(panel, asked, targets)
    rows = _look_at_rows(asked, panel, targets)
    network, reasons = asked.network, dict(rows.reasons)
    # On the validation spans of single series, too, a solved map made networks better or left them as they were, in a
    # third of the time: by 10 % (weekly CO2), 3 % (a monthly temperature). Beside columns known ahead it does not: it
    # made one electricity price 2 % better, another one 10 % worse. Generated days with a smooth year erred more with
    # it on the validation span, and as much on rows that were held out.
    linear = not (rows.price or rows.planned) if network.linear is None else network.linear
    if rows.planned and not rows.price and not linear:
        reasons["linear"] = "it helps little where columns are known ahead"
    lookback, normalise = rows.data.lookback, _usual_centre(asked, rows.volatility)
    config = _configured(asked, rows, lookback, normalise, linear)
    check_limits(rows.panel, config.data, asked.data.limits or (), rows.part < TEST)
    if network.segment is None and not rows.price and not rows.volatility:
        is_open = asked.data.lookback is None
        longer = longer_lookbacks(panel.clock, config.data.season, lookback, rows.longest) if is_open else []
        chooses_map = linear and network.linear is None
        may_smooth = linear and network.normalise is None and normalise == "last" and network.decode != "recursive"
        may_smooth &= not asked.training.fall_back
        # Where nothing is to be chosen, the look would be for nothing.
        looks = longer or chooses_map or may_smooth
        found = probe(rows.panel, config, longer, may_smooth) if looks else Found(lookback)
        if found.why_lookback:
            reasons["lookback"] = found.why_lookback
        if found.why_smoothing:
            normalise, reasons["normalise"] = "smoothing", found.why_smoothing
        if chooses_map and found.why_not_linear:
            linear, reasons["linear"] = False, found.why_not_linear
        config = _configured(asked, rows, found.lookback, normalise, linear)
    if settings.makes_portfolio and not config.portfolio:  # which the record of a run has
        n_rows = np.count_nonzero(rows.part == TRAIN) // panel.n_series
        half = (n_rows - config.data.horizon) // 2  # leaves half of the windows
        longest, usual = min(rows.longest, int(half)), config.data.lookback
        if config.data.least_observed == 1:
            inputs, outputs = config.data.covariates, config.data.horizon
            longest = shorten_for_gaps(rows.panel, config.data, targets, inputs, rows.part, longest, outputs)
        config = plan_portfolio(config, asked.training.members, longest)
        if config.data.lookback > usual:
            reasons["newest"] = reasons["lookback"]
            reasons["lookback"] = "the longest that a member of the portfolio reads"
    return config, choices_of(asked, config, reasons)


def _with_names(settings: Settings, panel: Panel) -> tuple[Settings, tuple[str, ...]]:
    """The settings with each column by its own name, and all that are known ahead among these; and the targets."""
    named = {name: names for name in ("covariates", "known", "static") if (names := getattr(settings.data, name))}
    settings = settings.replace(data={name: panel.expand(names) for name, names in named.items()})
    targets = settle_targets(panel, settings.data.target)
    issued = [name for name in panel.issues.ahead if name not in targets] if panel.issues is not None else []
    more = dict.fromkeys((*(settings.data.static or ()), *issued))
    known = (*settings.data.known, *(name for name in more if name not in settings.data.known))
    return settings.replace(data={"known": known}), targets


@dataclass(frozen=True)
class _Rows:
    """What a look at the rows tells.

    Args:
        panel: What was read, with its codes and words as the training rows tell.
        part: The part of each row, [T].
        data: Every setting of the data.
        price: Whether the targets are prices.
        volatility: Whether they tell how much a series moves.
        planned: Whether columns are known ahead that change.
        longest: The longest lookback that is taken without being asked for.
        reasons: Those that hold for this panel only, by field; they are told before the training.
    """

    panel: Panel
    part: Ints
    data: DataConfig
    price: bool
    volatility: bool
    planned: bool
    longest: int
    reasons: Mapping[str, str]


def _look_at_rows(settings: Settings, panel: Panel, targets: tuple[str, ...]) -> _Rows:
    """How the rows are divided, what they are, and the settings of the data that follow."""
    data = settings.data
    season = data.season or default_season(panel.clock)
    usual_lookback, usual_horizon = default_spans(panel.clock, season)
    validation, test, horizon = settle_shares(panel, data, usual_horizon)
    division, why_division = settle_division(panel, data, horizon)
    validation_from = settle_validation_from(panel, data, horizon, season)
    divided = {
        "validation": validation,
        "test": test,
        "validation_from": validation_from,
        "split": division,
        "horizon": horizon,
    }
    part = split_panel(panel, data.model_copy(update=divided)).part_of(panel)
    training_rows, known_rows = part == TRAIN, part < TEST
    panel = decide_words(decide_codes(panel, training_rows), training_rows, data.known)
    static, why_static = settle_static(panel, data, targets, known_rows)
    # Their embeddings come first among what is known ahead: the network finds them there.
    categories = [own.column for own in panel.read_options.get("notation", ()) if own.numbered]
    known = tuple(sorted(data.known, key=lambda name: name not in categories))
    data = data.model_copy(update={**divided, "known": known})
    whys = [why_price(panel, name, training_rows, known_rows) for name in targets]
    price, volatility = all(whys), _is_volatility(data, targets)
    longest = longest_lookback(panel, part, horizon, season)
    # On the rows of three realised variances before their test spans, and on the built-in stocks, networks that saw
    # more than the newest month of a volatility erred more.
    usual_lookback = HAR_SPANS[-1] if volatility else usual_lookback
    lookback = data.lookback or min(usual_lookback, longest)
    if data.lookback is None and panel.n_series > 1 and season < lookback < usual_lookback:
        lookback -= lookback % season
    least_observed, why_holes = settle_least_observed(panel, settings, targets, known_rows, lookback, horizon)
    inputs = settle_covariates(
        panel, data, targets, price or volatility, part, lookback, horizon, may_have_holes=least_observed < 1
    )
    unshortened = lookback
    if data.lookback is None and least_observed == 1:
        lookback = shorten_for_gaps(panel, data, targets, inputs.kept, part, lookback, horizon)
    # A price moves in proportion to itself and has no level to return to: its logarithm, counted from the last close,
    # looks the same at 100 and at 700 dollars.
    transform = data.transform or ("log" if price or volatility else "none")
    if transform == "log":
        for name in targets:
            refuse_non_positive(panel.values[known_rows, panel.column(name)], name)
    limits, circular = _bounds(panel, data, targets, _usual_centre(settings, volatility), training_rows)
    has_calendar = panel.clock.public_holidays is not None or (season > 1 and not (price or volatility))
    why_spans = why_shares(panel, settings.data, (validation, test), horizon)
    chosen = {
        **dict(data),
        "target": targets,
        "covariates": inputs.kept,
        "static": static,
        "calendar": has_calendar if data.calendar is None else data.calendar,
        "lookback": lookback,
        "least_observed": least_observed,
        "season": season,
        "transform": transform,
        "volatility": volatility,
        "channels": data.channels or "joint",
        "limits": limits,
        "circular": circular,
    }
    return _Rows(
        panel,
        part,
        DataConfig.model_construct(**chosen),
        price=price,
        volatility=volatility,
        planned=bool(set(known) - set(static)),
        longest=longest,
        reasons={
            "covariates": inputs.why,
            "static": why_static,
            "validation": why_spans,
            "test": why_spans,
            "split": why_division,
            "least_observed": why_holes,
            "lookback": f"gaps leave no window of {unshortened:,}" if lookback < unshortened else "",
            "transform": whys[0] if price else "",
        },
    )


def _usual_centre(settings: Settings, volatility: bool) -> str:
    """What forecasts are counted from, if no look at the rows finds better: as asked, or the last value, or nothing."""
    # Subtracting the last value of each window was best on the validation span of every series that was tried. A state
    # that is carried from window to window has no single last value; a volatility returns to its level, which its
    # training rows tell.
    has_level = settings.network.stateful or (volatility and not settings.training.fall_back)
    return settings.network.normalise or ("none" if has_level else "last")


def _configured(settings: Settings, rows: _Rows, lookback: int, normalise: str, linear: bool) -> Config:
    """The configuration with this lookback and centre, with a linear map or without.

    Args:
        settings: What the user asked for.
        rows: What a look at the rows tells.
        lookback: L.
        normalise: What forecasts are counted from.
        linear: Whether a linear map stands beside the network.
    """
    network, training, panel, data = settings.network, settings.training, rows.panel, rows.data
    segment = min(network.segment or default_segment(lookback, data.season), lookback)
    n_channels = len(data.target) if data.channels == "independent" else 1
    n_windows = int(np.count_nonzero(rows.part == TRAIN)) * n_channels
    # Otherwise the network would learn the rising prices of the training years as a law, and forecast them ever after.
    mirror = rows.price and data.transform == "log" and not network.stateful
    # Only a decoder that asks by the name of a series must learn to do without it.
    is_named = panel.n_series > 1 and network.decode == "parallel"
    hide_series = _HIDDEN if training.hide_series is None else training.hide_series
    hide_values = _HIDDEN_VALUES if training.hide_values is None else training.hide_values
    asked_to_read = settings.read.model_dump(exclude={"notation"})  # the panel has that of its columns
    return settings.resolved(
        data={**dict(data), "lookback": lookback},
        network={
            "normalise": normalise,
            "segment": segment,
            "cycle": network.cycle or (data.season if normalise in COUNTED_AHEAD else None),
            "linear": linear,
            "linear_inputs": linear and network.linear_inputs is not False,
        },
        training={
            "mirror": mirror if training.mirror is None else training.mirror,
            "batch_size": training.batch_size or default_batch(n_windows, segment, lookback * network.stateful),
            "hide_series": hide_series if is_named else 0.0,
            "patience": training.patience or default_patience(linear),
            "hide_values": hide_values if data.least_observed < 1 else 0.0,
            "loss": training.loss or ("qlike" if rows.volatility and not network.quantiles else "mae"),
        },
        intervals={"levels": _levels(settings)},
        read={name: value for name, value in panel.read_options.items() if not asked_to_read.get(name)},
    )


def _bounds(
    panel: Panel, data: DataSettings, targets: tuple[str, ...], normalise: str, training_rows: Flags
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The limits of the targets, and the targets that are angles: as asked, else by names, units and training values.

    Raises:
        ConfigError: If an angle is not forecast relative to its window: an unwrapped angle has no level of its own.
    """
    is_relative = normalise != "none"
    limited = {text.rpartition("=")[0] for text in data.limits or ()}
    circular = data.circular
    if circular is None:
        unlimited = [name for name in targets if name not in limited]
        circular = infer_circular(panel, unlimited, training_rows) if is_relative else ()
    if circular and not is_relative:
        raise ConfigError(
            f"circular: an angle is counted from the window. Received: normalise none, circular {', '.join(circular)}.",
            f"Use {setting('normalise', 'last')}, or {setting('circular', 'none')}.",
        )
    if data.limits == ():
        return (), circular
    others = [name for name in targets if name not in limited and name not in circular]
    return (*(data.limits or ()), *infer_limits(panel, others, training_rows)), circular


def _is_volatility(data: DataSettings, targets: tuple[str, ...]) -> bool:
    """Whether the targets tell how much a series moves: as asked, else by their formulas.

    Raises:
        ConfigError: If that is asked of targets that are not to be logged.
    """
    if data.volatility and data.transform == "none":
        raise ConfigError(
            "volatility: how much a series moves is positive, and forecast by its logarithm. Received: transform none.",
            f"Use {setting('transform', 'log')}.",
        )
    if data.volatility is not None or data.transform == "none":
        return bool(data.volatility)
    found = expressions(targets)
    return len(found) == len(targets) and all(expression.formula.volatility for expression in found)


def _levels(settings: Settings) -> tuple[int, ...]:
    """The levels of the intervals: those that were asked for, and those between the quantiles of the head."""
    quantiles = settings.network.quantiles
    between = [100 * (high - low) for low, high in zip(quantiles, reversed(quantiles), strict=True) if low < high]
    whole = [round(level) for level in between if abs(level - round(level)) < 1e-6]
    return tuple(sorted({*settings.intervals.levels, *whole}))
