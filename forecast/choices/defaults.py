"""The choice of open settings from the series: from its clock, its season, its length and its columns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from forecast.choices.columns import Inputs, choose_covariates, likeliest_target, static_columns
from forecast.choices.holes import LEAST_OBSERVED, choose_least_observed
from forecast.choices.lookback import default_segment, longer_lookbacks, shorten_for_gaps
from forecast.choices.portfolio import plan_portfolio, portfolio_in_words
from forecast.choices.price import why_price
from forecast.choices.probe import Found, probe
from forecast.choices.spans import choose_division, choose_shares, choose_validation_from
from forecast.choices.words import decide_words
from forecast.clocks.month_days import MonthDays
from forecast.config import Config, DataSettings, Division, NetworkConfig, Settings
from forecast.data.bounds import check_limits, infer_circular, infer_limits
from forecast.data.clock import Clock
from forecast.data.codes import decide_codes
from forecast.data.normals import HAR_SPANS
from forecast.data.panel import Panel
from forecast.data.scaling import refuse_non_positive
from forecast.data.split import (
    TEST,
    TEST_SHARE,
    TRAIN,
    VALIDATION,
    VALIDATION_SHARE,
    shares_of,
    split_panel,
)
from forecast.data.windows import Flags, Ints
from forecast.data.words import with_words
from forecast.errors import ConfigError, DataError, phrase, setting
from forecast.models.network import COUNTED_AHEAD
from forecast.sources.formulas import expressions

# Lookback and horizon in steps, by the unit of the clock: a week for a day of hours, three years for a year of months.
_SPANS = {"h": (168, 24), "D": (56, 7), "B": (60, 5), "session": (60, 5), "W": (104, 13), "M": (36, 12), "Q": (16, 4),
          "Y": (10, 2)}  # fmt: skip

# Share of the windows of a panel whose series is hidden in training.
_HIDDEN = 0.1

# The share of values that are hidden from it where values may be missing.
_HIDDEN_VALUES = 0.05

# Windows to train on that a step of a panel's lookback takes, if it is longer than a third of the training rows.
_WINDOWS_A_STEP = 20

# Epochs without a better validation error before training stops. A solved linear map leaves little to learn: on five
# panels (four of competitions, one generated) no validation error was lower after four epochs without a lower one.
_PATIENCE, _PATIENCE_BESIDE_MAP = 10, 4

# A state that is carried should pass through at least this many windows.
_WINDOWS_IN_LANE = 8


def default_season(clock: Clock) -> int:
    """Steps in the natural cycle of a clock: a day of hours, a week of days, a year of weeks, months or quarters."""
    if clock.week is not None:
        is_day = clock.week.per_day > 1 and clock.week.is_alike_each_day
        return clock.week.per_day if is_day else len(clock.week.slots)
    if clock.is_uneven or isinstance(clock.slots, MonthDays):
        return max(1, round(np.timedelta64(365, "D") / clock.step))
    if clock.unit in ("s", "min", "h"):
        # A day of more steps than these is too long for a default lookback; then it is the hour, or nothing.
        cycles = (np.timedelta64(1, "D") / clock.step, np.timedelta64(1, "h") / clock.step)
        return next((int(steps) for steps in cycles if steps == int(steps) and 1 < steps <= 1440), 1)
    cycle = {"D": 7, "B": 5, "session": 5, "W": 52, "M": 12, "Q": 4, "Y": 1, "step": 1}[clock.unit]
    return cycle // clock.multiple if cycle % clock.multiple == 0 else 1


def default_spans(clock: Clock, season: int) -> tuple[int, int]:
    """Usual lookback and horizon of a clock, in steps."""
    if clock.week is not None:  # a week of hours for a day of them, eight weeks of days for one
        weeks, horizon = (1, season) if clock.week.per_day > 1 else (8, len(clock.week.slots))
        return weeks * len(clock.week.slots), horizon
    if clock.unit in _SPANS and clock.multiple == 1:
        return _SPANS[clock.unit]
    return (max(2 * season, 24), max(season // 4, 6)) if season > 1 else (48, 12)


def default_batch(n_windows: int, segment: int, carried: int = 0) -> int:
    """Windows in a batch: enough to keep the cores busy, few enough for a dozen steps in a pass.

    Args:
        n_windows: Windows to train on.
        segment: Steps in a turn of the cell.
        carried: L if the state is carried from window to window, else 0. Each lane of a batch then gets some windows.
    """
    if carried:
        return int(np.clip(n_windows // (_WINDOWS_IN_LANE * carried), 1, 64))
    if segment == 1:
        return 64
    return int(np.clip(2 ** int(np.log2(max(n_windows // 16, 1))), 32, 512))


def default_patience(linear: bool) -> int:
    """Epochs without a better validation error before a training stops that has a linear map beside it, or none."""
    return _PATIENCE_BESIDE_MAP if linear else _PATIENCE


@dataclass(frozen=True)
class Choice:
    """A choice that `resolve` made.

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
_REASONS = {
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
    named = {name: names for name in ("covariates", "known", "static") if (names := getattr(settings.data, name))}
    settings = settings.replace(data={name: panel.expand(names) for name, names in named.items()})
    if settings.data.static:
        settings = settings.replace(data={"known": (*dict.fromkeys(settings.data.known + settings.data.static),)})
    targets = settings.data.target or _default_target(panel)
    if panel.issues is not None:
        issued = [name for name in panel.issues.ahead if name not in targets]
        settings = settings.replace(data={"known": (*dict.fromkeys((*settings.data.known, *issued)),)})
    data, network, training = settings.data, settings.network, settings.training
    asked_to_read = settings.read.model_dump(exclude={"notation"})  # the panel has that of its columns
    _check_columns(panel, settings, targets)
    season = data.season or default_season(panel.clock)
    usual_lookback, usual_horizon = default_spans(panel.clock, season)
    validation, test, horizon = _shares_and_horizon(panel, data, usual_horizon)
    division, why_division = _division(panel, data, horizon)
    validation_from = _validation_from(panel, data, horizon, season)
    shares = {"validation": validation, "test": test, "validation_from": validation_from}
    data = data.model_copy(update={**shares, "split": division})
    part = split_panel(panel, data.model_copy(update={"horizon": horizon})).part_of(panel)
    training_rows = part == TRAIN
    panel = decide_words(decide_codes(panel, training_rows), training_rows, data.known)
    static, why_static = _static(panel, data, targets, part < TEST)
    categories = [own.column for own in panel.read_options.get("notation", ()) if own.numbered]
    # Their embeddings come first among what is known ahead: the network finds them there.
    data = data.model_copy(update={"known": tuple(sorted(data.known, key=lambda name: name not in categories))})
    whys = [why_price(panel, name, training_rows, part < TEST) for name in targets]
    price = all(whys)
    longest = _longest_lookback(panel, part, (1 - validation - test) * panel.n_rows / panel.n_series, horizon)
    volatility = _is_volatility(data, targets)
    # On the rows of three realised variances before their test spans, and on the built-in stocks, networks that saw
    # more than the newest month of a volatility erred more.
    usual_lookback = HAR_SPANS[-1] if volatility else usual_lookback
    lookback = data.lookback or min(usual_lookback, longest)
    if data.lookback is None and panel.n_series > 1 and season < lookback < usual_lookback:
        lookback -= lookback % season
    least_observed, why_holes = _least_observed(panel, settings, targets, part < TEST, lookback, horizon)
    inputs = _covariates(panel, data, targets, price or volatility, part, lookback, horizon, least_observed < 1)
    unshortened = lookback
    if data.lookback is None and least_observed == 1:
        lookback = shorten_for_gaps(panel, data, targets, inputs.kept, part, lookback, horizon)
    # A price moves in proportion to itself and has no level to return to: its logarithm, counted from the last close,
    # looks the same at 100 and at 700 dollars.
    transform = data.transform or ("log" if price or volatility else "none")
    if transform == "log":
        for name in targets:
            refuse_non_positive(panel.values[part < TEST, panel.column(name)], name)
    # Otherwise the network would learn the rising prices of the training years as a law, and forecast them ever after.
    mirror = price and transform == "log" and not network.stateful
    # Subtracting the last value of each window was best on the validation span of every series that was tried. A state
    # that is carried from window to window has no single last value.
    normalise = network.normalise or ("none" if network.stateful else "last")
    # A volatility returns to its level, which its training rows tell.
    if volatility and network.normalise is None and not training.fall_back:
        normalise = "none"
    # On the validation spans of single series, too, a solved map made networks better or left them as they were, in a
    # third of the time: by 10 % (weekly CO2), 3 % (a monthly temperature). Beside columns known ahead it does not: it
    # made one electricity price 2 % better, another one 10 % worse. Generated days with a smooth year erred more with
    # it on the validation span, and as much on rows that were held out.
    planned = set(data.known) - set(static)
    linear = not (price or planned) if network.linear is None else network.linear
    limits, circular = _bounds(panel, data, targets, normalise, training_rows)
    n_channels = len(targets) if data.channels == "independent" else 1
    n_windows = int((1 - validation - test) * panel.n_rows) * n_channels

    # Only a decoder that asks by the name of a series must learn to do without it.
    is_named = panel.n_series > 1 and network.decode == "parallel"
    hide_series = (_HIDDEN if training.hide_series is None else training.hide_series) if is_named else 0.0

    hide_values = 0.0
    if least_observed < 1:
        hide_values = _HIDDEN_VALUES if training.hide_values is None else training.hide_values

    def with_choice(lookback: int, linear: bool) -> Config:
        has_calendar = panel.clock.public_holidays is not None or (season > 1 and not (price or volatility))
        segment = min(network.segment or default_segment(lookback, season), lookback)
        batch_size = default_batch(n_windows, segment, lookback if network.stateful else 0)
        return settings.resolved(
            data={
                "target": targets,
                "covariates": inputs.kept,
                "known": data.known,
                "static": static,
                "calendar": has_calendar if data.calendar is None else data.calendar,
                "lookback": lookback,
                "horizon": horizon,
                "least_observed": least_observed,
                **shares,
                "split": division,
                "season": season,
                "transform": transform,
                "volatility": volatility,
                "channels": data.channels or "joint",
                "limits": limits,
                "circular": circular,
            },
            network={
                "normalise": normalise,
                "segment": segment,
                "cycle": network.cycle or (season if normalise in COUNTED_AHEAD else None),
                "linear": linear,
                "linear_inputs": linear and network.linear_inputs is not False,
            },
            training={
                "mirror": mirror if training.mirror is None else training.mirror,
                "batch_size": training.batch_size or batch_size,
                "hide_series": hide_series,
                "patience": training.patience or default_patience(linear),
                "hide_values": hide_values,
                "loss": training.loss or ("qlike" if volatility and not network.quantiles else "mae"),
            },
            intervals={"levels": _levels(settings)},
            read={name: value for name, value in panel.read_options.items() if not asked_to_read.get(name)},
        )

    reasons = _REASONS | _particular_reasons(panel, settings, data, inputs, horizon)
    if why_division:
        reasons["split"] = why_division
    if why_static:
        reasons["static"] = why_static
    if why_holes:
        reasons["least_observed"] = why_holes
    if lookback < unshortened:
        reasons["lookback"] = f"gaps leave no window of {unshortened:,}"
    if price:
        reasons["transform"] = whys[0]
    elif planned and not linear:
        reasons["linear"] = "it helps little where columns are known ahead"
    config = with_choice(lookback, linear)
    check_limits(panel, config.data, data.limits or (), part < TEST)
    if network.segment is None and not price and not volatility:
        longer = longer_lookbacks(panel.clock, season, lookback, longest) if data.lookback is None else []
        chooses_map = linear and network.linear is None
        may_smooth = linear and network.normalise is None and normalise == "last" and network.decode != "recursive"
        may_smooth &= not training.fall_back
        # Where nothing is to be chosen, the look would be for nothing.
        found = probe(panel, config, longer, may_smooth) if longer or chooses_map or may_smooth else Found(lookback)
        if found.why_lookback:
            reasons["lookback"] = found.why_lookback
        if found.why_smoothing:
            normalise, reasons["normalise"] = "smoothing", found.why_smoothing
        if chooses_map and found.why_not_linear:
            linear, reasons["linear"] = False, found.why_not_linear
        config = with_choice(found.lookback, linear)
    if settings.makes_portfolio and not config.portfolio:  # which the record of a run has
        half = (np.count_nonzero(training_rows) // panel.n_series - horizon) // 2  # leaves half of the windows
        config = plan_portfolio(config, training.members, min(longest, int(half)))
    return config, _choices(settings, config, reasons)


def _shares_and_horizon(panel: Panel, data: DataSettings, usual_horizon: int) -> tuple[float, float, int]:
    """The shares of the validation and of the test span, and the horizon: together, for a short series decides both."""
    n_rows = _usual_length(panel)
    if data.validation_from is None and data.test_from is None:
        horizons = (data.horizon,) if data.horizon else sorted({usual_horizon // part or 1 for part in (1, 2, 4)})[::-1]
        return choose_shares(n_rows, horizons, data.lookback, data.validation, data.test)
    validation, test = shares_of(data)
    return validation, test, data.horizon or min(usual_horizon, max(1, int((1 - validation - test) * n_rows) // 9))


def _validation_from(panel: Panel, data: DataSettings, horizon: int, season: int) -> str | None:
    """Where the validation span begins: as asked, or before a test span that has a date; None where a share says it.

    A single series keeps to the share of the whole time axis, if that leaves a horizon before the test span.
    """
    if data.validation_from or data.validation or not data.test_from:
        return data.validation_from
    chosen = choose_validation_from(panel, data.test_from, horizon, horizon + (data.lookback or season))
    split = split_panel(panel, data.model_copy(update={"validation_from": chosen}))
    n_training = int(np.count_nonzero(split.part_of(panel) == TRAIN))
    by_share = int((1 - VALIDATION_SHARE - TEST_SHARE) * panel.n_rows)
    return chosen if panel.n_series > 1 or by_share > n_training else None


def _longest_lookback(panel: Panel, part: Ints, training_rows: float, horizon: int) -> int:
    """The longest lookback that is taken without being asked for: a third of a series' training rows.

    Many series have many windows even where each of them is short: of a panel it is also what leaves as many windows to
    train on as a linear map from the lookback takes, and to 99 of 100 series a forecast.

    Args:
        panel: S series of T rows in all.
        part: The part of each row, [T].
        training_rows: Of a series, in the mean.
        horizon: H.
    """
    starts = np.array(panel.offsets[:-1])[np.diff(panel.offsets) > 0]
    known, trained = (np.add.reduceat(part < later, starts, dtype=np.int64) for later in (TEST, VALIDATION))
    third = max(1, min(int(training_rows) // 3, int(trained.max()) - horizon))
    if panel.n_series == 1:
        return third
    fitting = range(int(np.quantile(known, 0.01)), third, -1)

    def n_windows(lookback: int) -> int:
        return int(np.maximum(trained - lookback - horizon + 1, 0).sum())

    return next((lookback for lookback in fitting if n_windows(lookback) >= _WINDOWS_A_STEP * lookback), third)


def _static(
    panel: Panel, data: DataSettings, targets: tuple[str, ...], known_rows: Flags
) -> tuple[tuple[str, ...], str]:
    """The static columns that are fed, which are those that were named, and what is said of others.

    Raises:
        DataError: If one that was named changes in a series.
    """
    found = static_columns(panel, known_rows)
    if data.static is not None:
        for name in data.static:
            if name not in found and panel.n_series > 1:
                raise DataError(
                    f"static: {name!r} changes in a series, or is the same in all of them.",
                    f"Static columns of this table: {', '.join(map(repr, found)) or 'none'}. Others are "
                    f"{setting('covariates')} or {setting('known')}.",
                )
        return data.static, ""
    others = [*targets, *(data.covariates or ()), *data.known]
    found = tuple(name for name in found if name not in others)
    if not found:
        return (), ""
    # On simulated panels of 20 and 60 series they made forecasts of series never seen worse, whether they told or not.
    return (), f"never change in a series, and describe it: {', '.join(found)}; not fed, unless named as static"


def _division(panel: Panel, data: DataSettings, horizon: int) -> tuple[Division, str]:
    """Whether the cut-offs are by time or by series, and what is said of it; nothing of one series."""
    if panel.n_series == 1 or data.validation_from or data.test_from:
        return data.split or "time", ""
    chosen, why = choose_division(panel, horizon)
    division = data.split or chosen
    cutoffs = {"time": "are the same for all series", "series": "leave the last share of each series' own rows"}
    return division, f"cut-offs {cutoffs[division]}: {why if data.split is None else 'as asked'}"


def _particular_reasons(
    panel: Panel, settings: Settings, data: DataSettings, inputs: Inputs, horizon: int
) -> dict[str, str]:
    """The reasons that hold for this panel only, by field; they are told before the training.

    Args:
        panel: What was read.
        settings: What the user asked for.
        data: The same with the shares that were chosen.
        inputs: The covariates that were chosen.
        horizon: H.
    """
    reasons: dict[str, str] = {}
    if inputs.left_out:
        named = "; ".join(f"{name}: {why}" for name, why in inputs.left_out.items())
        reasons["covariates"] = f"left out of the inputs: {named}"
    usual = {"validation": VALIDATION_SHARE, "test": TEST_SHARE}
    chosen = {field: getattr(data, field) for field in usual}
    if any(getattr(settings.data, field) is None and chosen[field] != usual[field] for field in usual):
        n_rows = _usual_length(panel)
        rows = {field: round(share * n_rows) for field, share in chosen.items()}
        few = f"{rows['validation'] - horizon + 1} and {rows['test'] - horizon + 1} windows"
        reasons["validation"] = reasons["test"] = (
            f"a short series: of {n_rows:,.0f} rows {rows['validation']} are for validation and {rows['test']} for the "
            f"test ({few}), more than the usual tenth and fifth"
        )
    return reasons


def _usual_length(panel: Panel) -> float:
    """Rows of a series; of several, the median."""
    return float(np.median(np.diff(panel.offsets)))


def _choices(settings: Settings, config: Config, reasons: Mapping[str, str]) -> list[Choice]:
    asked, chosen = settings.model_dump(), config.model_dump()
    return [
        Choice(field, value, reasons.get(field, "as all rows were read"))
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
    why = reasons.get("lookback", _BY_CLOCK)
    sentences = [
        f"target: {', '.join(data.target)}"
        + (f"; other inputs: {', '.join(data.covariates)}" if data.covariates else "")
        + (f"; known ahead: {', '.join(map(known_in_words, data.known))}" if data.known else ""),
        f"lookback {clock.describe(usual)}{f' ({why})' if why != _BY_CLOCK else ''}, "
        f"horizon {clock.describe(data.horizon)}, "
        + (f"season {clock.describe(data.season)}" if data.season > 1 else "no season"),
    ]
    particular = {field: why for field, why in reasons.items() if why != _REASONS[field]}
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


def _check_columns(panel: Panel, settings: Settings, targets: tuple[str, ...]) -> None:
    """Refuse columns that the panel lacks, that are named twice, or that the network has no use for."""
    data = settings.data
    named = [*targets, *(name for name in data.covariates or () if name not in targets), *data.known]
    if made := [made.text for made in expressions(data.known) if made.text not in panel.columns]:
        raise ConfigError(
            f"known: what is made of other columns is not known ahead. Received: {made[0]}.",
            f"Name it with {setting('covariates', made[0])}.",
        )
    for name in named:
        if name not in data.known or name not in panel.texts:  # which are not numbers yet
            try:
                panel.column(name)
            except DataError as error:
                settings_of = {"target": targets, "static": data.static or (), "known": data.known}
                error.setting = next((part for part, names in settings_of.items() if name in names), "covariates")
                raise
    twice = [name for name in named if named.count(name) > 1]
    if twice:
        parts = ", ".join(map(setting, ("target", "covariates", "known")))
        raise ConfigError(f"Column {twice[0]!r} is named twice.", f"Give it to one of {parts}.")
    if data.known and settings.network.decode == "direct":
        raise ConfigError(
            f"known: decode = direct does not look ahead. Received: {', '.join(data.known)}.",
            f"Add {setting('decode', 'parallel')}, or use the model segment-lstm.",
        )


def _least_observed(
    panel: Panel, settings: Settings, targets: tuple[str, ...], known_rows: Flags, lookback: int, horizon: int
) -> tuple[float, str]:
    """The share of a window's targets that must be observed, and what is said of it if it was chosen."""
    asked = settings.data.least_observed
    if settings.network.stateful:  # a state that is carried from row to row has no window to fill a hole from
        return 1.0, ""
    if asked is not None:
        return asked, ""
    if settings.training.hide_values or settings.network.decay:  # which ask for a network that knows holes
        return LEAST_OBSERVED, ""
    return choose_least_observed(panel, settings.data.longest_fill, targets, known_rows, lookback, horizon)


def _covariates(
    panel: Panel,
    data: DataSettings,
    targets: tuple[str, ...],
    price: bool,
    part: Ints,
    lookback: int,
    horizon: int,
    may_have_holes: bool,
) -> Inputs:
    if data.covariates is not None:
        return Inputs(tuple(name for name in data.covariates if name not in targets), {})
    if price:
        return Inputs((), {})  # open, high and low are nearly copies of the price: they add noise, not information
    return choose_covariates(panel, data, targets, part == TRAIN, part < TEST, lookback, horizon, may_have_holes)


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


def _limit_in_words(limit: str) -> str:
    """``humidity=0:100`` as "humidity 0 … 100", ``rain=0:`` as "rain ≥ 0"."""
    name, _, ends = limit.rpartition("=")
    low, _, high = ends.partition(":")
    return f"{name} {low} … {high}" if low and high else f"{name} ≥ {low}" if low else f"{name} ≤ {high}"


def _default_target(panel: Panel) -> tuple[str, ...]:
    if panel.default_target is None:
        name = likeliest_target(panel)
        example = phrase(f"--target {name!r}", f"target={name!r}", f'"target": {json.dumps(name)}')
        raise DataError(
            f"Which column should be forecast? There are {len(panel.columns)}: "
            f"{', '.join(panel.columns[:30])}{' …' if len(panel.columns) > 30 else ''}.",
            f"Name it with {setting('target')}, for example {example}."
            + (f" If each is a series of its own: {setting('wide', True)}." if panel.n_series == 1 else ""),
        )
    return (panel.default_target,)
