"""The web application: its paths, its limits, its responses."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import FastAPI, HTTPException, Request, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

from forecast.commands.serve.service import Service, to_bytes
from forecast.errors import ForecastError
from forecast.version import VERSION


@dataclass(frozen=True)
class Limits:
    """How much a client may ask for."""

    body: int  # bytes of a request
    seconds: float  # until a body has arrived, and until a forecast has been made


class Refusal(BaseModel):
    """Why a request was refused, and what to do."""

    error: str
    advice: str = ""


class Health(BaseModel):
    """Whether forecasts are made."""

    status: Literal["ok"]


class ForecastResponse(BaseModel):
    """A forecast."""

    forecast: Annotated[
        list[dict[str, str | float]],
        Field(description="As from forecast predict --json: unique_id, ds, cutoff and a column for each model."),
    ]
    warnings: Annotated[list[str], Field(description="What was repaired or left out of the rows.")]


class ServedModel(BaseModel):
    """What is served."""

    name: Annotated[str, Field(description="Name of the run.")]
    model: Annotated[str, Field(description="Name of the network, and of its column in forecasts.")]
    time: Annotated[str, Field(description="Field that holds the time.")]
    series: Annotated[str | None, Field(description="Field that tells the series apart; null where there is one.")]
    series_ids: Annotated[list[str], Field(description="Its values.")]
    targets: list[str]
    covariates: Annotated[list[str], Field(description="Other columns that the network sees.")]
    known: Annotated[list[str], Field(description="Columns that must be known for the steps ahead.")]
    unit: Annotated[str, Field(description="Of the targets; empty where it is unknown.")]
    clock: Annotated[str, Field(description="Step between two rows, as a pandas offset alias.")]
    tz: Annotated[str | None, Field(description="Zone of times without an offset; null where there is none.")]
    lookback: Annotated[int, Field(description="Rows that a forecast needs, of each series.")]
    horizon: Annotated[int, Field(description="Steps that it reaches ahead.")]
    max_rows: Annotated[int, Field(description="The most rows of a request.")]
    verdict: Annotated[str, Field(description="Whether the model is better than simple forecasts.")]
    scores: Annotated[dict[str, dict[str, Any]], Field(description="On the test span, by model.")]
    finished: Annotated[str, Field(description="When the run was made.")]
    version: Annotated[str, Field(description="Of forecast.")]


def create_app(service: Service, limits: Limits) -> FastAPI:
    """The application that serves one run."""
    # Pages for /docs would be fetched from elsewhere; /openapi.json says the same.
    app = FastAPI(title=f"Forecasts of {service.run.name}", version=VERSION, docs_url=None, redoc_url=None)

    @app.get("/health")
    async def health() -> Health:
        """Say that forecasts are made."""
        return Health(status="ok")

    @app.get("/model")
    async def model() -> ServedModel:
        """Say what is served, and how good it was."""
        return _describe(service)

    @app.post(
        "/forecast",
        response_model=ForecastResponse,
        responses={code: {"model": Refusal} for code in (408, 413, 422, 503, 504)},
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": service.reader.schema()}}}
        },
    )
    async def make_forecast(request: Request) -> Response:
        """Forecast the steps after the last of these rows."""
        try:
            return Response(await _respond(request, service, limits), media_type="application/json")
        except asyncio.CancelledError:  # the server stops, and has waited for this one as long as it may
            raise _refused(503, "The server is stopping.", "Try again later.") from None

    for kind in (ForecastError, StarletteHTTPException, ClientDisconnect, Exception):
        app.add_exception_handler(kind, _error_response)
    return app


def _describe(service: Service) -> ServedModel:
    """What `/model` answers."""
    run, reader, metrics, data = service.run, service.reader, service.metrics, service.run.config.data
    several = len(run.data["series_ids"]) > 1
    return ServedModel(
        name=run.name,
        model=metrics["model"],
        time=reader.time,
        series=reader.series if several else None,
        series_ids=run.data["series_ids"] if several else [],
        targets=list(data.target),
        covariates=list(data.covariates or ()),
        known=list(data.known),
        unit=metrics["unit"],
        clock=run.data["freq"],
        tz=run.clock.tz,
        lookback=data.lookback,
        horizon=data.horizon,
        max_rows=reader.max_rows,
        verdict=metrics["verdict"],
        scores=metrics["models"],
        finished=run.manifest["finished"],
        version=VERSION,
    )


async def _respond(request: Request, service: Service, limits: Limits) -> bytes:
    """The forecast that is asked for, within the limits; an HTTPException or ForecastError if there is none."""
    try:
        async with asyncio.timeout(limits.seconds):
            body = await _read_body(request, limits.body)
    except TimeoutError:
        raise _refused(408, f"The body took longer than {limits.seconds:g} s to arrive.") from None
    try:
        async with asyncio.timeout(limits.seconds):
            return await asyncio.wrap_future(service.submit(body))
    except TimeoutError:
        raise _refused(
            504, f"The forecast took longer than {limits.seconds:g} s.", "Send fewer rows, or try again later."
        ) from None


async def _read_body(request: Request, most: int) -> bytes:
    """The body of a request. Its bytes are counted as they come, for a client may declare another size."""
    error = _refused(413, f"The body is larger than {most:,} bytes.", "Send fewer rows.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise error
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise error
    return bytes(body)


def _refused(status: int, error: str, advice: str = "") -> HTTPException:
    return HTTPException(status, {"error": error, "advice": advice})


async def _error_response(request: Request, error: Exception) -> Response:
    """The response to a client for any error: never a traceback."""
    headers = None
    if isinstance(error, ForecastError):
        status, (message, advice) = 422 if error.exit_code == 2 else 503, error.text("json")
    elif isinstance(error, StarletteHTTPException):
        status, headers = error.status_code, error.headers
        message = f"{HTTPStatus(status).phrase}: {request.method} {request.url.path}."
        advice = "There are /forecast (POST), /model, /health, /openapi.json."
        if isinstance(error.detail, dict):
            message, advice = error.detail["error"], error.detail["advice"]
    elif isinstance(error, ClientDisconnect):
        status, message, advice = 400, "The client disconnected.", ""
    else:
        status, message, advice = 500, "The forecast failed; the server's log says why.", ""
    return Response(to_bytes({"error": message, "advice": advice}), status, headers, "application/json")
