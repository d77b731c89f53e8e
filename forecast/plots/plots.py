"""The five plots of a run: functions from tables to figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from forecast.data.panel import Floats
from forecast.plots.canvas import (
    DIM,
    FILE,
    NO_BREAKS,
    Drawing,
    Sheet,
    add_head,
    draw,
    dress,
    gaps,
    styled,
    to_png,
    to_svg,
    wrapped,
)
from forecast.plots.selection import of_series, pick_examples, window_errors
from forecast.plots.span import plot_test_span
from forecast.plots.style import NAIVE, OBSERVED, Labels, model_name
from forecast.plots.tables import interval_levels

__all__ = [
    "Labels",
    "plot_error_by_step",
    "plot_examples",
    "plot_forecast",
    "plot_test_span",
    "plot_training",
    "to_png",
    "to_svg",
]

# Across a whole figure; beyond these, markers touch each other.
MOST_MARKERS = 64


@styled()
def plot_examples(
    forecasts: pd.DataFrame,
    past: pd.DataFrame,
    unique_id: str,
    labels: Labels,
    lookback: int,
    *,
    verdict: str = "",
    sheet: Sheet = FILE,
) -> Drawing:
    """Single forecasts from different origins: the best, up to four typical ones, and the worst.

    Args:
        forecasts: ``unique_id, ds, cutoff, y, <model>…``; every cut-off has H rows, and they ascend.
        past: ``unique_id, ds, y``: the observed series, or its tail.
        unique_id: The series to draw.
        labels: What the plot says about it.
        lookback: L, the steps that the model saw before each origin; the last of them are drawn.
        verdict: One sentence on what it shows; drawn below the title.
        sheet: What it is drawn on.
    """
    own, horizon = of_series(forecasts, unique_id)
    seen = past[past["unique_id"] == unique_id]
    errors = window_errors(own, labels.model, horizon)
    chosen = pick_examples(errors)
    drawn = min(lookback, max(3 * horizon, 24))
    n_columns = min(len(chosen), sheet.columns)
    n_rows = -(-len(chosen) // n_columns)
    figure = Drawing(sheet, sheet.height * max(1.0, n_rows / 2))
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    for axes, (window, kind) in zip(grid.flat, chosen, strict=False):
        rows = own.iloc[window * horizon : (window + 1) * horizon]
        cutoff = rows["cutoff"].to_numpy()[0]
        before = seen[seen["ds"] <= cutoff].tail(drawn)
        curves = _draw_forecast(
            axes, pd.concat([before, rows]), rows, cutoff, labels, ("persistence",), MOST_MARKERS // 2
        )
        title = f"{kind}: from {labels.moment(cutoff)}, MAE {labels.amount(errors[window])}"
        axes.set_title("\n".join(wrapped(title, 0.85 * sheet.width / n_columns, 8)))
        dress(axes, pd.concat([before, rows])["ds"].to_numpy(), sheet.ticks(n_columns))
    for axes in grid.flat[len(chosen) :]:
        axes.remove()
    for axes in grid[:, 0]:
        axes.set_ylabel(labels.axis(labels.target))
    several = len(chosen) > 1
    made = "single forecasts of {}, from best to worst" if several else "a single forecast of {}"
    picked = f"Picked from {len(errors):,} by the mean absolute error (MAE) of {model_name(labels.model)}. "
    add_head(
        figure,
        f"{labels.subject(unique_id)}: {made.format(labels.duration(horizon))}",
        verdict,
        (picked if several else "") + _seen(labels, drawn, lookback) + _fan(own.columns, labels.model),
        curves,
    )
    return figure


@styled()
def plot_error_by_step(
    by_step: Mapping[str, Sequence[float]], labels: Labels, *, verdict: str = "", sheet: Sheet = FILE
) -> Drawing:
    """Mean absolute error of every model at each step of the horizon.

    Args:
        by_step: By model, the error [H] in the target's units; NaN or None where it is undefined.
        labels: What the plot says about the series.
        verdict: One sentence on what it shows; drawn below the title.
        sheet: What it is drawn on.
    """
    figure = Drawing(sheet)
    axes = figure.subplots()
    curves = []
    for model, errors in by_step.items():
        values = np.asarray(errors, float)
        steps = np.arange(1, len(values) + 1)
        markers = len(values) <= MOST_MARKERS // 2
        curves.append(draw(axes, steps, values, labels.look(model), model_name(model), NO_BREAKS, markers=markers))
    dress(axes)
    axes.xaxis.set_major_locator(MaxNLocator(12, integer=True, min_n_ticks=1, steps=[1, 2, 3, 4, 5, 6, 10]))
    axes.set_xlim(0.5, max((len(errors) for errors in by_step.values()), default=1) + 0.5)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"{labels.duration(2).split(' ', 1)[1]} ahead")
    axes.set_ylabel(labels.axis("mean absolute error"))
    add_head(figure, f"{labels.subject()}: error by how far ahead", verdict, "", curves)
    return figure


@styled()
def plot_training(
    history: Mapping[str, pd.DataFrame], labels: Labels, *, verdict: str = "", sheet: Sheet = FILE
) -> Drawing:
    """Training and validation error of each network by epoch, with the epoch marked whose weights were kept.

    Args:
        history: By model, ``epoch, mae, validation_mae`` in the target's units; ``validation_loss``, where it is
            there, decides which epoch was the best, as it does in training.
        labels: What the plot says about the series.
        verdict: One sentence on what it shows; drawn below the title.
        sheet: What it is drawn on.
    """
    figure = Drawing(sheet)
    axes = figure.subplots()
    curves = []
    for model, epochs in history.items():
        look, name = labels.look(model), model_name(model)
        numbers, validation = epochs["epoch"].to_numpy(), epochs["validation_mae"].to_numpy(float)
        judged = epochs.get("validation_loss", epochs["validation_mae"]).to_numpy(float)
        if np.isfinite(judged).any():
            best = int(np.nanargmin(judged))
            name_of_best = f"{name}, validation (best: epoch {numbers[best]})"
            curve = draw(axes, numbers, validation, look, name_of_best, NO_BREAKS)
            axes.plot(numbers[best], validation[best], look.marker, color=look.color, ms=9, mec="white", zorder=5)
            curves.append(curve)
        training = draw(axes, numbers, epochs["mae"].to_numpy(float), look, f"{name}, training", NO_BREAKS)
        training.set(linewidth=0.45 * look.width, alpha=0.8)
        curves.append(training)
    dress(axes)
    _spread(axes, np.concatenate([np.asarray(curve.get_ydata(), float) for curve in curves] or [np.ones(1)]))
    axes.xaxis.set_major_locator(MaxNLocator(12, integer=True, min_n_ticks=1))
    last = max((int(epochs["epoch"].max()) for epochs in history.values()), default=1)
    axes.set_xlim(1 - max(0.5, last / 60), last + max(0.5, last / 60))
    axes.set_xlabel("epoch")
    axes.set_ylabel(labels.axis("mean absolute error") + (", logarithmic" if axes.get_yscale() == "log" else ""))
    note = "Thick: validation; the large marker is the epoch whose weights were kept. Thin: training."
    add_head(figure, f"{labels.subject()}: error while training", verdict, note, curves)
    return figure


@styled()
def plot_forecast(
    past: pd.DataFrame,
    forecast: pd.DataFrame,
    unique_id: str,
    labels: Labels,
    lookback: int,
    *,
    verdict: str = "",
    sheet: Sheet = FILE,
) -> Drawing:
    """The newest forecast, after the end of the data.

    Args:
        past: ``unique_id, ds, y``: the observed series, or its tail.
        forecast: ``unique_id, ds, <model>…``, H rows a series.
        unique_id: The series to draw.
        labels: What the plot says about it.
        lookback: L, the steps that the model saw; the last of them are drawn.
        verdict: One sentence on what it shows; drawn below the title.
        sheet: What it is drawn on.
    """
    rows = forecast[forecast["unique_id"] == unique_id]
    before = past[past["unique_id"] == unique_id].tail(min(lookback, max(6 * len(rows), 36)))
    cutoff = before["ds"].to_numpy()[-1]
    figure = Drawing(sheet)
    axes = figure.subplots()
    curves = _draw_forecast(axes, before, rows, cutoff, labels, tuple(NAIVE), MOST_MARKERS)
    dress(axes, np.concatenate([before["ds"].to_numpy(), rows["ds"].to_numpy()]), sheet.ticks())
    axes.annotate(
        f"the data end {labels.moment(cutoff)} ",
        (cutoff, 1),
        xycoords=axes.get_xaxis_transform(),
        ha="right",
        va="bottom",
        size=8.5,
        color=DIM,
    )
    axes.set_ylabel(labels.axis(labels.target))
    add_head(
        figure,
        f"{labels.subject(unique_id)}: the next {labels.duration(len(rows)).removeprefix('1 ')}",
        verdict,
        _seen(labels, len(before), lookback) + _fan(rows.columns, labels.model),
        curves,
    )
    return figure


def _draw_fan(axes: Axes, rows: pd.DataFrame, labels: Labels) -> None:
    times, model, color = rows["ds"].to_numpy(), labels.model, labels.look(labels.model).color
    for level in interval_levels(rows.columns, model):
        low, high = (rows[f"{model}-{end}-{level}"].to_numpy(float) for end in ("lo", "hi"))
        if len(rows) == 1:  # an area needs two
            axes.vlines(times, low, high, color=color, alpha=0.25, lw=9, zorder=1.7)
        else:
            # Where it is not low <= high, an angle's interval holds north.
            axes.fill_between(times, low, high, where=low <= high, color=color, alpha=0.17, lw=0, zorder=1.7)


def _fan(columns: Iterable[str], model: str) -> str:
    levels = " and ".join(f"{level} %" for level in reversed(interval_levels(columns, model)))
    return f" Shaded: where {levels} of the values should lie." if levels else ""


def _seen(labels: Labels, drawn: int, lookback: int) -> str:
    part = f"the last {drawn:,} of the " if drawn < lookback else "the "
    return f"Left of the vertical line: {part}{labels.duration(lookback)} that the model saw."


def _draw_forecast(
    axes: Axes,
    observed: pd.DataFrame,
    rows: pd.DataFrame,
    cutoff: np.datetime64,
    labels: Labels,
    naive: Sequence[str],
    most_markers: int,
) -> list[Line2D]:
    times, markers = observed["ds"].to_numpy(), len(observed) <= most_markers
    y, breaks = observed["y"].to_numpy(float), gaps(times, labels.step)
    curves = [draw(axes, times, y, OBSERVED, "observed", breaks, markers=markers)]
    _draw_fan(axes, rows, labels)
    for model in labels.models(rows.columns, naive):
        values = rows[model].to_numpy(float)
        look = labels.look(model)
        curves.append(draw(axes, rows["ds"].to_numpy(), values, look, model_name(model), NO_BREAKS, markers=markers))
    axes.axvline(cutoff, color="#888888", lw=0.9, zorder=1.8)  # type: ignore[arg-type]
    return curves


def _spread(axes: Axes, values: Floats) -> None:
    # The first epochs are often ten times worse than the last; on a linear axis the rest would lie on the floor.
    values = values[np.isfinite(values)]
    if len(values) and 0 < values.min() < values.max() / 8:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
