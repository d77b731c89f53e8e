"""A panel of hourly series that never were: different levels, cycles of a day and a week of various strength, noise.

    python scripts/generate_panel.py panel.csv [--series 414] [--steps 960] [--freq h] [--seed 4]

It resembles a panel of a competition: each series has between seven tenths and all of the steps, starts late, and nine
in ten end together; the others end up to a day's steps before. Levels spread over four powers of ten.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

SEED, SERIES, STEPS = 4, 414, 960
START = "2024-01-01"

# Of a series' steps, the least share that it has; of all series, those that end early, by so many steps at most.
_SHORTEST, _END_EARLY, _LATEST = 0.73, 0.1, 24

# Steps of the two cycles: of a day and a week for hours, of a week and four of them for days.
_CYCLES = {"h": (24, 168), "D": (7, 28)}


def generate_panel(n_series: int = SERIES, n_steps: int = STEPS, freq: str = "h", seed: int = SEED) -> pa.Table:
    """The panel in the long format: unique_id, ds, y; the series one after the other.

    Args:
        n_series: S.
        n_steps: The most steps of a series.
        freq: ``h`` or ``D``.
        seed: The same seed gives the same panel.
    """
    # RandomState and not default_rng: only its stream is promised never to change (NEP 19).
    rng = np.random.RandomState(seed)
    clock = pd.date_range(START, periods=n_steps, freq=freq).to_numpy().astype("datetime64[s]")
    steps, values, times, lengths = np.arange(n_steps), [], [], []
    for _ in range(n_series):
        level = 10 ** rng.uniform(1, 5)
        shape = np.ones(n_steps)
        for cycle, strength in zip(_CYCLES[freq], rng.uniform(0, (0.5, 0.2)), strict=True):
            shape += strength * _profile(rng, cycle)[steps % cycle]
        noise = rng.uniform(0.005, 0.1) * rng.standard_normal(n_steps) * np.abs(shape)
        drift = np.cumsum(rng.standard_normal(n_steps)) * rng.uniform(0, 0.3) / np.sqrt(n_steps)
        length = rng.randint(int(_SHORTEST * n_steps), n_steps + 1)
        end = n_steps - (rng.randint(1, min(_LATEST, n_steps - length) + 1) if _is_early(rng, n_steps, length) else 0)
        values.append(np.round(level * (shape + drift + noise), 2)[end - length : end])
        times.append(clock[end - length : end])
        lengths.append(length)
    width = len(str(n_series))
    names = pa.array([f"S{number:0{width}d}" for number in range(1, n_series + 1)])
    ids = pa.DictionaryArray.from_arrays(pa.array(np.repeat(np.arange(n_series, dtype=np.int32), lengths)), names)
    return pa.table({"unique_id": ids, "ds": np.concatenate(times), "y": np.concatenate(values)})


def _is_early(rng: np.random.RandomState, n_steps: int, length: int) -> bool:
    return rng.uniform() < _END_EARLY and length < n_steps


def _profile(rng: np.random.RandomState, cycle: int) -> np.ndarray:
    """A smooth cycle of amplitude one, from three harmonics of random phase, [cycle]."""
    angle = 2 * np.pi * np.arange(cycle) / cycle
    profile = sum(np.cos(order * angle + rng.uniform(0, 2 * np.pi)) / order for order in (1, 2, 3))
    return profile / np.abs(profile).max()


def write_panel(path: Path, table: pa.Table) -> None:
    """Write a panel as Parquet if the file's name says so, else as CSV."""
    if path.suffix == ".parquet":
        pa.parquet.write_table(table, path)
    else:
        plain = table.set_column(0, "unique_id", table["unique_id"].cast(pa.string()))
        pa.csv.write_csv(plain, path, pa.csv.WriteOptions(quoting_style="none"))


def main() -> None:
    """Write the panel into a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("path", type=Path, help="a .csv or .parquet file")
    parser.add_argument("--series", type=int, default=SERIES)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--freq", choices=list(_CYCLES), default="h")
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    write_panel(given.path, generate_panel(given.series, given.steps, given.freq, given.seed))


if __name__ == "__main__":
    main()
