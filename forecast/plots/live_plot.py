"""The plot and the page of how a run has done since it went live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from forecast.archive.due import LiveScores
from forecast.data.clock import STEP
from forecast.plots.figure import (
    DARK_GREY,
    FILE,
    GREY,
    MOST_MARKERS,
    PageSize,
    PlotFigure,
    draw_curve,
    format_axes,
    styled,
    whole_numbers,
)
from forecast.plots.live_scores import count_in_words, labels_of_live, live_tables, sentences_of
from forecast.plots.page import Section, picture_of, render
from forecast.plots.style import MODEL, LineStyle, model_name, printable
from forecast.plots.tables import Cell, format_share

# Points side by side that are no blot yet.
_MEANS_PER_INCH = 20

# How the levels of intervals are drawn, the first the lowest.
_LEVELS = (MODEL, LineStyle("#56B4E9", (0, (4, 1.3)), "s", 1.3, 2.0), LineStyle("#CC79A7", (0, (1, 1)), "^", 1.1, 1.9))


@styled()
def plot_live(live: LiveScores, *, size: PageSize = FILE) -> PlotFigure:
    """The errors by day and by step ahead beside the naive ones, and what the intervals held by day.

    Args:
        live: The scores.
        size: The space that it has.
    """
    summary, labels = live.summary, labels_of_live(live)
    has_intervals, has_steps = bool(summary["coverage"]), summary["horizon"] > 1
    parts = ["days", *(["coverage"] if has_intervals else []), *(["steps"] if has_steps else [])]
    figure = PlotFigure(size, 1.0 + 2.3 * len(parts))
    axes = dict(zip(parts, figure.subplots(len(parts), 1, squeeze=False)[:, 0], strict=True))
    measure = labels.with_unit("MAE") if summary["skill_of"] == "MAE" else summary["skill_of"]
    by_day, per = _means_of_days(summary["by_day"], int(_MEANS_PER_INCH * size.width))
    days = [each["day"] for each in by_day]
    is_steps = live.clock.freq == STEP
    at: Any = np.array(days, np.int64 if is_steps else "datetime64[us]")
    curves: list[Line2D] = []
    few = len(days) <= MOST_MARKERS * size.width / FILE.width
    for name in summary["models"]:
        errors = _numbers(each["error"][name] for each in by_day)
        style = labels.line_style(name)
        curves.append(draw_curve(axes["days"], at, errors, style, model_name(name), markers=few))
        if has_steps:
            steps = np.arange(1, summary["horizon"] + 1)
            draw_curve(axes["steps"], steps, _numbers(summary["by_step"][name]), style, model_name(name),
                       markers=len(steps) <= MOST_MARKERS)  # fmt: skip
    axes["days"].set_ylabel(f"{measure} by {'day' if per == 1 else f'{per} days'}")
    ticks = size.max_ticks()
    for part in parts[: 1 + has_intervals]:
        format_axes(axes[part], at, ticks)
        _mark_alarms(axes[part], live, is_steps)
    if has_intervals:
        _draw_coverage(axes["coverage"], by_day, sorted(summary["coverage"], key=int), at, few)
    if has_steps:
        axes["steps"].set_ylabel(f"{measure} by step")
        axes["steps"].set_xlabel(f"{labels.steps} ahead")
        axes["steps"].xaxis.set_major_locator(whole_numbers(ticks))
        format_axes(axes["steps"])
        axes["steps"].set_ylim(bottom=0)
    axes["days"].set_ylim(bottom=0)
    note = f"{count_in_words(summary['n_windows'], 'forecast')} due by now; days are those that were forecast."
    if live.alarms:
        note += " Grey lines: when something began to change."
    figure.add_head(labels.subject(), "forecasts since it went live", curves, verdict=live.verdict, note=note)
    return figure


def _means_of_days(by_day: Sequence[Mapping[str, Any]], most: int) -> tuple[list[Mapping[str, Any]], int]:
    """The scores by day, or those of several days together where there are too many; and how many these are."""
    per = -(-len(by_day) // most)
    if per < 2:
        return list(by_day), 1
    groups = [by_day[first : first + per] for first in range(0, len(by_day), per)]

    def mean(group: Sequence[Mapping[str, Any]], what: str, name: str) -> float | None:
        known = [(each[what][name], each["n_points"]) for each in group if each[what][name] is not None]
        weight = sum(count for _, count in known)
        return sum(value * count for value, count in known) / weight if weight else None

    return [
        {"day": group[0]["day"]} | {what: {name: mean(group, what, name) for name in group[0][what]}
                                    for what in ("error", "coverage")}
        for group in groups
    ], per  # fmt: skip


def _draw_coverage(axes: Axes, by_day: Sequence[Mapping[str, Any]], levels: Sequence[str], at: Any, few: bool) -> None:
    for level, style in zip(levels, cycle(_LEVELS), strict=False):
        held = 100 * _numbers(each["coverage"][level] for each in by_day)
        draw_curve(axes, at, held, style, f"{level}%", markers=few)
        axes.axhline(int(level), color=style.color, lw=0.8, ls=":", zorder=1)
        where: dict[str, Any] = {
            "xycoords": axes.get_yaxis_transform(),
            "textcoords": "offset points",
            "annotation_clip": False,
        }
        axes.annotate(f"{level}%", (1.0, int(level)), (3, 0), va="center", size=8, color=DARK_GREY, **where)
    axes.set_ylabel("held by the intervals (%)")
    axes.set_ylim(0, 104)


def _mark_alarms(axes: Axes, live: LiveScores, is_steps: bool) -> None:
    for alarm in live.alarms:
        began = live.clock.on_axis(np.array([alarm.began]))[0]
        axes.axvline(int(began) if is_steps else began, color=GREY, lw=1.2, zorder=1)


def _numbers(values: Any) -> Any:
    return np.array([np.nan if value is None else value for value in values], float)


def live_section(live: LiveScores) -> Section:
    """How a run has done since it went live, as a section of a page."""
    about, revised = sentences_of(live)
    first, *others = live_tables(live)
    return Section(
        "Since it went live",
        [
            live.verdict,
            *(printable(alarm.sentence, 600) for alarm in live.alarms),
            *about,
            *(f"{sentence}." for sentence in revised),
        ],
        pictures=[picture_of(partial(plot_live, live), "Errors and intervals, by day")],
        tables=[first],
        folded_tables=others,
    )


def live_page(live: LiveScores) -> str:
    """A page of nothing but that."""
    summary, section = live.summary, live_section(live)
    tiles = {
        f"skill against {model_name(name)}": Cell("–" if skill is None else format_share(skill))
        for name, skill in summary["skill"].items()
    } | {
        f"inside the {level}% intervals": Cell("–" if shares["share"] is None else f"{shares['share']:.1%}")
        for level, shares in summary["coverage"].items()
    }  # fmt: skip
    origin = [
        f"run {summary['run']}",
        f"{count_in_words(summary['n_windows'], 'forecast')} due by now",
        f"observed until {summary['observed_until']}",
    ]
    return render(
        title=f"{model_name(summary['model'])} on {printable(summary['title'], 80)}, live",
        verdict=live.verdict,
        tiles=tiles,
        origin=origin,
        sections={"live": replace(section, sentences=section.sentences[1:])},  # the verdict stands above
    )
