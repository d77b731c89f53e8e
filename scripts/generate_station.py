"""A stochastic weather generator: an hourly station that never stood anywhere, but behaves like one.

It is a sketch of a mid-latitude west-coast climate. Fronts arrive at random; each brings a falling barometer, cloud,
rain, wind that backs and then veers, and colder, drier air behind it. The sun heats the ground as far as the clouds
let it, so the daily swing of temperature depends on cloud and season. Everything else follows from these two.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SEED = 1997
START = "2021-01-01"
YEARS = 3
LATITUDE = np.radians(50.0)


def generate(seed: int = SEED) -> pd.DataFrame:
    """Simulated hourly observations, rounded as a station prints them.

    Args:
        seed: The same seed gives the same observations.

    Returns:
        A frame with the columns ds, temperature [°C], dew_point [°C], humidity [%], pressure [hPa], wind_speed [m/s],
        wind_direction [° from north, 0–359] and rain [mm in the hour].
    """
    # RandomState and not default_rng: only its stream is promised never to change (NEP 19).
    rng = np.random.RandomState(seed)
    ds = pd.date_range(START, periods=YEARS * 365 * 24, freq="h")
    hours = len(ds)
    day = ds.day_of_year.to_numpy() + ds.hour.to_numpy() / 24
    summer = np.cos(2 * np.pi * (day - 200) / 365.25)  # the air lags a month behind the sun: +1 on 19 July
    sun = _sun(day, ds.hour.to_numpy())

    front = _fronts(rng, hours, summer)
    synoptic = 1.05 * low_pass(red_noise(rng, hours, memory=70), memory=7)  # a barometer moves smoothly
    pressure = 1015.5 + (7.0 - 2.5 * summer) * synoptic + front["pressure"] + 0.12 * red_noise(rng, hours, memory=4)

    # Sinking air under a high dissolves cloud; a front brings its own.
    cloudiness = -0.2 - 0.9 * synoptic - 0.35 * summer + 1.1 * red_noise(rng, hours, memory=9) + front["cloud"]
    cloud = 1 / (1 + np.exp(-1.8 * cloudiness))

    heating = low_pass(sun * (1 - 0.72 * cloud), memory=5)
    cooling = low_pass(1 - 0.75 * cloud, memory=8)
    air_mass = 2.6 * red_noise(rng, hours, memory=85) + front["temperature"]
    temperature = (
        11.6 + 6.2 * summer + air_mass + 14.0 * heating - 2.6 * cooling + 0.35 * red_noise(rng, hours, memory=2.5)
    )

    rain = _rain(rng, cloud, front["rain"], sun, summer)

    # The ground feeds the air slowly: moisture follows the air mass and not the hour, and rain fills the air up.
    dryness = 2.0 + 3.5 * low_pass(1 - cloud, memory=18) + 0.8 * summer + 1.3 * red_noise(rng, hours, memory=22)
    dryness *= 1 - 0.75 * low_pass((rain > 0).astype(float), memory=3)
    dew_point = low_pass(temperature, memory=30) - dryness + 0.25 * red_noise(rng, hours, memory=3)
    dew_point += front["dew_point"]
    # Dew and fog give their heat back, so the air hardly cools below its dew point, and never dries past 15 %.
    temperature = np.maximum(temperature, dew_point - 0.7 * np.maximum(dew_point - temperature, 0))
    dew_point = np.clip(dew_point, temperature - 25, temperature - 0.05)

    gusts = np.exp(0.28 * red_noise(rng, hours, memory=7) + 0.14 * rng.standard_normal(hours))
    wind_speed = (2.0 + 3.0 * low_pass(sun, memory=2) * (1 - 0.5 * cloud) - 0.5 * summer + front["wind_speed"]) * gusts
    wind_speed = np.maximum(wind_speed - 0.5, 0)  # the cups do not turn below half a metre a second
    swing = np.degrees(0.75 * red_noise(rng, hours, memory=26) + 0.9 * rng.standard_normal(hours) / (1.5 + wind_speed))
    wind_direction = 240 + 40 * red_noise(rng, hours, memory=110) + front["wind_direction"] + swing

    printed = pd.DataFrame({"ds": ds, "temperature": temperature.round(1), "dew_point": dew_point.round(1)})
    printed["humidity"] = relative_humidity(printed["temperature"].to_numpy(), printed["dew_point"].to_numpy()).round(1)
    printed["pressure"] = pressure.round(1)
    printed["wind_speed"] = wind_speed.round(1)
    printed["wind_direction"] = np.rint(wind_direction).astype(int) % 360
    printed["rain"] = rain.round(1)
    return printed


def relative_humidity(temperature: Floats, dew_point: Floats) -> Floats:
    """Relative humidity in percent, from temperature and dew point in °C.

    Reference:
        Magnus formula over water with the constants of Sonntag (1990), Zeitschrift für Meteorologie 70, 340–344.
    """
    return 100 * np.exp(17.62 * dew_point / (243.12 + dew_point) - 17.62 * temperature / (243.12 + temperature))


def low_pass(drive: Floats, memory: float) -> Floats:
    """A reservoir that follows its drive [T] and forgets by 1/e in ``memory`` hours, [T]."""
    keep = np.exp(-1 / memory)
    level, levels = drive[: 24 * 7].mean(), np.empty_like(drive)
    for hour, value in enumerate(drive):
        level = keep * level + (1 - keep) * value
        levels[hour] = level
    return levels


def red_noise(rng: np.random.RandomState, hours: int, memory: float) -> Floats:
    """Gaussian noise of mean 0 and variance 1 whose autocorrelation falls by 1/e in ``memory`` hours, [hours]."""
    keep = np.exp(-1 / memory)
    level, levels = rng.standard_normal(), np.empty(hours)
    for hour, shock in enumerate(np.sqrt(1 - keep**2) * rng.standard_normal(hours)):
        level = keep * level + shock
        levels[hour] = level
    return levels


def _sun(day: Floats, hour: NDArray[np.int32]) -> Floats:
    """The sine of the sun's height above the horizon, 0 at night, [T]."""
    declination = np.radians(-23.44) * np.cos(2 * np.pi * (day + 10) / 365.25)
    noon = np.radians(15.0 * (hour - 12))
    height: Floats = np.sin(LATITUDE) * np.sin(declination) + np.cos(LATITUDE) * np.cos(declination) * np.cos(noon)
    return height.clip(min=0)


