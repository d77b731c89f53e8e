"""What ten million rows cost on one machine: seconds and memory of each stage, and whether they grow with the rows.

    python scripts/benchmark_scale.py [--rows 100000 1000000 10000000] [--formats csv parquet]
    python scripts/benchmark_scale.py --beside-pyarrow 3

A simulated series of minutes, with four columns and a few missing values, is written to a file. A process of its own
reads and checks it, prepares its windows, trains one epoch on a sample of them, makes the newest forecast, and scores
the test span. Memory is the most that the process holds during a stage, above what the interpreter, the libraries and
TensorFlow take by themselves: what it held when a small table had gone through all stages. It needs Linux. Two bars are
judged on the largest number of rows: no stage holds more than three times the array of the values in float64, and no
row costs more than half as much again as one of a tenth as many.

``--beside-pyarrow`` instead reads the largest CSV so many times in turns with pyarrow's own reader (times and numbers,
no checks), in one process: seconds, processor seconds, and their ratios.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from records import Record, figure_of, markdown, measure_alone, megabytes

COLUMNS = 4
MOST_MEMORY, MOST_GROWTH = 3.0, 1.5
SETTINGS = {"target": "y0", "lookback": 60, "horizon": 12, "units": 16, "epochs": 1, "validation": 0.01, "test": 0.01}

# With fewer rows than these the libraries weigh more than the data.
_FEWEST_ROWS = 1_000_000

# Of a table that takes next to no memory beside the libraries.
_SMALL = 10_000

_MISSING = 0.001


def write_simulated(path: Path, n_rows: int) -> None:
    """A daily cycle of minutes with noise in each column, as CSV or Parquet by the name of the file."""
    rng, minutes = np.random.default_rng(0), np.arange(n_rows)
    cycle = 10 * np.sin(2 * np.pi * minutes / 1440)
    columns = {"ds": pa.array(np.datetime64("2000-01-01T00:00", "s") + minutes * np.timedelta64(60, "s"))}
    for number in range(COLUMNS):
        values = np.round(cycle + rng.normal(0, 2, n_rows), 3)
        columns[f"y{number}"] = pa.array(values, mask=rng.random(n_rows) < _MISSING)
    table = pa.table(columns)
    if path.suffix == ".csv":
        pa.csv.write_csv(table, path, pa.csv.WriteOptions(quoting_style="none"))
    else:
        pa.parquet.write_table(table, path)


def stages(path: Path) -> list[Record]:
    """Seconds and peak megabytes of each stage, in this process."""
    with tempfile.TemporaryDirectory() as place:
        small = Path(place) / f"small{path.suffix}"
        write_simulated(small, _SMALL)
        _put_through(small, lambda name, do: do())
    gc.collect()
    bare = megabytes("VmRSS")
    records: list[Record] = []

    def measured_stage(name: str, do: Callable[[], Any]) -> Any:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        started = time.perf_counter()
        result = do()
        seconds = time.perf_counter() - started
        records.append({"stage": name, "seconds": seconds, "megabytes": megabytes("VmHWM") - bare})
        return result

    _put_through(path, measured_stage)
    return records


def _put_through(path: Path, stage: Callable[[str, Callable[[], Any]], Any]) -> None:
    """All stages, each called by ``stage``."""
    panel = stage("read and check", lambda: _read(path))
    prepared = stage("prepare", lambda: _prepared(panel))
    fitted, naive_error = stage("train an epoch", lambda: _trained(prepared))
    stage("newest forecast", lambda: _newest(prepared, fitted))
    stage("score", lambda: _scored(prepared, fitted, naive_error))


def _read(path: Path) -> Any:
    import forecast

    return forecast.read(path)


def _prepared(panel: Any) -> Any:
    import forecast
    from forecast.choices.defaults import resolve
    from forecast.commands.train.data_warnings import data_warnings
    from forecast.data.prepare import prepare

    prepared = prepare(panel, resolve(forecast.configure(SETTINGS | {"baseline": False}), panel)[0])
    data_warnings(panel, prepared)
    return prepared


def _trained(prepared: Any) -> Any:
    from forecast.commands.train.networks import fit_without_saving
    from forecast.evaluation.yardstick import naive_errors
    from forecast.progress import NullProgress

    naive_error = naive_errors(prepared.rows, prepared.training_rows, prepared.config.data.season)
    return fit_without_saving(prepared, naive_error, NullProgress()), naive_error


def _newest(prepared: Any, fitted: Any) -> Any:
    from forecast.data.newest import newest_rows
    from forecast.model import newest_forecast

    newest = newest_rows(prepared.rows.panel, prepared.config.data, prepared.scaler)
    models = {"model": fitted["model"].over(newest.rows)}
    return newest_forecast(newest, models, prepared.config.data.season)


def _scored(prepared: Any, fitted: Any, naive_error: Any) -> Any:
    from forecast.evaluation.scoring import score_models

    models = {model.name: model.over(prepared.rows) for model in fitted.values()}
    return score_models(prepared.rows, prepared.test, models, prepared.config.data.season, naive_error)


def measured(rows: Sequence[int], formats: Sequence[str]) -> list[Record]:
    """The records of every number of rows and format, each from a process of its own; told as they come."""
    records: list[Record] = []
    with tempfile.TemporaryDirectory() as place:
        for form in formats:
            for n_rows in sorted(rows):
                path = Path(place) / f"table.{form}"
                write_simulated(path, n_rows)
                records += measure_alone(stages, path, about={"format": form, "rows": n_rows})
    return records


def beside_pyarrow(n_rows: int, turns: int) -> str:
    """What reading a CSV with all checks takes beside pyarrow's own reader, in Markdown, a row for each turn."""
    lines: list[Sequence[object]] = [["turn", "pyarrow", "with all checks", "ratio", "ratio of processor time"]]
    with tempfile.TemporaryDirectory() as place:
        small, path = Path(place) / "small.csv", Path(place) / "table.csv"
        write_simulated(small, _SMALL)
        write_simulated(path, n_rows)
        readers = (pa.csv.read_csv, _read)
        for read in readers:
            read(small)  # what is imported and started once
        for turn in range(1, turns + 1):
            (theirs, their_cpu), (ours, our_cpu) = (_seconds(read, path) for read in readers)
            shown = (
                f"{wall:.1f} s ({cpu:.1f} of processor time)" for wall, cpu in ((theirs, their_cpu), (ours, our_cpu))
            )
            lines.append([turn, *shown, f"{ours / theirs:.2f}", f"{our_cpu / their_cpu:.2f}"])
    return markdown(lines)


