"""Tasks for the tests of engines, in a module that workers can import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from forecast.errors import DataError
from forecast.progress import Progress


def square(number: int, progress: Progress) -> tuple[int, int]:
    """The square, and which process computed it; the later the argument, the sooner it is done."""
    time.sleep(max(0.0, 0.05 - 0.01 * number))
    progress.note(f"{number} is squared")
    return number * number, os.getpid()


def refuse_three(number: int, progress: Progress) -> int:
    """The number, but for 3."""
    if number == 3:
        raise DataError("3 is refused.", "Take another.")
    return number


def divide(number: int, progress: Progress) -> float:
    """A bug for 0."""
    return 1 / number


def environment(name: str, progress: Progress) -> str | None:
    """A variable of the worker's environment."""
    return os.environ.get(name)


def die(folder: str, times: int, number: int, progress: Progress) -> int:
    """The number; the first workers that are to square 2 die in the middle. Each attempt leaves a mark."""
    marks = Path(folder)
    (marks / f"{number}-{os.getpid()}").touch()
    if number == 2 and len(list(marks.glob("2-*"))) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number
