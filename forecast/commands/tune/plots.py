"""The plots of a search: its course, what made trials good, and every trial as a line through what it tried."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from forecast.commands.tune.space import SPACE, value_in_words
from forecast.plots.figure import DARK_GREY, FILE, GREY, PageSize, PlotFigure, styled, whole_numbers
from forecast.plots.style import BASELINE, MODEL, OTHER, LineStyle, printable

# Errors beyond so many times that of the defaults are marked at the edge: they would press all others together.
_FARTHEST = 1.6

# Inches of a bar, of a dimension in the plot of lines, and of what stands around each plot.
_BAR, _ROW, _AROUND = 0.3, 0.52, 0.9

# The share of the trials whose lines are drawn in colour: those with the lowest errors.
_GOOD = 0.2

_FAINT = replace(OTHER, color="#c4c4c4", width=0.8, zorder=2.0)


@styled()
def plot_course(summary: Mapping[str, Any], *, size: PageSize = FILE) -> PlotFigure:
    """The error of every trial in their order, and the lowest so far.

    Args:
        summary: Of a search.
        size: The space that it has.
    """
    figure = PlotFigure(size)
    axes = figure.subplots()
    numbers = np.array([line["trial"] for line in summary["trials"]])
    errors = np.array([math.nan if line["error"] is None else line["error"] for line in summary["trials"]])
    usual = summary["error_of_defaults"] or np.nanmin(errors)
    edge = _FARTHEST * usual
    lowest = np.fmin.accumulate(np.where(np.isnan(errors), np.inf, errors))
    known = np.isfinite(lowest)
    axes.step(numbers[known], lowest[known], where="post", color=MODEL.color, lw=MODEL.width, zorder=3)
    axes.axhline(usual, color=BASELINE.color, linestyle=BASELINE.dashes, lw=1.2, zorder=2.5)
    within = errors <= edge
    axes.plot(numbers[within], errors[within], "o", color=MODEL.color, ms=4.5, alpha=0.75, zorder=3.2)
    axes.plot(numbers[errors > edge], np.full((errors > edge).sum(), edge), "^", color=GREY, ms=5, clip_on=False)
    stopped = np.isnan(errors)
    axes.plot(numbers[stopped], np.full(stopped.sum(), edge), "x", color=GREY, ms=5, clip_on=False)
    far = stopped.any() or (errors > edge).any()
    drawn = np.append(errors[within], usual)
    margin = 0.06 * ((edge if far else drawn.max()) - drawn.min()) or 0.01
    axes.set_ylim(drawn.min() - margin, edge if far else drawn.max() + margin)
    axes.set_xlim(0.5, numbers.max() + 0.5)
    axes.xaxis.set_major_locator(whole_numbers(10 if size.columns > 2 else 5))
    axes.set_xlabel("trial")
    axes.set_ylabel("error, in that of the last value")
    entries = [
        _entry("trial", MODEL, "o", ""),
        _entry("lowest so far", MODEL, "", "-"),
        _entry("defaults", BASELINE, "", BASELINE.dashes),
    ]
    entries += [_entry("stopped early", replace(OTHER, color=GREY), "x", "")] if stopped.any() else []
    figure.add_head(
        _subject(summary),
        "the course of the search",
        entries,
        verdict=summary["verdict"],
        note="Errors are means over the validation spans. Crosses at the top were stopped early, triangles lie higher.",
    )
    return figure


@styled()
def plot_importances(summary: Mapping[str, Any], *, size: PageSize = FILE) -> PlotFigure:
    """The share of each dimension in what makes a trial good.

    Args:
        summary: Of a search with importances.
        size: The space that it has.
    """
    shares = summary["importances"]
    figure = PlotFigure(size, _AROUND + _BAR * len(shares) + (0 if size.embedded else 0.6))
    axes = figure.subplots()
    axes.barh(range(len(shares)), [100 * share for share in shares.values()], color=MODEL.color, height=0.6)
    for row, share in enumerate(shares.values()):
        axes.annotate(
            f"{share:.0%}", (100 * share, row), xytext=(4, 0), textcoords="offset points", va="center", size=8.5
        )
    axes.set_yticks(range(len(shares)), list(map(_dimension_name, shares)))
    axes.set_ylim(len(shares) - 0.5, -0.5)
    axes.set_xlim(0, 112 * max(shares.values()))
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("share of the importance (%)")
    figure.add_head(
        _subject(summary),
        "what makes a trial good",
        note="How far the best quarter of the trials differs from all of them in each setting (PED-ANOVA).",
    )
    return figure


@styled()
def plot_parallel(summary: Mapping[str, Any], *, size: PageSize = FILE) -> PlotFigure:
    """Every trial as a line through what it tried, the best in colour.

    Args:
        summary: Of a search.
        size: The space that it has.
    """
    names = [dimension.name for dimension in SPACE if dimension.name in summary["space"]]
    lines = [line for line in summary["trials"] if line["error"] is not None]
    lines = sorted(lines, key=lambda line: -line["error"])
    figure = PlotFigure(size, _AROUND + _ROW * len(names) + (0 if size.embedded else 0.6))
    axes = figure.subplots()
    places = {name: _place_on_row(axes, row, [line["tried"][name] for line in lines]) for row, name in enumerate(names)}
    n_good = max(1, round(_GOOD * len(lines)))
    for rank, line in enumerate(lines, start=1 - len(lines)):
        style = MODEL if rank == 0 else replace(MODEL, width=1.0) if -rank < n_good else _FAINT
        # Each trial a little aside, so that those of the same choice are seen.
        aside = 0.012 * math.sin(7.0 * line["trial"])
        points = [places[name][_key(line["tried"][name])] + aside for name in names]
        axes.plot(
            points,
            range(len(names)),
            color=style.color,
            lw=style.width * (1.4 if rank == 0 else 1),
            alpha=1 if rank == 0 else 0.55,
            zorder=style.zorder,
        )
    usual = [places[name].get(_key(summary["defaults"][name]), math.nan) for name in names]
    axes.plot(usual, range(len(names)), color=BASELINE.color, linestyle=BASELINE.dashes, lw=1.5, zorder=3.3)
    axes.set_yticks(range(len(names)), list(map(_dimension_name, names)))
    axes.set_ylim(len(names) - 0.55, -0.45)
    axes.set_xlim(-0.06, 1.06)
    axes.set_xticks([])
    axes.grid(axis="x", visible=False)
    entries = [
        _entry(f"trial {summary['best']}, the best", MODEL, "", "-"),
        _entry(f"the next best {n_good - 1}", replace(MODEL, width=1.0), "", "-"),
        _entry("others", _FAINT, "", "-"),
        _entry("defaults", BASELINE, "", BASELINE.dashes),
    ]
    figure.add_head(
        _subject(summary),
        "what the trials tried",
        entries,
        note="A line is a trial, from setting to setting; those that were stopped early are left out.",
    )
    return figure


def _place_on_row(axes: Axes, row: int, values: Sequence[Any]) -> dict[object, float]:
    """Where the values of a dimension stand from left to right, 0 … 1; writes them below their row."""
    numeric = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    distinct = sorted(set(values)) if numeric else sorted(set(values), key=str)
    if numeric and len(distinct) > 6:
        low, high = distinct[0], distinct[-1]
        on_log = low > 0 and high / low > 5
        scale = math.log if on_log else float
        first, span = scale(low), (scale(high) - scale(low)) or 1.0
        places = {_key(value): (scale(value) - first) / span for value in distinct}
        shown: list[Any] = [low, high]
    else:
        places = {_key(value): n / max(1, len(distinct) - 1) for n, value in enumerate(distinct)}
        shown = distinct
    for value in shown:
        axes.annotate(
            value_in_words(value),
            (places[_key(value)], row),
            xytext=(0, -3),
            textcoords="offset points",
            ha="center",
            va="top",
            size=7.5,
            color=DARK_GREY,
            zorder=4,
        )
    return places


def _key(value: object) -> object:
    """A value that differs from others also where Python calls True and 1 the same."""
    return type(value).__name__, value


def _dimension_name(name: str) -> str:
    return name.replace("_", " ")


def _entry(label: str, style: LineStyle, marker: str, dashes: Any) -> Line2D:
    return Line2D([], [], color=style.color, marker=marker, linestyle=dashes or "", lw=style.width, ms=5, label=label)


def _subject(summary: Mapping[str, Any]) -> str:
    return f"{printable(summary['title'], 40)}, {printable(', '.join(summary['target']), 40)}"
