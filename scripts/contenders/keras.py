"""The plain Keras recipe: `timeseries_dataset_from_array`, an LSTM, a dense layer, `fit`; as its tutorials have it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from contenders.contest import NEWEST, SCORED_AT_ONCE, TIME, Contest, Log, main


class KerasRecipe:
    """See `contest.Contender`."""

    def train(self, contest: Contest, epochs: int, log: Log) -> None:
        """Adam with Keras's own rate, on the mean absolute error."""
        keras.utils.set_random_seed(contest.seed)
        self.contest = contest
        dataset = self._windows("train", contest.batch_size, shuffle=True, seed=contest.seed)
        inputs = keras.Input((contest.lookback, contest.values.shape[1]))
        self.model = keras.Model(inputs, keras.layers.Dense(contest.horizon)(keras.layers.LSTM(contest.units)(inputs)))
        self.model.compile(optimizer=keras.optimizers.Adam(), loss="mae")
        n_windows = len(contest.starts("train"))
        note = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: log.epoch(n_windows, self.model.get_weights()))
        self.model.fit(dataset, epochs=epochs, callbacks=[note], verbose=0)

    def _windows(self, part: str, batch_size: int, **learning: Any) -> Any:
        contest = self.contest
        rows = contest.values[contest.rows(part)][: -contest.horizon]
        targets = contest.future(part) if learning else None
        return keras.utils.timeseries_dataset_from_array(
            rows, targets, contest.lookback, batch_size=batch_size, **learning
        )

    def set_weights(self, weights: Any) -> None:
        """Put them into the model."""
        self.model.set_weights(weights)

    def forecaster(self, part: str) -> Callable[[], NDArray[np.floating]]:
        """By `predict` over large batches."""
        windows = self._windows(part, SCORED_AT_ONCE)
        return lambda: self.model.predict(windows, verbose=0)

    def save(self) -> None:
        """In Keras's own format."""
        self.model.save(self.contest.folder / "model.keras")

    def facts(self) -> dict[str, Any]:
        """Versions and parameters."""
        versions = {"keras": keras.__version__, "tensorflow": tf.__version__}
        return {"parameters": self.model.count_params(), "versions": versions}


def forecast_newest(contest: Contest) -> Sequence[float]:
    """Load, read, forecast."""
    model = keras.saving.load_model(contest.folder / "model.keras")
    newest = pd.read_csv(contest.folder / NEWEST, index_col=TIME)[list(contest.columns)].to_numpy(np.float32)
    return model.predict(newest[None, -contest.lookback :], verbose=0)[0]


if __name__ == "__main__":
    main(KerasRecipe(), forecast_newest)
