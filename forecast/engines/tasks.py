"""What an engine is: it computes tasks, side by side or one after the other, with the same results to the bit.

A task is a function of its argument and of a `Progress`, without side effects but for files that it writes whole. So it
can be computed again where a worker is lost, and nothing is lost or doubled.
"""

from __future__ import annotations

import gc
import pickle
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, Protocol, Self, TypeVar

from forecast.errors import ForecastError
from forecast.progress import NullProgress, Progress, StopRequested, Training, TrainingState

Argument = TypeVar("Argument")
ArgumentOf = TypeVar("ArgumentOf", contravariant=True)
Result = TypeVar("Result")
ResultOf = TypeVar("ResultOf", covariant=True)

# Workers that a task may lose before it is given up: a task that takes more memory than there is kills each of them.
MOST_LOST = 4

# A task of so many seconds may have trained a network, which refers to itself, so that its memory is free only when
# Python looks for it. By itself it does so after many trainings.
_LONG = 1.0

# The environment of a worker. Sums over many threads round in another order than over few, so every worker computes on
# one core, whatever the machine has; and none on a GPU, of which there are fewer.
ONE_CORE = {
    "FORECAST_CORES": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
}


class Task(Protocol[ArgumentOf, ResultOf]):
    """What is to be done with each argument. An engine sends it once to each worker, so it may hold much data."""

    def __call__(self, argument: ArgumentOf, progress: Progress, /) -> ResultOf:
        """The result for an argument."""


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """What became of a task.

    Args:
        result: What it returned; None if it failed.
        error: Why it failed; None if it did not.
        reports: What it told its `Progress`: the name of a method, and what it was called with.
    """

    result: Result | None = None
    error: Exception | None = None
    reports: tuple[tuple[str, tuple[Any, ...]], ...] = ()


class Engine(ABC):
    """Computes tasks until its ``with`` block ends.

    ``is_elsewhere`` says whether tasks cannot show what they do while they do it, so that their number is shown.
    """

    is_elsewhere = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027 - not every engine holds something
        """Let go of all workers."""

    @abstractmethod
    def finished(
        self, task: Task[Argument, Result], arguments: Sequence[Argument], progress: Progress
    ) -> Iterator[tuple[int, Outcome[Result]]]:
        """The numbers of the arguments as their tasks end, in any order, each with its outcome."""

    def outcomes(
        self,
        task: Task[Argument, Result],
        arguments: Sequence[Argument],
        progress: Progress | None = None,
        what: str = "tasks",
    ) -> Iterator[Outcome[Result]]:
        """What became of the task with each argument, in the order of the arguments.

        Args:
            task: What is to be done: a function of a module, or a `functools.partial` of one.
            arguments: What with, one for each task.
            progress: Receives what the tasks report, in the same order.
            what: What the tasks are called where their number is shown.
        """
        progress, done, following = progress or NullProgress(), dict[int, Outcome[Result]](), 0
        for n_done, (number, outcome) in enumerate(self.finished(task, arguments, progress), start=1):
            done[number] = outcome
            if self.is_elsewhere:
                progress.counted(what, n_done, len(arguments))
            while following in done:
                outcome = done.pop(following)
                for method, told in outcome.reports:
                    getattr(progress, method)(*told)
                yield outcome
                following += 1

    def map(
        self,
        task: Task[Argument, Result],
        arguments: Sequence[Argument],
        progress: Progress | None = None,
        what: str = "tasks",
    ) -> Iterator[Result]:
        """The results of `outcomes`; the first error of a task ends it.

        Raises:
            Exception: What a task raised.
            MachineError: If a task has lost `MOST_LOST` workers.
        """
        for outcome in self.outcomes(task, arguments, progress, what):
            if outcome.error is not None:
                raise outcome.error
            yield outcome.result  # type: ignore[misc]  # a result may be None, too


class ThisProcess(Engine):
    """Computes one task after the other, here, on all cores."""

    is_elsewhere = False

    def finished(
        self, task: Task[Argument, Result], arguments: Sequence[Argument], progress: Progress
    ) -> Iterator[tuple[int, Outcome[Result]]]:
        """As of `Engine`, in the order of the arguments."""
        for number, argument in enumerate(arguments):
            try:
                outcome = Outcome(task(argument, progress))
            except StopRequested:
                raise
            except Exception as error:
                outcome = Outcome(error=error)
            yield number, outcome


def attempt(task: bytes, argument: bytes) -> bytes:
    """The outcome of a task in a worker, from where nothing can be shown at once; all three are pickled."""
    progress, began = _Recorded(), time.monotonic()
    try:
        return pickle.dumps(Outcome(_loaded(task)(pickle.loads(argument), progress), None, tuple(progress.reports)))
    except ForecastError as error:
        return pickle.dumps(Outcome(None, error, tuple(progress.reports)))
    except Exception:  # a bug, or what cannot be pickled; nor can every exception
        return pickle.dumps(Outcome(None, RuntimeError(f"In a worker:\n{traceback.format_exc()}")))
    finally:
        if time.monotonic() - began > _LONG:
            gc.collect()
            if not gc.get_freeze_count():
                gc.freeze()  # what was imported stays, and need not be looked through again


@lru_cache(maxsize=1)
def _loaded(task: bytes) -> Task[Any, Any]:
    """A task, which a worker keeps for further arguments."""
    loaded: Task[Any, Any] = pickle.loads(task)
    return loaded


@dataclass(frozen=True)
class _EndedTraining:
    """A training as it was when it ended; see `Training`."""

    unit: str | None
    steps_per_epoch: int
    last_epoch: int
    state: TrainingState
    epoch: int


@dataclass
class _Recorded(NullProgress):
    """Keeps notes, warnings and the ends of trainings, to be told where somebody sees them."""

    reports: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.reports.append(("note", (text,)))

    def warn(self, text: str) -> None:
        self.reports.append(("warn", (text,)))

    def ended(self, network: str, fit: Training) -> None:
        ended = _EndedTraining(fit.unit, fit.steps_per_epoch, fit.last_epoch, fit.state, fit.epoch)
        self.reports.append(("ended", (network, ended)))
