"""Tables of forecasts as Parquet: exact to the last bit, in a third of the bytes that text takes."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from forecast.data.clock import STEP, Clock
from forecast.runs.csv_tables import FORECAST_KEYS
from forecast.runs.files import damaged


def frame_to_parquet(frame: pd.DataFrame) -> bytes:
    """A table as Parquet, compressed; texts and times are kept once each."""
    return frames_to_parquet([frame])


def frames_to_parquet(frames: Iterable[pd.DataFrame]) -> bytes:
    """The same of a table that comes in parts, at least one, of which only their compressed bytes are kept."""
    buffer, writer = io.BytesIO(), None
    for frame in frames:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        if writer is None:
            # The bytes of numbers of one size resemble each other place by place: exponents do, last digits do not.
            numbers = [field.name for field in table.schema if pa.types.is_floating(field.type)]
            writer = pq.ParquetWriter(
                buffer,
                table.schema,
                compression="zstd",
                use_dictionary=[name for name in table.column_names if name not in numbers],
                column_encoding=dict.fromkeys(numbers, "BYTE_STREAM_SPLIT"),
            )
        writer.write_table(table)
    if writer is not None:
        writer.close()
    return buffer.getvalue()


def forecasts_from_parquet(file: IO[bytes], path: Path, clock: Clock, largest: int) -> pd.DataFrame:
    """The table in long format that `frame_to_parquet` wrote, as `forecasts_from_csv` returns it.

    Args:
        file: The file.
        path: What messages call it.
        clock: The clock of the times.
        largest: Most bytes that the table may take in memory.

    Raises:
        RunError: If it is no such file, too large, or has other columns or other kinds of values.
    """
    try:
        opened = pq.ParquetFile(file)
        _check_columns(opened.schema_arrow, path, clock)
        if (size := opened.metadata.num_rows * 8 * len(opened.schema_arrow)) > largest:
            raise damaged(path, f"a table of {size:,} bytes is too large")
        frame = opened.read(use_threads=False).to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise damaged(path, error) from None
    if clock.is_zoned:
        for name in ("ds", "cutoff"):
            frame[name] = frame[name].dt.tz_convert(clock.tz)
    return frame.astype({"unique_id": "str"})


def _check_columns(schema: pa.Schema, path: Path, clock: Clock) -> None:
    if len(set(schema.names)) < len(schema) or tuple(schema.names[: len(FORECAST_KEYS)]) != FORECAST_KEYS:
        raise damaged(path, f"it does not begin with the columns {', '.join(FORECAST_KEYS)}")

    def is_time(kind: pa.DataType) -> bool:
        if clock.freq == STEP:
            return kind == pa.int64()
        return pa.types.is_timestamp(kind) and kind.unit == "us" and (kind.tz is not None) == clock.is_zoned

    texts, *times = (schema.field(name).type for name in FORECAST_KEYS)
    is_text = any(is_kind(texts) for is_kind in (pa.types.is_string, pa.types.is_large_string, pa.types.is_null))
    numbers = schema.types[len(FORECAST_KEYS) :]
    if not (is_text and all(map(is_time, times)) and all(kind == pa.float64() for kind in numbers)):
        raise damaged(path, "its columns are not an id, two times on the run's clock, and numbers")
