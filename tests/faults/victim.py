"""A program that trains in processes of its own, each of which can be killed, and what commands it.

Each is forked before TensorFlow has any threads, and so need not import it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from injection import faults, resume_or_train, train, update, without_plots

LONGEST = 120  # seconds of a task; one that hangs is ended by a signal


class Victim:
    """A process that trains in processes of its own, each of which can be killed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def does(self, task: str, folder: Path, number: int = 0, seconds: float = 0.0) -> int:
        """How a task ended: 0 if it was done, -9 if it was killed at a call or after a time, -14 if it hung."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([task, str(folder), number, seconds]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def end(self) -> None:
        self._process.communicate()


def obey() -> None:
    """Do one task after the other, each in a fork, and print how it ended."""
    for module in ("models.backends.keras", "plots.run_plots", "plots.run_report", "training.trainer"):
        import_module(f"forecast.{module}")

    def kill_for_good() -> NoReturn:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    for line in sys.stdin:
        task, folder, number, seconds = json.loads(line)
        child = os.fork()
        if child == 0:
            signal.alarm(LONGEST)
            os.dup2(2, 1)
            try:
                with without_plots(), faults(number, kill_for_good):
                    {"train": train, "resume_or_train": resume_or_train, "update": update}[task](Path(folder))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        if seconds:
            time.sleep(seconds)
            os.kill(child, signal.SIGKILL)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    obey()
