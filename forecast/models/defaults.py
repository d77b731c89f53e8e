"""Defaults that follow from the series: what the user left open, filled in from clock, season and length, and why."""

from __future__ import annotations

import numpy as np

from forecast.config import Config, DataConfig, chosen
from forecast.data.bounds import check_limits, infer_circular, infer_limits
from forecast.data.panel import Clock, Panel
from forecast.data.split import TRAIN, Split, split_by_time
from forecast.errors import ConfigError, DataError
from forecast.models.look import longer_memory

# Steps seen and steps forecast, by the unit of the clock: a week for a day of hours, three years for a year of months.
_SPANS = {"h": (168, 24), "D": (56, 7), "B": (60, 5), "W": (104, 13), "M": (36, 12), "Q": (16, 4), "Y": (10, 2)}

# Over how many windows a state should be carried, at least.
_WINDOWS_IN_LANE = 8

# A covariate with fewer values than this share is left out by itself: it would cost more windows than it is worth.
_WORTH_FEEDING = 0.9


def default_season(clock: Clock) -> int:
    """Steps in the natural cycle of a clock: a day of hours, a week of days, a year of weeks, months or quarters."""
    if clock.unit in ("s", "min", "h"):
        # A cycle of more steps than these is nobody's default lookback; then the hour, or none.
        cycles = (np.timedelta64(1, "D") / clock.step, np.timedelta64(1, "h") / clock.step)
        return next((int(steps) for steps in cycles if steps == int(steps) and 1 < steps <= 1440), 1)
    cycle = {"D": 7, "B": 5, "W": 52, "M": 12, "Q": 4, "Y": 1}[clock.unit]
    return cycle // clock.multiple if cycle % clock.multiple == 0 else 1


