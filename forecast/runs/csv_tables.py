"""Tables as CSV: twelve significant digits, short dates, and no text that a spreadsheet would run as a formula."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from csv import reader as csv_reader
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

from forecast.data.clock import STEP, Clock
from forecast.runs.files import damaged

# The beginning of what a spreadsheet takes for a formula, or of one that was escaped already: so that every text that
# is escaped on writing, and no other, is unescaped on reading.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_NEEDS_QUOTES = re.compile(r'[",\n\r]')

_DIGITS = 12
_POWERS = np.array([float(f"1e{exponent}") for exponent in range(23)])

# The first columns of the long format of forecasts, and the most bytes of its header: a column for each model and two
# for each of its intervals.
FORECAST_KEYS = ("unique_id", "ds", "cutoff")
_LONGEST_HEADER = 64 * 1024


def frame_to_csv(frame: pd.DataFrame) -> bytes:
    """A table as CSV; a text that looks like a formula is escaped by a leading quote."""
    header = [_escape_formula(str(name)) for name in frame.columns]
    texts, columns = list(header), []
    unit = _unit_of_times([frame[name] for name in frame.columns])
    for name in frame.columns:
        column = frame[name]
        if pd.api.types.is_float_dtype(column):
            columns.append(pa.array(_round_digits(column.to_numpy(np.float64)), from_pandas=True))
        elif pd.api.types.is_numeric_dtype(column):
            columns.append(pa.array(column))
        else:
            codes, values = pd.factorize(column)  # texts and times repeat, so each distinct one is written once
            distinct = [
                _escape_formula(text) if isinstance(value, str) else text
                for value, text in zip(values, _as_text(values, unit), strict=True)
            ]
            texts += distinct
            indices = pa.array(codes, mask=codes < 0)
            columns.append(pa.DictionaryArray.from_arrays(indices, pa.array(distinct, pa.string())).cast(pa.string()))
    buffer = io.BytesIO()
    buffer.write(",".join(map(_quote, header)).encode() + b"\n")
    style = "needed" if any(map(_NEEDS_QUOTES.search, texts)) else "none"
    csv.write_csv(pa.table(columns, names=header), buffer, csv.WriteOptions(include_header=False, quoting_style=style))
    return buffer.getvalue()


def to_records(forecasts: pd.DataFrame | Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a table in long format, or of its columns, as values of JSON: times as text, missing ones as None."""
    names, columns = list(map(str, forecasts)), list[list[Any]]()
    unit = _unit_of_times([forecasts[name] for name in ("ds", "cutoff") if name in forecasts])
    for name, column in forecasts.items():
        is_time = name in ("ds", "cutoff") and not pd.api.types.is_integer_dtype(column)  # but the number of a step
        if is_time:
            columns.append(_as_text(column, unit))
        else:
            columns.append([None if value != value else value for value in column.tolist()])
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _unit_of_times(columns: Sequence[pd.Series | pd.Index]) -> str:
    """The coarsest unit that holds all times of a table that have no zone: days if every one of them is midnight."""
    times = [column.to_numpy() for column in columns if _is_naive_time(column)]
    exact = (
        unit for unit in ("D", "s", "ms", "us") if all((t == t.astype(f"M8[{unit}]"))[t == t].all() for t in times)
    )
    return next(exact, "ns")


def _as_text(values: pd.Series | pd.Index | NDArray[Any], unit: str) -> list[str]:
    """Values as text, each as pandas writes it; times without a zone in this unit."""
    if not _is_naive_time(values):
        return values.astype(str).tolist()
    times = np.asarray(values).astype(f"M8[{unit}]")  # NumPy writes them ten times as fast
    return [text.replace("T", " ") for text in np.datetime_as_string(times).tolist()]


def _is_naive_time(values: pd.Series | pd.Index | NDArray[Any]) -> bool:
    return isinstance(values.dtype, np.dtype) and values.dtype.kind == "M"


def forecasts_from_csv(file: IO[bytes], path: Path, clock: Clock) -> pd.DataFrame:
    """The table in long format that `frame_to_csv` wrote: ``unique_id`` as text, ``ds`` and ``cutoff`` as times.

    Args:
        file: The file.
        path: What messages call it.
        clock: The clock of the times, in whose zone they are.

    Raises:
        RunError: If it has other columns, text among the numbers, or times that cannot be read.
    """
    names = _read_header(file, path)
    if tuple(names[: len(FORECAST_KEYS)]) != FORECAST_KEYS:
        raise damaged(path, f"it does not begin with the columns {', '.join(FORECAST_KEYS)}")
    frame = _read_rows(
        file, path, names, dict.fromkeys(FORECAST_KEYS, "str") | dict.fromkeys(names[len(FORECAST_KEYS) :], "float64")
    )
    try:
        frame["unique_id"] = frame["unique_id"].str.replace(rf"^'(?={_FORMULA.pattern})", "", regex=True)
        for column in ("ds", "cutoff"):
            frame[column] = _times_from_text(frame[column], clock)
    except (ValueError, OverflowError) as error:
        raise damaged(path, error) from None
    return frame


def _times_from_text(texts: pd.Series, clock: Clock) -> pd.Series:
    if clock.freq == STEP:
        return texts.astype(np.int64)
    times = pd.to_datetime(texts, format="ISO8601", utc=clock.is_zoned)
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        if not clock.is_zoned:
            raise ValueError("its times have zones")
        times = times.dt.tz_convert(clock.tz)
    return times.astype(clock.local(np.zeros(1, "datetime64[us]")).dtype)


def numbers_from_csv(file: IO[bytes], path: Path) -> pd.DataFrame:
    """A table of numbers alone that `frame_to_csv` wrote.

    Raises:
        RunError: If it holds anything else.
    """
    frame = _read_rows(file, path, _read_header(file, path), {})
    if not all(pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes):
        raise damaged(path, "there is text among its numbers")
    return frame


def _read_header(file: IO[bytes], path: Path) -> list[str]:
    header = file.readline(_LONGEST_HEADER)
    names = next(csv_reader([header.decode(errors="replace")]), [])
    if not header.endswith(b"\n") or len(set(names)) < len(names):
        raise damaged(path, "its first line is not a row of names")
    return names


def _read_rows(file: IO[bytes], path: Path, names: list[str], dtypes: dict[str, str]) -> pd.DataFrame:
    try:  # pandas reads in chunks, so it stops at the first one that holds no numbers
        return pd.read_csv(
            file, names=names, header=None, index_col=False, dtype=dtypes, keep_default_na=False, na_values=[""]
        )
    except (ValueError, OverflowError) as error:  # and its parser's own errors are ValueErrors
        raise damaged(path, error) from None


def _escape_formula(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _quote(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


def _round_digits(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values rounded to twelve significant digits, so that the shortest text of each has no more; others unchanged."""
    size = np.abs(values)
    usual = (size > 1e-10) & (size < 1e11)  # where the powers of ten are exact, so that there is one rounding only
    scale = _POWERS[_DIGITS - 1 - np.floor(np.log10(np.where(usual, size, 1.0))).astype(np.int64)]
    return np.where(usual, np.rint(np.where(usual, values, 0.0) * scale) / scale, values)
