"""Tasks of public benchmarks, at their own cut-offs and scores, beside the published figures of some forty models.

    python scripts/benchmark_practical.py --data FOLDER [--datasets FOLDER] [--tasks hospital,ETT_1D] [--time-limit 10m]

FOLDER holds ``protocol.py``, which knows the series, the cut-offs and the scores of each task, and ``published.csv``. A
task is written as one long table, as a user has it. One network is trained on the rows before the first cut-off, the
last of which are for validation, and forecasts from every cut-off: many published models were fitted again at each.
Settings are the program's defaults, chosen on those rows; the scored rows choose nothing. One line of JSON per task and
seed goes to standard output; what is finished is kept and not computed again. The last row of the table is the
geometric mean of the errors relative to the seasonal naive's, over the tasks of fev-bench.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, geometric_mean
from types import ModuleType

import pandas as pd

import forecast
from forecast.runs.files import write_atomically
from records import Record, figure_of, keep_records, markdown, read_records

SHOWN = (
    "seasonal_naive", "auto_ets", "auto_arima", "auto_theta", "deepar", "tft", "patchtst", "chronos_bolt_base", "tirex",
)  # fmt: skip

# Their ends are the nine levels of the protocol but the median.
LEVELS = (20, 40, 60, 80)

# What the default chose, as far as a reader of the table asks for it.
TOLD = ("lookback", "validation_from", "transform", "calendar", "normalise", "cycle", "segment", "batch_size")


def load_protocol(data: Path, datasets: Path | None) -> ModuleType:
    """The protocol of the tasks in a folder, which reads some of them from the folder of datasets."""
    spec = importlib.util.spec_from_file_location("protocol", data / "protocol.py")
    assert spec is not None
    assert spec.loader is not None
    protocol = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(protocol)
    if datasets is not None:
        vars(protocol)["DATASETS"] = datasets
    return protocol


def readable_tasks(protocol: ModuleType) -> list[str]:
    """The tasks whose files are there."""
    found = []
    for task in protocol.TASKS:
        with contextlib.suppress(FileNotFoundError):
            protocol.frames(task)
            found.append(task)
    return found


def long_table(protocol: ModuleType, task: str) -> pd.DataFrame:
    """The rows of a task: unique_id, ds, y, and the columns that are known ahead.

    Series that all begin at one made-up date end together here, so that a cut-off is the same time for all of them.
    """
    known, frames = protocol.TASKS[task].get("known", []), protocol.frames(task)
    last = max(frame.index[-1] for frame in frames)
    longest = max(frames, key=len).index
    parts = []
    for number, frame in enumerate(frames):
        times = frame.index if frame.index[-1] == last else longest[len(longest) - len(frame) :]
        for column in frame.columns.difference(known, sort=False):
            named = {"unique_id": protocol.unique_id(number, column), "ds": times, "y": frame[column].to_numpy()}
            parts.append(pd.DataFrame(named | {name: frame[name].to_numpy() for name in known}))
    return pd.concat(parts, ignore_index=True)


def run_task(protocol: ModuleType, task: str, seed: int, asked: Mapping[str, object]) -> Record:
    """Train once, forecast from every cut-off, score."""
    table, of = long_table(protocol, task), protocol.TASKS[task]
    times = table["ds"].drop_duplicates().sort_values(ignore_index=True)
    origins = [times.iloc[-1 - of["h"] * (of["windows"] - window)] for window in range(of["windows"])]
    settings = {
        "series_id": "unique_id",
        "target": "y",
        "known": of.get("known", ()),
        "horizon": of["h"],
        "season": of["m"],
        "test_from": times[times > origins[0]].iloc[0].isoformat(),
        "levels": LEVELS,
        "baseline": False,
        "seed": seed,
        **asked,
    }
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "rows.csv")
        table.to_csv(source, index=False)
        run = forecast.train(source, forecast.configure(settings), run="task", runs_dir=Path(folder))
        trained = time.monotonic() - started
        made = pd.concat(
            [_forecast_from(run, table, origin, of.get("known", ()), of["h"], Path(folder)) for origin in origins]
        )
        chosen = run.config.model_dump(mode="json", include={*forecast.Settings.model_fields})
        told = {name: value for section in chosen.values() for name, value in section.items() if name in TOLD}
        counted = {own["name"]: round(own["weight"], 3) for own in run.metrics.get("members", ()) if own["weight"]}
        told |= {"members": counted} if counted else {}
    scores = protocol.score(task, _as_scored(protocol, task, made))
    return {"task": task, "seed": seed, **scores, "seconds": round(trained, 1), "chosen": told}


def _forecast_from(
    run: forecast.Run, table: pd.DataFrame, origin: pd.Timestamp, known: Sequence[str], horizon: int, folder: Path
) -> pd.DataFrame:
    """The forecast of a run that knows the rows up to an origin, and what is known ahead: its quantiles by level."""
    rows = table[table["ds"] <= origin]
    if known:
        ahead = table[table["ds"] > origin].groupby("unique_id").head(horizon).assign(y=float("nan"))
        rows = pd.concat([rows, ahead])
    source = folder / "until.csv"
    rows.to_csv(source, index=False)
    made, model = forecast.predict(run, source), run.config.network.model
    ends = {f"{model}-{end}-{level}": (100 + sign * level) / 200 for level in LEVELS for end, sign in _ENDS}
    quantiles = {column: str(level) for column, level in (ends | {model: 0.5}).items()}
    return made[["unique_id", "ds", "cutoff", *quantiles]].rename(columns=quantiles)


_ENDS = (("lo", -1), ("hi", 1))


def _as_scored(protocol: ModuleType, task: str, made: pd.DataFrame) -> pd.DataFrame:
    """The forecasts with the cut-offs by which the protocol knows them: those of the frames' own times."""
    parts, by = [], dict(list(made.groupby("unique_id")))
    known = protocol.TASKS[task].get("known", [])
    for number, frame in enumerate(protocol.frames(task)):
        theirs = frame.index[protocol.cutoffs(task, frame)]
        for column in frame.columns.difference(known, sort=False):
            if (own := by.get(protocol.unique_id(number, column))) is not None:  # not too short to be forecast
                parts.append(
                    own.assign(cutoff=own["cutoff"].map(dict(zip(own["cutoff"].unique(), theirs, strict=True))))
                )
    return pd.concat(parts, ignore_index=True)


