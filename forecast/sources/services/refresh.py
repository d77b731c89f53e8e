"""A file that was fetched, brought up to date from where it came from."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from forecast.errors import ConfigError, setting
from forecast.progress import Progress
from forecast.sources.services.download import download
from forecast.sources.services.fetch import fetch
from forecast.sources.services.table_file import document_beside


def refresh(path: Path, progress: Progress) -> str:
    """Ask for what came since a file was fetched, and append it; returns where the rows are.

    Args:
        path: The file, as `fetch` or `download` wrote it.
        progress: Receives notes and warnings.

    Raises:
        ConfigError: If it was not fetched.
        ServiceError: If the service cannot be reached, or does not answer with what was asked for.
    """
    document = document_beside(path)
    if document is not None:
        asked = document["asked"]
        fetched = fetch(
            document["source"],
            step=asked["step"],
            product=asked["product"] or None,
            refresh=True,
            data_dir=path.parent,
            progress=progress,
        )
        for note in fetched.notes:
            progress.note(note)
        return str(fetched.path)
    with suppress(OSError, ValueError, TypeError, KeyError):
        address = str(json.loads(path.with_name(f"{path.name}.json").read_bytes())["address"])
        return str(download(address, refresh=True, data_dir=path.parent, progress=progress)[0])
    raise ConfigError(
        f"{path} does not say where it was fetched from.",
        f"Leave {setting('fetch', True)} out, and bring the file up to date yourself.",
    )
