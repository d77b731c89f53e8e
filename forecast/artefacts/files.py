"""Reading a file of a folder: a regular one, in that folder, of the size that it may have."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import IO

from forecast.errors import RunError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK the opening of a pipe would wait for somebody to write into it.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_within(folder: Path, name: str, largest: int) -> IO[bytes]:
    """A file of a folder, opened for reading; neither it nor a folder on the way may be a link.

    Args:
        folder: The folder.
        name: The file's place in it, with slashes.
        largest: Bytes that it may have.

    Raises:
        RunError: If it is absent, a link, no regular file, or larger.
    """
    path = folder / name
    try:
        descriptor = _open(folder, name)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and (link := _link(folder, name)) is not None:
            raise RunError(f"{link} is a link, and a run is read from its own folder alone.", _OWN_FILES) from None
        raise RunError(f"Cannot read {path}: {error.strerror}.") from None
    file = os.fdopen(descriptor, "rb")
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_size > largest:
        file.close()
        if not stat.S_ISREG(found.st_mode):
            raise RunError(f"{path} is no regular file.", _OWN_FILES)
        raise RunError(f"{path} is too large: {found.st_size:,} bytes, where at most {largest:,} make sense.")
    return file


def read_within(folder: Path, name: str, largest: int) -> bytes:
    """The content of a file of a folder, under the conditions of `open_within`.

    Args:
        folder: The folder.
        name: The file's place in it, with slashes.
        largest: Bytes that it may have.

    Raises:
        RunError: If it is absent, a link, no regular file, or larger.
    """
    with open_within(folder, name, largest) as file:
        content = file.read(largest + 1)
    if len(content) > largest:  # it grew, or is one of those whose size the system does not tell
        raise RunError(f"{folder / name} is too large: more than {largest:,} bytes.")
    return content


def sha256_of(file: IO[bytes], start: int = 0) -> bytes:
    """The digest of an open file from a place on."""
    file.seek(start)
    return hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]  # a buffered reader is all it asks for


def refuse_links(folder: Path) -> None:
    """Nothing if a folder is there and no link is among what it holds, so that writing into it stays in it.

    Raises:
        RunError: If one is; names it.
    """
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            raise RunError(f"{path} is a link, and a run is written into its own folder alone.", _OWN_FILES)


_OWN_FILES = "Put the file itself, or the folder itself, in its place."


def _open(folder: Path, name: str) -> int:
    *folders, last = name.split("/")
    within = os.open(folder, _FOLDER)
    try:
        for part in folders:
            outer, within = within, os.open(part, _FOLDER, dir_fd=within)
            os.close(outer)
        return os.open(last, _FILE, dir_fd=within)
    finally:
        os.close(within)


def _link(folder: Path, name: str) -> Path | None:
    places = [folder, *(folder.joinpath(*name.split("/")[:count]) for count in range(1, name.count("/") + 2))]
    return next((place for place in places if place.is_symlink()), None)
