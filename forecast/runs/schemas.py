"""The documents of a run: what they may say, and what is made of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from forecast.config import Config
from forecast.errors import RunError
from forecast.runs.documents import Record, record_of

if TYPE_CHECKING:
    from forecast.data.scaling import Scaler

_EXACT = ConfigDict(extra="forbid", strict=True)
_OPEN = ConfigDict(extra="allow", strict=True)

Count = Annotated[int, Field(ge=0)]

# A plain path below the folder: no "..", no "." and no root can be said in it.
_PLACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


class _File(TypedDict):
    __pydantic_config__ = _EXACT  # type: ignore[misc]  # what pydantic reads is no key of the dictionary
    bytes: Count
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Data(TypedDict, total=False):
    __pydantic_config__ = _EXACT  # type: ignore[misc]
    fingerprint: str
    rows: Count
    columns: list[str]
    series_ids: list[str]
    series: Any  # what an earlier version wrote instead of series_ids; it is not read
    freq: str
    first: str
    last: str
    notes: list[str]
    warnings: list[str]
    validation_from: str
    test_from: str


class _Windows(TypedDict, total=False):
    __pydantic_config__ = _EXACT  # type: ignore[misc]
    train: Count
    validation: Count
    test: Count


class _Network(TypedDict, total=False):
    __pydantic_config__ = _EXACT  # type: ignore[misc]
    parameters: Count
    members: Count
    best_epochs: list[Count]
    seconds: float
    fell_back: bool
    best_epoch: Any  # of an earlier version; these are not read
    epochs: Any


class _Manifest(TypedDict, total=False):
    __pydantic_config__ = _EXACT  # type: ignore[misc]
    schema: int
    state: Literal["training", "finished"]
    files: Annotated[dict[str, _File], Field(max_length=10_000)]
    started: str
    finished: str
    command: str
    source: str | None
    title: str
    data: _Data
    python: str
    platform: str
    versions: dict[str, str]
    seed: int
    windows: _Windows
    networks: dict[str, _Network]
    forecast_weights: Literal["model", "refit"]
    runtimes: dict[str, Literal["onnxruntime", "tensorflow"]]


class _Metrics(TypedDict, total=False):
    __pydantic_config__ = _OPEN  # type: ignore[misc]
    n_windows: Count
    horizon: Count
    unit: str
    season: Count
    model: str
    models: dict[str, dict[str, float | None]]
    skill: dict[str, float | None]
    by_step: dict[str, list[float | None]]
    p_value: dict[str, float | None]
    reasons: dict[str, str]
    skill_of: str
    verdict: str


def check_manifest(manifest: Record) -> None:
    """Nothing if a manifest says what manifests say. What is absent is missed where it is asked for.

    Raises:
        RunError: If a key or a value is none of a manifest's, or a file lies elsewhere.
    """
    _check(manifest, TypeAdapter(_Manifest))
    odd = next((name for name in manifest.get("files", ()) if not _PLACE.fullmatch(name)), None)
    if odd is not None:
        raise RunError(f"{manifest.path} is damaged: {odd[:100]!r} is no place of a file in a run.", _AGAIN)


def check_metrics(metrics: Record) -> None:
    """Nothing if the figures that every reader of metrics.json takes are of their kind.

    Raises:
        RunError: If one is not; names it.
    """
    _check(metrics, TypeAdapter(_Metrics))


def config_from_json(content: bytes, path: Path) -> Config:
    """The configuration that `Config.to_json` wrote.

    Args:
        content: The file.
        path: Where it is, for messages.

    Raises:
        RunError: If it is not JSON.
        ConfigError: If it is not a configuration.
    """
    return Config.from_sections(record_of(content, path))


def scaler_from_json(content: bytes, path: Path) -> Scaler:
    """The scaler that `Scaler.to_json` wrote.

    Args:
        content: The file.
        path: Where it is, for messages.

    Raises:
        RunError: If it is damaged: other keys, other shapes, a scale that is not positive and finite.
    """
    from forecast.data.scaling import scaler_from_record  # which brings pandas

    try:
        return scaler_from_record(record_of(content, path))
    except ValueError as error:
        raise _damaged(path, error) from None


_AGAIN = "Train the run again."


def _check(record: Record, kind: TypeAdapter[Any]) -> None:
    try:
        kind.validate_python(record)
    except ValidationError as error:
        raise _damaged(record.path, error) from None


def _damaged(path: Path, error: ValueError) -> RunError:
    reason = str(error)
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        reason = f"{'.'.join(map(str, first['loc']))[:100]}: {first['msg']}"
    return RunError(f"{path} is damaged: {reason}.", _AGAIN)
