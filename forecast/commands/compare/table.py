"""A comparison as tables for a person to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table

from forecast.commands.compare.leaderboard import compared_metrics, with_spread
from forecast.commands.console import plain

# Narrower terminals do without the second column of errors and the size.
_WIDE = 100

_AGAINST = {"rnn": "rnn", "persistence": "last", "seasonal-naive": "season"}


def leaderboard(summary: Mapping[str, Any], title: str, width: int) -> Group:
    """A table of all test windows and, where there are classical references, one of theirs.

    Args:
        summary: Of a comparison.
        title: What was compared.
        width: Letters in a line.
    """
    classical = summary["classical"]
    tables = [_board(summary, summary["models"], title, width, validated=True)]
    if classical is not None:
        some = f"on the {classical['n_windows']:,} windows of the classical references"
        tables.append(_board(summary, classical["models"], some, width, validated=False))
    return Group(*tables)


def _board(
    summary: Mapping[str, Any], lines: Mapping[str, Mapping[str, Any]], title: str, width: int, validated: bool
) -> Table:
    measure = summary["measure"]
    table = Table(
        box=SIMPLE_HEAD,
        title=plain(title),
        title_justify="left",
        title_style="bold",
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("model", no_wrap=True)
    against = list(_AGAINST) if validated else [name for name, line in lines.items() if line["kind"] == "classical"]
    heads = {
        "validation": "validation" if validated else "",
        **{
            name: metric.head(summary["unit"]) if width >= _WIDE or metric.name in ("MAE", measure) else ""
            for name, metric in compared_metrics().items()
        },
        **{name: f"vs {_AGAINST.get(name, name)}" for name in against},
        "parameters": "weights" if validated and width >= _WIDE else "",
        "seconds": "seconds",
    }
    heads = {name: head for name, head in heads.items() if head}
    for head in heads.values():
        table.add_column(plain(head), justify="right", no_wrap=head.startswith(("MAE", "validation")))
    for name, line in lines.items():
        mark, style = (" *", "bold") if name == summary["chosen"] else ("", "")
        table.add_row(plain(name) + mark, *(_cell(line, column) for column in heads), style=style)
    return table


def _cell(line: Mapping[str, Any], column: str) -> str:
    """A figure as it stands in the table; what a line has not is left empty."""
    if column in compared_metrics():
        return with_spread(line[column], line[f"{column}_spread"] if column == "mae" else None)
    value = line[column] if column in line else line["skill"].get(column)
    if value is None:
        return ""
    if column == "parameters":
        return f"{value:,.0f}"
    if column == "seconds":
        return f"{value:.1f}"
    return with_spread(value, None) if column == "validation" else f"{value:+.1%}"


def notes(summary: Mapping[str, Any]) -> Iterator[str]:
    """What one must know to read the tables."""
    seeds = len(summary["seeds"])
    spread = f"; ± is the standard deviation over {seeds} seeds" if seeds > 1 else ""
    yield f"* the network with the lowest validation {summary['measure']}: that chooses, the test is reported{spread}"
    yield (
        "vs: how much lower (+) or higher (-) the error is than that of the vanilla RNN, the last value, the seasonal "
        "naive; seconds are of training"
    )
