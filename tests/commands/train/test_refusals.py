"""What keeps a training from beginning or from going on, and what it leaves behind."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import ConfigError, MachineError, RunError, Settings
from forecast.progress import NullProgress, StopRequested
from forecast.runs.files import locked
from forecast.runs.find import unfinished_runs

pytestmark = pytest.mark.usefixtures("no_plots")

Tiny = Callable[..., Settings]


class AtStep(NullProgress):
    """Does something after a step."""

    def __init__(self, step: int, act: Callable[[Any], None]) -> None:
        self.at, self.act = step, act
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def step(self, fit: Any) -> None:
        if fit.state.step == self.at:
            self.act(fit)


def stop(fit: object) -> None:
    raise StopRequested(2)


def spoil(fit: Any) -> None:
    fit.network.trainable_variables[0].assign(fit.network.trainable_variables[0] * np.nan)


def interrupted(folder: Path, source: object, config: Settings, step: int) -> None:
    with pytest.raises(StopRequested):
        forecast.train(source, config, run="run", runs_dir=folder, progress=AtStep(step, stop))  # type: ignore[arg-type]


def test_a_second_training_of_one_run_names_the_first(tmp_path: Path, monthly_csv: Path, tiny: Tiny) -> None:
    config = tiny(model="rnn")
    interrupted(tmp_path, monthly_csv, config, step=3)
    before = sorted((tmp_path / ".run.training").rglob("*"))
    with locked(tmp_path / ".run.lock", "The run run"):
        for again in (
            lambda: forecast.train(monthly_csv, config, run="run", runs_dir=tmp_path, overwrite=True),
            lambda: forecast.resume("run", runs_dir=tmp_path),
        ):
            with pytest.raises(MachineError, match=rf"being written by process {os.getpid()}\.") as refused:
                again()
            assert refused.value.exit_code == 3
    assert sorted((tmp_path / ".run.training").rglob("*")) == before


@pytest.fixture
def read_only() -> Iterator[Path]:
    """A folder that may be read but not written, also by an administrator, who steps down for a while."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield folder
    os.seteuid(user)
    shutil.rmtree(folder)


def test_a_read_only_place_is_refused_before_training(read_only: Path, monthly: pd.DataFrame, tiny: Tiny) -> None:
    for name in ("run", None):
        with pytest.raises(MachineError, match=r"Cannot lock .*: Permission denied") as refused:
            forecast.train(monthly, tiny(), run=name, runs_dir=read_only, progress=AtStep(1, stop))
        assert "--runs-dir" in refused.value.text("shell")[1]


def test_too_little_memory_is_told_before_training(
    tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 4 gates, each of 3 inputs, 8 states and a bias for 8 units, and a head of 3 steps: 0.04 MB with all their copies.
    # 16 windows of 6 steps, 8 units and 10 floats of each, and of 9 steps of 3 features: 0.03 MB.
    monkeypatch.setattr("forecast.model.available_memory", lambda: 60_000)
    with pytest.raises(MachineError, match=r"lstm of 8 units would take at least 0\.1 MB .*; 0\.1 MB are") as refused:
        forecast.train(monthly, tiny(), run="run", runs_dir=tmp_path)
    assert refused.value.exit_code == 3
    assert "--units" in refused.value.text("shell")[1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("seconds", "sign"), [(60.0, "The loss is nan at step 14"), (0.0, "no longer finite")])
def test_the_last_finite_checkpoint_outlives_a_divergence(
    tmp_path: Path, monthly_csv: Path, tiny: Tiny, seconds: float, sign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forecast.runs.checkpoints._SECONDS_BETWEEN", seconds)
    config = tiny(steps_per_epoch=10)
    with pytest.raises(ConfigError, match=f"{sign}.*: training has diverged") as stopped:
        forecast.train(monthly_csv, config, run="run", runs_dir=tmp_path, progress=AtStep(13, spoil))
    assert "Try a smaller learning_rate than" in stopped.value.advice
    newest = max((tmp_path / ".run.training" / "checkpoints").iterdir())
    assert newest.name == f"model.1-{10 if seconds else 12:09d}.ckpt"
    assert all(np.isfinite(array).all() for array in np.load(io.BytesIO(newest.read_bytes()[32:])).values())
    assert forecast.resume("run", runs_dir=tmp_path).name == "run"


def test_a_rate_without_measure_stops_with_advice(tmp_path: Path, monthly: pd.DataFrame, tiny: Tiny) -> None:
    with pytest.raises(ConfigError, match=r"The loss is .* at step \d+ .*: training has diverged") as stopped:
        forecast.train(monthly, tiny(learning_rate=1e30, warmup=0), run="run", runs_dir=tmp_path)
    assert stopped.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_damaged_checkpoints_are_passed_over_or_refused(tmp_path: Path, monthly_csv: Path, tiny: Tiny) -> None:
    config = tiny(model="rnn", epochs=3, steps_per_epoch=5)
    interrupted(tmp_path, monthly_csv, config, step=11)
    older, newer = sorted((tmp_path / ".run.training" / "checkpoints").iterdir())
    sound = older.read_bytes()
    for path in (older, newer):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"Every checkpoint in .* is damaged") as refused:
        forecast.resume("run", runs_dir=tmp_path)
    assert refused.value.exit_code == 2
    assert unfinished_runs(tmp_path) == ["run"]
    older.write_bytes(sound)
    progress = AtStep(0, stop)
    resumed = forecast.resume("run", runs_dir=tmp_path, progress=progress)
    assert f"checkpoint {newer.name} is damaged; going on from the one before" in progress.warnings
    straight = forecast.train(monthly_csv, config, run="straight", runs_dir=tmp_path)
    assert resumed.manifest["files"]["weights.npz"] == straight.manifest["files"]["weights.npz"]


def test_settings_that_changed_under_a_checkpoint_are_refused(tmp_path: Path, monthly_csv: Path, tiny: Tiny) -> None:
    interrupted(tmp_path, monthly_csv, tiny(model="rnn"), step=3)
    config = tmp_path / ".run.training" / "config.json"
    config.write_text(config.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(RunError, match="is of other data or another configuration"):
        forecast.resume("run", runs_dir=tmp_path)


@pytest.mark.parametrize(("name", "said"), [("a/b", "cannot be the name of a run"), ("taken", "is not a run")])
def test_a_name_is_refused_before_anything_is_read(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(ConfigError, match=said):
        forecast.train("no-such-file.csv", run=name, runs_dir=tmp_path, overwrite=True)
