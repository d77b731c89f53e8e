"""What a server says of itself: the run that it serves, and its interface as OpenAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from forecast.commands.serve.service import Service
from forecast.version import VERSION


class Refusal(BaseModel):
    """Why a request was refused, and what to do."""

    error: str
    advice: str = ""


class Health(BaseModel):
    """Whether the server is alive."""

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


def describe(service: Service) -> ServedModel:
    """What is served."""
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


# By path: its method, what it answers, and what it says.
_PATHS: dict[str, tuple[str, type[BaseModel], str]] = {
    "/forecast": ("post", ForecastResponse, "Forecast the steps after the last of these rows."),
    "/model": ("get", ServedModel, "What is served, and how good it was."),
    "/health": ("get", Health, "Whether the server is alive."),
}

# The statuses with which a forecast is refused.
_REFUSALS = (408, 413, 422, 503, 504)


def describe_api(service: Service) -> dict[str, Any]:
    """The interface as OpenAPI writes it."""
    models: list[type[BaseModel]] = [*(model for _, model, _ in _PATHS.values()), Refusal]
    references, schemas = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
    )
    paths: dict[str, Any] = {}
    for path, (method, model, said) in _PATHS.items():
        answers = {"200": _as_json(said, references[model, "serialization"])}
        operation: dict[str, Any] = {"summary": said, "responses": answers}
        if method == "post":
            operation["requestBody"] = {"required": True} | _as_json("Rows.", service.reader.schema())
            refused = references[Refusal, "serialization"]
            answers |= {str(status): _as_json("Why it is refused.", refused) for status in _REFUSALS}
        paths[path] = {method: operation}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Forecasts of {service.run.name}", "version": VERSION},
        "paths": paths,
        "components": {"schemas": schemas["$defs"]},
    }


def _as_json(said: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": said, "content": {"application/json": {"schema": schema}}}
