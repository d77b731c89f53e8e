"""A search as tables, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forecast.commands.tune.outcome import DEFAULTS, TUNED
from forecast.commands.tune.space import value_in_words
from forecast.plots.style import format_like
from forecast.plots.tables import Cell, Table, format_share

# The best trials that a table shows beside the defaults.
_BEST = 5


def runs_table(summary: Mapping[str, Any]) -> Table:
    """The best settings and the defaults on the same test windows."""
    test = summary["test"]
    errors = {name: test[name] for name in (TUNED, DEFAULTS)}
    form, best = format_like(errors.values()), min(errors.values())
    unit = f" ({summary['unit']})" if summary["unit"] and test["measure"] == "MAE" else ""
    table = Table(
        f"On {test['n_windows']:,} test windows", ["settings", f"{test['measure']}{unit}", "vs defaults", "p-value"]
    )
    for name, error in errors.items():
        cells = [Cell(name), Cell(form(error), best=error == best)]
        if name == DEFAULTS or test["skill"] is None:
            cells += [Cell(""), Cell("")]
        else:
            p = test["p_value"]
            cells += [Cell(format_share(test["skill"])), Cell("–" if p is None else f"{p:.2g}")]
        table.rows.append(cells)
    return table


def space_table(summary: Mapping[str, Any]) -> Table:
    """What was searched, what the defaults are there, and what was found."""
    table = Table("What was searched", ["setting", "defaults", "found", "choices"])
    for name, choices in summary["space"].items():
        usual, found = summary["defaults"][name], summary["found"][name]
        table.rows.append(
            [Cell(name), Cell(value_in_words(usual)), Cell(value_in_words(found), best=found != usual), Cell(choices)]
        )
    return table


def trials_tables(summary: Mapping[str, Any]) -> list[Table]:
    """The best trials beside the defaults; and all trials."""
    complete = sorted((line for line in summary["trials"] if line["error"] is not None), key=lambda line: line["error"])
    shown = complete[:_BEST] + [line for line in complete[_BEST:] if line["trial"] == 1]
    return [_table("The best trials", summary, shown), _table("All trials", summary, summary["trials"])]


def spans_table(summary: Mapping[str, Any]) -> Table:
    """The spans that every trial is judged on."""
    table = Table("Validation spans", ["from", "until", "windows to learn from", "windows"])
    for span in summary["spans"]:
        dates = [Cell(span[end] or "by series") for end in ("from", "to")]
        table.rows.append([*dates, *(Cell(f"{span[name]:,}") for name in ("n_train", "n_windows"))])
    return table


def _table(caption: str, summary: Mapping[str, Any], lines: list[Mapping[str, Any]]) -> Table:
    names = list(summary["space"])
    table = Table(caption, ["trial", "error", *names, "seconds"])
    for line in lines:
        number = "1, defaults" if line["trial"] == 1 else str(line["trial"])
        is_best = line["trial"] == summary["best"]
        error = table.undefined(line["why"]) if line["error"] is None else Cell(f"{line['error']:.4f}", best=is_best)
        tried = [Cell(value_in_words(line["tried"][name])) for name in names]
        seconds = line["seconds"]
        table.rows.append([Cell(number), error, *tried, Cell("" if seconds is None else f"{seconds:.0f}")])
    return table
