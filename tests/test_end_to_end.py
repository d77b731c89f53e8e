"""The whole program on series whose best possible forecast is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import Settings

pytestmark = pytest.mark.usefixtures("no_plots")


@pytest.mark.parametrize("seed", range(3))
def test_no_skill_is_claimed_on_a_random_walk(tmp_path: Path, tiny: Callable[..., Settings], seed: int) -> None:
    # Nothing beats the last value of a random walk; who claims to has seen the future, or luck.
    steps = np.random.default_rng(seed).normal(size=500)
    days = pd.date_range("2000-01-01", periods=500, freq="D")
    walk = pd.DataFrame({"ds": days, "y": 100 + np.cumsum(steps)})
    config = tiny(normalise="last", epochs=6, batch_size=32, learning_rate=0.01, baseline=False, seed=seed)
    metrics = forecast.train(walk, config, run="walk", runs_dir=tmp_path).metrics
    assert metrics["verdict"].startswith(("No evidence that lstm beats the last value", "lstm is worse than"))
    assert metrics["skill"]["persistence"] < 0.05


def test_the_skill_on_a_season_with_noise_is_nearly_all_there_is(tmp_path: Path, tiny: Callable[..., Settings]) -> None:
    rng = np.random.default_rng(0)
    hours = np.arange(720)
    y = 10 + 5 * np.sin(2 * np.pi * hours / 24) + rng.normal(0, 1, 720)
    series = pd.DataFrame({"ds": pd.date_range("2000-01-01", periods=720, freq="h"), "y": y})
    config = tiny(lookback=24, horizon=6, epochs=15, batch_size=32, learning_rate=0.01, baseline=False)
    metrics = forecast.train(series, config, run="season", runs_dir=tmp_path).metrics
    # Nothing can beat the mean of each hour here; the seasonal naive, which repeats the noise of a day ago, is beaten.
    assert metrics["verdict"].startswith("No evidence that lstm beats the seasonal mean")
    assert metrics["p_value"]["seasonal-naive"] < 0.001
    # The noise of one value is what the best forecast errs by: sqrt(2 / π). The seasonal naive has the noise of two.
    assert 0.75 < metrics["models"]["lstm"]["mae"] < 0.9
    assert 1.0 < metrics["models"]["seasonal-naive"]["mae"] < 1.25
    assert 0.2 < metrics["skill"]["seasonal-naive"] < 1 - 1 / np.sqrt(2) + 0.03
    assert metrics["skill"]["persistence"] > 0.6
