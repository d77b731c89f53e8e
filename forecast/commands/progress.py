"""Progress as it is shown in a notebook, the words for it, and progress that is forwarded, as with a label."""

from __future__ import annotations

import sys
import time
from html import escape
from typing import Any

from forecast.errors import rendered
from forecast.progress import NullProgress, Progress, Training

# Seconds between two updates of a cell: each is a message to the browser.
_SECONDS_BETWEEN = 0.25


def shown_by_default() -> Progress:
    """What Python shows where no progress is given: in a notebook what a task does, elsewhere nothing."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return NullProgress() if getattr(shell, "kernel", None) is None else NotebookProgress()


class NotebookProgress(NullProgress):
    """Shows below the cell of a notebook what a task does: a bar, what came of each network, warnings, folded notes.

    Notes alone show nothing, so that a quick call stays quiet.
    """

    def __init__(self) -> None:
        self._notes: list[str] = []
        self._lines: list[str] = []  # warnings, and what came of each network
        self._bar: tuple[str, int, int, str] | None = None  # what is done, how much of how much, and how well
        self._network, self._began, self._begun_at = "", 0.0, 0
        self._cell: Any = None
        self._shown_at = 0.0

    def note(self, text: str) -> None:
        """Keep a note, below the others."""
        self._notes.append(rendered(text, "python"))
        if self._cell is not None:
            self._show()

    def warn(self, text: str) -> None:
        """Show a warning."""
        self._lines.append(f"warning: {rendered(text, 'python')}")
        self._show()

    def started(self, network: str, fit: Training) -> None:
        """Show the bar."""
        self._network = network
        self._count(network, fit.state.step, fit.last_epoch * fit.steps_per_epoch, "")

    def step(self, fit: Training) -> None:
        """Move the bar."""
        self._count(self._network, fit.state.step, fit.last_epoch * fit.steps_per_epoch, state_in_words(fit))

    def ended(self, network: str, fit: Training) -> None:
        """Show the outcome in place of the bar."""
        self._bar = None
        self._lines += filter(None, [outcome_in_words(network, fit)])
        self._show()

    def counted(self, task: str, done: int, total: int) -> None:
        """Move the bar; it goes with the last part of the task."""
        self._count(task, done, total, f"{done:,} of {total:,}")
        if done >= total:
            self._bar = None
            self._show()

    def _count(self, task: str, done: int, total: int, state: str) -> None:
        if self._bar is None or self._bar[0] != task:
            self._began, self._begun_at, self._shown_at = time.monotonic(), done, 0.0
        self._bar = (task, done, total, state)
        if time.monotonic() - self._shown_at >= _SECONDS_BETWEEN:
            self._show()

    def _show(self) -> None:
        from IPython.display import display

        self._shown_at = time.monotonic()
        if self._cell is None:
            self._cell = display(self, display_id=True)
        else:
            self._cell.update(self)

    def __repr__(self) -> str:
        return "\n".join(self._lines)

    def _repr_html_(self) -> str:
        parts = [f"<div>{escape(line)}</div>" for line in self._lines]
        if self._bar is not None:
            task, done, total, state = self._bar
            seconds = (time.monotonic() - self._began) * (total - done) / max(1, done - self._begun_at)
            left = f", {seconds:,.0f} s left" if done > self._begun_at else ""
            parts.append(
                f'<div>{escape(task)} <progress value="{done}" max="{total}"></progress> {escape(state)}{left}</div>'
            )
        if self._notes:
            listed = "".join(f"<li>{escape(note)}</li>" for note in self._notes)
            parts.append(f"<details><summary>{len(self._notes)} notes</summary><ul>{listed}</ul></details>")
        return f"<div>{''.join(parts)}</div>"


def state_in_words(fit: Training) -> str:
    """How far a training is, and how well it does: "epoch 3/30  MAE 0.52, validation 0.61 °C"."""
    state = fit.state
    done = state.step % fit.steps_per_epoch
    if fit.unit is None:
        loss = state.loss_sum / done if done else (state.history[-1].loss if state.history else float("nan"))
        validation = f", validation {state.history[-1].validation_loss:.4g}" if state.history else ""
        return f"epoch {fit.epoch}/{fit.last_epoch}  loss {loss:.4g}{validation}"
    mae = state.mae_sum / done if done else (state.history[-1].mae if state.history else float("nan"))
    validation = f", validation {state.history[-1].validation_mae:.4g}" if state.history else ""
    return f"epoch {fit.epoch}/{fit.last_epoch}  MAE {mae:.4g}{validation} {fit.unit}"


def outcome_in_words(network: str, fit: Training) -> str:
    """What came of the training of a network, in a line; empty where there was none."""
    history = fit.state.history
    if not history:
        return ""
    epochs = f"{len(history)} epoch{'s' if len(history) > 1 else ''}"
    if not fit.state.best_epoch:
        return f"{network}: {epochs}, none was better on the validation span than the forecast that it adds to"
    best = history[fit.state.best_epoch - 1]
    error = ""
    if best.validation_mae == best.validation_mae:
        error = f", validation MAE {best.validation_mae:.4g} {fit.unit}"
        if fit.unit is None:
            error = f", validation loss {best.validation_loss:.4g}"
    return f"{network}: {epochs}, the best was {best.epoch}{error.rstrip()}"


class ForwardingProgress(Progress):
    """Forwards everything. A subclass overrides what it changes.

    Args:
        progress: Receives it.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def note(self, text: str) -> None:
        """Forward a note."""
        self._progress.note(text)

    def warn(self, text: str) -> None:
        """Forward a warning."""
        self._progress.warn(text)

    def resumable(self, command: str) -> None:
        """Forward the command that continues."""
        self._progress.resumable(command)

    def started(self, network: str, fit: Training) -> None:
        """Forward the start of a training."""
        self._progress.started(network, fit)

    def step(self, fit: Training) -> None:
        """Forward a step."""
        self._progress.step(fit)

    def ended(self, network: str, fit: Training) -> None:
        """Forward the end of a training."""
        self._progress.ended(network, fit)

    def counted(self, task: str, done: int, total: int) -> None:
        """Forward how much of a task is done."""
        self._progress.counted(task, done, total)


class LabelledProgress(ForwardingProgress):
    """Adds a label to the name of each network.

    Args:
        progress: Receives everything.
        label: Such as ``fit 2 of 5``.
    """

    def __init__(self, progress: Progress, label: str) -> None:
        super().__init__(progress)
        self._label = label

    def started(self, network: str, fit: Training) -> None:
        """Forward the start, with the label."""
        super().started(f"{network}, {self._label}", fit)

    def ended(self, network: str, fit: Training) -> None:
        """Forward the end, with the label."""
        super().ended(f"{network}, {self._label}", fit)


class PartProgress(LabelledProgress):
    """Forwards warnings with the name of a part before them, and no notes, which are alike for each of many parts.

    Args:
        progress: Receives it.
        name: Such as that of a file.
    """

    def note(self, text: str) -> None:
        """Pass over it."""

    def warn(self, text: str) -> None:
        """Forward a warning, with the part's name."""
        super().warn(f"{self._label}: {rendered(text, 'shell')}")

    def resumable(self, command: str) -> None:
        """Pass over it: the whole is continued, not the part."""
