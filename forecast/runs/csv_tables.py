"""Tables as CSV files: twelve digits, dates as people write them, and nothing that a spreadsheet would run."""

from __future__ import annotations

import io
import re
from csv import reader as csv_reader
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from forecast.errors import RunError

# What a spreadsheet takes for the beginning of a formula; and what looks like one that was made harmless, so that
# reading takes away what writing added.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NEEDS_QUOTES = re.compile(r'[",\n\r]')

_DIGITS = 12
_POWERS = np.array([float(f"1e{exponent}") for exponent in range(23)])


def frame_to_csv(frame: pd.DataFrame) -> bytes:
    """A table as CSV; text that a spreadsheet would take for a formula is made harmless by a leading quote."""
    header = [_harmless(str(name)) for name in frame.columns]
    texts, columns = list(header), []
    for name in frame.columns:
        column = frame[name]
        if pd.api.types.is_float_dtype(column):
            columns.append(pa.array(_rounded(column.to_numpy(np.float64)), from_pandas=True))
        elif pd.api.types.is_numeric_dtype(column):
            columns.append(pa.array(column))
        else:  # a few texts and times, many times over
            codes, values = pd.factorize(column)
            few = values.astype(str).tolist()  # all at once: times are as short as all of them can be
            few = [_harmless(text) if isinstance(value, str) else text for value, text in zip(values, few, strict=True)]
            texts += few
            columns.append(
                pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array(few, pa.string())).cast(
                    pa.string()
                )
            )
    written = io.BytesIO()
    written.write(",".join(map(_quoted, header)).encode() + b"\n")
    style = "needed" if any(map(_NEEDS_QUOTES.search, texts)) else "none"
    csv.write_csv(pa.table(columns, names=header), written, csv.WriteOptions(include_header=False, quoting_style=style))
    return written.getvalue()


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


def records(forecast: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a forecast as JSON takes them."""
    columns = [
        (column.astype(str) if name in ("ds", "cutoff") else column.astype(object).where(column.notna(), None)).tolist()
        for name, column in forecast.items()
    ]
    return [dict(zip(forecast.columns, row, strict=True)) for row in zip(*columns, strict=True)]


def frame_from_csv(file: IO[bytes], path: Path) -> pd.DataFrame:
    """The table in long format that `frame_to_csv` wrote: ``unique_id`` as text, ``ds`` and ``cutoff`` as times.

    Args:
        file: The file, at its beginning.
        path: Where it is, for messages.

    Raises:
        RunError: If it is no such table: other columns, text among the numbers, times that are none.
    """
    names = _head(file, path)
    if tuple(names[: len(_KEYS)]) != _KEYS:
        raise _damaged(path, f"it does not begin with the columns {', '.join(_KEYS)}")
    frame = _rows(file, path, names, dict.fromkeys(_KEYS, "str") | dict.fromkeys(names[len(_KEYS) :], "float64"))
    try:
        frame["unique_id"] = frame["unique_id"].str.replace(rf"^'(?={_FORMULA.pattern})", "", regex=True)
        for column in ("ds", "cutoff"):
            frame[column] = pd.to_datetime(frame[column], format="ISO8601")
    except (ValueError, OverflowError) as error:
        raise _damaged(path, error) from None
    if not all(pd.api.types.is_datetime64_dtype(frame[column]) for column in ("ds", "cutoff")):
        raise _damaged(path, "its times have zones")
    return frame


def numbers_from_csv(file: IO[bytes], path: Path) -> pd.DataFrame:
    """A table of nothing but numbers that `frame_to_csv` wrote.

    Args:
        file: The file, at its beginning.
        path: Where it is, for messages.

    Raises:
        RunError: If it is no such table.
    """
    frame = _rows(file, path, _head(file, path), {})
    if not all(pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes):
        raise _damaged(path, "there is text among its numbers")
    return frame


_KEYS = ("unique_id", "ds", "cutoff")

# A table of ours has a column for each model and two for each of its intervals.
_LONGEST_HEAD = 64 * 1024


def _head(file: IO[bytes], path: Path) -> list[str]:
    head = file.readline(_LONGEST_HEAD)
    names = next(csv_reader([head.decode(errors="replace")]), [])
    if not head.endswith(b"\n") or len(set(names)) < len(names):
        raise _damaged(path, "its head is no row of names")
    return names


def _rows(file: IO[bytes], path: Path, names: list[str], kinds: dict[str, str]) -> pd.DataFrame:
    """The rows behind the head; read part by part, so that what is no number is met early."""
    options: dict[str, Any] = {"dtype": kinds, "keep_default_na": False, "na_values": [""]}
    try:
        return pd.read_csv(file, names=names, header=None, index_col=False, **options)
    except (ValueError, OverflowError) as error:  # which is also what pandas and Python call what they cannot read
        raise _damaged(path, error) from None


def _damaged(path: Path, reason: object) -> RunError:
    return RunError(f"{path} is damaged: {reason}.", "Train the run again.")


def _harmless(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of a usual size to twelve digits, so that the shortest text that stands for each of them has no more."""
    size = np.abs(values)
    usual = (size > 1e-10) & (size < 1e11)  # there the powers of ten are exact, so that one rounding is all
    scale = _POWERS[_DIGITS - 1 - np.floor(np.log10(np.where(usual, size, 1.0))).astype(np.int64)]
    return np.where(usual, np.rint(np.where(usual, values, 0.0) * scale) / scale, values)
