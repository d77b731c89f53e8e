"""The bytes of a file, a pipe or standard input: bounded by memory, and unpacked."""

from __future__ import annotations

import difflib
import gzip
import io
import os
import re
import shlex
import stat
import sys
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, BinaryIO

from forecast.errors import DataError, MachineError
from forecast.memory import COPIES, available_memory, check_memory, megabytes

# The end of a pipe or a device cannot be known before it is read.
PIPE_CAP = 1 << 30
# Real tables compress 4 to 50 times; a larger ratio over a large output is a bomb.
LARGEST_RATIO = 250
_BLOCK = 1 << 22

_FOREIGN = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "Save the sheet as CSV and read that file."),
    (b"BZh", "a bzip2 archive", "bunzip2 --keep {path}"),
    (b"\xfd7zXZ\x00", "an xz archive", "unxz --keep {path}"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unzstd {path}"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x {path}"),
    (b"\x89HDF", "an HDF5 or NetCDF file", "Export its series as CSV."),
    (b"CDF\x01", "a NetCDF file", "Export its series as CSV."),
    (b"CDF\x02", "a NetCDF file", "Export its series as CSV."),
    (b"SQLite format 3\x00", "an SQLite database", "sqlite3 -header -csv {path} 'select …' > table.csv"),
    (b"%PDF", "a PDF document", "Export the table as CSV."),
    (b"ARROW1", "an Arrow (Feather) file", "Save the table as Parquet."),
)


@dataclass(frozen=True)
class Source:
    """The bytes of one table.

    Args:
        data: The bytes, unpacked.
        label: How messages name the source.
        path: What the user would type for it, quoted for a shell; empty for a table in memory.
        name: Its stem: what the panel will be called.
        warnings: What was mended, one sentence each.
        unpack: The program that prints the text of a packed file; empty where the file is the text.
    """

    data: bytes
    label: str
    path: str
    name: str
    warnings: tuple[str, ...] = ()
    unpack: str = ""

    def command(self, option: str) -> str:
        """The next command to type: this source inspected with one more option."""
        if not self.path:
            return f"Try the option that the command line calls {option}"
        return f"Try: forecast inspect {self.path} {option}"

    def piped(self, program: str) -> str:
        """What the user types to see the text of this source pass through a program such as ``sed -n 3p``."""
        if self.path == "-":
            return f"… | {program}"
        return f"{self.unpack} {self.path} | {program}" if self.unpack else f"{program} {self.path}"

    def through(self, program: str) -> str:
        """The next command to type: this source mended by a program and inspected again."""
        return f"{self.piped(program)} | forecast inspect -"

    @property
    def is_parquet(self) -> bool:
        """Whether the bytes are a Parquet file, whatever their name says."""
        return self.data[:4] == b"PAR1"


def show(value: object) -> str:
    """A received value as messages show it: quoted, escaped and cut to 60 characters."""
    text = str(value)
    return repr(text if len(text) <= 60 else text[:57] + "…")


def read_source(source: str | Path) -> Source:
    """The bytes of a path, or of standard input for ``-``, unpacked from gzip or zip.

    Raises:
        DataError: If there is no such file, it may not be read, is too large, is not a table at all, or is damaged.
        MachineError: If the disk fails while reading.
    """
    text = str(source)
    if text == "-":
        origin = Source(b"", "standard input", "-", "stdin")
        if sys.stdin is None or sys.stdin.isatty():
            raise DataError("Nothing is piped into standard input.", "Try: forecast inspect - < data.csv")
        data = _read_stream(sys.stdin.buffer, origin.label)
    else:
        _refuse_url(text)
        data, origin = _read_path(Path(text), origin_of(text))
    if not data:
        raise DataError(f"{origin.label} is empty (0 bytes).", "Give a CSV or Parquet file: forecast inspect data.csv")
    unpack = "zcat" if data[:2] == b"\x1f\x8b" else "unzip -p" if data[:4] == b"PK\x03\x04" else ""
    return replace(origin, data=_unpack(data, origin), unpack=unpack)


def origin_of(path: str) -> Source:
    """How messages name a file, and what its panel will be called."""
    stem = re.sub(r"\.(gz|zip)$", "", Path(path).name, flags=re.IGNORECASE)
    return Source(b"", shlex.quote(path) if path.isprintable() else show(path), shlex.quote(path), Path(stem).stem)


def _refuse_url(text: str) -> None:
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", text)
    if not scheme:
        return
    fetch = {"s3": "aws s3 cp {} data.csv", "gs": "gcloud storage cp {} data.csv"}.get(
        scheme[1].lower(), "curl -L -o data.csv {}"
    )
    raise DataError(
        f"{show(text)} is an address, not a file; nothing is fetched while reading.",
        f"Download it first: {fetch.format(shlex.quote(text))} && forecast inspect data.csv",
    )


