"""This program, by way of `forecast.train`, with the network of the peers; `contenders.default` has its own default."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

import forecast
from contenders.contest import RUN, RUNS, Contest, Log, main
from forecast.data.prepare import forecasts_in_units
from forecast.model import Model
from forecast.models.backends.keras import gather
from forecast.progress import NullProgress, Training
from forecast.training.trainer import Fit
from forecast.version import versions_of

# The network of the peers: each step is fed to the cell, one dense layer maps the last state to the horizon.
SAME = {"model": "lstm", "segment": 1, "decode": "direct", "normalise": "none", "calendar": False, "limits": "none"}

STEPS_OF_INPUT = 200


def asked(contest: Contest, epochs: int, default: bool) -> tuple[forecast.Panel, dict[str, object]]:
    """The rows of a contest, and the settings: those of the default recipe, or of the peers' network and epochs."""
    times = contest.times
    panel = forecast.Panel(contest.values.astype(np.float64), times, contest.columns, forecast.Clock("h"))
    settings: dict[str, object] = {
        "target": contest.columns[0],
        "horizon": contest.horizon,
        "validation_from": str(times[contest.validation_from]),
        "test_from": str(times[contest.test_from]),
        "baseline": False,
        "seed": contest.seed,
    }
    same_network = {
        **SAME,
        "covariates": contest.columns[1:],
        "lookback": contest.lookback,
        "units": contest.units,
        "batch_size": contest.batch_size,
        "epochs": epochs,
        "steps_per_epoch": -(-len(contest.starts("train")) // contest.batch_size),
        "patience": epochs,
    }
    return panel, settings if default else settings | same_network


class Epochs(NullProgress):
    """Notes each epoch in the log. Between its first and its last step there is no validation and no checkpoint.

    Args:
        log: Where.
    """

    def __init__(self, log: Log) -> None:
        self.log = log
        self.fit: Fit | None = None
        self._began = self._learned = 0.0

    def step(self, fit: Training) -> None:
        """Note the time of the first and of the last step, and then the best weights so far."""
        assert isinstance(fit, Fit)
        self.fit = fit
        place = fit.state.step % fit.steps_per_epoch
        now = time.perf_counter()
        if place == 1:
            self._began = now
        elif place == fit.steps_per_epoch - 1:
            self._learned = now - self._began
        elif place == 0:
            windows = (fit.steps_per_epoch - 2) * fit.order.batch_size
            self.log.epoch(windows, [array.copy() for array in fit.best], self._learned)


class Product:
    """See `contest.Contender`.

    Args:
        default: Train the default model with the default recipe, and not the peers' network for so many epochs.
    """

    def __init__(self, default: bool) -> None:
        self.default = default

    def train(self, contest: Contest, epochs: int, log: Log) -> None:
        """Train by the public way, which also judges, draws, and leaves a run."""
        self.log = log
        panel, settings = asked(contest, epochs, self.default)
        progress = Epochs(log)
        name, folder = "default" if self.default else RUN, contest.folder / RUNS
        self.run = forecast.train(panel, settings, run=name, runs_dir=folder, overwrite=True, progress=progress)
        assert progress.fit is not None
        self.fit = progress.fit
        self.prepared = forecast.prepare(panel, self.run.config)

    def set_weights(self, weights: Any) -> None:
        """Put them into the network that is scored."""
        for variable, value in zip(self.fit.scored.trainable_variables, weights, strict=True):
            variable.assign(value)

    def forecaster(self, part: str) -> Callable[[], NDArray[np.floating]]:
        """Test windows by the network as `forecast evaluate` opens it, others by the one whose weights can be set."""
        rows, starts = self.prepared.rows, getattr(self.prepared, part).starts
        if part == "test":
            forecaster = Model.load(self.run).over(rows)
            return lambda: forecaster(starts)[:, :, 0]
        runtime = self.fit.runtime
        return lambda: forecasts_in_units(runtime.forecast(rows, starts), rows, starts)[:, :, 0]

    def save(self) -> None:
        """Nothing: the run is there."""

    def facts(self) -> dict[str, Any]:
        """Versions, parameters, and the share of a step that is spent on making its batch."""
        versions = versions_of("tensorflow")
        parameters = self.fit.scored.count_params()
        return {"parameters": parameters, "versions": versions, "input_share": self._input_share()}

    def _input_share(self) -> float:
        """Choosing and gathering a batch by itself, which it never is in a step, over a step: an upper bound."""
        fit, rows = self.fit, self.prepared.rows
        began = time.perf_counter()
        for step in range(STEPS_OF_INPUT):
            gather(rows, fit.order.starts(step), fit.shape)
        seconds = (time.perf_counter() - began) / STEPS_OF_INPUT
        return seconds * median(self.log.rates) / fit.order.batch_size


if __name__ == "__main__":
    main(Product(default=False))
