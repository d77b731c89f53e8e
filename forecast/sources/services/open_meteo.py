"""Open-Meteo: weather of any place, measured (as reanalysed), forecast now, and as it was forecast at the time.

Times are asked for in GMT, because one offset holds for all days of an answer where a zone is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pandas as pd

from forecast.errors import ConfigError
from forecast.sources.services.bodies import UnusableError, json_of, numbers
from forecast.sources.services.hosts import Host, Query
from forecast.sources.services.places import LICENCE, Place, find_place
from forecast.sources.services.service import Asked, Part, Service
from forecast.sources.services.transport import Client

ATTRIBUTION = "Weather data by Open-Meteo.com"

# Calls in a minute, an hour and a day of the free service; all hosts share them.
_LIMITS = ((600.0, 60.0), (5000.0, 3600.0), (10_000.0, 86_400.0))

# A question that counts as more than so many calls is asked in parts.
_HEAVIEST = 100.0

# Days ahead that a forecast reaches.
_AHEAD = 16

# The leads of the product previous-runs, in days; of the values of day 0, nobody knows how old they are.
_LEADS = range(1, 8)

_HOURLY_ONLY = ("previous-runs", "single-runs")

# From its run to its publication a model takes three to eight hours. The longest is taken: nothing is known too early.
_PUBLISHED_AFTER = timedelta(hours=8)

# What a run of the model holds is asked for up to so many days ahead.
_RUN_DAYS = 7


def _host(name: str, title: str, subdomain: str) -> Host:
    url = f"https://{subdomain}.open-meteo.com"
    return Host(f"open-meteo-{name}", f"Open-Meteo ({title})", url, LICENCE, ATTRIBUTION, _LIMITS, "open-meteo")


_ARCHIVE = _host("archive", "archive", "archive-api")
_FORECAST = _host("forecast", "forecast", "api")
_PREVIOUS = _host("previous-runs", "previous runs", "previous-runs-api")
_SINGLE = _host("single-runs", "single runs", "single-runs-api")


def collect(client: Client, name: str, asked: Asked) -> Part:
    """The weather of a place.

    ``archive`` is a reanalysis that lags some days behind. A row of the others is known from its ``issued_at`` on: of
    ``forecast`` from the time of asking, of ``single-runs`` from the publication of the run, one a day at 00 UTC, of
    ``previous-runs`` from that of a run one to seven days before the hour that it is for.

    Raises:
        ConfigError: If a product has hours only.
    """
    if asked.product in _HOURLY_ONLY and asked.step != "hourly":
        raise ConfigError(f"Open-Meteo has no {asked.step} {asked.product}.", "Ask for hourly ones.")
    place = find_place(client, name)
    collected = {
        "archive": _archive, "forecast": _forecast, "previous-runs": _previous_runs, "single-runs": _single_runs
    }[asked.product](client, place, asked)  # fmt: skip
    frames, units = zip(*collected, strict=True)
    frame, of_columns = pd.concat(frames, ignore_index=True), units[-1]
    if "issued_at" in frame:  # beside what was measured it is another column
        names = {column: f"{column}_forecast" for column in asked.columns}
        frame, of_columns = frame.rename(columns=names), {names[column]: unit for column, unit in of_columns.items()}
    notes = (f"{place.name} is taken; there is {' and '.join(place.others)}, too.",) if place.others else ()
    return Part(frame, of_columns, {"place": vars(place)}, notes)


_Collected = Iterator[tuple[pd.DataFrame, dict[str, str]]]


def _archive(client: Client, place: Place, asked: Asked) -> _Collected:
    last = min(asked.end, client.now().date())
    for start, end in _parts(asked.start, last, len(asked.columns)):
        yield _ask(client, _ARCHIVE, "/v1/archive", place, asked, _span(start, end))


def _forecast(client: Client, place: Place, asked: Asked) -> _Collected:
    ahead = {"forecast_days": str(_AHEAD)}
    frame, units = _ask(client, _FORECAST, "/v1/forecast", place, asked, ahead)
    issued_at = client.answers[-1].time.replace(tzinfo=None)
    frame.insert(0, "issued_at", issued_at)
    yield frame[frame["ds"] > issued_at], units


def _previous_runs(client: Client, place: Place, asked: Asked) -> _Collected:
    names = [f"{column}_previous_day{lead}" for column in asked.columns for lead in _LEADS]
    today = client.now().date()
    # Of the days to come, too, values were forecast days ago.
    last = asked.end if asked.end < today else today + timedelta(days=max(_LEADS))
    for start, end in _parts(asked.start, last, len(names)):
        frame, units = _ask(client, _PREVIOUS, "/v1/forecast", place, asked, _span(start, end), tuple(names))
        for lead in _LEADS:
            of_lead = frame[["ds", *(f"{column}_previous_day{lead}" for column in asked.columns)]].copy()
            of_lead.columns = pd.Index(["ds", *asked.columns])
            of_lead.insert(0, "issued_at", of_lead["ds"] - timedelta(days=lead) + _PUBLISHED_AFTER)
            yield of_lead, {column: units.get(f"{column}_previous_day{lead}", "") for column in asked.columns}


def _single_runs(client: Client, place: Place, asked: Asked) -> _Collected:
    today = client.now().date()
    for day in range((min(asked.end, today) - asked.start).days + 1):
        run = datetime.combine(asked.start + timedelta(days=day), datetime.min.time())
        if run.replace(tzinfo=UTC) > client.now():
            break
        params = {"run": f"{run:%Y-%m-%dT%H:%M}", "forecast_days": str(_RUN_DAYS)}
        frame, units = _ask(client, _SINGLE, "/v1/forecast", place, asked, params)
        frame.insert(0, "issued_at", run + _PUBLISHED_AFTER)
        yield frame[frame["ds"] > frame["issued_at"]], units


def _ask(
    client: Client,
    host: Host,
    path: str,
    place: Place,
    asked: Asked,
    span: Mapping[str, str],
    columns: tuple[str, ...] = (),
) -> tuple[pd.DataFrame, dict[str, str]]:
    """``ds`` and the columns of one answer, and their units."""
    columns = columns or asked.columns
    params = {"latitude": f"{place.latitude:.4f}", "longitude": f"{place.longitude:.4f}", asked.step: ",".join(columns)}
    query = Query(host, path, {**params, **span, "timezone": "GMT"}, weight=_weight(len(columns), _days(span)))
    found = client.ask(query, partial(_table, section=asked.step, columns=columns))
    assert found is not None  # no status means that there is nothing
    return found


def _table(content: bytes, section: str, columns: tuple[str, ...]) -> tuple[pd.DataFrame, dict[str, str]]:
    """The rows of an answer.

    Raises:
        UnusableError: If the answer lacks the section or a column, or its columns differ in length.
    """
    answer: Any = json_of(content)
    if not isinstance(answer, dict) or not isinstance(answer.get(section), dict):
        raise UnusableError(f"JSON without {section!r}")
    found, units = answer[section], answer.get(f"{section}_units") or {}
    for name in ("time", *columns):
        if not isinstance(found.get(name), list):
            raise UnusableError(f"JSON without {section}.{name}")
        if len(found[name]) != len(found["time"]):
            raise UnusableError(f"{len(found['time'])} times, and {len(found[name])} values of {name}")
    if answer.get("utc_offset_seconds", 0) != 0:
        raise UnusableError(f"times {answer['utc_offset_seconds']} s from GMT, in which they were asked for")
    ds = pd.to_datetime(found["time"], format="%Y-%m-%dT%H:%M" if section == "hourly" else "%Y-%m-%d")
    frame = pd.DataFrame({"ds": ds, **{name: numbers(found[name]) for name in columns}})
    return frame, {name: str(units.get(name, "")) for name in columns}


def _parts(start: date, end: date, n_columns: int) -> Iterator[tuple[date, date]]:
    """Spans that together are the one from start to end, none of which counts as too many calls."""
    longest = max(1, int(_HEAVIEST * 14 / (n_columns / 10)))
    while start <= end:
        last = min(end, start + timedelta(days=longest - 1))
        yield start, last
        start = last + timedelta(days=1)


def _weight(n_columns: int, n_days: int) -> float:
    """As how many calls a question counts: ten columns of two weeks are one."""
    return max(1.0, n_columns / 10, n_columns / 10 * n_days / 14)


def _span(start: date, end: date) -> dict[str, str]:
    return {"start_date": start.isoformat(), "end_date": end.isoformat()}


def _days(span: Mapping[str, str]) -> int:
    if "start_date" in span:
        return (date.fromisoformat(span["end_date"]) - date.fromisoformat(span["start_date"])).days + 1
    return int(span["forecast_days"])


SERVICE = Service(
    name="open-meteo",
    title="Open-Meteo",
    kind="weather",
    collect=collect,
    columns={
        "hourly": ("temperature_2m", "relative_humidity_2m", "pressure_msl", "precipitation", "wind_speed_10m"),
        "daily": ("temperature_2m_max", "temperature_2m_min", "precipitation_sum", "wind_speed_10m_max"),
    },
    licence=LICENCE,
    attribution=ATTRIBUTION,
    days=3 * 365,
    revised=120,  # a first version of the reanalysis is replaced after two to three months
    names="a place such as Oslo or 'Paris, Texas', or 59.91,10.75",
    products=("archive", "forecast", "previous-runs", "single-runs"),
)
