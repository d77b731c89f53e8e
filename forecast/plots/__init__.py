"""Plots: arrays and tables in, matplotlib figures out. Nothing here loads a file or opens a window."""

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
from forecast.plots.leaderboard import plot_leaderboard
from forecast.plots.run_plots import (
    PLOTS,
    Plot,
    plot_error_by_step,
    plot_examples,
    plot_forecast,
    plot_test_span,
    plot_training,
)
from forecast.plots.style import Labels, LineStyle

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
    "plot_leaderboard",
    "plot_test_span",
    "plot_training",
    "styled",
    "to_png",
    "to_svg",
]
