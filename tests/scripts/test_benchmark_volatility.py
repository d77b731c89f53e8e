"""The benchmark of volatilities: both forecasts of the same days, the log-HAR by the published protocol."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import benchmark_volatility as benchmark

FIRST = 300


@pytest.fixture(scope="module")
def variances() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.exp(np.convolve(rng.normal(0, 0.4, 420), 0.9 ** np.arange(30))[:420])


def test_the_log_har_is_fitted_to_outcomes_that_each_day_knows(variances: np.ndarray) -> None:
    logs, day, horizon, window = np.log(variances), 330, 5, 200
    x, y = [], []
    for t in range(day - horizon - window + 1, day - horizon + 1):
        x.append([1, logs[t], logs[t - 4 : t + 1].mean(), logs[t - 21 : t + 1].mean()])
        y.append(np.log(variances[t + 1 : t + horizon + 1].mean()))
    weights = np.linalg.lstsq(np.array(x), np.array(y), rcond=None)[0]
    now = [1, logs[day], logs[day - 4 : day + 1].mean(), logs[day - 21 : day + 1].mean()]
    expected = np.exp(now @ weights + np.var(y - np.array(x) @ weights) / 2)
    later = variances.copy()
    later[day + 1 :] = 99
    for known in (variances, later):
        found = benchmark.log_har(known, horizon, np.array([day]), window)
        assert found[0] == pytest.approx(expected, rel=1e-9)


def perfect(rows: pd.DataFrame, settings: dict[str, Any], refit: int) -> SimpleNamespace:
    """A backtest whose network knows the future; its log-HAR is wrong by a tenth."""
    first, y = int(settings["test_from"]) - 1, rows["variance"].to_numpy()
    cutoffs, steps = np.arange(first, len(y) - 22), np.arange(1, 23)
    ds = (cutoffs[:, None] + steps).ravel()
    frame = pd.DataFrame({"ds": ds, "cutoff": np.repeat(cutoffs, 22), "y": y[ds]})
    frame = frame.assign(lstm=frame["y"], **{"log-har": 1.1 * frame["y"]})
    held = {level: {"coverage_by_step": list(range(22))} for level in ("80", "95")}
    return SimpleNamespace(forecasts=frame, metrics={"intervals": {"models": {"lstm": held}}, "verdict": "It wins."})


def test_both_forecast_the_same_days_and_what_is_there_is_not_computed_again(
    variances: np.ndarray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("forecast.backtest", perfect)
    line = benchmark.compared(variances, 0, FIRST, 250)
    assert line["n"] == 420 - FIRST - 22 + 1
    for horizon, scores in line["scores"].items():
        assert scores["lstm"] == {"qlike": 0, "mse": 0}
        assert scores["log-HAR, fitted as the network"]["qlike"] == pytest.approx(1 / 1.1 - np.log(1 / 1.1) - 1)
        days = np.arange(FIRST - 1, 420 - 22)
        y = np.array([variances[day + 1 : day + 1 + int(horizon)].mean() for day in days])
        error = benchmark.log_har(variances, int(horizon), days, 250) - y
        assert scores["log-HAR"]["mse"] == pytest.approx(np.mean(error**2))
    assert line["held"] == {"80": [0, 4, 21], "95": [0, 4, 21]}
    assert "22 days: qlike 0.0000 (-100.0%)" in benchmark.show({"series": "a", "seed": 0} | line)
    results = tmp_path / "results.jsonl"
    keys = [(name, seed) for seed in benchmark.SEEDS for name in benchmark.SERIES]
    results.write_text("".join(json.dumps({"series": name, "seed": seed} | line) + "\n" for name, seed in keys))
    monkeypatch.setattr("sys.argv", ["benchmark", str(tmp_path), str(results)])
    benchmark.main()
    assert capsys.readouterr().out == ""
