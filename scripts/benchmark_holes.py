"""What holes cost: forecasts from series with missing values, beside those from the whole ones.

    python scripts/benchmark_holes.py --data FOLDER [--only JFK,Beijing,40] [--seeds 0,1] [--set decay=true]

JFK: a fifth of all values removed at random and four weeks cut out, beside the whole file. Beijing: PM2.5 as it is,
with windows that may have holes beside whole ones. 40: forty in a hundred of JFK's temperatures removed at random.
Everything else is default. Each pair is compared at the points that both forecast and that were observed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

import forecast
from forecast import Run
from records import Record, markdown

JFK, BEIJING = "jfk_weather/jfk_weather_cleaned.csv", "beijing_pm25/raw.csv"
TEMPERATURE, POINT = "DRYBULBTEMPF", ["unique_id", "ds", "cutoff"]
MODEL = "segment-lstm"

# Hours that are cut out, and where they begin, as a share of the rows: in the training span.
CUT, CUT_FROM = 4 * 7 * 24, 0.4


def with_holes(frame: pd.DataFrame, share: float, columns: Iterable[str], seed: int) -> pd.DataFrame:
    """A frame without a share of the values of some columns, at random."""
    holed = frame.copy()
    for name in columns:
        hidden = np.random.default_rng([seed, len(name), len(frame)]).random(len(frame)) < share
        holed[name] = holed[name].astype(float).mask(hidden)
    return holed


def train(frame: pd.DataFrame, place: Path, name: str, settings: Mapping[str, object]) -> Run:
    """A run with defaults but for some settings, without a baseline."""
    path = place / f"{name}.csv"
    frame.to_csv(path, index=False)
    return forecast.train(path, forecast.configure({"baseline": False, **settings}), run=name, runs_dir=place)


def compared(name: str, seed: int, one: Run, other: Run) -> Record:
    """The errors of two runs at the points that both forecast and that both observed."""
    both = one.test_forecasts.merge(other.test_forecasts, on=POINT, suffixes=("", "_other")).dropna(
        subset=["y", "y_other"]
    )
    errors = {
        "mae": (both[MODEL] - both["y"]).abs().mean(),
        "mae_other": (both[f"{MODEL}_other"] - both["y"]).abs().mean(),
        "last_value": (both["persistence"] - both["y"]).abs().mean(),
    }
    n_windows = {"n_windows": one.metrics["n_windows"], "n_windows_other": other.metrics["n_windows"]}
    validation = [float(run.history["validation_loss"].min()) for run in (one, other)]
    seconds = one.manifest["networks"]["model"]["seconds"]
    return {"task": name, "seed": seed, **errors, **n_windows, "points": len(both), "validation": validation,
            "seconds": seconds}  # fmt: skip


def jfk(folder: Path, place: Path, seed: int, settings: Mapping[str, object]) -> Record:
    """A fifth of all values missing, and four weeks: beside the whole file."""
    whole = pd.read_csv(folder / JFK)
    holed = with_holes(whole, 0.2, whole.columns[1:], seed)
    first = int(CUT_FROM * len(whole))
    holed = holed.drop(index=range(first, first + CUT))
    asked: dict[str, object] = {"target": TEMPERATURE, "seed": seed}
    return compared(
        "JFK", seed, train(holed, place, "holed", {**asked, **settings}), train(whole, place, "whole", asked)
    )


def beijing(folder: Path, place: Path, seed: int, settings: Mapping[str, object]) -> Record:
    """The file as it is: windows that may have holes, beside whole ones."""
    frame, asked = pd.read_csv(folder / BEIJING), dict[str, object](target="pm2.5", seed=seed)
    whole = train(frame, place, "whole_windows", {**asked, "least_observed": 1.0})
    return compared("Beijing", seed, train(frame, place, "holes", {**asked, **settings}), whole)


def forty(folder: Path, place: Path, seed: int, settings: Mapping[str, object]) -> Record:
    """Forty in a hundred of the target missing, at random: beside the whole file."""
    whole = pd.read_csv(folder / JFK)
    asked: dict[str, object] = {"target": TEMPERATURE, "seed": seed}
    holed = with_holes(whole, 0.4, [TEMPERATURE], seed)
    return compared(
        "40", seed, train(holed, place, "holed", {**asked, **settings}), train(whole, place, "whole", asked)
    )


TASKS = {"JFK": jfk, "Beijing": beijing, "40": forty}


def main() -> None:
    """Print a record for each task and seed, and a table at the end."""
    parser = argparse.ArgumentParser(description="What holes cost.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the datasets")
    parser.add_argument("--only", default=",".join(TASKS), help="some tasks")
    parser.add_argument("--seeds", default="0", help="such as 0,1")
    parser.add_argument("--set", nargs="*", default=[], help="settings of the run with holes, such as decay=true")
    options = parser.parse_args()
    settings = {name: json.loads(value) for name, _, value in (text.partition("=") for text in options.set)}
    rows: list[list[object]] = [["task", "seed", "MAE", "beside it", "last value", "windows", "beside it"]]
    for name in options.only.split(","):
        for seed in map(int, options.seeds.split(",")):
            with tempfile.TemporaryDirectory() as place:
                record = TASKS[name](options.data, Path(place), seed, settings)
            print(json.dumps(record), flush=True)
            figures = [f"{record[key]:.4g}" for key in ("mae", "mae_other", "last_value")]
            rows.append([name, seed, *figures, record["n_windows"], record["n_windows_other"]])
    print(markdown(rows))


if __name__ == "__main__":
    main()
