"""What kind of quantity a column holds, by its name, its unit and its values."""

from __future__ import annotations

import math
import re

import numpy as np

from forecast.data.panel import Floats

# A full turn of an angle, in degrees.
TURN = 360.0

NOT_NEGATIVE = re.compile(
    r"volume|rain|precip|snow|wind.?speed|gust|visib|humid|\brh\b|^wv\b|radiation|irradiance", re.I
)
PERCENT = re.compile(r"humid|\brh\b", re.I)

# Amounts and concentrations: their forecasts are limited as those above are, but a negative value draws no warning.
_AMOUNT = re.compile(r"^pm[ _]?\d|ozone|^(no2|so2|o3|co2?)$|concentration|cloud|passengers|sales|demand|traffic", re.I)
_AMOUNT_UNITS = {"mm", "m/s", "km/h", "mph", "kt", "µg/m³", "W/m²", "ppm", "ppb", "hPa", "Pa", "K"}

_ANGLE = re.compile(r"wind.?dir|direction|azimuth|bearing|^wd(ir)?\b", re.I)


def is_angle(name: str, values: Floats) -> bool:
    """Whether a column holds angles in degrees, by its name and its values [T]; NaN is ignored."""
    low, high = np.fmin.reduce(values, initial=np.inf), np.fmax.reduce(values, initial=-np.inf)
    return _ANGLE.search(name) is not None and low >= 0 and TURN / 2 <= high <= TURN


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
