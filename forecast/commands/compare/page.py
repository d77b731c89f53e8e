"""The report of a comparison: one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from forecast.commands.compare.leaderboard import compared_metrics, with_spread
from forecast.commands.compare.plot import plot_leaderboard
from forecast.plots.figure import PHONE, SCREEN
from forecast.plots.page import Picture, Section, picture_of, render
from forecast.plots.style import format_number, model_name, printable
from forecast.plots.tables import Cell, Table, share

_AGAINST = ("rnn", "persistence", "seasonal-naive")


def comparison_page(summary: Mapping[str, Any], command: str = "") -> str:
    """The report as HTML.

    Args:
        summary: Of a comparison.
        command: The command line that made it.
    """
    targets = ", ".join(printable(name, 40) for name in summary["target"])
    seeds = ", ".join(map(str, summary["seeds"]))
    classical = summary["classical"]
    tables = [_board(summary, summary["models"], f"On all {summary['n_windows']:,} test windows", _AGAINST)]
    if classical is not None:
        others = [name for name, line in classical["models"].items() if line["kind"] == "classical"]
        caption = f"On the {classical['n_windows']:,} windows of the classical references"
        tables.append(_board(summary, classical["models"], caption, others))
    return render(
        "report.html.j2",
        title=f"Models compared on {printable(summary['title'], 80)}",
        verdict=summary["verdict"],
        tiles={},
        origin=[f"{targets}, {summary['horizon']:,} steps ahead", f"{summary['n_windows']:,} test windows"],
        sections={
            "leaderboard": Section(
                "The leaderboard",
                [
                    "The validation error chooses; the test error is reported, and never chosen by. All forecasts of a "
                    f"table are scored on the same windows. ± is the standard deviation over the seeds {seeds}. "
                    "Behind vs stands the share of that reference's error that is avoided.",
                    *([classical["verdict"]] if classical is not None else []),
                ],
                pictures=[_picture(summary)],
                tables=tables,
            ),
            "again": Section(
                "How to make it again",
                facts={"data fingerprint": f"SHA-256 {summary['fingerprint']}", "seeds": seeds},
                commands={"Made by": command} if command else {},
            ),
        },
    )


def _picture(summary: Mapping[str, Any]) -> Picture:
    wide, narrow = (plot_leaderboard(summary, size=size) for size in (SCREEN, PHONE))
    picture = picture_of("The error of every forecast", wide, narrow)
    return replace(picture, note="An arrow is a forecast that is farther right.")


def _board(
    summary: Mapping[str, Any], lines: Mapping[str, Mapping[str, Any]], caption: str, against: Sequence[str]
) -> Table:
    errors = ["validation", *(metric.head(summary["unit"]) for metric in compared_metrics().values())]
    table = Table(caption, ["model", *errors, *(f"vs {model_name(name)}" for name in against), "weights", "seconds"])
    for name, line in lines.items():
        chosen = name == summary["chosen"]
        cells = [Cell(f"{model_name(name)}{', chosen' if chosen else ''}", best=chosen)]
        scores = [(line["validation"], None), *((line[key], line[f"{key}_spread"]) for key in compared_metrics())]
        for value, spread in scores:
            cells.append(table.undefined("it has none") if value is None else Cell(with_spread(value, spread)))
        for reference in against:
            gain = line["skill"].get(reference)
            cells.append(Cell("") if gain is None else Cell(share(gain)))
        weights, seconds = line["parameters"], line["seconds"]
        cells.append(Cell("" if weights is None else f"{weights:,}"))
        cells.append(Cell("" if seconds is None else format_number(seconds)))
        table.rows.append(cells)
    return table
