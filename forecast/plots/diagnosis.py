"""What is left in the errors, as pictures: by the clock, by the value forecast, by their past; and the intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from forecast.data.panel import Floats
from forecast.evaluation.diagnosis import ClockErrors, Reliability, Residuals
from forecast.plots.canvas import DIM, FILE, NO_BREAKS, Drawing, Sheet, add_head, draw, dress, gaps, styled
from forecast.plots.selection import ranges
from forecast.plots.style import MODEL, OBSERVED, Labels, model_name

# More residuals are drawn as the range and the mean of so many groups.
_MOST_POINTS = 600

# The colours of an interval's levels are those of its model; their lines tell them apart.
_LINES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1)))


@styled()
def plot_error_by_clock(parts: Sequence[ClockErrors], labels: Labels, measure: str, *, sheet: Sheet = FILE) -> Drawing:
    """Mean absolute error of every model by hour, weekday and month of the value that was forecast.

    Args:
        parts: One or more of them.
        labels: What the plot says about the series.
        measure: What the errors are, for the axis.
        sheet: What it is drawn on.
    """
    mosaic, height = _arranged([part.part for part in parts], sheet)
    figure = Drawing(sheet, height)
    grid = figure.subplot_mosaic(mosaic, sharey=True)
    curves: list[Line2D] = []
    for part in parts:
        axes = grid[part.part]
        places = np.arange(len(part.names))
        curves = [
            draw(axes, places, part.errors[model], labels.look(model), model_name(model), NO_BREAKS, markers=True)
            for model in labels.models(part.errors, ("persistence", "seasonal-naive"))
        ]
        dress(axes)
        step = 3 if len(places) > 12 else 1
        axes.set_xticks(places[::step], part.names[::step])
        axes.set_xlim(-0.5, len(places) - 0.5)
        axes.set_ylabel(measure)
        axes.label_outer(remove_inner_ticks=False)
        axes.tick_params(labelbottom=True)
        axes.set_xlabel(part.part)
    grid[parts[0].part].set_ylim(bottom=0)  # of all of them, now that all are drawn
    *others, last = (part.part for part in parts)
    title = f"{labels.subject()}: error by {', '.join(others)}{' and ' if others else ''}{last}"
    add_head(figure, title, "", "By the time of the value that was forecast, as it is in the data.", curves)
    return figure


def _arranged(parts: list[str], sheet: Sheet) -> tuple[Any, float]:
    """Where each part of the clock stands, and how high the figure is: hours need a line of their own."""
    if sheet.columns < 3:
        return [[part] for part in parts], 0.8 + 1.7 * len(parts)
    if len(parts) < 3:
        return [parts], 0.8 * sheet.height
    first, *others = parts
    return [[first] * len(others), others], 1.2 * sheet.height


@styled()
def plot_coverage(intervals: Mapping[str, Any], labels: Labels, *, sheet: Sheet = FILE) -> Drawing:
    """How many of the values lay inside the model's intervals, and how wide these were, at each step ahead.

    Args:
        intervals: ``{"80": {"coverage_by_step": [H], "width_by_step": [H]}, …}`` by level in percent.
        labels: What the plot says about the series.
        sheet: What it is drawn on.
    """
    stacked = sheet.columns < 3
    figure = Drawing(sheet, sheet.height * (1.4 if stacked else 1))
    left, right = figure.subplots(2, 1, sharex=True) if stacked else figure.subplots(1, 2)
    curves, lowest = [], 1.0
    for line, (level, found) in zip(_LINES, intervals.items(), strict=False):
        nominal = float(level) / 100
        shares, widths = (np.array(found[name], float) for name in ("coverage_by_step", "width_by_step"))
        steps, name = np.arange(1, len(shares) + 1), f"{level} % interval"
        for axes, values in ((left, shares), (right, widths)):
            curve = draw(axes, steps, values, MODEL, name, NO_BREAKS, markers=len(steps) <= 32)
            curve.set_linestyle(line)
        curves.append(curve)
        left.axhline(nominal, color=DIM, linestyle=line, linewidth=0.9)
        lowest = min(lowest, nominal, *shares[np.isfinite(shares)])
    for axes in (left, right):
        dress(axes)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        axes.set_xlabel(f"{labels.duration(2).split(' ', 1)[1]} ahead")
    left.set_ylim(max(0.0, lowest - 0.1), 1.01)
    left.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    left.set_ylabel("values inside")
    right.set_ylim(bottom=0)
    right.set_ylabel(labels.axis("mean width"))
    add_head(
        figure,
        f"{labels.subject()}: do the intervals hold what they promise?",
        "",
        "Grey lines: the share that should lie inside.",
        curves,
    )
    return figure


@styled()
def plot_reliability(found: Mapping[str, Reliability], labels: Labels, subject: str, *, sheet: Sheet = FILE) -> Drawing:
    """What was observed on average when about so much was forecast.

    Args:
        found: By model.
        labels: What the plot says about the series.
        subject: The series' unique id.
        sheet: What it is drawn on.
    """
    figure = Drawing(sheet, 0.9 * sheet.height)
    axes = figure.subplots()
    curves = []
    for model, groups in found.items():
        curve = draw(axes, groups.forecast, groups.observed, labels.look(model), model_name(model), NO_BREAKS,
                     markers=True)  # fmt: skip
        curves.append(curve)
    ends = np.concatenate([values for groups in found.values() for values in (groups.forecast, groups.observed)])
    if len(ends):
        axes.axline((ends.min(), ends.min()), slope=1, color="#888888", linewidth=0.9, zorder=1.5)
    dress(axes)
    axes.set_xlabel(labels.axis("mean forecast"))
    axes.set_ylabel(labels.axis("mean observed"))
    add_head(
        figure,
        f"{labels.subject(subject)}: what was observed when so much was forecast",
        "",
        "Each marker is one of up to ten groups of equal size, from the lowest forecasts to the highest. On the grey "
        "line a forecast means what it says.",
        curves,
    )
    return figure


@styled()
def plot_residuals(found: Residuals, labels: Labels, subject: str, *, sheet: Sheet = FILE) -> Drawing:
    """The residuals over time, how they are distributed, and whether they correlate with their own past.

    Args:
        found: Of the model, on one series.
        labels: What the plot says about the series.
        subject: The series' unique id.
        sheet: What it is drawn on.
    """
    stacked = sheet.columns < 3
    figure = Drawing(sheet, sheet.height * (1.75 if stacked else 1.25))
    axes = figure.subplot_mosaic("T;S;L" if stacked else "TT;SL")
    _draw_over_time(axes["T"], found, labels)
    dress(axes["T"], found.times, sheet.ticks())
    axes["T"].set_ylabel(labels.axis("residual"))
    axes["T"].set_title("One step ahead, over the test span")
    _draw_distribution(axes["S"], found.every[np.isfinite(found.every)])
    axes["S"].set_xlabel(labels.axis("residual"))
    axes["S"].set_title("All steps ahead")
    _draw_lags(axes["L"], found)
    axes["L"].set_xlabel(f"{labels.duration(2).split(' ', 1)[1]} apart")
    axes["L"].set_ylabel("autocorrelation")
    axes["L"].set_title("One step ahead, with its own past")
    note = (
        "Observed minus forecast. Residuals from which nothing more can be learned have no pattern over time, and 19 "
        "of 20 autocorrelations in the grey band."
    )
    add_head(figure, f"{labels.subject(subject)}: residuals of the {model_name(labels.model)}", "", note, [])
    return figure


def _draw_over_time(axes: Axes, found: Residuals, labels: Labels) -> None:
    axes.axhline(0, color="#888888", linewidth=0.9)
    if len(found.first) <= _MOST_POINTS:
        draw(axes, found.times, found.first, OBSERVED, "residual", gaps(found.times, labels.step))
        return
    firsts, low, high, means = ranges(found.first, _MOST_POINTS)
    times = found.times[firsts]
    breaks = gaps(times, labels.step)
    axes.fill_between(
        np.insert(times, breaks, times[breaks]),
        np.insert(low, breaks, np.nan),
        np.insert(high, breaks, np.nan),
        color="#c4c4c4",
        lw=0,
    )
    draw(axes, times, means, OBSERVED, "mean", breaks)


def _draw_distribution(axes: Axes, residuals: Floats) -> None:
    if len(residuals):
        # The outermost in a thousand would otherwise decide the width of all bars.
        low, high = np.quantile(residuals, [0.0005, 0.9995])
        margin = max(float(high - low) * 0.02, 1e-9 * max(1.0, abs(float(high))))
        edges = np.linspace(low - margin, high + margin, 41)
        shares = np.histogram(np.clip(residuals, edges[0], edges[-1]), edges)[0] / len(residuals)
        axes.stairs(shares, edges, fill=True, color=MODEL.color)
    axes.axvline(0, color="#888888", linewidth=0.9)
    dress(axes)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_ylabel("share of all")


def _draw_lags(axes: Axes, found: Residuals) -> None:
    axes.fill_between(found.lags, -found.bounds, found.bounds, color="#dedede", lw=0)
    axes.axhline(0, color="#888888", linewidth=0.9)
    axes.vlines(found.lags, 0, found.autocorrelation, color=MODEL.color, linewidth=2.2 if len(found.lags) < 40 else 1.2)
    dress(axes)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
    known = np.abs(found.autocorrelation[np.isfinite(found.autocorrelation)])
    most = max(2 * float(found.bounds.max(initial=0)), 1.15 * float(known.max()) if len(known) else 0.0, 0.05)
    axes.set_ylim(-min(most, 1.1), min(most, 1.1))
