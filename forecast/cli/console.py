"""Standard output for results, standard error for everything else."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from forecast.errors import ForecastError
from forecast.workflows.listening import StopRequested

if TYPE_CHECKING:
    from forecast.training.trainer import Fit

out = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(sentence: str, strong: bool = False) -> None:
    """One line on standard output, whatever its length: nothing is broken that someone may want to copy."""
    out.print(escape(sentence), style="bold" if strong else None, soft_wrap=True)


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False, default=str) + "\n")


def print_error(error: ForecastError) -> None:
    """An error and what to do about it, on standard error."""
    err.print(
        escape(error.message) if isinstance(error, StopRequested) else f"[bold red]error:[/] {escape(error.message)}"
    )
    if error.hint:
        err.print(escape(error.hint))


class Speaker:
    """Tells the user what goes on, shows progress while training, and passes signals on as requests to stop.

    Args:
        quiet: Keep notes, warnings and progress to itself.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._count: Progress | None = None
        self._signal: int | None = None

    def note(self, text: str) -> None:
        """Something was inferred or chosen."""
        if not self.quiet:
            err.print(f"[dim]{escape(text)}[/]")

    def warn(self, text: str) -> None:
        """Something was mended, or deserves a second look."""
        if not self.quiet:
            err.print(f"[yellow]warning:[/] {escape(text)}")

    def started(self, network: str, fit: Fit) -> None:
        """Show the bar; without a terminal, one line."""
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(24),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(compact=True),
            console=err,
            transient=True,
            disable=self.quiet or not err.is_terminal,
        )
        total = fit.last_epoch * fit.steps_per_epoch
        self._task = self._bar.add_task(network, total=total, completed=fit.progress.step, state="")
        self._bar.start()

    def step(self, fit: Fit) -> None:
        """Move the bar; give way to a signal."""
        if self._bar is not None and not self._bar.disable:
            self._bar.update(self._task, completed=fit.progress.step, state=_state(fit))
        if self._signal is not None:
            self._end_bar()
            raise StopRequested(self._signal)

    def ended(self, network: str, fit: Fit) -> None:
        """Take the bar away, and say in a line what came of it."""
        self._end_bar()
        history = fit.progress.history
        if history and fit.progress.best_epoch:
            best = history[fit.progress.best_epoch - 1]
            error = (
                f", validation MAE {best.validation_mae:.4g} {fit.unit}"
                if best.validation_mae == best.validation_mae
                else ""
            )
            self.note(f"{network}: {len(history)} epochs, the best was {best.epoch}{error.rstrip()}")

    def counted(self, task: str, done: int, total: int) -> None:
        """Show how much of a task is done; the bar goes away with its last part."""
        if self.quiet or not err.is_terminal:
            return
        if self._count is None:
            self._count = Progress(
                TextColumn("[bold]{task.description}"),
                BarColumn(24),
                TextColumn("{task.completed}/{task.total}"),
                TimeRemainingColumn(compact=True),
                console=err,
                transient=True,
            )
            self._count.add_task(task, total=total)
            self._count.start()
        self._count.update(TaskID(0), completed=done, total=total)
        if done >= total:
            self._count.stop()
            self._count = None

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    @contextmanager
    def heeding_signals(self) -> Iterator[None]:
        """While training, a first SIGINT or SIGTERM ends it at the next step; a second one ends the process at once."""

        def heed(number: int, frame: FrameType | None) -> None:
            if self._signal is not None:
                os._exit(128 + number)
            self._signal = number
            if self._count is not None:
                self._count.stop()
            if self._bar is None:  # nothing is being trained, so nothing can be torn
                raise StopRequested(number)

        before = {number: signal.signal(number, heed) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _state(fit: Fit) -> str:
    progress = fit.progress
    done = progress.step % fit.steps_per_epoch
    mae = progress.mae_sum / done if done else (progress.history[-1].mae if progress.history else float("nan"))
    validation = f", validation {progress.history[-1].validation_mae:.4g}" if progress.history else ""
    return f"epoch {fit.epoch}/{fit.last_epoch}  MAE {mae:.4g}{validation} {fit.unit}"
