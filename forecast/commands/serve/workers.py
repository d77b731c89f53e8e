"""Several processes that serve side by side: they accept from one socket, and one that dies is replaced."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

from forecast.commands.serve.log import Log
from forecast.errors import ForecastError, MachineError, setting

# Seconds before a process that died is replaced, so that one that dies at once does not take the machine.
_PAUSE = 1.0

# The signals that end a server.
_CAUGHT = (signal.SIGINT, signal.SIGTERM)

# What a process does: it is given its number, and what to call once it is ready.
Work = Callable[[int, Callable[[], None]], None]


class Workers:
    """Processes that are forked, so that they share the memory of what has been imported.

    There must be no other thread yet, and nothing that a fork would break.

    Args:
        count: How many.
        work: What each does until it gets SIGTERM.
        log: Takes down which of them ended.
        release: Lets go of what they share once they are to stop: clients would wait at a socket that is open here.
    """

    def __init__(self, count: int, work: Work, log: Log, release: Callable[[], None] = lambda: None) -> None:
        if not hasattr(os, "fork"):
            raise MachineError(
                "This system cannot fork processes that share the work.", f"Use {setting('workers', 1)}."
            )
        self._count, self._work, self._log, self._release = count, work, log, release
        self._processes: dict[int, int] = {}  # the number of each by its id
        self._stops = False

    def run(self, ready: Callable[[], None]) -> int:
        """Keep them running until SIGINT or SIGTERM.

        Args:
            ready: Is called when all of them are.

        Returns:
            The exit code: 0, or that of the first that ended before it was ready.
        """
        for caught in _CAUGHT:
            signal.signal(caught, lambda *_: self._stop())
        reading, writing = os.pipe()
        for number in range(self._count):
            self._start(number, writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as file:  # which ends when each of them is ready or has died
            all_are_ready = len(file.read()) == self._count
        if all_are_ready:
            ready()
        else:
            self._stop()
        codes = []
        while self._processes:
            process, status = os.wait()
            number = self._processes.pop(process)
            codes.append(os.waitstatus_to_exitcode(status))
            if not self._stops:
                self._log.warn(f"process {number} ended with {codes[-1]}, and is replaced")
                time.sleep(_PAUSE)
            if not self._stops:
                self._start(number)
        return 0 if all_are_ready else max([code for code in codes if code > 0], default=0)

    def _start(self, number: int, writing: int | None = None) -> None:
        # A signal in between would be caught by a process that does not know yet what it is.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _CAUGHT)
        process = os.fork()
        if process:
            self._processes[process] = number
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            return
        code = 1
        try:
            for caught in _CAUGHT:
                signal.signal(caught, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            self._work(number, lambda: None if writing is None else _tell(writing))
            code = 0
        except ForecastError as error:
            self._log.refused(error)
            code = error.exit_code
        except BaseException:
            self._log.failed(f"process {number} failed")
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _stop(self) -> None:
        self._stops = True
        self._release()
        for process in self._processes:
            os.kill(process, signal.SIGTERM)


def _tell(writing: int) -> None:
    os.write(writing, b".")
    os.close(writing)
