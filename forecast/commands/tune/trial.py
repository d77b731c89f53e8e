"""One trial: a training on each fold, reported epoch by epoch, stopped where finished trials were better."""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from statistics import fmean
from typing import TYPE_CHECKING

from forecast.commands.progress import ForwardingProgress
from forecast.commands.train.networks import fit_networks
from forecast.commands.tune.folds import Fold
from forecast.commands.tune.study import TrialStore
from forecast.config import Config
from forecast.errors import ConfigError, MachineError
from forecast.model import TrainingContext
from forecast.progress import Epoch, Progress, Training, TrainingState

if TYPE_CHECKING:
    from optuna.trial import Trial

# What a trial trains beside the model, or keeps of it: nothing.
ALONE = {"baseline": False, "refit": False, "track_gradients": False, "csv": False}

# Of the trial, in its storage: the error on each fold that is done, how long it took, and why it has none.
ERRORS, SECONDS, WHY = "errors", "seconds", "why"


class Stopped(Exception):
    """A trial is worse than the finished ones were at the same epoch."""


class TimeOver(Exception):
    """The time of the search is over; the trial is left as it is, to go on with if there is more."""


def run_trial(
    store: TrialStore,
    trial: Trial,
    config: Config,
    folds: Sequence[Fold],
    progress: Progress,
    label: str,
    is_over: Callable[[], bool],
) -> None:
    """Train on each fold, from where the trial was left, and tell the store what came of it.

    Args:
        store: Of the search.
        trial: One of its trials.
        config: Its configuration.
        folds: The oldest first.
        progress: Receives the progress of trainings.
        label: What they are called there.
        is_over: Whether there is no more time.

    Raises:
        TimeOver: If the time is over before the trial is.
    """
    errors = list(trial.user_attrs.get(ERRORS, ()))
    folder, began, before = store.checkpoints(trial.number), time.monotonic(), trial.user_attrs.get(SECONDS, 0.0)
    error: float | None = None
    try:
        for number in range(len(errors), len(folds)):
            fold, course = folds[number], _Course(trial, config.training.epochs, tuple(errors))
            course.begin_fold()
            prepared = fold.with_config(config.replace(training=ALONE))
            of_fold = f"{label}, span {number + 1} of {len(folds)}" if len(folds) > 1 else label
            watch = _TrialProgress(progress, of_fold, course, fold, is_over)
            context = TrainingContext(prepared, folder / f"span-{number + 1}", watch)
            model = fit_networks(context, fold.naive_error)["model"]
            errors.append(fold.error(config, model.over(prepared.rows)))
            del model, context
            gc.collect()  # a training refers to itself, and a search has many
            trial.set_user_attr(SECONDS, round(before + time.monotonic() - began, 2))
            trial.set_user_attr(ERRORS, errors)
        error = fmean(errors)
    except Stopped:
        trial.set_user_attr(WHY, "stopped early")
    except (ConfigError, MachineError) as refused:  # it diverged, or there is too little memory for it
        trial.set_user_attr(WHY, refused.message)
    store.tell(trial, error)
    with suppress(OSError):
        shutil.rmtree(folder)


class _Course:
    """What a trial has reported: after each epoch of each fold, its mean error over the folds so far.

    Args:
        trial: The trial.
        epochs: Epochs of a fold, at most.
        errors: On the folds that are done.
    """

    def __init__(self, trial: Trial, epochs: int, errors: tuple[float, ...]) -> None:
        self._trial, self._epochs, self._errors = trial, epochs, errors
        self._reported = set(trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values)

    def report(self, history: Sequence[Epoch], last_value: float) -> None:
        """Report the epochs that were not; the errors of those are of the measurement unit, as that of the last value.

        Raises:
            Stopped: If finished trials were better.
        """
        first = len(self._errors) * (self._epochs + 1)
        for number in range(len(history)):
            best = min(epoch.validation_mae for epoch in history[: number + 1]) / last_value
            self._report(first + number, fmean([*self._errors, best]))

    def begin_fold(self) -> None:
        """Report what came of the folds before.

        Raises:
            Stopped: If finished trials were better.
        """
        if self._errors:
            self._report(len(self._errors) * (self._epochs + 1) - 1, fmean(self._errors))

    def _report(self, step: int, error: float) -> None:
        if step not in self._reported:
            self._reported.add(step)
            self._trial.report(error, step)
        # The defaults, which others are compared with, are never stopped.
        if self._trial.number > 0 and step == max(self._reported) and self._trial.should_prune():
            raise Stopped


class _TrialProgress(ForwardingProgress):
    """Shows the trainings of a trial, reports their epochs, and ends them when they need not go on.

    Args:
        progress: Receives the bars.
        label: What the training is called.
        course: Receives the epochs.
        fold: What the trial is judged on.
        is_over: Whether there is no more time.
    """

    def __init__(
        self, progress: Progress, label: str, course: _Course, fold: Fold, is_over: Callable[[], bool]
    ) -> None:
        super().__init__(progress)
        self._label, self._course, self._fold, self._is_over = label, course, fold, is_over
        self._n_members, self._n_epochs = 0, -1

    def note(self, text: str) -> None:
        """Say nothing: of each trial it would be the same."""

    def warn(self, text: str) -> None:
        """Say nothing."""

    def started(self, network: str, fit: Training) -> None:
        """Forward the start; a training that goes on may have an epoch to report."""
        self._n_members, self._n_epochs = self._n_members + 1, -1
        self._progress.started(self._label, fit)
        self._look_at(fit)

    def step(self, fit: Training) -> None:
        """Forward the step, and report the epoch that it ended."""
        self._progress.step(fit)
        self._look_at(fit)

    def ended(self, network: str, fit: Training) -> None:
        """Forward the end, and nothing of the outcome."""
        self._progress.ended(self._label, _Untold())

    def _look_at(self, fit: Training) -> None:
        history = fit.state.history
        if len(history) == self._n_epochs:
            return
        self._n_epochs = len(history)
        try:
            # Errors of several units, or whose losses have none, tell nothing of an epoch; nor do further members.
            if history and fit.unit is not None and self._fold.measure == "MAE" and self._n_members == 1:
                self._course.report(history, self._fold.last_value)
            if self._is_over() and not fit.state.finished:
                raise TimeOver
        except (Stopped, TimeOver):
            self.ended(self._label, fit)
            raise


class _Untold:
    """A training that is over, and of whose outcome nothing is said."""

    unit: str | None = None
    steps_per_epoch, last_epoch, epoch = 1, 0, 0
    state = TrainingState()
