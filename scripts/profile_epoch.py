"""Where an epoch of training goes: ``python scripts/profile_epoch.py --data FOLDER [--only ETTh1]``.

The second epoch of the networks of ``benchmark.py``, of this program alone: first the parts of its wall time as Python
sees them, then what the cores do within the compiled steps, as TensorFlow's profiler sees it.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

import forecast
from benchmark import DATASETS, SIZES, load
from contenders.contest import Contest
from contenders.product import asked
from forecast.progress import NullProgress, Training
from forecast.runs.checkpoints import save_checkpoint
from forecast.training.trainer import Fit
from records import markdown

# The functions that do the parts of an epoch.
LEARNING, GATHERING = Fit.step, Fit._batch
PARTS: dict[Callable[..., Any], str] = {Fit._validate: "validation", save_checkpoint: "checkpoint"}

# The kernels of a recurrent layer.
KERNELS = {"BlockLSTMV2": "the recurrence, forwards", "BlockLSTMGradV2": "the recurrence, backwards"}

# Other operations that are listed one by one.
MOST_LISTED = 4


class SecondEpoch(NullProgress):
    """Profiles the second epoch of a training.

    Args:
        folder: Where TensorFlow may write what it saw.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.python = folder, cProfile.Profile()
        self.seconds = 0.0

    def step(self, fit: Training) -> None:
        """Begin after the last step of the first epoch, and end after that of the second, with all that follows it."""
        if fit.state.step == fit.steps_per_epoch:
            tf.profiler.experimental.start(str(self.folder))
            self.python.enable()
            self.seconds = -time.perf_counter()
        elif fit.state.step == 2 * fit.steps_per_epoch:
            self.seconds += time.perf_counter()
            self.python.disable()
            tf.profiler.experimental.stop()

    def parts(self) -> dict[str, float]:
        """Seconds of each part of the epoch as Python sees it."""
        rows = pstats.Stats(self.python).stats  # type: ignore[attr-defined]

        def seconds(function: Callable[..., Any]) -> float:
            code = function.__code__
            return float(rows[code.co_filename, code.co_firstlineno, code.co_name][3])

        gathering = seconds(GATHERING)
        found = {"compiled steps": seconds(LEARNING) - gathering, "waiting for the batches": gathering}
        found |= {part: seconds(function) for function, part in PARTS.items()}
        return found | {"the rest": self.seconds - sum(found.values())}

    def operations(self) -> Counter[str]:
        """Seconds of each kind of operation, over all cores."""
        (path,) = self.folder.rglob("*.xplane.pb")
        space, found = xplane_pb2.XSpace(), Counter[str]()
        space.ParseFromString(path.read_bytes())
        for plane in space.planes:
            for event in (event for line in plane.lines for event in line.events):
                name, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
                # Operations are called by their name and kind; what holds others is not.
                if plane.name == "/host:CPU" and name and not name.endswith(":") and not kind.startswith(" "):
                    found[kind] += event.duration_ps / 1e12
        return found


def tables(contest: Contest, default: bool) -> str:
    """What became of the second epoch, in Markdown."""
    panel, settings = asked(contest, 2, default)
    with tempfile.TemporaryDirectory() as place:
        watch = SecondEpoch(Path(place) / "profile")
        forecast.train(panel, settings | {"epochs": 2}, run="profiled", runs_dir=Path(place), progress=watch)
        operations = watch.operations()
    parts, cores = watch.parts(), os.cpu_count() or 1
    within = watch.seconds * cores
    busy = {name: operations.pop(kind, 0.0) for kind, name in KERNELS.items()}
    busy |= {f"`{kind}`": operations.pop(kind) for kind, _ in operations.most_common(MOST_LISTED)}
    busy |= {"all other operations": operations.total()}
    busy |= {"none: Python, waiting, and what lies between operations": within - sum(busy.values())}
    wall = [[name, f"{seconds:.3f}", f"{seconds / watch.seconds:.1%}"] for name, seconds in parts.items()]
    inside = [[name, f"{seconds:.3f}", f"{seconds / within:.1%}"] for name, seconds in busy.items()]
    head = f"of the time of {cores} cores"
    return "\n\n".join(
        [
            markdown([["part of the epoch", "s", "share"], *wall]),
            markdown([[head, "s", "share"], *inside]),
        ]
    )


def main() -> None:
    """Profile and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder with the datasets")
    parser.add_argument("--only", default="ETTh1", choices=list(DATASETS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        contest = load(given.only, argparse.Namespace(**SIZES, data=given.data, cache=Path(place), rows=None))
    for name, default in (("the peers' network", False), ("the default recipe", True)):
        print(f"## {given.only}, {name}\n\n{tables(contest, default)}\n")


if __name__ == "__main__":
    main()
