"""The simulation of verdicts: its series, and that it counts what is said."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import simulate_verdicts


def test_the_series_are_what_they_are_called() -> None:
    rng = np.random.default_rng(0)
    walk = simulate_verdicts.walk(rng, 5000)
    assert abs(np.corrcoef(np.diff(walk)[1:], np.diff(walk)[:-1])[0, 1]) < 0.05
    seasonal = simulate_verdicts.seasonal(rng, 4800)
    by_hour = seasonal.reshape(-1, 24).mean(axis=0)
    assert np.ptp(by_hour) > 1.5


def test_claims_are_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def train(rows: pd.DataFrame, *_: object, **__: object) -> SimpleNamespace:
        skilful = rows["y"].max() < 60  # a walk of these seeds stays above
        said = (
            "segment-lstm beats the last value." if skilful else "No evidence that segment-lstm beats the last value."
        )
        return SimpleNamespace(metrics={"verdict": said})

    monkeypatch.setattr("forecast.train", train)
    monkeypatch.setattr(sys, "argv", ["simulate_verdicts.py", "--series", "3", "--rows", "200"])
    simulate_verdicts.main()
    printed = capsys.readouterr().out
    assert "random walk: skill is claimed 0 times of 3" in printed
    assert "season and noise: skill is claimed 3 times of 3" in printed
