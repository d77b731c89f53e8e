"""What is answered at each path, who may ask, and how a failure is told."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from hmac import compare_digest
from http import HTTPStatus

from forecast.commands.serve.connection import Limits, Request, Response
from forecast.commands.serve.description import describe, describe_api
from forecast.commands.serve.log import Log
from forecast.commands.serve.metrics import Metrics
from forecast.commands.serve.service import Lanes, Service, to_bytes
from forecast.errors import ForecastError, rendered, without_settings

# Paths that a load balancer may ask without a token.
_OPEN = ("/health", "/ready")

# Bytes of an answer that is worth packing.
_WORTH_PACKING = 8_192

_TEXT = {"content-type": "text/plain; version=0.0.4"}


class ServerError(ForecastError):
    """A request is refused for what HTTP, the server or its limits do not allow."""


class App:
    """Answers the requests of clients about some runs.

    Args:
        services: The runs by name. Where there is one, /forecast and /model are about it.
        limits: How long a forecast may take, and how large a body may be.
        metrics: Counts the requests.
        tokens: Those of which a client must have one; None if it needs none.
        log: Takes down requests and failures.
    """

    def __init__(
        self,
        services: Mapping[str, Service],
        limits: Limits,
        metrics: Metrics,
        tokens: Sequence[str] | None = None,
        log: Log | None = None,
    ) -> None:
        self._services, self._limits, self._metrics = services, limits, metrics
        self._tokens = None if tokens is None else [token.encode() for token in tokens]
        self._log, self._lanes, self._stops = log or Log(), Lanes(), False
        self._paths = paths_of(list(services))
        self._answers: dict[str, Callable[[str, bytes], Awaitable[Response]]] = {
            "forecast": self._forecast,
            "model": self._model,
            "runs": self._runs,
            "health": self._health,
            "ready": self._ready,
            "metrics": self._count,
            "openapi.json": self._describe,
        }  # by the last part of a path

    def refuse(self, request: Request) -> Response | None:
        """The response to a request whose body need not be read; None if it must be."""
        method, _ = self._paths.get(request.path, ("", ""))
        if request.path not in _OPEN and not self._may_ask(request):
            response = self.refusal(
                401, "This server answers only who has its token.", "Send it: Authorization: Bearer …"
            )
            return replace(response, headers={"www-authenticate": "Bearer"})
        if request.method == method or (request.method, method) == ("HEAD", "GET"):
            return None
        status = 405 if method else 404
        there = ", ".join(path + " (POST)" * (method == "POST") for path, (method, _) in self._paths.items())
        response = self.refusal(
            status, f"{HTTPStatus(status).phrase}: {request.method} {request.path}.", f"There are {there}."
        )
        if not method:
            return response
        return replace(response, headers={"allow": "GET, HEAD" if method == "GET" else method})

    async def respond(self, request: Request) -> Response:
        """The response to a request: never a traceback."""
        try:
            body, refusal = self._unpacked(request)
            if refusal is not None:
                return refusal
            _, name = self._paths[request.path]
            response = await self._answers[request.path.rpartition("/")[2]](name, body)
        except ForecastError as error:
            return _told(422 if error.exit_code == 2 else 503, for_clients(error))
        except Exception:
            self._log.failed("The forecast failed.")
            return self.refusal(500, "The forecast failed; the server's log says why.")
        if len(response.body) < _WORTH_PACKING or "gzip" not in request.headers.get("accept-encoding", ""):
            return response
        headers = {**response.headers, "content-encoding": "gzip", "vary": "accept-encoding"}
        return replace(response, body=gzip.compress(response.body, compresslevel=1), headers=headers)

    def refusal(self, status: int, error: str, hint: str = "") -> Response:
        """The response to a request that is refused."""
        return _told(status, ServerError(error, hint))

    def note(self, client: str, request: Request | None, response: Response, seconds: float) -> None:
        """Count a response, and log it."""
        path = request.path if request is not None and request.path in self._paths else "other"
        self._metrics.add("forecast_requests_total", f'path="{path}",code="{response.status}"')
        self._metrics.observe("forecast_request_seconds", f'path="{path}"', seconds)
        self._log.answered(
            client=client,
            method=request.method if request else "",
            path=request.path if request else "",
            status=response.status,
            seconds=round(seconds, 6),
            bytes=len(response.body),
        )

    def stop(self) -> None:
        """Say from now on that no more requests should be sent here."""
        self._stops = True

    def _may_ask(self, request: Request) -> bool:
        if self._tokens is None:
            return True
        given = request.headers.get("authorization", "").removeprefix("Bearer ").strip().encode()
        return sum(compare_digest(given, token) for token in self._tokens) > 0  # all of them, in the same time

    def _unpacked(self, request: Request) -> tuple[bytes, Response | None]:
        """The body of a request as it was before it was packed, or why it cannot be had."""
        encoding, most = request.headers.get("content-encoding", "identity").lower(), self._limits.body
        if encoding == "identity":
            return request.body, None
        if encoding not in ("gzip", "x-gzip"):
            return b"", self.refusal(
                415, f"The body is packed as {encoding!r}.", "Send it as it is, or packed by gzip."
            )
        unpacker = zlib.decompressobj(wbits=31)
        try:
            body = unpacker.decompress(request.body, most + 1)
        except zlib.error as error:
            return b"", self.refusal(400, f"The body is not packed by gzip: {error}.", "Send it as it is.")
        if len(body) > most:
            return b"", self.refusal(413, f"The body is larger than {most:,} bytes.", "Send fewer rows.")
        if not unpacker.eof:
            return b"", self.refusal(400, "The body that is packed by gzip ends early.", "Send all of it.")
        return body, None

    async def _forecast(self, name: str, body: bytes) -> Response:
        """Forecast the steps after the last of these rows."""
        try:
            async with asyncio.timeout(self._limits.seconds):
                return Response(200, await asyncio.wrap_future(self._lanes.submit(self._services[name], body)))
        except TimeoutError:
            what = f"The forecast took longer than {self._limits.seconds:g} s."
            return self.refusal(504, what, "Send fewer rows, or try again later.")

    async def _model(self, name: str, body: bytes) -> Response:
        return _as_json(describe(self._services[name]).model_dump())

    async def _runs(self, name: str, body: bytes) -> Response:
        return _as_json([describe(service).model_dump() for service in self._services.values()])

    async def _health(self, name: str, body: bytes) -> Response:
        return _as_json({"status": "ok"})

    async def _ready(self, name: str, body: bytes) -> Response:
        return self.refusal(503, "The server is stopping.") if self._stops else _as_json({"status": "ok"})

    async def _count(self, name: str, body: bytes) -> Response:
        return Response(200, self._metrics.text().encode(), _TEXT)

    async def _describe(self, name: str, body: bytes) -> Response:
        return _as_json(describe_api(self._services, self._paths))


def _told(status: int, error: ForecastError) -> Response:
    return Response(status, to_bytes(error.document("json")), {"retry-after": "1"} if status == 503 else {})


def _as_json(document: object) -> Response:
    return Response(200, to_bytes(document))


def paths_of(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The paths of a server of these runs: the method of each, and the run that it is about, if it is about one."""
    paths: dict[str, tuple[str, str]] = {}
    for name in names:
        at = "" if len(names) == 1 else f"/runs/{name}"
        paths |= {f"{at}/forecast": ("POST", name), f"{at}/model": ("GET", name)}
    several = ["/runs"] if len(names) > 1 else []
    return paths | dict.fromkeys([*several, "/health", "/ready", "/metrics", "/openapi.json"], ("GET", ""))


def for_clients(error: ForecastError) -> ForecastError:
    """An error without the settings that only who serves the run has."""
    message, advice = error.args
    kept = [line for line in advice.split("\n") if rendered(line, "json") == line]
    otherwise = "Send the newest rows as the run was trained on them: GET /model describes them."
    return type(error)(without_settings(message), "\n".join(kept) or (otherwise if advice else ""))
