"""Results as tables for a person to read, as wide as the terminal: no number is ever cut."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table as RichTable
from rich.text import Text

from forecast.commands.console import one_line, out, say
from forecast.data.clock import STEP, Clock
from forecast.evaluation.metrics import METRICS
from forecast.plots.footnotes import coverage_notes, footnotes, shorten_time
from forecast.plots.lost_windows import lost_windows_in_words
from forecast.plots.many_series import tables_by_series
from forecast.plots.style import Labels, format_like
from forecast.plots.tables import (
    MINUS,
    Cell,
    Table,
    TableStyle,
    score_table,
    step_table,
    steps_in_tables,
)

# Where room is short, the names of rows and columns are broken into lines, though not into shorter ones than this.
_NARROWEST = 14

# Characters between two columns, of which a table has one more than it has columns.
_GAP = 2

TERMINAL = TableStyle(model=str, digits=4, narrow=True)


def print_scores(metrics: Mapping[str, Any], title: str) -> None:
    """Print a run's scores: over all windows, by step ahead and by series; and what its intervals held."""
    labels = Labels("", "", metrics["unit"], Clock(STEP), metrics["model"], None)
    shown = [replace(score_table(metrics, labels, TERMINAL), caption=title)]
    if metrics["horizon"] > 1:
        shown.append(step_table(metrics, labels, TERMINAL))
    if metrics.get("intervals"):
        shown.append(_coverage_table(metrics))
    shown += tables_by_series(metrics, TERMINAL)
    for table in shown:
        print_table(table)
    for remark in _remarks(metrics):
        say(remark)


def _remarks(metrics: Mapping[str, Any]) -> list[str]:
    """What one must know to read a run's scores: windows that were lost, figures that are not pooled."""
    said = []
    count = metrics.get("windows")  # a run of an older version has none
    if count and count["possible"] > count["scored"]:
        said.append(lost_windows_in_words(count, "test"))
    if moved := metrics.get("seasonal_naive"):
        said.append(
            f"gaps: the seasonal naive is of an earlier season at {moved['from_earlier_season']:,} points, and the "
            f"last value at {moved['from_last_value']:,}"
        )
    if reason := metrics.get("reasons", {}).get(f"models.{metrics['model']}.mae"):
        said.append(f"no pooled MAE and RMSE: {reason}")
    return said + footnotes(metrics) + coverage_notes(metrics)


def print_table(table: Table, may_lack: Collection[str] = ()) -> None:
    """Print a table for the terminal: the best of each column in bold, and a line whose first cell is the best.

    Args:
        table: What it holds.
        may_lack: Columns that it may have. They are left out and named where the terminal has no room, the first ones
            first.
    """
    lacking = []
    for name in may_lack:
        if _fits_in_lines(table, out.width):
            break
        if name not in table.columns:
            continue
        table = _without(table, name)
        lacking.append(name)
    if table.caption:
        out.print(Text(one_line(table.caption), style="bold"))
    for part in _laid_out(table, out.width):
        out.print(_rich_table(part, out.width))
    if lacking:
        say(textwrap.fill(f"no room for: {', '.join(lacking)}", out.width, break_on_hyphens=False))


def _laid_out(table: Table, width: int) -> Iterator[Table]:
    """The table as it is, or turned, or in parts below one another: whatever fits first."""
    turned = _turned(table)
    if _narrowest(table) <= width or len(table.columns) < 3:
        yield table
    elif _narrowest(turned) <= width and len(turned.columns) < len(table.columns):
        yield turned
    else:
        stop = 2
        while stop < len(table.columns) and _narrowest(_columns(table, 1, stop + 1)) <= width:
            stop += 1
        yield _columns(table, 1, stop)
        if stop < len(table.columns):
            yield from _laid_out(_columns(table, stop, len(table.columns)), width)


def _columns(table: Table, start: int, stop: int) -> Table:
    """The names of the rows, and some of the columns."""
    names = [table.columns[0], *table.columns[start:stop]]
    return replace(table, columns=names, rows=[[row[0], *row[start:stop]] for row in table.rows])


def _without(table: Table, name: str) -> Table:
    index = table.columns.index(name)
    rows = [row[:index] + row[index + 1 :] for row in table.rows]
    return replace(table, columns=[other for other in table.columns if other != name], rows=rows)


