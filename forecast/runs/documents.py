"""JSON as a run's files hold it: bounded, shallow, every key once, every number finite; and what each file may say."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, with_config
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from forecast.errors import RunError
from forecast.models.runtimes import RUNTIMES
from forecast.runs.files import damaged

if TYPE_CHECKING:
    from forecast.data.scaling import Scaler

# Bytes of memory that parsing may take. They are estimated from the text before it is parsed, from the most that Python
# was measured to need: for each byte of text, more where a character takes several; and for what each mark creates.
_MOST_MEMORY = 90 * 1024**2
_OF_TEXT, _OF_WIDE_TEXT = 3, 9
_OF_MARKS = {b",": 40, b'"': 30, b":": 100, b"[": 120, b"{": 120}

# The same for each further series of a run: four times what its scores by model and level were measured to take.
_OF_SERIES = 48 * 1024


def largest_document(n_series: int = 1) -> int:
    """Bytes of a document on some series. A smaller one may need too much memory, too; a larger one always does."""
    return _most_memory(n_series) // _OF_TEXT


def _most_memory(n_series: int) -> int:
    return _MOST_MEMORY + (n_series - 1) * _OF_SERIES


_MOST_LEVELS = 20  # those of a run have six
_LARGEST_INTEGER = 2**63

# Escapes, one after the other. Python reads half of a surrogate pair as a character, and cannot write that character.
_ESCAPES = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F]|u[dD](?P<half>[89abcdefABCDEF])|.)", re.DOTALL)


class JsonObject(dict[str, Any]):
    """The content of a document. Asking for a key that is absent says that the document is damaged."""

    __slots__ = ("path",)

    def __init__(self, path: Path, pairs: Iterable[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.path = path

    def __missing__(self, key: str) -> Any:
        raise RunError(
            f"{self.path} does not say {key!r}: it is damaged, or from another version.", "Train the run again."
        )


def to_json(value: object) -> str:
    """A value as a JSON document.

    Raises:
        ValueError: If it holds NaN or Infinity.
    """
    return json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def parse_json(content: bytes, path: Path, n_series: int = 1) -> JsonObject:
    """The content of a JSON document.

    Args:
        content: The document.
        path: Where it is, for messages.
        n_series: How many series it may be about.

    Raises:
        RunError: If it is no JSON object, too large or too deep, or has a key twice or a number that is not finite.
    """
    memory = len(content) * (_OF_TEXT if content.isascii() else _OF_WIDE_TEXT)
    memory += sum(bytes_of_one * content.count(mark) for mark, bytes_of_one in _OF_MARKS.items())
    if memory > _most_memory(n_series):
        raise RunError(f"{path} is too large: {len(content):,} bytes of JSON.", "Train the run again.")
    try:
        if any(escape["half"] for escape in _ESCAPES.finditer(content)):
            raise ValueError("it has half of a character")
        value = json.loads(
            content.decode(),
            object_pairs_hook=partial(_with_unique_keys, path),
            parse_constant=_refuse_constant,
            parse_float=_finite_float,
            parse_int=_bounded_integer,
        )
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is not JSON: {error}.") from None
    if not isinstance(value, JsonObject):
        raise RunError(f"{path} is not a JSON object.")
    _check_depth(value, path)
    return value


def _with_unique_keys(path: Path, pairs: list[tuple[str, Any]]) -> JsonObject:
    value = JsonObject(path, pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"it has the key {next(key for key in keys if keys.count(key) > 1)!r} twice")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"it has {name}, which is not a number")


def _finite_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"it has the number {text[:20]}, which is too large")
    return value


def _bounded_integer(text: str) -> int:
    value = int(text) if len(text) < 20 else _LARGEST_INTEGER
    if abs(value) >= _LARGEST_INTEGER:
        raise ValueError(f"it has the number {text[:20]}, which is too large")
    return value


def _check_depth(value: JsonObject, path: Path) -> None:
    level: list[Any] = [value]
    for _ in range(_MOST_LEVELS):
        level = [
            part
            for outer in level
            for part in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(part, (dict, list))
        ]
        if not level:
            return
    raise RunError(f"{path} is nested too deeply: more than {_MOST_LEVELS} levels.", "Train the run again.")


_exact = with_config(ConfigDict(extra="forbid", strict=True))


def _check_runtime(name: str) -> str:
    """The name, if there is such a runtime; one may have been added to `RUNTIMES` by the user."""
    if name not in RUNTIMES:
        raise PydanticCustomError("runtime", "it should be one of {names}", {"names": ", ".join(RUNTIMES)})
    return name


Count = Annotated[int, Field(ge=0)]
RuntimeName = Annotated[str, AfterValidator(_check_runtime)]

# A path below the folder: it can hold no "..", no "." and no root.
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


@_exact
class _File(TypedDict):
    bytes: Count
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


@_exact
class _Data(TypedDict, total=False):
    fingerprint: str
    rows: Count
    columns: list[str]
    series_ids: list[str]
    series: Any  # an earlier version wrote it instead of series_ids; it is not read
    freq: str
    tz: str | None
    holidays: list[str]
    first: str
    last: str
    units: dict[str, str]
    notes: list[str]
    warnings: list[str]
    validation_from: str | list[str]  # of all series, or of each
    test_from: str | list[str]


@_exact
class _Windows(TypedDict, total=False):
    train: Count
    validation: Count
    test: Count


@_exact
class _Network(TypedDict, total=False):
    parameters: Count
    members: Count
    best_epochs: list[Count]
    seconds: float
    fell_back: bool
    best_epoch: Any  # an earlier version wrote these two; they are not read
    epochs: Any


@_exact
class _Member(TypedDict, total=False):
    name: str
    epochs: Count
    seconds: float


@_exact
class _Update(TypedDict, total=False):
    continued_from: Count
    rows_new: Count
    optimizer: Literal["kept", "new"]
    changed_since: str | None  # when a change began, which was learned of
    skill: float | None  # over the version before, on rows that neither was trained on
    p_value: float | None
    why: str


@_exact
class _Parts(TypedDict):
    folder: str
    memory: Count
    bytes: Count
    on_disk: Count
    files: Count
    sampled: Count
    sets: Count


@_exact
class _Manifest(TypedDict, total=False):
    schema: int
    version: Annotated[int, Field(ge=1)]
    update: _Update  # of a version that continues another one
    state: Literal["training", "finished"]
    files: Annotated[dict[str, _File], Field(max_length=10_000)]
    started: str
    finished: str
    command: str
    source: str | None
    asked: dict[str, dict[str, Any]]
    title: str
    data: _Data
    parts: _Parts  # of a panel that is larger than memory
    python: str
    platform: str
    versions: dict[str, str]
    seed: int
    windows: _Windows
    networks: dict[str, _Network]
    members: list[_Member]
    forecast_weights: Literal["model", "refit"]
    runtimes: dict[str, RuntimeName]


@with_config(ConfigDict(extra="allow", strict=True))
class _Metrics(TypedDict, total=False):
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


_MANIFEST, _METRICS = TypeAdapter(_Manifest), TypeAdapter(_Metrics)


def check_manifest(manifest: JsonObject) -> None:
    """Check the keys of a manifest.json that are there, and their values.

    Raises:
        RunError: If a key is unknown, a value is of another kind, or a file lies outside the folder.
    """
    _check(manifest, _MANIFEST)
    strange = next((name for name in manifest.get("files", ()) if not _PATH.fullmatch(name)), None)
    if strange is not None:
        raise damaged(manifest.path, f"{strange[:100]!r} is not a place for a file of a run")


def check_metrics(metrics: JsonObject) -> None:
    """Check the figures of a metrics.json that every reader uses.

    Raises:
        RunError: If a value is of another kind; names it.
    """
    _check(metrics, _METRICS)


def scaler_from_json(content: bytes, path: Path, n_series: int = 1) -> Scaler:
    """The scaler of some series whose `to_record` was saved.

    Raises:
        RunError: If it has other keys or other shapes, or a scale that is not positive and finite.
    """
    from forecast.data.scaling import Scaler  # which imports pandas

    try:
        return Scaler.from_record(parse_json(content, path, n_series))
    except ValueError as error:
        raise _damaged_document(path, error) from None


def _check(value: JsonObject, kind: TypeAdapter[Any]) -> None:
    try:
        kind.validate_python(value)
    except ValidationError as error:
        raise _damaged_document(value.path, error) from None


def _damaged_document(path: Path, error: ValueError) -> RunError:
    if not isinstance(error, ValidationError):
        return damaged(path, error)
    first = error.errors(include_url=False)[0]
    return damaged(path, f"{'.'.join(map(str, first['loc']))[:100]}: {first['msg']}")
