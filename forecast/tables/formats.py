"""The formats of files: how their bytes are recognised, and how they become tables.

A format is one entry of ``FORMATS``, at the end. Its reader yields a long file as several tables, one following another
in the order of the rows, and a file that is asked for in one piece as a single table.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import shlex
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet

from forecast import memory
from forecast.errors import DataError, EmptyError, quote
from forecast.memory import megabytes
from forecast.tables.bytes import CHUNK, COPIES, check_memory, content_of, decode, whole
from forecast.tables.frames import from_frame
from forecast.tables.input import Dialect, Input, call_to_read, read_after
from forecast.tables.structure import DECLARED, read_text
from forecast.tables.table import Table, without_empty_rows

# Rows of Parquet in a chunk.
CHUNK_ROWS = 1 << 17

# Beside its measurements a row takes its time, and what the checks calculate of them, in bytes.
_BYTES_OF_ROW = 64

# Real tables compress 4 to 50 times; a larger ratio over a large output is a bomb.
LARGEST_RATIO = 250
_BLOCK = 1 << 22

# Encodings in which a byte 10 is the end of a line and nothing else.
_BYTEWISE = re.compile(r"utf-?8(-sig)?|latin-?1|cp125\d|iso-?8859-\d+|ascii", re.I)
_LONGEST_LINE = 1 << 20


@dataclass(frozen=True)
class Chunk:
    """Some rows of a long text that are yet to be divided into cells.

    Args:
        source: The text.
        header: The line of its names.
        rows: The lines of this chunk.
        dialect: How they are written.
    """

    source: Input
    header: bytes
    rows: bytes
    dialect: Dialect

    def count_lines(self) -> int:
        """R, how many lines it has."""
        return self.rows.count(b"\n") + (not self.rows.endswith(b"\n"))

    def table(self) -> Table:
        """Its cells, as text; lines are numbered as those of the first chunk, as errors are told by the whole text.

        Raises:
            DataError: If they are no table, or a row is no line of its own.
        """
        content = replace(self.source, content=self.header + self.rows)
        table = read_text(decode(content, self.dialect.encoding), replace(self.dialect, skip_rows=0))
        if not len(without_empty_rows(table)) == len(table) == self.count_lines():
            raise DataError("A row is no line of its own, so the text must be read in one piece.")
        first = self.dialect.skip_rows + 2
        return replace(table, source=self.source, lines=range(first, first + len(table)))


Reader = Callable[[Input, Dialect, bool], Iterator[Table | Chunk]]


@dataclass(frozen=True)
class Format:
    """A format of files.

    Args:
        magic: What the bytes of such a file begin with, one of these; of two formats the longer one decides.
        read: Yields the tables of a file. It takes the file, the dialect that the user named, and whether the rows are
            asked for in one piece.
    """

    magic: tuple[bytes, ...]
    read: Reader

    def length_of_match(self, head: bytes) -> int:
        """How many of the first bytes of a file tell that it has this format; -1 if it has another."""
        return max((len(magic) for magic in self.magic if head.startswith(magic)), default=-1)


def read_table(source: Input, dialect: Dialect) -> Table:
    """The table of a file in one piece, in the format that its first bytes tell.

    Raises:
        DataError: If it is no table, or damaged.
    """
    (table,) = read_tables(source, dialect, in_one_piece=True)
    assert isinstance(table, Table)
    return table


def read_tables(source: Input, dialect: Dialect, in_one_piece: bool) -> Iterator[Table | Chunk]:
    """The tables of a file, in the format that its first bytes tell.

    Raises:
        DataError: If it is no table, or damaged.
    """
    with source.open() as stream:
        head = stream.read(64)
    recognised = max(FORMATS.values(), key=lambda format: format.length_of_match(head))
    yield from recognised.read(source, dialect, in_one_piece)


def read_delimited(source: Input, dialect: Dialect, in_one_piece: bool) -> Iterator[Table | Chunk]:
    """Text whose fields are divided by a delimiter."""
    with source.open() as stream:
        start = stream.read(1 << 16)
        if start[:200].lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
            raise DataError(
                f"{source.label} is a web page or XML, not a table.", "Download the CSV itself, not its page."
            )
        if (
            in_one_piece
            or b"\0" in start
            or re.match(DECLARED, start.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n"))
            or dialect.skip_footer
            or not _BYTEWISE.fullmatch(dialect.encoding or "utf-8")
        ):
            text = decode(whole(source), dialect.encoding)
            yield without_empty_rows(read_text(text, dialect))
            return
        stream.seek(0)
        size = os.fstat(stream.fileno()).st_size if source.content is None else len(source.content)
        for _ in range(dialect.skip_rows):
            stream.readline(_LONGEST_LINE)
        header, is_first = stream.readline(_LONGEST_LINE), True
        while rows := stream.read(CHUNK):
            rows += stream.readline(_LONGEST_LINE)
            chunk = Chunk(source, header, rows, dialect)
            if is_first:
                table, is_first = chunk.table(), False
                bytes_of_row, most_rows = 8 * (len(table.names) - 1) + _BYTES_OF_ROW, size // len(table.names)
                if most_rows * bytes_of_row > memory.available_memory():  # else lines need not be counted
                    check_memory(_count_lines(source) * bytes_of_row, source.label)
                yield table
            else:
                yield chunk
        if source.content is None and os.fstat(stream.fileno()).st_size != size:
            raise DataError("The file grew while it was read, so its end must be looked at.")


def _count_lines(source: Input) -> int:
    """The lines of a text, one more where the last of them has an end."""
    with source.open() as stream:
        return 1 + sum(block.count(b"\n") for block in iter(lambda: stream.read(CHUNK), b""))


def read_parquet(source: Input, dialect: Dialect, in_one_piece: bool) -> Iterator[Table | Chunk]:
    """Parquet; its index, if it carries time, is a column."""
    path = Path(source.path)
    if not source.unpack and path.suffix.lower() in (".csv", ".tsv", ".txt"):
        other = str(path.with_suffix(".parquet"))
        rename = read_after(f"mv {shlex.quote(source.path)} {shlex.quote(other)}", other)
        raise DataError(f"{source.label} is a Parquet file by another name.", f"Rename it: {rename}")
    try:
        file = pa.parquet.ParquetFile(path if source.content is None else pa.BufferReader(source.content))
        n_rows, n_columns = file.metadata.num_rows, file.metadata.num_columns
        # The file declares its size; a damaged or hostile one may declare any.
        bytes_of_row = max(1, n_columns) * 24 if in_one_piece else 8 * n_columns + _BYTES_OF_ROW
        check_memory(n_rows * bytes_of_row, source.label)
        if in_one_piece:
            yield from_frame(file.read().to_pandas(), source, dialect)
            return
        for batch in file.iter_batches(CHUNK_ROWS):
            yield from_frame(pa.Table.from_batches([batch]).to_pandas(), source, dialect)
    except DataError:
        raise
    except Exception as error:  # Arrow raises a dozen kinds on damaged bytes, OSError and KeyError among them
        if isinstance(error, OSError) and error.errno:
            raise  # the disk failed
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{source.label} is a damaged Parquet file: {first}", "Write it again, or export CSV."
        ) from None


def read_gzip(source: Input, dialect: Dialect, in_one_piece: bool) -> Iterator[Table | Chunk]:
    """A file within gzip."""
    packed = _packed(source)
    try:
        content = _bounded(gzip.GzipFile(fileobj=io.BytesIO(packed)), len(packed), source)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{source.label} is a damaged gzip file: {error}.", f"Check it: gzip --test {shlex.quote(source.path)}"
        ) from None
    yield from _read_unpacked(source, content, "zcat", dialect, in_one_piece)


def read_zip(source: Input, dialect: Dialect, in_one_piece: bool) -> Iterator[Table | Chunk]:
    """The one file within a zip archive."""
    packed, path = _packed(source), shlex.quote(source.path)
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            names = archive.namelist()
            if "[Content_Types].xml" in names:
                raise DataError(
                    f"{source.label} is an Excel workbook (xlsx), not a text table.",
                    f"Save the sheet as CSV: libreoffice --headless --convert-to csv {path}",
                )
            members = [n for n in names if not n.endswith("/") and not n.startswith("__MACOSX/")]
            if len(members) != 1:
                listed = ", ".join(map(quote, members[:5])) or "none"
                raise DataError(
                    f"{source.label} is a zip of {len(members)} files ({listed}); exactly one is read.",
                    f"Unpack it and name one: {read_after(f'unzip {path}', 'FILE')}",
                )
            with archive.open(members[0]) as stream:
                content = _bounded(stream, len(packed), source)
    except DataError:
        raise
    except Exception as error:  # zipfile raises a dozen kinds on hostile bytes: struct, Runtime, NotImplemented, zlib …
        raise DataError(
            f"{source.label} is a damaged or locked zip file: {error}.", f"Check it: unzip -t {path}"
        ) from None
    yield from _read_unpacked(source, content, "unzip -p", dialect, in_one_piece)


def _packed(source: Input) -> bytes:
    if source.unpack:
        raise DataError(
            f"{source.label} is packed twice.", f"Unpack it first: gunzip --keep {shlex.quote(source.path)}"
        )
    return content_of(source)


def _bounded(stream: IO[bytes] | gzip.GzipFile, n_packed: int, source: Input) -> bytes:
    """The bytes of a packed stream, as far as they are those of a table."""
    cap = memory.available_memory() // COPIES
    blocks: list[bytes] = []
    size = 0
    while block := stream.read(_BLOCK):
        blocks.append(block)
        size += len(block)
        if size > cap or (size > 1 << 26 and size > LARGEST_RATIO * n_packed):
            raise DataError(
                f"{source.label} unpacks from {megabytes(n_packed)} to over {megabytes(size)}: too large, or a bomb.",
                f"Look at it first: zcat {shlex.quote(source.path)} | head",
            )
    return b"".join(blocks)


def _read_unpacked(
    source: Input, content: bytes, program: str, dialect: Dialect, in_one_piece: bool
) -> Iterator[Table | Chunk]:
    if not content:
        raise EmptyError(
            f"{source.label} unpacks to 0 bytes.", f"Give a CSV or Parquet file: {call_to_read('data.csv')}"
        )
    return read_tables(replace(source, content=content, unpack=program), dialect, in_one_piece)


def refuse(what: str, advice: str) -> Reader:
    """A reader that refuses a file.

    Args:
        what: What the file is.
        advice: What makes a table of it; ``{path}`` stands for its path.
    """

    def read(source: Input, dialect: Dialect, in_one_piece: bool) -> Iterator[Table | Chunk]:
        raise DataError(f"{source.label} is {what}, not a table.", advice.format(path=shlex.quote(source.path)))

    return read


_EXPORT = "Export its series as CSV."

# Every format that is recognised. One more is one more entry.
FORMATS: dict[str, Format] = {
    "delimited text": Format((b"",), read_delimited),
    "Parquet": Format((b"PAR1",), read_parquet),
    "gzip": Format((b"\x1f\x8b",), read_gzip),
    "zip": Format((b"PK\x03\x04", b"PK\x05\x06"), read_zip),
    "Excel": Format(
        (b"\xd0\xcf\x11\xe0",), refuse("an old Excel workbook", "Save the sheet as CSV and read that file.")
    ),
    "bzip2": Format((b"BZh",), refuse("a bzip2 archive", "bunzip2 --keep {path}")),
    "xz": Format((b"\xfd7zXZ\x00",), refuse("an xz archive", "unxz --keep {path}")),
    "zstd": Format((b"\x28\xb5\x2f\xfd",), refuse("a zstd archive", "unzstd {path}")),
    "7z": Format((b"7z\xbc\xaf\x27\x1c",), refuse("a 7z archive", "7z x {path}")),
    "HDF5": Format((b"\x89HDF",), refuse("an HDF5 or NetCDF file", _EXPORT)),
    "NetCDF": Format((b"CDF\x01", b"CDF\x02"), refuse("a NetCDF file", _EXPORT)),
    "SQLite": Format(
        (b"SQLite format 3\x00",),
        refuse("an SQLite database", "Give its address instead, and a query: sqlite:///{path}"),
    ),
    "PDF": Format((b"%PDF",), refuse("a PDF document", "Export the table as CSV.")),
    "Arrow": Format((b"ARROW1",), refuse("an Arrow (Feather) file", "Save the table as Parquet.")),
}
