"""Progress of long tasks: the protocol that receives it, and the state of a training that is shown and saved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from forecast.errors import ForecastError


@dataclass(frozen=True)
class Epoch:
    """One line of the history. Losses are of scaled values; errors are in the targets' own units."""

    epoch: int
    steps: int
    learning_rate: float
    loss: float
    mae: float
    validation_loss: float
    validation_mae: float


@dataclass
class TrainingState:
    """The state of a training: all that a checkpoint saves beside the arrays.

    Args:
        step: Steps done.
        loss_sum: Sum of the losses of this epoch's steps.
        mae_sum: Sum of their errors in the targets' own units.
        history: The finished epochs.
        best_epoch: The epoch with the lowest validation loss, from 1; 0 while none is better than the start.
        finished: Whether training is over.
        gradients: For each epoch, the gradient's norm by lag, the newest step first; empty unless it is tracked.
    """

    step: int = 0
    loss_sum: float = 0.0
    mae_sum: float = 0.0
    history: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    finished: bool = False
    gradients: list[list[float]] = field(default_factory=list)


class Training(Protocol):
    """A training under way, as far as progress shows it; `training.trainer.Fit` is one.

    Args:
        unit: Unit of the errors, such as ``°C``; None if they are of targets with several units.
        steps_per_epoch: Steps in an epoch.
        last_epoch: The epoch after which training ends at the latest.
        state: How far it is.
    """

    unit: str | None
    steps_per_epoch: int
    last_epoch: int
    state: TrainingState

    @property
    def epoch(self) -> int:
        """The current epoch, from 1."""


class Progress:
    """Receives notes, warnings and the progress of long tasks. Where none is given, Python shows them in a notebook."""

    def note(self, text: str) -> None:
        """Something was inferred or chosen."""

    def warn(self, text: str) -> None:
        """Something was repaired, or needs the user's attention."""

    def resumable(self, command: str) -> None:
        """From now on, this command continues an interrupted training."""

    def started(self, network: str, fit: Training) -> None:
        """The training of a network starts or resumes."""

    def step(self, fit: Training) -> None:
        """A training step has ended; may raise `StopRequested`."""

    def ended(self, network: str, fit: Training) -> None:
        """The training of a network has ended."""

    def counted(self, task: str, done: int, total: int) -> None:
        """So many of a task's equal parts are done; may raise `StopRequested`."""


class StopRequested(ForecastError):
    """The user asked to stop, by a signal of this number. Training ends at once, with a checkpoint."""

    def __init__(self, signal: int) -> None:
        super().__init__("Stopped.")
        self.exit_code = 128 + signal
        self._keras_call_info_injected = True  # else a layer that is just being built raises another error instead


class NullProgress(Progress):
    """Ignores everything. A subclass overrides what it needs."""
