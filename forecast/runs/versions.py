"""The versions of a run: which there are, and which one is in place.

The folder of a run is its version 1. A later one is a whole run folder by itself, ``versions/2``, and ``current.json``
says which of them is in place. It is written in one step, so a reader finds one version or the next.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from forecast.errors import RunError, phrase
from forecast.runs.documents import Count, parse_json, to_json
from forecast.runs.files import damaged, read_within, write_atomically

CURRENT = "current.json"
VERSIONS = "versions"

# Newest versions that stay whole unless another number is asked for. Whoever has opened one reads it long before as
# many have followed.
MOST_WHOLE = 10

SCHEMA = 1
_LARGEST = 4096


@with_config(ConfigDict(extra="forbid", strict=True))
class _Current(TypedDict):
    schema: Count
    version: Count
    latest: Count


_CURRENT = TypeAdapter(_Current)


def folder_of_version(home: Path, version: int) -> Path:
    """Where a version of a run lies, whether it is there or not."""
    return home if version == 1 else home / VERSIONS / str(version)


def folder_in_place(home: Path) -> Path:
    """The folder of the version that is in place.

    Raises:
        RunError: If current.json is damaged, or there is no such version.
    """
    version, _ = read_current(home)
    folder = folder_of_version(home, version)
    if version > 1 and (not folder.is_dir() or folder.parent.is_symlink()):
        raise RunError(f"{home / CURRENT} says version {version}, and {folder} is no folder.", _put_back(home))
    return folder


def read_current(home: Path) -> tuple[int, int]:
    """The version that is in place, and the latest that ever was.

    Raises:
        RunError: If current.json is damaged.
    """
    path = home / CURRENT
    if not os.path.lexists(path):
        return 1, 1
    current = parse_json(read_within(home, CURRENT, _LARGEST), path)
    try:
        _CURRENT.validate_python(current)
    except ValidationError as error:
        raise damaged(path, error.errors(include_url=False)[0]["msg"], _put_back(home)) from None
    if current["schema"] > SCHEMA:
        raise RunError(f"{path} has schema {current['schema']}; this version reads up to {SCHEMA}.", "Update forecast.")
    if not 1 <= current["version"] <= current["latest"]:
        raise damaged(path, f"there is no version {current['version']} of {current['latest']}", _put_back(home))
    return current["version"], current["latest"]


def put_in_place(home: Path, version: int) -> None:
    """Make a version of a run, which is whole, the one that is in place; the lock of the run is held.

    Raises:
        MachineError: If current.json cannot be written; then the version before is in place.
    """
    for left in home.glob(f".{CURRENT}.*.tmp"):  # by a process that was killed while it wrote
        with suppress(OSError):
            left.unlink()
    latest = max(numbers_of_versions(home))
    write_atomically(home / CURRENT, to_json({"schema": SCHEMA, "version": version, "latest": latest}).encode())


def numbers_of_versions(home: Path) -> list[int]:
    """The numbers of the versions that are there, ascending; one without a manifest is none."""
    folder = home / VERSIONS
    there = [] if folder.is_symlink() else [path.parent.name for path in folder.glob("*/manifest.json")]
    return [1, *sorted(int(name) for name in there if re.fullmatch(r"[1-9]\d{0,8}", name) and name != "1")]


def _put_back(home: Path) -> str:
    shell, python = f"forecast rollback {home.name} --to 1", f"forecast.rollback({home.name!r}, to=1)"
    return f"Put a version in its place: {phrase(shell, python)}"
