"""Plots of forecasts beside what was observed: the newest, single ones of the test span, and the whole span."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from forecast.data.windows import Ints
from forecast.plots.figure import (
    FILE,
    GREY,
    MOST_MARKERS,
    PageSize,
    PlotFigure,
    draw_curve,
    fill_range,
    format_axes,
    gap_rows,
    steps_between,
    styled,
    wrap_lines,
    write_above,
)
from forecast.plots.selection import (
    non_overlapping,
    pick_examples,
    rows_of_series,
    steps_per_mean,
    typical_stretch,
    window_errors,
)
from forecast.plots.style import NAIVE, OBSERVED, Labels, model_name
from forecast.plots.tables import interval_levels

# A longer test span, drawn step by step, is illegible.
_MOST_STEPS = 500


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
    curves = _draw_forecast(axes, before, rows, cutoff, labels, tuple(NAIVE), MOST_MARKERS)
    format_axes(axes, np.concatenate([before["ds"].to_numpy(), rows["ds"].to_numpy()]), size.max_ticks())
    write_above(axes, cutoff, f"the data end {labels.format_time(cutoff)} ", ha="right")
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
        curves = _draw_forecast(axes, observed, rows, cutoff, labels, ("persistence",), MOST_MARKERS // 2)
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
        ascend = low <= high  # where it does not, an angle's interval holds north
        if len(rows) == 1:  # an area needs two
            axes.vlines(times[ascend], low[ascend], high[ascend], color=color, alpha=0.25, lw=9, zorder=1.7)
        else:
            axes.fill_between(times, low, high, where=ascend, color=color, alpha=0.17, lw=0, zorder=1.7)


def _note_on_intervals(columns: Iterable[str], model: str) -> str:
    levels = " and ".join(f"{level}%" for level in reversed(interval_levels(columns, model)))
    return f" Shaded: where {levels} of the values should lie." if levels else ""


def _note_on_lookback(labels: Labels, n_before: int, lookback: int) -> str:
    part = f"the last {n_before:,} of the " if n_before < lookback else "the "
    return f"Left of the vertical line: {part}{labels.format_duration(lookback)} that the model saw."


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
    cutoffs = span["cutoff"].to_numpy()[::horizon]
    if len(cutoffs) > 1:  # of a very long span not all are kept
        apart = int(np.median(steps_between(cutoffs, labels.clock)))
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
    every = labels.step if apart == 1 else labels.format_duration(apart)
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
    breaks = np.union1d(starts, gap_rows(span["ds"].to_numpy(), labels.clock, None if horizon == 1 else 1))
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
