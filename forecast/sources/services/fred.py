"""FRED: economic series of the Federal Reserve Bank of St. Louis, as they stand now or stood on a day (vintages)."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import partial

import pandas as pd

from forecast.errors import ConfigError
from forecast.sources.services.bodies import UnusableError, csv_of, numbers
from forecast.sources.services.hosts import Host, Query
from forecast.sources.services.service import Asked, Part, Service
from forecast.sources.services.transport import Client

_LICENCE = "by series: most are public domain, some belong to others and say so on their page"
_ATTRIBUTION = "FRED, Federal Reserve Bank of St. Louis"

_HOST = Host("fred", "FRED", "https://fred.stlouisfed.org", _LICENCE, _ATTRIBUTION, ((120.0, 60.0),))


# A vintage of the past never changes.
_FOREVER = timedelta(days=36_500)

# From its day to when all of it was certainly there: that day is over in Chicago, too.
_KNOWN_AFTER = timedelta(days=1, hours=6)


def collect(client: Client, name: str, asked: Asked) -> Part | None:
    """The values of a series as they stand now; or, as ``vintages``, each value from the month in which it was new.

    Raises:
        ConfigError: If it cannot be the name of a series.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise ConfigError(f"{name!r} is no series of FRED.", "Names are those of its site, such as DCOILWTICO.")
    series = name.upper()
    if asked.product == "vintages":
        return _vintages(client, series, asked)
    frame = client.ask(_query(series, asked.start, asked.end), partial(_table, series=series, is_vintage=False))
    return None if frame is None else Part(frame.set_axis(["ds", "value"], axis=1))


def _vintages(client: Client, series: str, asked: Asked) -> Part | None:
    """What stood there on the first day of each month, as far as it was new or another than a month before."""
    firsts = pd.date_range(asked.start, min(asked.end, client.now().date() - timedelta(days=1)), freq="MS")
    seen, issues = pd.Series(dtype=float), []
    for number, first in enumerate(firsts):
        client.progress.counted(f"asking FRED for vintages of {series}", number, len(firsts))
        query = _query(series, asked.start, first.date(), vintage_date=f"{first:%Y-%m-%d}")
        frame = client.ask(query, partial(_table, series=series, is_vintage=True), _FOREVER)
        if frame is None:  # the series is younger
            continue
        # The day in the column's name counts: where there is none of the day that was asked for, another is answered.
        day = pd.to_datetime(frame.columns[1].rpartition("_")[2], format="%Y%m%d")
        values = frame.set_index("ds").iloc[:, 0].dropna()
        new = values[values != seen.reindex(values.index)]
        issues.append(pd.DataFrame({"issued_at": day + _KNOWN_AFTER, "ds": new.index, "value": new.to_numpy()}))
        seen = values
    client.progress.counted(f"asking FRED for vintages of {series}", len(firsts), len(firsts))
    return Part(pd.concat(issues, ignore_index=True)) if issues else None


def _query(series: str, start: date, end: date, **more: str) -> Query:
    params = {"id": series, "cosd": start.isoformat(), "coed": end.isoformat(), **more}
    return Query(_HOST, "/graph/fredgraph.csv", params, absent=(404,))


def _table(content: bytes, series: str, is_vintage: bool) -> pd.DataFrame:
    """The days of an answer and its values; the column of the days was called DATE until 2024."""
    cells = csv_of(content)
    days = cells.get("observation_date", cells.get("DATE"))
    names = [name for name in cells if re.fullmatch(re.escape(series) + (r"_\d{8}" if is_vintage else ""), name)]
    if days is None or not names:
        lacks = "observation_date" if days is None else series + "_YYYYMMDD" * is_vintage
        raise UnusableError(f"a table without the column {lacks!r}: {', '.join(cells)}")
    ds = pd.to_datetime(pd.Series(days, dtype=str), format="%Y-%m-%d")
    return pd.DataFrame({"ds": ds, names[0]: numbers(cells[names[0]])})


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
    products=("latest", "vintages"),
    names="a series of its site, such as DCOILWTICO",
)
