"""What is to be fetched, as a source; and what was fetched, in words and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from forecast.errors import ConfigError
from forecast.sources.services.catalogue import SERVICES
from forecast.sources.services.fetch import Fetched
from forecast.sources.services.naming import parse_names, source_of
from forecast.sources.services.ncei import STATION
from forecast.tables.spelling import did_you_mean


def choose_source(
    kind: str,
    names: Sequence[str],
    places: Sequence[str],
    latitude: float | None,
    longitude: float | None,
    stations: Sequence[str],
    service: str | None,
) -> str:
    """The source that the arguments of the command mean.

    Raises:
        ConfigError: If they contradict each other, or there is no such service.
    """
    kinds = list(dict.fromkeys(known.kind for known in SERVICES.values()))
    if kind not in kinds:
        raise ConfigError(
            f"fetch: there is no {kind!r} to get.",
            f"{did_you_mean(kind, kinds)}There is {', '.join(kinds)}.",
        )
    if kind != "weather" and (places or stations or latitude is not None or longitude is not None):
        raise ConfigError(
            f"--place, --latitude, --longitude and --station are of weather, not of {kind}.",
            f"Type: forecast fetch {kind} {'AAPL' if kind == 'stock' else 'DCOILWTICO'}",
        )
    if (latitude is None) != (longitude is None):
        raise ConfigError("--latitude and --longitude go together.", "Give both, or a --place.")
    if stations and (places or names or latitude is not None):
        raise ConfigError("--station excludes places: they come from different services.", "Fetch one, then the other.")
    at = [f"{latitude:g},{longitude:g}"] if latitude is not None else []
    wanted = [*names, *places, *at, *stations]
    usual = next(known.name for known in SERVICES.values() if known.kind == kind)
    if stations:
        usual = "ncei" if all(map(STATION.fullmatch, stations)) else "meteostat"
    name = service or usual
    of_kind = [known.name for known in SERVICES.values() if known.kind == kind]
    if name not in of_kind:
        raise ConfigError(f"--service: {name!r} has no {kind}.", f"Of {kind}: {', '.join(of_kind)}.")
    return source_of(SERVICES[name], parse_names(SERVICES[name], wanted))


def describe(fetched: Fetched) -> Iterator[str]:
    """What was fetched: the file, what it holds, whose it is, and what to do next."""
    if fetched.table is None:
        yield str(fetched.path)
        if fetched.was_there:
            yield "  it was there; --refresh asks for it again"
        yield f"next: forecast train {shlex.quote(fetched.source)}"
        return
    about, frame = fetched.table.about, fetched.table.frame
    first, last = (_time(frame["ds"], edge) for edge in ("min", "max"))
    columns = ", ".join(f"{name} ({unit})" if (unit := about["units"].get(name)) else name for name in about["columns"])
    yield f"{fetched.path}: {len(frame):,} rows, {first} … {last}"
    yield f"  {columns}"
    for name, found in about["about"].items():
        if "place" in found:
            place = found["place"]
            yield f"  {name}: {place['name']}, latitude {place['latitude']:g}, longitude {place['longitude']:g}"
        if found.get("events"):
            where = fetched.path.with_suffix(".json")
            yield f"  {name}: {len(found['events'])} dividends and splits, listed in {where}"
    if "issued_at" in frame:
        yield "  each row was known from its issued_at on"
    if fetched.was_there:
        yield f"  it was there, as of {about['asked_at']}; --refresh asks for what came since"
    elif fetched.n_new < len(frame) or fetched.n_revised:
        yield f"  {fetched.n_new or 'no'} new rows; {fetched.n_revised or 'no'} values were revised"
    yield f"  {about['service']}; licence: {about['licence']}; name it as: {about['attribution']}"
    path = shlex.quote(str(fetched.path))
    if "issued_at" not in frame:
        yield f"next: forecast train {shlex.quote(fetched.source)}"
    elif (frame["ds"] > frame["issued_at"]).any():
        yield f"next: forecast train {shlex.quote(about['source'])} --known-forecasts {path}"
    else:
        yield f"next: forecast train {path} --issued-at issued_at"


def to_record(fetched: Fetched) -> dict[str, Any]:
    """What was fetched, as JSON types."""
    if fetched.table is None:
        return {"path": str(fetched.path), "source": fetched.source, "was_there": fetched.was_there}
    about, frame = fetched.table.about, fetched.table.frame
    return {
        "path": str(fetched.path),
        "source": fetched.source,
        "rows": len(frame),
        "first": str(frame["ds"].min()),
        "last": str(frame["ds"].max()),
        "was_there": fetched.was_there,
        "new_rows": fetched.n_new,
        "revised_values": fetched.n_revised,
        "notes": list(fetched.notes),
        **{key: about[key] for key in ("service", "licence", "attribution", "asked_at", "asked", "units", "about")},
    }


def _time(times: Any, edge: str) -> str:
    """The first or the last of some times; of days without a time of day."""
    is_days = bool((times == times.dt.normalize()).all())
    return f"{getattr(times, edge)():{'%Y-%m-%d' if is_days else '%Y-%m-%d %H:%M UTC'}}"
