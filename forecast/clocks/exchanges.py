"""The sessions of exchanges, from the library exchange_calendars."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.clocks.session_days import SessionDays
from forecast.errors import DataError, MachineError, setting
from forecast.tables.spelling import did_you_mean

Days = NDArray[np.datetime64]

# How long after the last row the sessions are written down, in years: longer than a run is used.
_YEARS_AHEAD = 10

# The times of rows that are not known.
_FIRST, _LAST = np.datetime64("1970"), np.datetime64("2040")

# Rows are taken for an exchange's if they lack at most this share of its sessions, and at least so many days from
# Monday to Friday are without a row, which tell exchanges apart.
_MOST_LACKING, _FEWEST_CLOSED = 0.01, 4

# Markets that are open around the clock, and those of futures, whose holidays depend on what is traded.
_NOT_BY_ROWS = ("24/5", "24/7", "us_futures", "CMES", "IEPA", "XCBF", "XEEE", "XEUR")


def is_exchange(freq: str) -> bool:
    """Whether a clock is named like an exchange, by its market identifier code."""
    return re.fullmatch(r"[A-Z]{4}", freq) is not None


def sessions_of(exchange: str, first: np.datetime64 = _FIRST, last: np.datetime64 = _LAST) -> SessionDays:
    """The sessions of an exchange from the year of one time until ten years after another, as far as they are known.

    Raises:
        MachineError: If the library is not installed.
        DataError: If it does not know the exchange, or its sessions at that time.
    """
    with _library(f"The sessions of {exchange} are") as library:
        names = library.get_calendar_names(include_aliases=False)
        if exchange in library.get_calendar_names():
            exchange = library.resolve_alias(exchange)  # NYSE is XNYS
        if exchange not in names:
            codes = ", ".join(name for name in names if is_exchange(name))
            raise DataError(
                f"{exchange!r} is neither a frequency nor an exchange.",
                f"{did_you_mean(exchange, names)}Exchanges: {codes}.",
            )
        kind = library.calendar_utils._default_calendar_factories[exchange]
        begin = pd.Timestamp(first.astype("datetime64[Y]"))
        end = pd.Timestamp(last.astype("datetime64[Y]") + _YEARS_AHEAD + 1) - pd.Timedelta(1, "D")
        begin, end = max(filter(None, (begin, kind.bound_min()))), min(filter(None, (end, kind.bound_max())))
        try:
            calendar = kind(start=begin, end=end)
        except (ValueError, NotImplementedError, library.errors.CalendarError) as error:
            raise DataError(
                f"exchange_calendars has no sessions of {exchange} from {begin:%Y-%m-%d} to {end:%Y-%m-%d}: "
                f"{str(error)[:80]}",
                f"Name the days of its week instead: {setting('freq', 'D MON-FRI')}",
            ) from None
    every = np.arange(begin.to_datetime64().astype("datetime64[D]"), end.to_datetime64().astype("datetime64[D]") + 1)
    sessions = calendar.sessions.to_numpy().astype("datetime64[D]")
    half = calendar.early_closes.to_numpy().astype("datetime64[D]")
    in_week = np.is_busday(every, calendar.weekmask)
    closed, beside = np.setdiff1d(every[in_week], sessions), np.intersect1d(every[~in_week], sessions)
    return SessionDays(exchange, calendar.weekmask, _iso(closed), _iso(beside), _iso(half), f"{end:%Y-%m-%d}")


def exchanges_like(days: Days) -> tuple[str, ...]:
    """The exchanges whose sessions days [N] from Monday to Friday fit best, by their codes; none if none fits.

    No day is one on which the exchange was closed, and few of its sessions are lacking. Without the library none fits.
    """
    days = np.unique(days.astype("datetime64[D]"))
    every = np.arange(days[0], days[-1] + 1)
    absent = np.setdiff1d(every[np.is_busday(every)], days)
    if len(absent) < _FEWEST_CLOSED:
        return ()
    try:
        with _library("Exchanges are") as library:
            kinds: dict[str, Any] = library.calendar_utils._default_calendar_factories
            lacking = {name: _lacking(kind, days, absent) for name, kind in kinds.items() if name not in _NOT_BY_ROWS}
    except MachineError:
        return ()
    fewest = min((n for n in lacking.values() if n is not None), default=None)
    if fewest is None or fewest > _MOST_LACKING * len(days):
        return ()
    return tuple(sorted(name for name, n in lacking.items() if n == fewest))


def _lacking(kind: Any, days: Days, absent: Days) -> int | None:
    """How many sessions are not among the days; None if the exchange was closed on one of them."""
    calendar = kind.__new__(kind)  # without its schedule of hours, whose building takes a hundred times as long
    try:
        if calendar.weekmask != "1111100":
            return None
        closed = np.array([str(day)[:10] for day in calendar.adhoc_holidays], "datetime64[D]")
        if np.isin(days, closed).any():
            return None
        if (rules := calendar.regular_holidays) is not None:
            regular = rules.holidays(pd.Timestamp(days[0]), pd.Timestamp(days[-1]))
            closed = np.union1d(closed, regular.to_numpy().astype("datetime64[D]"))
    except (AttributeError, NotImplementedError):  # one whose holidays the library keeps otherwise
        return None
    return None if np.isin(days, closed).any() else int((~np.isin(absent, closed)).sum())


@contextmanager
def _library(what: str) -> Iterator[Any]:
    """The library, whose warnings of versions to come are no news to a user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import exchange_calendars
        except ModuleNotFoundError as error:
            raise MachineError(
                f"{what} looked up in a library that is not installed ({error.name}).",
                "Install it: pip install 'forecast-lstm[calendars]'",
            ) from None
        yield exchange_calendars


def _iso(days: Days) -> tuple[str, ...]:
    return tuple(days.astype("datetime64[D]").astype(str).tolist())
