"""A run is trained again from its record: the same, or which figures differ, by how much and likely why."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from forecast import Run
from forecast.cli import build_program
from forecast.commands.replay import Difference, Replay, replay
from forecast.errors import DataError, ReplayError
from forecast.runs.find import open_run

pytestmark = pytest.mark.usefixtures("trained", "no_plots")


def test_the_same_rows_and_settings_give_the_same_figures(trained: Run) -> None:
    found = replay(trained)
    assert found.same
    assert found.changed == {}
    assert found.n_figures > 40
    found.demand()
    assert [path.name for path in trained.path.parent.iterdir() if not path.name.endswith(".lock")] == [trained.name]


def test_a_figure_that_differs_is_named_with_the_likely_reason(trained: Run, tmp_path: Path) -> None:
    found = replay(told_otherwise(trained, tmp_path / "months"))
    assert [difference.name for difference in found.differences] == ["models.lstm.mae", "by_step.rnn.2"]
    assert found.differences[0].share == pytest.approx(0.5)
    assert found.changed["keras"][0] == "2.0.0"
    with pytest.raises(ReplayError) as refused:
        found.demand()
    assert refused.value.exit_code == 4
    assert f"2 of {found.n_figures} figures of months did not come out the same" in refused.value.message
    assert "models.lstm.mae was " in refused.value.message
    assert refused.value.advice.startswith("Likely because keras was 2.0.0 and is 3.")


def told_otherwise(run: Run, place: Path) -> Run:
    """A copy that claims other figures, and another version."""
    shutil.copytree(run.path, place)
    metrics: dict[str, Any] = run.metrics
    metrics["models"]["lstm"]["mae"] *= 2
    metrics["by_step"]["rnn"][1] = None
    content = json.dumps(metrics).encode()
    (place / "metrics.json").write_bytes(content)
    manifest = json.loads((place / "manifest.json").read_text())
    manifest["files"]["metrics.json"] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest["versions"]["keras"] = "2.0.0"
    (place / "manifest.json").write_text(json.dumps(manifest))
    return open_run(place)


def test_other_rows_are_refused_before_anything_is_trained(trained: Run, monthly: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="does not hold the rows"):
        replay(trained, monthly.assign(y=monthly["y"] + 1))


def test_a_long_list_is_cut_and_an_unexplained_difference_is_owned_up_to() -> None:
    many = tuple(Difference(f"by_step.lstm.{step}", 1.0, None) for step in range(9))
    with pytest.raises(ReplayError, match="and 4 more") as refused:
        Replay("months", 9, many, {}).demand()
    assert "another processor" in refused.value.advice
    assert "was 1.0 and is undefined" in refused.value.message


@pytest.mark.parametrize("same", [True, False])
def test_replay_says_whether_it_came_out_the_same(trained: Run, monkeypatch: pytest.MonkeyPatch, same: bool) -> None:
    differences = () if same else (Difference("models.lstm.mae", 1.0, 1.5),)
    found = Replay("months", 96, differences, {"keras": ("3.0", "3.1")})
    monkeypatch.setattr("forecast.commands.replay.replay", lambda *_, **__: found)
    done, said = (
        CliRunner().invoke(build_program(), ["replay", str(trained.path), *more]) for more in ((), ("--json",))
    )
    assert json.loads(said.stdout) == {
        "run": "months",
        "same": same,
        "figures": 96,
        "differences": [] if same else [{"name": "models.lstm.mae", "recorded": 1.0, "replayed": 1.5, "share": 0.5}],
        "changed": {"keras": {"recorded": "3.0", "replayed": "3.1"}},
    }
    if same:
        assert done.stdout.startswith("All 96 figures of months came out the same.")
        assert done.exit_code == said.exit_code == 0
    else:
        assert isinstance(done.exception, ReplayError)
        assert isinstance(said.exception, ReplayError)
        assert done.stdout == ""
