"""Plots: arrays and tables in, matplotlib figures out. Nothing here loads a file or opens a window."""

from forecast.plots.plots import (
    Labels,
    plot_error_by_step,
    plot_examples,
    plot_forecast,
    plot_test_span,
    plot_training,
    to_png,
    to_svg,
)

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
