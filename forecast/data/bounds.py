"""What a quantity can physically be: rain is not negative, humidity ends at 100 %, wind directions go in a circle."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from forecast.config import DataConfig
from forecast.data.panel import Floats, Panel
from forecast.data.quality import NOT_NEGATIVE, PERCENT, TURN, is_angle
from forecast.data.windows import Flags, Ints
from forecast.errors import ConfigError, DataError

# Beside the quantities that are checked while reading: amounts and concentrations, by name or by unit.
_AMOUNT = re.compile(r"^pm[ _]?\d|ozone|^(no2|so2|o3|co2?)$|concentration|cloud|passengers|sales|demand|traffic", re.I)
_AMOUNT_UNITS = {"mm", "m/s", "km/h", "mph", "kt", "µg/m³", "W/m²", "ppm", "ppb", "hPa", "Pa", "K"}


@dataclass(frozen=True)
class Bounds:
    """What the targets of each series can be, [S, D].

    Args:
        low: The least; -inf where there is no limit.
        high: The most; inf where there is none.
        circular: Whether it is an angle, in degrees.
    """

    low: Floats
    high: Floats
    circular: Flags

    def within(self, values: Floats, series: Ints) -> Floats:
        """Forecasts [n, H, D], or quantiles [n, H, D, Q], of these series [n], held between the limits."""
        if not (np.isfinite(self.low).any() or np.isfinite(self.high).any()):
            return values
        low, high = (_beside(limit[series], values) for limit in (self.low, self.high))
        return np.clip(values, low, high)

    def nearest(self, values: Floats, y_true: Floats, series: Ints) -> Floats:
        """Forecasts with each angle turned about until it is less than half a turn from what was observed, [n, H, D].

        Args:
            values: Forecasts [n, H, D], or quantiles [n, H, D, Q], which are turned together.
            y_true: Observed, [n, H, D].
            series: The series of each, [n].
        """
        if not self.circular.any():
            return values
        middle = values if values.ndim == 3 else values[..., values.shape[-1] // 2]
        turns = TURN * np.rint((y_true - middle) / TURN) * self.circular[series][:, None]
        return values + (turns if values.ndim == 3 else turns[..., None])

    def shown(self, values: Floats, series: Ints) -> Floats:
        """Values [n, H, D] with each angle within 0 … 360."""
        return np.where(self.circular[series][:, None], values % TURN, values) if self.circular.any() else values


def _beside(limit: Floats, values: Floats) -> Floats:
    """A limit of each window and target [n, D], so that it broadcasts with [n, H, D] or [n, H, D, Q]."""
    return limit[:, None] if values.ndim == 3 else limit[:, None, :, None]


def bounds_of(places: Ints, config: DataConfig) -> Bounds:
    """The bounds that a resolved configuration states; channels that are independent are series too.

    Args:
        places: Where the S series stand among all of the run, [S].
        config: A resolved data configuration.
    """
    limits = _parsed(config.limits or (), config.target)
    circular = np.array([name in (config.circular or ()) for name in config.target])
    if config.channels == "independent":
        target = places % len(config.target)
        return Bounds(limits[target, :1], limits[target, 1:], circular[target, None])
    low, high = (np.tile(limits[:, end], (len(places), 1)) for end in (0, 1))
    return Bounds(low, high, np.tile(circular, (len(places), 1)))


def unrolled(panel: Panel, bounds: Bounds) -> Panel:
    """The panel with each angle followed round its circle: 350, 10, 30 becomes 350, 370, 390. Looks back only."""
    if not bounds.circular.any():
        return panel
    values = panel.values.copy()
    for series in range(panel.n_series):
        for target in np.flatnonzero(bounds.circular[series]):
            column = values[panel.rows(series), target]
            seen = ~np.isnan(column)
            column[seen] = np.unwrap(column[seen], period=TURN)
    return replace(panel, values=values)


def infer_circular(panel: Panel, targets: Sequence[str], training_rows: Flags) -> tuple[str, ...]:
    """The targets that are angles, by their names and training values."""
    return tuple(name for name in targets if is_angle(name, _trained(panel, name, training_rows)))


def infer_limits(panel: Panel, targets: Sequence[str], training_rows: Flags) -> tuple[str, ...]:
    """The limits of the targets, by their names, units and training values: such as ``humidity=0:100``."""
    found = []
    for name in targets:
        unit = panel.units.get(name, "")
        percent = PERCENT.search(name) is not None or unit == "%"
        if percent and _spans(_trained(panel, name, training_rows), 0, 100, at_least=2):
            found.append(f"{name}=0:100")
        elif (percent or unit in _AMOUNT_UNITS or NOT_NEGATIVE.search(name) or _AMOUNT.search(name)) and _spans(
            _trained(panel, name, training_rows), 0, math.inf
        ):
            found.append(f"{name}=0:")
    return tuple(found)


def check_limits(panel: Panel, config: DataConfig, stated: Sequence[str]) -> None:
    """Refuse limits that make no sense, and stated ones that the data do not keep.

    Args:
        panel: What was read.
        config: The resolved data configuration.
        stated: Those of the limits that the user stated; what was inferred from training rows is no promise.

    Raises:
        ConfigError: If a limit or an angle is not of a target.
        DataError: If a value lies beyond; names the first.
    """
    strange = [name for name in config.circular or () if name not in config.target]
    if strange:
        raise ConfigError(f"circular: {strange[0]!r} is not forecast.", f"Targets: {', '.join(config.target)}.")
    for name, (low, high) in zip(config.target, _parsed(config.limits or (), config.target), strict=True):
        if name in (config.circular or ()) and (low, high) != (-math.inf, math.inf):
            raise ConfigError(
                f"limits: {name!r} is an angle, which goes round its circle and has no ends. Received: "
                f"{low:g}:{high:g}.",
                "Leave it out of --limits, or of --circular.",
            )
        if not any(text.rpartition("=")[0] == name for text in stated):
            continue
        values = panel.values[:, panel.column(name)]
        beyond = np.flatnonzero((values < low) | (values > high))
        if len(beyond):
            raise DataError(
                f"{len(beyond):,} values of {name!r} lie beyond its limits {low:g} … {high:g}: the first is "
                f"{values[beyond[0]]:g} at {panel.times[beyond[0]]}.",
                "State other --limits, or --limits none.",
            )


def _trained(panel: Panel, name: str, training_rows: Flags) -> Floats:
    return panel.values[training_rows, panel.column(name)]


def _spans(values: Floats, low: float, high: float, at_least: float = 0.0) -> bool:
    """Whether values lie within limits, and reach ``at_least``; NaN is passed over."""
    seen = values[~np.isnan(values)]
    return len(seen) > 0 and bool(seen.min() >= low and seen.max() <= high and seen.max() >= at_least)


def _parsed(texts: Sequence[str], targets: Sequence[str]) -> Floats:
    """The least and the most that each target can be, [D, 2].

    Raises:
        ConfigError: If a text is not of the form ``name=low:high``, or of no target.
    """
    limits = np.tile([-math.inf, math.inf], (len(targets), 1))
    for text in texts:
        name, _, ends = text.rpartition("=")
        low, colon, high = ends.partition(":")
        try:
            limit = float(low or "-inf"), float(high or "inf")
        except ValueError:
            limit = math.nan, math.nan
        if not colon or not limit[0] < limit[1]:
            raise ConfigError(
                f"limits: takes a name with the least and the most that it can be. Received: {text!r}.",
                "For example: --limits rain=0:,humidity=0:100",
            )
        if name not in targets:
            raise ConfigError(f"limits: {name!r} is not forecast.", f"Targets: {', '.join(targets)}.")
        limits[targets.index(name)] = limit
    return limits
