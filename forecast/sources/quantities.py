"""The quantities whose limits nature sets: which columns measure them, in which units, and what no instrument has read.

Limits are records (World Meteorological Organization, Archive of Weather and Climate Extremes, unless noted), rounded
outwards. They say what is impossible, not what is odd: 54 °C is possible.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from forecast.data.panel import Floats


class Unit(NamedTuple):
    """A unit of measurement: a value in it times ``factor`` plus ``offset`` is one in the quantity's first unit."""

    name: str
    spellings: str
    factor: float = 1.0
    offset: float = 0.0

    def to_first(self, value: float) -> float:
        """A value in this unit in the quantity's first unit."""
        return value * self.factor + self.offset

    def from_first(self, value: float) -> float:
        """A value in the quantity's first unit in this one."""
        return (value - self.offset) / self.factor


@dataclass(frozen=True)
class Quantity:
    """A quantity, as sentences name it.

    Args:
        name: In the singular.
        pattern: What names of its columns match.
        units: Those that it is given in.
        low: What no value is below, in the first unit.
        high: What no value is above, in the first unit.
        drift: How far above that limit instruments read without being broken.
    """

    name: str
    pattern: re.Pattern[str]
    units: tuple[Unit, ...]
    low: float
    high: float
    drift: float = 0.0

    def limits_in(self, unit: Unit) -> tuple[float, float]:
        """The limits in one of its units."""
        return unit.from_first(self.low), unit.from_first(self.high)

    def fits(self, unit: Unit, low: float, high: float) -> bool:
        """Whether values from ``low`` to ``high`` in one of its units are possible."""
        return (
            self.low <= low * unit.factor + unit.offset and high * unit.factor + unit.offset <= self.high + self.drift
        )


class Measured(NamedTuple):
    """The quantity of a column, and the units that its values may be in: one where it is stated."""

    quantity: Quantity
    units: tuple[Unit, ...]

    @property
    def limits(self) -> tuple[float, float]:
        """The limits of the column; the widest where the unit is not known."""
        lows, highs = zip(*map(self.quantity.limits_in, self.units), strict=True)
        return float(f"{min(lows):.4g}"), float(f"{max(highs):.4g}")


def has_true_zero(name: str) -> bool:
    """Whether zero means none of it in a column of this name; not so in temperatures."""
    return not TEMPERATURE.pattern.search(name)


def recognise(name: str, unit: str, values: Floats) -> Measured | None:
    """The quantity that a column measures; None if it is none of these, or its values are of another kind.

    A column is judged by its name and its unit, and only if eight of ten of its values are possible: a vapour pressure
    is no pressure of the air, and an engine is warmer than any weather.

    Args:
        name: Name of the column.
        unit: Its unit of measurement, or empty.
        values: [T]; NaN is ignored.
    """
    quantity = next((quantity for quantity in QUANTITIES if quantity.pattern.search(name)), None)
    if quantity is None:
        return None
    stated = unit.replace("²", "2").replace("**", "").replace("^", "").replace(" ", "").casefold()
    units = [known for known in quantity.units if not stated or re.fullmatch(known.spellings, stated)]
    present = values[~np.isnan(values)]
    if not units or not len(present):
        return None
    tenth = len(present) // 10
    low, high = np.partition(present, (tenth, len(present) - 1 - tenth))[[tenth, len(present) - 1 - tenth]]
    fitting = [known for known in units if quantity.fits(known, low, high)]
    return Measured(quantity, tuple(fitting)) if fitting else None


TEMPERATURE = Quantity(  # −89.2 °C: Vostok 1983; 56.7 °C: Death Valley 1913
    "air temperature",
    re.compile(
        r"^(?!.*(feel|apparent|index|chill|surface|road|roof|module|panel|cell|engine|motor|oil|cool|machine|cpu|gpu))"
        r".*(temp|dew|^t$|^t[ _(]|^t(min|max|avg|mean)\b)",
        re.I,
    ),
    (
        Unit("°C", r"°?c|degc|celsius|deg\.?c"),
        Unit("°F", r"°?f|degf|fahrenheit|deg\.?f", 1 / 1.8, -32 / 1.8),
        Unit("K", r"k|kelvin", 1, -273.15),
    ),
    -90,
    57,
)

QUANTITIES = (
    Quantity(  # 870 hPa: Typhoon Tip 1979; 1,084.8 hPa: Tosontsengel 2001; 337 hPa: the top of Mount Everest
        "air pressure",
        re.compile(r"press|^pres\b|baro|\bslp\b|\bqnh\b|^p$|^p[ _(]", re.I),
        (
            Unit("mbar", r"h?mbar|hpa|mb|milli-?bars?|hectopascals?"),
            Unit("Pa", r"pa|pascals?", 0.01),
            Unit("kPa", r"kpa", 10),
            Unit("inHg", r"inhg|in\.?|inches", 33.8639),
            Unit("mmHg", r"mm(hg)?|torr", 1.33322),
        ),
        300,
        1090,
    ),
    TEMPERATURE,
    Quantity(  # 113.2 m/s: a gust on Barrow Island 1996
        "wind speed",
        re.compile(r"wind.?(speed|spd|vel|gust)|gust|^wv\b|\bmax\.? wv\b|^ws\b|^wspd", re.I),
        (
            Unit("m/s", r"m/s|mps|ms-1|m\.s-1|ms⁻1"),
            Unit("km/h", r"km/h|kmh|kph|km\.h-1", 1 / 3.6),
            Unit("mph", r"mph|mi/h", 0.44704),
            Unit("kt", r"kts?|kn|knots?", 0.514444),
        ),
        0,
        120,
    ),
    Quantity(  # no drier, so that shares of 0 … 1 are no percentages; in fog instruments read a little over 100
        "relative humidity",
        re.compile(r"^(?!.*(soil|specific|absolute)).*(humid|\brh\b)", re.I),
        (Unit("%", r"%|percent|pct|%rh"),),
        1,
        100,
        drift=10,
    ),
    Quantity(  # 9,300 mm in a month: Cherrapunji 1861
        "precipitation",
        re.compile(r"rain(?!ing|y)|precip", re.I),
        (Unit("mm", r"mm|mm/h|mm/d|l/m2|kg/m2"), Unit("cm", r"cm", 10), Unit("in", r"in|inch|inches|in/h", 25.4)),
        0,
        9300,
    ),
    Quantity(  # 1,361 W/m² above the air; clouds add (Yordanov 2015); by night instruments read −10
        "solar radiation",
        re.compile(r"radiation|irradiance|^(ghi|dni|dhi|swdr)\b|insolation|^solar", re.I),
        (Unit("W/m²", r"w/?m-?2|wm⁻2|w/m²"),),
        -30,
        2000,
    ),
    Quantity(  # ice of 800,000 years holds air of 170 ppm at least (Lüthi et al. 2008)
        "carbon dioxide in the air", re.compile(r"^co2\b|carbon.?dioxide", re.I), (Unit("ppm", r"ppmv?"),), 165, 50_000
    ),
)