def _seconds(read: Callable[[Path], Any], path: Path) -> tuple[float, float]:
    """Seconds, and processor seconds of all threads, until a path is read."""
    begun, used = time.perf_counter(), time.process_time()
    read(path)
    return time.perf_counter() - begun, time.process_time() - used


def table(records: Sequence[Record]) -> str:
    """The table in Markdown; on the largest number of rows, whether each stage keeps to the bars."""
    most = max(figure_of(record, "rows") for record in records)
    cost = {
        (record["format"], record["rows"], record["stage"]): figure_of(record, "seconds") / figure_of(record, "rows")
        for record in records
    }
    head = ["format", "rows", "stage", "seconds", "seconds per million rows", "peak MB", "× the array", "bars"]
    lines: list[Sequence[object]] = [head]
    for record in records:
        n_rows, seconds = figure_of(record, "rows"), figure_of(record, "seconds")
        share = figure_of(record, "megabytes") * 1024**2 / (n_rows * COLUMNS * 8)
        missed = []
        if n_rows == most >= _FEWEST_ROWS:
            before = cost.get((record["format"], record["rows"] // 10, record["stage"]))  # type: ignore[operator]
            if share > MOST_MEMORY:
                missed.append(f"memory over {MOST_MEMORY:g} ×")
            if before is not None and seconds / n_rows > MOST_GROWTH * before:
                missed.append(f"a row costs {seconds / n_rows / before:.1f} × as much")
        bars = (", ".join(missed) or "kept") if n_rows == most >= _FEWEST_ROWS else ""
        figures = [f"{seconds:.1f}", f"{seconds / n_rows * 1e6:.2f}", f"{figure_of(record, 'megabytes'):,.0f}"]
        lines.append([record["format"], f"{int(n_rows):,}", record["stage"], *figures, f"{share:.2f}", bars])
    return markdown(lines)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--formats", nargs="+", choices=("csv", "parquet"), default=["csv", "parquet"])
    parser.add_argument("--beside-pyarrow", type=int, metavar="TURNS", default=0)
    given = parser.parse_args()
    if given.beside_pyarrow:
        print(beside_pyarrow(max(given.rows), given.beside_pyarrow))
        return
    print(table(measured(given.rows, given.formats)))


if __name__ == "__main__":
    main()
