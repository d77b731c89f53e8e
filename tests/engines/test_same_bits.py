"""Networks trained by one worker, by two, and on a cluster are the same to the bit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import Run
from forecast.engines.pool import Pool
from forecast.engines.tasks import Engine

Work = Callable[[pd.DataFrame, Path, Engine], Any]

SMALL = {"lookback": 12, "horizon": 3, "model": "lstm", "units": 4, "epochs": 2, "steps_per_epoch": 4, "batch_size": 16}


@pytest.fixture(scope="module")
def monthly() -> pd.DataFrame:
    rows = np.arange(240)
    wave = np.sin(rows * np.pi / 6) + np.random.default_rng(1).normal(0, 0.1, len(rows))
    return pd.DataFrame({"ds": pd.date_range("2000-01-01", periods=len(rows), freq="MS"), "y": wave})


def digest(value: Any) -> str:
    """SHA-256 of all that does not tell how long something took."""
    if isinstance(value, Run):
        names = ("weights.npz", "calibration.npz", "test_forecasts.parquet", "forecast.csv")
        found = {
            path.relative_to(value.path): path.read_bytes()
            for path in sorted(value.path.rglob("*"))
            if path.name in names
        }
        assert len(found) >= 3
        return hashlib.sha256(repr(found).encode()).hexdigest()
    return hashlib.sha256(json.dumps(without_times(value), sort_keys=True, default=str).encode()).hexdigest()


def without_times(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: without_times(each) for key, each in value.items() if "seconds" not in key}
    return [without_times(each) for each in value] if isinstance(value, list) else value


def compared(rows: pd.DataFrame, folder: Path, by: Engine) -> Any:
    return forecast.compare(rows, "lstm", SMALL, seeds=2, classical_seconds=0, engine=by).summary


def backtested(rows: pd.DataFrame, folder: Path, by: Engine) -> Any:
    found = forecast.backtest(rows, SMALL | {"baseline": False}, windows=3, refit=1, engine=by)
    return [found.metrics, found.forecasts.to_json()]


def ensemble(rows: pd.DataFrame, folder: Path, by: Engine) -> Run:
    settings = SMALL | {"ensemble": 2, "baseline": False}
    return forecast.train(rows, settings, run="a", runs_dir=folder, draw=False, engine=by, overwrite=True)


def portfolio(rows: pd.DataFrame, folder: Path, by: Engine) -> Run:
    settings = SMALL | {"members": "gru,linear", "baseline": False}
    return forecast.train(rows, settings, run="b", runs_dir=folder, draw=False, engine=by, overwrite=True)


def thorough(work: Work) -> Any:
    return pytest.param(work, marks=pytest.mark.thorough)


@pytest.mark.parametrize("work", [ensemble, thorough(compared), thorough(backtested), thorough(portfolio)])
def test_two_workers_train_what_one_does(work: Work, monthly: pd.DataFrame, tmp_path: Path) -> None:
    digests = set()
    with Pool(1) as pool:
        for pool.workers in (1, 2):  # of which the first stays: it takes seconds to import TensorFlow
            digests.add(digest(work(monthly, tmp_path, pool)))
    assert len(digests) == 1
