"""The search: trials one after the other, or side by side on an engine, until there are enough or time is over."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forecast.commands.tune.folds import Fold, rolling_folds
from forecast.commands.tune.space import Choices, configured, value_in_words, values_of
from forecast.commands.tune.study import TrialStore, caller_of, error_of, task_name
from forecast.commands.tune.trial import WHY, TimeOver, run_trial
from forecast.config import Config, Settings
from forecast.data.panel import Panel
from forecast.engines.tasks import Engine
from forecast.progress import Progress

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

# Trials of a search that has no limit but its time.
_MOST = 1000


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

    def __getstate__(self) -> dict[str, Any]:
        return {own.name: getattr(self, own.name) for own in fields(self)}  # and not what each process makes of them

    @cached_property
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

    @cached_property
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


def work(search: Search, budget: Budget, engine: Engine, progress: Progress) -> None:
    """Work on trials until there are enough, or the time is over: what was left first.

    Args:
        search: What is searched.
        budget: How much of it; the defaults are tried however long that takes.
        engine: What computes the trials.
        progress: Receives the progress of trainings, and a line of each trial.
    """
    store, caller = search.store, caller_of(search.folder)
    call = f"{caller} {secrets.token_hex(4)}"
    task = partial(work_on_one, search, budget, call)
    store.hand_over(caller, call)
    if engine.is_elsewhere and not store.finished():
        next(engine.map(task, [0], progress, "trials"))  # the defaults, which the others are compared with
        store.hand_over(caller, call)
    left = (budget.trials or _MOST) - len(store.finished())
    while left > 0:
        for _ in engine.map(task, range(left), progress, "trials"):
            pass
        # A worker that an earlier call left may have begun one more before it ended.
        left = 0 if budget.is_over() else store.hand_over(caller, call)
    store.tidy()


def work_on_one(search: Search, budget: Budget, call: str, number: int, progress: Progress) -> None:
    """Work on a trial that was left, or on a new one; on none if there are enough, or the time is over.

    Args:
        search: What is searched.
        budget: How much of it.
        call: What tells this call's trials from others.
        number: Of the task; the same one goes on with the same trial.
        progress: Receives the progress of trainings, and a line of what came of them.
    """
    if budget.is_over() and search.store.finished():
        return
    with search.store.next_trial(budget.trials, task_name(call, number)) as trial:
        if trial is None:
            return
        config = configured(trial.params, search.config, search.asked)
        label, is_first = f"trial {trial.number + 1}", trial.number == 0
        label += "" if budget.trials is None else f" of {budget.trials}"
        try:
            run_trial(
                search.store, trial, config, search.folds, progress, label, lambda: not is_first and budget.is_over()
            )
        except TimeOver:
            return
        progress.note(_what_came(search.store, trial.number))


def _what_came(store: TrialStore, number: int) -> str:
    """What came of a trial, in a line."""
    trial, best = store.trials()[number], store.best()
    error = error_of(trial)
    parts = [str(trial.user_attrs.get(WHY)) if error is None else f"error {error:.4f}"]
    if best is not None:
        is_best = best.number == number
        parts.append("the best so far" if is_best else f"the best is trial {best.number + 1} with {best.value:.4f}")
    tried = ", ".join(f"{name} {value_in_words(value)}" for name, value in trial.params.items())
    return f"trial {number + 1}: {', '.join(parts)}; {'the defaults' if number == 0 else tried}"
