"""The server process: its socket, its signals, its end."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from forecast.errors import MachineError, setting

# Seconds that requests may still take after the server was asked to stop.
_GRACE = 4


def serve(app: FastAPI, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Answer requests until SIGINT or SIGTERM; then finish those that are being answered.

    Calls ``ready`` with the address once clients can connect; port 0 takes any that is free.

    Raises:
        MachineError: If the address cannot be listened on.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.create_server(address[:2], family=family, backlog=1024)
    except OSError as error:
        raise MachineError(
            f"Cannot listen on {host}, port {port}: {error.strerror}.",
            f"Choose another one with {setting('host')} and {setting('port')}.",
        ) from None
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )
    server = uvicorn.Server(config)
    # uvicorn raises a signal again once it has stopped. By then the signal was obeyed, and is no failure.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    ready(f"http://{shown}:{listening.getsockname()[1]}")
    server.run(sockets=[listening])
