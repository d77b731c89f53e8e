"""One connection of a client: HTTP/1.1 as h11 reads and writes it, within limits of size and time.

A request is read, answered in one write, and followed by the next. A client that keeps the server waiting, for a
request, for its rest, or for its answer to be read, is not waited for longer than the limits say.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from http import HTTPStatus
from time import perf_counter
from typing import Protocol
from urllib.parse import unquote

import h11

# Bytes that are read at once, and of a request's first line and headers.
_AT_ONCE, _LONGEST_HEAD = 1 << 16, 1 << 14

# How h11 shows bytes that it cannot read.
_BYTES = re.compile(r"bytearray\(b(.*)\)", re.DOTALL)


@dataclass(frozen=True)
class Limits:
    """How much a client may ask for, and how long it may take.

    Args:
        body: Bytes of a request.
        seconds: Until the headers of a request have arrived, its body, until a forecast has been made, and until a
            client has read its answer.
        idle_seconds: From an answer to the next request.
        connections: At once; None for as many as there are descriptors.
    """

    body: int
    seconds: float
    idle_seconds: float = 75.0  # longer than proxies keep a connection, so that none sends into one that closes
    connections: int | None = None


@dataclass(frozen=True)
class Request:
    """A request.

    Args:
        method: Such as ``GET``.
        path: Without the query, decoded.
        headers: By name, in lower case.
        body: As it came; empty while only the headers are known.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """What is answered.

    Args:
        status: Such as 200.
        body: JSON, unless the headers say otherwise.
        headers: Beside its date, its length and its type.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Application(Protocol):
    """What a connection asks."""

    def refuse(self, request: Request) -> Response | None:
        """The response to a request whose body need not be read; None if it must be."""

    async def respond(self, request: Request) -> Response:
        """The response to a request."""

    def refusal(self, status: int, error: str, hint: str = "") -> Response:
        """The response to a request that could not be read, or is no longer answered."""

    def note(self, client: str, request: Request | None, response: Response, seconds: float) -> None:
        """Take note of a response to a client's address, and of how long it took from the end of the headers."""

    def stop(self) -> None:
        """Take note that the server stops."""


