"""How plots and tables show things: one line style for each model; names, numbers and times as text."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from forecast.data.clock import STEP, Clock


@dataclass(frozen=True)
class LineStyle:
    """How one curve is drawn. Dashes and markers differ too, so that a grey print can be read."""

    color: str
    dashes: str | tuple[int, tuple[float, ...]]
    marker: str
    width: float
    zorder: float


# The colours are those of Okabe and Ito, "Color Universal Design" (2008): distinct for every kind of colour vision.
OBSERVED = LineStyle("#1a1a1a", "-", ".", 1.3, 3.0)
MODEL = LineStyle("#0072B2", "-", "o", 1.8, 3.4)
BASELINE = LineStyle("#D55E00", (0, (4, 1.3)), "s", 1.5, 3.2)
NAIVE = {
    "persistence": LineStyle("#5a5a5a", (0, (1, 1)), "x", 1.1, 3.6),  # on top: if the model echoes it, both are seen
    "seasonal-naive": LineStyle("#009E73", (0, (6, 1.5, 1, 1.5)), "^", 1.0, 2.4),
    "drift": LineStyle("#CC79A7", (0, (6, 1.5, 1, 1.5, 1, 1.5)), "v", 1.0, 2.2),
    "mean": LineStyle("#56B4E9", (0, (3, 1)), "P", 1.0, 2.0),
    "seasonal-mean": LineStyle("#117733", (0, (2, 1, 6, 1)), "p", 1.0, 2.05),
    "zero": LineStyle("#8c6d31", (0, (1, 3)), "<", 1.0, 1.9),
    "climatology": LineStyle("#882255", (0, (5, 2, 2, 2)), "*", 1.0, 2.1),
    "log-har": LineStyle("#332288", (0, (4, 1, 1, 1)), "d", 1.3, 3.1),
}
OTHER = LineStyle("#E69F00", (0, (8, 2)), "D", 1.4, 3.0)

_NAMES = {"log-har": "log-HAR", "rnn": "vanilla RNN", "ets": "ETS", "theta": "Theta", "sarima": "seasonal ARIMA"}


@dataclass(frozen=True)
class Labels:
    """What every plot says about the series.

    Args:
        title: What the series is called, such as "station (simulated)".
        target: The column that is forecast.
        unit: Its measurement unit; empty when unknown.
        clock: The clock of the rows.
        model: The model's column in the forecasts, such as ``stacked-lstm``.
        baseline: The vanilla RNN's column; None when it was left out.
    """

    title: str
    target: str
    unit: str
    clock: Clock
    model: str
    baseline: str | None

    def with_unit(self, name: str) -> str:
        """A name with the target's unit, for an axis: "temperature (°C)"."""
        return with_unit(name, self.unit)

    def subject(self, unique_id: str = "") -> str:
        """The series and its target, for a title: "weather, temperature"."""
        # The id of the only series is its target; one of several targets ends with it.
        names = dict.fromkeys((self.title, unique_id.removesuffix(f"/{self.target}"), self.target))
        return ", ".join(printable(name, 40) for name in names if name)

    def format_amount(self, value: float) -> str:
        """A value of the target to three digits with its unit: "0.420 °C"."""
        return f"{format_number(value)} {printable(self.unit, 10)}".rstrip() if math.isfinite(value) else "undefined"

    @property
    def step(self) -> str:
        """One step of the clock, singular: "hour", "business day", "15 minutes"."""
        return self.clock.describe().removeprefix("1 ")

    @property
    def steps(self) -> str:
        """The step of the clock, plural: "months", "steps of 15 minutes"."""
        return f"steps of {self.step}" if self.step[:1].isdigit() else f"{self.step}s"

    def format_duration(self, steps: int) -> str:
        """A number of steps in words: "1 hour", "12 months", "96 steps of 15 minutes"."""
        if steps != 1:
            return f"{steps:,} {self.steps}"
        return self.step if self.step[:1].isdigit() else f"1 {self.step}"

    def format_time(self, time: Any) -> str:
        """A time as exact as the clock: "2010-12-01" of days and longer steps, "2010-12-01 14:00" of hours.

        A time with a zone has its offset from UTC behind it; the number of a step is shown as it is.
        """
        if self.clock.freq == STEP:
            return str(int(time))
        stamp = pd.Timestamp(time)
        form = {"s": "%Y-%m-%d %H:%M:%S", "min": "%Y-%m-%d %H:%M", "h": "%Y-%m-%d %H:%M"}.get(
            self.clock.unit, "%Y-%m-%d"
        )
        return f"{stamp:{form}}{stamp.isoformat()[-6:] if stamp.tz else ''}"

    def models(self, columns: Collection[str], naive: Sequence[str]) -> list[str]:
        """The model, the vanilla RNN and these naive forecasts, as far as there are columns of them."""
        return [name for name in (self.model, self.baseline, *naive) if name is not None and name in columns]

    def line_style(self, model: str) -> LineStyle:
        """How a model is drawn: by its part in the comparison, else by its name; the same on every plot."""
        if model == self.model:
            return MODEL
        if model == self.baseline:
            return BASELINE
        return NAIVE.get(model, OTHER)


def printable(text: str, longest: int = 10_000) -> str:
    """A text as it can stand in a figure: on one line, control characters escaped, cut after ``longest``."""
    clean = "".join(
        " " if unicodedata.category(char) == "Zs" else char if char.isprintable() else ascii(char)[1:-1]
        for char in text
    )
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def with_unit(name: str, unit: str, longest: int = 24) -> str:
    """A name with its unit, which it may hold already: "temperature (°C)"; the name is cut after ``longest``."""
    bracketed = (f"({unit})", f"[{unit}]")
    if not unit or (len(name) <= longest and name.endswith(bracketed)):
        return printable(name, longest)
    for held in bracketed:
        name = name.removesuffix(held).rstrip()
    return f"{printable(name, longest)} ({printable(unit, 10)})"


def model_name(model: str) -> str:
    """A model's name in words: "stacked LSTM" for ``stacked-lstm``, "minGRU" for ``mingru``."""
    plain = re.sub("lstm|gru|rnn", lambda acronym: acronym[0].upper(), printable(model, 24)).replace("-", " ")
    return _NAMES.get(model, plain)


def format_number(value: float) -> str:
    """A number to three digits: "0.420", "1,234", "1.20e-09"."""
    return format_like([value])(value)


# Numbers of a column are written with all their digits from the first to below the second.
_PLAIN_FROM, _PLAIN_TO = 1e-4, 1e10

# Digits that the smallest number of a column may add behind those that the largest one needs.
_MOST_ADDED = 2


def format_like(values: Iterable[float | None], digits: int = 3) -> Callable[[float], str]:
    """How the numbers of a column are written, all alike, so that they can be compared at a glance.

    All have as many decimals as the smallest needs to show ``digits`` digits, but at most two more than the largest
    needs; all have an exponent where that leaves nothing of the smallest, or there are too many digits.

    Args:
        values: The column; what is None, zero or not finite counts for nothing.
        digits: Significant digits.
    """
    sizes = [abs(value) for value in values if value is not None and math.isfinite(value) and value != 0]
    least, most = (min(sizes), max(sizes)) if sizes else (1.0, 1.0)
    needed, wanted = (max(0, digits - 1 - math.floor(math.log10(size))) for size in (most, least))
    decimals = min(wanted, needed + _MOST_ADDED)
    plain = _PLAIN_FROM <= most < _PLAIN_TO and least >= 0.5 * 10.0**-decimals
    form = f",.{decimals}f" if plain else f".{digits - 1}e"
    return lambda value: "0" if value == 0 else format(value, form)
