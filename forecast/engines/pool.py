"""A pool of processes of this machine; one that dies is replaced, and its task is computed again."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe, wait
from queue import SimpleQueue

from forecast.engines.tasks import MOST_LOST, ONE_CORE, Argument, Engine, Outcome, Result, Task, attempt
from forecast.errors import MachineError
from forecast.progress import Progress

# Seconds that a worker has to leave a step of its task and delete its temporary files.
_SECONDS_TO_END = 4.0


class Pool(Engine):
    """Worker processes that are started when there is something to do.

    They are interpreters of their own rather than forks, which TensorFlow does not survive, and do not import the
    program that started them, so that a script needs no ``if __name__ == "__main__"``.

    Args:
        workers: How many.
    """

    def __init__(self, workers: int) -> None:
        self.workers, self._idle = workers, list[_Worker]()

    def close(self) -> None:
        """End all workers."""
        for worker in self._idle:
            worker.leave()
        for worker in self._idle:
            worker.wait()
        self._idle = []

    def finished(
        self, task: Task[Argument, Result], arguments: Sequence[Argument], progress: Progress
    ) -> Iterator[tuple[int, Outcome[Result]]]:
        """As of `Engine`."""
        content = pickle.dumps(task)
        waiting, busy = deque(range(len(arguments))), dict[Connection, tuple[int, _Worker]]()
        lost: Counter[int] = Counter()
        try:
            while waiting or busy:
                while waiting and len(busy) < self.workers:
                    worker = self._idle.pop() if self._idle else _Worker()
                    number = waiting.popleft()
                    busy[worker.connection] = number, worker
                    worker.begin(content, pickle.dumps(arguments[number]))
                for connection in wait(list(busy)):
                    number, worker = busy.pop(connection)  # type: ignore[call-overload]  # not a socket
                    outcome = worker.outcome()
                    if outcome is not None:
                        self._idle.append(worker)
                        yield number, outcome
                        continue
                    lost[number] += 1
                    how = worker.wait()
                    if lost[number] < MOST_LOST:
                        waiting.appendleft(number)
                    else:
                        yield number, Outcome(error=lost_too_often(how))
        finally:  # whoever wanted the results may have gone
            for _, worker in busy.values():
                worker.leave()
            for _, worker in busy.values():
                worker.wait()


def lost_too_often(how: str) -> MachineError:
    """The refusal of a task that kills its workers."""
    return MachineError(
        f"A task was given up after {MOST_LOST} workers were lost to it. The last one {how}.",
        "If the system ended them for want of memory, ask for fewer workers, or for less at a time.",
    )


class _Worker:
    """A process that computes one task at a time."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from forecast.engines.pool import work; work()", str(theirs.fileno())],
            env=os.environ | ONE_CORE | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.DEVNULL,
            stdout=2,  # results go to standard output, and nothing else does
            pass_fds=(theirs.fileno(),),
            start_new_session=True,  # what is typed at the terminal is for the process that started it
        )
        theirs.close()
        self._task = b""

    def begin(self, task: bytes, argument: bytes) -> None:
        """Begin a task; if the process has died, `outcome` tells."""
        with suppress(OSError):
            if self._task is not task:
                self.connection.send_bytes(b"t" + task)
                self._task = task
            self.connection.send_bytes(b"a" + argument)

    def outcome(self) -> Outcome[Result] | None:
        """What became of the task; None if the process has died."""
        try:
            outcome: Outcome[Result] = self.connection.recv()
        except (EOFError, OSError):
            self.leave()
            return None
        return outcome

    def leave(self) -> None:
        """Ask it to end: it looks after that by itself when nobody listens any more."""
        self.connection.close()

    def wait(self) -> str:
        """Wait for its end, and say how it ended."""
        try:
            code = self._process.wait(_SECONDS_TO_END + 1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"


def work() -> None:
    """What a worker does: receive tasks and arguments and send outcomes, until nobody listens any more."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and so delete temporary files
    connection, received = Connection(int(sys.argv[1])), SimpleQueue[bytes]()
    threading.Thread(target=_receive, args=(connection, received), daemon=True).start()
    task = b""
    while True:
        message = received.get()
        if message[:1] == b"t":
            task = message[1:]
        else:
            connection.send_bytes(attempt(task, message[1:]))


def _receive(connection: Connection, received: SimpleQueue[bytes]) -> None:
    """Pass on what comes; end the process when the one that started it has gone, whatever is computed meanwhile."""
    with suppress(EOFError, OSError):
        while True:
            received.put(connection.recv_bytes())
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_SECONDS_TO_END)
    os._exit(1)
