"""The first minute: what a first run takes, in turns with the import of TensorFlow, and where it goes.

python scripts/benchmark_start.py
python scripts/benchmark_start.py --turns 1

The package is compiled first, as an installer does. Prints Markdown; exit status 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import compileall
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout, suppress
from importlib import import_module
from io import StringIO
from itertools import pairwise
from pathlib import Path
from pkgutil import resolve_name
from statistics import median
from typing import Any

from records import markdown
from speed import IMPORT, OF_IMPORT, PREDICT, Bar, bars_table

PACKAGE = Path(__file__).resolve().parents[1] / "forecast"

# The commands, and how many times the import of TensorFlow each may take.
LIMITS = {
    "forecast train weather": 2.5,
    "forecast train weather --no-baseline": 2.0,
    "forecast train stocks": 2.5,
    "forecast train stocks --no-baseline": 2.0,
    PREDICT: OF_IMPORT,
}

# The parts of a first run, each of which ends where a function is called, or where the last part does.
STAGES = {
    "import the program, read the options": "",
    "import pandas and what reads and chooses": "forecast.commands.train.train.read",
    "read, choose, check": "forecast.commands.train.train.fit_networks",
    "import TensorFlow": "",
    "build, compile and train the network": "forecast.commands.train.train.calibrate_intervals",
    "calibrate, score, forecast": "forecast.commands.train.train._write_run",
    "draw": "forecast.runs.writer.RunWriter.finish",
    "write and move": "",
}


def main() -> None:
    """Take turns, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5, help="how often each is measured")
    parser.add_argument("--stages", type=Path, help=argparse.SUPPRESS)  # what a process of its own is asked for
    options = parser.parse_args()
    if options.stages:
        print(json.dumps(stages(options.stages)))
        return
    compileall.compile_dir(PACKAGE, quiet=1)
    seconds: dict[str, list[float]] = {IMPORT: [], **{command: [] for command in LIMITS}}
    profiles: list[dict[str, float]] = []
    for _ in range(options.turns):
        with tempfile.TemporaryDirectory() as folder:
            for command, taken in seconds.items():
                taken.append(time_of(command, folder))
            asked = [sys.executable, __file__, "--stages", folder]
            profiles.append(json.loads(subprocess.run(asked, check=True, capture_output=True).stdout))
    bars = bars_of(seconds)
    print(commands_table(seconds), profile_table(profiles), bars_table(bars), sep="\n\n")
    sys.exit(not all(bar.holds for bar in bars))


def time_of(command: str, folder: str) -> float:
    """Seconds that a process takes; runs are in the folder, each has the name of its command."""
    words = ["-c", "import tensorflow"]
    if command != IMPORT:
        words = ["-m", *command.replace("RUN", "forecast-train-weather").split()]
        words += ["--runs-dir", folder, "--quiet"]
        words += ["--run", "-".join(command.replace("--", "").split())] if "train" in command else []
    began = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    return time.perf_counter() - began


def stages(folder: Path) -> dict[str, float]:
    """Seconds of each part of `forecast train weather --no-baseline` in this process."""
    ends = [time.perf_counter()]

    def noting(function: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any, **named: Any) -> Any:
            ends.append(time.perf_counter())
            if function.__name__ == "fit_networks":
                import_module("forecast.models.backends.tensorflow")
                ends.append(time.perf_counter())
            return function(*arguments, **named)

        return noted

    for name in ("forecast.cli", "forecast.commands.train", "forecast.commands.console"):
        import_module(name)
    ends.append(time.perf_counter())
    for name in filter(None, STAGES.values()):
        owner, _, function = name.rpartition(".")
        owner = resolve_name(owner)
        setattr(owner, function, noting(getattr(owner, function)))
    train = ["train", "weather", "--no-baseline", "--quiet", "--runs-dir", str(folder), "--run", "stages"]
    sys.argv = ["forecast", *train]
    with redirect_stdout(StringIO()), suppress(SystemExit):
        import_module("forecast.cli").main()
    ends.append(time.perf_counter())
    return {stage: end - start for stage, (start, end) in zip(STAGES, pairwise(ends), strict=True)}


def bars_of(seconds: Mapping[str, Sequence[float]]) -> list[Bar]:
    """Each command against the import in the same turn."""
    return [
        Bar(f"`{command}`, of `{IMPORT}`", median(ratios), limit, at_most=True, rounds=tuple(ratios))
        for command, limit in LIMITS.items()
        for ratios in [[took / whole for took, whole in zip(seconds[command], seconds[IMPORT], strict=True)]]
    ]


def commands_table(seconds: Mapping[str, Sequence[float]]) -> str:
    """Whole processes in Markdown: the median, the least and the largest."""
    rows = [[f"`{name}`", f"{median(s):.2f}", f"{min(s):.2f}–{max(s):.2f}"] for name, s in seconds.items()]
    return markdown([["process", "seconds", "of all turns"], *rows])


def profile_table(profiles: Sequence[Mapping[str, float]]) -> str:
    """The parts of a first run in Markdown."""
    medians = {stage: median(profile[stage] for profile in profiles) for stage in STAGES}
    whole = sum(medians.values())
    rows = [[stage, f"{seconds:.2f}", f"{seconds / whole:.0%}"] for stage, seconds in medians.items()]
    return markdown([["`forecast train weather --no-baseline`", "seconds", "share"], *rows])


if __name__ == "__main__":
    main()
