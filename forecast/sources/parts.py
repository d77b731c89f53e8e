"""A panel that is larger than memory: a folder of Parquet files, each with some of the series, read some at a time."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from forecast.config import Settings
from forecast.errors import ConfigError, DataError, listed, quote, setting
from forecast.memory import megabytes
from forecast.tables.folders import find_files

# Bytes that a row and each of its columns take while a file is read, scaled and indexed, at the most. Measured: 154 of
# a row with one value beside time and series, 272 with eight; 60 and 170 of them stay.
_BYTES_OF_ROW, _BYTES_OF_COLUMN = 80, 30

# How pandas calls the column of an index without a name.
_INDEX = "__index_level_"

# Columns that a sentence names.
_NAMED = 5

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


@dataclass(frozen=True)
class Parts:
    """The files of a panel in an order that is drawn, and how many bytes of their rows may be held at a time.

    Half of them are for the sample, by which everything is chosen, half for the files that are learned from or scored.

    Args:
        folder: Where they are.
        files: Their paths.
        sizes: Bytes that the rows of each take.
        lengths: Bytes of each on the disk, by which a change is seen.
        memory: Bytes of all rows that are held at a time.
    """

    folder: str
    files: tuple[str, ...]
    sizes: tuple[int, ...]
    lengths: tuple[int, ...]
    memory: int

    @cached_property
    def sets(self) -> list[tuple[str, ...]]:
        """All files in sets, each of which is held at a time; the first one is the sample."""
        sets: list[list[str]] = []
        held = self.memory
        for path, size in zip(self.files, self.sizes, strict=True):
            if held + size > self.memory / 2:
                sets.append([])
                held = 0
            sets[-1].append(path)
            held += size
        return [*map(tuple, sets)]

    @property
    def sample(self) -> list[str]:
        """The files by which everything is chosen, in the order of their names."""
        return sorted(self.sets[0])

    def to_record(self) -> dict[str, Any]:
        """What a run's manifest says of them."""
        counts = {"files": len(self.files), "sampled": len(self.sample), "sets": len(self.sets)}
        n_bytes = {"bytes": sum(self.sizes), "on_disk": sum(self.lengths)}
        return {"folder": self.folder, "memory": self.memory, **n_bytes, **counts}

    def check_unchanged(self, files: Sequence[str]) -> None:
        """Check that some of the files are those that they were.

        Raises:
            DataError: If one is not; names it.
        """
        lengths = dict(zip(self.files, self.lengths, strict=True))
        for path in files:
            if not os.path.isfile(path) or os.path.getsize(path) != lengths[path]:
                raise DataError(
                    f"{os.path.basename(path)} has changed while {quote(self.folder)} was read in parts.",
                    "Bring it back as it was, or begin again.",
                )

    def describe(self) -> str:
        """A sentence on what is learned from, and what chosen by."""
        return (
            f"Learned from and scored on {len(self.files):,} files, {len(self.sets):,} sets of them in turn; chosen by "
            f"{len(self.sample):,}, drawn by the seed, of which plots and figures by series are, too. At most "
            f"{megabytes(self.memory)} of rows are held at a time."
        )


def parts_of(source: object, memory: int | str, seed: int) -> Parts | None:
    """The files of a folder with their rows, some of which are held at a time; None if all of them fit.

    Files without rows are passed over.

    Args:
        source: A folder of Parquet files, or a pattern of them.
        memory: Bytes of rows that are held at a time, such as ``2GB``.
        seed: Decides the order of the files.

    Raises:
        ConfigError: If the memory is no size.
        DataError: If the source is no such folder, one file takes more than half of the memory, or files have not the
            same columns.
    """
    most = _bytes_of(memory)
    where = os.path.realpath(source) if isinstance(source, (str, os.PathLike)) else ""
    found = find_files(str(where)) if where else None
    paths = [os.path.realpath(path) for path in found.files] if found is not None else []
    if not paths or not all(path.lower().endswith(".parquet") for path in paths):
        raise DataError(
            f"{quote(source)} is no folder of Parquet files.",
            f"{setting('memory')} reads a panel in parts, which are such files, each with some of the series.",
        )
    found_abouts = {path: about for path in paths if (about := _about(path)).num_rows}
    files = tuple(np.random.default_rng(seed).permutation([*found_abouts]).tolist())
    abouts = [found_abouts[path] for path in files]
    sizes = tuple(int(about.num_rows) * (_BYTES_OF_ROW + _BYTES_OF_COLUMN * int(about.num_columns)) for about in abouts)
    if sum(sizes) <= most:
        return None
    if (largest := max(sizes)) > most / 2:
        name = os.path.basename(files[sizes.index(largest)])
        raise DataError(
            f"The rows of {name} take {megabytes(largest)}, and half of the memory is {megabytes(most // 2)}.",
            f"Allow more: {setting('memory', f'{2 * largest // 10**6 + 1}MB')}; or divide its series into more files.",
        )
    _check_columns(dict(zip(files, abouts, strict=True)))
    return Parts(str(where), files, sizes, tuple(map(os.path.getsize, files)), most)


