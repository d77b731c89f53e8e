"""A small training, and what it comes to if nothing happens."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from injection import CONFIG, results, train, without_plots


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A series and an old run of it."""
    folder = tmp_path_factory.mktemp("start")
    months = np.arange(80)
    y = 20 + 5 * np.sin(2 * np.pi * months / 12) + np.random.default_rng(0).normal(0, 0.5, 80)
    frame = pd.DataFrame({"ds": pd.date_range("1990-01-01", periods=80, freq="MS"), "y": y})
    frame.to_csv(folder / "rows.csv", index=False)
    later = pd.DataFrame({"ds": pd.date_range("1990-01-01", periods=100, freq="MS"), "y": np.resize(y, 100)})
    later.to_csv(folder / "newer.csv", index=False)
    with without_plots():
        old = {**CONFIG, "epochs": 1, "seed": 1}
        forecast.train(folder / "rows.csv", old, run="run", runs_dir=folder / "runs")
    return folder


@pytest.fixture
def folder(start: Path, tmp_path: Path) -> Path:
    """A copy of the start."""
    return Path(shutil.copytree(start, tmp_path / "copy"))


@pytest.fixture(scope="session")
def uninterrupted(start: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the training comes to if nothing happens."""
    with without_plots():
        return results(train(Path(shutil.copytree(start, tmp_path_factory.mktemp("uninterrupted") / "copy"))))
