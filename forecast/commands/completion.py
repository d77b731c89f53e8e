"""What a shell completes: runs, sources, and columns of the source in the line. Quick, and never an error."""

from __future__ import annotations

import csv
import glob
import os
from typing import Any

# Bytes of a file among which its header is looked for.
_BEGINNING = 1 << 16


def complete_runs(ctx: Any, incomplete: str) -> list[str]:
    """Names of runs, the newest first, and ``latest``."""
    from forecast.runs.find import runs_folder

    folder = runs_folder(ctx.params.get("runs_dir"))
    found = sorted(folder.glob("*/manifest.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    names = ["latest", *(path.parent.name for path in found)] if found else []
    return [name for name in names if name.startswith(incomplete) and not name.startswith(".")]


def complete_sources(incomplete: str) -> list[str]:
    """Built-in series, and files."""
    from forecast.sources.datasets import DATASETS

    paths = sorted(glob.glob(f"{glob.escape(incomplete)}*"))
    files = [f"{path}/" if os.path.isdir(path) else path for path in paths]
    return [name for name in DATASETS if name.startswith(incomplete)] + files


def complete_columns(ctx: Any, incomplete: str) -> list[str]:
    """Columns of the source that the line names; after a comma, further ones."""
    earlier, comma, begun = incomplete.rpartition(",")
    words = [word for word in ctx.args if not word.startswith("-")]  # where the parser stopped at the option's name
    names = _columns(ctx.params.get("source") or (words[0] if words else None))
    return [earlier + comma + name for name in names if name.startswith(begun) and name not in earlier.split(",")]


def _columns(source: str | None) -> list[str]:
    """The cells of the first line of a file of text; the columns of a Parquet file, or of a built-in series."""
    from forecast.sources.datasets import DATASETS

    try:
        if source is None or not os.path.isfile(source):
            return list(DATASETS[source].units) if source in DATASETS else []
        if source.lower().endswith(".parquet"):
            import pyarrow.parquet

            return list(pyarrow.parquet.read_schema(source).names)
        with open(source, encoding="utf-8-sig", errors="replace") as file:
            lines = file.read(_BEGINNING).splitlines()
    except (OSError, ValueError):
        return []
    header = lines[0] if lines else ""
    delimiter = max(",;\t|", key=header.count)
    return [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
