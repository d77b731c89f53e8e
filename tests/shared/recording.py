"""A `Progress` that keeps what it receives."""

from __future__ import annotations

from forecast.progress import NullProgress, Training


class RecordingProgress(NullProgress):
    """Keeps the notes, the warnings and the names of the trained networks."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.networks: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def started(self, network: str, fit: Training) -> None:
        self.networks.append(network)
