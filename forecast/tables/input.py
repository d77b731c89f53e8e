"""What is read: where a table comes from, what messages call it, and how it is written as far as its user says so."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from forecast.errors import in_shell, listed, phrase, quote

# Of several files, those that a title names.
_MOST_NAMED = 3

# How tables write "nothing was measured", in lower case; those with # are what a spreadsheet could not calculate.
MISSING = ("", "-", "--", "?", ".", "..", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "null", "none", "nil", "nat",
           "(null)", "n.a.", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!")  # fmt: skip


@dataclass(frozen=True)
class Input:
    """The bytes of a table and their origin.

    Args:
        label: What messages call it: ``data.csv``, ``standard input``, ``the table``.
        path: The path as the user gave it, ``-`` for standard input; empty for a table in memory.
        content: The bytes, unpacked; None for a long file, which is read from the disk piece by piece.
        warnings: What was mended, one sentence each.
        unpack: The program that prints the text of a packed file; empty where the file is the text.
        given: The options that it is read with, which advice has to keep.
        files: The paths of several files that are read as one table; empty for a single one.
    """

    label: str
    path: str = ""
    content: bytes | None = None
    warnings: tuple[str, ...] = ()
    unpack: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    @classmethod
    def at(cls, path: str) -> Input:
        """The file at a path, not opened yet."""
        return cls(shlex.quote(path) if path.isprintable() else quote(path), path)

    @property
    def name(self) -> str:
        """The stem of the file's name; of several files their stems, or of a folder or pattern the folder's name."""
        if self.files and os.pathsep in self.path:
            return listed([Input(path, path).name for path in self.files], _MOST_NAMED)
        if self.files:
            folder = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in self.files])
            return os.path.basename(folder) or "series"
        stem = Path(re.sub(r"\.(gz|zip)$", "", Path(self.path).name, flags=re.IGNORECASE)).stem
        return {"": "series", "-": "stdin"}.get(self.path, stem)

    def open(self) -> BinaryIO:
        """The bytes as a stream."""
        return Path(self.path).open("rb") if self.content is None else io.BytesIO(self.content)

    def call(self, **settings: object) -> str:
        """The command, or the call in Python, that reads it with these settings and those that were given.

        It is tried before it is shown, so it stands on a line of its own.
        """
        return call_to_read(self.path, settings, **{**self.given, **settings})

    def retry(self, **settings: object) -> str:
        """Advice to read it with these settings."""
        return f"Try: {self.call(**settings)}"

    def without(self, column: str) -> str:
        """Advice to leave a column out; none where no option can name it."""
        skipped = (*self.given.get("skip_columns", ()), column)
        return "" if "," in column else f"Without the column: {self.call(skip_columns=skipped)}"

    def with_missing(self, word: str) -> str:
        """Advice to take a word for a missing value; none where no option can name it."""
        words = (*self.given.get("missing_words", ()), word)
        return "" if "," in word else f"If it means that a value is missing: {self.call(missing_words=words)}"

    def piped(self, program: str) -> str:
        """What a shell takes to send the text through a program such as ``sed -n 3p``."""
        if self.path == "-":
            return f"… | {program}"
        path = shlex.quote(self.path)
        return f"{self.unpack} {path} | {program}" if self.unpack else f"{program} {path}"

    def mended_by(self, program: str, pattern: str, by: str = "") -> str:
        """What mends the text by a program, and reads the result; it is tried before it is shown.

        Args:
            program: The program, in a shell.
            pattern: What it replaces, as a regular expression of Python.
            by: What it puts there.
        """
        return read_output_of(self.piped(program), {"pattern": pattern, "by": by}, self.given)


@dataclass(frozen=True)
class Notation:
    """How the cells of a column are written, beyond digits and a decimal point.

    Args:
        column: Its name.
        decimal: What stands before the fraction.
        thousands: What groups the digits by three; empty for nothing.
        unit: What stands beside the number, such as ``%``, ``$`` or ``C``.
        scaled: Whether K, M, B and T multiply.
        minus_behind: Whether a minus behind a number makes it negative.
        truth: Whether words such as yes and no are 1 and 0.
        words: The words of a column of words, each of which is read as a column of 0 and 1.
        often_empty: Whether its cells are empty where none of the words holds, as of holidays; else they are missing.
        numbered: Whether the words are read as one column of their numbers instead, from 1 on; 0 is any other word. An
            empty word among them is that of cells without a word.
    """

    column: str
    decimal: str = "."
    thousands: str = ""
    unit: str = ""
    scaled: bool = False
    minus_behind: bool = False
    truth: bool = False
    words: tuple[str, ...] = ()
    often_empty: bool = False
    numbered: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it is read as."""
        return tuple(f"{self.column}={w}" for w in self.words) if self.words and not self.numbered else (self.column,)

    def numbers(self, cell: object) -> dict[str, float]:
        """What a cell of a column of words is read as, by column: its number, or 0 and 1; 0 for another word."""
        text = "" if cell is None else str(cell).strip()
        missing = text.lower() in MISSING
        if self.numbered:
            word = "" if missing else text
            return {self.column: float(self.words.index(word) + 1 if word in self.words else 0)}
        missing &= not self.often_empty
        return {f"{self.column}={word}": float("nan") if missing else float(text == word) for word in self.words}


