"""What every contender is given, and the JSON document that it answers with. Needs NumPy alone."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

PARTS = ("train", "validation", "test")

# The newest rows as a file, for a forecast from a cold start, with their time in this column.
NEWEST, TIME = "newest.csv", "time"
NEWEST_LOOKBACKS = 8

# Where this program keeps its runs, and which of them is the network of the peers.
RUNS, RUN = "runs", "same-network"

# Windows that are scored at once, and how often: the first time is warm-up.
SCORED_AT_ONCE, TURNS = 1024, 8


@dataclass(frozen=True)
class Contest:
    """The rows, how they are divided, and the sizes of the network.

    Args:
        folder: Where it is kept, and what the contenders keep beside it.
        values: Float32 [T, C], the target first, each column standardised by its training rows.
        columns: Their names.
        start: First timestamp; the clock ticks every hour.
        validation_from: First row of the validation span.
        test_from: First row of the test span.
        lookback: L.
        horizon: H.
        units: Of the one LSTM layer.
        batch_size: Windows in a training step.
        seed: Of everything random.
    """

    folder: Path
    values: NDArray[np.float32]
    columns: tuple[str, ...]
    start: str
    validation_from: int
    test_from: int
    lookback: int
    horizon: int
    units: int
    batch_size: int
    seed: int = 0

    @property
    def times(self) -> NDArray[np.datetime64]:
        """The timestamps, [T]."""
        return np.datetime64(self.start, "us") + np.arange(len(self.values)) * np.timedelta64(3600, "s")

    def starts(self, part: str) -> NDArray[np.int64]:
        """First row of each window whose whole horizon lies in a part; its lookback may reach into the part before."""
        ends = (0, self.validation_from, self.test_from, len(self.values))
        number = PARTS.index(part)
        first = max(0, ends[number] - self.lookback)
        return np.arange(first, ends[number + 1] - self.lookback - self.horizon + 1)

    def rows(self, part: str) -> slice:
        """The rows of all windows of a part."""
        starts = self.starts(part)
        return slice(int(starts[0]), int(starts[-1]) + self.lookback + self.horizon)

    def future(self, part: str) -> NDArray[np.float32]:
        """The targets of each window, [N, H]."""
        return self.values[self.starts(part)[:, None] + self.lookback + np.arange(self.horizon), 0]


def write_contest(contest: Contest) -> None:
    """Keep a contest in its folder; `read_contest` reads it back."""
    contest.folder.mkdir(parents=True, exist_ok=True)
    np.save(contest.folder / "values.npy", contest.values)
    settings = {name: value for name, value in vars(contest).items() if name not in ("folder", "values")}
    (contest.folder / "contest.json").write_text(json.dumps(settings))
    newest = slice(-NEWEST_LOOKBACKS * contest.lookback, None)
    stamps = np.datetime_as_string(contest.times[newest], unit="s")
    rows = [
        [TIME, *contest.columns],
        *([stamp, *row] for stamp, row in zip(stamps, contest.values[newest], strict=True)),
    ]
    (contest.folder / NEWEST).write_text("".join(",".join(map(str, row)) + "\n" for row in rows))


def read_contest(folder: Path) -> Contest:
    """The contest that `write_contest` kept."""
    settings = json.loads((folder / "contest.json").read_text())
    return Contest(
        folder,
        np.load(folder / "values.npy", allow_pickle=False),
        **{**settings, "columns": tuple(settings["columns"])},
    )


class Log:
    """What is noted while a contender trains: after each epoch the time, the speed, and the weights that it has then.

    Validation costs no time here: the weights are scored when training is over.
    """

    def __init__(self) -> None:
        self.began = self._last = time.time()
        self.ended: list[float] = []
        self.rates: list[float] = []
        self.weights: list[Any] = []
        self.memory = 0

    def epoch(self, windows: int, weights: Any, seconds: float | None = None) -> None:
        """An epoch is over.

        Args:
            windows: That were learned from.
            weights: A copy, as `Contender.set_weights` takes it.
            seconds: What learning from them took; None for the time since the last epoch's end.
        """
        now = time.time()
        self.ended.append(now)
        self.rates.append(windows / (now - self._last if seconds is None else seconds))
        self.weights.append(weights)
        # The most that the process has held so far, in bytes; macOS counts in bytes, Linux in KiB.
        self.memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        self._last = now


class Contender(Protocol):
    """A program with an LSTM."""

    def train(self, contest: Contest, epochs: int, log: Log) -> None:
        """Train as its users do, and call ``log.epoch`` at the end of each epoch."""

    def set_weights(self, weights: Any) -> None:
        """Take back the weights of an epoch."""

    def forecaster(self, part: str) -> Callable[[], NDArray[np.floating]]:
        """A function that returns the standardised forecasts of every window of a part, [N, H].

        The rows are made ready before it is returned; the windows are made when it is called.
        """

    def save(self) -> None:
        """Keep the trained model in the contest's folder."""

    def facts(self) -> dict[str, Any]:
        """Versions, parameters, and what else only this contender can tell."""


# The H steps after the newest rows, from nothing but the files in a contest's folder.
NewestRows = Callable[[Contest], Sequence[float]]


def answer(contender: Contender, contest: Contest, epochs: int) -> dict[str, Any]:
    """Train, and measure what is measured of every contender."""
    log = Log()
    contender.train(contest, epochs, log)
    contender.save()
    validated, observed = contender.forecaster("validation"), contest.future("validation")
    errors = []
    for weights in log.weights:
        contender.set_weights(weights)
        y_pred = validated()
        if y_pred.shape != observed.shape:
            raise ValueError(f"Forecasts of shape {y_pred.shape} of windows of shape {observed.shape}.")
        errors.append(float(np.mean(np.abs(y_pred - observed))))
    tested, n_tested = contender.forecaster("test"), len(contest.starts("test"))
    seconds = [_seconds(tested) for _ in range(TURNS)][1:]
    return {
        "began": log.began,
        "seconds": [ended - log.began for ended in log.ended],
        "training_rates": log.rates,
        "validation_mae": errors,
        "scoring_rates": [n_tested / took for took in seconds],
        "memory": log.memory,
        "windows": {part: len(contest.starts(part)) for part in PARTS},
        **contender.facts(),
    }


def _seconds(task: Callable[[], object]) -> float:
    started = time.perf_counter()
    task()
    return time.perf_counter() - started


def main(contender: Contender, newest: NewestRows | None = None) -> None:
    """Train and print the answer as the last line of standard output, or forecast with what an earlier call kept."""
    parser = argparse.ArgumentParser(description="One contender of the benchmark of speed.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--newest", action="store_true", help="forecast with the model that an earlier call kept")
    options = parser.parse_args()
    contest = read_contest(options.folder)
    if options.newest and newest is not None:
        print("\n".join(f"{value:.6g}" for value in newest(contest)))
    else:
        print(json.dumps(answer(contender, contest, options.epochs)))
