"""Who is told what goes on while the steps are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from forecast.errors import ForecastError

if TYPE_CHECKING:
    from forecast.training.trainer import Fit


class Listener(Protocol):
    """Who is told what goes on. The command line prints it; in Python nothing is said unless one is given."""

    def note(self, text: str) -> None:
        """Something was inferred or chosen."""

    def warn(self, text: str) -> None:
        """Something was mended, or deserves a second look."""

    def resumable(self, command: str) -> None:
        """From here on, a training that ends early is continued by a command."""

    def started(self, network: str, fit: Fit) -> None:
        """The training of a network begins, or goes on."""

    def step(self, fit: Fit) -> None:
        """A step of it is over; may raise `StopRequested`."""

    def ended(self, network: str, fit: Fit) -> None:
        """The training of a network is over."""

    def counted(self, task: str, done: int, total: int) -> None:
        """So many of the equal parts of a task are done; may raise `StopRequested`."""


class StopRequested(ForecastError):
    """The user asked to stop: training ends at once, with a checkpoint.

    Args:
        signal: Number of the signal.
    """

    def __init__(self, signal: int) -> None:
        super().__init__("Stopped.")
        self.exit_code = 128 + signal


class Silence:
    """Listens and says nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def warn(self, text: str) -> None:
        """Say nothing."""

    def resumable(self, command: str) -> None:
        """Say nothing."""

    def started(self, network: str, fit: Fit) -> None:
        """Say nothing."""

    def step(self, fit: Fit) -> None:
        """Say nothing."""

    def ended(self, network: str, fit: Fit) -> None:
        """Say nothing."""

    def counted(self, task: str, done: int, total: int) -> None:
        """Say nothing."""


class Numbered:
    """Passes everything on, and says of each network which of several trainings it belongs to.

    Args:
        listener: Who is told.
        which: Such as ``fit 2 of 5``.
    """

    def __init__(self, listener: Listener, which: str) -> None:
        self.listener, self.which = listener, which

    def note(self, text: str) -> None:
        """Pass on."""
        self.listener.note(text)

    def warn(self, text: str) -> None:
        """Pass on."""
        self.listener.warn(text)

    def resumable(self, command: str) -> None:
        """Pass on."""
        self.listener.resumable(command)

    def started(self, network: str, fit: Fit) -> None:
        """Pass on, with the number."""
        self.listener.started(f"{network}, {self.which}", fit)

    def step(self, fit: Fit) -> None:
        """Pass on."""
        self.listener.step(fit)

    def ended(self, network: str, fit: Fit) -> None:
        """Pass on, with the number."""
        self.listener.ended(f"{network}, {self.which}", fit)

    def counted(self, task: str, done: int, total: int) -> None:
        """Pass on."""
        self.listener.counted(task, done, total)
