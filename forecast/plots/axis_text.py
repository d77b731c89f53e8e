"""What stands at the ticks of an axis: dates that name their year where it changes, numbers as tables write them."""

from __future__ import annotations

import re

import numpy as np
from matplotlib.ticker import ScalarFormatter

from forecast.data.clock import Times

_SECOND = 1_000_000  # microseconds
_MINUTE, _HOUR, _DAY = 60 * _SECOND, 3_600 * _SECOND, 86_400 * _SECOND

# Steps between ticks, ascending: microseconds, days, months.
_CLOCK_STEPS = [
    *(_SECOND * count for count in (1, 2, 5, 10, 15, 30)),
    *(_MINUTE * count for count in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * count for count in (1, 2, 3, 6, 12)),
]
_DAY_STEPS = (1, 2, 4, 7)
_YEAR_0 = 12 * 1970  # months before the one that numpy counts from
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 2400, 6000, 12000)


def date_ticks(first: np.datetime64, last: np.datetime64, most: int) -> tuple[Times, list[str]]:
    """The finest round dates from one time to another that are at most so many, and what is written below each.

    Below the first of them, and wherever it changes, stands the year, or the day of an hour; so no label is about the
    ticks beside it.

    Args:
        first: The first time.
        last: The last time; later than the first.
        most: How many there is room for.
    """
    span = int((last - first) / np.timedelta64(1, "us"))
    for step in _CLOCK_STEPS:
        if span < 2 * most * step and len(ticks := _multiples(first, last, step)) <= most:
            return ticks, _labels_of_hours(ticks, "%H:%M:%S" if step < _MINUTE else "%H:%M")
    for days in _DAY_STEPS:
        if span < 2 * most * days * _DAY and len(ticks := _days(first, last, days)) <= most:
            return ticks, _labels(ticks, "%d %b")
    if span < 2 * most * 15 * _DAY and len(ticks := _first_and_fifteenth(first, last)) <= most:
        return ticks, _labels(ticks, "%d %b")
    for months in _MONTH_STEPS:
        if len(ticks := _months(first, last, months)) <= most:
            break
    return ticks, [_year(tick) for tick in ticks] if months >= 12 else _labels(ticks, "%b")


def _multiples(first: np.datetime64, last: np.datetime64, step: int) -> Times:
    start, stop = (int(time.astype("datetime64[us]").astype(int)) for time in (first, last))
    return (np.arange(-(-start // step), stop // step + 1) * step).astype("datetime64[us]")


def _days(first: np.datetime64, last: np.datetime64, apart: int) -> Times:
    """Days that are so many apart; Mondays if they are a week apart."""
    days = _multiples(first, last, _DAY)
    if apart == 7:
        return days[(days.astype("datetime64[D]").astype(np.int64) + 3) % 7 == 0]
    return days[::apart]


def _first_and_fifteenth(first: np.datetime64, last: np.datetime64) -> Times:
    days = _multiples(first, last, _DAY)
    of_month = (days.astype("datetime64[D]") - days.astype("datetime64[M]").astype("datetime64[D]")).astype(int)
    return days[np.isin(of_month, (0, 14))]


def _months(first: np.datetime64, last: np.datetime64, apart: int) -> Times:
    """Starts of months that are so many apart, counted from the year 0."""
    start, stop = (int(time.astype("datetime64[M]").astype(int)) + _YEAR_0 for time in (first, last))
    months = np.arange(-(-start // apart), stop // apart + 1) * apart - _YEAR_0
    times: Times = months.astype("datetime64[M]").astype("datetime64[us]")
    return times[times >= first]


def _labels_of_hours(ticks: Times, form: str) -> list[str]:
    labels, before = [], ("", "")
    for tick in ticks:
        day, year = _name(tick, "%d %b"), _year(tick)
        below = (f"\n{day}" if day != before[0] else "") + (f"\n{year}" if year != before[1] else "")
        labels.append(_name(tick, form) + below)
        before = day, year
    return labels


def _labels(ticks: Times, form: str) -> list[str]:
    labels, before = [], ""
    for tick in ticks:
        year = _year(tick)
        labels.append(_name(tick, form) if year == before else f"{_name(tick, form)}\n{year}")
        before = year
    return labels


def _year(tick: np.datetime64) -> str:
    return str(tick.astype("datetime64[Y]"))


def _name(tick: np.datetime64, form: str) -> str:
    return str(tick.astype("datetime64[s]").item().strftime(form))


_SUPERSCRIPTS = str.maketrans("0123456789+-\u2212", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")


class PlainNumbers(ScalarFormatter):
    """Numbers with marks between thousands; very large and very small ones by a power of ten above the axis.

    Args:
        most_digits: Numbers of more digits are written by a power of ten.
    """

    def __init__(self, most_digits: int) -> None:
        super().__init__(useMathText=False)
        self.set_powerlimits((-4, most_digits))

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The text at a tick."""
        return re.sub(r"\d+", lambda whole: f"{int(whole[0]):,}", super().__call__(x, pos), count=1)

    def get_offset(self) -> str:
        """What every number is to be multiplied by, and what is to be added to it: "×10⁷", "+10⁹"."""
        power = re.compile(r"(?<=\d)e([-\u2212+\d]+)")
        text = power.sub(lambda found: f"×10{found[1].translate(_SUPERSCRIPTS)}", super().get_offset())
        return re.sub(r"\b1×", lambda one: "×" if one.start() == 0 else "", text)
