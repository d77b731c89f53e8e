"""Train and score a panel of 20 times the memory that is allowed for rows, and print what was taken at most.

    python scripts/benchmark_memory.py [--memory 50MB] [--times 2 5 20] [--folder FOLDER]

The panel is a folder of Parquet files of hourly series that never were (scripts/generate_panel.py). Each command runs
in a process of its own, whose private memory is looked at every 20 ms: pages of files, which the system may take back
at any time, do not count. The larger panels are trained and scored under a limit of the system (``ulimit -d``) of a
tenth above what the first one asked for: memory that grew with the rows would end them.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet

from forecast.sources.parts import parts_of
from generate_panel import generate_panel

_ROOT = Path(__file__).parent.parent

# Steps of a series, and how many files half of the memory holds, at least.
_STEPS, _FILES_HELD = 1_000, 4

_SETTINGS = ("--lookback", "48", "--horizon", "24", "--epochs", "10", "--no-baseline", "--quiet")


def write_panel(folder: Path, memory: int, times: float) -> int:
    """Write so many times the memory as files of which half of it holds four or more; the number of rows.

    Args:
        folder: An empty folder.
        memory: Bytes of rows.
        times: How many times that.
    """
    rows_of_file = memory / 2 / _FILES_HELD / (80 + 3 * 30)
    n_series, n_rows, number = max(1, int(rows_of_file / _STEPS)), 0, 0
    while n_rows * (80 + 3 * 30) < memory * times:
        panel = generate_panel(n_series, _STEPS, seed=number).to_pandas()
        panel["unique_id"] = f"{number:04d}-" + panel["unique_id"].astype(str)
        panel.to_parquet(folder / f"{number:04d}.parquet", index=False)
        n_rows, number = n_rows + len(panel), number + 1
    return n_rows


def measure(command: list[str], limit: int | None = None) -> tuple[float, float, float]:
    """The private memory that a command takes at most and that it asks the system for, in MB, and its seconds.

    Args:
        command: Of `forecast`.
        limit: Bytes of private memory beyond which the system refuses it; None for none.

    Raises:
        RuntimeError: If it fails.
    """

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    env, began, most = os.environ | {"PYTHONPATH": str(_ROOT)}, time.perf_counter(), np.zeros(2)
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "forecast", *command], env=env, stdout=output, stderr=output, preexec_fn=limited
        )
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            if len(found := re.findall(r"(?:RssAnon|VmData):\s+(\d+)", status)) == 2:
                most = np.maximum(most, np.array(found, float) / 1024)
            time.sleep(0.02)
        output.seek(0)
        if process.returncode:
            raise RuntimeError(output.read().decode()[-2000:])
    return float(most[0]), float(most[1]), time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory", default="50MB", help="Of rows.")
    parser.add_argument("--times", type=float, nargs="+", default=[2, 5, 20], help="Sizes of panels, ascending.")
    parser.add_argument("--folder", type=Path, help="Keeps the panels, so that they are not written again.")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        report(asked.folder or Path(scratch), Path(scratch), asked.memory, asked.times)


def report(folder: Path, scratch: Path, memory: str, times: list[float]) -> None:
    """Print a table of panels of so many times the memory."""
    n_bytes = int(float(memory.removesuffix("MB")) * 1e6)
    print(f"{'times':>6}{'rows':>12}{'files':>7}{'sets':>6}{'train MB':>10}{'s':>7}{'evaluate MB':>13}{'s':>7}")
    limit: int | None = None
    for factor in times:
        panel = folder / f"panel-{memory}-{factor:g}"
        if not panel.exists():
            panel.mkdir(parents=True)
            write_panel(panel, n_bytes, factor)
        parts = parts_of(panel, memory, 0)
        assert parts is not None
        n_rows = sum(pyarrow.parquet.read_metadata(path).num_rows for path in parts.files)
        where = ["--runs-dir", str(scratch / "runs")]
        commands = {
            "train": ["train", str(panel), "--memory", memory, "--run", f"{factor:g}", *where, *_SETTINGS],
            "evaluate": ["evaluate", f"{factor:g}", str(panel), "--memory", memory, *where, "--quiet"],
        }
        (trained, asked, seconds), (scored, _, more) = (measure(command, limit) for command in commands.values())
        limit = limit or int(1.1 * asked * 2**20)
        sizes = f"{factor:>6g}{n_rows:>12,}{len(parts.files):>7}{len(parts.sets):>6}"
        print(f"{sizes}{trained:>10,.0f}{seconds:>7.0f}{scored:>13,.0f}{more:>7.0f}", flush=True)
    print(f"all but the first under ulimit -d {(limit or 0) // 1024:,}")


if __name__ == "__main__":
    main()
