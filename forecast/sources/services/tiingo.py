"""Tiingo: daily prices of stocks and funds, raw and adjusted, with the dividends and splits between; with a key."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

import pandas as pd

from forecast.sources.services.bodies import UnusableError, first_words, json_of, numbers
from forecast.sources.services.hosts import Host, Query
from forecast.sources.services.service import Asked, Part, Service
from forecast.sources.services.transport import Client

_LICENCE = "Tiingo's terms: personal use, no redistribution"
_ATTRIBUTION = "Tiingo"
_KEY = "TIINGO_API_KEY"

# Calls in an hour and a day of the free plan.
_HOST = Host("tiingo", "Tiingo", "https://api.tiingo.com", _LICENCE, _ATTRIBUTION, ((50.0, 3600.0), (1000.0, 86_400.0)))

# Our columns, and Tiingo's names of them.
_COLUMNS = {"open": "open", "high": "high", "low": "low", "close": "close", "adj_close": "adjClose", "volume": "volume"}


def collect(client: Client, name: str, asked: Asked) -> Part | None:
    """The daily prices of a ticker: as they were paid, and adjusted."""
    params = {"startDate": asked.start.isoformat(), "endDate": asked.end.isoformat(), "format": "json"}
    headers = {"Authorization": f"Token {os.environ[_KEY]}"}
    query = Query(_HOST, f"/tiingo/daily/{quote(name)}/prices", params, headers=headers, absent=(404,))
    return client.ask(query, _part)


def _part(content: bytes) -> Part:
    """The rows of an answer."""
    rows: Any = json_of(content)
    if not isinstance(rows, list):
        raise UnusableError(f"no rows: {first_words(content)}")
    ds = pd.to_datetime([row["date"][:10] for row in rows], format="%Y-%m-%d")
    values = {name: numbers([row[theirs] for row in rows]) for name, theirs in _COLUMNS.items()}
    events = [
        {"date": row["date"][:10], "dividend": row["divCash"], "split": f"{row['splitFactor']:g}:1"}
        for row in rows
        if row["divCash"] or row["splitFactor"] != 1
    ]
    return Part(pd.DataFrame({"ds": ds, **values}), {"volume": "shares"}, {"events": events})


SERVICE = Service(
    name="tiingo",
    title="Tiingo",
    kind="stock",
    collect=collect,
    columns={"daily": tuple(_COLUMNS)},
    licence=_LICENCE,
    attribution=_ATTRIBUTION,
    days=20 * 365,
    revised=None,
    hindsight=("adj_close",),
    names="a ticker, such as AAPL",
    key=_KEY,
)
