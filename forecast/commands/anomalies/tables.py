"""Odd rows as a table for the terminal, and in the box of a notebook."""

from __future__ import annotations

import pandas as pd

from forecast.data.clock import Clock
from forecast.plots.figure import PlotFigure, to_png
from forecast.plots.page import Picture, Section, box, png_image
from forecast.plots.style import Labels, format_like, printable
from forecast.plots.tables import Cell, Table

# Lines of the table; the file has all of them.
_MOST_LINES = 40


def event_table(events: pd.DataFrame, several: bool, unit: str, clock: Clock) -> Table:
    """Odd rows of one kind in sequence as one line each: the first time, how many, and the least probable of them.

    Args:
        events: Of `Anomalies`.
        several: Whether there are several series.
        unit: The targets' unit of measurement.
        clock: The clock of the rows.
    """
    labels = Labels("", "", unit, clock, "", None)
    numbers = ("y", "expected", "lo", "hi")
    text = format_like([value for name in numbers for value in events[name].abs() if value == value], digits=4)
    caption = ""
    if len(events) > _MOST_LINES:
        caption = f"the first {_MOST_LINES} of {len(events):,}; --output FILE writes all of them"
    table = Table(caption, [*(["series"] if several else []), "from", "rows", "kind", *numbers, "p"])
    for event in events.head(_MOST_LINES).to_dict("records"):
        named = [Cell(printable(event["unique_id"], 30))] if several else []
        table.rows.append([
            *named,
            Cell(labels.format_time(event["ds"])),
            Cell(f"{event['rows']:,}"),
            Cell(event["kind"]),
            *(Cell(text(event[name]) if event[name] == event[name] else "–") for name in numbers),
            Cell(f"{event['p']:.2g}" if event["p"] == event["p"] else "–"),
        ])  # fmt: skip
    return table


def html_of(title: str, sentence: str, figure: PlotFigure, table: Table) -> str:
    """What a notebook shows of odd rows: how many there are, the plot of a series, and their table."""
    picture = Picture("Odd rows", "", png_image(to_png(figure)))
    return box(Section(title, pictures=[picture], tables=[table]), sentence)
