"""The command report: what it writes and opens, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from forecast.cli import build_program
from forecast.errors import ConfigError
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
