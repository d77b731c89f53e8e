"""Panels of days that several tests divide."""

from __future__ import annotations

import numpy as np

from forecast.data.clock import Clock
from forecast.data.panel import Panel


def daily(n_rows: int, start: str = "2020-01-01") -> Panel:
    times = np.datetime64(start, "us") + np.arange(n_rows) * np.timedelta64(1, "D")
    return Panel(np.zeros((n_rows, 1)), times, ("y",), Clock("D"))


def panel_of_lengths(**n_rows: int) -> Panel:
    """Series that all begin on the first of January and have so many days."""
    parts = [daily(count) for count in n_rows.values()]
    return Panel(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.times for part in parts]),
        ("y",),
        Clock("D"),
        tuple(n_rows),
        (0, *np.cumsum(list(n_rows.values())).tolist()),
    )
