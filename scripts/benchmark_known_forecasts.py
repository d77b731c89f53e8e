"""What it is worth to train on weather forecasts as they were known, on a simulated load (generate_weather_forecasts).

    python scripts/benchmark_known_forecasts.py [--seeds 0,1,2,3,4] [--horizon 10] [--set epochs=10]

Three networks of the same settings see the temperature up to the origin: one is trained on the forecasts that were
known at each origin, one on what the temperature turned out to be (hindsight), one on nothing ahead. All are then used
in earnest: fed with the forecasts that were known, on the same test windows. Beside them stands what hindsight
promised: the second one's own score, on a test span whose weather it was told.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import forecast
from forecast import ReadOptions
from generate_weather_forecasts import generate

MODEL, LEVEL = "segment-lstm", "80"
AS_OF, HINDSIGHT, NOTHING, PROMISED = "known at the time", "hindsight", "nothing ahead", "hindsight's promise"


def figures(metrics: dict[str, Any]) -> dict[str, float]:
    """The errors and the coverage of a network."""
    scores, interval = metrics["models"][MODEL], metrics["intervals"]["models"][MODEL][LEVEL]
    return {"mae": scores["mae"], "rmse": scores["rmse"], "coverage": interval["coverage"]}


def run_seed(seed: int, horizon: int, folder: Path, settings: dict[str, str]) -> dict[str, dict[str, float]]:
    """The figures of the three networks on simulated sites, and of the promise."""
    measured, forecasts = generate(seed)
    measured.to_csv(folder / "load.csv", index=False)
    forecasts.to_csv(folder / "weather.csv", index=False)
    common = {"target": "load", "horizon": horizon, "baseline": False, "seed": seed, **settings}
    known = {"known_forecasts": str(folder / "weather.csv")}

    def train(name: str, **own: str) -> forecast.Run:
        return forecast.train(folder / "load.csv", {**common, **own}, run=f"{name}-{seed}", runs_dir=folder / "runs")

    as_of, told = train("as-of", **known), train("hindsight", known="temperature")
    in_earnest = forecast.read(folder / "load.csv", ReadOptions(**known))
    return {
        AS_OF: figures(as_of.metrics),
        HINDSIGHT: figures(forecast.evaluate(told, in_earnest)),
        NOTHING: figures(train("nothing", covariates="temperature").metrics),
        PROMISED: figures(told.metrics),
    }


def main() -> None:
    """Print a table of means over seeds, and every figure as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--horizon", type=int, default=10)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    asked = parser.parse_args()
    settings = dict(item.split("=", 1) for item in asked.set)
    found = []
    for seed in map(int, asked.seeds.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            found.append(run_seed(seed, asked.horizon, Path(folder), settings))
        print(json.dumps({"seed": seed, **found[-1]}), flush=True)
    print(f"| trained on | MAE | RMSE | coverage of {LEVEL} % |\n|---|---|---|---|")
    for name in found[0]:
        means = {key: np.mean([of_seed[name][key] for of_seed in found]) for key in found[0][name]}
        print(f"| {name} | {means['mae']:.3f} | {means['rmse']:.3f} | {means['coverage']:.1%} |")


if __name__ == "__main__":
    main()
