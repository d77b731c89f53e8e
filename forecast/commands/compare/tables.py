"""A comparison as tables, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from forecast.commands.compare.leaderboard import compared_metrics, with_spread
from forecast.plots.footnotes import points_not_scored
from forecast.plots.tables import PAGE, Cell, Table, TableStyle, format_share

# What the terminal calls the references.
_SHORT = {"persistence": "last", "seasonal-naive": "season"}


def leaderboard_tables(summary: Mapping[str, Any], style: TableStyle = PAGE) -> list[Table]:
    """A table of all test windows and, where there are classical references, one of their windows.

    Args:
        summary: Of a comparison.
        style: How the surface writes tables.
    """
    references = list(dict.fromkeys(["rnn", "persistence", "seasonal-naive", *hardest_naive(summary)]))
    tables = [_table(summary, summary["models"], f"On all {summary['n_windows']:,} test windows", references, style)]
    if summary["classical"] is not None:
        lines, n_windows = summary["classical"]["models"], summary["classical"]["n_windows"]
        references = [name for name, line in lines.items() if line["kind"] == "classical"]
        caption = f"On the {n_windows:,} windows of the classical references"
        tables.append(_table(summary, lines, caption, references, style))
    return tables


def hardest_naive(summary: Mapping[str, Any]) -> list[str]:
    """The naive forecast that the chosen network beats least, or is worst beaten by; empty if no skill is defined."""
    skill = summary["models"][summary["chosen"]]["skill"]
    gains = {name: gain for name, gain in skill.items() if name != "rnn" and gain is not None}
    return [min(gains, key=gains.__getitem__)] if gains else []


def dispensable_columns(summary: Mapping[str, Any]) -> list[str]:
    """What a narrow terminal may leave out, the first of them first: the size, and errors that nothing is judged by."""
    needed = {"MAE", summary["measure"]}
    return ["weights", *(m.head(summary["unit"]) for m in compared_metrics().values() if m.name not in needed)]


def _table(
    summary: Mapping[str, Any],
    lines: Mapping[str, Mapping[str, Any]],
    caption: str,
    references: list[str],
    style: TableStyle,
) -> Table:
    metrics = compared_metrics(next(iter(lines.values())))
    errors = ["validation", *(metric.head(summary["unit"]) for metric in metrics.values())]
    against = [f"vs {_SHORT.get(name, name) if style.narrow else style.model(name)}" for name in references]
    table = Table(caption, ["model", *errors, *against, "weights", "seconds"])
    for name, line in lines.items():
        chosen = name == summary["chosen"]
        mark = "" if not chosen else " *" if style.narrow else ", chosen"
        cells = [Cell(style.model(name) + mark, best=chosen)]
        # In the terminal the spread of one metric must do.
        spreads = ["mae"] if style.narrow else list(metrics)
        for key in ("validation", *metrics):
            text = with_spread(line[key], line[f"{key}_spread"] if key in spreads else None)
            cells.append(table.undefined("it has none") if line[key] is None else Cell(text))
        gains = [line["skill"].get(reference) for reference in references]
        cells += [Cell("" if gain is None else format_share(gain)) for gain in gains]
        weights, seconds = line["parameters"], line["seconds"]
        cells += [Cell("" if weights is None else f"{weights:,}"), Cell("" if seconds is None else f"{seconds:.1f}")]
        table.rows.append(cells)
    return table


def reading_notes(summary: Mapping[str, Any]) -> Iterator[str]:
    """What one must know to read the tables in the terminal."""
    seeds = len(summary["seeds"])
    spread = f"; ± is the standard deviation over {seeds} seeds" if seeds > 1 else ""
    yield (
        f"* the network with the lowest validation {summary['measure']}, by which it is chosen; the test error is only "
        f"reported{spread}"
    )
    yield (
        "vs: how much lower (+) or higher (-) the error is than that of the vanilla RNN, the last value, the seasonal "
        "naive and the naive forecast that the chosen network beats least; seconds are training time"
    )
    yield from points_not_scored(summary)
    if summary["measure"] == "MASE":
        yield "MASE and vs are means over all points, each error divided by the naive error of its series"
