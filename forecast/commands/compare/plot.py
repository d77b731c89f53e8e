"""The plot of a comparison: every forecast's error as a dot, with its spread over the seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from forecast.commands.compare.leaderboard import with_spread
from forecast.plots.figure import DARK_GREY, FILE, PageSize, PlotFigure, styled
from forecast.plots.style import BASELINE, MODEL, NAIVE, OTHER, LineStyle, model_name, printable

# A naive forecast that is farther off than so many times the worst network would press all others together.
_FARTHEST = 1.25

# Inches of a line of the leaderboard, and of what stands around each panel.
_LINE, _AROUND = 0.34, 0.75


@styled()
def plot_leaderboard(summary: Mapping[str, Any], *, size: PageSize = FILE) -> PlotFigure:
    """The error of every forecast, the best by validation at the top; below, the same beside classical forecasts.

    Args:
        summary: Of a comparison.
        size: The space that it has.
    """
    boards = [(summary["models"], f"all {summary['n_windows']:,} test windows")]
    if summary["classical"] is not None:
        n_windows = summary["classical"]["n_windows"]
        boards.append((summary["classical"]["models"], f"the {n_windows:,} windows of the classical references"))
    lines = [len(board) for board, _ in boards]
    figure = PlotFigure(size, 1.1 + sum(_LINE * n + _AROUND for n in lines))
    grid = figure.subplots(len(boards), 1, squeeze=False, height_ratios=lines, sharex=True)
    measure, unit = summary["measure"], printable(summary["unit"], 10)
    for axes, (board, title) in zip(grid[:, 0], boards, strict=True):
        _draw_board(axes, board, summary["chosen"], measure)
        axes.set_title(f"On {title}", size=9)
    _limit(grid[:, 0], summary["models"], measure)
    in_unit = f" ({unit})" if unit and measure == "MAE" else ""
    grid[-1, 0].xaxis.set_major_locator(MaxNLocator(4 if size.columns < 3 else 8))
    grid[-1, 0].set_xlabel(("mean absolute error" if measure == "MAE" else measure) + in_unit)
    figure.add_head(
        f"{printable(summary['title'], 40)}, {printable(', '.join(summary['target']), 40)}",
        "models compared",
        _legend(len(summary["seeds"])),
        verdict=summary["verdict"],
        note="Networks stand in the order of their validation error, which chooses the one in bold. "
        "The axis does not begin at zero; an arrow marks a forecast farther to the right.",
    )
    return figure


def _draw_board(axes: Axes, lines: Mapping[str, Mapping[str, Any]], chosen: str, measure: str) -> None:
    key = measure.lower()
    for row, (name, line) in enumerate(lines.items()):
        mean, spread, style = line[key], line[f"{key}_spread"], _line_style(name, line["kind"])
        if mean is None:
            continue
        seeds = [scores[key] for scores in line["by_seed"]] if len(line["by_seed"]) > 1 else []
        axes.plot(seeds, [row] * len(seeds), "|", color=style.color, ms=9, alpha=0.7)
        if spread is not None:
            axes.plot([mean - spread, mean + spread], [row, row], color=style.color, lw=2)
        axes.plot(mean, row, style.marker, color=style.color, ms=7, mec="white" if style.marker != "x" else None)
        axes.annotate(
            with_spread(mean, spread),
            (1.0, row),
            xycoords=axes.get_yaxis_transform(),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            size=8.5,
            color=DARK_GREY,
            annotation_clip=False,
        )
    axes.set_yticks(range(len(lines)), [model_name(name) for name in lines])
    for label, name in zip(axes.get_yticklabels(), lines, strict=True):
        label.set_fontweight("bold" if name == chosen else "normal")
    axes.set_ylim(len(lines) - 0.4, -0.6)


def _limit(panels: np.ndarray[Any, Any], lines: Mapping[str, Mapping[str, Any]], measure: str) -> None:
    """Let the networks fill the panels; what lies beyond is an arrow at their edge."""
    name = measure.lower()
    networks = [
        line[name] + (line[f"{name}_spread"] or 0)
        for line in lines.values()
        if line["kind"] == "network" and line[name] is not None
    ]
    if not networks:
        return
    drawn = np.concatenate([np.asarray(curve.get_xdata(), float) for axes in panels for curve in axes.lines])
    low, high = drawn.min(), drawn[drawn <= _FARTHEST * max(networks)].max()
    panels[0].set_xlim(low - 0.05 * (high - low), high + 0.02 * (high - low))
    edge = panels[0].get_xlim()[1]
    for axes in panels:
        for dot in list(axes.lines):
            x, y = np.asarray(dot.get_xdata(), float), np.asarray(dot.get_ydata(), float)
            if len(x) == 1 and x[0] > edge:
                axes.plot(edge, y[0], ">", color=dot.get_color(), ms=8, clip_on=False)


def _line_style(name: str, kind: str) -> LineStyle:
    if name == "rnn":
        return BASELINE
    return NAIVE.get(name, OTHER) if kind != "network" else MODEL


def _legend(n_seeds: int) -> list[Line2D]:
    """What the marks mean, in the order of the kinds."""
    spread = f": each seed, mean and standard deviation of {n_seeds}" if n_seeds > 1 else ""
    entries = ((f"network{spread}", MODEL), ("vanilla RNN", BASELINE), ("classical", OTHER))
    return [
        Line2D(
            [],
            [],
            color=style.color,
            marker=style.marker,
            linestyle="" if style is OTHER or n_seeds == 1 else "-",
            ms=7,
            label=text,
        )
        for text, style in entries
    ]
