"""The plots of a run: `PLOTS`, the list of them, what each needs of a run, and the files that are drawn from it.

Every function that draws one takes the ``labels`` of what is drawn, a ``verdict``, which is one sentence on what the
plot shows, and the ``size`` of the space that it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from forecast.data.prepare import Rows
from forecast.plots.data_plot import plot_data
from forecast.plots.error_plots import (
    plot_coverage,
    plot_error_by_clock,
    plot_error_by_step,
    plot_reliability,
    plot_residuals,
)
from forecast.plots.figure import FILE, PlotFigure, to_png
from forecast.plots.forecast_plots import plot_examples, plot_forecast, plot_test_span
from forecast.plots.results import PlottedSeries, RunResults, labels_of, observed_series, on_axis, plotted_series
from forecast.plots.selection import origin_spacing
from forecast.plots.training_plot import plot_training


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

    def of_run(self, run: RunResults) -> Iterator[tuple[PlottedSeries | None, Callable[..., PlotFigure]]]:
        """What draws each figure of a run in a ``size``, with its series and target; None where it pools them."""
        by_series = any(name in OF_SERIES for name in self.needs)
        for series in run.plotted_series if by_series else [None]:
            arguments = [
                OF_RUN[name](run) if series is None or name in OF_RUN else OF_SERIES[name](run, series)
                for name in self.needs
            ]
            if all(argument is not None for argument in arguments):
                yield series, partial(self.function, *arguments, verdict=run.metrics["verdict"])


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
        f"{plot.number}-{name}{series.suffix if series else ''}.png": to_png(drawn(size=FILE))
        for series, drawn in plot.of_run(run)
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


def _kept_epochs(run: RunResults) -> dict[str, int]:
    """By a network's column, the epoch whose weights were kept; of an ensemble its first member's, as of histories."""
    columns = {"model": run.model, "baseline": "rnn"}
    return {columns[name]: outcome["best_epochs"][0] for name, outcome in run.manifest["networks"].items()}


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
    "kept epochs": _kept_epochs,  # 0 where none was better than the start
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
    "training": Plot(4, "training", plot_training, ("histories", "kept epochs", "pooled labels", "history measure")),
    "data": Plot(None, "data", plot_data, ("rows", "plotted series", "split", "pooled labels")),
}
