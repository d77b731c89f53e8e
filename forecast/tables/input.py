"""What is read: where a table comes from, what messages call it, and how it is written as far as its user says so."""

from __future__ import annotations

import io
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from forecast.errors import in_shell, phrase, quote


@dataclass(frozen=True)
class Input:
    """The bytes of a table and their origin.

    Args:
        label: What messages call it: ``data.csv``, ``standard input``, ``the table``.
        path: The path as the user gave it, ``-`` for standard input; empty for a table in memory.
        content: The bytes, unpacked; None for a long file, which is read from the disk piece by piece.
        warnings: What was mended, one sentence each.
        unpack: The program that prints the text of a packed file; empty where the file is the text.
    """

    label: str
    path: str = ""
    content: bytes | None = None
    warnings: tuple[str, ...] = ()
    unpack: str = ""

    @classmethod
    def at(cls, path: str) -> Input:
        """The file at a path, not opened yet."""
        return cls(shlex.quote(path) if path.isprintable() else quote(path), path)

    @property
    def name(self) -> str:
        """The stem of the file's name."""
        stem = Path(re.sub(r"\.(gz|zip)$", "", Path(self.path).name, flags=re.IGNORECASE)).stem
        return {"": "series", "-": "stdin"}.get(self.path, stem)

    def open(self) -> BinaryIO:
        """The bytes as a stream."""
        return Path(self.path).open("rb") if self.content is None else io.BytesIO(self.content)

    def call(self, **settings: object) -> str:
        """The command, or the call in Python, that reads it with these settings."""
        return call_to_read(self.path, **settings)

    def retry(self, **settings: object) -> str:
        """Advice to read it with these settings."""
        return f"Try: {self.call(**settings)}"

    def piped(self, program: str) -> str:
        """What a shell takes to send the text through a program such as ``sed -n 3p``."""
        if self.path == "-":
            return f"… | {program}"
        path = shlex.quote(self.path)
        return f"{self.unpack} {path} | {program}" if self.unpack else f"{program} {path}"

    def mended_by(self, program: str) -> str:
        """What mends the text by a program, and reads the result."""
        return read_output_of(self.piped(program))


@dataclass(frozen=True)
class Dialect:
    """How a table is written; what is None is inferred.

    Args:
        time_column: The name of the column of the time, or of several, divided by commas.
        date_format: How the time is written, as in ``strptime``.
        series_id: The column that tells several series apart.
        encoding: A Python text codec.
        delimiter: What stands between fields: one character, or its name such as ``tab``.
        decimal: What stands before the fraction of a number.
        thousands: What groups the digits of a number by three.
        skip_rows: Lines before the header that are left out.
    """

    time_column: str | None = None
    date_format: str | None = None
    series_id: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    skip_rows: int = 0


def call_to_read(path: str, **settings: object) -> str:
    """The command, or the call in Python, that reads a path with these settings; of no path, a DataFrame."""
    options = "".join(f" --{name.replace('_', '-')} {in_shell(value)}" for name, value in settings.items())
    arguments = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    given = f", forecast.ReadOptions({arguments})" if arguments else ""
    python = f"forecast.read({path!r}{given})" if path else f"forecast.read(frame{given})"
    return phrase(f"forecast inspect {shlex.quote(path)}{options}" if path else python, python)


def read_output_of(command: str) -> str:
    """What reads the text that a command of a shell prints."""
    return phrase(f"{command} | forecast inspect -", f"{command} > mended.csv, then forecast.read('mended.csv')")


def read_after(command: str, path: str) -> str:
    """What reads a path once a command of a shell has made it."""
    return phrase(f"{command} && forecast inspect {shlex.quote(path)}", f"{command}, then forecast.read({path!r})")
