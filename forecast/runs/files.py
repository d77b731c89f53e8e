"""Files: read and written so that neither a crash nor a stranger's folder can do harm; and the lock of a writer.

What is written arrives whole or not at all. What is read is a regular file in its folder, of the size it may have.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from forecast.errors import MachineError, RunError


def write_atomically(path: Path, content: bytes) -> None:
    """Put content at a path so that a reader, or a crash at any moment, meets the old whole or the new whole.

    Written beside its place, synced, read back, moved over in one step, and the folder synced.

    Raises:
        MachineError: If the disk is full, the folder read-only, or what was read back differs.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(beside, "wb", opener=_not_through_a_link) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if beside.read_bytes() != content:
            raise MachineError(f"The disk did not keep what was written to {path} ({len(content):,} bytes).")
        os.replace(beside, path)
        sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(path, content, error) from None
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _not_through_a_link(path: str, flags: int) -> int:
    # In a folder from a stranger, a link of a known name would send what is written to a file elsewhere.
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def write_output(path: Path, content: bytes) -> None:
    """Put content where a user said: behind a link, into a pipe or device as it is, else as `write_atomically` does.

    Raises:
        MachineError: If it cannot be written.
    """
    path = Path(os.path.realpath(path))
    if not path.exists() or path.is_file():
        return write_atomically(path, content)
    try:
        with open(path, "wb") as file:
            file.write(content)
    except OSError as error:
        raise _unwritable(path, content, error) from None
    return None


def check_output(path: Path | None) -> None:
    """Refuse a place that cannot be written before the work is done.

    Raises:
        MachineError: If it is a folder, or lies in one that cannot be made or written.
    """
    if path is None or (path.exists() and not path.is_dir() and os.access(path, os.W_OK)):
        return
    try:
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        folder = next(above for above in path.absolute().parents if above.exists())
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise MachineError(f"Cannot write {path}: {error.strerror}.", "Choose another place.") from None


def _unwritable(path: Path, content: bytes, error: OSError) -> MachineError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return MachineError(
        f"Cannot write {path} ({len(content):,} bytes): {error.strerror or error}.",
        "Free some space there, or choose another place." if full else "Choose another place.",
    )


# From Linux's fcntl.h and fs.h: paths are taken from the working folder, and both names change hands.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def exchange_folders(new: Path, place: Path) -> None:
    """Let two folders change places; afterwards the new one is in its place, and the old one where the new one was.

    In one step where system and disk can, so that nobody ever finds the place empty; else by way of `set_aside`.

    Raises:
        OSError: If they cannot be moved; then both are where they were.
    """
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # not Linux, or a C library without it
        return _exchange_in_steps(new, place)
    if renameat2(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(place), _RENAME_EXCHANGE) == 0:
        return None
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):  # a disk that cannot, such as a network's
        return _exchange_in_steps(new, place)
    raise OSError(number, os.strerror(number))


def set_aside(place: Path) -> Path:
    """Where the old folder of a place waits while the new one moves in, if that takes more than one step."""
    return place.with_name(f".{place.name}.replaced")


def _exchange_in_steps(new: Path, place: Path) -> None:
    aside = set_aside(place)
    os.rename(place, aside)
    try:
        os.rename(new, place)
    except OSError:
        os.rename(aside, place)
        raise
    os.rename(aside, new)


@contextmanager
def folder_written(place: Path) -> Iterator[Path]:
    """A folder to fill, which moves to its place once it is whole, and is deleted if that fails.

    A folder that is at the place is replaced.

    Args:
        place: Where it belongs.

    Raises:
        MachineError: If the disk is full, or the folder above cannot be written.
    """
    beside = place.with_name(f".{place.name}.{os.getpid()}.tmp")
    try:
        beside.mkdir(parents=True)
        yield beside
        for path in beside.rglob("*"):
            if path.is_dir():
                sync_folder(path)
                continue
            with open(path, "rb") as file:
                os.fsync(file.fileno())
        if place.exists():
            exchange_folders(beside, place)
        else:
            os.rename(beside, place)
        sync_folder(place.parent)
    except OSError as error:
        raise MachineError(f"Cannot write {place}: {error.strerror or error}.", "Choose another place.") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Make a renamed entry of a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, what: str, otherwise: str = "name another with --run") -> Iterator[None]:
    """Hold a lock file; the system lets it go when the holder ends, however it ends.

    Args:
        path: The lock file.
        what: What is locked, for the message.
        otherwise: What else one can do than wait.

    Raises:
        MachineError: If another process holds it; names the process.
    """
    with _hold(path, what, otherwise) as file:
        try:
            # A full disk keeps nobody from holding the lock; it only goes without a name.
            with suppress(OSError):
                os.ftruncate(file.fileno(), 0)
                os.write(file.fileno(), str(os.getpid()).encode())
            yield
        finally:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _hold(path: Path, what: str, otherwise: str) -> IO[str]:
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = open(path, "a+", opener=_not_through_a_link)  # noqa: SIM115 - the caller closes it, and so lets the lock go
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with file:
                file.seek(0)
                holder = file.read().strip() or "unknown"
            raise MachineError(
                f"{what} is being written by process {holder}.", f"Wait for it, or {otherwise}."
            ) from None
        except OSError as error:
            raise MachineError(
                f"Cannot lock {path}: {error.strerror}.", "Choose a folder that you may write to with --runs-dir."
            ) from None
        # The last holder may have taken the file away between our opening and our locking it.
        with suppress(OSError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                return file
        file.close()


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
