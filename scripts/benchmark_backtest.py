"""How long does it take to forecast and score from every origin, and how much memory?

    python scripts/benchmark_backtest.py [--rows 70000] [--singly 200]

On a simulated hourly series, a run is trained for a moment and tested on nearly all rows. Every origin is forecast and
scored as by `forecast backtest RUN`; beside it stands forecasting from one origin after the other, and the memory that
an array of all windows would take. Time and memory of both are taken in this one process.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import forecast
from forecast.data.prepare import encode
from forecast.model import forecasters, load_models
from forecast.progress import NullProgress
from forecast.runs.rows import new_panel, unseen_windows

COLUMNS = 4


def simulated(n_rows: int) -> pd.DataFrame:
    """A daily cycle with noise, and three more columns like it."""
    rng, hours = np.random.default_rng(0), np.arange(n_rows)
    cycle = 10 * np.sin(2 * np.pi * hours / 24)
    columns = {f"y{number}": cycle + rng.normal(0, 2, n_rows) for number in range(COLUMNS)}
    return pd.DataFrame({"ds": pd.date_range("2010-01-01", periods=n_rows, freq="h"), **columns})


def peak_megabytes() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=70_000)
    parser.add_argument("--singly", type=int, default=200, help="origins that are forecast one after the other")
    given = parser.parse_args()
    table = simulated(given.rows)
    with tempfile.TemporaryDirectory() as place:
        settings = {"target": "y0", "epochs": 1, "lookback": 168, "validation": 0.02, "test": 0.95}
        run = forecast.train(table.iloc[:20_000], forecast.configure(settings), run="one", runs_dir=Path(place))
        forecast.backtest(run, windows=100, new_rows=table)  # what is built and compiled once
        before, started = peak_megabytes(), time.perf_counter()
        metrics = forecast.backtest(run, new_rows=table).metrics
        seconds, grown = time.perf_counter() - started, peak_megabytes() - before

        rows = encode(new_panel(run, table, NullProgress()), run.config.data, run.scaler)
        windows, models = unseen_windows(run, rows), forecasters(load_models(run), rows)
        for model in models.values():
            model(windows.starts[:1])
        started = time.perf_counter()
        for start in windows.starts[: given.singly]:
            for model in models.values():
                model(np.array([start]))
        singly = (time.perf_counter() - started) / given.singly
    n, width = metrics["n_windows"], rows.inputs.shape[1]
    array = n * 168 * width * 4 / 1024**2
    ahead, times = metrics["horizon"], singly * n / seconds
    print(f"{n:,} origins of {given.rows:,} rows, lookback 168, horizon {ahead}, {width} inputs, two networks")
    print(f"forecast and scored, with intervals: {seconds:.1f} s, {1e3 * seconds / n:.2f} ms an origin")
    print(f"forecast one by one, not scored: {1e3 * singly:.2f} ms an origin, {times:.0f} times as long")
    print(f"memory grew by {grown:.0f} MiB; an array of all windows would be {array:.0f} MiB")


if __name__ == "__main__":
    main()
