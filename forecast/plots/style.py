"""How plots and tables show things: one line style for each model; names, numbers and times as text."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Sequence
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
}
OTHER = LineStyle("#E69F00", (0, (8, 2)), "D", 1.4, 3.0)

_NAMES = {"rnn": "vanilla RNN", "ets": "ETS", "theta": "Theta", "sarima": "seasonal ARIMA"}


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
        return printable(name, 24) + (f" ({printable(self.unit, 10)})" if self.unit else "")

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


def model_name(model: str) -> str:
    """A model's name in words: "stacked LSTM" for ``stacked-lstm``, "minGRU" for ``mingru``."""
    plain = re.sub("lstm|gru|rnn", lambda acronym: acronym[0].upper(), printable(model, 24)).replace("-", " ")
    return _NAMES.get(model, plain)


def format_number(value: float) -> str:
    """A number to three digits: "0.420", "1,234", "1.20e-09"."""
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e7:
        return f"{value:.2e}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