def parts_again(record: Mapping[str, Any] | None, seed: int) -> Parts | None:
    """The parts of an interrupted training, as a manifest keeps them; None if it has none.

    Raises:
        DataError: If the files are others by now.
    """
    if record is None:
        return None
    parts = parts_of(record["folder"], record["memory"], seed)
    if parts is None or parts.to_record() != record:
        raise DataError(
            f"The files of {quote(record['folder'])} have changed since the training began.",
            "Bring them back, or train again.",
        )
    return parts


def with_parts(settings: Settings) -> Settings:
    """Settings for a panel that is read in parts: each series is divided by its own rows, wherever it is read.

    Raises:
        ConfigError: If they ask for what needs all rows at once.
    """
    data = settings.data
    by_time = [name for name in ("validation_from", "test_from") if getattr(data, name) is not None]
    refused = {
        "split": data.split == "time",
        **dict.fromkeys(by_time, True),
        "stateful": settings.network.stateful,
        "known_forecasts": settings.read.known_forecasts is not None,
        "issued_at": settings.read.issued_at is not None,
    }
    if asked := next((name for name, is_refused in refused.items() if is_refused), None):
        raise ConfigError(
            f"{setting('memory')} divides each series by its own rows, reads many files, and learns from windows in "
            f"any order: {setting(asked)} does not go with it.",
            f"Leave {setting(asked)} out.",
        )
    return settings.model_copy(update={"data": data.model_copy(update={"split": "series"})})


def _bytes_of(size: int | str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT]?B?)", str(size).strip().upper())
    unit = None if found is None else _UNITS.get(found[2] if found[2] in ("", "B") else found[2].rstrip("B") + "B")
    unit = 1 if found is not None and found[2] == "B" else unit
    if found is None or unit is None or float(found[1]) * unit < 1:
        raise ConfigError(f"{setting('memory')} {quote(size)} is no size.", "Write it as 500MB or 2GB.", value=size)
    return int(float(found[1]) * unit)


def _about(path: str) -> pyarrow.parquet.FileMetaData:
    try:
        return pyarrow.parquet.read_metadata(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{os.path.basename(path)} is no Parquet file: {str(error).rstrip('.')}.",
            "Write it again, or move it away.",
        ) from None


def _check_columns(abouts: Mapping[str, pyarrow.parquet.FileMetaData]) -> None:
    """Check that all files have the same columns, before hours are spent on the others."""
    columns = {
        path: frozenset(name for name in about.schema.names if not name.startswith(_INDEX))
        for path, about in abouts.items()
    }
    usual = Counter(columns.values()).most_common(1)[0][0]
    for path, names in sorted(columns.items()):
        if names != usual:
            what = " and ".join(
                f"{verb} {listed([*map(quote, sorted(some))], _NAMED)}"
                for verb, some in (("lacks", usual - names), ("has besides", names - usual))
                if some
            )
            others = sum(others == usual for others in columns.values())
            raise DataError(
                f"{os.path.basename(path)} {what}, unlike {others:,} of the {len(columns):,} files.",
                f"Write it again with the columns {listed([*map(quote, sorted(usual))], 2 * _NAMED)}, or move it away.",
            )
