"""NeuralForecast's LSTM with one layer and a linear decoder. Runs in the environment of peers.txt."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import neuralforecast
import numpy as np
import pandas as pd
import torch
from neuralforecast.losses.pytorch import MAE
from neuralforecast.models import LSTM
from neuralforecast.tsdataset import TimeSeriesDataset
from numpy.typing import NDArray
from pytorch_lightning import Callback

from contenders.contest import NEWEST, SCORED_AT_ONCE, TIME, Contest, Log, main

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
warnings.filterwarnings("ignore")  # Lightning's advice about workers: here they are slower than none

QUIET = {"accelerator": "cpu", "enable_progress_bar": False, "logger": False, "enable_model_summary": False}


class NeuralForecastLSTM:
    """See `contest.Contender`."""

    def train(self, contest: Contest, epochs: int, log: Log) -> None:
        """Adam with NeuralForecast's own rate. It draws windows at random: as many as there are make an epoch."""
        self.contest = contest
        steps = -(-len(contest.starts("train")) // contest.batch_size)

        class Note(Callback):  # type: ignore[misc]
            def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
                if trainer.global_step % steps == 0:
                    log.epoch(steps * contest.batch_size, copy.deepcopy(module.state_dict()))

        model = LSTM(
            h=contest.horizon,
            input_size=contest.lookback,
            encoder_n_layers=1,
            encoder_hidden_size=contest.units,
            decoder_layers=1,
            hist_exog_list=list(contest.columns[1:]) or None,
            loss=MAE(),
            max_steps=epochs * steps,
            windows_batch_size=contest.batch_size,
            inference_windows_batch_size=SCORED_AT_ONCE,
            training_data_availability_threshold=1.0,  # else windows that end after the last row count too
            scaler_type="identity",  # the rows are standardised
            random_seed=contest.seed,
            callbacks=[Note()],
            enable_checkpointing=False,
            **QUIET,
        )
        self.whole = neuralforecast.NeuralForecast(models=[model], freq="h")
        self.whole.fit(self._frame("train"))

    def _frame(self, part: str) -> pd.DataFrame:
        """The rows of a part as NeuralForecast takes them."""
        rows = self.contest.rows(part)
        frame = pd.DataFrame(self.contest.values[rows], columns=list(self.contest.columns))
        return long_format(frame.assign(ds=self.contest.times[rows]))

    @property
    def model(self) -> Any:
        """The trained model."""
        return self.whole.models[0]

    def set_weights(self, weights: Any) -> None:
        """Put them into the module."""
        self.model.load_state_dict(weights)

    def forecaster(self, part: str) -> Callable[[], NDArray[np.floating]]:
        """By `predict` over rolling windows, as its cross-validation does."""
        frame, horizon = self._frame(part), self.contest.horizon
        dataset = TimeSeriesDataset.from_df(frame)[0]

        def forecast() -> NDArray[np.floating]:
            self.model.set_test_size(len(frame) - self.contest.lookback)
            return np.asarray(self.model.predict(dataset, step_size=1)).reshape(-1, horizon)

        return forecast

    def save(self) -> None:
        """In NeuralForecast's own format."""
        self.model.trainer_kwargs.pop("callbacks")  # which belong to the benchmark
        self.whole.save(str(self.contest.folder / "neuralforecast"), save_dataset=False, overwrite=True)

    def facts(self) -> dict[str, Any]:
        """Versions and parameters."""
        parameters = sum(weights.numel() for weights in self.model.parameters())
        versions = {"neuralforecast": neuralforecast.__version__, "torch": torch.__version__}
        return {"parameters": parameters, "versions": versions}


def long_format(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns as NeuralForecast names them; the target is the first."""
    return frame.assign(unique_id="series").rename(columns={frame.columns.drop("ds")[0]: "y"})


def forecast_newest(contest: Contest) -> Sequence[float]:
    """Load, read, forecast."""
    whole = neuralforecast.NeuralForecast.load(str(contest.folder / "neuralforecast"))
    frame = pd.read_csv(contest.folder / NEWEST, parse_dates=[TIME]).rename(columns={TIME: "ds"})
    return whole.predict(long_format(frame))["LSTM"].tolist()


if __name__ == "__main__":
    main(NeuralForecastLSTM(), forecast_newest)
