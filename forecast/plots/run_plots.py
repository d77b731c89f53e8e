"""The plots of a run: one function for each, from tables to a figure, and `PLOTS`, the list of them.

Every function takes the ``labels`` of what is drawn, a ``verdict``, which is one sentence on what the plot shows, and
the ``size`` of the space that it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.dates import date2num
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from forecast.data.clock import Times
from forecast.data.panel import Floats
from forecast.data.prepare import Rows
from forecast.data.split import Split
from forecast.data.windows import Ints
from forecast.plots.diagnosis import ClockErrors, Reliability, Residuals
from forecast.plots.figure import (
    DARK_GREY,
    FILE,
    GREY,
    PageSize,
    PlotFigure,
    draw_curve,
    fill_range,
    format_axes,
    gap_rows,
    styled,
    to_png,
    whole_numbers,
    wrap_lines,
)
from forecast.plots.results import PlottedSeries, RunResults, labels_of, observed_series, on_axis, plotted_series
from forecast.plots.selection import (
    missing_shares,
    missing_spans,
    non_overlapping,
    origin_spacing,
    pick_examples,
    range_of_groups,
    rows_of_series,
    steps_per_mean,
    typical_stretch,
    window_errors,
)
from forecast.plots.style import MODEL, NAIVE, OBSERVED, Labels, model_name, with_unit
from forecast.plots.tables import interval_levels

# Across a whole figure; with more, markers touch each other.
_MOST_MARKERS = 64

# A longer test span, drawn step by step, is illegible.
_MOST_STEPS = 500

# More rows, or residuals, are drawn as the range and the mean of so many groups.
_MOST_ROWS, _MOST_RESIDUALS = 700, 600

# An interval's levels have the colour of its model; dashes tell them apart.
_DASHES_OF_LEVELS: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1)))

_SPLIT_COLORS = {"training": "none", "validation": "#F0E442", "test": "#56B4E9"}
_GAP_COLOR = "#D55E00"


# The newest forecast, and single forecasts of the test span


@styled()
def plot_forecast(
    past: pd.DataFrame,
    forecast: pd.DataFrame,
    unique_id: str,
    labels: Labels,
    lookback: int,
    *,
    verdict: str = "",
    size: PageSize = FILE,
) -> PlotFigure:
    """The newest forecast, after the end of the data.

    Args:
        past: ``unique_id, ds, y``: the observed series, or its tail.
        forecast: ``unique_id, ds, <model>…``, H rows a series.
        unique_id: The series to draw.
        labels: What the plot says about it.
        lookback: L, the steps that the model saw; the last of them are drawn.
        verdict: One sentence on what it shows.
        size: The space that it has.
    """
    rows = forecast[forecast["unique_id"] == unique_id]
    before = past[past["unique_id"] == unique_id].tail(min(lookback, max(6 * len(rows), 36)))
    cutoff = before["ds"].to_numpy()[-1]
    figure = PlotFigure(size)
    axes = figure.subplots()
    curves = _draw_forecast(axes, before, rows, cutoff, labels, tuple(NAIVE), _MOST_MARKERS)
    format_axes(axes, np.concatenate([before["ds"].to_numpy(), rows["ds"].to_numpy()]), size.max_ticks())
    _write_above(axes, cutoff, f"the data end {labels.format_time(cutoff)} ", ha="right")
    axes.set_ylabel(labels.with_unit(labels.target))
    figure.add_head(
        labels.subject(unique_id),
        f"the next {labels.format_duration(len(rows)).removeprefix('1 ')}",
        curves,
        verdict=verdict,
        note=_note_on_lookback(labels, len(before), lookback) + _note_on_intervals(rows.columns, labels.model),
    )
    return figure


@styled()
def plot_examples(
    forecasts: pd.DataFrame,
    past: pd.DataFrame,
    unique_id: str,
    labels: Labels,
    lookback: int,
    *,
    verdict: str = "",
    size: PageSize = FILE,
) -> PlotFigure:
    """Single forecasts from different cut-offs: the best, up to four typical ones, and the worst.

    Args:
        forecasts: ``unique_id, ds, cutoff, y, <model>…``; every cut-off has H rows, and they ascend.
        past: ``unique_id, ds, y``: the observed series, or its tail.
        unique_id: The series to draw.
        labels: What the plot says about it.
        lookback: L, the steps that the model saw before each cut-off; the last of them are drawn.
        verdict: One sentence on what it shows.
        size: The space that it has.
    """
    forecasts, horizon = rows_of_series(forecasts, unique_id)
    past = past[past["unique_id"] == unique_id]
    errors = window_errors(forecasts, labels.model, horizon)
    examples = pick_examples(errors)
    n_before = min(lookback, max(3 * horizon, 24))
    n_columns = min(len(examples), size.columns)
    n_rows = -(-len(examples) // n_columns)
    figure = PlotFigure(size, size.height * max(1.0, n_rows / 2))
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    for axes, (window, kind) in zip(grid.flat, examples, strict=False):
        rows = forecasts.iloc[window * horizon : (window + 1) * horizon]
        cutoff = rows["cutoff"].to_numpy()[0]
        observed = pd.concat([past[past["ds"] <= cutoff].tail(n_before), rows])
        curves = _draw_forecast(axes, observed, rows, cutoff, labels, ("persistence",), _MOST_MARKERS // 2)
        title = f"{kind}: from {labels.format_time(cutoff)}, MAE {labels.format_amount(errors[window])}"
        axes.set_title("\n".join(wrap_lines(title, size.axes_width(n_columns), 8)))
        format_axes(axes, observed["ds"].to_numpy(), size.max_ticks(n_columns))
    for axes in grid.flat[len(examples) :]:
        axes.remove()
    for axes in grid[:, 0]:
        axes.set_ylabel(labels.with_unit(labels.target))
    length, note = labels.format_duration(horizon), _note_on_lookback(labels, n_before, lookback)
    if len(examples) > 1:
        by = f"by the mean absolute error (MAE) of {model_name(labels.model)}"
        note = f"Picked from {len(errors):,} {by}. {note}"
    figure.add_head(
        labels.subject(unique_id),
        f"single forecasts of {length}, from best to worst" if len(examples) > 1 else f"a single forecast of {length}",
        curves,
        verdict=verdict,
        note=note + _note_on_intervals(forecasts.columns, labels.model),
    )
    return figure


def _draw_forecast(
    axes: Axes,
    observed: pd.DataFrame,
    rows: pd.DataFrame,
    cutoff: np.datetime64,
    labels: Labels,
    naive: Sequence[str],
    most_markers: int,
) -> list[Line2D]:
    breaks, markers = gap_rows(observed["ds"].to_numpy(), labels.clock), len(observed) <= most_markers
    curves = _draw_curves(axes, observed, breaks, rows, None, labels, naive, markers=markers)
    _draw_intervals(axes, rows, labels)
    axes.axvline(cutoff, color=GREY, lw=0.9, zorder=1.8)  # type: ignore[arg-type]
    return curves


def _draw_curves(
    axes: Axes,
    observed: pd.DataFrame,
    observed_breaks: Ints,
    forecasts: pd.DataFrame,
    forecast_breaks: Ints | None,
    labels: Labels,
    naive: Sequence[str],
    markers: bool = False,
) -> list[Line2D]:
    times, y = observed["ds"].to_numpy(), observed["y"].to_numpy(float)
    curves = [draw_curve(axes, times, y, OBSERVED, "observed", breaks=observed_breaks, markers=markers)]
    times = forecasts["ds"].to_numpy()
    for model in labels.models(forecasts.columns, naive):
        style, values, name = labels.line_style(model), forecasts[model].to_numpy(float), model_name(model)
        curves.append(draw_curve(axes, times, values, style, name, breaks=forecast_breaks, markers=markers))
    return curves


def _draw_intervals(axes: Axes, rows: pd.DataFrame, labels: Labels) -> None:
    times, model, color = rows["ds"].to_numpy(), labels.model, labels.line_style(labels.model).color
    for level in interval_levels(rows.columns, model):
        low, high = (rows[f"{model}-{end}-{level}"].to_numpy(float) for end in ("lo", "hi"))
        if len(rows) == 1:  # an area needs two
            axes.vlines(times, low, high, color=color, alpha=0.25, lw=9, zorder=1.7)
        else:
            # Where it is not low <= high, an angle's interval holds north.
            axes.fill_between(times, low, high, where=low <= high, color=color, alpha=0.17, lw=0, zorder=1.7)


def _note_on_intervals(columns: Iterable[str], model: str) -> str:
    levels = " and ".join(f"{level}%" for level in reversed(interval_levels(columns, model)))
    return f" Shaded: where {levels} of the values should lie." if levels else ""


def _note_on_lookback(labels: Labels, n_before: int, lookback: int) -> str:
    part = f"the last {n_before:,} of the " if n_before < lookback else "the "
    return f"Left of the vertical line: {part}{labels.format_duration(lookback)} that the model saw."


def _write_above(axes: Axes, time: np.datetime64, text: str, ha: str) -> None:
    axes.annotate(text, (time, 1.01), xycoords=axes.get_xaxis_transform(), ha=ha, va="bottom", size=8.5,
                  color=DARK_GREY)  # fmt: skip


# The test span


@styled()
def plot_test_span(
    forecasts: pd.DataFrame,
    unique_id: str,
    labels: Labels,
    apart: int = 0,
    *,
    verdict: str = "",
    size: PageSize = FILE,
) -> PlotFigure:
    """Observed, model, vanilla RNN and persistence over the test span, in forecasts that do not overlap.

    A long span is drawn as means, with a typical stretch of it enlarged below.

    Args:
        forecasts: ``unique_id, ds, cutoff, y, <model>…``; every cut-off has H rows, and they ascend.
        unique_id: The series to draw.
        labels: What the plot says about it.
        apart: Steps from one drawn forecast to the next; H if that is more.
        verdict: One sentence on what it shows.
        size: The space that it has.
    """
    forecasts, horizon = rows_of_series(forecasts, unique_id)
    apart = max(apart, horizon)
    span = forecasts.iloc[non_overlapping(forecasts, horizon, apart)]
    figure = PlotFigure(size)
    if len(span) <= _MOST_STEPS:
        axes = figure.subplots()
        curves = _draw_steps(axes, forecasts, span, labels, horizon)
        format_axes(axes, forecasts["ds"].to_numpy(), size.max_ticks())
    else:
        above, axes = figure.subplots(2)
        n_steps = steps_per_mean(len(span), horizon)
        curves = _draw_means(above, span, labels, n_steps, horizon)
        stretch = span.iloc[typical_stretch(span, labels.model, horizon)]
        first, last = stretch["ds"].iloc[[0, -1]]
        _draw_steps(axes, forecasts[forecasts["ds"].between(first, last)], stretch, labels, horizon)
        above.axvspan(*stretch["ds"].to_numpy()[[0, -1]], color="#F0E442", alpha=0.5, lw=0, zorder=1)
        whole = f"The whole span, in means of {labels.format_duration(n_steps)}; grey: lowest to highest observed"
        length = labels.format_duration((len(stretch) // horizon - 1) * apart + horizon)
        enlarged = f"Enlarged, and marked yellow above: {length} with a typical error"
        for part, title, rows in ((above, whole, span), (axes, enlarged, stretch)):
            part.set_title("\n".join(wrap_lines(title, size.axes_width(), 8)))
            format_axes(part, rows["ds"].to_numpy(), size.max_ticks())
    for part in figure.axes:
        part.set_ylabel(labels.with_unit(labels.target))
    length = labels.format_duration(horizon)
    every = labels.step if horizon == 1 else labels.format_duration(apart)
    title = f"one forecast of {length}" if len(span) == horizon else f"forecasts of {length}, one made every {every}"
    note = (
        "Pauses between the forecasts spread their beginnings over the day and the season."
        if 1 < horizon < apart
        else ""
    )
    figure.add_head(labels.subject(unique_id), title, curves, verdict=verdict, note=note)
    return figure


def _draw_steps(axes: Axes, observed: pd.DataFrame, span: pd.DataFrame, labels: Labels, horizon: int) -> list[Line2D]:
    # Each forecast is a line of its own; those of one step are joined, or they would be dots.
    starts = np.arange(horizon, len(span), horizon) if horizon > 1 else np.zeros(0, np.int64)
    breaks = np.union1d(starts, gap_rows(span["ds"].to_numpy(), labels.clock))
    observed = observed.drop_duplicates("ds")
    observed_breaks = gap_rows(observed["ds"].to_numpy(), labels.clock)
    return _draw_curves(axes, observed, observed_breaks, span, breaks, labels, ("persistence",))


def _draw_means(axes: Axes, span: pd.DataFrame, labels: Labels, n_steps: int, horizon: int) -> list[Line2D]:
    # No mean is of rows on both sides of a gap; the pauses between the forecasts that are drawn are none.
    stretch = np.zeros(len(span), np.int64)
    stretch[horizon * gap_rows(span["ds"].to_numpy()[::horizon], labels.clock, None)] = 1
    columns = ["ds", "y", *labels.models(span.columns, ("persistence",))]
    groups = span[columns].groupby([np.cumsum(stretch), np.arange(len(span)) // n_steps])
    means, low, high = groups.mean(), groups["y"].min().to_numpy(float), groups["y"].max().to_numpy(float)
    breaks = np.flatnonzero(np.diff(means.index.get_level_values(0))) + 1
    fill_range(axes, means["ds"].to_numpy(), low, high, breaks, "#dedede")
    return _draw_curves(axes, means, breaks, means, breaks, labels, ("persistence",))


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
        steps, markers = np.arange(1, len(values) + 1), len(values) <= _MOST_MARKERS // 2
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
    for dashes, (level, scores) in zip(_DASHES_OF_LEVELS, intervals.items(), strict=False):
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


# The training


@styled()
def plot_training(
    history: Mapping[str, pd.DataFrame],
    labels: Labels,
    measure: str = "",
    *,
    verdict: str = "",
    size: PageSize = FILE,
) -> PlotFigure:
    """Training and validation error of each network by epoch, with the epoch marked whose weights were kept.

    Args:
        history: By model, ``epoch, mae, validation_mae`` in the target's units; ``validation_loss``, where it is
            there, decides which epoch was the best, as it does in training.
        labels: What the plot says about the series.
        measure: What the errors are, if they are not in the target's units.
        verdict: One sentence on what it shows.
        size: The space that it has.
    """
    figure = PlotFigure(size)
    axes = figure.subplots()
    curves = []
    for model, epochs in history.items():
        style, name = labels.line_style(model), model_name(model)
        numbers, validation = epochs["epoch"].to_numpy(), epochs["validation_mae"].to_numpy(float)
        decisive = epochs.get("validation_loss", epochs["validation_mae"]).to_numpy(float)
        if np.isfinite(decisive).any():
            best = int(np.nanargmin(decisive))
            label = f"{name}, validation (best: epoch {numbers[best]})"
            curves.append(draw_curve(axes, numbers, validation, style, label))
            axes.plot(numbers[best], validation[best], style.marker, color=style.color, ms=9, mec="white", zorder=5)
        training = draw_curve(axes, numbers, epochs["mae"].to_numpy(float), style, f"{name}, training")
        training.set(linewidth=0.45 * style.width, alpha=0.8)
        curves.append(training)
    format_axes(axes)
    _choose_scale(axes, np.concatenate([np.asarray(curve.get_ydata(), float) for curve in curves] or [np.ones(1)]))
    axes.xaxis.set_major_locator(whole_numbers(12))
    last = max((int(epochs["epoch"].max()) for epochs in history.values()), default=1)
    axes.set_xlim(1 - max(0.5, last / 60), last + max(0.5, last / 60))
    axes.set_xlabel("epoch")
    axes.set_ylabel(
        (measure or labels.with_unit("mean absolute error")) + (", logarithmic" if axes.get_yscale() == "log" else "")
    )
    figure.add_head(
        labels.subject(),
        "error during training",
        curves,
        verdict=verdict,
        note="Thick: validation; the large marker is the epoch whose weights were kept. Thin: training.",
    )
    return figure


def _choose_scale(axes: Axes, values: Floats) -> None:
    # The first epochs are often ten times worse than the last; on a linear axis the rest would lie on the floor.
    values = values[np.isfinite(values)]
    if len(values) and 0 < values.min() < values.max() / 8:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())


# The data


@styled()
def plot_data(
    rows: Rows,
    plotted_series: Sequence[PlottedSeries],
    split: Split,
    labels: Labels,
    *,
    verdict: str = "",
    size: PageSize = FILE,
) -> PlotFigure:
    """These series and targets, a strip for each, over training, validation and test span, with gaps marked."""
    figure = PlotFigure(size, max(0.7 * size.height, 0.5 + 1.35 * len(plotted_series)))
    strips = figure.subplots(len(plotted_series), 1, sharex=True, squeeze=False)[:, 0]
    clock, stretches = rows.panel.clock, rows.panel.stretches()
    times = clock.on_axis(rows.panel.times)
    missing: list[float] = []
    for axes, series in zip(strips, plotted_series, strict=True):
        span = rows.panel.rows(series.series_index)
        missing += _draw_rows(
            axes, times[span], rows.series_values(series.series_index, series.target_index), stretches[span]
        )
        unit = rows.panel.units.get(rows.targets[series.target_index], "")
        several = len(plotted_series) > 1
        axes.set_ylabel(with_unit(series.unique_id, unit, 18) if several else labels.with_unit(labels.target))
        cuts = clock.on_axis(np.stack([split.validation_from, split.test_from])[:, series.series_index])
        ends = [times.min(), *cuts, times.max()] if split.is_by_time else [times[span][0], *cuts, times[span][-1]]
        if axes is strips[0]:
            for part, first, last in zip(_SPLIT_COLORS, ends, ends[1:], strict=False):
                _write_above(axes, first + (last - first) / 2, part, ha="center")
        for color, first, last in zip(_SPLIT_COLORS.values(), ends, ends[1:], strict=False):
            axes.axvspan(first, last, color=color, alpha=0.28, lw=0, zorder=0.5)
        format_axes(axes, times[[times.argmin(), times.argmax()]], size.max_ticks())
    figure.add_head(
        labels.subject(),
        "all rows, and how they are divided",
        [Line2D([], [], color=_GAP_COLOR, linewidth=4, label="no value")] if missing else [],
        verdict=verdict,
        note="Scalers and networks learn only from the training span; the validation span chooses the epoch."
        + (" Pale: only some values are missing." if min(missing, default=1) < 1 else ""),
    )
    return figure


def _draw_rows(axes: Axes, times: Times, values: Floats, stretches: Ints) -> list[float]:
    """Draw the observed values and mark where some are missing; the shares that are."""
    first, last, shares = missing_shares(missing_spans(times, values, stretches), times, _MOST_ROWS)
    if len(values) > _MOST_ROWS:
        firsts, low, high, values = range_of_groups(values, _MOST_ROWS)
        times, stretches = times[firsts], stretches[firsts]
        fill_range(axes, times, low, high, _breaks(stretches), "#9a9a9a")
    draw_curve(axes, times, values, OBSERVED, "observed", breaks=_breaks(stretches)).set_linewidth(0.9)
    # Along the lower edge, in the axes' own coordinates, so that the marks leave the range of values alone.
    ends: Floats = np.stack([first, last], axis=1)
    if times.dtype.kind == "M":
        ends = date2num(ends)  # type: ignore[no-untyped-call]
    lines, colors = [[(a, 0.0), (b, 0.0)] for a, b in ends], [(_GAP_COLOR, share) for share in shares]
    marks = LineCollection(lines, colors=colors, linewidths=5, transform=axes.get_xaxis_transform(), zorder=4)
    axes.add_collection(marks, autolim=False)
    return shares.tolist()


def _breaks(stretches: Ints) -> Ints:
    return np.flatnonzero(np.diff(stretches)) + 1


# The list of plots, and the files that are drawn from it


@dataclass(frozen=True)
class Plot:
    """A plot of a run. It is left out where the run does not have what it needs.

    Args:
        number: The number of its file; None for a plot that is only on the page.
        section: The key of its section of the page; None for a plot that is only a file.
        function: What draws it, from what it needs, and the keywords ``verdict`` and ``size``.
        needs: Names from `OF_RUN` and `OF_SERIES`, in the order of the function's arguments. With one from `OF_SERIES`
            it is drawn for each series and target, otherwise once.

    Raises:
        ValueError: If there is nothing of the name of a need.
    """

    number: int | None
    section: str | None
    function: Callable[..., PlotFigure]
    needs: tuple[str, ...]

    def __post_init__(self) -> None:
        if unknown := set(self.needs) - {*OF_RUN, *OF_SERIES}:
            raise ValueError(f"A plot cannot need {unknown}. It can need {[*OF_RUN, *OF_SERIES]}.")

    def figures(self, run: RunResults, size: PageSize) -> Iterator[tuple[PlottedSeries | None, PlotFigure]]:
        """The figures of a run, each with its series and target; None for a figure that pools them."""
        by_series = any(name in OF_SERIES for name in self.needs)
        for series in run.plotted_series if by_series else [None]:
            arguments = [
                OF_RUN[name](run) if series is None or name in OF_RUN else OF_SERIES[name](run, series)
                for name in self.needs
            ]
            if all(argument is not None for argument in arguments):
                yield series, self.function(*arguments, verdict=run.metrics["verdict"], size=size)


def draw_files(run: RunResults) -> dict[str, bytes]:
    """The plots of a run as PNG, by file name."""
    numbered = [name for name, plot in PLOTS.items() if plot.number is not None]
    return {
        file: picture
        for name in numbered
        for file, picture in (run.drawn.get(("files", name)) or files_of(run, name)).items()
    }


def files_of(run: RunResults, name: str) -> dict[str, bytes]:
    """One plot of a run as PNG, for each of the series that it is drawn for, by file name."""
    plot = PLOTS[name]
    return {
        f"{plot.number}-{name}{series.suffix if series else ''}.png": to_png(figure)
        for series, figure in plot.figures(run, FILE)
    }


def draw_forecasts(rows: Rows, forecast: pd.DataFrame, model: str, lookback: int) -> list[bytes]:
    """The plots of a newest forecast as PNG, one for each of the first few series and targets.

    Args:
        rows: The rows that it was made from.
        forecast: ``unique_id, ds, cutoff`` and a column for each model.
        model: The model's column.
        lookback: L.
    """
    return [
        to_png(
            plot_forecast(
                observed_series(rows, series),
                on_axis(forecast, rows.panel.clock),
                series.unique_id,
                labels_of(rows, series.target_index, model, forecast.columns),
                lookback,
            )
        )
        for series in plotted_series(rows)
        if (forecast["unique_id"] == series.unique_id).any()
    ]


def _rows_of(forecasts: pd.DataFrame, series: PlottedSeries) -> pd.DataFrame | None:
    rows = forecasts[forecasts["unique_id"] == series.unique_id]
    return None if rows.empty else rows


def _origin_spacing(run: RunResults) -> int:
    """The steps between drawn forecasts that spread their origins over the day and the season."""
    clock, season = run.prepared.rows.panel.clock, run.metrics["season"]
    day = int(np.timedelta64(1, "D") / clock.step) if clock.unit in ("s", "min", "h") else 1
    return origin_spacing(run.metrics["horizon"], (season, day))


def _intervals(run: RunResults) -> dict[str, Any] | None:
    scores = (run.metrics.get("intervals") or {}).get("models", {}).get(run.model, {})
    return {level: scores[level] for level in scores if level.isdecimal()} or None


def _histories(run: RunResults) -> Mapping[str, pd.DataFrame]:
    """Errors by epoch; losses of scaled values in their place, where the targets have not one unit."""
    if run.prepared.rows.one_unit:
        return run.histories
    return {
        name: epochs.assign(mae=epochs["loss"], validation_mae=epochs["validation_loss"])
        for name, epochs in run.histories.items()
    }


# What a plot can need of a run; None where the run does not have it.
OF_RUN: dict[str, Callable[[RunResults], Any]] = {
    "pooled labels": lambda run: run.labels,
    "lookback": lambda run: run.prepared.config.data.lookback,
    "all test forecasts": lambda run: None if run.test_forecasts.empty else run.test_forecasts,
    "errors by step": lambda run: run.metrics["by_step"],  # by model, [H]
    "step measure": lambda run: "" if run.metrics.get("by_step_of", "MAE") == "MAE" else run.metrics["by_step_of"],
    "errors by clock": lambda run: run.diagnosis.by_clock or None,
    "clock measure": lambda run: "MASE" if run.diagnosis.scaled else run.labels.with_unit("MAE"),
    "origin spacing": _origin_spacing,
    "intervals": _intervals,  # coverage and width of the model's, by level in percent
    "histories": _histories,  # errors by epoch of each network, by its column
    "history measure": lambda run: "" if run.prepared.rows.one_unit else "loss of scaled values",
    "rows": lambda run: run.prepared.rows,
    "split": lambda run: run.prepared.split,
    "plotted series": lambda run: run.plotted_series,
}

# What it can need of each series and target.
OF_SERIES: dict[str, Callable[[RunResults, PlottedSeries], Any]] = {
    "unique_id": lambda run, series: series.unique_id,
    "labels": RunResults.labels_of,
    "observed": lambda run, series: observed_series(run.prepared.rows, series),  # unique_id, ds, y
    "test forecasts": lambda run, series: _rows_of(run.test_forecasts, series),  # unique_id, ds, cutoff, y, <model>…
    "newest forecast": lambda run, series: _rows_of(
        on_axis(run.forecast, run.clock), series
    ),  # unique_id, ds, cutoff, <model>…
    "residuals": lambda run, series: run.diagnosis.residuals.get(series.unique_id),
    "reliability": lambda run, series: run.diagnosis.reliability.get(series.unique_id),
}

# The files in the folder are numbered; a section of the page has its plots in the order of this list.
PLOTS = {
    "forecast": Plot(5, "forecast", plot_forecast, ("observed", "newest forecast", "unique_id", "labels", "lookback")),
    "test-span": Plot(1, "origins", plot_test_span, ("test forecasts", "unique_id", "labels", "origin spacing")),
    "examples": Plot(2, "origins", plot_examples, ("test forecasts", "observed", "unique_id", "labels", "lookback")),
    "error-by-step": Plot(3, "errors", plot_error_by_step, ("errors by step", "pooled labels", "step measure")),
    "error-by-clock": Plot(None, "errors", plot_error_by_clock, ("errors by clock", "pooled labels", "clock measure")),
    "coverage": Plot(None, "calibration", plot_coverage, ("intervals", "pooled labels")),
    "reliability": Plot(None, "calibration", plot_reliability, ("reliability", "labels", "unique_id")),
    "residuals": Plot(None, "residuals", plot_residuals, ("residuals", "labels", "unique_id")),
    "training": Plot(4, "training", plot_training, ("histories", "pooled labels", "history measure")),
    "data": Plot(None, "data", plot_data, ("rows", "plotted series", "split", "pooled labels")),
}
