"""A simulated electric load that follows the weather, and the forecasts of that weather as they were issued.

    python scripts/generate_weather_forecasts.py FOLDER [--seed 0] [--days 540] [--sites 1]

It writes ``load.csv`` (unique_id, ds, load, temperature: what was measured) and ``weather.csv`` (unique_id, issued_at,
ds, temperature: what was forecast, every six hours, two days and a half ahead). A forecast keeps the spread of the
weather at every lead, as those of weather models do, and drifts from the weather that comes: at a lead of some days it
is that of another week. So it should be believed the less the longer it looks ahead, which hindsight does not teach.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# A forecast every so many hours, of so many hours; after so many its error is that of any other week.
EVERY, LONGEST, USELESS = 6, 60, 96

# Hours after which a departure from the season's temperature is down to 1/e, and its spread [°C].
MEMORY, SPREAD = 48.0, 4.0


def season(hours: NDArray[np.int64]) -> Floats:
    """The usual temperature of the time of year and of the day, by hours since the first of January [°C]."""
    return 10 - 9 * np.cos(2 * np.pi * hours / 8766) - 3 * np.cos(2 * np.pi * (hours - 3) / 24)


def departures(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """How far temperatures depart from those of the season and the hour, red noise along the last axis [°C]."""
    kept = np.exp(-1 / MEMORY)
    found = rng.normal(0, SPREAD, shape)
    for hour in range(1, shape[1]):
        found[:, hour] = kept * found[:, hour - 1] + np.sqrt(1 - kept**2) * found[:, hour]
    return found


def generate(seed: int = 0, days: int = 540, sites: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What was measured, and what was forecast of it.

    Args:
        seed: The same seed gives the same frames.
        days: Days of hours.
        sites: Series, each of its own weather.

    Returns:
        Measurements (unique_id, ds, load, temperature), and forecasts (unique_id, issued_at, ds, temperature).
    """
    rng, hours = np.random.default_rng(seed), np.arange(24 * days)
    ds = pd.date_range("2023-01-01", periods=len(hours), freq="h")
    issues = np.arange(0, len(hours), EVERY)
    drift = np.minimum(np.arange(LONGEST + 1) / USELESS, 1)  # from 0, the weather itself, to 1, any other
    measured, forecasts = [], []
    for site in range(sites):
        real = departures(rng, (1, len(hours) + LONGEST))[0]
        temperature = (season(hours) + real[: len(hours)]).round(1)
        load = 100 + 2.5 * np.maximum(18 - temperature, 0) - 12 * np.cos(2 * np.pi * (hours - 5) / 24)
        load += departures(rng, (1, len(hours)))[0] / 2 + rng.normal(0, 1, len(hours))
        name = f"site {site + 1}"
        measured.append(pd.DataFrame({"unique_id": name, "ds": ds, "load": load.round(2), "temperature": temperature}))
        other = departures(rng, (len(issues), LONGEST + 1))
        at = issues[:, None] + np.arange(LONGEST + 1)
        told = season(at) + np.sqrt(1 - drift**2) * real[at] + drift * other
        forecasts.append(
            pd.DataFrame(
                {
                    "unique_id": name,
                    "issued_at": np.repeat(ds[issues], LONGEST + 1),
                    "ds": ds[0] + pd.to_timedelta(at.ravel(), unit="h"),
                    "temperature": told.ravel().round(1),
                }
            )
        )
    return pd.concat(measured, ignore_index=True), pd.concat(forecasts, ignore_index=True)


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--days", type=int, default=540)
    parser.add_argument("--sites", type=int, default=1)
    asked = parser.parse_args()
    measured, forecasts = generate(asked.seed, asked.days, asked.sites)
    asked.folder.mkdir(parents=True, exist_ok=True)
    measured.to_csv(asked.folder / "load.csv", index=False)
    forecasts.to_csv(asked.folder / "weather.csv", index=False)


if __name__ == "__main__":
    main()
