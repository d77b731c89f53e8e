"""The page of a search: one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from forecast.commands.tune.plots import plot_course, plot_importances, plot_parallel
from forecast.commands.tune.tables import runs_table, space_table, spans_table, trials_tables
from forecast.plots.page import Section, picture_of, render, reproduction
from forecast.plots.style import printable


def search_page(summary: Mapping[str, Any], command: str = "") -> str:
    """The page as HTML.

    Args:
        summary: Of a search.
        command: The command line that made it.
    """
    targets = ", ".join(printable(name, 40) for name in summary["target"])
    return render(
        title=f"Settings searched on {printable(summary['title'], 80)}",
        verdict=summary["verdict"],
        tiles={},
        origin=[f"{targets}, {summary['horizon']:,} steps ahead", f"{summary['n_trials']:,} trials"],
        sections={
            "search": search_section(summary),
            "again": reproduction(
                {"data fingerprint": f"SHA-256 {summary['fingerprint']}", "seed": str(summary["seed"])}, command
            ),
        },
    )


def search_section(summary: Mapping[str, Any]) -> Section:
    """A search, drawn and as tables."""
    pictures = [picture_of(partial(plot_course, summary), "The course of the search")]
    if summary["importances"]:
        pictures.append(picture_of(partial(plot_importances, summary), "What makes a trial good"))
    pictures.append(picture_of(partial(plot_parallel, summary), "What the trials tried"))
    first, *others = trials_tables(summary)
    return Section(
        "The search",
        [
            "The first trial is the defaults, ten are drawn at random, the others go by what those found. Each is "
            f"trained and judged on {len(summary['spans'])} span(s) before the test span, which the search never sees. "
            "An error is in that of repeating the last value on the same windows, so 1 is no better than that. "
            f"{summary['n_stopped']:,} trials were stopped early, as finished ones had been better by then.",
            "The best settings and the defaults were then trained like any run, and judged on the test span.",
        ],
        pictures=pictures,
        tables=[*([runs_table(summary)] if summary["test"] else []), space_table(summary), first],
        folded_tables=[*others, spans_table(summary)],
    )
