"""A file that is followed while it grows, is emptied and is replaced: what was written to it whole is read once."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

# Seconds until the file is looked at again, and until a file that is not there is said to be missing: a rotation takes
# a moment to make the next one.
_WAIT = 0.2
_PATIENCE = 5.0

# Bytes before the position in a file that are compared at each look: where they differ, it was emptied. They hold some
# rows, with their times, and so stand nowhere else.
_REMEMBERED = 1024


def chunks_of_followed(path: str, most: int, warn: Callable[[str], None]) -> Iterator[bytes | None]:
    """What is read of a file, and of the files that take its place, for ever.

    A file that was moved away is read until the one in its place has content, and then once more to its end: by then
    the program that writes has changed over. Files that were there only between two looks are read next, where they
    are now: those beside it that begin with the same line and were written to later. Of a file that was emptied, the
    rest is read from a copy beside it, as logrotate's ``copytruncate`` makes one.

    Args:
        path: Where the file is, and the next one will be.
        most: Bytes that are read at once.
        warn: Receives what happened to the file.

    Yields:
        Bytes; none where another file begins; None before a wait.

    Raises:
        OSError: If there is no such file.
    """
    name, warned = Path(path).name, False
    file: IO[bytes] = open(path, "rb")  # noqa: SIM115 - closed at the end
    successor: IO[bytes] | None = None
    there, position, seen = time.monotonic(), 0, b""  # `seen` are the bytes before the position
    try:
        while True:
            content = os.pread(file.fileno(), len(seen) + most, position - len(seen))
            chunk = content[len(seen) :]
            if content[: len(seen)] != seen:
                copy = _copy_of(Path(path), position, seen)
                where = "in no file beside it" if copy is None else f"read from {Path(copy.name).name}"
                warn(f"{name} was emptied: what was written to it before, but not read yet, is {where}")
                if copy is not None:
                    with copy:
                        copy.seek(position)
                        while piece := copy.read(most):
                            yield piece
                yield b""
                position, seen = 0, b""
            elif chunk:
                yield chunk
                position, seen = position + len(chunk), (seen + chunk)[-_REMEMBERED:]
            elif successor is not None:
                for between in _between(Path(path), file, successor, warn):
                    with between:
                        warn(f"{name} was replaced more than once: {Path(between.name).name} is read first")
                        yield b""
                        while piece := between.read(most):
                            yield piece
                file.close()
                warn(f"{name} was replaced: on with the new file")
                yield b""
                file, successor, position, seen = successor, None, 0, b""
            else:
                successor = _successor(path, file)
                if successor is None:
                    if os.path.exists(path):
                        there, warned = time.monotonic(), False
                    elif time.monotonic() - there > _PATIENCE and not warned:
                        warned = True
                        warn(f"{name} is gone: waiting for the next one")
                    yield None
                    time.sleep(_WAIT)
    finally:
        file.close()
        if successor is not None:
            successor.close()


def _successor(path: str, file: IO[bytes]) -> IO[bytes] | None:
    """The file that took the place of another, once it has content."""
    with suppress(FileNotFoundError):
        found = os.stat(path)
        if found.st_size and not os.path.samestat(found, os.fstat(file.fileno())):
            return open(path, "rb")
    return None


def _between(path: Path, file: IO[bytes], successor: IO[bytes], warn: Callable[[str], None]) -> list[IO[bytes]]:
    """The files that took a path's place after one, and gave way to another, in the order in which they were written.

    They lie beside it, under names that begin like its own. A copy of the first file may be among them, which does no
    harm: its rows have been read. Without a header nothing tells their rows from others, so they are only named.
    """
    before, after = (os.fstat(one.fileno()) for one in (file, successor))
    found: list[tuple[int, IO[bytes]]] = []
    for beside in path.parent.glob("*"):
        with suppress(OSError):
            status = beside.stat()
            is_between = before.st_mtime_ns < status.st_mtime_ns <= after.st_mtime_ns
            if not (is_between and beside.name.startswith(path.stem)) or os.path.samestat(status, after):
                continue
            between = open(beside, "rb")  # noqa: SIM115 - whoever asked closes it
            if _first_line(between) == _first_line(file):
                found.append((status.st_mtime_ns, between))
                continue
            between.close()
            if re.fullmatch(rf"{re.escape(path.name)}[._-]\d+", beside.name):
                warn(f"{beside.name} may hold rows that came before those of {path.name}, and is not read")
    return [between for _, between in sorted(found, key=lambda pair: pair[0])]


def _first_line(file: IO[bytes]) -> bytes:
    return os.pread(file.fileno(), _REMEMBERED, 0).partition(b"\n")[0]


def _copy_of(path: Path, position: int, seen: bytes) -> IO[bytes] | None:
    """A file beside a path that holds what was read from there: the bytes before a position."""
    for beside in path.parent.glob("*"):
        if beside.name != path.name and beside.name.startswith(path.stem) and beside.is_file():
            with suppress(OSError):
                file = open(beside, "rb")  # noqa: SIM115 - whoever asked closes it
                if os.pread(file.fileno(), len(seen), position - len(seen)) == seen:
                    return file
                file.close()
    return None
