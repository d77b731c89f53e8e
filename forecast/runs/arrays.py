"""Arrays by name in an .npz file; what a file may hold is known beforehand, and checked before it is allocated."""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
from collections.abc import Mapping
from typing import IO, NamedTuple

import numpy as np

from forecast.data.panel import Arrays
from forecast.runs.files import damaged

# Bytes. No larger network is meant for one machine; and a zip file of this size needs no 64-bit directory.
_LARGEST_ARCHIVE = 2 * 1024**3

# What NumPy and zipfile raise on bytes that are no archive.
_NOT_AN_ARCHIVE = (
    ValueError, OSError, EOFError, KeyError, TypeError, NotImplementedError, RuntimeError, struct.error,
    zipfile.BadZipFile,
)  # fmt: skip

# The record that ends a zip file's directory, the signature that its 64-bit form has, and the most bytes of an entry.
_END = struct.Struct("<4s4H2LH")
_LARGE_END = b"PK\x06\x07"
_LONGEST_ENTRY = 2048

# The header of an array as NumPy writes it. This pattern reads it, and nothing evaluates it.
_MAGIC = re.compile(rb"\x93NUMPY\x01\x00(..)", re.DOTALL)
_HEADER = re.compile(
    rb"\{'descr': '([<|][biuf]\d)', 'fortran_order': (?:False|True), "
    rb"'shape': \(((?:\d{1,10}, ?)*(?:\d{1,10})?)\), \} *\n"
)
_LONGEST_HEADER = 1024


class ArraySpec(NamedTuple):
    """The dtype and the shapes that an array may have.

    Args:
        dtype: As NumPy writes it, such as ``<f4``.
        shape: The length of each axis, or the range of lengths that it may have.
    """

    dtype: str
    shape: tuple[int | range, ...]

    @property
    def most_bytes(self) -> int:
        """The size of the largest such array."""
        lengths = (axis[-1] if isinstance(axis, range) else axis for axis in self.shape)
        return math.prod(lengths) * np.dtype(self.dtype).itemsize

    def allows(self, dtype: str, shape: tuple[int, ...]) -> bool:
        """Whether an array may have this dtype and shape."""
        return (
            dtype == self.dtype
            and len(shape) == len(self.shape)
            and all(
                length in axis if isinstance(axis, range) else length == axis
                for length, axis in zip(shape, self.shape, strict=True)
            )
        )

    def __str__(self) -> str:
        axes = [f"{axis[0]}…{axis[-1]}" if isinstance(axis, range) else str(axis) for axis in self.shape]
        return f"{self.dtype} ({', '.join(axes)})"


ArraySpecs = Mapping[str, ArraySpec]


def specs_of(arrays: Arrays) -> dict[str, ArraySpec]:
    """Specs that allow the dtypes and shapes of these arrays and no others."""
    return {name: ArraySpec(array.dtype.str, array.shape) for name, array in arrays.items()}


def largest_archive(specs: ArraySpecs) -> int:
    """The most bytes of an archive of such arrays."""
    return min(_LARGEST_ARCHIVE, sum(spec.most_bytes + _LONGEST_ENTRY for spec in specs.values()) + _END.size)


def arrays_to_bytes(arrays: Arrays) -> bytes:
    """The arrays as an .npz file; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def read_arrays(file: IO[bytes], specs: ArraySpecs, what: object, start: int = 0) -> Arrays:
    """The arrays of an .npz file that `arrays_to_bytes` made. It never unpickles, and allocates only what is allowed.

    Args:
        file: An open file.
        specs: What it may hold.
        what: What it is, for messages.
        start: The archive's first byte in the file.

    Raises:
        RunError: If it is damaged, or holds anything that is not allowed.
    """
    try:
        _check_directory_size(file, specs, start)
        with zipfile.ZipFile(file) as archive:
            _check_headers(archive, specs)
        file.seek(start)
        with np.load(file, allow_pickle=False) as loaded:
            return dict(loaded)
    except _NOT_AN_ARCHIVE as error:
        raise damaged(what, error) from None


def _check_directory_size(file: IO[bytes], specs: ArraySpecs, start: int) -> None:
    """Check the record at the end, before `zipfile` reads the directory, which may claim millions of entries."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(start, size - _END.size - 20))
    end = file.read()
    if len(end) < _END.size:
        raise ValueError("it is not an archive")
    signature, disk, first_disk, here, entries, length, offset, comment = _END.unpack(end[-_END.size :])
    if signature != b"PK\x05\x06" or end.startswith(_LARGE_END) or disk or first_disk or comment:
        raise ValueError("it is not an archive as they are written here")
    if here != entries or entries > len(specs) or length > entries * _LONGEST_ENTRY:
        raise ValueError(f"it claims {entries:,} arrays, where there are {len(specs):,} at most")
    if offset + length + _END.size != size - start:
        raise ValueError("its directory is not at its end")


def _check_headers(archive: zipfile.ZipFile, specs: ArraySpecs) -> None:
    entries = archive.infolist()
    if len({entry.filename for entry in entries}) < len(entries):
        raise ValueError("it holds two arrays of one name")
    for entry in entries:
        name = entry.filename.removesuffix(".npy")
        spec = specs.get(name)
        if spec is None or name == entry.filename:
            raise ValueError(f"it holds {entry.filename[:100]!r}, which does not belong there")
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise ValueError(f"{name} is compressed")
        with archive.open(entry) as member:
            dtype, shape, header_bytes = _read_header(member, name)
        if not spec.allows(dtype, shape):
            raise ValueError(f"{name} is {dtype} {shape}, where {spec} belongs")
        if entry.file_size != header_bytes + math.prod(shape) * np.dtype(dtype).itemsize:
            raise ValueError(f"{name} has {entry.file_size:,} bytes, which are not those of its shape")


def _read_header(member: IO[bytes], name: str) -> tuple[str, tuple[int, ...], int]:
    """The dtype and the shape of an array, and the bytes of its header."""
    magic = _MAGIC.fullmatch(member.read(10))
    length = int.from_bytes(magic[1], "little") if magic else 0
    header = _HEADER.fullmatch(member.read(length)) if 0 < length <= _LONGEST_HEADER else None
    if header is None:
        raise ValueError(f"{name} is not an array of numbers")
    shape = tuple(int(axis) for axis in header[2].decode().replace(",", " ").split())
    return header[1].decode(), shape, 10 + length
