"""Scores of a run: of its test span, and of rows that came later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import Result

import forecast
from forecast import ConfigError, DataError, Run, Settings
from recording import RecordingProgress


def test_scores_of_the_rows_it_was_trained_on_are_those_that_were_written(trained: Run, monthly_csv: Path) -> None:
    scored = forecast.evaluate(trained, monthly_csv)
    assert scored.keys() == trained.metrics.keys()
    assert scored["n_windows"] == 38
    for name, scores in trained.metrics["models"].items():
        assert {k: v for k, v in scored["models"][name].items() if v is not None} == pytest.approx(
            {k: v for k, v in scores.items() if v is not None}, rel=1e-6
        )
    for name, scores in trained.metrics["intervals"]["models"].items():
        found = scored["intervals"]["models"][name]["80"]
        assert found["coverage_by_step"] == scores["80"]["coverage_by_step"]
        assert found["winkler"] == pytest.approx(scores["80"]["winkler"], rel=1e-6)
    assert scored["verdict"] == trained.metrics["verdict"]


def test_only_rows_that_were_not_trained_on_are_scored(trained: Run, monthly: pd.DataFrame) -> None:
    rng = np.random.default_rng(9)
    times = pd.date_range("2006-09-01", periods=20, freq="MS")
    later = pd.concat([monthly, pd.DataFrame({"ds": times, "y": rng.normal(20, 3, 20)})], ignore_index=True)
    progress = RecordingProgress()
    scored = forecast.evaluate(trained, later, progress=progress)
    assert scored["n_windows"] == 58  # 60 rows after the training and validation spans hold 58 horizons of 3
    assert any("58 windows" in note for note in progress.notes)
    told = [said for said in progress.warnings if "independent outcomes" in said]
    assert told == scored["calibration_warnings"] == trained.metrics["calibration_warnings"] != []
    # Persistence, by hand, over those rows.
    y = later["y"].to_numpy()
    errors = [abs(y[origin + step] - y[origin]) for origin in range(159, 217) for step in (1, 2, 3)]
    assert scored["models"]["persistence"]["mae"] == pytest.approx(np.mean(errors), rel=1e-9)
    # MASE is on the scale of the training rows, which do not change with what is scored.
    assert scored["naive_error"] == trained.metrics["naive_error"]


def test_rows_that_were_trained_on_cannot_be_scored(trained: Run, monthly: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no window to score"):
        forecast.evaluate(trained, monthly.iloc[:150])


def test_what_is_scored_must_fit_the_run(
    tmp_path: Path, monthly: pd.DataFrame, tiny: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forecast.plots.run_plots.draw_files", lambda *_: {})
    monkeypatch.setattr("forecast.plots.run_report.report_page", lambda _: "")
    wide = monthly.assign(x=np.cos(np.arange(len(monthly))))
    with_covariate = forecast.train(wide, tiny(model="rnn", target="y", covariates="x"), run="run", runs_dir=tmp_path)
    with pytest.raises(DataError, match="'x' is missing"):
        forecast.evaluate(with_covariate, monthly)


def test_lost_windows_of_new_rows_are_counted(trained: Run, monthly: pd.DataFrame) -> None:
    holed = monthly.assign(y=monthly["y"].mask(monthly.index.isin(range(180, 191))))  # longer than what is filled
    scored = forecast.evaluate(trained, holed)
    windows = scored["windows"]
    assert windows["possible"] == 40 - 3 + 1  # of the last 40 months
    assert windows["scored"] == scored["n_windows"]
    # Cut-offs from row 186, the first that is not filled, to row 195, whose lookback begins at row 190, lack inputs;
    # those from row 177 to row 185 have a missing month in their horizon.
    assert (windows["lack_inputs"], windows["lack_targets"], windows["cross_gap"]) == (10, 9, 0)
    assert windows["lack_inputs_by_column"] == {"y": 10}


def test_what_is_read_beside_rows_is_refused_without_them(
    trained: Run, monthly_csv: Path, quick: Callable[..., Result]
) -> None:
    for wrong in ({"memory": "1GB"}, {"source": monthly_csv, "stream": True, "memory": "1GB"}):
        with pytest.raises(ConfigError, match="memory: is for"):
            forecast.evaluate(trained, **wrong)
    refused = quick("evaluate", trained.path, "--known-forecasts", monthly_csv).exception
    assert isinstance(refused, ConfigError)
    assert "is read beside a SOURCE" in refused.message
