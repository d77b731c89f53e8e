"""Darts' BlockRNNModel with one LSTM layer. Runs in the environment of peers.txt."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import darts
import numpy as np
import pandas as pd
import torch
from darts.models import BlockRNNModel
from darts.utils.data import SequentialTorchInferenceDataset
from numpy.typing import NDArray
from pytorch_lightning import Callback, Trainer

from contenders.contest import NEWEST, SCORED_AT_ONCE, TIME, Contest, Log, main

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
warnings.filterwarnings("ignore")  # Lightning's advice about workers: here they are slower than none

QUIET = {"accelerator": "cpu", "enable_progress_bar": False, "logger": False, "enable_model_summary": False}


class DartsRNN:
    """See `contest.Contender`."""

    def train(self, contest: Contest, epochs: int, log: Log) -> None:
        """Adam with Darts' own rate, on the mean absolute error."""
        self.contest = contest
        n_windows = len(contest.starts("train"))

        class Note(Callback):  # type: ignore[misc]
            def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
                log.epoch(n_windows, copy.deepcopy(module.state_dict()))

        self.model = BlockRNNModel(
            input_chunk_length=contest.lookback,
            output_chunk_length=contest.horizon,
            model="LSTM",
            hidden_dim=contest.units,
            n_rnn_layers=1,
            batch_size=contest.batch_size,
            loss_fn=torch.nn.L1Loss(),
            random_state=contest.seed,
            pl_trainer_kwargs=QUIET,
        )
        # A trainer apart, because what the model is given it would keep and save.
        trainer = Trainer(max_epochs=epochs, callbacks=[Note()], enable_checkpointing=False, **QUIET)
        self.model.fit(**self._series("train"), trainer=trainer)

    def _series(self, part: str) -> dict[str, Any]:
        """The rows of a part as Darts takes them."""
        rows = self.contest.rows(part)
        frame = pd.DataFrame(
            self.contest.values[rows], pd.DatetimeIndex(self.contest.times[rows]), list(self.contest.columns)
        )
        return series_of(frame)

    def set_weights(self, weights: Any) -> None:
        """Put them into the module."""
        self.model.model.load_state_dict(weights)

    def forecaster(self, part: str) -> Callable[[], NDArray[np.floating]]:
        """By the way that makes no series of each forecast, which is Darts' fastest."""
        lookback, horizon = self.contest.lookback, self.contest.horizon
        dataset = SequentialTorchInferenceDataset(
            **self._series(part),
            n=horizon,
            stride=1,
            bounds=np.array([[lookback, lookback + len(self.contest.starts(part)) - 1]]),
            input_chunk_length=lookback,
            output_chunk_length=horizon,
        )

        def forecast() -> NDArray[np.floating]:
            predict = self.model.predict_from_dataset
            found = predict(horizon, dataset, batch_size=SCORED_AT_ONCE, values_only=True, verbose=False)
            return found[0][:, :, 0, 0]

        return forecast

    def save(self) -> None:
        """In Darts' own format."""
        self.model.save(str(self.contest.folder / "darts.pt"))

    def facts(self) -> dict[str, Any]:
        """Versions and parameters."""
        parameters = sum(weights.numel() for weights in self.model.model.parameters())
        return {"parameters": parameters, "versions": {"darts": darts.__version__, "torch": torch.__version__}}


def series_of(frame: pd.DataFrame) -> dict[str, Any]:
    """The target, the first column, and what else there is, as Darts takes them."""
    series = {"series": darts.TimeSeries.from_dataframe(frame.iloc[:, [0]])}
    if frame.shape[1] > 1:
        series["past_covariates"] = darts.TimeSeries.from_dataframe(frame.iloc[:, 1:])
    return series


def forecast_newest(contest: Contest) -> Sequence[float]:
    """Load, read, forecast."""
    model = BlockRNNModel.load(str(contest.folder / "darts.pt"), pl_trainer_kwargs=QUIET)
    frame = pd.read_csv(contest.folder / NEWEST, index_col=TIME, parse_dates=True).astype(np.float32)
    return model.predict(model.output_chunk_length, **series_of(frame), verbose=False).values()[:, 0]


if __name__ == "__main__":
    main(DartsRNN(), forecast_newest)
