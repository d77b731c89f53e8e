"""Plots: they show the numbers of their tables, in words that fit, whatever the numbers and names are."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.lines import Line2D
from matplotlib.text import Text

from forecast.data.clock import Clock
from forecast.plots.error_plots import plot_error_by_step
from forecast.plots.figure import FILE, PHONE, SCREEN, PageSize, PlotFigure, format_axes, gap_rows, to_png, to_svg
from forecast.plots.forecast_plots import plot_examples, plot_forecast, plot_test_span
from forecast.plots.style import MODEL, NAIVE, Labels
from forecast.plots.training_plot import plot_training

LABELS = Labels("weather", "temperature", "°C", Clock("MS"), "stacked-lstm", "rnn")
MODELS = ("stacked-lstm", "rnn", "persistence", "seasonal-naive", "drift")
HOSTILE = "_Ba$$in <script>&\x1b[31m\n温\u202e"


pytestmark = pytest.mark.filterwarnings("error")


def tables(y: np.ndarray, n: int, horizon: int, freq: str = "MS", uid: str = "") -> tuple[pd.DataFrame, pd.DataFrame]:
    """The last n windows of a series, each model off by its own constant: 1, 2, 3 … in the order of MODELS."""
    past = pd.DataFrame({"unique_id": uid, "ds": pd.date_range("2000-01-01", periods=len(y), freq=freq), "y": y})
    cutoffs = np.arange(len(y) - horizon - n, len(y) - horizon)
    rows = (cutoffs[:, None] + np.arange(1, horizon + 1)).ravel()
    forecasts = past.iloc[rows].reset_index(drop=True)
    forecasts.insert(2, "cutoff", past["ds"].to_numpy()[np.repeat(cutoffs, horizon)])
    for place, model in enumerate(MODELS, 1):
        forecasts[model] = forecasts["y"] + place
    return forecasts, past


def every_plot(forecasts: pd.DataFrame, past: pd.DataFrame, labels: Labels, verdict: str = "") -> list[PlotFigure]:
    uid = str(past["unique_id"].iloc[0])
    horizon = int((forecasts["cutoff"] == forecasts["cutoff"].iloc[0]).sum())
    models = list(forecasts.columns[4:])
    by_step = {model: [1.0] * horizon for model in models}
    history = {model: epochs([3, 2, 4]) for model in models[:2]}
    return [
        plot_test_span(forecasts, uid, labels, verdict=verdict),
        plot_examples(forecasts, past, uid, labels, 36, verdict=verdict),
        plot_error_by_step(by_step, labels, verdict=verdict),
        plot_training(history, dict.fromkeys(history, 2), labels, verdict=verdict),
        plot_forecast(past.iloc[:-horizon], forecasts.tail(horizon), uid, labels, 36, verdict=verdict),
    ]


def epochs(validation: list[float], **more: list[float]) -> pd.DataFrame:
    n = len(validation)
    return pd.DataFrame(
        {"epoch": range(1, n + 1), "mae": np.array(validation) / 2, "validation_mae": validation, **more}
    )


def curve(axes: Axes, name: str) -> Line2D:
    (found,) = [line for line in axes.get_lines() if line.get_label() == name]
    return found


def values(axes: Axes, name: str) -> list[float]:
    y = np.asarray(curve(axes, name).get_ydata(), float)
    return y[~np.isnan(y)].tolist()


def words(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.texts)


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_span_shows_every_horizon_th_forecast_and_every_observation() -> None:
    forecasts, _ = tables(np.arange(30.0), n=20, horizon=3)
    figure = plot_test_span(forecasts, "", LABELS, verdict="It is better.")
    (axes,) = figure.axes
    # Windows 0, 3 … 18 of targets 8 … 29: the last forecast begins at 26, and 29 is only observed.
    assert values(axes, "observed") == list(range(8, 30))
    assert values(axes, "stacked LSTM") == [y + 1 for y in range(8, 29)]
    assert values(axes, "vanilla RNN") == [y + 2 for y in range(8, 29)]
    assert values(axes, "persistence") == [y + 3 for y in range(8, 29)]
    drawn = np.asarray(curve(axes, "stacked LSTM").get_ydata(), float)
    assert np.flatnonzero(np.isnan(drawn)).tolist() == [3, 7, 11, 15, 19, 23]
    assert legend(figure) == ["observed", "stacked LSTM", "vanilla RNN", "persistence"]
    assert words(figure) == "weather, temperature: forecasts of 3 months, one made every 3 months\nIt is better."
    assert axes.get_ylabel() == "temperature (°C)"


def test_long_span_is_drawn_as_means_with_a_typical_stretch_enlarged() -> None:
    y = np.tile(np.arange(24.0), 62)
    forecasts, _ = tables(y, n=60 * 24 + 1, horizon=24, freq="h")
    error = np.repeat(np.arange(len(forecasts) // 24) // 24, 24)  # 0 on the first day, 60 on the last
    forecasts["stacked-lstm"] = forecasts["y"] + error
    above, below = plot_test_span(forecasts, "", replace(LABELS, clock=Clock("h"))).axes
    assert "means of 24 hours" in above.get_title("left")
    assert values(above, "observed") == [11.5] * 61
    assert values(above, "stacked LSTM") == [11.5 + day for day in range(61)]
    band = above.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (0, 23)
    # Stretches of 12 days have mean errors 5.5, 17.5, 29.5 …; of five, the third is the median.
    assert values(below, "observed") == y[: 12 * 24].tolist()
    assert values(below, "stacked LSTM")[0] == 24.0
    assert "288 hours" in below.get_title("left")


@pytest.mark.parametrize(
    ("n", "horizon", "title"),
    [
        (5, 1, "weather, temperature: forecasts of 1 month, one made every month"),
        (1, 1, "weather, temperature: one forecast of 1 month"),
        (2, 3, "weather, temperature: one forecast of 3 months"),
    ],
)
def test_span_of_few_forecasts(n: int, horizon: int, title: str) -> None:
    forecasts, _ = tables(np.arange(30.0), n=n, horizon=horizon)
    figure = plot_test_span(forecasts, "", LABELS)
    assert words(figure) == title
    assert len(values(figure.axes[0], "stacked LSTM")) == (n if horizon == 1 else horizon)


def test_missing_values_and_absent_rows_break_the_line() -> None:
    y = np.arange(40.0)
    y[33], y[35] = np.nan, np.nan
    forecasts, past = tables(y, n=10, horizon=1, freq="D")
    labels = replace(LABELS, clock=Clock("D"))
    observed = curve(plot_test_span(forecasts, "", labels).axes[0], "observed")
    assert np.isnan(np.asarray(observed.get_ydata(), float)).tolist() == [day in (33, 35) for day in range(30, 40)]
    assert observed.get_markevery() == [4]  # the 34th stands alone, and would be invisible without a marker
    cut = past.drop(index=[25, 26])
    (axes,) = plot_forecast(cut.iloc[:-1], forecasts.tail(1), "", labels, 14).axes
    drawn = np.asarray(curve(axes, "observed").get_ydata(), float)
    assert np.isnan(drawn[: 26 - 23 + 1]).tolist() == [False, False, True, False]


def test_weekends_and_holidays_are_no_gap_but_a_closed_exchange_of_two_weeks_is() -> None:
    days = pd.bdate_range("2024-01-01", periods=30).to_numpy()
    assert gap_rows(days, Clock("B")).tolist() == []
    assert gap_rows(np.delete(days, range(3, 8)), Clock("B")).tolist() == []
    assert gap_rows(np.delete(days, range(3, 9)), Clock("B")).tolist() == [3]
    assert gap_rows(pd.date_range("2023-01-31", periods=24, freq="ME").to_numpy(), Clock("ME")).tolist() == []
    assert gap_rows(days[:2], Clock("D")).tolist() == []


def test_examples_are_the_best_typical_and_worst_with_their_lookback() -> None:
    forecasts, past = tables(np.arange(40.0), n=10, horizon=2)
    forecasts["stacked-lstm"] = forecasts["y"] + np.repeat([5, 5, 9, 5, 5, 5, 0.5, 5, 5, 5], 2)
    figure = plot_examples(forecasts, past, "", LABELS, 60)
    titles = [axes.get_title("left") for axes in figure.axes]
    # Windows are made at months 28 … 37 of a series that begins in January 2000.
    assert titles[0] == "best: from 2002-11-01, MAE 0.500 °C"
    assert [title.split(":")[0] for title in titles[1:-1]] == ["typical"] * 4
    assert titles[-1] == "worst: from 2002-07-01, MAE 9.00 °C"
    assert values(figure.axes[-1], "stacked LSTM") == [31 + 9, 32 + 9]
    assert values(figure.axes[-1], "observed") == list(range(7, 33))  # 24 of the 60 steps of lookback, and 2 ahead
    assert "the last 24 of the 60 months" in words(figure)
    assert "from 10 by" in words(figure)


def test_error_by_step() -> None:
    figure = plot_error_by_step({"stacked-lstm": [1, 2, 4], "rnn": [2, None, 5], "drift": [np.nan] * 3}, LABELS)
    (axes,) = figure.axes
    assert values(axes, "stacked LSTM") == [1, 2, 4]
    assert curve(axes, "stacked LSTM").get_xdata().tolist() == [1, 2, 3]
    assert values(axes, "vanilla RNN") == [2, 5]
    assert legend(figure) == ["stacked LSTM", "vanilla RNN", "drift"]
    assert (axes.get_ylim()[0], axes.get_xlabel()) == (0, "months ahead")
    assert axes.get_ylabel() == "mean absolute error (°C)"
    to_png(figure)
    assert [tick for tick in axes.get_xticks() if 0.5 <= tick <= 3.5] == [1, 2, 3]


def test_training_marks_the_epoch_that_was_kept() -> None:
    histories = {"stacked-lstm": epochs([8, 2, 3]), "rnn": epochs([8, 0.5, 1])}
    figure = plot_training(histories, {"stacked-lstm": 3, "rnn": 2}, LABELS)
    (axes,) = figure.axes
    assert values(axes, "stacked LSTM, validation (kept: epoch 3)") == [8, 2, 3]
    assert values(axes, "vanilla RNN, validation (kept: epoch 2)") == [8, 0.5, 1]
    assert values(axes, "stacked LSTM, training") == [4, 1, 1.5]
    assert marked(axes) == {(3, 3), (2, 0.5)}
    assert axes.get_ylabel() == "mean absolute error (°C), logarithmic"


def test_the_baselines_square_does_not_hide_the_marker_of_the_model() -> None:
    figure = plot_training(
        {"stacked-lstm": epochs([8, 2]), "rnn": epochs([8, 2])}, {"stacked-lstm": 2, "rnn": 2}, LABELS
    )
    model, baseline = (line for line in figure.axes[0].get_lines() if line.get_markersize() >= 9)
    assert model.get_zorder() > baseline.get_zorder()
    assert model.get_markersize() < baseline.get_markersize()


def test_training_marks_no_epoch_where_none_was_kept() -> None:
    figure = plot_training({"rnn": epochs([3, 2])}, {"rnn": 0}, LABELS)
    assert legend(figure) == ["vanilla RNN, validation (no epoch was kept)", "vanilla RNN, training"]
    assert not marked(figure.axes[0])
    assert "no epoch was better" in " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")


def test_training_without_validation_is_drawn() -> None:
    assert plot_training({"rnn": epochs([0, 0])}, {"rnn": 1}, LABELS).axes[0].get_yscale() == "linear"
    unjudged = plot_training({"stacked-lstm": epochs([np.nan]).assign(mae=1.0)}, {"stacked-lstm": 1}, LABELS)
    assert legend(unjudged) == ["stacked LSTM, training"]


def marked(axes: Axes) -> set[tuple[float, float]]:
    """Where the large markers are."""
    large = [line for line in axes.get_lines() if line.get_markersize() >= 9]
    return {(x, y) for line in large for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)}


def test_newest_forecast_follows_the_last_of_its_lookback() -> None:
    forecasts, past = tables(np.arange(60.0), n=1, horizon=2)
    figure = plot_forecast(past.iloc[:58], forecasts.drop(columns="y"), "", LABELS, 50, verdict="It may rise.")
    (axes,) = figure.axes
    assert values(axes, "observed") == list(range(22, 58))
    assert values(axes, "seasonal naive") == [58 + 4, 59 + 4]
    assert curve(axes, "drift").get_xdata().astype("datetime64[D]").astype(str).tolist() == ["2004-11-01", "2004-12-01"]
    assert axes.texts[0].get_text() == "the data end 2004-10-01 "
    assert words(figure).split("\n")[:2] == ["weather, temperature: the next 2 months", "It may rise."]
    assert "the last 36 of the 50 months" in words(figure)


def test_every_model_looks_the_same_on_every_plot() -> None:
    forecasts, past = tables(np.arange(60.0), n=5, horizon=3)
    for figure in every_plot(forecasts, past, LABELS)[:3]:
        assert curve(figure.axes[0], "stacked LSTM").get_color() == MODEL.color
        assert curve(figure.axes[0], "persistence").get_color() == NAIVE["persistence"].color
    alone = replace(LABELS, model="rnn", baseline=None)
    axes = plot_test_span(forecasts, "", alone).axes[0]
    assert [line.get_label() for line in axes.get_lines()] == ["observed", "vanilla RNN", "persistence"]
    assert curve(axes, "vanilla RNN").get_color() == MODEL.color


def test_hostile_names_are_shown_and_escaped() -> None:
    forecasts, past = tables(np.arange(60.0), n=5, horizon=3, uid=HOSTILE)
    forecasts = forecasts.rename(columns={"stacked-lstm": HOSTILE, "rnn": "__"})
    labels = Labels(HOSTILE + "\ud800", HOSTILE * 9, HOSTILE, Clock("15min"), HOSTILE, "__")
    for figure in every_plot(forecasts, past, labels, verdict=HOSTILE * 99):
        assert any(name.startswith("_Ba$$in <script>&\\x1b[") for name in legend(figure))
        assert any(name.startswith("__") for name in legend(figure))
        assert ink(figure) > 0
    svg = to_svg(figure)
    ElementTree.fromstring(svg)
    assert b"<script" not in svg


SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "constant": lambda t: np.full_like(t, 5.0),
    "zero": lambda t: np.zeros_like(t),
    "huge": lambda t: -1e12 * t,
    "tiny": lambda t: 1e-9 * np.sin(t),
    "narrow": lambda t: 1e9 + 1e-3 * t,
    "missing": lambda t: np.full_like(t, np.nan),
    "holes": lambda t: np.where(t % 7, t, np.nan),
    "infinite": lambda t: np.where(t % 50, t, np.inf),
}


@pytest.mark.parametrize(
    ("name", "n", "horizon"),
    [*((name, 300, 3) for name in SHAPES), *((name, 1, 1) for name in ("constant", "huge", "narrow", "missing"))],
)
def test_any_numbers_give_a_picture_in_which_nothing_overlaps(name: str, n: int, horizon: int) -> None:
    forecasts, past = tables(SHAPES[name](np.arange(400.0)), n=n, horizon=horizon, freq="h")
    labels, verdict = replace(LABELS, clock=Clock("h")), "word " * 40
    for figure in (
        plot_test_span(forecasts, "", labels, verdict=verdict),
        plot_examples(forecasts, past, "", labels, 36, verdict=verdict),
    ):
        assert ink(figure) > 0
        boxes = [box for axes in figure.axes if (box := axes.get_tightbbox()) is not None]
        (head,) = [entry.get_window_extent() for entry in figure.legends]
        assert max(box.y1 for box in boxes) <= head.y0
        assert min(text.get_window_extent().y0 for text in figure.texts) >= head.y1
        assert all(not a.padded(-2).overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
        assert max(text.get_window_extent().x1 for text in figure.texts) <= figure.bbox.x1


def ink(figure: PlotFigure) -> float:
    """How much the pixels of the lower half differ."""
    pixels = imread(io.BytesIO(to_png(figure)))
    assert pixels.shape == (715, 1300, 4)
    return float(pixels[360:, :, :3].std())


@pytest.mark.parametrize("size", [FILE, SCREEN, PHONE], ids=["file", "screen", "phone"])
@pytest.mark.parametrize(
    ("freq", "horizon", "level"),
    # Numbers of eight digits leave the least room; three digits are tried once.
    [("h", 24, 100.0), ("h", 24, 4e7), ("D", 7, 4e7), ("MS", 24, 4e7), ("15min", 96, 4e7)],
)
def test_nothing_is_cut_off_or_touches_in_any_size(freq: str, horizon: int, level: float, size: PageSize) -> None:
    forecasts, past = tables(level * (1 + np.arange(400.0) / 100), n=300 - horizon, horizon=horizon, freq=freq)
    labels = replace(LABELS, clock=Clock(freq))
    for figure in (
        plot_test_span(forecasts, "", labels, size=size),
        plot_examples(forecasts, past, "", labels, 36, size=size),
        plot_forecast(past, forecasts.tail(horizon), "", labels, 36, size=size),
    ):
        to_svg(figure)
        for axes in figure.axes:
            box = axes.get_tightbbox()
            assert box is not None
            assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
            dates = [text.get_window_extent() for text in axes.get_xticklabels() if text.get_text()]
            assert all(before.x1 < after.x0 for before, after in pairwise(dates))


@pytest.mark.parametrize("start", ["2001-01-24T01:00", "2001-01-31T13:07"])
def test_dates_fit_every_span(start: str) -> None:
    axes = PlotFigure().subplots()
    for seconds in np.geomspace(20, 3e9, 100):
        times = np.datetime64(start, "us") + np.array([0, int(seconds * 1e6)]).astype("timedelta64[us]")
        for ticks in (5, 8, 10):
            format_axes(axes, times, ticks)
            assert 1 <= len(axes.get_xticks()) <= ticks + 2
            apart = np.diff(axes.get_xticks())
            assert len(apart) == 0 or apart.min() > 0.6 * apart.max()  # the 31st does not touch the 1st


def test_same_numbers_give_the_same_bytes_and_leave_matplotlib_alone() -> None:
    before = dict(matplotlib.rcParams)
    forecasts, _ = tables(np.sin(np.arange(900.0)), n=600, horizon=12)
    png, svg = to_png(plot_test_span(forecasts, "", LABELS)), to_svg(plot_test_span(forecasts, "", LABELS))
    with matplotlib.rc_context({"lines.linewidth": 9, "text.usetex": True, "figure.facecolor": "red"}):
        assert to_png(plot_test_span(forecasts, "", LABELS)) == png
        assert to_svg(plot_test_span(forecasts, "", LABELS)) == svg
    assert dict(matplotlib.rcParams) == before


def test_no_window_system_is_touched() -> None:
    code = "import sys, forecast.plots; assert not {'matplotlib.pyplot', 'tensorflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_of_forecasts_that_were_kept_in_part_the_plot_says_how_far_they_are_apart() -> None:
    forecasts, _ = tables(np.arange(80.0), n=40, horizon=1, freq="D")
    figure = plot_test_span(forecasts.iloc[::2], "", replace(LABELS, clock=Clock("D")))
    assert words(figure) == "weather, temperature: forecasts of 1 day, one made every 2 days"
    drawn = np.asarray(curve(figure.axes[0], "stacked LSTM").get_ydata(), float)
    assert np.isfinite(drawn).all()  # joined, and not broken into dots
