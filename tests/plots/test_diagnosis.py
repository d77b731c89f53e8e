"""The plots of what is left in the errors: they fit their sizes, whatever the numbers are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from forecast.data.clock import Clock
from forecast.plots.diagnosis import errors_by_clock, reliability_of, residuals_of
from forecast.plots.error_plots import plot_coverage, plot_error_by_clock, plot_reliability, plot_residuals
from forecast.plots.figure import FILE, PHONE, SCREEN, PageSize, PlotFigure, to_svg
from forecast.plots.style import Labels

pytestmark = pytest.mark.filterwarnings("error")

LABELS = Labels("station", "temperature", "°C", Clock("h"), "lstm", "rnn")


def frame(values: np.ndarray, freq: str = "h") -> pd.DataFrame:
    times = pd.date_range("2001-01-01", periods=len(values), freq=freq)
    columns = {"lstm": 0.0, "rnn": 1.0, "persistence": 2.0}
    return pd.DataFrame({"unique_id": "temperature", "ds": times, "cutoff": times, "y": values, **columns})


def every_plot(own: pd.DataFrame, size: PageSize) -> list[PlotFigure]:
    clock = Clock("h")
    parts = list(errors_by_clock(own, ["lstm", "rnn", "persistence"], clock))
    figures = [plot_error_by_clock(parts, LABELS, "MASE", size=size)] if parts else []
    level = {"coverage_by_step": [0.7, None], "width_by_step": [1.0, None]}
    return [
        *figures,
        plot_coverage({"80": level, "95": level}, LABELS, size=size),
        plot_reliability({name: reliability_of(own, name) for name in ("lstm", "rnn")}, LABELS, "", size=size),
        plot_residuals(residuals_of(own, "lstm", 1, clock, 24), LABELS, "", size=size),
    ]


@pytest.mark.parametrize("size", [FILE, SCREEN, PHONE], ids=["file", "screen", "phone"])
def test_nothing_overlaps_or_is_cut(size: PageSize) -> None:
    for figure in every_plot(frame(np.sin(np.arange(2000.0))), size):
        svg = to_svg(figure)
        assert svg.startswith(b"<?xml")
        assert len(svg) < 200_000
        boxes = [box for axes in figure.axes if (box := axes.get_tightbbox()) is not None]
        assert all(not a.padded(-2).overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i]), figure.title
        for entry in figure.legends:
            assert entry.get_window_extent().x1 <= figure.bbox.x1
            assert max(box.y1 for box in boxes) <= entry.get_window_extent().y0 + 1
        assert bool(figure.texts) == (not size.embedded)
        assert figure.subject == "station, temperature"


@pytest.mark.parametrize("values", [[1.0], [1.0, 2.0], [3.0] * 50, [np.nan] * 50, [1e12, -1e12] * 30, [0.0] * 900])
def test_any_numbers_give_a_picture(values: list[float]) -> None:
    for figure in every_plot(frame(np.array(values)), SCREEN):
        assert to_svg(figure)


def test_the_errors_of_all_parts_fit_their_common_axis() -> None:
    own = frame(np.where(pd.date_range("2001-01-01", periods=3000, freq="h").month == 3, 50.0, 1.0))
    figure = plot_error_by_clock(list(errors_by_clock(own, ["lstm"], Clock("h"))), LABELS, "MASE", size=SCREEN)
    assert [axes.get_xlabel() for axes in figure.axes] == ["hour", "weekday", "month"]
    assert {axes.get_ylim() for axes in figure.axes} == {figure.axes[0].get_ylim()}
    assert figure.axes[0].get_ylim()[0] == 0
    assert figure.axes[0].get_ylim()[1] > 50


def test_residuals_that_are_drawn_as_means_are_a_line_that_breaks_at_gaps_alone() -> None:
    own = frame(np.random.default_rng(0).normal(size=2000))
    residuals = residuals_of(own[(own.index < 900) | (own.index >= 1000)], "lstm", 1, Clock("h"), 24)
    line = plot_residuals(residuals, LABELS, "").axes[0].get_lines()[-1]
    assert np.isnan(np.asarray(line.get_ydata(), float)).sum() == 1
