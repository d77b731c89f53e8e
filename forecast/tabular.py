"""Tables as CSV files: twelve digits, dates as people write them, and nothing that a spreadsheet would run."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv

# What a spreadsheet takes for the beginning of a formula.
_FORMULA = re.compile(r"[=+\-@\t\r]")
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
            few = values.astype(str).tolist()
            few = few if pd.api.types.is_datetime64_any_dtype(column) else [_harmless(text) for text in few]
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
        (column.astype(str) if name in ("ds", "cutoff") else column).tolist() for name, column in forecast.items()
    ]
    return [dict(zip(forecast.columns, row, strict=True)) for row in zip(*columns, strict=True)]


def frame_from_csv(content: bytes) -> pd.DataFrame:
    """The table in long format that `frame_to_csv` wrote: ``unique_id`` as text, ``ds`` and ``cutoff`` as times."""
    frame = pd.read_csv(io.BytesIO(content), dtype={"unique_id": str}, keep_default_na=False, na_values=[""])
    frame["unique_id"] = frame["unique_id"].str.replace(rf"^'(?={_FORMULA.pattern})", "", regex=True)
    for column in ("ds", "cutoff"):
        frame[column] = pd.to_datetime(frame[column])
    return frame


def _harmless(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of a usual size to twelve digits, so that the shortest text that stands for each of them has no more."""
    size = np.abs(values)
    usual = (size > 1e-10) & (size < 1e11)  # there the powers of ten are exact, so that one rounding is all
    scale = _POWERS[_DIGITS - 1 - np.floor(np.log10(np.where(usual, size, 1.0))).astype(np.int64)]
    return np.where(usual, np.rint(np.where(usual, values, 0.0) * scale) / scale, values)
