"""Plots: arrays and tables in, matplotlib figures out. Nothing here loads a file or opens a window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from forecast.plots.error_plots import plot_error_by_step
    from forecast.plots.figure import (
        FILE,
        PHONE,
        SCREEN,
        PageSize,
        PlotFigure,
        draw_curve,
        format_axes,
        styled,
        to_png,
        to_svg,
    )
    from forecast.plots.forecast_plots import plot_examples, plot_forecast, plot_test_span
    from forecast.plots.run_plots import PLOTS, Plot
    from forecast.plots.style import Labels, LineStyle
    from forecast.plots.training_plot import plot_training

__all__ = [
    "FILE",
    "PHONE",
    "PLOTS",
    "SCREEN",
    "Labels",
    "LineStyle",
    "PageSize",
    "Plot",
    "PlotFigure",
    "draw_curve",
    "format_axes",
    "plot_error_by_step",
    "plot_examples",
    "plot_forecast",
    "plot_test_span",
    "plot_training",
    "styled",
    "to_png",
    "to_svg",
]


def __getattr__(name: str) -> Any:
    # Matplotlib takes half a second to import, and tables in the terminal do without it.
    if name not in __all__:
        raise AttributeError(f"module 'forecast.plots' has no attribute {name!r}")
    from forecast.plots import figure, run_plots, style

    return next(vars(module)[name] for module in (style, figure, run_plots) if name in vars(module))
