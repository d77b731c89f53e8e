"""Tables in files, as CSV or Parquet by how the name ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from forecast.errors import ConfigError
from forecast.runs.csv_tables import frame_to_csv
from forecast.runs.files import check_output, write_output
from forecast.runs.parquet_tables import frame_to_parquet, frames_to_parquet

if TYPE_CHECKING:
    import pandas as pd


# How a table is written into a file whose name ends so.
_WRITERS: dict[str, Callable[[pd.DataFrame], bytes]] = {".csv": frame_to_csv, ".parquet": frame_to_parquet}


def check_table(path: Path | None) -> None:
    """Check, before the work is done, that a table can be written into a file.

    Raises:
        ConfigError: If its name ends otherwise than in .csv or .parquet; a pipe or a device may be called anything.
        MachineError: If it cannot be written.
    """
    if path is not None and path.suffix.lower() not in _WRITERS and (path.is_file() or not path.exists()):
        raise ConfigError(
            f"{path} is neither a .csv nor a .parquet file.", f"Name it {path.name}.csv or {path.name}.parquet."
        )
    check_output(path)


def table_to_bytes(name: str, frame: pd.DataFrame) -> bytes:
    """A table as the bytes of a file of that name; CSV where the name does not tell."""
    return _WRITERS.get(PurePath(name).suffix.lower(), frame_to_csv)(frame)


def write_parts(path: Path, frames: Iterable[pd.DataFrame]) -> None:
    """Write a table that comes in parts, as `write_table` does; of those for Parquet one at a time is in memory.

    Raises:
        MachineError: If it cannot be written.
    """
    if path.suffix.lower() == ".parquet":
        write_output(path, frames_to_parquet(frames))
    else:
        import pandas as pd

        write_table(path, pd.concat(frames, ignore_index=True))


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a table into a file, whole or not at all; a pipe or a device gets CSV.

    Raises:
        MachineError: If it cannot be written.
    """
    write_output(path, table_to_bytes(path.name, frame))
