"""What thousands of series cost: seconds and memory of each stage of a training, and whether a series costs the same.

    python scripts/benchmark_panel.py [--series 100 1000 10000 50000] [--steps 500] [--epochs 1] [--quick]

`generate_panel` writes daily series; of 50,000 or more series only a hundred steps, so that many series and many rows
are told apart. A process of its own goes through a training stage by stage. Memory is the most that the process holds
during a stage, above what it held when a small panel had gone through all stages: the interpreter, the libraries and
TensorFlow. It needs Linux. Processor time counts all threads; wall time is what a user waits for on an idle machine.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generate_panel import generate_panel, write_panel
from records import Record, figure_of, markdown, measure_alone, megabytes

if TYPE_CHECKING:
    from forecast import Settings

SERIES, STEPS = (100, 1_000, 10_000, 50_000), 500

# From so many series on, each has so many steps.
_MANY, _FEW_STEPS = 50_000, 100

# A series of a larger panel may cost this times as much as one of the next smaller panel of as many steps.
MOST_GROWTH = 1.2

# Fewer series than these cost next to nothing beside what a stage costs once.
_FEWEST = 1_000

_SMALL = 20

Stage = Callable[[str, Callable[[], Any]], Any]


def stages(path: Path, epochs: int | None) -> list[Record]:
    """Seconds, processor seconds and peak megabytes of each stage, in this process."""
    with tempfile.TemporaryDirectory() as place:
        small = Path(place) / "small.parquet"
        write_panel(small, generate_panel(_SMALL, _FEW_STEPS, "D"))
        _put_through(small, 1, lambda name, do: do())
    gc.collect()
    bare = megabytes("VmRSS")
    records: list[Record] = []

    def measured_stage(name: str, do: Callable[[], Any]) -> Any:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        started, busy = time.perf_counter(), time.process_time()
        result = do()
        seconds, cpu = time.perf_counter() - started, time.process_time() - busy
        records.append({"stage": name, "seconds": seconds, "cpu": cpu, "megabytes": megabytes("VmHWM") - bare})
        return result

    _put_through(path, epochs, measured_stage)
    return records


def _put_through(path: Path, epochs: int | None, stage: Stage) -> None:
    """All stages, each called by ``stage``: one after the other, then as a user calls them."""
    import forecast

    settings = forecast.configure({} if epochs is None else {"epochs": epochs})
    _train_in_stages(path, settings, stage)
    with tempfile.TemporaryDirectory() as place:
        run = stage("all of train", lambda: forecast.train(path, settings, runs_dir=Path(place)))
        stage("predict anew", lambda: forecast.predict(run, path))


def _train_in_stages(path: Path, settings: Settings, stage: Stage) -> None:
    import forecast
    from forecast.choices.defaults import resolve
    from forecast.commands.train.data_warnings import data_warnings
    from forecast.commands.train.networks import fit_networks
    from forecast.data.newest import newest_rows
    from forecast.data.prepare import prepare
    from forecast.evaluation.calibrating import calibrate_intervals
    from forecast.evaluation.scoring import score_models
    from forecast.evaluation.yardstick import naive_errors
    from forecast.model import TrainingContext, forecasters, newest_forecast

    panel = stage("read", lambda: forecast.read(path))
    config = stage("choose settings", lambda: resolve(settings, panel)[0])
    season = config.data.season
    prepared = stage("prepare", lambda: prepare(panel, config))
    rows = prepared.rows
    newest = stage("newest rows", lambda: newest_rows(rows.panel, config.data, prepared.scaler))
    stage("warnings", lambda: data_warnings(panel, prepared))
    naive_error = stage("naive errors", lambda: naive_errors(rows, prepared.training_rows, season))
    with tempfile.TemporaryDirectory() as place:
        context = TrainingContext(prepared, Path(place))
        models = {model.name: model for model in stage("train", lambda: fit_networks(context, naive_error)).values()}
    of_rows, of_newest = forecasters(models, rows), forecasters(models, newest.rows)
    intervals = stage("calibrate", lambda: calibrate_intervals(rows, prepared.validation, of_rows, config, naive_error))
    found = stage("score", lambda: score_models(rows, prepared.test, of_rows, season, naive_error, intervals))
    stage("forecast", lambda: newest_forecast(newest, of_newest, season, found.intervals))


def measured(series: Sequence[int], steps: int, epochs: int | None) -> list[Record]:
    """The records of panels of so many series, each from a process of its own; told as they come."""
    records: list[Record] = []
    with tempfile.TemporaryDirectory() as place:
        for n_series in sorted(series):
            n_steps = _FEW_STEPS if n_series >= _MANY else steps
            path = Path(place) / "panel.parquet"
            table = generate_panel(n_series, n_steps, "D")
            write_panel(path, table)
            size: Record = {"series": n_series, "steps": n_steps, "rows": table.num_rows}
            records += measure_alone(stages, path, epochs, about=size)
    return records


def markdown_table(records: Sequence[Record]) -> str:
    """The records in Markdown, with the cost of a series and the memory beside the values' own."""
    cost = {
        (record["steps"], record["stage"], record["series"]): figure_of(record, "cpu") / figure_of(record, "series")
        for record in records
    }
    head = ["series × steps", "stage", "seconds", "CPU seconds", "CPU ms a series", "peak MB", "× the values", "bar"]
    lines: list[Sequence[object]] = [head]
    for record in records:
        steps, stage, n_series = record["steps"], record["stage"], int(figure_of(record, "series"))
        smaller = [key for key in cost if key[:2] == (steps, stage) and _FEWEST <= int(str(key[2])) < n_series]
        own = cost[steps, stage, record["series"]]
        growth = own / cost[max(smaller, key=lambda key: int(str(key[2])))] if smaller else None
        bar = "" if growth is None else "kept" if growth <= MOST_GROWTH else f"a series costs {growth:.1f} × as much"
        share = figure_of(record, "megabytes") * 1024**2 / (8 * figure_of(record, "rows"))
        figures = [f"{figure_of(record, key):.1f}" for key in ("seconds", "cpu")]
        figures += [f"{1e3 * own:.2f}", f"{figure_of(record, 'megabytes'):,.0f}", f"{share:.1f}"]
        lines.append([f"{n_series:,} × {steps}", stage, *figures, bar])
    return markdown(lines)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--series", type=int, nargs="+", default=list(SERIES))
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--epochs", type=int, help="all of the schedule if it is not given")
    parser.add_argument("--quick", action="store_true", help="100 and 1,000 series, one epoch")
    given = parser.parse_args()
    if given.quick:
        given.series, given.epochs = [100, 1_000], 1
    print(markdown_table(measured(given.series, given.steps, given.epochs)))


if __name__ == "__main__":
    main()
