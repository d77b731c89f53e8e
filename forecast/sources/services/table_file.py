"""A file of fetched rows, and beside it the document that says where they come from.

The document is JSON of the same name: who gave the rows under which licence, what was asked when and answered with
which bytes, in which units, and what was revised since. Without it, or where the rows are no longer those that it tells
of, a file is its user's own, and is never overwritten.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.errors import DataError, MachineError
from forecast.sources.services.answers import to_json, write_whole

# How a document begins, by which it is told from other JSON beside a table.
_MARK = "fetched_by_forecast"
_SCHEMA = 1

# The folder of files that others took the place of.
_EARLIER = "earlier"

# What a document holds; JSON without it is something else.
_FIELDS = {_MARK: int, "source": str, "service": str, "licence": str, "attribution": str, "asked_at": str,
           "asked": dict, "columns": list, "target": str, "hindsight": list, "units": dict, "about": dict,
           "revisions": list, "answers": list, "sha256": str}  # fmt: skip

# What tells one row from another; whichever of them a table has.
_KEYS = ("unique_id", "issued_at", "ds")

# Revised values that are named; the others are counted.
_NAMED = 3


@dataclass(frozen=True)
class TableFile:
    """The rows of a file and what is known of them.

    Args:
        frame: ``unique_id`` where there are several series, ``issued_at`` where rows are forecasts, ``ds``, columns.
        about: The document, without its mark and the digest of the file.
    """

    frame: pd.DataFrame
    about: dict[str, Any]


def measured_in(frame: pd.DataFrame) -> list[str]:
    """The columns of a frame that hold values."""
    return [str(name) for name in frame if name not in _KEYS]


def document_beside(path: Path) -> dict[str, Any] | None:
    """The document of a file of fetched rows; None for any other file."""
    try:
        with open(path.with_suffix(".json"), "rb") as file:
            if path.suffix != ".csv" or _MARK.encode() not in file.read(100):
                return None
            file.seek(0)
            document = json.loads(file.read())
    except (OSError, ValueError):
        return None
    is_whole = isinstance(document, dict) and all(isinstance(document.get(key), kind) for key, kind in _FIELDS.items())
    return document if is_whole and document[_MARK] == _SCHEMA else None


def read_file(path: Path) -> TableFile | None:
    """The rows of a file; None if there is none.

    Raises:
        DataError: If it is there, and not as it was fetched; or if its document is another one.
        MachineError: If it cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        if path.with_suffix(".json").exists() and document_beside(path) is None:
            raise DataError(
                f"{path.with_suffix('.json')} says nothing of fetched rows: it is left as it is.", "Move it away."
            ) from None
        return None
    except OSError as error:
        raise MachineError(f"{path} could not be read: {error.strerror}.", "Check the disk, then try again.") from None
    about = document_beside(path)
    if about is None or about.get("sha256") != hashlib.sha256(content).hexdigest():
        raise DataError(
            f"{path} is not as it was fetched, or was not fetched at all: it is left as it is.",
            f"Move it away, then try again: {shlex.join(['mv', str(path), str(path.with_name(f'my-{path.name}'))])}",
        )
    missing = {name: [""] for name in about["columns"]}  # a series may be called NA
    frame = pd.read_csv(path, dtype={"unique_id": str}, keep_default_na=False, na_values=missing)
    for name in ("issued_at", "ds"):
        if name in frame:
            frame[name] = pd.to_datetime(frame[name], format="ISO8601", utc=True).dt.tz_localize(None)
    return TableFile(frame, {key: value for key, value in about.items() if key not in (_MARK, "sha256")})


def write_file(path: Path, table: TableFile) -> None:
    """Write the rows, then their document; each as a whole.

    Raises:
        MachineError: If the disk is full, or the folder cannot be written.
    """
    content = as_csv(table.frame)
    write_whole(path, content)
    document = {_MARK: _SCHEMA, **table.about, "sha256": hashlib.sha256(content).hexdigest()}
    write_whole(path.with_suffix(".json"), to_json(document))


def as_csv(frame: pd.DataFrame) -> bytes:
    """The rows as a file holds them: days without a time of day, other times in UTC."""
    frame = frame.copy()
    is_days = bool((frame["ds"] == frame["ds"].dt.normalize()).all())
    frame["ds"] = frame["ds"].dt.strftime("%Y-%m-%d" if is_days else "%Y-%m-%dT%H:%MZ")
    if "issued_at" in frame:
        frame["issued_at"] = frame["issued_at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    for name in measured_in(frame):
        values = frame[name].to_numpy(float)
        if (np.isnan(values) | ((values == np.round(values)) & (np.abs(values) < 2**53))).all():
            frame[name] = frame[name].astype("Int64")  # 75 rather than 75.0
    return frame.to_csv(index=False, lineterminator="\n").encode()


def keep_earlier(path: Path, about: dict[str, Any]) -> Path:
    """Copy a file and its document aside, before others take their place: runs were trained on these rows.

    Returns:
        The copy, named by when its rows were asked for.

    Raises:
        MachineError: If the disk is full, or the folder cannot be written.
    """
    stamp = re.sub(r"[^0-9T]", "", about["asked_at"].partition("+")[0])
    copy = path.parent / _EARLIER / f"{path.stem}-{stamp}.csv"
    for suffix in (".csv", ".json"):
        write_whole(copy.with_suffix(suffix), path.with_suffix(suffix).read_bytes())
    return copy


@dataclass(frozen=True)
class Merged:
    """What came of new rows and those that were there.

    Args:
        frame: The rows of both, in order; where both have a row, the new one.
        n_new: Rows that are new.
        n_revised: Values that were others before.
        revisions: The first of them, as sentences.
    """

    frame: pd.DataFrame
    n_new: int
    n_revised: int
    revisions: tuple[str, ...]


def merge(old: pd.DataFrame, new: pd.DataFrame) -> Merged:
    """New rows beside those that were there; a value that is missing now and was there is kept."""
    keys = [key for key in _KEYS if key in new]
    columns = measured_in(new)
    before, after = old.set_index(keys)[columns].astype(float), new.set_index(keys)[columns].astype(float)
    both = after.combine_first(before).sort_index()
    common = after.index.intersection(before.index)
    was, now = before.loc[common].to_numpy(), after.loc[common].to_numpy()
    changed = (was != now) & ~np.isnan(was) & ~np.isnan(now)
    named = [
        f"{columns[column]} at {_key(common[row])} was {was[row, column]:g} and is {now[row, column]:g}"
        for row, column in np.argwhere(changed)[:_NAMED].tolist()
    ]
    frame = both[columns].reset_index()
    return Merged(frame, len(after.index.difference(before.index)), int(changed.sum()), tuple(named))


def _key(values: Any) -> str:
    """What tells a row, as a sentence has it."""
    parts: Sequence[Any] = values if isinstance(values, tuple) else (values,)
    return ", ".join(str(part).removesuffix(" 00:00:00") for part in parts)
