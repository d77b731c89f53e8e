"""Bytes to text: the encoding told by a byte-order mark or by the user, else UTF-8 or refused."""

from __future__ import annotations

import codecs
import re
from dataclasses import replace

from forecast.errors import DataError
from forecast.tables.source import Source, show

# The mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(origin: Source, encoding: str | None) -> Source:
    """The same source as UTF-8 text without a byte-order mark, with the line feed as the only line end.

    Args:
        origin: The raw bytes.
        encoding: Name of a Python text codec; None takes a byte-order mark, else UTF-8.

    Raises:
        DataError: If the bytes are not text of that encoding; names the offset, line and an encoding that fits.
    """
    data = origin.data
    warnings = origin.warnings
    if encoding is None:
        encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
        if encoding is None:
            _refuse_nul(origin, data)
    name = encoding or "utf-8"
    try:
        # Only codecs between text and bytes: `zlib` and `hex` are codecs as well.
        if not codecs.lookup(name)._is_text_encoding:
            raise LookupError
    except (LookupError, ValueError):
        raise DataError(f"{show(name)} is not an encoding.", origin.command("--encoding latin-1")) from None
    if not (data.isascii() and name in ("utf-8", "utf-8-sig")):
        try:
            data = data.decode(name).removeprefix("\ufeff").encode("utf-8")
        except UnicodeError as error:
            raise _undecodable(origin, name, error) from None
    _refuse_nul(origin, data)
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    ended = data.rstrip(b"\n\x1a ")
    if b"\x1a" in data[len(ended) :]:
        warnings += ("A trailing Ctrl-Z (end-of-file mark of DOS) is left out.",)
        data = ended + b"\n"
    return replace(origin, data=data, warnings=warnings)


def _undecodable(origin: Source, name: str, error: UnicodeError) -> DataError:
    data = origin.data
    if not isinstance(error, UnicodeDecodeError):
        return DataError(f"{origin.label} is not {name} text: {error}.", origin.command("--encoding utf-8"))
    line = data.count(b"\n", 0, error.start) + 1
    byte = data[error.start] if error.start < len(data) else 0
    # 0x80–0x9f are control characters in Latin-1 but quotes, dashes and the euro sign in Windows-1252.
    guess = "cp1252" if re.search(rb"[\x80-\x9f]", data[error.start :]) else "latin-1"
    if name != "utf-8":
        guess = "utf-8"
    return DataError(
        f"{origin.label}, line {line}: byte 0x{byte:02x} at offset {error.start} is not {name} text.",
        origin.command(f"--encoding {guess}"),
    )


def _refuse_nul(origin: Source, data: bytes) -> None:
    """Refuse text with a NUL byte, which a parser in C would take for its end."""
    offset = data.find(b"\0")
    if offset < 0:
        return
    sample = data[: 1 << 16]
    # Two zero bytes in a row never occur in the UTF-16 of a table.
    if len(sample) >= 4 and b"\0\0" not in sample and sample.count(0) > len(sample) * 0.4:
        encoding = "utf-16-le" if offset % 2 else "utf-16-be"
        raise DataError(
            f"{origin.label} looks like UTF-16 without a byte-order mark (NUL byte at offset {offset}).",
            origin.command(f"--encoding {encoding}"),
        )
    line = data.count(b"\n", 0, offset) + 1
    raise DataError(
        f"{origin.label}, line {line}: NUL byte at offset {offset}. The file is binary or damaged.",
        f"If only stray NULs are in it: {origin.piped('cat')} | tr -d '\\000' | forecast inspect -",
    )
