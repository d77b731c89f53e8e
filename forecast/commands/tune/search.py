"""The search: trials one after the other in this process, or side by side in several, until there are enough."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from forecast.commands.tune.folds import Fold, rolling_folds
from forecast.commands.tune.space import Choices, configured, value_in_words, values_of
from forecast.commands.tune.study import TrialStore
from forecast.commands.tune.trial import WHY, TimeOver, run_trial
from forecast.config import Config, Settings
from forecast.data.panel import Panel
from forecast.errors import ForecastError, MachineError
from forecast.progress import NullProgress, Progress

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

# Seconds between two looks at what the workers have done; workers that may die before the search is given up.
_SECONDS_BETWEEN, _MOST_LOST = 0.2, 4


@dataclass(frozen=True)
class Search:
    """What is searched, for whoever works on it.

    Args:
        folder: Where the study lives.
        address: Of an Optuna storage; None for a journal in the folder.
        name: Of the study.
        panel: The rows, without the values of the test span.
        config: The defaults, resolved.
        asked: What was asked for.
        space: The choices of each dimension.
        n_spans: Spans that it is judged on.
    """

    folder: Path
    address: str | None
    name: str
    panel: Panel
    config: Config
    asked: Settings
    space: Mapping[str, Choices]
    n_spans: int

    def store(self) -> TrialStore:
        """The trials so far."""
        defaults, training = values_of(self.config, self.space), self.config.training
        return TrialStore(
            self.folder,
            self.address,
            self.name,
            self._digest(),
            self.space,
            defaults,
            training.seed,
            training.epochs,
        )

    def folds(self) -> list[Fold]:
        """What each trial learns from and is judged on."""
        lookbacks = self.space.get("lookback", (self.config.data.lookback,))
        assert isinstance(lookbacks, tuple)
        return [Fold.of(rows, lookbacks) for rows in rolling_folds(self.panel, self.config, self.n_spans)]

    def config_of(self, trial: FrozenTrial) -> Config:
        """The configuration that a trial tries."""
        return configured(trial.params, self.config, self.asked)

    def _digest(self) -> str:
        decided = f"{self.panel.fingerprint()} {self.config.to_json()} {self.space} {self.n_spans}"
        return hashlib.sha256(decided.encode()).hexdigest()


@dataclass(frozen=True)
class Budget:
    """How much is searched.

    Args:
        trials: Trials of the study; None for any number.
        until: When it ends, by `time.time`; None for when there are enough trials.
    """

    trials: int | None
    until: float | None = None

    def is_over(self) -> bool:
        """Whether the time is over."""
        return self.until is not None and time.time() >= self.until


def work(search: Search, budget: Budget, progress: Progress, told: Callable[[TrialStore], None] | None = None) -> None:
    """Work on trials until there are enough, or the time is over: what was left first.

    Args:
        search: What is searched.
        budget: How much of it; the defaults are tried however long that takes.
        progress: Receives the progress of trainings.
        told: Called after each trial.
    """
    store, folds = search.store(), search.folds()
    while not budget.is_over() or not store.finished():
        with store.next_trial(budget.trials) as trial:
            if trial is None:
                break
            config = configured(trial.params, search.config, search.asked)
            of_all = "" if budget.trials is None else f" of {budget.trials}"
            label, is_first = f"trial {trial.number + 1}{of_all}", trial.number == 0
            try:
                run_trial(store, trial, config, folds, progress, label, lambda: not is_first and budget.is_over())  # noqa: B023 - is called within
            except TimeOver:
                break
        if told is not None:
            told(store)
    store.tidy()


@dataclass
class Teller:
    """Tells of each trial that is over.

    Args:
        progress: Receives a line of each.
        trials: How many there will be; None if that is not known.
        known: Trials that were over before.
    """

    progress: Progress
    trials: int | None
    known: set[int] = field(default_factory=set)

    def __call__(self, store: TrialStore) -> None:
        """Tell of those that are new."""
        finished = store.finished()
        new = [trial for trial in finished if trial.number not in self.known]
        self.known |= {trial.number for trial in new}
        for trial in new:
            best = store.best()
            tried = ", ".join(f"{name} {value_in_words(value)}" for name, value in trial.params.items())
            came = str(trial.user_attrs.get(WHY)) if trial.value is None else f"error {trial.value:.4f}"
            record = f"the best is trial {best.number + 1} with {best.value:.4f}"
            record = "the best so far" if best.number == trial.number else record
            what = "the defaults" if trial.number == 0 else tried
            self.progress.note(f"trial {trial.number + 1}: {came}, {record}; {what}")


def work_side_by_side(search: Search, budget: Budget, n_workers: int, progress: Progress, told: Teller) -> None:
    """The same in several processes on one study, each with its share of the cores.

    Raises:
        ForecastError: If a worker does.
        MachineError: If workers keep dying.
    """
    store, lost = search.store(), 0
    workers = [Worker(search, budget, share) for share in _shares(n_workers)]
    try:
        while any(worker.is_alive() for worker in workers):
            time.sleep(_SECONDS_BETWEEN)
            told(store)
            if budget.trials is not None:
                progress.counted("trials", min(len(told.known), budget.trials - 1), budget.trials)
            for number, worker in enumerate(workers):
                if worker.is_alive() or worker.is_done():
                    continue
                lost += 1
                if lost > _MOST_LOST:
                    raise MachineError(
                        f"{lost} workers have ended, the last with status {worker.status}.",
                        "Perhaps there is too little memory for so many: try fewer workers.",
                    )
                workers[number] = Worker(search, budget, worker.cores)  # which goes on with the trial that was left
        told(store)
    finally:
        if budget.trials is not None:
            progress.counted("trials", budget.trials, budget.trials)
        for worker in workers:
            worker.close()


class Worker:
    """A process that works on a study. It ends when nothing is left at this end of its pipe, so also with this process.

    Args:
        search: What is searched.
        budget: How much of it.
        cores: The numbers of those that it computes on.
    """

    def __init__(self, search: Search, budget: Budget, cores: set[int]) -> None:
        self.cores = cores
        self._pipe, its_end = Pipe()
        program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve({its_end.fileno()})"
        with its_end:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[its_end.fileno()],
                process_group=0,  # Ctrl-C is for this process alone
            )
        self._pipe.send((search, budget, cores))

    @property
    def status(self) -> int | None:
        """How it ended."""
        return self._process.poll()

    def is_alive(self) -> bool:
        """Whether it is at work."""
        return self.status is None

    def is_done(self) -> bool:
        """Whether it ended because nothing is left to do.

        Raises:
            ForecastError: If it could not go on.
        """
        if self.status == 0:
            return True
        try:
            error = self._pipe.recv() if self._pipe.poll() else None
        except EOFError:
            error = None
        if isinstance(error, ForecastError):
            raise error
        return False

    def close(self) -> None:
        """End the process; what it was at goes on from its newest checkpoint."""
        self._pipe.close()
        self._process.kill()
        self._process.wait()


def serve(file_descriptor: int) -> None:
    """What a worker does."""
    with Connection(file_descriptor) as pipe:
        search, budget, cores = pipe.recv()
        if sys.platform == "linux":
            os.sched_setaffinity(0, cores)  # before TensorFlow counts them
        threading.Thread(target=_end_with_parent, args=(pipe,), daemon=True).start()
        try:
            work(search, budget, NullProgress())
        except ForecastError as error:
            pipe.send(error)
            os._exit(1)
        os._exit(0)


def _end_with_parent(pipe: Connection) -> None:
    try:
        pipe.recv()
    except (EOFError, OSError):
        os._exit(1)


def _shares(n_workers: int) -> list[set[int]]:
    """The cores of each worker."""
    cores = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else list(range(os.cpu_count() or 1))
    return [set(cores[number::n_workers]) or {cores[number % len(cores)]} for number in range(n_workers)]
