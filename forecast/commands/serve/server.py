"""The server process: its socket, its connections, its signals, its end."""

from __future__ import annotations

import asyncio
import mmap
import os
import signal
import socket
import threading
from collections import deque
from contextlib import suppress

import numpy as np

from forecast.commands.serve.connection import Application, Connection, Limits
from forecast.errors import MachineError, setting

# Seconds that requests may still take after the server was asked to stop; and that those which are on their way then
# have to arrive.
_GRACE, _ARRIVAL = 4.0, 0.1

# Seconds without a new connection where there is no descriptor for it.
_PAUSE = 0.1

# Seconds for which a process lets others take a new connection that have fewer: longer than they take to wake up.
_COURTESY = 0.005

# Descriptors that are not for connections: those of files that are read when a run is replaced.
_RESERVED = 16

# Connections that wait to be accepted.
_BACKLOG = 1024

_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 117\r\nRetry-After: 1\r\n"
    b'Connection: close\r\n\r\n{"error": "The server has as many connections as it may.", "kind": "server", '
    b'"setting": null, "hint": "Try again."}\r\n'
)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes any that is free.

    Raises:
        MachineError: If the address cannot be listened on.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise MachineError(
            f"Cannot listen on {host}, port {port}: {error.strerror}.",
            f"Choose another one with {setting('host')} and {setting('port')}.",
        ) from None


def address_of(listening: socket.socket, host: str) -> str:
    """What clients call a listening socket."""
    shown = f"[{host}]" if listening.family == socket.AF_INET6 else host
    return f"http://{shown}:{listening.getsockname()[1]}"


class Shares:
    """How many connections each of a server's processes has, in memory that they share.

    Args:
        processes: How many there are.
    """

    def __init__(self, processes: int = 1) -> None:
        self._counts, self._number = np.frombuffer(mmap.mmap(-1, 8 * processes), np.int64), 0

    def of_process(self, number: int) -> None:
        """Count as this process from now on, which has none yet."""
        self._number = number
        self.tell(0)

    def tell(self, connections: int) -> None:
        """Say how many the process has now."""
        self._counts[self._number] = connections

    def has_more(self) -> bool:
        """Whether the process has more than another one."""
        return bool(self._counts[self._number] > self._counts.min())


class Server:
    """Accepts the connections of clients, no more than it may, and lets each speak with an application.

    If there are as many as may be, the one that has been waiting longest gives way to a new one; if none is waiting,
    the new one is refused.

    Args:
        application: What answers.
        limits: Of each connection, and of their number.
        listening: Where it accepts; other processes may, too.
        shares: What it has beside those; clients that stay would else keep one of them busy, and others idle.
    """

    def __init__(
        self, application: Application, limits: Limits, listening: socket.socket, shares: Shares | None = None
    ) -> None:
        self._shares, self._has_waited = shares or Shares(), False
        self._application, self._limits, self._listening = application, limits, listening
        self._connections: dict[Connection, None] = {}  # in the order in which they came
        self._refused: deque[socket.socket] = deque()
        self._most = limits.connections or most_connections()
        self._stopped = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_stopped = False

    async def run(self) -> None:
        """Answer requests until SIGINT, SIGTERM or `stop`; then finish those that are being answered."""
        self._loop = loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: self.stop())
        self._listening.setblocking(False)
        loop.add_reader(self._listening, self._accept)
        if not self._is_stopped:
            await self._stopped.wait()
        loop.remove_reader(self._listening)
        await self._finish()

    def stop(self) -> None:
        """Let `run` end, also one that has not begun; from any thread."""
        self._is_stopped = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)

    def _accept(self) -> bool:
        """Accept one connection; whether there was any. Others may then be served before the next."""
        self._has_waited = not self._has_waited and not self._stopped.is_set() and self._shares.has_more()
        if self._has_waited:
            self._pause(_COURTESY)
            return False
        try:
            accepted, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):  # another process was faster, or it is gone
            return False
        except OSError:  # the machine has no descriptors left, or no memory: others may give some back
            self._pause(_PAUSE)
            return False
        accepted.setblocking(False)
        if len(self._connections) >= self._most and not self._make_room():
            self._refuse(accepted)
            return True
        connection = Connection(self._application, self._limits, accepted)
        self._connections[connection] = None
        self._shares.tell(len(self._connections))
        connection.task.add_done_callback(lambda _: self._forget(connection))
        return True

    def _forget(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        self._shares.tell(len(self._connections))

    def _refuse(self, accepted: socket.socket) -> None:
        """Say that there are too many connections."""
        with suppress(OSError):
            accepted.send(_BUSY)
            accepted.shutdown(socket.SHUT_WR)
        self._refused.append(accepted)  # closed later, or the client would be cut off before it reads this
        if len(self._refused) > _RESERVED // 2:
            self._refused.popleft().close()

    def _pause(self, seconds: float) -> None:
        """Accept nothing for a moment."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listening)
        loop.call_later(seconds, lambda: self._stopped.is_set() or loop.add_reader(self._listening, self._accept))

    def _make_room(self) -> bool:
        """Close the connection that has been waiting longest; whether there is one."""
        waiting = {c: c.waiting_since for c in self._connections if c.waiting_since is not None}
        if not waiting:
            return False
        longest = min(waiting, key=waiting.__getitem__)
        del self._connections[longest]
        longest.end()
        return True

    async def _finish(self) -> None:
        """Answer what has arrived, and close."""
        self._application.stop()
        while self._accept():
            pass
        self._listening.close()
        for connection in self._connections:
            connection.keep_no_longer()
        await asyncio.sleep(_ARRIVAL)
        for connection in list(self._connections):
            connection.end()
        if self._connections:
            _, late = await asyncio.wait([connection.task for connection in self._connections], timeout=_GRACE)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=_ARRIVAL)


def most_connections() -> int:
    """How many connections the process has descriptors for."""
    try:
        import resource

        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = len(os.listdir("/dev/fd"))
    except (ImportError, OSError):  # on Windows there is no such limit, only that of `select`
        return 500
    return max(1, min(most, 65_536) - used - _RESERVED)
