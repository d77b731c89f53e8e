"""The commands about a run's record: report and replay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from forecast.cli import build_program
from forecast.commands.replay import Difference, Replay
from forecast.errors import ConfigError, ReplayError
from forecast.runs.run import Run


def typed(run: Run, *arguments: object) -> Result:
    where = {"FORECAST_RUNS": str(run.path.parent)}
    return CliRunner().invoke(build_program(), [str(argument) for argument in arguments], env=where)


def test_report_is_written_anew_and_opened(trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("typer.launch", opened.append)
    monkeypatch.setattr("forecast.commands.report.report.report_page", lambda facts: f"<p>{facts.name}")
    path = tmp_path / "new.html"
    done = typed(trained, "report", trained.name, "--output", path, "--open")
    assert done.exit_code == 0
    assert path.read_text() == f"<p>{trained.name}"
    assert opened == [str(path)]


def test_a_source_without_an_output_is_refused(trained: Run) -> None:
    done = typed(trained, "report", trained.name, "rows.csv")
    assert isinstance(done.exception, ConfigError)
    assert "--output" in done.exception.advice


@pytest.mark.parametrize("same", [True, False])
def test_replay_says_whether_it_came_out_the_same(trained: Run, monkeypatch: pytest.MonkeyPatch, same: bool) -> None:
    differences = () if same else (Difference("models.lstm.mae", 1.0, 1.5),)
    found = Replay("months", 96, differences, {"keras": ("3.0", "3.1")})
    monkeypatch.setattr("forecast.commands.replay.replay", lambda *_, **__: found)
    done = typed(trained, "replay", trained.name)
    said = typed(trained, "replay", trained.name, "--json")
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
