"""What a server says of itself: the run that it serves, and its interface as OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from forecast.commands.serve.service import Service
from forecast.version import VERSION


class Refusal(BaseModel):
    """Why a request was refused, and what to do."""

    error: str
    kind: Annotated[str, Field(description="Of the error: data, server, machine …")]
    setting: Annotated[str | None, Field(description="The setting that it is about; null for none.")] = None
    hint: Annotated[str, Field(description="What to do.")] = ""


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
    run_version: Annotated[int, Field(description="Of the run: 1 as it was trained, then one more by each update.")]
    version: Annotated[str, Field(description="Of forecast.")]


def describe(service: Service) -> ServedModel:
    """What is served."""
    run, reader, metrics, data = service.run, service.reader, service.scores, service.run.config.data
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
        run_version=run.version,
        version=VERSION,
    )


# What is answered at the end of each path, and what it says.
_ANSWERS: dict[str, tuple[type[BaseModel] | None, str]] = {
    "forecast": (ForecastResponse, "Forecast the steps after the last of these rows."),
    "model": (ServedModel, "What is served, and how good it was."),
    "runs": (None, "Every run that is served."),
    "health": (Health, "Whether the server is alive."),
    "ready": (Health, "Whether requests should be sent here."),
    "metrics": (None, "What was counted, for Prometheus."),
}

# The statuses with which a forecast is refused.
_REFUSALS = (400, 401, 408, 413, 415, 422, 503, 504)


def describe_api(services: Mapping[str, Service], at: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    """The interface as OpenAPI writes it.

    Args:
        services: The runs, by name.
        at: The method of each path, and the run that it is about.
    """
    models: list[type[BaseModel]] = [Refusal, *(model for model, _ in _ANSWERS.values() if model is not None)]
    references, schemas = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
    )
    paths: dict[str, Any] = {}
    for path, (method, name) in at.items():
        model, said = _ANSWERS.get(path.rpartition("/")[2], (None, "This description."))
        answers = {"200": _as_json(said, references[model, "serialization"] if model else {})}
        operation: dict[str, Any] = {"summary": said, "responses": answers}
        if method == "POST":
            operation["requestBody"] = {"required": True} | _as_json("Rows.", services[name].reader.schema())
            refused = references[Refusal, "serialization"]
            answers |= {str(status): _as_json("Why it is refused.", refused) for status in _REFUSALS}
        paths[path] = {method.lower(): operation}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Forecasts of {', '.join(services)}", "version": VERSION},
        "paths": paths,
        "components": {"schemas": schemas["$defs"]},
    }


def _as_json(said: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": said, "content": {"application/json": {"schema": schema}}}
