"""The lines of a file or a pipe as they come, and of the files that take a file's place while it is followed."""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from forecast.commands.stream.rotation import chunks_of_followed
from forecast.errors import DataError, quote

# Bytes that are read at once, at most.
_AT_ONCE = 65_536

# Seconds until what waits is told so, and until a pipe that another program may open is read again.
_WAIT = 0.2

# No line of a table is longer; a binary file may be.
_LONGEST = 1_000_000


def lines_of(
    path: str, follow: bool = False, warn: Callable[[str], None] = lambda sentence: None
) -> Iterator[tuple[int, bytes] | None]:
    """The lines of a file or of standard input as they come, each with its number in its file, from 1 on.

    Args:
        path: A path, or ``-`` for standard input.
        follow: Wait at the end of a file for it to grow; and, where it is emptied or replaced, as a rotation does it,
            read the rest of what was there, and go on with line 1 of what is there now.
        warn: Receives what happened to the file; and a last line without an end, which is not a line yet if it comes
            from a pipe or a file that is followed: the program that writes it may have stopped in a number.

    Yields:
        Number and line; None whenever the next one has to be waited for.

    Raises:
        DataError: If there is no such file, or a line has no end.
    """
    advice, label = "Give a file, or - for standard input.", "standard input" if path == "-" else Path(path).name
    file: Any = None
    try:
        if follow and os.path.isfile(path):
            is_table, chunks = False, chunks_of_followed(path, _AT_ONCE, warn)
        else:
            file = sys.stdin.buffer if path == "-" else open(path, "rb")  # noqa: SIM115 - standard input stays open
            status = _status(file)
            is_table = status is not None and stat.S_ISREG(status.st_mode)
            chunks = _chunks(file, follow and (is_table or path != "-"))  # at its end a pipe to standard input is over
        rest, number = b"", 0
        for chunk in chunks:
            if chunk is None:
                yield None
            elif not chunk:  # another file
                _warn_of_unfinished(label, rest, warn)
                rest, number = b"", 0
            else:
                # A program that does not append goes on where it was when its file was emptied, behind a hole of zeros.
                *whole, rest = (rest + chunk).lstrip(b"\0").split(b"\n")
                yield from enumerate(whole, number + 1)
                number += len(whole)
                if len(rest) > _LONGEST:
                    raise DataError(f"{quote(path)} has a line of more than {_LONGEST:,} bytes: no table has.", advice)
        if rest and is_table:
            yield number + 1, rest
        else:
            _warn_of_unfinished(label, rest, warn)
    except OSError as error:
        raise DataError(f"Cannot read {quote(path)}: {error.strerror}.", advice) from None
    finally:
        if file is not None and path != "-":
            file.close()


def _chunks(file: IO[bytes], follow: bool) -> Iterator[bytes | None]:
    """What is read of a file or pipe, None while nothing comes; to its end, or for ever if it is followed."""
    has_number = _status(file) is not None
    while True:
        while has_number and not select.select([file], [], [], _WAIT)[0]:
            yield None
        chunk = file.read1(_AT_ONCE)  # type: ignore[attr-defined]
        if chunk:
            yield chunk
        elif follow:
            yield None
            time.sleep(_WAIT)
        else:
            return


def _status(file: IO[bytes]) -> os.stat_result | None:
    """What the system says of a file; None of bytes in memory, of which it knows nothing."""
    try:
        return os.fstat(file.fileno())
    except OSError:
        return None


def _warn_of_unfinished(label: str, rest: bytes, warn: Callable[[str], None]) -> None:
    if rest:
        line = quote(rest.decode(errors="replace"))
        warn(f"{label} ends in the middle of a line, which is not used: {line}")
