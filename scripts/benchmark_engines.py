"""What it costs to compute tasks side by side: one and two workers, Ray against the pool of processes.

    python scripts/benchmark_engines.py [--engines local ray] [--workers 1 2] [--task-seconds 5] [--tasks 6]
    python scripts/benchmark_engines.py --trainings
    python scripts/benchmark_engines.py --search [--trials 14]

Without ``--trainings`` and ``--search`` a task computes for a given time of its core, so that it takes as long
whatever runs beside it. The overhead is what the tasks took beyond their own time divided by the workers; the start of
the engine stands apart, and so does what a task costs that does nothing. A bar is judged: an overhead of at most a
tenth for tasks of five seconds. With ``--trainings``, networks are trained by `forecast.compare`, and the results of
all engines must be the same to the bit. With ``--search``, `forecast.tune` searches, one trial a worker; two digests
tell what is the same: what the trials at random tried, and all that was found.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import forecast
from forecast.engines import ENGINES
from forecast.engines.tasks import Engine
from forecast.progress import Progress
from records import markdown

MOST_OVERHEAD = 0.10

# Tasks that do nothing, by which the cost of handing one over is measured.
_EMPTY = 500

_SETTINGS = {"lookback": 36, "horizon": 12, "epochs": 3, "steps_per_epoch": 60}
_SEARCHED = {"lookback": 24, "segment": 1, "units": 16, "epochs": 6, "patience": 6, "baseline": False, "refit": False}

# The defaults, and what is drawn before the sampler goes by what was found.
_AT_RANDOM = 11


def compute(seconds: float, progress: Progress) -> float:
    """Take so many seconds of a core."""
    began, total = time.process_time(), 0
    while time.process_time() - began < seconds:
        total += sum(range(1000))
    return seconds


def measured_tasks(name: str, workers: int, task_seconds: float, n_tasks: int) -> list[object]:
    """A line of the table of tasks."""
    began = time.perf_counter()
    with forecast.engine(name, workers) as engine:
        list(engine.map(compute, [0.0] * workers))
        start = time.perf_counter() - began
        began = time.perf_counter()
        list(engine.map(compute, [0.0] * _EMPTY))
        empty = (time.perf_counter() - began) / _EMPTY
        began = time.perf_counter()
        list(engine.map(compute, [task_seconds] * n_tasks))
        took = time.perf_counter() - began
    overhead = took / (n_tasks * task_seconds / workers) - 1
    met = "yes" if overhead <= MOST_OVERHEAD else "no"
    return [name, workers, f"{start:.1f}", f"{1000 * empty:.2f}", f"{took:.1f}", f"{overhead:+.1%}", met]


def measured_trainings(name: str, workers: int) -> list[object]:
    """A line of the table of trainings."""
    began = time.perf_counter()
    with forecast.engine(name, workers) as engine:
        digest = _digest(engine)
    return [name, workers, f"{time.perf_counter() - began:.1f}", digest]


def measured_search(name: str, workers: int, trials: int) -> list[object]:
    """A line of the table of searches."""
    with tempfile.TemporaryDirectory() as folder, forecast.engine(name, workers) as engine:
        found = forecast.tune(
            "weather", _SEARCHED, trials=trials, spans=1, engine=engine, runs_dir=Path(folder)
        ).summary
    lines = found["trials"]
    drawn = [line["tried"] for line in lines if line["trial"] <= _AT_RANDOM]
    busy = sum(line["seconds"] for line in lines) / workers
    return [
        name,
        workers,
        found["seconds"],
        f"{found['seconds'] - busy:.1f}",
        _sha256(drawn),
        _sha256(lines),
        f"{found['error']:.4f}",
    ]


def _digest(engine: Engine) -> str:
    """The digest of a comparison, but for how long its trainings took."""
    return _sha256(
        forecast.compare("weather", "lstm,gru", _SETTINGS, seeds=2, classical_seconds=0, engine=engine).summary
    )


def _sha256(found: Any) -> str:
    """The first digits of it, but for how long something took."""
    return hashlib.sha256(json.dumps(_without_seconds(found), sort_keys=True).encode()).hexdigest()[:12]


def _without_seconds(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_seconds(part) for key, part in value.items() if "seconds" not in key}
    return [_without_seconds(part) for part in value] if isinstance(value, list) else value


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--task-seconds", type=float, default=5.0)
    parser.add_argument("--tasks", type=int, default=6, help="How many; a multiple of the workers.")
    parser.add_argument("--search", action="store_true", help="Search for settings instead.")
    parser.add_argument("--trials", type=int, default=14, help="Of a search.")
    parser.add_argument("--trainings", action="store_true", help="Train networks instead.")
    asked = parser.parse_args(arguments)
    # Workers find this script's module where it lies.
    scripts = os.path.dirname(os.path.abspath(__file__))
    os.environ["PYTHONPATH"] = os.pathsep.join([scripts, os.environ.get("PYTHONPATH", "")])
    cases = [(name, workers) for name in asked.engines for workers in asked.workers]
    lines: list[list[object]]
    if asked.trainings:
        lines = [["engine", "workers", "s", "SHA-256"], *(measured_trainings(*case) for case in cases)]
    elif asked.search:
        lines = [
            ["engine", "workers", "s", "of which no trial, s", "tried at random", "all that was found", "best error"]
        ]
        lines += [measured_search(*case, asked.trials) for case in cases]
    else:
        lines = [["engine", "workers", "start, s", "an empty task, ms", "tasks, s", "overhead", "at most a tenth"]]
        lines += [measured_tasks(*case, asked.task_seconds, asked.tasks) for case in cases]
    print(markdown(lines))


if __name__ == "__main__":
    import benchmark_engines  # so that tasks belong to a module that workers can import, and not to __main__

    benchmark_engines.main()
