"""What the services answer, in the formats that they document: smooth numbers of whatever span is asked for."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from loopback import Loopback, Params, Reply

PLACES = [
    {"name": "Oslo", "latitude": 59.91273, "longitude": 10.74609, "admin1": "Oslo County", "country": "Norway"},
    {"name": "Oslo", "latitude": 48.19526, "longitude": -97.13202, "admin1": "Minnesota", "country": "United States"},
    {"name": "Bergen", "latitude": 60.39299, "longitude": 5.32415, "admin1": "Vestland", "country": "Norway"},
    {"name": "Springfield", "latitude": 37.2153, "longitude": -93.2982, "admin1": "Missouri", "population": 166810},
    {
        "name": "Springfield",
        "latitude": 42.1015,
        "longitude": -72.5898,
        "admin1": "Kentucky",
        "population": 154341,
    },
    {"name": "Springfield", "latitude": 44.2958, "longitude": -72.4812, "admin1": "Vermont", "population": 4000},
]

# Units that Open-Meteo gives of the variables that tests ask for.
UNITS = {
    "temperature_2m": "°C",
    "pressure_msl": "hPa",
    "relative_humidity_2m": "%",
    "precipitation": "mm",
    "wind_speed_10m": "km/h",
}

TICKERS = {"AAPL": 100.0, "MSFT": 250.0}


def everything(server: Loopback, now: datetime | None = None) -> None:
    """Let a server answer as all services do at a time."""
    weather = partial(open_meteo, now=now or datetime.now(UTC))
    server.says("/v1/search", places)
    for path in ("/v1/archive", "/v1/forecast"):
        server.says(path, weather)
    server.says("/hourly/", Reply(b"", 404))
    server.says("/v8/finance/chart/", Reply(b'{"chart":{"result":null,"error":{"code":"Not Found"}}}', 404))
    for ticker in TICKERS:
        server.says(f"/v8/finance/chart/{ticker}", lambda params, ticker=ticker: yahoo(ticker, params))
    server.says("/graph/fredgraph.csv", fred)
    server.says("/access/services/data/v1", summaries)


def as_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def value_at(time: datetime, level: float = 10.0) -> float:
    """A number with a yearly and a daily cycle."""
    days = time.timestamp() / 86_400
    yearly, daily = math.sin(2 * math.pi * days / 365.25), math.sin(2 * math.pi * days)
    return round(level * (1 + 0.3 * yearly + 0.1 * daily), 1)


def shift(name: str) -> int:
    """How many hours a column lies behind the temperature."""
    return 0 if name.startswith("temperature") else len(name)


def places(params: Params) -> bytes:
    """Open-Meteo's geocoding: places that begin with a name; no ``results`` where there are none."""
    found = [place for place in PLACES if str(place["name"]).casefold().startswith(params["name"].casefold())]
    return as_json({"results": found, "generationtime_ms": 0.5} if found else {"generationtime_ms": 0.5})


def open_meteo(params: Params, now: datetime) -> bytes:
    """Open-Meteo's answer about one place, in GMT."""
    section = "hourly" if "hourly" in params else "daily"
    if "run" in params:
        first = datetime.fromisoformat(params["run"]).replace(tzinfo=UTC)
        last = first + timedelta(days=int(params["forecast_days"]))
    elif "forecast_days" in params:
        first = now.replace(hour=0, minute=0, second=0, microsecond=0)
        last = first + timedelta(days=int(params["forecast_days"]))
    else:
        first, last = (datetime.fromisoformat(params[key]).replace(tzinfo=UTC) for key in ("start_date", "end_date"))
        last += timedelta(days=1)
    step = timedelta(hours=1) if section == "hourly" else timedelta(days=1)
    times = [first + step * number for number in range(round((last - first) / step))]
    names = params[section].split(",")
    return as_json(
        {
            "latitude": round(float(params["latitude"]), 1),
            "longitude": round(float(params["longitude"]), 1),
            "generationtime_ms": 0.1,
            "utc_offset_seconds": 0,
            "timezone": "GMT",
            "timezone_abbreviation": "GMT",
            "elevation": 38.0,
            f"{section}_units": {"time": "iso8601"} | {name: UNITS.get(name.split("_prev")[0], "°C") for name in names},
            section: {
                "time": [f"{time:%Y-%m-%dT%H:%M}" if section == "hourly" else f"{time:%Y-%m-%d}" for time in times],
                **{name: [value_at(time + timedelta(hours=shift(name))) for time in times] for name in names},
            },
        }
    )


