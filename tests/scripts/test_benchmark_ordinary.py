"""The comparison of ordinary use: what its table marks, and exponential smoothing at the same cut-offs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import benchmark_ordinary as benchmark
import forecast
from forecast import Settings


def test_the_validation_span_chooses_and_the_test_span_is_reported() -> None:
    validation = dict(zip(benchmark.PRESETS, (3.0, 2.0, 2.5, 4.0, 5.0), strict=True))
    records: list[dict[str, object]] = [
        {"series": "WTI", "model": model, "validation_mae": error, "test_mae": 10 - error}
        for model, error in validation.items()
    ]
    records += [{"series": "WTI", "model": model, "test_mae": 9.0} for model in (benchmark.TWIN, *benchmark.NAIVE)]
    records.append({"series": "WTI", "model": "ets", "test_mae": 8.0, "default_there": 7.5})
    head, _, row = benchmark.table(records).splitlines()
    assert head.startswith("| series | segment-lstm | lstm | stacked-lstm | gru | rnn | rnn in its design |")
    assert row == "| WTI | 3 / 7 | 2 / 8 * | 2.5 / 7.5 | 4 / 6 | 5 / 5 | 9 | 9 | 9 | 8 (7.5) |"


@pytest.mark.usefixtures("no_plots")
def test_ets_forecasts_the_same_windows(tmp_path: Path, monthly: pd.DataFrame, tiny: Callable[..., Settings]) -> None:
    settings = tiny(model="segment-lstm", segment=3, baseline=False, season=12, test=0.08)
    panel = forecast.read(monthly)
    run = forecast.train(panel, settings, run="months", runs_dir=tmp_path)
    record = benchmark._ets("months", panel, run)
    scored = run.test_forecasts
    assert record["n_windows"] == scored["cutoff"].nunique()
    ours = (scored["segment-lstm"] - scored["y"]).abs().mean()
    assert record["default_there"] == pytest.approx(ours, rel=1e-6)
    naive = (scored["persistence"] - scored["y"]).abs().mean()
    assert 0 < float(str(record["test_mae"])) < naive  # it finds the yearly cycle
    assert np.isfinite(float(str(record["test_mae"])))
