"""JSON as a run's files hold it: bounded, shallow, every key once, every number finite."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from forecast.errors import RunError

# Bytes that reading a document may take. They are estimated from its characters before it is parsed, by what Python was
# measured to need at most: for each byte of text, which is wide where one character is; and for what each mark makes.
_MOST_MEMORY = 90 * 1024**2
_OF_TEXT, _OF_WIDE_TEXT = 3, 9
_OF_MARKS = {b",": 40, b'"': 30, b":": 100, b"[": 120, b"{": 120}

# A document of this size can stay below that; a larger one cannot.
LARGEST_DOCUMENT = _MOST_MEMORY // _OF_TEXT

# Ours are six deep.
_DEEPEST = 20

_LARGEST_INTEGER = 2**63

# Escapes one after the other. Half of a pair of surrogates Python takes for a character, and cannot write.
_ESCAPES = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F]|u[dD](?P<half>[89abcdefABCDEF])|.)", re.DOTALL)


class Record(dict[str, Any]):
    """What a document says, by key. A key that is absent is a flaw of the document, not of the code that asks."""

    __slots__ = ("path",)

    def __init__(self, path: Path, pairs: Iterable[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.path = path

    def __missing__(self, key: str) -> Any:
        raise RunError(
            f"{self.path} does not say {key!r}: it is damaged, or of another version.", "Train the run again."
        )


def record_of(content: bytes, path: Path) -> Record:
    """What a JSON document says.

    Args:
        content: The document.
        path: Where it is, for messages.

    Raises:
        RunError: If it is no JSON object, too large or too deep, or has a key twice or a number that is not finite.
    """
    memory = len(content) * (_OF_TEXT if content.isascii() else _OF_WIDE_TEXT)
    memory += sum(bytes_of_one * content.count(mark) for mark, bytes_of_one in _OF_MARKS.items())
    if memory > _MOST_MEMORY:
        raise RunError(f"{path} is too large: {len(content):,} bytes of JSON.", "Train the run again.")
    try:
        if any(escape["half"] for escape in _ESCAPES.finditer(content)):
            raise ValueError("it has half of a character")
        value = json.loads(
            content.decode(),
            object_pairs_hook=partial(_each_once, path),
            parse_constant=_refused,
            parse_float=_finite,
            parse_int=_limited,
        )
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is not JSON: {error}.") from None
    if not isinstance(value, Record):
        raise RunError(f"{path} is not a JSON object.")
    _refuse_depth(value, path)
    return value


def _each_once(path: Path, pairs: list[tuple[str, Any]]) -> Record:
    record = Record(path, pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"it has the key {next(key for key in keys if keys.count(key) > 1)!r} twice")
    return record


def _refused(name: str) -> float:
    raise ValueError(f"it has {name}, which is no number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"it has the number {text[:20]}, which is too large")
    return value


def _limited(text: str) -> int:
    value = int(text) if len(text) < 20 else _LARGEST_INTEGER
    if abs(value) >= _LARGEST_INTEGER:
        raise ValueError(f"it has the number {text[:20]}, which is too large")
    return value


def _refuse_depth(value: Any, path: Path) -> None:
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            part
            for one in level
            for part in (one.values() if isinstance(one, dict) else one)
            if isinstance(part, (dict, list))
        ]
        if not level:
            return
    raise RunError(f"{path} is nested too deeply: more than {_DEEPEST} levels.", "Train the run again.")