def default_spans(clock: Clock, season: int) -> tuple[int, int]:
    """Lookback and horizon that suit a clock, in steps."""
    if clock.unit in _SPANS and clock.multiple == 1:
        return _SPANS[clock.unit]
    return (max(2 * season, 24), max(season // 4, 6)) if season > 1 else (48, 12)


def default_segment(lookback: int, season: int) -> int:
    """Steps in a segment: a part of the season if possible, and few enough for some sixteen turns of the cell."""
    longest = max(lookback // 16, 1)
    return max((part for part in range(1, longest + 1) if season % part == 0 and part > 1), default=longest)


def default_batch(n_windows: int, segment: int, carried: int = 0) -> int:
    """Windows in a batch: enough of them to keep the cores busy, few enough for a dozen steps in a pass.

    Args:
        n_windows: Windows to learn from.
        segment: Steps in a turn of the cell.
        carried: L, where the state is carried from window to window: then few enough for lanes of some windows.
    """
    if carried:
        return int(np.clip(n_windows // (_WINDOWS_IN_LANE * carried), 1, 64))
    if segment == 1:
        return 64
    return int(np.clip(2 ** int(np.log2(max(n_windows // 16, 1))), 32, 512))


def resolve(config: Config, panel: Panel) -> tuple[Config, tuple[str, ...]]:
    """Fill in everything that the configuration leaves open.

    Args:
        config: What the user asked for.
        panel: What was read.

    Returns:
        A configuration without open fields, and a sentence for each choice that was made.

    Raises:
        DataError: If the target is ambiguous or missing, or no row is left to train on.
        ConfigError: If two settings contradict each other.
    """
    data = config.data
    targets, covariates = _columns(panel, config)
    price = panel.clock.unit == "B" and all(_is_positive(panel, name) for name in targets)
    if covariates is None:
        # Open, high and low of a price are the price again; they add noise and no news.
        usable = () if price else _usable_covariates(panel, split_by_time(panel, data))
        covariates = tuple(name for name in usable if name not in targets + data.known)
    season = data.season or default_season(panel.clock)
    lookback, horizon = default_spans(panel.clock, season)
    longest = max(1, int((1 - data.validation - data.test) * panel.n_rows / panel.n_series) // 3)
    # A price moves in proportion to itself and has no level to return to: its logarithm, counted from the last close,
    # looks the same at 100 and at 700 dollars.
    transform = data.transform or ("log" if price else "none")
    # Rising prices in the training years would otherwise be learned as a law, and forecast into the fall that follows.
    mirror = price and transform == "log" and not config.network.stateful
    # Counting each window from its last value won on the validation span of every series that was tried. A state that
    # is carried on has no window of its own to count from.
    normalise = config.network.normalise or ("none" if config.network.stateful else "last")
    limits, circular = _bounds(panel, data, targets, normalise)
    resolved = config.replace(
        data={
            "target": targets,
            "covariates": covariates,
            "calendar": data.calendar if data.calendar is not None else season > 1 and not price,
            "lookback": data.lookback or min(lookback, longest),
            "horizon": data.horizon or min(horizon, max(1, longest // 3)),
            "season": season,
            "transform": transform,
            "channels": data.channels or "joint",
            "limits": limits,
            "circular": circular,
        },
        network={"normalise": normalise},
        training={"mirror": mirror if config.training.mirror is None else config.training.mirror},
        intervals={"levels": _levels(config)},
    )
    check_limits(panel, resolved.data, stated=data.limits or ())
    why = ""
    if data.lookback is None and config.network.segment is None and not price:
        found = longer_memory(panel, resolved, longest)
        if found is not None:
            lookback, why = found
            resolved = resolved.replace(data={"lookback": lookback})
    lookback = chosen(resolved.data.lookback)
    segment = min(config.network.segment or default_segment(lookback, season), lookback)
    n_channels = len(targets) if data.channels == "independent" else 1
    n_windows = int((1 - data.validation - data.test) * panel.n_rows) * n_channels
    batch_size = default_batch(n_windows, segment, lookback if config.network.stateful else 0)
    resolved = resolved.replace(
        network={"segment": segment}, training={"batch_size": config.training.batch_size or batch_size}
    )
    return resolved, _notes(panel, resolved, why, price and data.transform is None)


def _columns(panel: Panel, config: Config) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Targets and covariates, the latter None where they are left open; each column there, and named once."""
    data = config.data
    targets = data.target or _default_target(panel)
    covariates = data.covariates and tuple(name for name in data.covariates if name not in targets)
    named = targets + (covariates or ()) + data.known
    for name in named:
        panel.column(name)
    twice = [name for name in named if named.count(name) > 1]
    if twice:
        raise ConfigError(f"Column {twice[0]!r} is named twice.", "Give it to one of --target, --covariates, --known.")
    if data.known and config.network.decode == "direct":
        raise ConfigError(
            f"known: decode = direct does not look ahead. Received: {', '.join(data.known)}.",
            "Add --decode parallel, or use the model segment-lstm.",
        )
    return targets, covariates


def _bounds(
    panel: Panel, data: DataConfig, targets: tuple[str, ...], normalise: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Limits of the targets, and those that are angles: as stated, else as names, units and training values tell.

    Raises:
        ConfigError: If angles are to be forecast from a level that they do not have.
    """
    turning = normalise != "none"
    training_rows = split_by_time(panel, data).part_of(panel.times) == TRAIN
    limited = {text.rpartition("=")[0] for text in data.limits or ()}
    circular = data.circular
    if circular is None:
        free = [name for name in targets if name not in limited]
        circular = infer_circular(panel, free, training_rows) if turning else ()
    if circular and not turning:
        raise ConfigError(
            f"circular: an angle is counted from the window. Received: normalise none, circular {', '.join(circular)}.",
            "Use --normalise last, or --circular none.",
        )
    if data.limits == ():
        return (), circular
    others = [name for name in targets if name not in limited and name not in circular]
    return (*(data.limits or ()), *infer_limits(panel, others, training_rows)), circular


def _levels(config: Config) -> tuple[int, ...]:
    """The levels of the intervals: those that were asked for, and those between the quantiles of the head."""
    quantiles = config.network.quantiles
    between = [100 * (high - low) for low, high in zip(quantiles, reversed(quantiles), strict=True) if low < high]
    whole = [round(level) for level in between if abs(level - round(level)) < 1e-6]
    return tuple(sorted({*config.intervals.levels, *whole}))


def _notes(panel: Panel, resolved: Config, why: str, price: bool) -> tuple[str, ...]:
    """What was chosen, in sentences."""
    data, clock = resolved.data, panel.clock
    lookback, horizon, season = chosen(data.lookback), chosen(data.horizon), chosen(data.season)
    segment, covariates = chosen(resolved.network.segment), chosen(data.covariates)
    notes = [
        f"target: {', '.join(data.target)}"
        + (f"; other inputs: {', '.join(covariates)}" if covariates else "")
        + (f"; known ahead: {', '.join(data.known)}" if data.known else ""),
        f"lookback {clock.describe(lookback)}{f' ({why})' if why else ''}, horizon {clock.describe(horizon)}, "
        + (f"season {clock.describe(season)}" if season > 1 else "no season"),
    ]
    if data.limits:
        notes.append(f"no forecast beyond what can be: {', '.join(map(_in_words, data.limits))}")
    if data.circular:
        notes.append(f"angles in degrees, scored along the circle: {', '.join(data.circular)}")
    if price and resolved.network.normalise == "last":
        notes.append("a positive series on business days is taken for a price: logged, cumulative returns are forecast")
    if segment > 1:
        notes.append(f"fed in segments of {clock.describe(segment)}, {-(-lookback // segment)} turns of the cell")
    return tuple(notes)


def _in_words(limit: str) -> str:
    """``humidity=0:100`` as "humidity 0 … 100", ``rain=0:`` as "rain ≥ 0"."""
    name, _, ends = limit.rpartition("=")
    low, _, high = ends.partition(":")
    return f"{name} {low} … {high}" if low and high else f"{name} ≥ {low}" if low else f"{name} ≤ {high}"


def _default_target(panel: Panel) -> tuple[str, ...]:
    if panel.default_target is None:
        raise DataError(
            f"Which column should be forecast? There are {len(panel.columns)}: "
            f"{', '.join(panel.columns[:30])}{' …' if len(panel.columns) > 30 else ''}.",
            f"Name it with --target, for example --target {panel.columns[0]!r}.",
        )
    return (panel.default_target,)


def _is_positive(panel: Panel, name: str) -> bool:
    values = panel.values[:, panel.column(name)]
    return bool((values[~np.isnan(values)] > 0).all())


def _usable_covariates(panel: Panel, split: Split) -> tuple[str, ...]:
    training_rows = split.part_of(panel.times) == TRAIN

    def usable(column: int) -> bool:
        return all(
            len(seen) > 0 and np.mean(~np.isnan(seen)) >= _WORTH_FEEDING and np.nanmin(seen) < np.nanmax(seen)
            for seen in (
                panel.values[rows, column][training_rows[rows]] for rows in map(panel.rows, range(panel.n_series))
            )
        )

    return tuple(name for number, name in enumerate(panel.columns) if usable(number))