class Connection:
    """Reads requests and writes responses, one at a time, until either side closes.

    Args:
        application: What answers.
        limits: Of size and time.
        accepted: The client's socket.
    """

    def __init__(self, application: Application, limits: Limits, accepted: socket.socket) -> None:
        self._application, self._limits = application, limits
        self._http = h11.Connection(h11.SERVER, _LONGEST_HEAD)
        self._has_answered = self._ends = False
        # Since when no request is under way, so that nothing is lost if the connection is closed; None if one is.
        self.waiting_since: float | None = perf_counter()
        self.task = asyncio.get_running_loop().create_task(self._converse(accepted))

    def keep_no_longer(self) -> None:
        """Close the connection with the next response, which says so."""
        self._ends = True

    def end(self) -> None:
        """Close the connection: now if it is waiting, else with the response that is under way."""
        self._ends = True
        if self.waiting_since is not None:
            self.task.cancel()

    async def _converse(self, accepted: socket.socket) -> None:
        try:
            # Else a response may wait until the client acknowledges what came before it, which takes it 40 ms.
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._reader, self._writer = await asyncio.open_connection(sock=accepted, limit=_AT_ONCE)
        except OSError:  # the client has gone before it was asked
            accepted.close()
            return
        try:
            self._client = str((self._writer.get_extra_info("peername") or [""])[0])
            while await self._exchange():
                self._http.start_next_cycle()
                self.waiting_since = perf_counter()
            async with asyncio.timeout(self._limits.seconds):
                self._writer.close()
                await self._writer.wait_closed()
        except (OSError, TimeoutError, h11.ProtocolError):  # the client has gone, or does not read
            pass
        finally:
            self._writer.transport.abort()

    async def _exchange(self) -> bool:
        """Read a request and answer it; whether another one may follow."""
        request, began, limits = None, perf_counter(), self._limits
        try:
            async with asyncio.timeout(limits.idle_seconds if self._has_answered else limits.seconds):
                await self._first_bytes()
            async with asyncio.timeout(limits.seconds):
                first = await self._next_event()
            if not isinstance(first, h11.Request):  # the client has closed the connection
                return False
            self.waiting_since, began = None, perf_counter()
            request = self._head_of(first)
            response = self._application.refuse(request)
            if response is None:
                async with asyncio.timeout(limits.seconds):
                    request, response = await self._with_body(request)
        except h11.RemoteProtocolError as error:
            what = _BYTES.sub(lambda found: found[1], str(error))  # without the name of a type of Python
            response = self._application.refusal(error.error_status_hint, f"This is not HTTP/1.1: {what}.")
        except TimeoutError:
            if request is None and not self._http.trailing_data[0]:
                return False
            self._ends, late = True, "headers" if request is None else "body"
            response = self._application.refusal(408, f"The {late} took longer than {limits.seconds:g} s to arrive.")
        if response is None:
            assert request is not None
            try:
                response = await self._application.respond(request)
            except asyncio.CancelledError:  # the server stops, and has waited for this one as long as it may
                response = self._application.refusal(503, "The server is stopping.", "Try again later.")
        self._application.note(self._client, request, response, perf_counter() - began)
        async with asyncio.timeout(limits.seconds):
            self._writer.write(self._bytes_of(response, request is not None and request.method == "HEAD"))
            await self._writer.drain()
            while self._http.their_state is h11.SEND_BODY and not self._ends:
                # What was refused is read, or the client would be cut off before it reads why.
                await self._next_event()
        self._has_answered = True
        return self._http.states == {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}

    async def _first_bytes(self) -> None:
        """Wait until something of the next request is there."""
        if not self._http.trailing_data[0]:
            self._http.receive_data(await self._reader.read(_AT_ONCE))

    async def _next_event(self) -> h11.Event:
        """The next part of a request.

        Raises:
            RemoteProtocolError: If it is not HTTP.
        """
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._reader.read(_AT_ONCE))
        assert isinstance(event, h11.Event)  # not paused, as a request is answered before the next one is read
        return event

    def _head_of(self, first: h11.Request) -> Request:
        path = unquote(first.target.partition(b"?")[0].decode("latin-1"))
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in first.headers}
        return Request(first.method.decode("latin-1"), path, headers)

    async def _with_body(self, request: Request) -> tuple[Request, Response | None]:
        """The request with its body, or why that is not read: bytes are counted, as a client may declare any size."""
        most, declared = self._limits.body, request.headers.get("content-length", "")
        too_large = self._application.refusal(413, f"The body is larger than {most:,} bytes.", "Send fewer rows.")
        if declared.isdecimal() and int(declared) > most:
            return request, too_large
        if self._http.they_are_waiting_for_100_continue:
            self._writer.write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
        body = bytearray()
        while isinstance(event := await self._next_event(), h11.Data):
            body += event.data
            if len(body) > most:
                return request, too_large
        return replace(request, body=bytes(body)), None

    def _bytes_of(self, response: Response, without_body: bool) -> bytes:
        """A response as it is written."""
        headers = {
            "date": formatdate(usegmt=True),
            "content-type": "application/json",
            "content-length": str(len(response.body)),
            **response.headers,
            **({"connection": "close"} if self._ends or self._http.their_state is h11.ERROR else {}),
        }
        events = [
            h11.Response(
                status_code=response.status,
                headers=list(headers.items()),
                reason=HTTPStatus(response.status).phrase.encode(),
            ),
            *([] if without_body else [h11.Data(data=response.body)]),
            h11.EndOfMessage(),
        ]
        return b"".join(self._http.send(event) or b"" for event in events)
