"""A network that has not beaten the last value on the validation span repeats it, and says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import Run, Settings
from forecast.errors import ConfigError
from forecast.evaluation.significance import diebold_mariano
from recording import RecordingProgress

pytestmark = pytest.mark.usefixtures("plotless")


def walk() -> pd.DataFrame:
    """A random walk on days, of which nothing can be forecast."""
    y = 100 + np.random.default_rng(5).normal(size=500).cumsum()
    return pd.DataFrame({"ds": pd.date_range("2021-01-01", periods=500, freq="D"), "y": y})


def configured(**settings: object) -> Settings:
    small = {"units": 8, "epochs": 2, "lookback": 12, "horizon": 3, "fall_back": True}
    return forecast.configure({**small, **settings})


@pytest.fixture(scope="module")
def run(plotless: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return forecast.train(walk(), configured(refit=True, ensemble=2), run="walk", runs_dir=tmp_path_factory.mktemp("r"))


def test_on_a_random_walk_the_forecast_is_the_last_value(run: Run) -> None:
    columns = run.test_forecasts[["segment-lstm", "rnn"]].to_numpy()
    np.testing.assert_allclose(columns, run.test_forecasts[["persistence"] * 2].to_numpy(), rtol=1e-5)
    assert {network["fell_back"] for network in run.manifest["networks"].values()} == {True}


def test_the_scores_say_that_there_is_no_difference(run: Run) -> None:
    assert run.metrics["p_value"]["persistence"] == 1
    assert run.metrics["verdict"].startswith("No evidence that segment-lstm beats the last value (MAE 0.0% ")


def test_new_rows_get_their_last_value_too_and_nothing_is_refitted(run: Run) -> None:
    rows = walk()
    rows["y"] += np.linspace(0, 50, len(rows))
    np.testing.assert_allclose(forecast.predict(run, rows)["segment-lstm"], rows["y"].iloc[-1], rtol=1e-5)
    assert run.forecast_weights == "model"


def test_it_is_said_while_training(tmp_path: Path) -> None:
    progress = RecordingProgress()
    forecast.train(walk(), configured(), run="said", runs_dir=tmp_path, progress=progress)
    assert [text.split("(")[0] for text in progress.warnings] == [
        "on the validation span segment-lstm does not beat the last value ",
        "on the validation span rnn does not beat the last value ",
    ]


def test_a_network_that_has_learned_something_is_kept(tmp_path: Path) -> None:
    days = np.arange(500)
    y = 10 * np.sin(2 * np.pi * days / 7) + np.random.default_rng(6).normal(size=500)
    weekly = pd.DataFrame({"ds": pd.date_range("2021-01-01", periods=500, freq="D"), "y": y})
    settings = configured(lookback=14, epochs=15, learning_rate=0.01, baseline=False)
    run = forecast.train(weekly, settings, run="weekly", runs_dir=tmp_path)
    assert run.manifest["networks"]["model"]["fell_back"] is False
    assert run.metrics["skill"]["persistence"] > 0.5


@pytest.mark.parametrize("normalise", ["none", "standard", "seasonal", "smoothing"])
def test_there_must_be_a_last_value_to_fall_back_on(normalise: str) -> None:
    with pytest.raises(ConfigError, match=f"fall_back needs normalise = last or last-scaled, not {normalise}"):
        configured(normalise=normalise)


def test_what_float32_rounds_is_no_difference() -> None:
    reference = np.random.default_rng(7).random(100)
    assert diebold_mariano(reference * (1 + 1e-5), reference, 1) == 1
    assert diebold_mariano(reference * 1.01, reference, 1) < 0.001
