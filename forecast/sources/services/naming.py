"""What is asked of a service, as a source names it, ``open-meteo:Oslo`` or ``stock:AAPL,MSFT``; and the file for it."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from forecast.errors import ConfigError, DataError, quote
from forecast.sources.services.catalogue import SERVICES
from forecast.sources.services.service import Asked, Service
from forecast.tables.spelling import nearest

# Names between commas; a comma before a blank belongs to a name, as in "Paris, Texas", and so does that of 59.91,10.75.
_NAMES = re.compile(r"[-+]?\d{1,2}(?:\.\d+)?,\s*[-+]?\d{1,3}(?:\.\d+)?(?=,|$)|(?:[^,]|,(?=\s))+")

# Names that stand in the name of a file.
_IN_FILE = 3


def data_folder(chosen: Path | None = None) -> Path:
    """Where files that are fetched lie: the chosen folder, else FORECAST_DATA, else ./data."""
    return Path(chosen or os.environ.get("FORECAST_DATA") or "data")


def parse_source(source: str) -> tuple[Service, tuple[str, ...]]:
    """The service that a source names, and what it asks for.

    Raises:
        DataError: If there is no such service; lists those that exist.
        ConfigError: If nothing stands behind the colon.
    """
    name, _, names = source.partition(":")
    name = name.casefold()
    if name not in SERVICES:
        meant = (known.name for known in SERVICES.values() if name in (known.kind, known.title.casefold()))
        near = next(meant, nearest(name, SERVICES))
        raise DataError(
            f"There is neither a file {quote(source)} nor a service {quote(name)}.",
            (f"Did you mean {near}:{names}? " if near else "") + f"Services: {', '.join(SERVICES)}.",
        )
    return SERVICES[name], parse_names(SERVICES[name], [names])


def parse_names(service: Service, texts: list[str]) -> tuple[str, ...]:
    """Names from texts that hold one or several with commas between, each once.

    Raises:
        ConfigError: If there is none.
    """
    found = (name.strip(" ,") for text in texts for name in _NAMES.findall(text))
    names = dict.fromkeys(filter(None, found))
    if not names:
        raise ConfigError(f"Nothing is asked of {service.title}.", f"Give {service.names}.")
    return tuple(names)


def source_of(service: Service, names: tuple[str, ...]) -> str:
    """The source that a service and names are."""
    return f"{service.name}:{','.join(names)}"


def file_of(service: Service, asked: Asked, folder: Path) -> Path:
    """The file that holds what is asked, named by it."""
    signed = [re.sub(r"(?<!\w)-(?=\d)", "minus-", name.casefold()) for name in asked.names]  # a southern latitude
    slugs = [re.sub(r"[^\w.]+", "-", name).strip("-.") or "series" for name in signed]
    if len(slugs) > _IN_FILE:  # a digest tells panels apart that begin alike
        digest = hashlib.sha256("\n".join(asked.names).encode()).hexdigest()[:6]
        slugs = [*slugs[:_IN_FILE], "and", str(len(slugs) - _IN_FILE), "more", digest]
    parts = [service.name, *(slug[:60] for slug in slugs)]
    if len(service.columns) > 1:
        parts.append(asked.step)
    if service.products and asked.product != service.products[0]:
        parts.append(asked.product)
    return folder / f"{'-'.join(parts)}.csv"
