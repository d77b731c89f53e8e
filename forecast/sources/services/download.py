"""A table at an address, ``https://…/river.csv``: fetched once, with the care due to services, and kept."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qsl, urlsplit

from forecast.errors import DataError, Sentence, in_shell, phrase, quote
from forecast.progress import NullProgress, Progress
from forecast.sources.services.answers import to_json, write_whole
from forecast.sources.services.bodies import UnusableError, first_words
from forecast.sources.services.hosts import Host, Query
from forecast.sources.services.naming import data_folder
from forecast.sources.services.transport import Client


def is_address(source: str) -> bool:
    """Whether a source is the address of a file."""
    return re.match(r"https?://", source, re.IGNORECASE) is not None


def download(
    address: str, *, refresh: bool = False, data_dir: Path | None = None, progress: Progress | None = None
) -> tuple[Path, bool]:
    """The file of an address, and whether it was there; if not, it is asked for. Beside it stands where it is from.

    Args:
        address: Of a table in a file that every command reads.
        refresh: Ask for it again.
        data_dir: Where files lie; None for FORECAST_DATA or ./data.
        progress: Receives what is waited for.

    Raises:
        DataError: If the address has no host.
        ServiceError: If it cannot be reached, or answers with something else than a table.
        MachineError: If the disk fails.
    """
    progress, parts = progress or NullProgress(), urlsplit(address)
    if not parts.hostname:
        raise DataError(f"{quote(address)} has no host.", "An address is such as https://example.org/river.csv")
    name = PurePosixPath(parts.path).name or "table"
    stem, suffix = re.match(r"(.+?)((?:\.\w{1,8}){0,2})$", re.sub(r"[^\w.-]+", "-", name)).groups()  # type: ignore[union-attr]
    digest = hashlib.sha256(address.encode()).hexdigest()[:6]
    path = data_folder(data_dir) / f"{parts.hostname}-{stem[:60]}-{digest}{suffix}"
    if path.exists() and not refresh:
        return path, True
    host = Host("download", parts.hostname, f"{parts.scheme}://{parts.netloc}", licence="unknown", attribution=address)
    query = Query(host, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)))
    with tempfile.TemporaryDirectory() as place:  # the file itself is what is kept
        client = Client(Path(place), progress)
        body = client.ask(query, _table)
        assert body is not None  # no status means that there is nothing
        write_whole(path, body)
        about = client.answers[-1]
    write_whole(
        path.with_name(f"{path.name}.json"),
        to_json({"address": about.address, "asked_at": about.asked_at, "sha256": about.sha256}),
    )
    progress.note(f"{about.address} is fetched into {path}")
    return path, False


def note_on_copy(path: Path) -> list[str]:
    """What to know of a file that was fetched from an address: since when it stands here, and how to get it anew."""
    try:
        about = json.loads(path.with_name(f"{path.name}.json").read_bytes())
        address, asked_at = about["address"], about["asked_at"]
    except (OSError, ValueError, TypeError, KeyError):
        return []
    anew = phrase(f"forecast fetch {in_shell(address)} --refresh", f"forecast.fetch({address!r}, refresh=True)")
    return [Sentence(f"As it was at {address} on {asked_at}; to get it anew: {anew}.")]


def _table(body: bytes) -> bytes:
    """The body as it is.

    Raises:
        UnusableError: If it is empty, or a page for readers.
    """
    if not body.strip() or body.lstrip()[:1] == b"<":
        raise UnusableError(f"what is no table: {first_words(body)}")
    return body
