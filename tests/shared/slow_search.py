"""A search for the tests of engines, whose trainings are a stand-in: seconds in which nothing is computed."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import forecast
from forecast.choices.defaults import resolve
from forecast.commands.tune import trial
from forecast.commands.tune.folds import has_room, rolling_folds, without_test
from forecast.commands.tune.search import Search
from forecast.commands.tune.space import space_of
from forecast.data.windows import Forecaster, Ints
from forecast.model import TrainingContext
from forecast.progress import Epoch, TrainingState

EPOCHS, SECONDS = 8, 0.5


def fit(context: TrainingContext, naive_error: object) -> dict[str, Any]:
    """Stands in for `fit_networks`; the error follows from the learning rate."""
    training = SimpleNamespace(unit="", steps_per_epoch=1, last_epoch=EPOCHS, epoch=1, state=TrainingState())
    context.progress.started("model", training)
    rows, data = context.prepared.rows, context.prepared.config.data
    error = context.prepared.config.training.learning_rate * 100
    for number in range(EPOCHS):
        time.sleep(SECONDS)
        training.state.history.append(Epoch(number + 1, 1, 0.1, 1.0, 1.0, 1.0, error))
        context.progress.step(training)
    context.progress.ended("model", training)

    def forecaster(starts: Ints) -> Any:
        last = rows.filled_at(starts + data.lookback - 1)[:, None]
        return np.repeat(last, data.horizon, axis=1) + error

    def over(rows: object) -> Forecaster:
        return forecaster

    return {"model": SimpleNamespace(over=over)}


class SlowSearch(Search):
    """A search with such trainings, wherever a worker receives it."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        vars(trial)["fit_networks"] = fit


def slow_search(source: Path, folder: Path, address: str) -> SlowSearch:
    """One over a file of rows, in a storage."""
    asked = forecast.configure({"epochs": EPOCHS, "lookback": 12, "horizon": 3})
    panel = forecast.read(source, asked.read)
    config, _ = resolve(asked, panel)
    hidden = without_test(panel, config)
    folds = rolling_folds(hidden, config, 1)
    space = space_of(config, asked, {"lookback"}, partial(has_room, folds))
    return SlowSearch(folder, address, "months", hidden, config, asked, space, 1)
