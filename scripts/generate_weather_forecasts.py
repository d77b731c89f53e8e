"""Simulated loads of electricity that follow the weather, and the forecasts of that weather as they were issued.

    python scripts/generate_weather_forecasts.py FOLDER [--seed 0] [--days 1500] [--sites 4]

It writes ``load.csv`` (unique_id, ds, load, temperature: what was measured, by days) and ``weather.csv`` (unique_id,
issued_at, ds, temperature: what was forecast, each day, ten days ahead). A forecast keeps the spread of the weather at
every lead, as those of weather models do, and drifts from the weather that comes: ten days ahead it is that of any
other day of the season. So it should be believed the less the longer it looks ahead, which hindsight does not teach.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Days that a forecast looks ahead; at the last of them it tells nothing.
LONGEST = 10

# Days after which a departure from the season's temperature is down to 1/e, and its spread [°C].
MEMORY, SPREAD = 4.0, 4.0


def generate(seed: int = 0, days: int = 1500, sites: int = 4) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What was measured, and what was forecast of it.

    Args:
        seed: The same seed gives the same frames.
        days: Days of each site.
        sites: Series, each of its own weather.

    Returns:
        Measurements (unique_id, ds, load, temperature), and forecasts (unique_id, issued_at, ds, temperature).
    """
    rng = np.random.default_rng(seed)
    ds = pd.date_range("2020-01-01", periods=days, freq="D")
    at = np.arange(days)[:, None] + np.arange(1, LONGEST + 1)
    drift = np.arange(1, LONGEST + 1) / LONGEST
    measured, forecasts = [], []
    for site in range(sites):
        real = departures(rng, (1, days + LONGEST))[0]
        temperature = (season(np.arange(days)) + real[:days]).round(1)
        load = 100 + 2.5 * np.maximum(18 - temperature, 0) - 10 * (ds.day_of_week >= 5)
        load += departures(rng, (1, days))[0] / 2 + rng.normal(0, 1, days)
        told = season(at) + np.sqrt(1 - drift**2) * real[at] + drift * departures(rng, at.shape)
        name = f"site {site + 1}"
        measured.append(pd.DataFrame({"unique_id": name, "ds": ds, "load": load.round(2), "temperature": temperature}))
        forecasts.append(
            pd.DataFrame(
                {
                    "unique_id": name,
                    "issued_at": ds.repeat(LONGEST),
                    "ds": ds[0] + pd.to_timedelta(at.ravel(), unit="D"),
                    "temperature": told.ravel().round(1),
                }
            )
        )
    return pd.concat(measured, ignore_index=True), pd.concat(forecasts, ignore_index=True)


def season(days: NDArray[np.int64]) -> Floats:
    """The usual temperature by days since the first of January [°C]."""
    return 10 - 9 * np.cos(2 * np.pi * days / 365.25)


def departures(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """How far temperatures depart from those of the season, red noise along the last axis [°C]."""
    kept, found = np.exp(-1 / MEMORY), rng.normal(0, SPREAD, shape)
    for day in range(1, shape[1]):
        found[:, day] = kept * found[:, day - 1] + np.sqrt(1 - kept**2) * found[:, day]
    return found


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--days", type=int, default=1500)
    parser.add_argument("--sites", type=int, default=4)
    asked = parser.parse_args()
    measured, forecasts = generate(asked.seed, asked.days, asked.sites)
    asked.folder.mkdir(parents=True, exist_ok=True)
    measured.to_csv(asked.folder / "load.csv", index=False)
    forecasts.to_csv(asked.folder / "weather.csv", index=False)


if __name__ == "__main__":
    main()
