"""Standard output for results, standard error for everything else."""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from forecast.commands.progress import outcome_in_words, state_in_words
from forecast.errors import ForecastError, rendered
from forecast.progress import Progress, StopRequested, Training

if TYPE_CHECKING:
    from rich.progress import Progress as ProgressBar

out = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 120)
err = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)


def plain(text: str, longest: int = 10_000) -> str:
    """A text as one line for a terminal, with markup and control characters escaped: no name acts as a command."""
    line = one_line(text)
    return escape(line if len(line) <= longest else line[: longest - 1] + "…")


def one_line(text: str) -> str:
    """A text as one line, with control characters escaped."""
    return _escape_controls(text).replace("\n", r"\n")


def _escape_controls(text: str) -> str:
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def print_csv(content: bytes) -> None:
    """A table on standard output: unchanged into a file or a pipe, with control characters escaped on a terminal."""
    text = content.decode()
    sys.stdout.write(_escape_controls(text) if sys.stdout.isatty() else text)


def say(sentence: str, strong: bool = False) -> None:
    """One line on standard output, never wrapped: someone may want to copy it."""
    out.print(escape(_escape_controls(sentence)), style="bold" if strong else None, soft_wrap=True)


def command_line(without: str = "") -> str:
    """What was typed, as a shell takes it, but for one word and the passwords of databases: it is kept and shown."""
    from forecast.sources.sql import without_password  # which most commands do without

    return without_password(shlex.join(["forecast", *(word for word in sys.argv[1:] if word != without)]))


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False, default=str) + "\n")


def print_error(error: ForecastError, as_json: bool = False, written: Callable[[str], str] = str) -> None:
    """An error and its advice, on standard error; as one JSON document where results are such.

    Args:
        error: The error.
        as_json: Whether results are JSON.
        written: How a command that the advice names is written.
    """
    if as_json:
        document = error.document("shell", written) | {"exit_code": error.exit_code}
        if isinstance(error, StopRequested):  # which is no error
            stopped = {"stopped": signal.Signals(error.exit_code - 128).name}
            document = stopped | {name: document[name] for name in ("hint", "exit_code")}
        sys.stderr.write(json.dumps(document, ensure_ascii=False) + "\n")
        return
    message, advice = error.text("shell", written)
    mark = "" if isinstance(error, StopRequested) else "[bold red]error:[/] "
    err.print(mark + escape(_escape_controls(message)))
    if advice:
        err.print(escape(_escape_controls(advice)))


# Seconds that the process has to end in good order after a first signal; it does not wait for a step that takes longer.
_SECONDS_TO_STOP = 4.0


class ConsoleProgress(Progress):
    """Prints notes and warnings, shows bars, and turns signals into requests to stop.

    Args:
        quiet: Keep notes, warnings and progress to itself.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._bar: ProgressBar | None = None
        self._count: ProgressBar | None = None
        self._signal: int | None = None
        self._resume_command = ""

    def note(self, text: str) -> None:
        """Something was inferred or chosen."""
        if not self.quiet:
            err.print(f"[dim]{plain(rendered(text, 'shell'))}[/]")

    def warn(self, text: str) -> None:
        """Something was repaired, or needs the user's attention."""
        if not self.quiet:
            err.print(f"[yellow]warning:[/] {plain(rendered(text, 'shell'))}")

    def resumable(self, command: str) -> None:
        """Remember the command, to name it when the process ends early."""
        self._resume_command = command

    def started(self, network: str, fit: Training) -> None:
        """Show the bar; without a terminal, one line."""
        self._bar = _bar_with("{task.fields[state]}", disable=self.quiet or not err.is_terminal)
        total = fit.last_epoch * fit.steps_per_epoch
        self._bar.add_task(network, total=total, completed=fit.state.step, state="")
        self._bar.start()

    def step(self, fit: Training) -> None:
        """Move the bar; stop after a signal."""
        if self._bar is not None and not self._bar.disable:
            self._bar.update(self._bar.task_ids[0], completed=fit.state.step, state=state_in_words(fit))
        if self._signal is not None:
            self._end_bar()
            raise StopRequested(self._signal)

    def ended(self, network: str, fit: Training) -> None:
        """Remove the bar, and print the outcome in a line."""
        self._end_bar()
        if outcome := outcome_in_words(network, fit):
            self.note(outcome)

    def counted(self, task: str, done: int, total: int) -> None:
        """Show how much of a task is done; the bar is removed with its last part."""
        if self.quiet or not err.is_terminal:
            return
        if self._count is None:
            self._count = _bar_with("{task.completed}/{task.total}")
            self._count.add_task(task, total=total)
            self._count.start()
        self._count.update(self._count.task_ids[0], completed=done, total=total)
        if done >= total:
            self._count.stop()
            self._count = None

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    @contextmanager
    def stopping_on_signals(self) -> Iterator[None]:
        """A first SIGINT or SIGTERM ends a training at its next step; a second one ends the process at once.

        So does the end of `_SECONDS_TO_STOP`, if the first one has not ended it by then. Every file on the disk is
        complete at any moment.
        """

        def on_signal(number: int, frame: FrameType | None) -> None:
            if self._signal is not None:
                return
            self._signal = number
            if self._count is not None:
                self._count.stop()
            if self._bar is None:  # no training is under way, so no checkpoint is needed
                raise StopRequested(number)

        # Python calls a handler between two of its own instructions. During a long call of TensorFlow only this pipe
        # receives the signal.
        receiver, sender = os.pipe()
        os.set_blocking(sender, False)
        threading.Thread(target=self._exit_when_due, args=(receiver,), daemon=True).start()
        sender_before = signal.set_wakeup_fd(sender, warn_on_full_buffer=False)
        handlers = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(sender_before)
            os.close(sender)

    def _exit_when_due(self, receiver: int) -> None:
        """End the process at a second signal, or when time is up after a first; return when the pipe is closed."""
        with open(receiver, "rb", buffering=0) as signals:
            first = signals.read(1)
            if first and (not select.select([signals], [], [], _SECONDS_TO_STOP)[0] or signals.read(1)):
                show_cursor = "\x1b[?25h" if err.is_terminal else ""  # which the bar hides
                advice = f"Continue with: {self._resume_command}\n" if self._resume_command else ""
                os.write(2, f"{show_cursor}Stopped.\n{advice}".encode())
                os._exit(128 + first[0])


def _bar_with(column: str, disable: bool = False) -> ProgressBar:
    """A bar for one task: its name, the bar, a column of text, and the time that is left."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # a short command shows none

    name, remaining = TextColumn("[bold]{task.description}"), TimeRemainingColumn(compact=True)
    return Progress(name, BarColumn(24), TextColumn(column), remaining, console=err, transient=True, disable=disable)
