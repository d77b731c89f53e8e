"""Quantities are known by name, unit and values, in any unit, and only where the values can be that quantity."""

from __future__ import annotations

import numpy as np
import pytest

from forecast.sources.quantities import QUANTITIES, recognise

CELSIUS = np.linspace(-12, 35, 500)
MBAR = np.linspace(985, 1040, 500)


@pytest.mark.parametrize(
    ("name", "unit", "values", "quantity", "low", "high"),
    [
        ("pressure", "", MBAR, "air pressure", 300, 1090),
        ("Pressure (millibars)", "millibars", MBAR, "air pressure", 300, 1090),
        ("SLP", "hPa", MBAR, "air pressure", 300, 1090),
        ("PRES", "", MBAR, "air pressure", 300, 1090),
        ("StationPressure", "", MBAR / 33.8639, "air pressure", 8.859, 32.19),
        ("p (Pa)", "Pa", MBAR * 100, "air pressure", 30000, 109000),
        ("T (degC)", "degC", CELSIUS, "air temperature", -90, 57),
        ("temp_f", "°F", CELSIUS * 1.8 + 32, "air temperature", -130, 134.6),
        ("DRYBULBTEMPF", "", CELSIUS * 1.8 + 32, "air temperature", -130, 134.6),
        ("temperature", "", CELSIUS + 273.15, "air temperature", 183.1, 330.1),
        # Without a unit it may be either.
        ("temperature", "", CELSIUS, "air temperature", -130, 134.6),
        ("wind_speed", "km/h", np.arange(50.0), "wind speed", 0, 432),
        ("gust", "m/s", np.arange(50.0), "wind speed", 0, 120),
        ("humidity", "", np.linspace(20, 100, 99), "relative humidity", 1, 100),
        ("rain", "mm", np.zeros(9), "precipitation", 0, 9300),
        ("GHI", "W/m²", np.linspace(0, 900, 99), "solar radiation", -30, 2000),
        ("CO2", "ppm", np.linspace(380, 420, 99), "carbon dioxide in the air", 165, 50000),
    ],
)
def test_the_limits_are_in_the_unit_of_the_column(name, unit, values, quantity, low, high):
    measured = recognise(name, unit, values)
    assert measured is not None
    assert (measured.quantity.name, *measured.limits) == (quantity, low, high)


@pytest.mark.parametrize(
    ("name", "unit", "values"),
    [
        ("VPact (mbar)", "mbar", np.linspace(2, 20, 99)),  # a vapour pressure
        ("tyre pressure", "", np.linspace(2.1, 2.6, 99)),
        ("blood pressure", "mmHg", np.linspace(80, 180, 99)),
        ("engine temperature", "°C", np.linspace(20, 50, 99)),
        ("temperature", "°C", np.linspace(200, 900, 99)),  # of a furnace
        ("humidity", "", np.linspace(0.2, 1, 99)),  # shares
        ("soil humidity", "%", np.linspace(0.2, 40, 99)),
        ("OT", "", CELSIUS),
        ("load", "MW", CELSIUS),
        ("raining (s)", "s", np.linspace(0, 600, 99)),
    ],
)
def test_what_is_another_quantity_is_not_judged(name, unit, values):
    assert recognise(name, unit, values) is None


def test_a_few_impossible_values_do_not_hide_the_quantity():
    values = np.where(np.arange(500) % 12 == 0, 0.0, MBAR)
    measured = recognise("pressure", "", values)
    assert measured is not None
    assert measured.limits == (300, 1090)


def test_the_units_of_a_quantity_agree():
    for quantity in QUANTITIES:
        for unit in quantity.units:
            low, high = quantity.limits_in(unit)
            middle, width = (low + high) / 2, high - low
            assert quantity.fits(unit, middle - 0.49 * width, middle + 0.49 * width)
            assert not quantity.fits(unit, low - 0.01 * width, middle)
            assert not quantity.fits(unit, middle, high + 0.2 * width)
