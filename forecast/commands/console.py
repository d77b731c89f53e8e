"""Standard output for results, standard error for everything else."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from forecast.errors import ForecastError
from forecast.progress import StopRequested, Training

out = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 120)
err = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


def plain(text: str, longest: int = 10_000) -> str:
    """A text as a line on a terminal: markup and control characters escaped, so that no name can give orders."""
    clean = _harmless(text).replace("\n", r"\n")
    return escape(clean if len(clean) <= longest else clean[: longest - 1] + "…")


def _harmless(text: str) -> str:
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def print_csv(content: bytes) -> None:
    """A table on standard output: as it is into a file or a pipe, control characters escaped on a terminal."""
    text = content.decode()
    sys.stdout.write(_harmless(text) if sys.stdout.isatty() else text)


def say(sentence: str, strong: bool = False) -> None:
    """One line on standard output, whatever its length: nothing is broken that someone may want to copy."""
    out.print(escape(_harmless(sentence)), style="bold" if strong else None, soft_wrap=True)


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False, default=str) + "\n")


def print_error(error: ForecastError) -> None:
    """An error and what to do about it, on standard error."""
    mark = "" if isinstance(error, StopRequested) else "[bold red]error:[/] "
    message, advice = error.text("shell")
    err.print(mark + escape(_harmless(message)))
    if advice:
        err.print(escape(_harmless(advice)))


# After a first signal the process has so long to end in good order; a step that takes longer is not waited for.
_SECONDS_TO_STOP = 4.0


class ConsoleProgress:
    """Prints notes and warnings, shows bars, and turns signals into requests to stop.

    Args:
        quiet: Keep notes, warnings and progress to itself.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._bar: ProgressBar | None = None
        self._task = TaskID(0)
        self._count: ProgressBar | None = None
        self._signal: int | None = None
        self._resume_command = ""

    def note(self, text: str) -> None:
        """Something was inferred or chosen."""
        if not self.quiet:
            err.print(f"[dim]{plain(text)}[/]")

    def warn(self, text: str) -> None:
        """Something was mended, or deserves a second look."""
        if not self.quiet:
            err.print(f"[yellow]warning:[/] {plain(text)}")

    def resumable(self, command: str) -> None:
        """Remember the command, to name it when the process ends early."""
        self._resume_command = command

    def started(self, network: str, fit: Training) -> None:
        """Show the bar; without a terminal, one line."""
        self._bar = ProgressBar(
            TextColumn("[bold]{task.description}"),
            BarColumn(24),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(compact=True),
            console=err,
            transient=True,
            disable=self.quiet or not err.is_terminal,
        )
        total = fit.last_epoch * fit.steps_per_epoch
        self._task = self._bar.add_task(network, total=total, completed=fit.state.step, state="")
        self._bar.start()

    def step(self, fit: Training) -> None:
        """Move the bar; give way to a signal."""
        if self._bar is not None and not self._bar.disable:
            self._bar.update(self._task, completed=fit.state.step, state=_state(fit))
        if self._signal is not None:
            self._end_bar()
            raise StopRequested(self._signal)

    def ended(self, network: str, fit: Training) -> None:
        """Take the bar away, and say in a line what came of it."""
        self._end_bar()
        history = fit.state.history
        if history and fit.state.best_epoch:
            best = history[fit.state.best_epoch - 1]
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
            self._count = ProgressBar(
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
        """While training, a first SIGINT or SIGTERM ends it at the next step; a second one ends the process at once.

        So does the time, if the first has not ended it: all that is written is whole at any moment.
        """

        def heed(number: int, frame: FrameType | None) -> None:
            if self._signal is not None:
                return
            self._signal = number
            if self._count is not None:
                self._count.stop()
            if self._bar is None:  # nothing is being trained, so nothing can be torn
                raise StopRequested(number)

        # Python calls a handler between two of its own instructions; within a long call of TensorFlow only this pipe
        # learns of a signal.
        told, telling = os.pipe()
        os.set_blocking(telling, False)
        threading.Thread(target=self._enforce, args=(told,), daemon=True).start()
        told_before = signal.set_wakeup_fd(telling, warn_on_full_buffer=False)
        before = {number: signal.signal(number, heed) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(told_before)
            os.close(telling)

    def _enforce(self, told: int) -> None:
        """End the process at a second signal, or when time is up after a first; return when the pipe is closed."""
        with open(told, "rb", buffering=0) as signals:
            first = signals.read(1)
            if first and (not select.select([signals], [], [], _SECONDS_TO_STOP)[0] or signals.read(1)):
                shown_again = "\x1b[?25h" if err.is_terminal else ""  # the bar hides the cursor
                goes_on = f"Continue with: {self._resume_command}\n" if self._resume_command else ""
                os.write(2, f"{shown_again}Stopped.\n{goes_on}".encode())
                os._exit(128 + first[0])


def _state(fit: Training) -> str:
    state = fit.state
    done = state.step % fit.steps_per_epoch
    mae = state.mae_sum / done if done else (state.history[-1].mae if state.history else float("nan"))
    validation = f", validation {state.history[-1].validation_mae:.4g}" if state.history else ""
    return f"epoch {fit.epoch}/{fit.last_epoch}  MAE {mae:.4g}{validation} {fit.unit}"
