"""FRED: economic series of the Federal Reserve Bank of St. Louis, as they stand now or stood on a day (vintages)."""

from __future__ import annotations

import re
from functools import partial

import pandas as pd

from forecast.errors import ConfigError
from forecast.sources.services.bodies import UnusableError, csv_of, numbers
from forecast.sources.services.service import Asked, Part, Service
from forecast.sources.services.transport import Client, Host, Query

_LICENCE = "by series: most are public domain, some belong to others and say so on their page"
_ATTRIBUTION = "FRED, Federal Reserve Bank of St. Louis"

_HOST = Host("fred", "FRED", "https://fred.stlouisfed.org", _LICENCE, _ATTRIBUTION, ((120.0, 60.0),))


def collect(client: Client, name: str, asked: Asked) -> Part | None:
    """The values of a series; a day on which none was published has none.

    Raises:
        ConfigError: If it cannot be the name of a series.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise ConfigError(f"{name!r} is no series of FRED.", "Names are those of its site, such as DCOILWTICO.")
    series = name.upper()
    params = {"id": series, "cosd": asked.start.isoformat(), "coed": asked.end.isoformat()}
    frame = client.ask(Query(_HOST, "/graph/fredgraph.csv", params, absent=(404,)), partial(_table, series=series))
    return None if frame is None else Part(frame)


def _table(content: bytes, series: str) -> pd.DataFrame:
    """The rows of an answer; the column of the time was called DATE until 2024."""
    cells = csv_of(content, series)
    days = cells.get("observation_date", cells.get("DATE"))
    if days is None:
        raise UnusableError(f"a table without the column 'observation_date': {', '.join(cells)}")
    try:
        ds = pd.to_datetime(pd.Series(days, dtype=str), format="%Y-%m-%d")
    except ValueError:
        raise UnusableError(f"a date that is none: {days[0]!r}") from None
    return pd.DataFrame({"ds": ds, "value": numbers(cells[series])})


SERVICE = Service(
    name="fred",
    title="FRED",
    kind="fred",
    collect=collect,
    columns={"daily": ("value",)},
    licence=_LICENCE,
    attribution=_ATTRIBUTION,
    days=40 * 365,
    revised=None,
    names="a series of its site, such as DCOILWTICO",
)
