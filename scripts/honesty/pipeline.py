"""The way of series through the product, without its files and plots: from rows to scores, intervals and a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecast.choices.defaults import resolve
from forecast.commands.train.networks import fit_without_saving
from forecast.data.clock import Clock
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Prepared, Rows, arrange, encode, forecasts_in_units, prepare, windows_of
from forecast.data.windows import Forecaster, Ints
from forecast.evaluation.calibrating import calibrate_intervals
from forecast.evaluation.scoring import Evaluation, score_models
from forecast.evaluation.yardstick import naive_errors
from forecast.model import forecasters
from forecast.models.catalogue import configure
from forecast.progress import NullProgress

# Windows that a skill on later rows is measured on: more of them overlap, and tell little more.
_LATER_WINDOWS = 250

# What the forecasts of a linear map are called.
LINEAR = "linear map"

# Fits on the training rows; returns the forecasters, by name, of any rows of the same series.
Fit = Callable[[Prepared], Callable[[Rows], Mapping[str, Forecaster]]]


def panel_of(series: Sequence[Floats], freq: str) -> Panel:
    """A panel of series of the same length, [T] each, with one column."""
    times = pd.date_range("1970-01-01", periods=len(series[0]), freq=freq).to_numpy()
    return Panel(
        values=np.concatenate(series)[:, None],
        times=np.tile(times, len(series)),
        columns=("y",),
        clock=Clock(freq),
        series_ids=tuple(f"series {number}" for number in range(1, len(series) + 1)) if len(series) > 1 else ("",),
        offsets=tuple(range(0, (len(series) + 1) * len(times), len(times))),
        default_target="y",
    )


@dataclass(frozen=True)
class Fitted:
    """Forecasters that were fitted on the training rows of a panel.

    Args:
        prepared: The rows and their parts.
        of: The forecasters of any rows of the same series.
    """

    prepared: Prepared
    of: Callable[[Rows], Mapping[str, Forecaster]]

    def judge(self) -> Evaluation:
        """Scores, verdict and intervals on the test span, as in a run."""
        prepared, rows, season = self.prepared, self.prepared.rows, self.prepared.config.data.season
        models = self.of(rows)
        errors = naive_errors(rows, prepared.training_rows, season)
        intervals = calibrate_intervals(rows, prepared.validation, models, prepared.config, errors)
        return score_models(rows, prepared.test, models, season, errors, intervals)

    def skill_on(self, panel: Panel) -> Mapping[str, float]:
        """The skill by reference on the rows that a longer panel has after those that were seen."""
        prepared, data = self.prepared, self.prepared.config.data
        rows = encode(arrange(panel, data), data, prepared.scaler)
        later = windows_of(rows, rows.panel.times > prepared.rows.panel.times.max(), data).subsample(_LATER_WINDOWS)
        errors = naive_errors(prepared.rows, prepared.training_rows, data.season)
        skill: dict[str, float] = score_models(rows, later, self.of(rows), data.season, errors).metrics["skill"]
        return skill


def fit(panel: Panel, settings: Mapping[str, object], how: Fit) -> Fitted:
    """Fit on the training rows of a panel, with the product's defaults where the settings are silent."""
    prepared = prepare(panel, resolve(configure(dict(settings)), panel)[0])
    return Fitted(prepared, how(prepared))


def network(prepared: Prepared) -> Callable[[Rows], Mapping[str, Forecaster]]:
    """The network of the configuration, trained."""
    errors = naive_errors(prepared.rows, prepared.training_rows, prepared.config.data.season)
    models = fit_without_saving(prepared, errors, NullProgress())
    return lambda rows: forecasters({model.name: model for model in models.values()}, rows)


def linear_map(prepared: Prepared) -> Callable[[Rows], Mapping[str, Forecaster]]:
    """From a window to its horizon, both counted from the last value, by ridge regression: fitted in milliseconds."""
    train = prepared.train

    def windows(rows: Rows, starts: Ints, first: int, count: int) -> Floats:
        scaled = rows.scaled[starts[:, None] + np.arange(first, first + count), 0].astype(np.float64)
        return scaled - rows.scaled[starts + train.lookback - 1, :1]

    past = windows(prepared.rows, train.starts, 0, train.lookback)
    future = windows(prepared.rows, train.starts, train.lookback, train.horizon)
    centre, middle = past.mean(axis=0), future.mean(axis=0)
    penalty = np.eye(train.lookback) * past.var() * train.lookback
    weights = np.linalg.solve((past - centre).T @ (past - centre) + penalty, (past - centre).T @ (future - middle))

    def forecaster(rows: Rows) -> Forecaster:
        def forecast(starts: Ints) -> Floats:
            ahead = (windows(rows, starts, 0, train.lookback) - centre) @ weights + middle
            scaled = ahead + rows.scaled[starts + train.lookback - 1, :1]
            return forecasts_in_units(scaled[..., None], rows, starts)

        return forecast

    return lambda rows: {LINEAR: forecaster(rows)}
