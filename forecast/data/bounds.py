"""What a quantity can be: rain is not negative, humidity ends at 100 %, a wind direction is an angle."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from forecast.config import DataConfig
from forecast.data.panel import Floats, Panel
from forecast.data.windows import Flags, Ints, median
from forecast.errors import ConfigError, DataError, setting

# A full turn of an angle, in degrees.
TURN = 360.0

NOT_NEGATIVE = re.compile(
    r"volume|rain|precip|snow|wind.?speed|gust|visib|humid|\brh\b|^wv\b|radiation|irradiance", re.I
)
PERCENT = re.compile(r"humid|\brh\b", re.I)

# Amounts and concentrations: their forecasts are limited as those above are, but a negative value draws no warning.
_AMOUNT = re.compile(r"^pm[ _]?\d|ozone|^(no2|so2|o3|co2?)$|concentration|cloud|passengers|sales|demand|traffic", re.I)
_AMOUNT_UNITS = {"mm", "m/s", "km/h", "mph", "kt", "µg/m³", "W/m²", "ppm", "ppb", "hPa", "Pa", "K"}

ANGLE = re.compile(r"wind.?dir|direction|azimuth|bearing|^wd(ir)?\b", re.I)


def is_angle(name: str, values: Floats) -> bool:
    """Whether a column holds angles in degrees, by its name and its values [T]; NaN is ignored."""
    low, high = np.fmin.reduce(values, initial=np.inf), np.fmax.reduce(values, initial=-np.inf)
    return ANGLE.search(name) is not None and low >= 0 and TURN / 2 <= high <= TURN


def is_percentage(name: str, unit: str, values: Floats) -> bool:
    """Whether a column holds percentages of 0 … 100, by its name or unit and its values [T]; NaN is ignored."""
    named = PERCENT.search(name) is not None or unit == "%"
    return named and _lie_within(values, 100.0) and float(np.fmax.reduce(values)) >= 2  # not shares of 0 … 1


def is_amount(name: str, unit: str, values: Floats) -> bool:
    """Whether a column holds what cannot be negative, by its name or unit and its values [T]; NaN is ignored."""
    named = any(pattern.search(name) for pattern in (PERCENT, NOT_NEGATIVE, _AMOUNT))
    return (named or unit == "%" or unit in _AMOUNT_UNITS) and _lie_within(values, math.inf)


def _lie_within(values: Floats, high: float) -> bool:
    """Whether there are values, and all lie within 0 … high; NaN is ignored."""
    return np.fmin.reduce(values, initial=np.inf) >= 0 and -np.inf < np.fmax.reduce(values, initial=-np.inf) <= high


@dataclass(frozen=True)
class Bounds:
    """The bounds of the targets of each series.

    Args:
        low: Lowest possible value, [S, D]; -inf for none.
        high: Highest possible value, [S, D]; inf for none.
        circular: Which targets are angles in degrees, [S, D].
    """

    low: Floats
    high: Floats
    circular: Flags

    def clip(self, values: Floats, series: Ints) -> Floats:
        """Forecasts [n, H, D], or quantiles [n, H, D, Q], of these series [n], clipped to the limits."""
        if not (np.isfinite(self.low).any() or np.isfinite(self.high).any()):
            return values
        low, high = (_broadcastable(limit[series], values) for limit in (self.low, self.high))
        return np.clip(values, low, high)

    def unwrap_towards(self, values: Floats, y_true: Floats, series: Ints) -> Floats:
        """Forecasts with full turns added to each angle, so that it is at most half a turn from the observed one.

        Args:
            values: Forecasts [n, H, D], or quantiles [n, H, D, Q]; all quantiles get the turns of the median.
            y_true: Observed, [n, H, D]; where it is NaN, no turn is added.
            series: Series of each window, [n].
        """
        if not self.circular.any():
            return values
        # None are added where nothing was observed.
        turns = TURN * np.nan_to_num(np.rint((y_true - median(values)) / TURN)) * self.circular[series][:, None]
        return values + (turns if values.ndim == 3 else turns[..., None])

    def wrap_angles(self, values: Floats, series: Ints) -> Floats:
        """Values [n, H, D] with each angle within 0 … 360."""
        return np.where(self.circular[series][:, None], values % TURN, values) if self.circular.any() else values


def _broadcastable(limit: Floats, values: Floats) -> Floats:
    """A limit [n, D], shaped to broadcast with values [n, H, D] or [n, H, D, Q]."""
    return limit[:, None] if values.ndim == 3 else limit[:, None, :, None]


def bounds_of(positions: Ints, config: DataConfig) -> Bounds:
    """The bounds that a configuration states. Independent channels count as series.

    Args:
        positions: Positions of the S series among all series of the run, [S].
        config: The data configuration.
    """
    limits = _parse_limits(config.limits, config.target)
    circular = np.array([name in config.circular for name in config.target])
    if config.channels == "independent":
        target = positions % len(config.target)
        return Bounds(limits[target, :1], limits[target, 1:], circular[target, None])
    low, high = (np.tile(limits[:, end], (len(positions), 1)) for end in (0, 1))
    return Bounds(low, high, np.tile(circular, (len(positions), 1)))


def unwrap_panel(panel: Panel, bounds: Bounds) -> Panel:
    """The panel with each angle continued past a full turn: 350, 10, 30 becomes 350, 370, 390. Only looks back."""
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
    """The targets that are angles, judged by name and training values."""
    return tuple(name for name in targets if is_angle(name, panel.values[training_rows, panel.column(name)]))


def infer_limits(panel: Panel, targets: Sequence[str], training_rows: Flags) -> tuple[str, ...]:
    """The limits of the targets, such as ``humidity=0:100``, judged by name, unit and training values."""
    limits = []
    for name in targets:
        unit, values = panel.units.get(name, ""), panel.values[training_rows, panel.column(name)]
        if is_percentage(name, unit, values):
            limits.append(f"{name}=0:100")
        elif is_amount(name, unit, values):
            limits.append(f"{name}=0:")
    return tuple(limits)


def check_limits(panel: Panel, config: DataConfig, stated: Sequence[str], known_rows: Flags) -> None:
    """Refuse limits that make no sense, and limits given by the user that the data violate.

    Args:
        panel: What was read.
        config: The data configuration.
        stated: The limits given by the user. Later rows may violate those that were inferred from training rows.
        known_rows: Which rows belong to the training or the validation span, [T].

    Raises:
        ConfigError: If a limit or an angle belongs to no target.
        DataError: If a value lies beyond a limit; names the first.
    """
    unknown = [name for name in config.circular if name not in config.target]
    if unknown:
        raise ConfigError(f"circular: {unknown[0]!r} is not forecast.", f"Targets: {', '.join(config.target)}.")
    for name, (low, high) in zip(config.target, _parse_limits(config.limits, config.target), strict=True):
        if name in config.circular and (low, high) != (-math.inf, math.inf):
            raise ConfigError(
                f"limits: {name!r} is an angle, which goes round its circle and has no ends. Received: "
                f"{low:g}:{high:g}.",
                f"Leave it out of {setting('limits')}, or of {setting('circular')}.",
            )
        if not any(text.rpartition("=")[0] == name for text in stated):
            continue
        values = panel.values[:, panel.column(name)]
        beyond = np.flatnonzero(known_rows & ((values < low) | (values > high)))
        if len(beyond):
            raise DataError(
                f"{len(beyond):,} values of {name!r} lie beyond its limits {low:g} … {high:g}: the first is "
                f"{values[beyond[0]]:g} at {panel.clock.format(panel.times[beyond[0]])}.",
                f"State other {setting('limits')}, or {setting('limits', 'none')}.",
            )


def _parse_limits(texts: Sequence[str], targets: Sequence[str]) -> Floats:
    """The lowest and the highest possible value of each target, [D, 2].

    Raises:
        ConfigError: If a text has not the form ``name=low:high``, or names no target.
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
                f"For example: {setting('limits', 'rain=0:,humidity=0:100')}",
            )
        if name not in targets:
            raise ConfigError(f"limits: {name!r} is not forecast.", f"Targets: {', '.join(targets)}.")
        limits[targets.index(name)] = limit
    return limits
