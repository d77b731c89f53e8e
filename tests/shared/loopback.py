"""A server on the loopback that stands in for every service: it answers in their formats, and in every broken way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs, urlsplit

from forecast.sources.services import places
from forecast.sources.services.catalogue import SERVICES
from forecast.sources.services.hosts import Host

Params = dict[str, str]

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


class StandingClock:
    """A clock that stands still at noon, but for what is waited."""

    def __init__(self) -> None:
        self.time, self.waited = NOON, list[float]()

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.time += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Reply:
    """One answer.

    Args:
        body: The bytes.
        status: The status.
        headers: Further headers.
        sent: Bytes that are sent of the body before the connection is closed; None for all of them.
        framed: Whether the length is said.
        stalls: Whether nothing is sent at all until the test has ended.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    sent: int | None = None
    framed: bool = True
    stalls: bool = False


Answering = Callable[[Params], bytes | Reply]


@dataclass(frozen=True)
class Request:
    """What was asked."""

    path: str
    params: Params
    headers: dict[str, str]


class Loopback:
    """The server. `says` gives what it answers below a path; the longest path that fits is taken."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answering: dict[str, Answering] = {}
        self.is_over = threading.Event()
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                loopback._reply(self)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass  # clients that hang up, or talk TLS

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def says(self, path: str, *replies: bytes | str | Reply | Answering) -> None:
        """Answer what is asked below a path with these, one after the other, the last one again and again."""
        waiting = list(replies)

        def answering(params: Params) -> bytes | Reply:
            reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            if callable(reply):
                reply = reply(params)
            return reply.encode() if isinstance(reply, str) else reply

        self.answering = {other: said for other, said in self.answering.items() if not other.startswith(path)}
        self.answering[path] = answering

    def begin(self) -> None:
        """Forget what was asked and said."""
        self.requests, self.answering = [], {}
        self.is_over.clear()

    def end(self) -> None:
        """Let go of requests that stall."""
        self.is_over.set()

    def close(self) -> None:
        """End the server."""
        self.end()
        self._server.shutdown()
        self._server.server_close()

    def environment(self) -> dict[str, str]:
        """The variables that send every service here."""
        modules = [places, *(import_module(service.collect.__module__) for service in SERVICES.values())]
        hosts = [found for module in modules for found in vars(module).values()]
        return {host.variable: self.url for host in hosts if isinstance(host, Host)}

    def host(self, **fields: Any) -> Host:
        """A host that this server stands for."""
        about = {"name": "test", "title": "The service", "licence": "CC BY 4.0", "attribution": "A test"}
        return Host(**{**about, "url": self.url, **fields})

    def _reply(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        params = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.requests.append(Request(parts.path, params, dict(handler.headers)))
        paths = [path for path in self.answering if parts.path.startswith(path)]
        found = self.answering[max(paths, key=len)](params) if paths else Reply(b"no such page", 404)
        reply = Reply(found) if isinstance(found, bytes) else found
        if reply.stalls:
            self.is_over.wait(10)
            handler.close_connection = True
            return
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        if reply.framed:
            handler.send_header("Content-Length", str(len(reply.body)))
        else:
            handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(reply.body[: reply.sent])
        if reply.sent is not None or not reply.framed:
            handler.close_connection = True
