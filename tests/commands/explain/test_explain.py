"""Looking inside a run: what it writes, what it says, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import forecast
from forecast import Run, Settings
from forecast.errors import DataError, RunError
from forecast.runs.find import open_run
from forecast.runs.run import Explanation


@pytest.fixture(scope="module")
def found(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Explanation:
    return forecast.explain(trained, output=tmp_path_factory.mktemp("inside") / "pictures")


def test_the_plots_and_the_summary_are_written(found: Explanation) -> None:
    assert [path.name for path in found.plots] == ["1-gates.png", "2-gradient.png", "3-importance.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in found.plots)
    assert json.loads((found.folder / "explain.json").read_text()) == found.summary


def test_the_summary_holds_every_figure(found: Explanation, trained: Run) -> None:
    summary = found.summary
    assert summary["windows"] == trained.metrics["n_windows"]
    (layer,) = summary["layers"]
    assert len(layer["half_lives"]) == 8
    assert set(layer["saturation"]) == {"forget", "input", "output"}
    for name in ("lstm", "rnn"):
        assert len(summary["gradient_by_lag"][name]) == 6
        assert summary["reach"][name]["0.5"] <= summary["reach"][name]["0.95"] <= summary["reach"][name]["0.99"] <= 6
    assert set(summary["importance"]["columns"]) == {"y", "the calendar"}
    assert len(summary["importance"]["lookback"]) == 6


def test_it_says_what_it_found(found: Explanation) -> None:
    memory, lstm, rnn, lookback, importance = found.sentences
    assert memory.startswith("layer 1 of 8 units: half of what a unit holds is gone after ")
    assert lstm.startswith("lstm: 95% of what moves the forecast lies in the newest ")
    assert rnn.startswith("rnn: 95% of ")
    assert "lookback of 6 months" in lookback
    assert "the calendar" in importance


@pytest.mark.usefixtures("blank")
def test_the_run_itself_is_left_as_it_was(trained: Run, tmp_path: Path) -> None:
    run = open_run(Path(shutil.copytree(trained.path, tmp_path / "months")))
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.is_file()}
    found = forecast.explain(run)
    assert found.folder == run.path / "explain"
    after = {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.is_file()}
    assert {path: after[path] for path in before} == before
    assert open_run(run.path).metrics == trained.metrics


@pytest.fixture
def blank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the figures, but leave out what takes longest: to turn them into pictures."""
    monkeypatch.setattr("forecast.commands.explain.plots.to_png", lambda figure: b"")


@pytest.mark.usefixtures("no_plots", "blank")
@pytest.mark.parametrize(
    ("settings", "pictures", "layers"),
    [
        ({"model": "stacked-lstm", "units": (5, 3)}, ["1-gates-1.png", "1-gates-2.png"], 2),
        ({"model": "segment-gru", "segment": 4, "lookback": 10, "normalise": "last"}, ["1-gates.png"], 1),
        ({"model": "rnn", "ensemble": 2}, ["1-gates.png"], 1),
        pytest.param({"model": "slstm", "baseline": False}, ["1-gates.png"], 1, marks=pytest.mark.thorough),
        ({"model": "bi-lstm", "baseline": False}, ["1-gates-1.png", "1-gates-2.png"], 2),
    ],
)
def test_every_design_can_be_looked_into(
    settings: dict[str, object],
    pictures: list[str],
    layers: int,
    monthly: pd.DataFrame,
    tiny: Callable[..., Settings],
    tmp_path: Path,
) -> None:
    run = forecast.train(monthly, tiny(**settings, track_gradients=True), run="some", runs_dir=tmp_path)
    found = forecast.explain(run, monthly)
    names = [path.name for path in found.plots]
    assert names == [*pictures, "2-gradient.png", "3-importance.png", "4-gradient-in-training.png"]
    assert len(found.summary["layers"]) == layers
    for network, tracked in run.tracked_gradients.items():
        assert len(tracked) == 2
        assert len(tracked[0]) == run.config.data.lookback, network


@pytest.mark.usefixtures("no_plots", "blank")
def test_the_lookback_is_checked_by_training_again(
    monthly_csv: Path, tiny: Callable[..., Settings], tmp_path: Path
) -> None:
    run = forecast.train(monthly_csv, tiny(lookback=40), run="long", runs_dir=tmp_path)
    found = forecast.explain(run, check_lookback=True)
    check = found.summary["check"]
    assert check["lookback"] < 36
    assert check["mae"]["lstm"] == pytest.approx(run.metrics["models"]["lstm"]["mae"])
    assert 0 <= check["p_value"] <= 1
    assert found.sentences[-1].startswith(f"Trained again with a lookback of {check['lookback']} months: MAE ")
    assert [path.name for path in tmp_path.iterdir()] == ["long"]


@pytest.mark.usefixtures("no_plots", "blank")
def test_rows_that_cannot_be_read_again_must_be_given(
    monthly: pd.DataFrame, tiny: Callable[..., Settings], tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    monthly.to_csv(path, index=False)
    run = forecast.train(path, tiny(baseline=False), run="from-file", runs_dir=tmp_path / "runs")
    monthly.iloc[:-1].to_csv(path, index=False)
    with pytest.raises(DataError, match=r"has changed since from-file was trained on it") as refused:
        forecast.explain(run)
    assert (
        refused.value.text("shell")[1]
        == "Bring the old file back, or give the rows that it holds now as SOURCE behind the run."
    )
    assert forecast.explain(run, path).summary["reach"].keys() == {"lstm"}
    memory = forecast.train(monthly, tiny(baseline=False), run="from-memory", runs_dir=tmp_path / "runs")
    with pytest.raises(DataError, match="cannot be read again"):
        forecast.explain(forecast.find("from-memory", runs_dir=tmp_path / "runs"))
    assert forecast.explain(memory).summary["reach"].keys() == {"lstm"}  # the frame is still in memory


@pytest.mark.usefixtures("no_plots", "blank")
def test_a_network_without_a_head_is_refused(
    monthly: pd.DataFrame, tiny: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forecast.commands.train.networks.significant_sign", lambda *_: -1)
    monkeypatch.setattr("forecast.commands.train.networks.CLEAR_LEAD", 2)
    run = forecast.train(monthly, tiny(fall_back=True, normalise="last"), run="empty", runs_dir=tmp_path)
    with pytest.raises(RunError, match="repeats the last value"):
        forecast.explain(run, monthly)
    assert not (run.path / "explain").exists()