def sessions(params: Params) -> list[date]:
    """The days from Monday to Friday of the span that Yahoo is asked for."""
    first, last = (datetime.fromtimestamp(int(params[key]), UTC).date() for key in ("period1", "period2"))
    days = [first + timedelta(days=number) for number in range((last - first).days)]
    return [day for day in days if day.weekday() < 5]


def yahoo(ticker: str, params: Params) -> bytes:
    """Yahoo's chart: sessions from 14:30 UTC, a dividend, and a split."""
    days = sessions(params)
    stamps = [int(datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC).timestamp()) for day in days]
    close = [value_at(datetime.fromtimestamp(stamp, UTC), TICKERS[ticker]) for stamp in stamps]
    quotes: dict[str, Any] = dict.fromkeys(("open", "high", "low", "close"), close)
    result: dict[str, Any] = {
        "meta": {"currency": "USD", "symbol": ticker, "exchangeTimezoneName": "America/New_York", "gmtoffset": -18000},
        "indicators": {"quote": [{}], "adjclose": [{}]},
    }
    if stamps:
        result["timestamp"] = stamps
        result["indicators"]["quote"] = [quotes | {"volume": [1_000_000 + number for number in range(len(days))]}]
        result["indicators"]["adjclose"] = [{"adjclose": [round(price * 0.9, 2) for price in close]}]
        result["events"] = {
            "dividends": {str(stamps[0]): {"amount": 0.24, "date": stamps[0]}},
            "splits": {str(stamps[-1]): {"date": stamps[-1], "numerator": 4, "denominator": 1, "splitRatio": "4:1"}},
        }
    return as_json({"chart": {"result": [result], "error": None}})


def fred(params: Params) -> bytes | Reply:
    """FRED's table of a series: business days, a dot on the first of them."""
    if params["id"] != "DCOILWTICO":
        return Reply(b"<html><title>Error - St. Louis Fed</title></html>", 404)
    first, last = date.fromisoformat(params["cosd"]), date.fromisoformat(params["coed"])
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    lines = ["observation_date,DCOILWTICO"]
    for day in (day for day in days if day.weekday() < 5):
        lines.append(
            f"{day},{value_at(datetime(day.year, day.month, day.day, tzinfo=UTC), 70) if len(lines) > 1 else '.'}"
        )
    return ("\n".join(lines) + "\n").encode()


def summaries(params: Params) -> bytes:
    """The access data service of NCEI: objects of texts, nothing where nothing was measured."""
    first, last = date.fromisoformat(params["startDate"]), date.fromisoformat(params["endDate"])
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    rows: list[dict[str, str]] = []
    for number, day in enumerate(days):
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        row = {"DATE": day.isoformat(), "STATION": params["stations"]}
        for name in params["dataTypes"].split(","):
            row |= {name: f"{value_at(noon):.1f}", f"{name}_ATTRIBUTES": ",,W,2400"}
        if number == 1:
            del row["TMAX"], row["TMAX_ATTRIBUTES"]
        if number == 2:
            row |= {"TMAX": "99.9", "TMAX_ATTRIBUTES": ",X,W,"}
        rows.append(row)
    return as_json(rows)


def meteostat(rows: list[tuple[datetime, float | None, str]]) -> bytes:
    """A packed file of Meteostat's hours: temperatures, and who gave them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["year", "month", "day", "hour", "temp", "temp_source"])
    for time, value, source in rows:
        writer.writerow([time.year, time.month, time.day, time.hour, "" if value is None else value, source])
    return gzip.compress(text.getvalue().encode())
