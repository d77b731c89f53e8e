"""A panel whose series begin late and end early: each is divided by its own rows, scored, forecast and audited."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import ConfigError, Run, Settings
from recording import RecordingProgress

# Of 120 days: one that reaches the end, one that ended early, one that began late; one with room for a window of 6 + 3
# but none to learn from; one with a lookback only, and one without.
SPANS = {"whole": (0, 120), "ended": (0, 60), "late": (70, 120), "short": (0, 10), "seen": (0, 7), "brief": (0, 4)}


@pytest.fixture(scope="module")
def stations() -> pd.DataFrame:
    days = pd.date_range("2020-01-01", periods=120, freq="D")
    rng = np.random.default_rng(5)
    parts = [
        pd.DataFrame({"unique_id": name, "ds": days[first:last], "y": rng.normal(10 * n, 1, last - first)})
        for n, (name, (first, last)) in enumerate(SPANS.items(), 1)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def run_and_progress(
    stations: pd.DataFrame, tiny: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory, plotless: None
) -> tuple[Run, RecordingProgress]:
    progress = RecordingProgress()
    settings = tiny(model="segment-lstm", segment=3, epochs=1, baseline=False, validation=0.1, test=0.2)
    folder = tmp_path_factory.mktemp("runs")
    return forecast.train(stations, settings, run="run", runs_dir=folder, progress=progress), progress


def test_it_is_said_how_the_panel_is_divided(run_and_progress: tuple[Run, RecordingProgress]) -> None:
    run, progress = run_and_progress
    assert run.config.data.split == "series"
    assert any(
        "the last share of each series' own rows: 4 of 6 series end more than 3 steps before 2020-04-29" in note
        for note in progress.notes
    )
    (said,) = [text for text in progress.warnings if "not scored" in text]
    assert said == "2 of 6 series have no test window and are not scored: brief (5 rows too few), seen (2 rows too few)"
    (untrained,) = [text for text in progress.warnings if "left out of the training" in text]
    assert "brief (8 rows too few), seen (5 rows too few), short (2 rows too few)" in untrained


def test_every_series_with_room_for_a_window_is_scored(
    run_and_progress: tuple[Run, RecordingProgress], stations: pd.DataFrame
) -> None:
    run, _ = run_and_progress
    # 24, 12 and 10 rows for the test of the three long ones, which hold 22, 10 and 8 horizons; and the last three rows.
    counts = run.test_forecasts.groupby("unique_id", sort=False)["cutoff"].nunique().to_dict()
    assert counts == {"ended": 10, "late": 8, "short": 1, "whole": 22}
    assert run.metrics["n_windows"] == 41
    assert run.metrics["windows"]["possible"] == 41
    y = stations[stations["unique_id"] == "ended"]["y"].to_numpy()
    naive = np.mean([abs(y[origin + step] - y[origin]) for origin in range(47, 57) for step in (1, 2, 3)])
    assert run.metrics["by_series"]["ended"]["persistence"] == pytest.approx(naive, rel=1e-9)
    assert json.loads((run.path / "manifest.json").read_text())["data"]["test_from"][1] == "2020-02-18T00:00:00.000000"


def test_what_was_scored_can_be_scored_again_and_audited(
    run_and_progress: tuple[Run, RecordingProgress], stations: pd.DataFrame
) -> None:
    run, _ = run_and_progress
    scored = forecast.evaluate(run, stations)
    assert scored["n_windows"] == 41
    assert scored["models"]["persistence"] == run.metrics["models"]["persistence"]
    assert scored["windows"] == run.metrics["windows"]
    audited = forecast.audit(run, stations)
    assert audited.passed, audited.failed
    assert {"scaler", "parts", "purge", "scored"} <= {check.name for check in audited.checks}


def test_series_with_a_lookback_are_forecast_from_their_end(run_and_progress: tuple[Run, RecordingProgress]) -> None:
    run, _ = run_and_progress
    cutoffs = run.forecast.groupby("unique_id")["cutoff"].first().dt.strftime("%m-%d").to_dict()
    assert cutoffs == {"whole": "04-29", "ended": "02-29", "late": "04-29", "short": "01-10", "seen": "01-07"}
    assert "needs 6 rows of series 'brief'" in " ".join(run.data["warnings"])


def test_a_backtest_counts_origins_back_from_each_end(
    run_and_progress: tuple[Run, RecordingProgress], stations: pd.DataFrame, tiny: Callable[..., Settings]
) -> None:
    run, _ = run_and_progress
    of_run = forecast.backtest(run, windows=2, step=3, new_rows=stations)
    to_the_end = ["04-23", "04-26"]
    expected = {"whole": to_the_end, "ended": ["02-23", "02-26"], "late": to_the_end, "short": ["01-07"]}
    cutoffs = of_run.forecasts.groupby("unique_id")["cutoff"].unique()
    assert {name: [f"{time:%m-%d}" for time in times] for name, times in cutoffs.items()} == expected
    settings = tiny(model="rnn", epochs=1)
    fitted = forecast.backtest(stations, settings, windows=2, step=3)
    assert fitted.forecasts["cutoff"].tolist() == of_run.forecasts["cutoff"].tolist()
    with pytest.raises(ConfigError, match="different times"):
        forecast.backtest(stations, settings.replace(data={"split": "series"}), windows=2, step=3, refit=1)


def test_by_time_what_ended_early_is_not_scored(
    stations: pd.DataFrame, tiny: Callable[..., Settings], tmp_path: Path, plotless: None
) -> None:
    run = forecast.train(stations, tiny(model="rnn", epochs=1, split="time"), run="run", runs_dir=tmp_path)
    assert set(run.metrics["by_series"]) == {"whole", "late"}
    assert isinstance(run.data["test_from"], str)
