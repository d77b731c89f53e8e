"""Arrays by name in an .npz file, of which nothing is allocated before its headers are what they must be."""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
from collections.abc import Mapping
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from forecast.errors import RunError

# More is no network that this machine was meant for; and below it the archive needs no directory of another kind.
LARGEST_ARCHIVE = 2 * 1024**3

# What NumPy and zipfile raise on bytes that are not the archive they seem to be.
_NOT_AN_ARCHIVE = (
    ValueError, OSError, EOFError, KeyError, TypeError, NotImplementedError, RuntimeError, struct.error,
    zipfile.BadZipFile,
)  # fmt: skip

# The end of an archive's directory, the one of large archives, and an entry at its longest.
_END = struct.Struct("<4s4H2LH")
_LARGE_END = b"PK\x06\x07"
_LONGEST_ENTRY = 2048

# The header of an array as NumPy writes it. It is read by this pattern, not evaluated.
_MAGIC = re.compile(rb"\x93NUMPY\x01\x00(..)", re.DOTALL)
_HEADER = re.compile(
    rb"\{'descr': '([<|][biuf]\d)', 'fortran_order': (?:False|True), "
    rb"'shape': \(((?:\d{1,10}, ?)*(?:\d{1,10})?)\), \} *\n"
)
_LONGEST_HEADER = 1024


class Form(NamedTuple):
    """What an array must be like.

    Args:
        dtype: As NumPy writes it, such as ``<f4``.
        shape: Of each axis its length, or the lengths that it may have.
    """

    dtype: str
    shape: tuple[int | range, ...]

    @property
    def largest(self) -> int:
        """Bytes that such an array has at most."""
        lengths = (axis[-1] if isinstance(axis, range) else axis for axis in self.shape)
        return math.prod(lengths) * np.dtype(self.dtype).itemsize

    def fits(self, dtype: str, shape: tuple[int, ...]) -> bool:
        """Whether an array of this kind and shape is like that."""
        return (
            dtype == self.dtype
            and len(shape) == len(self.shape)
            and all(
                length in axis if isinstance(axis, range) else length == axis
                for length, axis in zip(shape, self.shape, strict=True)
            )
        )


Forms = Mapping[str, Form]


def forms_of(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Form]:
    """The forms of these very arrays."""
    return {name: Form(array.dtype.str, array.shape) for name, array in arrays.items()}


def largest_archive(forms: Forms) -> int:
    """Bytes that an archive of arrays of these forms has at most."""
    return min(LARGEST_ARCHIVE, sum(form.largest + _LONGEST_ENTRY for form in forms.values()) + _END.size)


def arrays_to_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays by name as the bytes of an .npz file; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def arrays_of(file: IO[bytes], forms: Forms, what: str, start: int = 0) -> dict[str, NDArray[Any]]:
    """The arrays that `arrays_to_bytes` wrote; never unpickles, and allocates what the forms allow.

    Args:
        file: An open file.
        forms: The arrays that may be in it.
        what: What it is, for messages.
        start: Where in the file the archive begins.

    Raises:
        RunError: If it is damaged, or holds anything else.
    """
    try:
        _check_end(file, forms, start)
        with zipfile.ZipFile(file) as archive:
            _check_headers(archive, forms)
        file.seek(start)
        with np.load(file, allow_pickle=False) as loaded:
            return {name: loaded[name] for name in loaded.files}
    except _NOT_AN_ARCHIVE as error:
        raise RunError(f"{what} is damaged: {error}.", "Train the run again.") from None


def _check_end(file: IO[bytes], forms: Forms, start: int) -> None:
    """Look at the directory's end before anybody reads the directory, which may claim millions of entries."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(start, size - _END.size - 20))
    end = file.read()
    if len(end) < _END.size:
        raise ValueError("it is no archive")
    signature, disk, first_disk, here, entries, length, offset, comment = _END.unpack(end[-_END.size :])
    if signature != b"PK\x05\x06" or end.startswith(_LARGE_END) or disk or first_disk or comment:
        raise ValueError("it is no archive as they are written here")
    if here != entries or entries > len(forms) or length > entries * _LONGEST_ENTRY:
        raise ValueError(f"it claims {entries:,} arrays, where there are {len(forms):,} at most")
    if offset + length + _END.size != size - start:
        raise ValueError("its directory is not at its end")


def _check_headers(archive: zipfile.ZipFile, forms: Forms) -> None:
    entries = archive.infolist()
    if len({entry.filename for entry in entries}) < len(entries):
        raise ValueError("it holds two arrays of one name")
    for entry in entries:
        name = entry.filename.removesuffix(".npy")
        form = forms.get(name)
        if form is None or name == entry.filename:
            raise ValueError(f"it holds {entry.filename[:100]!r}, which does not belong there")
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise ValueError(f"{name} is compressed")
        with archive.open(entry) as member:
            dtype, shape, length = _header(member, name)
        if not form.fits(dtype, shape):
            raise ValueError(f"{name} is {dtype} {shape}, where {form.dtype} {_said(form)} belongs")
        if entry.file_size != length + math.prod(shape) * np.dtype(dtype).itemsize:
            raise ValueError(f"{name} has {entry.file_size:,} bytes, which are not those of its shape")


def _header(member: IO[bytes], name: str) -> tuple[str, tuple[int, ...], int]:
    """The dtype, the shape and the length of an array's header."""
    magic = _MAGIC.fullmatch(member.read(10))
    length = int.from_bytes(magic[1], "little") if magic else 0
    found = _HEADER.fullmatch(member.read(length)) if 0 < length <= _LONGEST_HEADER else None
    if found is None:
        raise ValueError(f"{name} is no array of numbers")
    shape = tuple(int(axis) for axis in found[2].decode().replace(",", " ").split())
    return found[1].decode(), shape, 10 + length


def _said(form: Form) -> str:
    axes = [f"{axis[0]}…{axis[-1]}" if isinstance(axis, range) else str(axis) for axis in form.shape]
    return f"({', '.join(axes)})"