def table(records: Sequence[Record], protocol: ModuleType) -> str:
    """The table in Markdown: errors, mean over seeds, of ours, and the MASE of published models; then the means."""
    rows: list[list[object]] = [["", "seeds", "seconds", "MASE", "SQL", "WQL", *SHOWN]]
    of_fev: list[dict[str, float | None]] = []
    for task in dict.fromkeys(str(record["task"]) for record in records):
        own = [record for record in records if record["task"] == task]
        ours = {key: fmean(figure_of(record, key) for record in own) for key in ("MASE", "SQL", "WQL", "seconds")}
        others = {name: _published(protocol, task, "MASE", name) for name in SHOWN}
        rows.append([task, len(own), f"{ours.pop('seconds'):.0f}", *map(_rounded, (ours | others).values())])
        if protocol.TASKS[task].get("benchmark") == "fev":
            naive = {key: _published(protocol, task, key, "seasonal_naive") for key in ("MASE", "SQL")}
            relative = {key: ours[key] / of_naive if of_naive else None for key, of_naive in naive.items()}
            theirs = {name: mase and naive["MASE"] and mase / naive["MASE"] for name, mase in others.items()}
            of_fev.append(relative | theirs)
    if of_fev:
        means = {name: _geometric_mean([of[name] for of in of_fev]) for name in ("MASE", "SQL", *SHOWN)}
        cells = {"MASE": means["MASE"], "SQL": means["SQL"], "WQL": None} | means
        rows.append([f"{len(of_fev)} of fev-bench / seasonal naive", "", "", *map(_rounded, cells.values())])
    return markdown(rows)


def _published(protocol: ModuleType, task: str, metric: str, model: str) -> float | None:
    """A published figure, however the benchmark writes the model's name."""
    figures = {_plain(name): float(value) for name, value in protocol.published(task, metric).items()}
    return figures.get(_plain(model))


def _geometric_mean(values: Sequence[float | None]) -> float | None:
    """The geometric mean; None if a value is missing."""
    known = [value for value in values if value is not None]
    return geometric_mean(known) if len(known) == len(values) else None


def _rounded(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _plain(name: str) -> str:
    """A model's name as both benchmarks may write it: auto_ets and autoets, Chronos-Bolt and chronos_bolt_base."""
    return name.lower().replace("-", "").replace("_", "").removesuffix("base")


def main() -> None:
    """Compute what is missing, print each as JSON, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder of protocol.py and its files")
    parser.add_argument("--datasets", type=Path, help="folder of the datasets that it shares with other benchmarks")
    parser.add_argument("--tasks", help="names, with commas between them; all that can be read, if none is given")
    parser.add_argument("--seeds", type=int, default=1, help="seeds for each task")
    parser.add_argument("--time-limit", help="how long each training may take, such as 10m; kept apart")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, kept apart")
    parser.add_argument("--kept", type=Path, default=Path("models/practical.jsonl"), help="results kept between calls")
    options = parser.parse_args()
    protocol = load_protocol(options.data, options.datasets)
    asked = dict(text.split("=", 1) for text in options.set)
    if options.time_limit:
        asked["time_limit"] = options.time_limit
    tasks = options.tasks.split(",") if options.tasks else readable_tasks(protocol)
    if unknown := [task for task in tasks if task not in protocol.TASKS]:
        parser.error(f"there is no task {unknown[0]!r}; tasks are {', '.join(protocol.TASKS)}")
    records = []
    for seed in range(options.seeds):
        for task in tasks:
            key = {"task": task, "seed": seed, "asked": asked}
            kept = [record for record in read_records(options.kept) if key.items() <= record.items()]
            if not kept:
                kept = [run_task(protocol, task, seed, asked) | key]
                keep_records(options.kept, kept)
            records += kept
            print(json.dumps(kept[0]), flush=True)
    made = table(records, protocol)
    write_atomically(options.kept.with_suffix(".md"), made.encode())
    print(made, file=sys.stderr)


if __name__ == "__main__":
    main()
