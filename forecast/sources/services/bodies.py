"""What stands in the body of an answer: JSON, CSV, gzip; or something else, which is told by its first words.

Status 200 is no success. A service says that a limit is reached in JSON where CSV was asked for, and that it is down in
a page of HTML; an answer that broke off ends where it broke.
"""

from __future__ import annotations

import csv
import html
import io
import json
import math
import re
import zlib
from collections.abc import Sequence
from typing import Any

# Characters of an answer that an error repeats.
_WORDS = 160

# Bytes of an answer in which its first words are looked for.
_BEGINNING = 100_000

# Keys under which services say what is wrong.
_REASONS = ("reason", "detail", "description", "errorMessage", "error_message", "Error Message", "Information", "Note",
            "message", "error", "errors")  # fmt: skip


class UnusableError(Exception):
    """An answer that is not what was asked for.

    Args:
        reason: What it is instead, to follow "answered with".
        again: Whether to ask once more may help: it broke off, or the service was busy.
    """

    def __init__(self, reason: str, again: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.again = reason, again


def json_of(content: bytes) -> Any:
    """The JSON of an answer.

    Raises:
        UnusableError: If it is none, or broke off.
    """
    text = _text(content).strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if text[:1] not in ("{", "["):
        raise UnusableError(f"{_kind(text)} instead of JSON: {first_words(content)}")
    # Open-Meteo writes what went wrong behind the half of the answer that it had sent.
    ending = re.search(r"Unexpected error.*$", text[-500:], re.DOTALL)
    raise UnusableError(f"JSON that breaks off{f': {ending[0][:_WORDS]}' if ending else ''}", again=True)


def csv_of(content: bytes, *required: str) -> dict[str, list[str]]:
    """The columns of an answer in CSV, by name; cells are stripped of blanks.

    Args:
        content: The body.
        required: Columns without which it is not what was asked for.

    Raises:
        UnusableError: If it is no CSV, lacks a column, or broke off.
    """
    text = _text(content)
    if text.lstrip()[:1] in ("<", "{", "["):
        raise UnusableError(f"{_kind(text)} instead of CSV: {first_words(content)}")
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if row]
    except csv.Error as error:
        raise UnusableError(f"no CSV: {error}") from None
    header = rows[0] if rows else []
    if missing := [name for name in required if name not in header]:
        raise UnusableError(f"a table without the column {missing[0]!r}: {first_words(content)}")
    if any(len(row) != len(header) for row in rows):
        raise UnusableError("CSV that breaks off", again=True)
    return {name: [row[position] for row in rows[1:]] for position, name in enumerate(header)}


def unzipped(content: bytes, most_bytes: int) -> bytes:
    """The content of a gzip file; what is none stays as it is, because a server may have unpacked it.

    Raises:
        UnusableError: If it broke off, is damaged, or holds more than so many bytes.
    """
    if content[:2] != b"\x1f\x8b":
        return content
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(content, most_bytes)
    except zlib.error:
        raise UnusableError("a damaged gzip file", again=True) from None
    if unpacker.unconsumed_tail:
        raise UnusableError(f"a gzip file that holds more than {most_bytes:,} bytes")
    if not unpacker.eof:
        raise UnusableError("a gzip file that breaks off", again=True)
    return text


def first_words(content: bytes) -> str:
    """What an answer says first, for an error: the reason in JSON, the title of a page, or its beginning."""
    text = _text(content[:_BEGINNING]).strip()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if reason := _reason(found):
        text = reason
    elif title := re.search(r"<title[^>]*>(.*?)</title", text, re.IGNORECASE | re.DOTALL):
        text = html.unescape(title[1])
    elif text.startswith("<"):
        text = html.unescape(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text, flags=re.IGNORECASE | re.DOTALL))
    text = " ".join(text.split())
    return f"{text[:_WORDS]}…" if len(text) > _WORDS else text or "nothing"


def numbers(cells: Sequence[Any], missing: Sequence[str] = ("", ".", "NaN", "null")) -> list[float]:
    """Numbers of cells, of text or of JSON; NaN where nothing was measured.

    Raises:
        UnusableError: If a cell is neither.
    """
    try:
        found = [math.nan if cell is None or cell in missing else float(cell) for cell in cells]
    except (TypeError, ValueError, OverflowError) as error:
        raise UnusableError(f"a value that is no number: {str(error)[:_WORDS]}") from None
    if any(map(math.isinf, found)):
        raise UnusableError("a value that is infinite")
    return found


def _reason(found: Any) -> str | None:
    """The first text under one of the known keys, however deep it stands in the first levels."""
    if isinstance(found, list) and found:
        return _reason(found[0])
    if not isinstance(found, dict):
        return None
    for key in _REASONS:
        value = found.get(key)
        if isinstance(value, str) and value.strip():
            return value
        if nested := _reason(value):
            return nested
    return next(filter(None, (_reason(value) for value in found.values() if isinstance(value, dict))), None)


def _kind(text: str) -> str:
    return {"<": "a page of HTML", "{": "JSON", "[": "JSON", "": "nothing"}.get(text.lstrip()[:1], "text")


def _text(content: bytes) -> str:
    return content.decode("utf-8-sig", errors="replace")
