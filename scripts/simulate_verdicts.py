"""How often does the verdict claim a skill that cannot be there, and find one that is?

    python scripts/simulate_verdicts.py [--series 20] [--rows 1500] [--model segment-lstm] [--epochs 30]

Random walks cannot be forecast better than by their last value; seasonal series with noise can. Each is trained on,
judged and told about as by `forecast train`, with the defaults of the product.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import forecast
from forecast.data.panel import Floats


def walk(rng: np.random.Generator, n: int) -> Floats:
    """A random walk, [n]."""
    return 100 + np.cumsum(rng.normal(size=n))


def seasonal(rng: np.random.Generator, n: int) -> Floats:
    """A daily cycle of another height each time, and as much noise, [n]."""
    height = rng.uniform(1, 3)
    return 20 + height * np.sin(2 * np.pi * np.arange(n) / 24) + rng.normal(0, height / 2, n)


KINDS: dict[str, Callable[[np.random.Generator, int], Floats]] = {"random walk": walk, "season and noise": seasonal}


def verdicts(kind: str, n_series: int, n_rows: int, settings: dict[str, object]) -> list[str]:
    """The verdict on each of some series of a kind."""
    found = []
    times = pd.date_range("2024-01-01", periods=n_rows, freq="h")
    for seed in range(n_series):
        rows = pd.DataFrame({"ds": times, "y": KINDS[kind](np.random.default_rng(seed), n_rows)})
        with tempfile.TemporaryDirectory() as place:
            run = forecast.train(rows, forecast.configure(settings), run="one", runs_dir=Path(place))
            found.append(run.metrics["verdict"])
        print(f"{kind} {seed + 1}: {found[-1]}", flush=True)
    return found


def main() -> None:
    """Print every verdict, and how many claim skill."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--series", type=int, default=20)
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--model", default="segment-lstm")
    parser.add_argument("--epochs", type=int, default=30)
    given = parser.parse_args()
    claims: Counter[str] = Counter()
    for kind in KINDS:
        said = verdicts(kind, given.series, given.rows, {"model": given.model, "epochs": given.epochs})
        claims[kind] = sum(sentence.startswith(f"{given.model} beats") for sentence in said)
    for kind in KINDS:
        print(f"{kind}: skill is claimed {claims[kind]} times of {given.series}")


if __name__ == "__main__":
    main()