@dataclass(frozen=True)
class Dialect:
    """How a table is written; what is None is inferred.

    Args:
        time_column: The name of the column of the time, or of several, divided by commas.
        date_format: How the time is written, as in ``strptime``.
        freq: The clock; ``step`` allows a table without times.
        series_id: The column that tells several series apart, or several, divided by commas.
        wide: False for a table whose names are no times, whatever they look like; None infers it.
        encoding: A Python text codec.
        delimiter: What stands between fields: one character, or its name such as ``tab``.
        decimal: What stands before the fraction of a number.
        thousands: What groups the digits of a number by three.
        skip_rows: Lines before the header that are left out.
        skip_footer: Lines at the end that are left out, blank ones not counted.
        columns: The measurements that are wanted; empty for all.
        named: Measurements that are wanted, too, even where they repeat the time.
        skip_columns: Columns that are left out before anything is read of them.
        missing_words: Words among numbers that stand for a missing value, beside the usual ones.
        notation: How columns are written, where that was found in other rows of the same kind.
    """

    time_column: str | None = None
    date_format: str | None = None
    freq: str | None = None
    series_id: str | None = None
    wide: bool | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    skip_rows: int = 0
    skip_footer: int = 0
    columns: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    skip_columns: tuple[str, ...] = ()
    missing_words: tuple[str, ...] = ()
    notation: tuple[Notation, ...] = ()


def series_keys(series_id: str) -> tuple[str, ...]:
    """The columns that together name the series: ``store,item`` are two."""
    return tuple(filter(None, map(str.strip, series_id.split(","))))


def key_part(text: str) -> str:
    """A part of a name whose parts are joined by slashes: its own are marked, so that no two names become one."""
    return text.replace("\\", "\\\\").replace("/", "\\/")


def call_to_read(path: str, attempt: Mapping[str, object] | None = None, **settings: object) -> str:
    """The command, or the call in Python, that reads a path with these settings; of no path, a DataFrame.

    Args:
        path: The path.
        attempt: Those of the settings that are to be tried before the call is shown.
        settings: Fields of `ReadOptions`.
    """
    options, arguments = _written(settings)
    python = f"forecast.read({path!r}{arguments})" if path else f"forecast.read(frame{arguments})"
    shell = f"forecast inspect {shlex.quote(path)}{options}" if path else python
    fields = ", ".join(f'"{name}": {json.dumps(value)}' for name, value in settings.items())
    request = f"{fields} among the settings that the run is trained with" if fields else python
    return phrase(shell, python, request, attempt=attempt and {"options": attempt})


def read_output_of(
    command: str, attempt: Mapping[str, object] | None = None, settings: Mapping[str, object] | None = None
) -> str:
    """What reads, with these settings, the text that a command of a shell prints."""
    options, arguments = _written(settings or {})
    python = f"{command} > mended.csv, then forecast.read('mended.csv'{arguments})"
    return phrase(f"{command} | forecast inspect -{options}", python, attempt=attempt)


def _written(settings: Mapping[str, object]) -> tuple[str, str]:
    """Settings as options of a command, and as a further argument in Python."""
    plain = {name: ",".join(value) if isinstance(value, tuple) else value for name, value in settings.items()}
    options = "".join(
        f" --{'no-' * (value is False)}{name.replace('_', '-')}"
        + ("" if isinstance(value, bool) else f" {in_shell(value)}")
        for name, value in plain.items()
    )
    arguments = ", ".join(f"{name}={value!r}" for name, value in plain.items())
    return options, f", forecast.ReadOptions({arguments})" * bool(plain)


def read_after(command: str, path: str) -> str:
    """What reads a path once a command of a shell has made it."""
    return phrase(f"{command} && forecast inspect {shlex.quote(path)}", f"{command}, then forecast.read({path!r})")
