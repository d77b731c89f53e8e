"""The bytes of a file, a pipe or standard input, bounded by memory; and the text that they encode."""

from __future__ import annotations

import codecs
import errno
import os
import re
import shlex
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from forecast import memory
from forecast.errors import DataError, EmptyError, MachineError, phrase, quote
from forecast.memory import megabytes
from forecast.tables.input import Input, call_to_read, read_after, read_output_of
from forecast.tables.spelling import nearest

# A longer file is read in chunks of this many bytes, so that its text and its numbers never stand in memory together.
CHUNK = 1 << 23

# Of a table that is read in one piece, raw bytes, decoded text, text cells, numbers, the sorted copy and the panel
# stand in memory together.
COPIES = 6

# The end of a pipe or a device cannot be known before it is read.
PIPE_CAP = 1 << 30

_BLOCK = 1 << 22
_NO_PATH = {errno.ENOTDIR, errno.EINVAL, errno.ENAMETOOLONG, errno.ELOOP}

# The mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class TooLargeError(DataError):
    """A table would not fit into memory."""


def check_memory(needed: int, label: str) -> None:
    """Refuse a table that would not fit.

    Raises:
        TooLargeError: If ``needed`` bytes are more than are available; gives both figures.
    """
    available = memory.available_memory()
    if needed > available:
        raise TooLargeError(
            f"{label} would need about {megabytes(needed)} of memory; {megabytes(available)} are available.",
            "Cut the file to the columns and years that matter, for example: cut -d, -f1,2 big.csv > small.csv",
        )


def find_input(source: str | Path) -> Input:
    """The bytes of a path, or of standard input for ``-``; a file longer than a chunk stays on the disk.

    Raises:
        DataError: If there is no such file, it may not be read, is empty or too large.
        MachineError: If the disk fails while reading.
    """
    path = str(source)
    if path == "-":
        if sys.stdin is None or sys.stdin.isatty():
            usage = phrase("forecast inspect - < data.csv", call_to_read("data.csv"))
            raise DataError("Nothing is piped into standard input.", f"Try: {usage}")
        found = _read_stream(Input("standard input", "-"), sys.stdin.buffer)
    else:
        _refuse_address(path)
        found = _read_file(Input.at(path), whole=False)
    if found.content == b"":
        raise EmptyError(
            f"{found.label} is empty (0 bytes).", f"Give a CSV or Parquet file: {call_to_read('data.csv')}"
        )
    return found


def whole(source: Input) -> Input:
    """The same input with all its bytes in memory.

    Raises:
        DataError: If they do not fit.
        MachineError: If the disk fails while reading.
    """
    return source if source.content is not None else _read_file(source, whole=True)


def content_of(source: Input) -> bytes:
    """All bytes of an input, unpacked."""
    return whole(source).content or b""


def _refuse_address(path: str) -> None:
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", path)
    if not scheme:
        return
    programs = {"s3": "aws s3 cp {} data.csv", "gs": "gcloud storage cp {} data.csv"}
    download = programs.get(scheme[1].lower(), "curl -L -o data.csv {}").format(shlex.quote(path))
    raise DataError(
        f"{quote(path)} is an address, not a file; nothing is fetched while reading.",
        f"Download it first: {read_after(download, 'data.csv')}",
    )


def _read_file(source: Input, whole: bool) -> Input:
    path, label = Path(source.path), source.label
    try:
        with path.open("rb") as stream:
            before = os.fstat(stream.fileno())
            if not stat.S_ISREG(before.st_mode):
                return _read_stream(source, stream)
            if before.st_size > CHUNK and not whole:
                return source
            check_memory(before.st_size * COPIES, label)
            # Some regular files, those of /proc, have no size until they are read.
            data = stream.read(before.st_size or _BLOCK)
            after = os.fstat(stream.fileno())
    except FileNotFoundError:
        raise DataError(f"There is no file {label}.", _similar_paths(path)) from None
    except IsADirectoryError:
        raise DataError(f"{label} is a folder, not a file.", f"Name a file: {call_to_read('data.csv')}") from None
    except PermissionError:
        raise DataError(f"{label} cannot be read by this user.", f"Try: chmod u+r {shlex.quote(str(path))}") from None
    except (ValueError, OSError) as error:
        if isinstance(error, ValueError) or error.errno in _NO_PATH:
            raise DataError(f"{label} is not a path: {error}.", "Give the path of a CSV or Parquet file.") from None
        raise MachineError(f"{label} could not be read: {error}.", "Check the disk, then try again.") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) and len(data) < after.st_size:
        # The last line may be half written; a number that is cut in two still looks like one.
        data = data[: data.rfind(b"\n") + 1]
        grown = f"{label} grew while it was read; its first {len(data):,} bytes are used."
        return replace(source, content=data, warnings=(grown,))
    return replace(source, content=data)


