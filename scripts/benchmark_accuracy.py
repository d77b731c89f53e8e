"""The long-horizon accuracy table: the segment LSTM on six public datasets, beside the published figures.

    python scripts/benchmark_accuracy.py --data FOLDER [--only ETTh1-96,Weather-720] [--seeds K] [--table FILE]

The protocol is that of the published tables: each channel is z-scored with its training rows' statistics, windows have
stride 1, every test window counts, and MSE and MAE are plain means over windows, steps and channels. Rows are taken as
they stand, sentinels and all, on a clock without gaps, because every published figure takes them so. One line of JSON
per cell, seed and model goes to standard output; finished cells are kept and not computed again.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import pandas as pd

import forecast

HORIZONS = (96, 192, 336, 720)
PUBLISHED = Path(__file__).with_name("published.csv")
SHOWN = ("SegRNN(GRU)", "SegRNN(GRU) v1 MAE-loss", "PatchTST/64", "TimeMixer(searched)", "DLinear", "iTransformer")
ROWS_OF_20 = ("ETTh1", "ETTh2", "ETTm1", "ETTm2", "Weather")


@dataclass(frozen=True)
class Task:
    """A dataset of the table.

    Args:
        file: Below the folder of datasets.
        freq: Clock.
        parts: Rows for training, validation and test; None for 70, 10 and 20 %.
        settings: Chosen by validation.
    """

    file: str
    freq: str
    parts: tuple[int, int, int] | None
    settings: Mapping[str, object]


# What the validation span chose for each clock and size of series; the rest is the preset's own recipe.
WIDE: Mapping[str, object] = {"units": 128, "normalise": "last-scaled"}
HOURLY: Mapping[str, object] = {**WIDE, "segment": 48, "epochs": 10}
QUARTERS: Mapping[str, object] = {**WIDE, "segment": 48, "epochs": 25}

TASKS = {
    "ETTh1": Task("ett/ETTh1.csv", "h", (8640, 2880, 2880), HOURLY),
    "ETTh2": Task("ett/ETTh2.csv", "h", (8640, 2880, 2880), HOURLY),
    "ETTm1": Task("ett/ETTm1.csv", "15min", (34560, 11520, 11520), QUARTERS),
    "ETTm2": Task("ett/ETTm2.csv", "15min", (34560, 11520, 11520), QUARTERS),
    "Weather": Task("weather_jena2020/weather.csv", "10min", None, QUARTERS),
    "Exchange": Task("exchange_rate/exchange_rate.csv", "D", None, HOURLY),
}


def load(task: Task, folder: Path) -> tuple[forecast.Panel, dict[str, object]]:
    """The z-scored rows on a clock without gaps, and the settings that divide them as the protocol does."""
    values = pd.read_csv(folder / task.file, encoding="latin-1").iloc[:, 1:].to_numpy(np.float64)
    n = len(values)
    n_train, n_test = int(0.7 * n), int(0.2 * n)
    parts = task.parts or (n_train, n - n_train - n_test, n_test)
    values = values[: sum(parts)]
    training = values[: parts[0]]
    clock = forecast.Clock(task.freq)
    times = np.datetime64("2020-01-01T00:00", "us") + np.arange(len(values)) * clock.step
    columns = tuple(f"channel {number + 1}" for number in range(values.shape[1]))
    panel = forecast.Panel((values - training.mean(axis=0)) / training.std(axis=0), times, columns, clock)
    spans = {"validation_from": str(times[parts[0]]), "test_from": str(times[parts[0] + parts[1]])}
    return panel, {**spans, "target": columns, "covariates": "none", "calendar": False}


def run_cell(name: str, horizon: int, seed: int, folder: Path) -> list[dict[str, object]]:
    """Train and judge one cell with one seed; a record for the segment LSTM, the vanilla RNN and persistence."""
    task = TASKS[name]
    panel, settings = load(task, folder)
    settings |= {"model": "segment-lstm", "lookback": 720, "horizon": horizon, "seed": seed, **task.settings}
    with tempfile.TemporaryDirectory() as place:
        run = forecast.train(panel, forecast.configure(settings), run="cell", runs_dir=Path(place))
        metrics, networks = run.metrics, run.manifest["networks"]
    records = []
    for model, network in (("segment-lstm", "model"), ("rnn", "baseline"), ("persistence", "")):
        scores = metrics["models"][model]
        records.append(
            {
                "dataset": name,
                "horizon": horizon,
                "model": model,
                "seed": seed,
                "mse": scores["rmse"] ** 2,
                "mae": scores["mae"],
                "seconds": networks[network]["seconds"] if network else 0.0,
                "parameters": networks[network]["parameters"] if network else 0,
                "n_windows": metrics["n_windows"] // len(panel.columns),
                "p_value": metrics["p_value"].get(model),
                "verdict": metrics["verdict"],
            }
        )
    return records


def published() -> dict[tuple[str, str, int], tuple[float, float]]:
    """MSE and MAE by model, dataset and horizon."""
    with PUBLISHED.open(newline="") as file:
        return {
            (row["model"], row["dataset"], int(row["horizon"])): (float(row["mse"]), float(row["mae"]))
            for row in csv.DictReader(file)
        }


def table(records: Sequence[dict[str, object]]) -> str:
    """The table in Markdown: MSE/MAE, means over seeds, of ours and of the published models."""
    known = published()
    lines = [
        "| | segment LSTM | seconds | vanilla RNN, same design | " + " | ".join(SHOWN) + " |",
        "|---|---|---|---|" + "---|" * len(SHOWN),
    ]
    means: dict[str, list[float]] = {}
    for name in TASKS:
        for horizon in HORIZONS:
            ours = [r for r in records if r["dataset"] == name and r["horizon"] == horizon]
            if not ours:
                continue
            cells = []
            for model in ("segment-lstm", "rnn"):
                of_model = [r for r in ours if r["model"] == model]
                mse, mae = (fmean(float(str(r[key])) for r in of_model) for key in ("mse", "mae"))
                cells.append(f"{mse:.3f}/{mae:.3f}")
                if name in ROWS_OF_20:
                    means.setdefault(model, []).append(mse)
            seconds = fmean(float(str(r["seconds"])) for r in ours if r["model"] == "segment-lstm")
            cells.insert(1, f"{seconds:.0f}")
            for model in SHOWN:
                found = known.get((model, name, horizon))
                cells.append("{:.3f}/{:.3f}".format(*found) if found else "–")
                if found and name in ROWS_OF_20:
                    means.setdefault(model, []).append(found[0])
            lines.append(f"| {name} {horizon} | " + " | ".join(cells) + " |")
    averages = [f"{fmean(means[model]):.4f}" if means.get(model) else "–" for model in ("segment-lstm", "rnn", *SHOWN)]
    averages.insert(1, "")
    lines.append(f"| mean MSE of {len(means.get('segment-lstm', []))} | " + " | ".join(averages) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Compute the cells that are missing, print each as JSON, and write the table."""
    parser = argparse.ArgumentParser(description="The long-horizon accuracy table.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the datasets")
    parser.add_argument("--only", default="", help="some cells, such as ETTh1-96,Weather-720")
    parser.add_argument("--seeds", type=int, default=1, help="seeds for each cell")
    parser.add_argument("--kept", type=Path, default=Path("models/accuracy.jsonl"), help="results kept between calls")
    parser.add_argument("--table", type=Path, default=Path("models/accuracy.md"), help="where the table goes")
    options = parser.parse_args()
    cells = options.only.split(",") if options.only else [f"{name}-{horizon}" for horizon in HORIZONS for name in TASKS]
    unknown = [cell for cell in cells if cell.rpartition("-")[0] not in TASKS or not cell.rpartition("-")[2].isdigit()]
    if unknown:
        parser.error(f"there is no cell {unknown[0]!r}; cells are such as {', '.join(cells[:3]) or 'ETTh1-96'}")
    records = [json.loads(line) for line in options.kept.read_text().splitlines()] if options.kept.exists() else []
    for seed in range(options.seeds):
        for cell in cells:
            name, _, horizon = cell.rpartition("-")
            key = (name, int(horizon), seed)
            found = [r for r in records if (r["dataset"], r["horizon"], r["seed"]) == key]
            if not found:
                found = run_cell(name, int(horizon), seed, options.data)
                records += found
                options.kept.parent.mkdir(parents=True, exist_ok=True)
                with options.kept.open("a") as file:
                    file.writelines(json.dumps(record) + "\n" for record in found)
            for record in found:
                print(json.dumps(record), flush=True)
    options.table.write_text(table(records))
    print(table(records), file=sys.stderr)


if __name__ == "__main__":
    main()
