"""The command report: what it writes and opens, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from forecast.errors import ConfigError
from forecast.runs.run import Run


def test_report_is_written_anew_and_opened(
    quick: Callable[..., Result], trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("typer.launch", opened.append)
    monkeypatch.setattr("forecast.commands.report.report.report_page", lambda facts: f"<p>{facts.name}")
    path = tmp_path / "new.html"
    done = quick("report", trained.name, "--output", path, "--open")
    assert done.exit_code == 0
    assert path.read_text() == f"<p>{trained.name}"
    assert opened == [str(path)]


def test_a_source_without_an_output_is_refused(quick: Callable[..., Result], trained: Run) -> None:
    done = quick("report", trained.name, "rows.csv")
    assert isinstance(done.exception, ConfigError)
    assert "--output" in done.exception.advice