def _turned(table: Table) -> Table:
    """The table with its rows as columns. What marks the best of a column goes with it, what marks a row is lost."""
    heads = [table.columns[0], *(row[0].text for row in table.rows)]
    rows = [[Cell(name), *cells] for name, *cells in zip(table.columns, *table.rows, strict=True)]
    return replace(table, columns=heads, rows=rows[1:])


def _texts(table: Table) -> list[list[str]]:
    """The head and the cells of each column as they are typed, [columns][1 + rows]."""
    lines = [table.columns, *([row[0].text, *(cell.text.replace(MINUS, "-") for cell in row[1:])]
                              for row in table.rows)]  # fmt: skip
    return [list(map(one_line, column)) for column in zip(*lines, strict=True)]


def _widths(table: Table) -> tuple[list[int], list[int]]:
    """Of each column the least width in which no figure is broken, and the width in which nothing is."""
    least, full = [], []
    for index, (head, *texts) in enumerate(_texts(table)):
        longest_word = max(map(cell_len, re.split(r" |(?<=-)", head)))
        longest = max(map(cell_len, texts), default=0)
        full.append(max(cell_len(head), longest))
        breakable = index == 0 and not all(text[:1].isdigit() for text in texts)  # no time or number is
        least.append(max(min(longest_word, _NARROWEST), min(longest, _NARROWEST) if breakable else longest))
    return least, full


def _fits_in_lines(table: Table, width: int) -> bool:
    """Whether each row takes one line of so many characters."""
    least, full = _widths(table)
    return full[0] + sum(least[1:]) + _GAP * len(least) <= width


def _narrowest(table: Table) -> int:
    """The least width in which no figure is broken."""
    return sum(_widths(table)[0]) + _GAP * len(table.columns)


def _rich_table(table: Table, width: int) -> RichTable:
    lines = RichTable(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    widths, full = _widths(table)
    if sum(full) + _GAP * len(full) <= width:
        widths = full
    else:  # what is spare is for the names of the rows
        widths[0] += max(0, min(width - _GAP * len(widths) - sum(widths), full[0] - widths[0]))
    columns = _texts(table)
    for index, (head, *_) in enumerate(columns):
        justify: Literal["left", "right"] = "right" if index else "left"
        # At hyphens, too, which rich does not know.
        lines_of_head = "\n".join(textwrap.wrap(head, widths[index], break_long_words=False))
        lines.add_column(Text(lines_of_head), justify=justify, width=widths[index], overflow="fold")
    for row, texts in zip(table.rows, list(zip(*columns, strict=True))[1:], strict=True):
        styles = ["bold" if cell.best or row[0].best else "" for cell in row]
        lines.add_row(*map(Text, texts, styles))
    return lines


def _coverage_table(metrics: Mapping[str, Any]) -> Table:
    """The share of observations inside the model's intervals, over all steps and by step ahead."""
    steps = steps_in_tables(metrics["horizon"]) if metrics["horizon"] > 1 else []
    levels = metrics["intervals"]["levels"]
    scores = [metrics["intervals"]["models"][metrics["model"]][str(level)] for level in levels]
    keys = ["width", "scaled_winkler"] if metrics.get("skill_of") == "MASE" else ["width"]
    keys = [key for key in keys if any(found.get(key) is not None for found in scores)]
    heads = [f"at step {step}" for step in steps] + [METRICS[key].head(metrics["unit"]) for key in keys]
    table = Table(f"Intervals of {metrics['model']}", ["level", "held", *heads])
    texts = {key: format_like((found[key] for found in scores), TERMINAL.digits) for key in keys}
    for level, found in zip(levels, scores, strict=True):
        shares = [found["coverage"], *(found["coverage_by_step"][step - 1] for step in steps)]
        cells = [Cell("–" if share is None else f"{share:.1%}") for share in shares]
        cells += [Cell("–" if found[key] is None else texts[key](found[key])) for key in keys]
        table.rows.append([Cell(f"{level}%"), *cells])
    return table


def steps_ahead(horizon: int) -> str:
    """How far ahead the forecasts reach: "3 steps ahead"."""
    return f"{horizon} step{'s' if horizon > 1 else ''} ahead"


def origins_span(about: Mapping[str, Any]) -> str:
    """From the first origin to the last.

    Args:
        about: What holds ``first_origin`` and ``last_origin``.
    """
    first, last = (shorten_time(about[name]) for name in ("first_origin", "last_origin"))
    return f"{first} … {last}" if first != last else first
