"""The long-horizon accuracy table: the segment LSTM on six public datasets, beside the published figures.

    python scripts/benchmark_accuracy.py --data FOLDER [--only ETTh1-96,Weather-720] [--seeds K] [--members NAMES]

The protocol is that of the published tables: each channel is z-scored with its training rows' statistics, windows have
stride 1, every test window counts, and MSE and MAE are plain means over windows, steps and channels. Rows are taken as
they stand, sentinels and all, on a clock without gaps, because every published figure takes them so. One line of JSON
per cell, seed and model goes to standard output; finished cells are kept and not computed again. With ``--members``
each cell is an ensemble of the network and of these, weighed on the validation windows, and has a column of its own.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import pandas as pd

import forecast
from forecast.choices.portfolio import ENSEMBLE
from forecast.runs.files import write_atomically
from records import Record, figure_of, keep_records, markdown, read_records

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
        settings: Chosen by validation, for each horizon.
    """

    file: str
    freq: str
    parts: tuple[int, int, int] | None
    settings: Mapping[int, Mapping[str, object]]


# One recipe for all; what a task changes, its validation span chose, among lookbacks of which, with the horizon, the
# training rows hold at least six end to end: with fewer, one validation span says little about another time.
RECIPE: Mapping[str, object] = {
    "model": "segment-lstm",
    "lookback": 720,
    "segment": 48,
    "units": 128,
    "normalise": "last",
    "mirror": True,
    "fall_back": True,
}

# Twice and four times the memory, in as many turns of the cell.
DOUBLE: Mapping[str, object] = {"lookback": 1440, "segment": 96}
FOURFOLD: Mapping[str, object] = {"lookback": 2880, "segment": 192}
SCALED: Mapping[str, object] = {"normalise": "last-scaled", "mirror": False}
GENTLE: Mapping[str, object] = {"learning_rate": 5e-4, "epochs": 6}
EXCHANGE = {**GENTLE, "units": 64, "epochs": 4}


def by_horizon(*settings: Mapping[str, object]) -> dict[int, Mapping[str, object]]:
    """The settings for 96, 192, 336 and 720 steps."""
    return dict(zip(HORIZONS, settings, strict=True))


