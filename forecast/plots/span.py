"""The test span as one picture, however long it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from forecast.plots.canvas import FILE, NO_BREAKS, Drawing, Sheet, add_head, draw, dress, gaps, styled, wrapped
from forecast.plots.selection import Ints, of_series, one_after_the_other, steps_in_a_mean, typical_stretch
from forecast.plots.style import OBSERVED, Labels, model_name

# A longer span is a blot.
MOST_STEPS = 500


@styled()
def plot_test_span(
    forecasts: pd.DataFrame, unique_id: str, labels: Labels, *, verdict: str = "", sheet: Sheet = FILE
) -> Drawing:
    """Observed, model, vanilla RNN and persistence over the test span, in forecasts that do not overlap.

    A long span is drawn as means, with a typical stretch of it enlarged below.

    Args:
        forecasts: ``unique_id, ds, cutoff, y, <model>…``; every cut-off has H rows, and they ascend.
        unique_id: The series to draw.
        labels: What the plot says about it.
        verdict: One sentence on what it shows; drawn below the title.
        sheet: What it is drawn on.
    """
    own, horizon = of_series(forecasts, unique_id)
    span = own.iloc[one_after_the_other(own, horizon)]
    figure = Drawing(sheet)
    if len(span) <= MOST_STEPS:
        axes = figure.subplots()
        # The observed steps are all of them: a few may follow the last forecast that is drawn.
        curves = _draw_forecasts(axes, own.drop_duplicates("ds"), span, labels, horizon)
        dress(axes, own["ds"].to_numpy(), sheet.ticks())
    else:
        above, axes = figure.subplots(2)
        size = steps_in_a_mean(len(span), horizon)
        curves = _draw_means(above, span, labels, size)
        stretch = span.iloc[typical_stretch(span, labels.model, horizon)]
        _draw_forecasts(axes, stretch, stretch, labels, horizon)
        above.axvspan(*stretch["ds"].to_numpy()[[0, -1]], color="#F0E442", alpha=0.5, lw=0, zorder=1)
        whole = f"The whole span, in means of {labels.duration(size)}; grey: lowest to highest observed"
        enlarged = f"Enlarged, and marked yellow above: {labels.duration(len(stretch))} with a typical error"
        for part, title in ((above, whole), (axes, enlarged)):
            part.set_title("\n".join(wrapped(title, 0.85 * sheet.width, 8)))
        dress(above, span["ds"].to_numpy(), sheet.ticks())
        dress(axes, stretch["ds"].to_numpy(), sheet.ticks())
    length = labels.duration(horizon)
    every = labels.step if horizon == 1 else length
    made = f"one forecast of {length}" if len(span) == horizon else f"forecasts of {length}, one made every {every}"
    add_head(figure, f"{labels.subject(unique_id)}: {made}", verdict, "", curves)
    return figure


def _draw_span(
    axes: Axes, observed: pd.DataFrame, forecasts: pd.DataFrame, labels: Labels, unseen: Ints, strokes: Ints
) -> list[Line2D]:
    # The observed curve is broken before the rows of `unseen`, those of the models before the rows of `strokes`.
    times = observed["ds"].to_numpy()
    curves = [draw(axes, times, observed["y"].to_numpy(float), OBSERVED, "observed", unseen)]
    times = forecasts["ds"].to_numpy()
    for model in labels.models(forecasts.columns, ("persistence",)):
        values = forecasts[model].to_numpy(float)
        curves.append(draw(axes, times, values, labels.look(model), model_name(model), strokes))
    axes.set_ylabel(labels.axis(labels.target))
    return curves


def _draw_forecasts(
    axes: Axes, observed: pd.DataFrame, span: pd.DataFrame, labels: Labels, horizon: int
) -> list[Line2D]:
    # Each forecast is a stroke of its own; those of one step are joined, or they would be dots.
    starts = np.arange(horizon, len(span), horizon) if horizon > 1 else NO_BREAKS
    strokes = np.union1d(starts, gaps(span["ds"].to_numpy(), labels.step))
    return _draw_span(axes, observed, span, labels, gaps(observed["ds"].to_numpy(), labels.step), strokes)


def _draw_means(axes: Axes, span: pd.DataFrame, labels: Labels, size: int) -> list[Line2D]:
    # No mean is of rows on both sides of a gap.
    part = np.zeros(len(span), np.int64)
    part[gaps(span["ds"].to_numpy(), labels.step)] = 1
    part = np.cumsum(part)
    groups = span[["ds", "y", *labels.models(span.columns, ("persistence",))]].groupby(
        [part, np.arange(len(span)) // size]
    )
    means, least, most = groups.mean(), groups["y"].min().to_numpy(float), groups["y"].max().to_numpy(float)
    breaks = np.flatnonzero(np.diff(means.index.get_level_values(0))) + 1
    times = means["ds"].to_numpy()
    axes.fill_between(
        np.insert(times, breaks, times[breaks]),
        np.insert(least, breaks, np.nan),
        np.insert(most, breaks, np.nan),
        color="#dedede",
        lw=0,
        zorder=1.5,
    )
    return _draw_span(axes, means, means, labels, breaks, breaks)
