"""Places by their names, through Open-Meteo's geocoding, and by latitude and longitude."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import SequenceMatcher
from typing import Any

from forecast.errors import ConfigError, quote
from forecast.sources.services.bodies import UnusableError, json_of
from forecast.sources.services.hosts import Host, Query
from forecast.sources.services.transport import Client, ServiceError

LICENCE = "CC BY 4.0; free of charge for non-commercial use"

_GEOCODING = Host(
    "open-meteo-geocoding",
    "Open-Meteo (geocoding)",
    "https://geocoding-api.open-meteo.com",
    LICENCE,
    "Places by GeoNames, through Open-Meteo.com",
)

# Places do not move.
_MAX_AGE = timedelta(days=30)

# Places that are asked for, and that a message lists.
_ASKED, _LISTED = 20, 5

# A place with so many times the people of another of its name is meant without a word.
_MUCH_LARGER = 10

# Letters from the beginning of a name that may stand in the wrong order.
_SWAPPED = 5


@dataclass(frozen=True)
class Place:
    """A place.

    Args:
        name: With what tells it from others of the name.
        latitude: Degrees to the north.
        longitude: Degrees to the east.
        others: Places of the same name that may have been meant as well.
    """

    name: str
    latitude: float
    longitude: float
    others: tuple[str, ...] = ()


def find_place(client: Client, name: str) -> Place:
    """The place of a name such as ``Oslo``, ``Paris, Texas`` or ``59.91,10.75``; of several the first one.

    The service names the likeliest first, by how many live there.

    Raises:
        ServiceError: If there is none; names those that are near.
        ConfigError: If a latitude or longitude is none.
    """
    if numbers := re.fullmatch(r"\s*([-+]?\d+(?:\.\d+)?)\s*,\s*([-+]?\d+(?:\.\d+)?)\s*", name):
        return place_at(float(numbers[1]), float(numbers[2]))
    first, *rest = (part.strip() for part in name.split(","))
    found = _search(client, first)
    fitting = [place for place in found if all(_is_in(place, region) for region in rest)]
    if fitting:
        return replace(_place(fitting[0]), others=_as_likely(fitting))
    near = found or next(filter(None, (_search(client, other) for other in _misspelt(first))), [])
    near = sorted(near, key=lambda place: -SequenceMatcher(None, first.casefold(), place["name"].casefold()).ratio())
    close = list(dict.fromkeys(_place(place).name for place in near))[:_LISTED]
    raise ServiceError(
        f"Open-Meteo knows no place {quote(name)}.",
        f"Did you mean {' or '.join(map(repr, close))}?" if close else "Give latitude and longitude: 59.91,10.75",
    )


def place_at(latitude: float, longitude: float) -> Place:
    """The place at a latitude and a longitude, called by them.

    Raises:
        ConfigError: If there is no such place.
    """
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise ConfigError(
            f"There is no place at latitude {latitude:g}, longitude {longitude:g}.",
            "A latitude lies between -90 and 90, a longitude between -180 and 180.",
        )
    return Place(f"{latitude:g},{longitude:g}", latitude, longitude)


def _as_likely(fitting: list[dict[str, Any]]) -> tuple[str, ...]:
    """Places that have the name of the first one, and nearly as many people."""
    first, *others = fitting
    most = first.get("population") or 0
    alike = [place for place in others if place["name"] == first["name"]]
    return tuple(_place(place).name for place in alike if 0 < most < _MUCH_LARGER * (place.get("population") or 0))


def _misspelt(name: str) -> Iterator[str]:
    """What a misspelt name may have been meant to begin with: two letters in the other order, or three right ones."""
    for position in range(min(len(name) - 1, _SWAPPED)):
        yield name[:position] + name[position + 1] + name[position] + name[position + 2 :]
    yield name[:3]


def _search(client: Client, name: str) -> list[dict[str, Any]]:
    """What the service finds for a name, the likeliest place first."""
    query = Query(_GEOCODING, "/v1/search", {"name": name, "count": str(_ASKED), "language": "en", "format": "json"})
    return client.ask(query, _results, _MAX_AGE) or []


def _results(content: bytes) -> list[dict[str, Any]]:
    answer = json_of(content)
    results = answer.get("results", []) if isinstance(answer, dict) else None
    if not isinstance(results, list):
        raise UnusableError("JSON without 'results'")
    for place in results:
        is_place = isinstance(place, dict) and isinstance(place.get("name"), str)
        if not is_place or not all(isinstance(place.get(key), float | int) for key in ("latitude", "longitude")):
            raise UnusableError("a place without name, latitude and longitude")
    return results


def _is_in(place: dict[str, Any], region: str) -> bool:
    regions = (place.get(key) or "" for key in ("country", "country_code", "admin1", "admin2"))
    return region.casefold() in {known.casefold() for known in regions}


def _place(found: dict[str, Any]) -> Place:
    names = (found["name"], found.get("admin1"), found.get("country"))
    name = ", ".join(dict.fromkeys(filter(None, names)))
    return Place(name, float(found["latitude"]), float(found["longitude"]))