def _read_path(path: Path, origin: Source) -> tuple[bytes, Source]:
    try:
        with path.open("rb") as stream:
            before = os.fstat(stream.fileno())
            if not stat.S_ISREG(before.st_mode):
                return _read_stream(stream, origin.label), origin
            check_memory(before.st_size * COPIES, origin.label)
            # Some regular files, those of /proc, have no size until they are read.
            data = stream.read(before.st_size or _BLOCK)
            after = os.fstat(stream.fileno())
    except FileNotFoundError:
        raise DataError(f"There is no file {origin.label}.", _near(path)) from None
    except IsADirectoryError:
        tables = [p.name for p in path.iterdir() if p.suffix.lower() in (".csv", ".txt", ".gz", ".parquet", ".tsv")]
        example = shlex.quote(str(path / sorted(tables)[0])) if tables else f"{origin.path}/data.csv"
        raise DataError(
            f"{origin.label} is a folder, not a file.", f"Name one file: forecast inspect {example}"
        ) from None
    except PermissionError:
        raise DataError(f"{origin.label} may not be read by this user.", f"Try: chmod u+r {origin.path}") from None
    except (ValueError, OSError) as error:
        if isinstance(error, ValueError) or error.errno in _BAD_NAME:
            raise DataError(
                f"{origin.label} is not a path: {error}.", "Give the path of a CSV or Parquet file."
            ) from None
        raise MachineError(f"{origin.label} could not be read: {error}.", "Check the disk, then try again.") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) and len(data) < after.st_size:
        # The last line may be half written; a number that is cut in two still looks like one.
        data = data[: data.rfind(b"\n") + 1]
        grown = f"{origin.label} grew while it was read; its first {len(data):,} bytes are used."
        return data, replace(origin, warnings=(grown,))
    return data, origin


# ENOENT through a file, a name too long, a loop of links, an invalid name
_BAD_NAME = {20, 22, 36, 40}


def _near(path: Path) -> str:
    try:
        names = os.listdir(path.parent)
    except OSError:
        return f"There is no folder {show(path.parent)} either. Built-in series: forecast datasets"
    close = difflib.get_close_matches(path.name, names, n=3, cutoff=0.6)
    if close:
        return "Did you mean: forecast inspect " + shlex.quote(str(path.parent / close[0]))
    return "Built-in series: forecast datasets"


def _read_stream(stream: BinaryIO, label: str) -> bytes:
    cap = min(PIPE_CAP, available_memory() // COPIES)
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
                f"{label} goes on after {megabytes(cap)}, the most that is read from a pipe or a device.",
                "Write it to a file first: … > data.csv && forecast inspect data.csv",
            )
    return b"".join(blocks)


def _unpack(data: bytes, origin: Source) -> bytes:
    if data[:2] == b"\x1f\x8b":
        data = _gunzip(data, origin)
    elif data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        data = _unzip(data, origin)
    for magic, what, command in _FOREIGN:
        if data.startswith(magic):
            raise DataError(f"{origin.label} is {what}, not a table.", command.format(path=origin.path))
    if data[:2] == b"\x1f\x8b" or data[:4] == b"PK\x03\x04":
        raise DataError(f"{origin.label} is packed twice.", f"Unpack it first: gunzip --keep {origin.path}")
    start = data[:200].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise DataError(f"{origin.label} is a web page or XML, not a table.", "Download the CSV itself, not its page.")
    if not data:
        raise DataError(f"{origin.label} unpacks to 0 bytes.", "Give a CSV or Parquet file: forecast inspect data.csv")
    return data


def _bounded(stream: IO[bytes] | gzip.GzipFile, packed: int, origin: Source) -> bytes:
    cap = available_memory() // COPIES
    blocks: list[bytes] = []
    size = 0
    while block := stream.read(_BLOCK):
        blocks.append(block)
        size += len(block)
        if size > cap or (size > 1 << 26 and size > LARGEST_RATIO * packed):
            raise DataError(
                f"{origin.label} unpacks from {megabytes(packed)} to over {megabytes(size)}: too large, or a bomb.",
                f"Look at it first: zcat {origin.path} | head",
            )
    return b"".join(blocks)


def _gunzip(data: bytes, origin: Source) -> bytes:
    try:
        return _bounded(gzip.GzipFile(fileobj=io.BytesIO(data)), len(data), origin)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{origin.label} is a damaged gzip file: {error}.", f"Check it: gzip --test {origin.path}"
        ) from None


def _unzip(data: bytes, origin: Source) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if "[Content_Types].xml" in names:
                raise DataError(
                    f"{origin.label} is an Excel workbook (xlsx), not a text table.",
                    f"Save the sheet as CSV: libreoffice --headless --convert-to csv {origin.path}",
                )
            members = [n for n in names if not n.endswith("/") and not n.startswith("__MACOSX/")]
            if len(members) != 1:
                listed = ", ".join(map(show, members[:5])) or "none"
                raise DataError(
                    f"{origin.label} is a zip of {len(members)} files ({listed}); exactly one is read.",
                    f"Unpack it and name one: unzip {origin.path} && forecast inspect FILE",
                )
            with archive.open(members[0]) as stream:
                return _bounded(stream, len(data), origin)
    except DataError:
        raise
    except Exception as error:  # zipfile raises a dozen kinds on hostile bytes: struct, Runtime, NotImplemented, zlib …
        raise DataError(
            f"{origin.label} is a damaged or locked zip file: {error}.", f"Check it: unzip -t {origin.path}"
        ) from None
