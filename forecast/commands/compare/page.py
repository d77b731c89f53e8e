"""The report of a comparison: one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from forecast.commands.compare.plot import plot_leaderboard
from forecast.commands.compare.tables import leaderboard_tables
from forecast.plots.footnotes import points_not_scored
from forecast.plots.page import Picture, Section, picture_of, render, reproduction
from forecast.plots.style import printable


def comparison_page(summary: Mapping[str, Any], command: str = "") -> str:
    """The report as HTML.

    Args:
        summary: Of a comparison.
        command: The command line that made it.
    """
    targets = ", ".join(printable(name, 40) for name in summary["target"])
    seeds = ", ".join(map(str, summary["seeds"]))
    return render(
        title=f"Models compared on {printable(summary['title'], 80)}",
        verdict=summary["verdict"],
        tiles={},
        origin=[f"{targets}, {summary['horizon']:,} steps ahead", f"{summary['n_windows']:,} test windows"],
        sections={
            "leaderboard": leaderboard_section(summary),
            "again": reproduction({"data fingerprint": f"SHA-256 {summary['fingerprint']}", "seeds": seeds}, command),
        },
    )


def leaderboard_section(summary: Mapping[str, Any]) -> Section:
    """The leaderboard of a comparison, drawn and as tables."""
    seeds, classical = ", ".join(map(str, summary["seeds"])), summary["classical"]
    return Section(
        "The leaderboard",
        [
            "The validation error chooses the model; the test error is only reported. All forecasts of a table are "
            f"scored on the same windows. ± is the standard deviation over the seeds {seeds}. Columns that begin with "
            "vs give the share of that reference's error that is avoided; the naive forecast that the chosen network "
            "beats least is among them.",
            *([classical["verdict"]] if classical is not None else []),
            *points_not_scored(summary),
            *(f"{note}." for note in summary["classical_notes"]),
        ],
        pictures=[_picture(summary)],
        tables=leaderboard_tables(summary),
    )


def _picture(summary: Mapping[str, Any]) -> Picture:
    picture = picture_of(partial(plot_leaderboard, summary), "The error of every forecast")
    return replace(picture, note="An arrow marks a forecast farther to the right.")
