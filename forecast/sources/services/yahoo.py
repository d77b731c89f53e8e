"""Yahoo's chart data: daily prices of stocks, funds, indices and currencies, with dividends and splits.

Nobody promises that it answers, nor what: its terms allow personal use, and it has changed before. The closes are
divided by later splits; the adjusted closes take later dividends off, too, so that each dividend rewrites the past.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pandas as pd

from forecast.sources.services.bodies import UnusableError, first_words, json_of, numbers
from forecast.sources.services.hosts import Host, Query
from forecast.sources.services.service import Asked, Part, Service
from forecast.sources.services.transport import Client

_LICENCE = "none; Yahoo's terms allow personal use"
_ATTRIBUTION = "Yahoo Finance"

_HOST = Host("yahoo", "Yahoo", "https://query2.finance.yahoo.com", _LICENCE, _ATTRIBUTION, ((60.0, 60.0),))

_COLUMNS = ("open", "high", "low", "close", "adj_close", "volume")


def collect(client: Client, name: str, asked: Asked) -> Part | None:
    """The daily prices of a ticker, raw and adjusted, and the events between the two."""
    span = {"period1": asked.start, "period2": asked.end + timedelta(days=1)}
    seconds = {key: str(int(datetime.combine(day, time(), UTC).timestamp())) for key, day in span.items()}
    params = {**seconds, "interval": "1d", "events": "div,splits"}
    return client.ask(Query(_HOST, f"/v8/finance/chart/{quote(name)}", params, absent=(404,)), _part)


def _part(content: bytes) -> Part:
    """The rows of an answer; none where it has no times.

    Raises:
        UnusableError: If it is not of the form that it had.
    """
    if content.strip().startswith(b"Will be right back"):
        raise UnusableError("'Will be right back'", again=True)
    answer: Any = json_of(content)
    chart = answer.get("chart") if isinstance(answer, dict) else None
    if not isinstance(chart, dict) or chart.get("error") or not chart.get("result"):
        raise UnusableError(f"an error: {first_words(content)}")
    result = chart["result"][0]
    meta, quotes = result["meta"], result["indicators"]["quote"][0]
    seconds = result.get("timestamp") or []
    adjusted = (result["indicators"].get("adjclose") or [{}])[0].get("adjclose") or quotes.get("close")
    zone = ZoneInfo(meta["exchangeTimezoneName"])
    values = {name: numbers(quotes[name]) if seconds else [] for name in _COLUMNS if name != "adj_close"}
    values["adj_close"] = numbers(adjusted) if seconds else []
    # Each row is stamped with the opening of its session; of several of one day the last one is the newest.
    frame = pd.DataFrame({"ds": [_day(second, zone) for second in seconds], **values})
    events = _events(result.get("events") or {}, zone)
    frame["ds"] = pd.to_datetime(frame["ds"])
    currency = str(meta.get("currency") or "")
    units = {name: currency for name in _COLUMNS if name != "volume" and currency} | {"volume": "shares"}
    about = {"currency": currency, "time_zone": zone.key, "events": events}
    return Part(frame.drop_duplicates("ds", keep="last"), units, about)


def _events(found: dict[str, Any], zone: ZoneInfo) -> list[dict[str, Any]]:
    """Dividends for each share, and splits such as ``4:1``, in the order of time."""
    dividends = [(event["date"], {"dividend": event["amount"]}) for event in (found.get("dividends") or {}).values()]
    splits = [
        (event["date"], {"split": f"{event['numerator']:g}:{event['denominator']:g}"})
        for event in (found.get("splits") or {}).values()
    ]
    return [
        {"date": f"{_day(second, zone):%Y-%m-%d}", **event}
        for second, event in sorted(dividends + splits, key=lambda one: one[0])
    ]


def _day(second: int, zone: ZoneInfo) -> datetime:
    """The day of a session, where its exchange is."""
    return datetime.combine(datetime.fromtimestamp(second, zone).date(), time())


SERVICE = Service(
    name="stock",
    title="Yahoo",
    kind="stock",
    collect=collect,
    columns={"daily": _COLUMNS},
    licence=_LICENCE,
    attribution=_ATTRIBUTION,
    days=20 * 365,
    revised=None,
    hindsight=("adj_close",),
    names="a ticker of Yahoo's site, such as AAPL or SAP.DE",
    caution="Yahoo promises neither answers nor their form, and allows personal use.",
)
