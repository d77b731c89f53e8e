"""A whole search: blind to the test span, the same after an interruption, its best trained beside the defaults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import forecast
from forecast.commands.tune.outcome import verdict
from forecast.commands.tune.tune import Tuning
from forecast.errors import ConfigError, DataError
from forecast.progress import NullProgress, StopRequested, Training

SETTINGS = {"units": 4, "epochs": 4, "lookback": 12, "horizon": 3, "segment": 1, "baseline": False, "seed": 5}


@pytest.fixture(autouse=True)
def quick(two_steps: None, no_plots: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainings are short, and no picture is drawn."""
    monkeypatch.setattr("forecast.plots.page.to_svg", lambda figure: b"")


class Interrupting(NullProgress):
    """Asks to stop at a step."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.trials: list[str] = []

    def started(self, network: str, fit: Training) -> None:
        self.trials.append(network)

    def step(self, fit: Training) -> None:
        self.left -= 1
        if self.left < 0:
            raise StopRequested(15)


def search(frame: pd.DataFrame, folder: Path, progress: NullProgress | None = None, **more: Any) -> Tuning:
    return forecast.tune(frame, SETTINGS, trials=2, spans=2, run="months", runs_dir=folder, progress=progress, **more)


def found(tuning: Tuning) -> list[object]:
    return [{key: value for key, value in line.items() if key != "seconds"} for line in tuning.summary["trials"]]


def test_a_search(monthly: pd.DataFrame, tmp_path: Path) -> None:
    tuned = search(monthly, tmp_path / "one")
    summary = tuned.summary
    assert summary["n_trials"] == len(tuned.trials) == 2
    assert summary["defaults"]["learning_rate"] == 0.002
    assert not summary["space"].keys() & {"units", "layers", "lookback", "turns"}
    assert tuned.run.name == "months"
    assert tuned.report.exists()
    assert "search" in tuned._repr_html_()
    # The run is what `train` makes of the settings that were found.
    assert tuned.run.config.training.learning_rate == summary["found"]["learning_rate"]
    assert tuned.run.config.network.model == f"segment-{summary['found']['cell']}"
    assert tuned.run.data["test_from"] == tuned.defaults.data["test_from"]
    # Another future of the rows, and an interruption in the second trial.
    changed = monthly.copy()
    changed.loc[160:, "y"] = -changed.loc[160:, "y"] * 7
    with pytest.raises(StopRequested, match="same command again"):
        search(changed, tmp_path / "other", Interrupting(5))
    assert found(search(changed, tmp_path / "other")) == found(tuned)
    # Called again it has nothing to do; with other settings it is another search.
    again = Interrupting(0)
    assert found(search(monthly, tmp_path / "one", again)) == found(tuned)
    assert again.trials == []
    with pytest.raises(ConfigError, match="other rows, settings"):
        forecast.tune(monthly, SETTINGS | {"epochs": 5}, trials=2, run="months", runs_dir=tmp_path / "one")


def test_what_it_says() -> None:
    test = {"measure": "MAE", "n_windows": 1000, "skill": 0.04, "p_value": 0.001, "detectable": 0.02}
    summary = {"spans": [{}] * 3, "n_trials": 50, "best": 7, "error": 0.9, "error_of_defaults": 1.0, "test": test}
    assert verdict(summary) == (
        "Trial 7 of 50 is the best on 3 validation spans: its error is 10.0% lower than the defaults'. On 1,000 test "
        "windows its MAE is 4.0% lower than the defaults' (significant, p = 0.001)."
    )
    worse = verdict(summary | {"test": test | {"skill": -0.03}})
    assert worse.endswith(
        "3.0% higher than the defaults' (significant, p = 0.001): the defaults are better, keep them."
    )
    unsure = verdict(summary | {"test": test | {"p_value": 0.3, "detectable": 0.06}})
    assert unsure.endswith("no evidence of a difference; these windows show only leads of about 6.0% or more.")
    kept = verdict(summary | {"best": 1, "test": None})
    assert kept == "Of 50 trials none was better than the defaults on 3 validation spans: keep the defaults."


def test_refusals(monthly: pd.DataFrame, tmp_path: Path) -> None:
    refused: Callable[..., Tuning] = lambda **more: forecast.tune(monthly, runs_dir=tmp_path, **more)  # noqa: E731
    with pytest.raises(ConfigError, match=r"trials: must be at least 1. Received: 0"):
        refused(trials=0)
    with pytest.raises(ConfigError, match="one network at a time"):
        refused(settings={"time_limit": 60})
    everything = {"model": "lstm", "units": 4, "lookback": 12, "normalise": "last", "head_dropout": 0.1,
                  "learning_rate": 1e-3, "loss": "mae"}  # fmt: skip
    with pytest.raises(ConfigError, match="nothing is left to search"):
        refused(settings=everything)
    assert not any(tmp_path.rglob("journal.log"))
    (tmp_path / "old.study").mkdir()
    (tmp_path / "old.study" / "journal.log").write_text("trials")
    for wrong in ({"settings": everything}, {"spans": 40}):
        with pytest.raises((ConfigError, DataError)):
            refused(run="old", overwrite=True, **wrong)
    assert (tmp_path / "old.study" / "journal.log").read_text() == "trials"


def test_a_run_of_that_name_is_not_replaced(monthly: pd.DataFrame, tmp_path: Path) -> None:
    forecast.train(monthly, SETTINGS, run="months", runs_dir=tmp_path, draw=False)
    with pytest.raises(ConfigError, match="which is of no search"):
        search(monthly, tmp_path)
