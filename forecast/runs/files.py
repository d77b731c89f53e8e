"""Files: written whole or not at all, read only where they are regular and of a bounded size; and locks.

Nothing here knows what a file says. A folder may come from a stranger, so no link in it is followed.
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

from forecast.errors import MachineError, RunError, setting


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a crash at any moment, meets the old content or the new one, whole.

    The content is written to a temporary file beside the path, synced, read back, and moved to the path in one step.
    Then the folder is synced.

    Raises:
        MachineError: If the disk is full, the folder is read-only, or what was read back differs.
    """
    temporary = _temporary_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb", opener=_follow_no_link) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if temporary.read_bytes() != content:
            raise MachineError(f"The disk did not keep what was written to {path} ({len(content):,} bytes).")
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise _cannot_write(path, content, error) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_output(path: Path, content: bytes) -> None:
    """Write a file that the user named. Links are followed; a pipe or device is written to directly.

    Raises:
        MachineError: If it cannot be written.
    """
    path = Path(os.path.realpath(path))
    if not path.exists() or path.is_file():
        write_atomically(path, content)
        return
    try:
        with open(path, "wb") as file:
            file.write(content)
    except OSError as error:
        raise _cannot_write(path, content, error) from None


def check_output(path: Path | None) -> None:
    """Check, before the work is done, that its output can be written.

    Raises:
        MachineError: If the path is a folder, or lies in one that cannot be made or written.
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


@contextmanager
def write_folder(path: Path) -> Iterator[Path]:
    """A temporary folder to fill, which is moved to the path when the block ends, and deleted if the block fails.

    A folder that is at the path is replaced.

    Raises:
        MachineError: If the disk is full, or the folder above cannot be written.
    """
    temporary = _temporary_beside(path)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        for written in temporary.rglob("*"):
            if written.is_dir():
                sync_folder(written)
                continue
            with open(written, "rb") as file:
                os.fsync(file.fileno())
        move_folder(temporary, path)
    except OSError as error:
        raise MachineError(f"Cannot write {path}: {error.strerror or error}.", "Choose another place.") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def move_folder(folder: Path, path: Path) -> None:
    """Move a folder to a path, for good. If another folder is at the path, the two change places.

    Raises:
        OSError: If it cannot be moved; then both are where they were.
    """
    if path.exists():
        _exchange_folders(folder, path)
    else:
        os.rename(folder, path)
    sync_folder(path.parent)


# From Linux's fcntl.h and fs.h: paths start from the working folder, and the two names are exchanged.
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def _exchange_folders(folder: Path, path: Path) -> None:
    """Exchange two folders: in one step where system and disk can, so that a reader never finds the path empty.

    Elsewhere it takes three steps, and the old folder is at `path_aside` in between.

    Raises:
        OSError: If they cannot be moved; then both are where they were.
    """
    number = errno.ENOSYS
    with suppress(AttributeError):  # not Linux, or a C library without it
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
        if renameat2(_AT_FDCWD, os.fsencode(folder), _AT_FDCWD, os.fsencode(path), _RENAME_EXCHANGE) == 0:
            return
        number = ctypes.get_errno()
    if number not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):  # which a network's disk may say
        raise OSError(number, os.strerror(number))
    aside = path_aside(path)
    os.rename(path, aside)
    try:
        os.rename(folder, path)
    except OSError:
        os.rename(aside, path)
        raise
    os.rename(aside, folder)


def path_aside(path: Path) -> Path:
    """Where the old folder of a path is while the new one is moved in, if that takes more than one step."""
    return path.with_name(f".{path.name}.replaced")


def sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary_beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _follow_no_link(path: str, flags: int) -> int:
    # A link of a known name in a stranger's folder would send what is written to a file elsewhere.
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def _cannot_write(path: Path, content: bytes, error: OSError) -> MachineError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return MachineError(
        f"Cannot write {path} ({len(content):,} bytes): {error.strerror or error}.",
        "Free some space there, or choose another place." if full else "Choose another place.",
    )


@contextmanager
def locked(path: Path, what: str, otherwise: str = f"name another with {setting('run')}") -> Iterator[None]:
    """Hold a lock file. The system releases it when the process ends, however it ends.

    Args:
        path: The lock file.
        what: What is locked, for the message.
        otherwise: What the user can do instead of waiting, for the message.

    Raises:
        MachineError: If another process holds it; names the process.
    """
    with _lock(path, what, otherwise) as file:
        try:
            # On a full disk the lock holds, too; it only does not name its holder.
            with suppress(OSError):
                os.ftruncate(file.fileno(), 0)
                os.write(file.fileno(), str(os.getpid()).encode())
            yield
        finally:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _lock(path: Path, what: str, otherwise: str) -> IO[str]:
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = open(path, "a+", opener=_follow_no_link)  # noqa: SIM115 - the caller closes it, which releases the lock
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
                f"Cannot lock {path}: {error.strerror}.",
                f"Choose a folder that you may write to with {setting('runs_dir')}.",
            ) from None
        # The last holder may have deleted the file between our opening and our locking it.
        with suppress(OSError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
                return file
        file.close()


_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a pipe would wait for a writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_REAL_FILES = "Put the file itself, or the folder itself, in its place."


def damaged(what: object, reason: object, advice: str = "Train the run again.") -> RunError:
    """The refusal of a file that does not hold what a run's file holds."""
    return RunError(f"{what} is damaged: {reason}.", advice)


def open_within(folder: Path, name: str, largest: int) -> IO[bytes]:
    """Open a file of a folder for reading; neither it nor a folder on the way may be a link.

    Args:
        folder: The folder.
        name: The file's path in it, with slashes.
        largest: Most bytes that it may have.

    Raises:
        RunError: If it is absent, a link, no regular file, or larger.
    """
    path = folder / name
    try:
        descriptor = _open(folder, name)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and (link := _first_link(folder, name)) is not None:
            raise RunError(f"{link} is a link, and a run is read only from its own folder.", _REAL_FILES) from None
        raise RunError(f"Cannot read {path}: {error.strerror}.") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise RunError(f"{path} is not a regular file.", _REAL_FILES)
    file = os.fdopen(descriptor, "rb")
    if status.st_size > largest:
        file.close()
        raise RunError(f"{path} is too large: {status.st_size:,} bytes, where at most {largest:,} make sense.")
    return file


def read_within(folder: Path, name: str, largest: int) -> bytes:
    """The content of a file that `open_within` opens.

    Raises:
        RunError: As `open_within` does.
    """
    with open_within(folder, name, largest) as file:
        content = file.read(largest + 1)
    if len(content) > largest:  # it grew, or it is a file whose size the system does not tell
        raise RunError(f"{folder / name} is too large: more than {largest:,} bytes.")
    return content


def sha256_of(file: IO[bytes], start: int = 0) -> bytes:
    """The digest of an open file from a position on."""
    file.seek(start)
    return hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]  # a buffered reader is all it asks for


def refuse_links(folder: Path) -> None:
    """Check that a folder is no link and holds none, so that what is written into it stays in it.

    Raises:
        RunError: If there is a link; names it.
    """
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            raise RunError(f"{path} is a link, and a run is written only into its own folder.", _REAL_FILES)


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


def _first_link(folder: Path, name: str) -> Path | None:
    parts = name.split("/")
    paths = [folder, *(folder.joinpath(*parts[:count]) for count in range(1, len(parts) + 1))]
    return next((path for path in paths if path.is_symlink()), None)
