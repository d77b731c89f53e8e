"""Plots of errors: by step ahead and by the clock, the calibration of intervals, and what the residuals have left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from forecast.data.panel import Floats
from forecast.plots.diagnosis import ClockErrors, Reliability, Residuals
from forecast.plots.figure import (
    DARK_GREY,
    FILE,
    GREY,
    MOST_MARKERS,
    PageSize,
    PlotFigure,
    draw_curve,
    fill_range,
    format_axes,
    gap_rows,
    styled,
    whole_numbers,
)
from forecast.plots.selection import range_of_groups
from forecast.plots.style import MODEL, OBSERVED, Labels, model_name

# More residuals are drawn as the range and the mean of so many groups.
_MOST_RESIDUALS = 600

# An interval's levels have the colour of its model; dashes tell them apart.
_DASHES_OF_LEVELS: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1)))


# The errors by step and by the clock


@styled()
def plot_error_by_step(
    by_step: Mapping[str, Sequence[float]],
    labels: Labels,
    measure: str = "",
    *,
    verdict: str = "",
    size: PageSize = FILE,
) -> PlotFigure:
    """Mean absolute error of every model at each step of the horizon.

    Args:
        by_step: By model, the error [H] in the target's units; NaN or None where it is undefined.
        labels: What the plot says about the series.
        measure: What the errors are, if they are not in the target's units.
        verdict: One sentence on what it shows.
        size: The space that it has.
    """
    figure = PlotFigure(size)
    axes = figure.subplots()
    curves = []
    for model, errors in by_step.items():
        values = np.asarray(errors, float)
        steps, markers = np.arange(1, len(values) + 1), len(values) <= MOST_MARKERS // 2
        curves.append(draw_curve(axes, steps, values, labels.line_style(model), model_name(model), markers=markers))
    format_axes(axes)
    axes.xaxis.set_major_locator(whole_numbers(12, steps=[1, 2, 3, 4, 5, 6, 10]))
    axes.set_xlim(0.5, max((len(errors) for errors in by_step.values()), default=1) + 0.5)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"{labels.steps} ahead")
    axes.set_ylabel(measure or labels.with_unit("mean absolute error"))
    figure.add_head(labels.subject(), "error by step ahead", curves, verdict=verdict)
    return figure


@styled()
def plot_error_by_clock(
    parts: Sequence[ClockErrors], labels: Labels, measure: str, *, verdict: str = "", size: PageSize = FILE
) -> PlotFigure:
    """Mean absolute error of every model by hour, weekday and month of the value that was forecast, in that measure."""
    names = [part.part for part in parts]
    mosaic: list[Any]
    if size.columns < 3:
        mosaic, height = [[name] for name in names], 0.8 + 1.7 * len(names)
    elif len(names) < 3:
        mosaic, height = [names], 0.8 * size.height
    else:  # hours need a line of their own
        mosaic, height = [names[:1] * 2, names[1:]], 1.2 * size.height
    figure = PlotFigure(size, height)
    grid = figure.subplot_mosaic(mosaic, sharey=True)
    curves: list[Line2D] = []
    for part in parts:
        axes, positions = grid[part.part], np.arange(len(part.names))
        curves = [
            draw_curve(axes, positions, part.errors[model], labels.line_style(model), model_name(model), markers=True)
            for model in labels.models(part.errors, ("persistence", "seasonal-naive"))
        ]
        format_axes(axes)
        every = 3 if len(positions) > 12 else 1
        axes.set_xticks(positions[::every], part.names[::every])
        axes.set_xlim(-0.5, len(positions) - 0.5)
        axes.set_ylabel(measure)
        axes.label_outer(remove_inner_ticks=False)
        axes.tick_params(labelbottom=True)
        axes.set_xlabel(part.part)
    grid[names[0]].set_ylim(bottom=0)  # of all of them, now that all are drawn
    figure.add_head(
        labels.subject(),
        f"error by {' and '.join(filter(None, [', '.join(names[:-1]), names[-1]]))}",
        curves,
        verdict=verdict,
        note="By the time of the value that was forecast, as written in the data.",
    )
    return figure


# The calibration of intervals and forecasts


@styled()
def plot_coverage(
    intervals: Mapping[str, Any], labels: Labels, *, verdict: str = "", size: PageSize = FILE
) -> PlotFigure:
    """How many of the values lay inside the model's intervals, and how wide these were, at each step ahead.

    ``intervals`` has both for each level in percent: ``{"80": {"coverage_by_step": [H], "width_by_step": [H]}, …}``.
    """
    stacked = size.columns < 3
    figure = PlotFigure(size, size.height * (1.4 if stacked else 1))
    left, right = figure.subplots(2, 1, sharex=True) if stacked else figure.subplots(1, 2)
    curves, lowest = [], 1.0
    for dashes, (level, scores) in zip(cycle(_DASHES_OF_LEVELS), intervals.items(), strict=False):
        nominal = float(level) / 100
        shares, widths = (np.array(scores[name], float) for name in ("coverage_by_step", "width_by_step"))
        steps = np.arange(1, len(shares) + 1)
        for axes, values in ((left, shares), (right, widths)):
            curve = draw_curve(axes, steps, values, MODEL, f"{level}% interval", markers=len(steps) <= 32)
            curve.set_linestyle(dashes)
        curves.append(curve)
        left.axhline(nominal, color=DARK_GREY, linestyle=dashes, linewidth=0.9)
        lowest = min(lowest, nominal, *shares[np.isfinite(shares)])
    for axes in (left, right):
        format_axes(axes)
        axes.xaxis.set_major_locator(whole_numbers(8))
        axes.set_xlabel(f"{labels.steps} ahead")
    left.set_ylim(max(0.0, lowest - 0.1), 1.01)
    left.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    left.set_ylabel("values inside")
    right.set_ylim(bottom=0)
    right.set_ylabel(labels.with_unit("mean width"))
    figure.add_head(
        labels.subject(),
        "do the intervals keep what they promise?",
        curves,
        verdict=verdict,
        note="Grey lines: the share that should lie inside.",
    )
    return figure


@styled()
def plot_reliability(
    reliability: Mapping[str, Reliability], labels: Labels, unique_id: str, *, verdict: str = "", size: PageSize = FILE
) -> PlotFigure:
    """What was observed on average when about so much was forecast, by model."""
    figure = PlotFigure(size, 0.9 * size.height)
    axes = figure.subplots()
    curves = [
        draw_curve(axes, groups.forecast, groups.observed, labels.line_style(model), model_name(model), markers=True)
        for model, groups in reliability.items()
    ]
    ends = np.concatenate([values for groups in reliability.values() for values in (groups.forecast, groups.observed)])
    if len(ends):
        axes.axline((ends.min(), ends.min()), slope=1, color=GREY, linewidth=0.9, zorder=1.5)
    format_axes(axes)
    axes.set_xlabel(labels.with_unit("mean forecast"))
    axes.set_ylabel(labels.with_unit("mean observed"))
    figure.add_head(
        labels.subject(unique_id),
        "what was observed on average, by forecast",
        curves,
        verdict=verdict,
        note="Each marker is one of up to ten groups of equal size, from the lowest forecasts to the highest. On the "
        "grey line, forecasts are right on average.",
    )
    return figure


# The residuals


@styled()
def plot_residuals(
    residuals: Residuals, labels: Labels, unique_id: str, *, verdict: str = "", size: PageSize = FILE
) -> PlotFigure:
    """The residuals of one series over time, how they are distributed, and whether they correlate with their past."""
    stacked = size.columns < 3
    figure = PlotFigure(size, size.height * (1.75 if stacked else 1.25))
    mosaic: list[Any] = [["time"], ["size"], ["lag"]] if stacked else [["time", "time"], ["size", "lag"]]
    axes = figure.subplot_mosaic(mosaic)
    _draw_over_time(axes["time"], residuals, labels)
    format_axes(axes["time"], residuals.times, size.max_ticks())
    axes["time"].set_ylabel(labels.with_unit("residual"))
    axes["time"].set_title("One step ahead, over the test span")
    _draw_distribution(axes["size"], residuals.every[np.isfinite(residuals.every)])
    axes["size"].set_xlabel(labels.with_unit("residual"))
    axes["size"].set_title("All steps ahead")
    _draw_autocorrelation(axes["lag"], residuals)
    axes["lag"].set_xlabel(f"{labels.steps} apart")
    axes["lag"].set_title("One step ahead, against its own past")
    figure.add_head(
        labels.subject(unique_id),
        f"residuals of the {model_name(labels.model)}",
        verdict=verdict,
        note="Observed minus forecast. Residuals from which nothing more can be learned have no pattern over time, and "
        "19 of 20 autocorrelations in the grey band.",
    )
    return figure


def _draw_over_time(axes: Axes, residuals: Residuals, labels: Labels) -> None:
    axes.axhline(0, color=GREY, linewidth=0.9)
    times, values = residuals.times, residuals.first
    if len(values) > _MOST_RESIDUALS:
        firsts, low, high, values = range_of_groups(values, _MOST_RESIDUALS)
        times = times[firsts]
        fill_range(axes, times, low, high, gap_rows(times, labels.clock, None), "#c4c4c4")
    draw_curve(axes, times, values, OBSERVED, "residual", breaks=gap_rows(times, labels.clock, None))


def _draw_distribution(axes: Axes, residuals: Floats) -> None:
    if len(residuals):
        # The outermost in a thousand would otherwise decide the width of all bars.
        low, high = np.quantile(residuals, [0.0005, 0.9995])
        margin = max(float(high - low) * 0.02, 1e-9 * max(1.0, abs(float(high))))
        edges = np.linspace(low - margin, high + margin, 41)
        shares = np.histogram(np.clip(residuals, edges[0], edges[-1]), edges)[0] / len(residuals)
        axes.stairs(shares, edges, fill=True, color=MODEL.color)
    axes.axvline(0, color=GREY, linewidth=0.9)
    format_axes(axes)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_ylabel("share of all")


def _draw_autocorrelation(axes: Axes, residuals: Residuals) -> None:
    lags, values, bounds = residuals.lags, residuals.autocorrelation, residuals.bounds
    axes.fill_between(lags, -bounds, bounds, color="#dedede", lw=0)
    axes.axhline(0, color=GREY, linewidth=0.9)
    axes.vlines(lags, 0, values, color=MODEL.color, linewidth=2.2 if len(lags) < 40 else 1.2)
    format_axes(axes)
    axes.xaxis.set_major_locator(whole_numbers(8))
    known = np.abs(values[np.isfinite(values)])
    most = max(2 * float(bounds.max(initial=0)), 1.15 * float(known.max()) if len(known) else 0.0, 0.05)
    axes.set_ylim(-min(most, 1.1), min(most, 1.1))
    axes.set_ylabel("autocorrelation")