TASKS = {
    "ETTh1": Task(
        "ett/ETTh1.csv",
        "h",
        (8640, 2880, 2880),
        by_horizon(
            {"epochs": 16},
            {"epochs": 16},
            {**SCALED, "epochs": 8, "loss": "huber"},
            {**SCALED, "epochs": 8},
        ),
    ),
    "ETTh2": Task("ett/ETTh2.csv", "h", (8640, 2880, 2880), by_horizon(GENTLE, GENTLE, GENTLE, GENTLE)),
    "ETTm1": Task(
        "ett/ETTm1.csv",
        "15min",
        (34560, 11520, 11520),
        by_horizon(
            {**DOUBLE, "epochs": 30},
            {**DOUBLE, "epochs": 20},
            {**DOUBLE, "epochs": 20},
            {**FOURFOLD, **SCALED, "epochs": 5, "head_dropout": 0.5, "loss": "huber"},
        ),
    ),
    "ETTm2": Task(
        "ett/ETTm2.csv",
        "15min",
        (34560, 11520, 11520),
        by_horizon(
            {**DOUBLE, "epochs": 16},
            {**DOUBLE, "epochs": 16},
            {**DOUBLE, "epochs": 10},
            {**FOURFOLD, **GENTLE},
        ),
    ),
    "Weather": Task(
        "weather_jena2020/weather.csv",
        "10min",
        None,
        by_horizon(
            {**DOUBLE, "epochs": 20},
            {**DOUBLE, "epochs": 20},
            {**SCALED, "segment": 144, "units": 256, "epochs": 12, "loss": "mse"},
            {**SCALED, "segment": 144, "units": 256, "epochs": 12, "loss": "mse"},
        ),
    ),
    "Exchange": Task("exchange_rate/exchange_rate.csv", "D", None, by_horizon(EXCHANGE, EXCHANGE, EXCHANGE, EXCHANGE)),
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
    scaled = (values - training.mean(axis=0)) / training.std(axis=0)
    panel = forecast.Panel(scaled, times, columns, clock, units=dict.fromkeys(columns, "sd"))  # so that all are pooled
    spans = {"validation_from": str(times[parts[0]]), "test_from": str(times[parts[0] + parts[1]])}
    return panel, {**spans, "target": columns, "covariates": "none", "calendar": False}


def run_cell(name: str, horizon: int, seed: int, members: str, folder: Path) -> list[Record]:
    """Train and judge one cell with one seed; a record for the segment LSTM, the vanilla RNN and persistence.

    With members, a record for the ensemble alone.
    """
    task = TASKS[name]
    panel, settings = load(task, folder)
    settings |= {**RECIPE, "horizon": horizon, "seed": seed, **task.settings[horizon]}
    if members:  # among which the last value may be
        settings |= {"members": members, "baseline": False, "fall_back": False}
    with tempfile.TemporaryDirectory() as place:
        run = forecast.train(panel, forecast.configure(settings), run="cell", runs_dir=Path(place))
        metrics, networks = run.metrics, run.manifest["networks"]
    records = []
    judged = (("segment-lstm", "model"), ("rnn", "baseline"), ("persistence", ""))
    for model, network in ((ENSEMBLE, "model"),) if members else judged:
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
                "fell_back": networks[network]["fell_back"] if network else False,
                "verdict": metrics["verdict"],
                **({"members": metrics["members"]} if members else {}),
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


OURS = ("segment-lstm", "rnn", "persistence")
HEADS = {
    "segment-lstm": "segment LSTM",
    ENSEMBLE: ENSEMBLE,
    "rnn": "vanilla RNN, same design",
    "persistence": "last value",
}


def table(records: Sequence[Record]) -> str:
    """The table in Markdown: MSE/MAE, means over seeds, of ours and of the published models.

    A cell is in it if all models that have records, but the ensemble, have one of this cell.
    """
    known, there = published(), {str(record["model"]) for record in records}
    ours = [model for model in HEADS if model in there]
    columns = (*ours, *SHOWN)
    rows: list[list[str]] = []
    means: dict[str, list[float]] = {}
    cells = {
        (name, horizon): cell
        for name in TASKS
        for horizon in HORIZONS
        if (cell := [r for r in records if (r["dataset"], r["horizon"]) == (name, horizon)])
        and {r["model"] for r in cell}.issuperset(there.intersection(OURS))
    }
    for (name, horizon), cell in cells.items():
        trained = {str(r["model"]) for r in cell}
        scores = {model: (_mean(cell, model, "mse"), _mean(cell, model, "mae")) for model in trained}
        scores |= {model: known[model, name, horizon] for model in SHOWN if (model, name, horizon) in known}
        if name in ROWS_OF_20:
            for model, (mse, _) in scores.items():
                means.setdefault(model, []).append(mse)
        shown = ["{:.3f}/{:.3f}".format(*scores[model]) if model in scores else "–" for model in columns]
        seconds = _mean(cell, ours[0], "seconds")
        thousands = _mean(cell, ours[0], "parameters") / 1000
        rows.append([f"{name} {horizon}", f"{seconds:.0f}", f"{thousands:.0f}k", *shown])
    n_cells = max(map(len, means.values()), default=0)
    averages = [f"{fmean(of):.4f}" if len(of := means.get(model, [])) == n_cells > 0 else "–" for model in columns]
    rows.append([f"mean MSE of {n_cells}", "", "", *averages])
    made = markdown([["", "seconds", "weights", *(HEADS.get(model, model) for model in columns)], *rows])
    return f"{made}\n\n{against_rnn(cells.values())}\n" if there.issuperset(OURS) else f"{made}\n"


def _mean(cell: Sequence[Record], model: str, key: str) -> float:
    return fmean(figure_of(record, key) for record in cell if record["model"] == model)


def against_rnn(cells: Collection[Sequence[Record]]) -> str:
    """Whether the LSTM is better than the vanilla RNN of the same design, over all cells; means over seeds."""
    from scipy.stats import wilcoxon

    if not cells:
        return ""
    pairs = np.array([[_mean(cell, model, "mse") for model in OURS[:2]] for cell in cells])
    gains = 1 - pairs[:, 0] / pairs[:, 1]
    p = wilcoxon(pairs[:, 0], pairs[:, 1]).pvalue if len(pairs) > 1 and (gains != 0).any() else np.nan
    return (
        f"MSE of the segment LSTM against the vanilla RNN in the same design: {gains.mean():.1%} lower in the mean, "
        f"lower in {int((gains > 0).sum())} of {len(gains)} cells, Wilcoxon signed-rank p = {p:.2g}."
    )


def main() -> None:
    """Compute the cells that are missing, print each as JSON, and write the table."""
    parser = argparse.ArgumentParser(description="The long-horizon accuracy table.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the datasets")
    parser.add_argument("--only", default="", help="some cells, such as ETTh1-96,Weather-720")
    parser.add_argument("--seeds", type=int, default=1, help="seeds for each cell")
    parser.add_argument("--members", default="", help="members of an ensemble beside the network")
    parser.add_argument("--kept", type=Path, default=Path("models/accuracy.jsonl"), help="results kept between calls")
    parser.add_argument("--table", type=Path, default=Path("models/accuracy.md"), help="where the table goes")
    options = parser.parse_args()
    cells = options.only.split(",") if options.only else [f"{name}-{horizon}" for horizon in HORIZONS for name in TASKS]
    unknown = [cell for cell in cells if cell.rpartition("-")[0] not in TASKS or not cell.rpartition("-")[2].isdigit()]
    if unknown:
        parser.error(f"there is no cell {unknown[0]!r}; cells are such as {', '.join(cells[:3]) or 'ETTh1-96'}")
    records = read_records(options.kept)
    models = (ENSEMBLE,) if options.members else OURS
    for seed in range(options.seeds):
        for cell in cells:
            name, _, horizon = cell.rpartition("-")
            key = (name, int(horizon), seed)
            found = [r for r in records if (r["dataset"], r["horizon"], r["seed"]) == key and r["model"] in models]
            if not found:
                found = run_cell(name, int(horizon), seed, options.members, options.data)
                records += found
                keep_records(options.kept, found)
            for record in found:
                print(json.dumps(record), flush=True)
    made = table(records)
    write_atomically(options.table, made.encode())
    print(made, file=sys.stderr)


if __name__ == "__main__":
    main()
