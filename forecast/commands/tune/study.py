"""The study: its trials in an Optuna storage, one process at a time on each, and what a killed one left to go on with.

What a trial tries is drawn from the seed, its number and the trials before it, so that a study that was interrupted
goes on as it would have.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from forecast.commands.tune.space import Between, Choices, Value
from forecast.errors import ConfigError, MachineError, setting
from forecast.runs.files import write_atomically
from forecast.sources.sql import without_password

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial, Trial

# Trials that are drawn at random, the defaults among them, before the sampler goes by what they found.
_RANDOM = 11

# A trial is stopped where it is worse than the median of the finished ones, if there are so many; in its first epochs
# a training tells nothing yet.
_LEAST_FINISHED, _FIRST_EPOCHS = 5, 5

# Where a study says what it is a search of, and a trial which task of which call works on it.
_SEARCH, _TASK = "search", "task"

# The file of a study's folder by which its trials are told from those of other folders with the same storage.
_CALLER = "caller.txt"


class TrialStore:
    """The trials of a search.

    Args:
        folder: Where the study lives; trials under way have their checkpoints there.
        address: Of an Optuna storage; None for a journal in the folder.
        name: Of the study in that storage.
        search: A digest of all that decides what the trials find.
        space: What is searched.
        defaults: The values of the first trial.
        seed: Decides what is drawn.
        epochs: Of a training, at most.

    Raises:
        MachineError: If Optuna is not installed, or the storage cannot be used.
        ConfigError: If there is a study of that name that searches something else.
    """

    def __init__(
        self,
        folder: Path,
        address: str | None,
        name: str,
        search: str,
        space: Mapping[str, Choices],
        defaults: Mapping[str, Value],
        seed: int,
        epochs: int,
    ) -> None:
        optuna = import_optuna()
        self.folder, self._space, self._defaults, self._seed = folder, space, defaults, seed
        self._lock = folder / "trials.lock"
        with _alone(self._lock):
            storage = _journal(folder / "journal.log") if address is None else _storage(address)
            pruner = optuna.pruners.MedianPruner(_LEAST_FINISHED, min(_FIRST_EPOCHS, epochs))
            self.study: Study = optuna.create_study(
                storage=storage, study_name=name, pruner=pruner, load_if_exists=True
            )
            if self.study.user_attrs.get(_SEARCH, search) != search:
                raise ConfigError(
                    f"There is a study {name!r} already, of other rows, settings or another space.",
                    f"Name another with {setting('run')}, or start over with {setting('overwrite', True)}.",
                )
            self.study.set_user_attr(_SEARCH, search)

    def trials(self) -> list[FrozenTrial]:
        """Every trial that was begun, in order."""
        return list(self.study.get_trials(deepcopy=False))

    def finished(self) -> list[FrozenTrial]:
        """Those that are over: with an error, or stopped early."""
        return [trial for trial in self.trials() if trial.state.is_finished()]

    def best(self) -> FrozenTrial | None:
        """The trial of the lowest error, the earlier of two; None if none has an error."""
        errors = {trial.number: error for trial in self.trials() if (error := error_of(trial)) is not None}
        return self.trials()[min(errors, key=errors.__getitem__)] if errors else None

    def hand_over(self, caller: str, call: str) -> int:
        """Give the trials that earlier calls left to the first tasks of this one.

        Args:
            caller: Who calls: only one process at a time.
            call: What its tasks are told; begins with the caller.

        Returns:
            How many there are.
        """
        left = [trial for trial in self._running() if str(trial.user_attrs.get(_TASK)).startswith(caller)]
        for number, trial in enumerate(left):
            self._opened(trial).set_user_attr(_TASK, task_name(call, number))
        return len(left)

    @contextmanager
    def next_trial(self, most: int | None, task: str) -> Iterator[Trial | None]:
        """The trial of a task, which a lost worker may have begun, else a new one; None if there are enough.

        No other process works on it until the block ends, on a disk that they share.

        Args:
            most: Trials of the study; None for any number.
            task: Who works on it, see `task_name`. A task that is computed again goes on with its trial.
        """
        with _alone(self._lock):
            if self._trial_of(task) is None and (most is None or len(self.trials()) < most):
                self._begin(task)
        if (held := self._trial_of(task)) is None:
            yield None
            return
        # A worker whose caller was killed lives some moments longer, and may still end the trial.
        with _alone(self.checkpoints(held.number) / "lock"):
            trial = self._opened(held) if self._trial_of(task) else None
            if trial is not None:
                self._draw(trial)
            yield trial

    def tell(self, trial: Trial, error: float | None) -> None:
        """A trial is over: with an error, or without one, as it was stopped early."""
        from optuna.trial import TrialState

        with _alone(self._lock):
            self.study.tell(trial, error, TrialState.PRUNED if error is None else TrialState.COMPLETE)

    def tidy(self) -> None:
        """Delete the checkpoints of trials that are over, whose process was killed before it could."""
        for trial in self.finished():
            shutil.rmtree(self.checkpoints(trial.number), ignore_errors=True)

    def checkpoints(self, number: int) -> Path:
        """Where a trial has its checkpoints while it is under way."""
        return self.folder / "trials" / f"{number:04d}"

    def _draw(self, trial: Trial) -> None:
        """Draw what a trial tries, or what is missing of that if a process was killed while it drew."""
        self.study.sampler = self._sampler(trial.number)
        _ = trial.relative_params  # what the sampler draws together
        for place, (name, choices) in enumerate(self._space.items(), start=1):
            self.study.sampler = self._sampler(trial.number, place)  # what is drawn by itself, at random
            if isinstance(choices, Between):
                trial.suggest_float(name, choices.low, choices.high, step=choices.step, log=choices.step is None)
            else:
                trial.suggest_categorical(name, choices)

    def _begin(self, task: str) -> None:
        """Begin a trial; the first one tries the defaults."""
        from optuna.trial import TrialState, create_trial

        fixed = {} if self.trials() else {"fixed_params": dict(self._defaults)}
        self.study.add_trial(create_trial(state=TrialState.RUNNING, user_attrs={_TASK: task}, system_attrs=fixed))

    def _running(self) -> list[FrozenTrial]:
        return [trial for trial in self.trials() if trial.state.name == "RUNNING"]

    def _trial_of(self, task: str) -> FrozenTrial | None:
        return next((trial for trial in self._running() if trial.user_attrs.get(_TASK) == task), None)

    def _opened(self, trial: FrozenTrial) -> Trial:
        from optuna.trial import Trial

        return Trial(self.study, trial._trial_id)

    def _sampler(self, *numbers: int) -> BaseSampler:
        from optuna.samplers import TPESampler

        seed = int(np.random.SeedSequence([self._seed, *numbers]).generate_state(1)[0])
        return TPESampler(n_startup_trials=_RANDOM, seed=seed)


def task_name(call: str, number: int) -> str:
    """What the trial of a task is marked with: the call of the search, and the number of the task in it."""
    return f"{call} {number}"


def caller_of(folder: Path) -> str:
    """What tells the searches of this folder from those of others that share a storage."""
    path = folder / _CALLER
    if not path.exists():
        write_atomically(path, secrets.token_hex(8).encode())
    return path.read_text()


def is_begun(folder: Path) -> bool:
    """Whether a study lives in a folder; one that was refused by its storage leaves only the folder."""
    return (folder / _CALLER).exists()


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other process holds a lock, and hold it; the system releases it when its holder dies."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def forget_study(address: str, name: str) -> None:
    """Delete a study from a storage, if it is there.

    Raises:
        MachineError: If the storage cannot be used.
    """
    with suppress(KeyError):
        import_optuna().delete_study(study_name=name, storage=_storage(address))


def error_of(trial: FrozenTrial) -> float | None:
    """The error of a trial; None of one without, whose value in Optuna is what it last reported."""
    return trial.value if trial.state.name == "COMPLETE" else None


def import_optuna() -> Any:
    """Optuna, without its own words on the terminal.

    Raises:
        MachineError: If it is not installed.
    """
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise MachineError(
            f"A search needs {error.name}, which is not installed.", "Install it: pip install 'forecast-lstm[tune]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _journal(path: Path) -> BaseStorage:
    """The storage of a journal; a last line that a kill cut off is taken away, as it was never told."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    class Lock(JournalFileOpenLock):
        """One that the system releases when its holder dies; Optuna's own would be waited for."""

        file: IO[str]

        def acquire(self) -> bool:
            self.file = open(f"{path}.lock", "a")  # noqa: SIM115 - closed by release
            fcntl.flock(self.file, fcntl.LOCK_EX)
            return True

        def release(self) -> None:
            self.file.close()

    lock = Lock(str(path))
    if path.exists():
        lock.acquire()
        content = path.read_bytes()
        if whole := content.rfind(b"\n") + 1 - len(content):
            os.truncate(path, len(content) + whole)
        lock.release()
    return JournalStorage(JournalFileBackend(str(path), lock))


def _storage(address: str) -> BaseStorage:
    """The storage at an address: a database, Redis, or a proxy of Optuna.

    Raises:
        MachineError: If it cannot be used.
    """
    from optuna.storages import GrpcStorageProxy, JournalStorage, RDBStorage
    from optuna.storages.journal import JournalRedisBackend

    kind, _, place = address.partition("://")
    try:
        if kind == "redis":
            return JournalStorage(JournalRedisBackend(address))
        if kind == "grpc":
            host, _, port = place.partition(":")
            return GrpcStorageProxy(host=host, port=int(port or 13000))
        return RDBStorage(address)
    except Exception as error:  # of its driver, whichever it is
        raise MachineError(
            f"The storage {without_password(address)} cannot be used: {str(error).splitlines()[0]}",
            "Such as sqlite:///studies.db, postgresql://HOST/NAME, redis://HOST or grpc://HOST:PORT; or leave it out.",
        ) from None