def _fronts(rng: np.random.RandomState, hours: int, summer: Floats) -> dict[str, Floats]:
    """What the passing fronts add to each quantity, by name, [hours] each."""
    add = {
        name: np.zeros(hours)
        for name in ("pressure", "cloud", "temperature", "dew_point", "wind_speed", "wind_direction", "rain")
    }
    passage = rng.exponential(60)
    while passage < hours:
        strength = min(rng.gamma(3.5, 0.26), 1.8) * (1 - 0.25 * summer[int(passage)])
        pace = rng.uniform(0.75, 1.4)  # a fast front does everything in fewer hours
        veer, backed = rng.uniform(45, 100), rng.uniform(25, 70)

        start, stop = max(0, int(passage) - 72), min(hours, int(passage) + 168)
        since = (np.arange(start, stop, dtype=np.float64) - passage) / pace
        behind = since >= 0
        ahead = np.where(behind, 0, np.exp(-((since / 14) ** 2)))
        passed = 1 - np.exp(-np.maximum(since, 0) / 3)
        trough = np.where(behind, np.exp(-since.clip(0) / 13), np.exp(since.clip(max=0) / 20))

        here = slice(start, stop)
        add["pressure"][here] -= 11 * strength * trough
        add["cloud"][here] += strength * (2.6 * ahead + 2.2 * np.exp(-((since / 5) ** 2)) - 1.1 * _lag(since, 9, 30))
        add["temperature"][here] += strength * (1.6 * ahead - 4.2 * passed * np.exp(-since.clip(0) / 55))
        add["dew_point"][here] += strength * (1.2 * ahead - 2.0 * passed * np.exp(-since.clip(0) / 40))
        add["wind_speed"][here] += strength * (1.4 * ahead + 2.3 * np.exp(-(((since - 2) / 7) ** 2)))
        add["wind_direction"][here] += veer * passed * np.exp(-since.clip(0) / 36) - backed * ahead
        add["rain"][here] += strength * (
            1.1 * np.exp(-(((since + 9) / 5) ** 2)) + 2.3 * np.exp(-((since / 2.2) ** 2)) + 0.5 * _lag(since, 14, 8)
        )
        # Winter lows follow each other closely; after a passage the next front needs a day to form.
        passage += 22 + rng.exponential(62 + 34 * summer[int(passage)])
    return add


def _lag(since: Floats, peak: float, width: float) -> Floats:
    """A bump that follows a front: nothing before it, 1 at ``peak`` hours after, about ``width`` hours long."""
    return np.where(since > 0, np.exp(-(((since - peak) / width) ** 2)), 0)


def _rain(rng: np.random.RandomState, cloud: Floats, front: Floats, sun: Floats, summer: Floats) -> Floats:
    """Rain in millimetres by hour [T]: it comes in spells, heaviest along a front or in an afternoon shower."""
    hours = len(cloud)
    spells = red_noise(rng, hours, memory=4)
    showers = 1.6 * low_pass(sun, memory=4) * np.maximum(summer, 0) * np.maximum(red_noise(rng, hours, memory=18), 0)
    wetness = spells + 1.3 * front.clip(max=2.5) + showers + 2.2 * cloud - 3.9
    # Hourly amounts are near to a gamma law of shape below one: much drizzle, a few downpours.
    amount = rng.gamma(0.75, 1.0, hours) * (0.45 + 0.55 * front + 2.2 * showers)
    return np.where(wetness > 0, amount, 0)
