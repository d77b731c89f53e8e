"""How regular times are: what tells two readings of the same cells apart, of which only one was meant."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from forecast.tables.table import Ints, Times

# A regular series fills most places of its clock; one that was read wrongly jumps, and fills few.
REGULAR = 0.7

# Fewer different times are regular by chance too often.
_FEW = 3


def fullness(times: Times) -> float:
    """The share of the places of a clock that hold a time, by the clock that suits them best; 0 to 1.

    A clock counts equal steps, months (or quarters, years), or business days.

    Args:
        times: Timestamps [R], in any order.
    """
    unique = np.unique(times)
    return max(map(_filled, _places(unique))) if len(unique) >= _FEW else 0.0


def _places(unique: Times) -> Iterator[Ints]:
    """The number of each time on the clocks that it could lie on."""
    yield unique.astype(np.int64)
    days, months = unique.astype("datetime64[D]"), unique.astype("datetime64[M]")
    since_midnight = unique - days
    if (since_midnight != since_midnight[0]).any():
        return
    into = days - months.astype("datetime64[D]")
    is_month_end = (days + 1).astype("datetime64[M]") > months
    if (into == into[0]).all() or is_month_end.all():
        yield months.astype(np.int64)
    if np.is_busday(days).all():
        yield np.busday_count(days[0], days)


def _filled(places: Ints) -> float:
    lengths, counts = np.unique(np.diff(places), return_counts=True)
    step = int(lengths[counts.argmax()])
    if step == 0:
        return 0.0  # several times of one month
    on_clock = int(np.unique((places - places[0]) % step, return_counts=True)[1].max())
    return on_clock / max(len(places), 1 + int(places[-1] - places[0]) / step)
