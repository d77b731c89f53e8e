"""Where a training stands: what a checkpoint holds beside the arrays. Reading it needs no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


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
class Progress:
    """Where a training stands; everything that a checkpoint needs beside the arrays.

    Args:
        step: Steps done.
        loss_sum: Sum of the losses of this epoch's steps.
        mae_sum: Sum of their errors in the targets' own units.
        history: The epochs that are over.
        best_epoch: The one with the lowest validation loss, from 1; 0 before the first.
        finished: Whether training is over.
        gradients: How far back the gradient reached after each epoch, the newest step first; only if it is tracked.
    """

    step: int = 0
    loss_sum: float = 0.0
    mae_sum: float = 0.0
    history: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    finished: bool = False
    gradients: list[list[float]] = field(default_factory=list)
