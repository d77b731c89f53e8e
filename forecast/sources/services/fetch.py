"""From what a user asks of a service to a file in the data folder: fetched, brought up to date, or as it is there."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecast.errors import ConfigError, MachineError, quote, setting
from forecast.progress import NullProgress, Progress
from forecast.sources.services.download import download, is_address
from forecast.sources.services.naming import data_folder, file_of, parse_source, source_of
from forecast.sources.services.service import Asked, Part, Service, Step
from forecast.sources.services.table_file import (
    Merged,
    TableFile,
    as_csv,
    keep_earlier,
    measured_in,
    merge,
    read_file,
    write_file,
)
from forecast.sources.services.transport import Client, ServiceError

# The folder of raw answers, in that of the files.
ANSWERS = "answers"

# The column of a price that is forecast; of other kinds it is the first one.
_TARGET = "close"

# The product whose rows are forecasts made when they are asked for: a further one stands beside those before.
_NOW = "forecast"

# What a user leaves open who names a source alone.
_OPEN: dict[str, Any] = {"start": None, "end": None, "columns": None}


@dataclass(frozen=True)
class Fetched:
    """A file of fetched rows.

    Args:
        path: The file.
        source: What names it as a source of any command.
        table: Its rows, and the document that says where they come from; None for the file of an address, which is
            kept as it came.
        was_there: Whether nothing was asked, because the file was there.
        n_new: Rows that were not there before.
        n_revised: Values that were others before.
        notes: What the user should know, one sentence each.
    """

    path: Path
    source: str
    table: TableFile | None
    was_there: bool
    n_new: int
    n_revised: int
    notes: tuple[str, ...]


def fetch(
    source: str,
    *,
    start: str | None = None,
    end: str | None = None,
    step: Step | None = None,
    columns: Sequence[str] = (),
    product: str | None = None,
    refresh: bool = False,
    data_dir: Path | None = None,
    progress: Progress | None = None,
    client: Client | None = None,
) -> Fetched:
    """The file of what a service has of some names, or of an address; asked for, unless it is there.

    Args:
        source: A service and names, such as ``open-meteo:Oslo`` or ``stock:AAPL,MSFT``; several become one panel. Or
            the address of a file, ``https://…/river.csv``.
        start: The first day, as 2020-01-31; the service's usual one if left out.
        end: The last day; today if left out.
        step: ``hourly`` or ``daily``; the service's usual one if left out.
        columns: What is wanted, as the service calls it; the usual columns if left out.
        product: Which of the service's products, such as ``previous-runs``; the usual one if left out.
        refresh: Ask for what came since the file was fetched, and for what may have been revised.
        data_dir: Where files lie; None for FORECAST_DATA or ./data.
        progress: Receives notes and warnings.
        client: Asks; None for one with the usual time-outs.

    Raises:
        ConfigError: If something is asked for that cannot be.
        DataError: If there is no such service, or the file is not as it was fetched.
        ServiceError: If the service cannot be reached, or does not answer with what was asked for.
        MachineError: If the disk fails, or a key is missing.
    """
    if is_address(source):
        _refuse_all(start=start, end=end, step=step, columns=columns, product=product)
        path, was_there = download(source, refresh=refresh, data_dir=data_dir, progress=progress)
        return Fetched(path, source, None, was_there, 0, 0, ())
    service, names = parse_source(source)
    folder = data_folder(data_dir)
    client = client or Client(folder / ANSWERS, progress or NullProgress())
    today = client.now().date()
    given = {"start": start, "end": end, "columns": tuple(columns) or None}
    asked = _asked(service, names, given, step, product, today)
    path, usual = file_of(service, asked, folder), _asked(service, names, _OPEN, None, None, today)
    named = source_of(service, names) if path == file_of(service, usual, data_folder()) else str(path)
    there = read_file(path)
    if there is None or not refresh or not _is_of(there, names):  # the names of two files may be written alike
        if there is not None and _is_of(there, names) and not _other_than(given, there.about["asked"]):
            return Fetched(path, named, there, True, 0, 0, ())
        table = _collect(service, asked, client)
        about = _document(service, asked, table, client)
        new = TableFile(table.frame, about)
        return _written(Fetched(path, named, new, False, len(new.frame), 0, table.notes), new, there)
    before = there.about["asked"]
    if other := {*_other_than(given, before)} - {"end"}:
        what = f"{setting('refresh', True)} keeps the first day and the columns of the file"
        raise ConfigError(f"{what}; another {min(other)} is given.", "Leave one of the two out.")
    given |= {"start": before["start"], "columns": tuple(before["columns"])}
    asked = _asked(service, names, given, step, product, today)
    table = _collect(service, replace(asked, start=max(asked.start, _since(service, there))), client)
    merged = merge(there.frame, table.frame)
    about = _with_earlier(there.about, _document(service, asked, table, client), merged)
    notes = table.notes + merged.revisions
    both = TableFile(merged.frame, about)
    return _written(Fetched(path, named, both, False, merged.n_new, merged.n_revised, notes), both, there)


def _refuse_all(**of_services: object) -> None:
    """Refuse what may be asked of a service, but not of an address."""
    for name in (name for name, value in of_services.items() if value):
        raise ConfigError(
            f"{setting(name)} is asked of a service; an address is that of a whole file.",
            "Leave it out.",
            setting=name,
            value=of_services[name],
        )


def _is_of(there: TableFile, names: tuple[str, ...]) -> bool:
    """Whether a file is of these names, in capital letters or not."""
    return [name.casefold() for name in there.about["asked"]["names"]] == [name.casefold() for name in names]


def _other_than(given: dict[str, Any], before: dict[str, Any]) -> list[str]:
    """What the user asks for otherwise than before."""
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in given.items()}
    return [key for key, value in plain.items() if value is not None and value != before[key]]


def _written(fetched: Fetched, table: TableFile, there: TableFile | None) -> Fetched:
    """What was fetched, in its file; the rows that were there are kept aside if they were others."""
    if there is not None and as_csv(table.frame) != as_csv(there.frame):
        kept = keep_earlier(fetched.path, there.about)
        note = f"The rows as of {there.about['asked_at']} are kept in {kept}."
        fetched = replace(fetched, notes=(*fetched.notes, note))
    write_file(fetched.path, table)
    return fetched


def _asked(
    service: Service, names: tuple[str, ...], given: dict[str, Any], step: Step | None, product: str | None, today: date
) -> Asked:
    """What is wanted, with what the user left open.

    Raises:
        ConfigError: If the service does not have it, or it is not over before it begins.
    """
    steps, products = list(service.columns), list(service.products)
    if step is not None and step not in steps:
        raise ConfigError(f"{service.title} has no {step} values.", f"It has {' and '.join(steps)} ones.")
    chosen = steps[0] if step is None else step
    if product is not None and product not in products:
        what = f"It has {', '.join(products)}." if products else "Leave it out."
        raise ConfigError(f"{service.title} has no product {product!r}.", what)
    product = product or (products[0] if products else "")
    end = _day("end", given["end"]) or today
    start = _day("start", given["start"]) or min(end, today) - timedelta(days=service.days)
    if product == _NOW:
        start = end = today
    if start > min(end, today):
        why = f"and today is {today}" if end >= today else f"after its end on {end}"
        raise ConfigError(f"The span begins on {start}, {why}.", f"Give an earlier {setting('start')}.")
    columns = given["columns"] or service.columns[chosen]
    for name in columns:
        if not re.fullmatch(r"[A-Za-z0-9_]+", name):
            raise ConfigError(f"{name!r} is no column of {service.title}.", f"Columns are {', '.join(columns)} …")
    return Asked(names, start, end, chosen, tuple(columns), product)


def _day(name: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{setting(name)}: takes a day such as 2020-01-31. Received: {text!r}.") from None


@dataclass(frozen=True)
class _Table:
    """The rows of all names below one another."""

    frame: pd.DataFrame
    units: dict[str, str]
    about: dict[str, Any]
    notes: tuple[str, ...]


def _collect(service: Service, asked: Asked, client: Client) -> _Table:
    """Ask for each name, and keep what was known when it was asked for.

    Raises:
        MachineError: If the service takes a key, and there is none.
        ServiceError: If there is nothing of a name.
        ConfigError: If the service has no such column.
    """
    if service.key and not os.environ.get(service.key):
        raise MachineError(
            f"{service.title} answers those with a key, and {service.key} is not set.",
            f"Get one at its site, then: export {service.key}=…",
        )
    if service.caution:
        client.progress.warn(service.caution)
    parts: dict[str, Part] = {}
    for number, name in enumerate(asked.names):
        client.progress.counted(f"asking {service.title}", number, len(asked.names))
        asked_at = client.now()
        part = service.collect(client, name, asked)
        if part is None:
            raise ServiceError(f"{service.title} knows no {quote(name)}.", f"Give {service.names}.")
        if "issued_at" in part.frame:
            frame = _issued(part.frame, client.now())
        elif unknown := [column for column in asked.columns if column not in part.frame]:
            has = ", ".join(measured_in(part.frame))
            raise ConfigError(f"{service.title} has no column {unknown[0]!r}.", f"It has {has}.")
        else:
            frame = _observed(part.frame, asked, asked_at)
        if frame.empty:
            raise ServiceError(
                f"{service.title} has nothing of {quote(name)} from {asked.start} to {asked.end}.",
                "Ask for another span, or other columns.",
            )
        if len(asked.names) > 1:
            frame.insert(0, "unique_id", name)
        parts[name] = replace(part, frame=frame)
    client.progress.counted(f"asking {service.title}", len(asked.names), len(asked.names))
    table = pd.concat([part.frame for part in parts.values()], ignore_index=True)
    units = {column: {part.units.get(column, "") for part in parts.values()} for column in measured_in(table)}
    return _Table(
        table,
        {column: of.pop() for column, of in units.items() if len(of) == 1 and "" not in of},
        {name: part.about for name, part in parts.items() if part.about},
        tuple(f"{name}: {note}" for name, part in parts.items() for note in part.notes),
    )


def _observed(frame: pd.DataFrame, asked: Asked, asked_at: datetime) -> pd.DataFrame:
    """The rows [T] within the span that were over when they were asked for, from the first measured one to the last.

    Services write what they expect into the same columns; a row of a later time is never an observation.
    """
    columns = list(asked.columns)
    lasts = pd.Timedelta(days=1 if asked.step == "daily" else 0)
    within = (frame["ds"] >= pd.Timestamp(asked.start)) & (frame["ds"] < pd.Timestamp(asked.end) + pd.Timedelta(days=1))
    frame = frame.loc[within & (frame["ds"] + lasts <= _naive(asked_at)), ["ds", *columns]]
    frame = frame.drop_duplicates("ds", keep="last").sort_values("ds", ignore_index=True)
    measured = np.flatnonzero(frame[columns].notna().any(axis=1))
    return frame.iloc[measured[0] : measured[-1] + 1].copy() if len(measured) else frame.iloc[:0].copy()


def _issued(frame: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """The forecasts that were issued by now, and hold a value."""
    columns = measured_in(frame)
    holds = (frame["issued_at"] <= _naive(now)) & frame[columns].notna().any(axis=1)
    return frame.loc[holds, ["issued_at", "ds", *columns]].sort_values(["issued_at", "ds"], ignore_index=True)


def _naive(time: datetime) -> pd.Timestamp:
    return pd.Timestamp(time.astimezone(UTC).replace(tzinfo=None))


def _since(service: Service, there: TableFile) -> date:
    """The first day that is asked for again."""
    if service.revised is None:
        return date.min
    newest: pd.Timestamp = there.frame["ds"].max()
    return newest.date() - timedelta(days=service.revised)


def _document(service: Service, asked: Asked, table: _Table, client: Client) -> dict[str, Any]:
    """What stands beside a file."""
    columns = measured_in(table.frame)
    return {
        "source": source_of(service, asked.names),
        "service": service.title,
        "licence": service.licence,
        "attribution": service.attribution,
        "asked_at": max(answer.asked_at for answer in client.answers),
        "asked": {
            "names": list(asked.names),
            "start": asked.start.isoformat(),
            "end": asked.end.isoformat(),
            "step": asked.step,
            "columns": list(asked.columns),
            "product": asked.product,
        },
        "columns": columns,
        "target": _TARGET if _TARGET in columns else columns[0],
        "hindsight": [name for name in service.hindsight if name in columns],
        "units": table.units,
        "about": table.about,
        "revisions": [],
        "answers": [
            {"address": answer.address, "asked_at": answer.asked_at, "sha256": answer.sha256, "body": answer.body}
            for answer in client.answers
        ],
    }


def _with_earlier(before: dict[str, Any], about: dict[str, Any], merged: Merged) -> dict[str, Any]:
    """The document of new rows, with what that of the earlier ones knows, and a word on what was revised."""
    revisions = list(before["revisions"])
    if merged.n_revised:
        revisions.append({"asked_at": about["asked_at"], "values": merged.n_revised, "first": list(merged.revisions)})
    known = {name: before["about"].get(name, {}) | found for name, found in about["about"].items()}
    return {
        **about,
        "about": before["about"] | known,
        "revisions": revisions,
        "answers": before["answers"] + about["answers"],
    }
