"""The plot of a training: the errors of each network by epoch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from forecast.data.panel import Floats
from forecast.plots.figure import FILE, PageSize, PlotFigure, draw_curve, format_axes, styled, whole_numbers
from forecast.plots.style import Labels, model_name


@styled()
def plot_training(
    history: Mapping[str, pd.DataFrame],
    kept: Mapping[str, int],
    labels: Labels,
    measure: str = "",
    *,
    verdict: str = "",
    size: PageSize = FILE,
) -> PlotFigure:
    """Training and validation error of each network by epoch, with the epoch marked whose weights were kept.

    Args:
        history: By model, ``epoch, mae, validation_mae`` in the target's units.
        kept: By model, the epoch whose weights were kept; 0 where none was better than the start.
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
        if np.isfinite(validation).any():
            outcome = f"kept: epoch {kept[model]}" if kept[model] else "no epoch was kept"
            curves.append(draw_curve(axes, numbers, validation, style, f"{name}, validation ({outcome})"))
            at = numbers == kept[model]
            # Above all curves; the model's circle on the baseline's square, which is larger, so that both are seen.
            above, ms = 5 + style.zorder, 9 if model == labels.model else 13
            axes.plot(numbers[at], validation[at], style.marker, color=style.color, ms=ms, mec="white", zorder=above)
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
        note="Thick: validation; the large marker is the epoch whose weights were kept. Thin: training."
        if any(kept.values())
        else "Thick: validation; no epoch was better than the forecast that the network adds to. Thin: training.",
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
