"""NOAA's National Centers for Environmental Information: days of weather stations all over the world.

Two ways to the same observations: the access data service answers with what is asked for, in metric units; the archive
of GHCN-Daily has a file for each station, in tenths. What failed a quality check is left out of both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from forecast.errors import ConfigError
from forecast.sources.services.bodies import UnusableError, csv_of, json_of, numbers
from forecast.sources.services.hosts import Host, Query
from forecast.sources.services.service import Asked, Part, Service
from forecast.sources.services.transport import Client

# A station of GHCN-Daily: its country and network, and what they call it.
STATION = re.compile(r"[A-Z]{2}[A-Z0-9_-]{9}", re.IGNORECASE)

_LICENCE = "public domain (U.S. Government work)"
_ATTRIBUTION = "NOAA NCEI, Global Historical Climatology Network daily (GHCN-Daily)"

_HOST = Host("ncei", "NOAA NCEI", "https://www.ncei.noaa.gov", _LICENCE, _ATTRIBUTION, ((60.0, 60.0),))

_UNITS = {"TMAX": "°C", "TMIN": "°C", "TAVG": "°C", "TOBS": "°C", "PRCP": "mm", "SNOW": "mm", "SNWD": "mm",
          "AWND": "m/s", "WSF2": "m/s", "WSF5": "m/s", "WSFG": "m/s"}  # fmt: skip

# What the files of GHCN-Daily give in tenths of °C, mm and m/s; the rest is whole.
_TENTHS = {"TMAX", "TMIN", "TAVG", "TOBS", "PRCP", "MDPR", "EVAP", "WESD", "WESF", "AWND", "WSF1", "WSF2", "WSF5",
           "WSFG", "WSFM"}  # fmt: skip

# Years that are asked for at once.
_YEARS = 10


def collect(client: Client, name: str, asked: Asked) -> Part:
    """The days of a station, from the access data service, which does not say whether there is one.

    Raises:
        ConfigError: If it cannot be a station.
    """
    station, frames = _station(name), []
    for year in range(asked.start.year, asked.end.year + 1, _YEARS):
        start, end = max(asked.start, date(year, 1, 1)), min(asked.end, date(year + _YEARS - 1, 12, 31))
        params = {
            "dataset": "daily-summaries", "stations": station,
            "startDate": start.isoformat(), "endDate": end.isoformat(),
            "dataTypes": ",".join(asked.columns), "units": "metric", "format": "json", "includeAttributes": "true",
        }  # fmt: skip
        query = Query(_HOST, "/access/services/data/v1", params)
        frames.append(client.ask(query, partial(_summaries, columns=asked.columns)))
    return Part(pd.concat(frames, ignore_index=True), _UNITS)


def collect_file(client: Client, name: str, asked: Asked) -> Part | None:
    """The days of a station, from its file in the archive of GHCN-Daily.

    Raises:
        ConfigError: If it cannot be a station.
    """
    path = f"/data/global-historical-climatology-network-daily/access/{_station(name)}.csv"
    frame = client.ask(Query(_HOST, path, absent=(404,)), partial(_file, columns=asked.columns))
    return None if frame is None else Part(frame, _UNITS)


def _summaries(content: bytes, columns: tuple[str, ...]) -> pd.DataFrame:
    """The rows of the access data service: objects of texts, which lack what was not measured."""
    rows: Any = json_of(content)
    if not isinstance(rows, list) or not all(isinstance(row, dict) and "DATE" in row for row in rows):
        raise UnusableError(f"JSON without rows: {str(rows)[:100]}")
    return _frame(
        [row["DATE"] for row in rows],
        {column: [row.get(column, "") for row in rows] for column in columns},
        {column: [row.get(f"{column}_ATTRIBUTES", "") for row in rows] for column in columns},
    )


def _file(content: bytes, columns: tuple[str, ...]) -> pd.DataFrame:
    """The rows of a file of the archive, in units rather than tenths; a column that a station lacks is missing."""
    cells = csv_of(content, "STATION", "DATE")
    nothing = [""] * len(cells["DATE"])
    frame = _frame(
        cells["DATE"],
        {column: cells.get(column, nothing) for column in columns},
        {column: cells.get(f"{column}_ATTRIBUTES", nothing) for column in columns},
    )
    tenths = [column for column in columns if column in _TENTHS]
    frame[tenths] = (frame[tenths] / 10).round(1)
    return frame


def _frame(dates: list[str], values: Mapping[str, list[str]], attributes: Mapping[str, list[str]]) -> pd.DataFrame:
    """Days and values, without those that failed a check: the second of their attributes says which."""
    frame = pd.DataFrame({"ds": pd.to_datetime(pd.Series(dates, dtype=str), format="%Y-%m-%d")})
    for column, cells in values.items():
        failed = np.array([len(parts := text.split(",")) > 1 and bool(parts[1].strip()) for text in attributes[column]])
        frame[column] = np.where(failed, np.nan, numbers([str(cell).strip() for cell in cells])) if dates else []
    return frame


def _station(name: str) -> str:
    if not STATION.fullmatch(name):
        raise ConfigError(f"{name!r} is no station of GHCN-Daily.", "Give its eleven characters, such as USW00094728.")
    return name.upper()


SERVICE = Service(
    name="ncei",
    title="NOAA NCEI",
    kind="weather",
    collect=collect,
    columns={"daily": ("TMAX", "TMIN", "PRCP")},
    licence=_LICENCE,
    attribution=_ATTRIBUTION,
    days=20 * 365,
    revised=None,
    names="the eleven characters of a station, such as USW00094728",
)

ARCHIVE = replace(SERVICE, name="ghcn", title="GHCN-Daily", collect=collect_file)
