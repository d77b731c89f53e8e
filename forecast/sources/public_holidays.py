"""The public holidays of countries, of their parts and of financial markets, from the library holidays."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from types import ModuleType

import numpy as np

from forecast.clocks.public_holidays import PublicHolidays
from forecast.config import ReadOptions
from forecast.data.panel import Panel
from forecast.errors import DataError, MachineError, listed, setting
from forecast.tables.spelling import did_you_mean

# How long after the last row holidays are written down, in years: longer than a run is used.
_YEARS_AHEAD = 10

# A holiday that comes less often in the rows is not told from others by its name.
_FEWEST_DAYS = 2

_NAMED = 6


def with_holidays(panel: Panel, options: ReadOptions) -> Panel:
    """The panel with public holidays on its clock, whose calendar tells them: those asked for, or those of a run.

    Raises:
        DataError: If there is no such country or market, or a step is longer than a day.
        MachineError: If they are to be looked up, and the library is not installed.
    """
    clock = panel.clock
    if clock.unit not in ("s", "min", "h", "D", "B", "session") or clock.multiple * (clock.unit == "D") > 1:
        raise DataError(
            f"Holidays are days, and a step of the rows is {clock.describe()}.", f"Leave {setting('holidays')} out."
        )
    found, days = options.public_holidays, clock.wall(panel.times).astype("datetime64[D]")
    if found is None:
        found = look_up(options.holidays, days.min(), days.max())
    named = f": {listed(found.names, _NAMED)}" if found.names else ""
    said = f"Holidays of {', '.join(options.holidays)} are inputs that are known ahead{named}."
    return replace(
        panel,
        clock=replace(clock, public_holidays=found),
        notes=panel.notes if said in panel.notes else (*panel.notes, said),
        read_options=panel.read_options | {"public_holidays": found},
    )


def look_up(regions: Iterable[str], first: np.datetime64, last: np.datetime64) -> PublicHolidays:
    """The holidays from the year before one day until ten years after another.

    A name that means other days in two regions is that of each; one that is moved to a Monday keeps its name.

    Args:
        regions: Such as ``US``, ``US-CA`` or ``XNYS``.
        first: The first day with rows.
        last: The last day with rows.

    Raises:
        DataError: If a region is unknown.
        MachineError: If the library is not installed.
    """
    try:
        import holidays as library
    except ModuleNotFoundError as error:
        raise MachineError(
            f"Public holidays are looked up in a library that is not installed ({error.name}).",
            "Install it: pip install 'forecast-lstm[calendars]'",
        ) from None
    years = range(int(str(first)[:4]) - 1, int(str(last)[:4]) + _YEARS_AHEAD + 1)
    by_name: dict[str, set[str]] = {}
    for region in regions:
        own: dict[str, set[str]] = {}
        for day, names in _days_of(library, region, years).items():
            for name in names.split("; "):
                own.setdefault(re.sub(r" \((observed|estimated|observed, estimated)\)$", "", name), set()).add(day)
        for name, found in own.items():
            other = by_name.get(name, found)
            by_name[name if other == found else f"{name} ({region})"] = found
    within = {name: sum(str(first) <= day <= str(last) for day in found) for name, found in sorted(by_name.items())}
    often = [name for name, count in within.items() if count >= _FEWEST_DAYS]
    others = {day for name, found in by_name.items() if name not in often for day in found}
    days = tuple(tuple(sorted(by_name[name])) for name in often)
    return PublicHolidays(tuple(often), days, tuple(sorted(others)))


def _days_of(library: ModuleType, region: str, years: range) -> dict[str, str]:
    """The names of the holidays of a region by day."""
    country, _, part = region.partition("-")
    try:
        if re.fullmatch("[A-Z]{4}", region):
            found = library.financial_holidays(region, years=years)
        else:
            found = library.country_holidays(country, subdiv=part or None, years=years, language="en_US")
    except NotImplementedError:
        known = [*library.list_supported_countries(include_aliases=False), *library.list_supported_financial()]
        parts = library.list_supported_countries().get(country, [])
        advice = did_you_mean(region, known)
        advice += f"Parts of {country}: {', '.join(parts)}." if parts else f"There are {', '.join(known[:_NAMED])} …"
        raise DataError(f"The holidays of {region!r} are not known.", advice) from None
    return {str(day): str(names) for day, names in found.items()}
