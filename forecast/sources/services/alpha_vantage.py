"""Alpha Vantage: daily prices of stocks as they were paid; with a key. Adjusted ones are not in its free plan.

Limits and refusals come as JSON with status 200, where CSV was asked for.
"""

from __future__ import annotations

import os
from datetime import timedelta

import pandas as pd

from forecast.sources.services.bodies import csv_of, numbers
from forecast.sources.services.hosts import Host, Query
from forecast.sources.services.service import Asked, Part, Service
from forecast.sources.services.transport import Client

_LICENCE = "Alpha Vantage's terms: personal use, no redistribution"
_ATTRIBUTION = "Alpha Vantage"
_KEY = "ALPHAVANTAGE_API_KEY"

# Calls in a day of the free plan.
_HOST = Host(
    "alpha-vantage", "Alpha Vantage", "https://www.alphavantage.co", _LICENCE, _ATTRIBUTION, ((25.0, 86_400.0),)
)

_COLUMNS = ("open", "high", "low", "close", "volume")

# The free answer holds the newest hundred sessions; these lie within so many days.
_COMPACT = timedelta(days=138)


def collect(client: Client, name: str, asked: Asked) -> Part | None:
    """The daily prices of a ticker, as they were paid: a split is a jump."""
    is_new = client.now().date() - asked.start <= _COMPACT
    params = {
        "function": "TIME_SERIES_DAILY",
        "symbol": name,
        "outputsize": "compact" if is_new else "full",
        "datatype": "csv",
    }
    frame = client.ask(Query(_HOST, "/query", params, secret={"apikey": os.environ[_KEY]}), _table)
    return None if frame is None else Part(frame, {"volume": "shares"})


def _table(content: bytes) -> pd.DataFrame:
    """The rows of an answer, the newest of which comes first, in the order of time."""
    cells = csv_of(content, "timestamp", *_COLUMNS)
    ds = pd.to_datetime(pd.Series(cells["timestamp"], dtype=str), format="%Y-%m-%d")
    return pd.DataFrame({"ds": ds, **{name: numbers(cells[name]) for name in _COLUMNS}}).sort_values("ds")


SERVICE = Service(
    name="alpha-vantage",
    title="Alpha Vantage",
    kind="stock",
    collect=collect,
    columns={"daily": _COLUMNS},
    licence=_LICENCE,
    attribution=_ATTRIBUTION,
    days=138,
    revised=None,
    names="a ticker, such as IBM",
    key=_KEY,
    caution="Its prices are not adjusted: a split is a jump. Its free key takes the newest hundred sessions.",
)
