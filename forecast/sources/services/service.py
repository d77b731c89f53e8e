"""What a service is: what can be asked of it, and the rows that its answers become."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

import pandas as pd

from forecast.sources.services.transport import Client

Kind = Literal["weather", "stock", "fred"]
Step = Literal["hourly", "daily"]


@dataclass(frozen=True)
class Asked:
    """What a user wants of a service.

    Args:
        names: Places, stations, tickers or series; each becomes a series of the panel.
        start: The first day.
        end: The last day.
        step: Hours or days.
        columns: What is measured, as the service calls it; empty for the usual columns.
        product: Which of the service's products.
    """

    names: tuple[str, ...]
    start: date
    end: date
    step: Step
    columns: tuple[str, ...]
    product: str = ""


@dataclass(frozen=True)
class Part:
    """The rows of one name.

    Args:
        frame: ``ds``, one column a measurement, and ``issued_at`` where rows are forecasts that were issued then. Times
            are UTC without a zone.
        units: Unit of measurement by column.
        about: What else the service says: where a place lies, dividends and splits, the currency.
        notes: What the user should know, one sentence each.
    """

    frame: pd.DataFrame
    units: dict[str, str] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Service:
    """A service.

    Args:
        name: What stands before the colon of a source, as in ``open-meteo:Oslo``.
        title: What messages call it.
        kind: What it has.
        collect: Asks for one name, and returns its rows, perhaps of a longer span; None if it does not know the name.
        columns: The usual columns for each step that it has.
        licence: Under which it gives its data, and to whom.
        attribution: Whom to name.
        days: Where a span begins if the user names no start, in days before today.
        revised: Newest days that are asked for again when a file is refreshed; None for all of them.
        products: What it has, the usual one first; empty if it has one product.
        hindsight: Columns that later events rewrite, and so know them.
        key: The variable of the environment that holds the user's key; empty if it takes none.
        names: What a name is, with an example, for messages.
        caution: What the user should know before relying on it.
    """

    name: str
    title: str
    kind: Kind
    collect: Callable[[Client, str, Asked], Part | None]
    columns: dict[Step, tuple[str, ...]]
    licence: str
    attribution: str
    days: int
    revised: int | None
    names: str
    products: tuple[str, ...] = ()
    hindsight: tuple[str, ...] = ()
    key: str = ""
    caution: str = ""
