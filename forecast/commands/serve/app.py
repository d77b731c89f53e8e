"""What is answered at each path, and how a failure is told."""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from forecast.commands.serve.connection import Limits, Request, Response
from forecast.commands.serve.description import describe, describe_api
from forecast.commands.serve.service import Lanes, Service, to_bytes
from forecast.errors import ForecastError


class App:
    """Answers the requests of clients about one run.

    Args:
        service: The run.
        limits: How long a forecast may take.
    """

    def __init__(self, service: Service, limits: Limits) -> None:
        self._lanes = Lanes()
        self._service, self._limits = service, limits
        self._paths: dict[str, tuple[str, Callable[[Request], Awaitable[Response]]]] = {
            "/forecast": ("POST", self._forecast),
            "/model": ("GET", self._model),
            "/health": ("GET", self._health),
            "/openapi.json": ("GET", self._openapi),
        }

    def refuse(self, request: Request) -> Response | None:
        """The response to a request whose body need not be read; None if it must be."""
        method, _ = self._paths.get(request.path, ("", None))
        if request.method == method or (request.method, method) == ("HEAD", "GET"):
            return None
        status = 405 if method else 404
        response = self.refusal(
            status,
            f"{HTTPStatus(status).phrase}: {request.method} {request.path}.",
            "There are /forecast (POST), /model, /health, /openapi.json.",
        )
        if not method:
            return response
        return Response(response.status, response.body, {"allow": "GET, HEAD" if method == "GET" else method})

    async def respond(self, request: Request) -> Response:
        """The response to a request: never a traceback."""
        try:
            return await self._paths[request.path][1](request)
        except ForecastError as error:
            return self.refusal(422 if error.exit_code == 2 else 503, *error.text("json"))
        except Exception:
            traceback.print_exc(file=sys.stderr)
            return self.refusal(500, "The forecast failed; the server's log says why.")

    def refusal(self, status: int, error: str, advice: str = "") -> Response:
        """The response to a request that is refused."""
        return Response(status, to_bytes({"error": error, "advice": advice}))

    def note(self, request: Request | None, response: Response, seconds: float) -> None:
        """Take note of a response, and of how long it took."""

    async def _forecast(self, request: Request) -> Response:
        """Forecast the steps after the last of these rows."""
        try:
            async with asyncio.timeout(self._limits.seconds):
                return Response(200, await asyncio.wrap_future(self._lanes.submit(self._service, request.body)))
        except TimeoutError:
            return self.refusal(
                504,
                f"The forecast took longer than {self._limits.seconds:g} s.",
                "Send fewer rows, or try again later.",
            )

    async def _model(self, request: Request) -> Response:
        """Say what is served, and how good it was."""
        return Response(200, to_bytes(describe(self._service).model_dump()))

    async def _health(self, request: Request) -> Response:
        """Say that the server is alive."""
        return Response(200, to_bytes({"status": "ok"}))

    async def _openapi(self, request: Request) -> Response:
        """Describe all this."""
        return Response(200, to_bytes(describe_api(self._service)))
