"""Meteostat: what weather stations measured, by hour or day, in a packed file for each station and year.

Where nothing was measured its files hold what models say, up to days ahead; each value names where it comes from, and
only those of observers are kept.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from forecast.errors import ConfigError
from forecast.sources.services.bodies import csv_of, numbers, unzipped
from forecast.sources.services.hosts import Host, Query
from forecast.sources.services.service import Asked, Part, Service
from forecast.sources.services.transport import Client

_LICENCE = "CC BY 4.0, of some providers for non-commercial use"
_ATTRIBUTION = "Meteostat, and the national weather services that it names"

_HOST = Host("meteostat", "Meteostat", "https://data.meteostat.net", _LICENCE, _ATTRIBUTION, ((120.0, 60.0),))

# Who observes. Others, such as dwd_mosmix, metno_forecast and model, calculate.
_OBSERVERS = {"isd_lite", "metar", "metar_legacy", "synop", "ghcnd", "climat", "dwd_hourly", "dwd_poi", "dwd_daily",
              "dwd_monthly", "eccc_hourly", "eccc_daily", "eccc_monthly", "gsa_hourly", "gsa_synop", "gsa_daily",
              "gsa_monthly"}  # fmt: skip

_UNITS = {"temp": "°C", "tmin": "°C", "tmax": "°C", "rhum": "%", "prcp": "mm", "snwd": "cm", "snow": "mm", "wdir": "°",
          "wspd": "km/h", "wpgt": "km/h", "pres": "hPa", "tsun": "min", "cldc": "okta"}  # fmt: skip

_TIME = {"hourly": ("year", "month", "day", "hour"), "daily": ("year", "month", "day")}


def collect(client: Client, name: str, asked: Asked) -> Part | None:
    """What a station measured, without what models say.

    Raises:
        ConfigError: If it cannot be a station.
    """
    if not name.isalnum():
        raise ConfigError(f"{name!r} is no station of Meteostat.", "Give its number, such as 10384.")
    frames, n_calculated = [], 0
    for year in range(asked.start.year, min(asked.end, client.now().date()).year + 1):
        query = Query(_HOST, f"/{asked.step}/{year}/{name}.csv.gz", absent=(404,))
        found = client.ask(query, partial(_table, step=asked.step, columns=asked.columns, most=client.most_bytes))
        if found is not None:
            frames.append(found[0])
            n_calculated += found[1]
    if not frames:
        return None
    notes = (f"{n_calculated:,} values of models, which nobody measured, are left out.",) if n_calculated else ()
    return Part(pd.concat(frames, ignore_index=True), _UNITS, notes=notes)


def _table(content: bytes, step: str, columns: tuple[str, ...], most: int) -> tuple[pd.DataFrame, int]:
    """The observed values of a file, and how many values were not observed."""
    time = _TIME[step]
    cells = csv_of(unzipped(content, most), *time, *columns, *(f"{column}_source" for column in columns))
    ds = pd.to_datetime(pd.DataFrame({part: pd.to_numeric(pd.Series(cells[part], dtype=object)) for part in time}))
    frame, n_calculated = pd.DataFrame({"ds": ds}), 0
    for column in columns:
        values = np.array(numbers(cells[column]))
        sources = pd.Series(cells[f"{column}_source"], dtype=object)
        observed = sources.map({text: bool(text) and {*text.split()} <= _OBSERVERS for text in sources.unique()})
        calculated = ~np.isnan(values) & ~observed.to_numpy(bool)
        n_calculated += int(calculated.sum())
        frame[column] = np.where(calculated, np.nan, values)
    return frame, n_calculated


SERVICE = Service(
    name="meteostat",
    title="Meteostat",
    kind="weather",
    collect=collect,
    columns={
        "hourly": ("temp", "rhum", "prcp", "wspd", "pres"),
        "daily": ("tmin", "tmax", "prcp"),
    },
    licence=_LICENCE,
    attribution=_ATTRIBUTION,
    days=3 * 365,
    revised=400,  # this year's and last year's file
    names="the number of a station, such as 10384",
)