def _similar_paths(path: Path) -> str:
    datasets = phrase("forecast datasets", "forecast.DATASETS")
    try:
        names = os.listdir(path.parent)
    except OSError:
        return f"There is no folder {quote(path.parent)} either. Built-in series: {datasets}"
    if near := nearest(path.name, names):
        return f"Did you mean: {call_to_read(str(path.parent / near))}"
    return f"Built-in series: {datasets}"


def _read_stream(source: Input, stream: BinaryIO) -> Input:
    cap = min(PIPE_CAP, memory.available_memory() // COPIES)
    blocks: list[bytes] = []
    size = 0
    while block := stream.read(_BLOCK):
        blocks.append(block)
        # No text holds sixteen NULs: /dev/zero and the like need not be read on to be refused.
        if b"\0" * 16 in block and blocks[0][:2] not in (b"\x1f\x8b", b"PK", b"PA"):
            break
        size += len(block)
        if size > cap:
            raise DataError(
                f"{source.label} is longer than {megabytes(cap)}, the most that is read from a pipe or a device.",
                f"Write it to a file first: {read_after('… > data.csv', 'data.csv')}",
            )
    return replace(source, content=b"".join(blocks))


def decode(source: Input, encoding: str | None) -> Input:
    """The same input as UTF-8 text without a byte-order mark, with the line feed as the only line end.

    Args:
        source: The raw bytes.
        encoding: Name of a Python text codec; None takes a byte-order mark, else UTF-8.

    Raises:
        DataError: If the bytes are not text of that encoding; names the offset, line and an encoding that fits.
    """
    data, warnings = content_of(source), source.warnings
    if encoding is None:
        encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
        if encoding is None:
            _refuse_nul(source, data)
    name = encoding or "utf-8"
    try:
        # Only codecs between text and bytes: `zlib` and `hex` are codecs as well.
        if not codecs.lookup(name)._is_text_encoding:
            raise LookupError
    except (LookupError, ValueError):
        raise DataError(f"{quote(name)} is not an encoding.", source.retry(encoding="latin-1")) from None
    if not (data.isascii() and name in ("utf-8", "utf-8-sig")):
        try:
            data = data.decode(name).removeprefix("\ufeff").encode("utf-8")
        except UnicodeError as error:
            raise _undecodable(source, data, name, error) from None
    _refuse_nul(source, data)
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    ended = data.rstrip(b"\n\x1a ")
    if b"\x1a" in data[len(ended) :]:
        warnings += ("A trailing Ctrl-Z (end-of-file mark of DOS) is left out.",)
        data = ended + b"\n"
    return replace(source, content=data, warnings=warnings)


def _undecodable(source: Input, data: bytes, name: str, error: UnicodeError) -> DataError:
    if not isinstance(error, UnicodeDecodeError):
        return DataError(f"{source.label} is not {name} text: {error}.", source.retry(encoding="utf-8"))
    line = data.count(b"\n", 0, error.start) + 1
    byte = data[error.start] if error.start < len(data) else 0
    # 0x80–0x9f are control characters in Latin-1 but quotes, dashes and the euro sign in Windows-1252.
    likely = "cp1252" if re.search(rb"[\x80-\x9f]", data[error.start :]) else "latin-1"
    return DataError(
        f"{source.label}, line {line}: byte 0x{byte:02x} at offset {error.start} is not {name} text.",
        source.retry(encoding=likely if name == "utf-8" else "utf-8"),
    )


def _refuse_nul(source: Input, data: bytes) -> None:
    """Refuse text with a NUL byte, which a parser in C would take for its end."""
    offset = data.find(b"\0")
    if offset < 0:
        return
    sample = data[: 1 << 16]
    # Two zero bytes in a row never occur in the UTF-16 of a table.
    if len(sample) >= 4 and b"\0\0" not in sample and sample.count(0) > len(sample) * 0.4:
        raise DataError(
            f"{source.label} looks like UTF-16 without a byte-order mark (NUL byte at offset {offset}).",
            source.retry(encoding="utf-16-le" if offset % 2 else "utf-16-be"),
        )
    line = data.count(b"\n", 0, offset) + 1
    without = read_output_of(source.piped("cat") + " | tr -d '\\000'")
    raise DataError(
        f"{source.label}, line {line}: NUL byte at offset {offset}. The file is binary or damaged.",
        f"If it only contains stray NULs: {without}",
    )
