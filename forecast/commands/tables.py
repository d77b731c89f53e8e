"""Results as tables for a person to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table as RichTable

from forecast.commands.console import plain
from forecast.data.clock import STEP, Clock
from forecast.evaluation.metrics import METRICS
from forecast.plots.style import Labels
from forecast.plots.tables import MINUS, Cell, Table, TableStyle, score_table, series_table, step_table, steps_in_tables

# A name in a table; what is longer would leave no room for the figures.
_LONGEST_NAME = 40


def _number(value: float | None) -> str:
    if value is None or value != value:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:.4g}"


TERMINAL = TableStyle(model=str, number=_number, narrow=True)


def scores(metrics: Mapping[str, Any], title: str) -> Group:
    """A run's scores: over all windows, by step ahead and by series; and what its intervals held."""
    labels = Labels("", "", metrics["unit"], Clock(STEP), metrics["model"], None)
    shown = [replace(score_table(metrics, labels, TERMINAL), caption=title)]
    if metrics["horizon"] > 1:
        shown.append(step_table(metrics, labels, TERMINAL))
    if metrics.get("intervals"):
        shown.append(_coverage_table(metrics))
    if by_series := series_table(metrics, TERMINAL):
        shown.append(by_series)
    return Group(*map(rich_table, shown))


def rich_table(table: Table, tight: bool = False) -> RichTable:
    """A table for the terminal: the best of each column in bold, and a line whose first cell is marked as the best.

    Args:
        table: What it holds.
        tight: Put one space between columns, and let heads wrap.
    """
    lines = RichTable(box=SIMPLE_HEAD, title=plain(table.caption), title_justify="left", title_style="bold")
    if tight:
        lines.padding, lines.pad_edge = (0, 1, 0, 0), False
    for index, name in enumerate(table.columns):
        wraps = tight and name.startswith("vs ")
        lines.add_column(plain(name), justify="right" if index else "left", no_wrap=not wraps)
    for first, *others in table.rows:
        texts = [plain(cell.text.replace(MINUS, "-")) for cell in others]  # as it is typed
        marked = [f"[bold]{text}[/]" if cell.best else text for cell, text in zip(others, texts, strict=True)]
        lines.add_row(plain(first.text, _LONGEST_NAME), *marked, style="bold" if first.best else None)
    return lines


def _coverage_table(metrics: Mapping[str, Any]) -> Table:
    """The share of observations inside the model's intervals, over all steps and by step ahead."""
    steps = steps_in_tables(metrics["horizon"]) if metrics["horizon"] > 1 else []
    width = METRICS["width"].head(metrics["unit"])
    table = Table(f"Intervals of {metrics['model']}", ["level", "held", *(f"at step {step}" for step in steps), width])
    for level in metrics["intervals"]["levels"]:
        found = metrics["intervals"]["models"][metrics["model"]][str(level)]
        shares = [found["coverage"], *(found["coverage_by_step"][step - 1] for step in steps)]
        table.rows.append(
            [Cell(f"{level}%"), *(Cell(f"{share:.1%}") for share in shares), Cell(_number(found["width"]))]
        )
    return table


def steps_ahead(horizon: int) -> str:
    """How far ahead the forecasts reach: "3 steps ahead"."""
    return f"{horizon} step{'s' if horizon > 1 else ''} ahead"


def origins_span(about: Mapping[str, Any]) -> str:
    """From the first origin to the last.

    Args:
        about: What holds ``first_origin`` and ``last_origin``.
    """
    first, last = (_shorten_time(about[name]) for name in ("first_origin", "last_origin"))
    return f"{first} … {last}" if first != last else first


def _shorten_time(text: str) -> str:
    """A time of ISO 8601 as `Clock.format` writes it."""
    time, offset = text[:19].replace("T", " ").removesuffix(":00"), text[19:]
    return time + offset if offset else time.removesuffix(" 00:00")
