"""Every command and every line of Python in the README works, and prints what stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pages import ROOT, commands_of, links_of, python_of, run_command

README = (ROOT / "README.md").read_text(encoding="utf-8")
PRINTED = re.findall(r"^```text\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_it_is_short_and_shows_three_commands() -> None:
    assert len(README.splitlines()) <= 110
    assert [shlex.split(command)[1] for command in commands_of(README)] == ["train", "predict", "report"]


@pytest.mark.usefixtures("two_steps", "unsaved")
def test_every_command_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORECAST_RUNS", raising=False)
    train, predict, report = (run_command(command, monkeypatch, capsys) for command in commands_of(README))
    scores, rows = PRINTED  # figures are of a whole training, rows and columns of this one, too
    for line in scores.splitlines()[1:]:
        assert line.split()[0] in {printed.split()[0] for printed in train.splitlines() if printed.strip()}, line
    header, *lines = rows.replace(",…", "").splitlines()
    assert predict.startswith(header)
    assert [line.split(",")[:3] for line in lines] == [line.split(",")[:3] for line in predict.splitlines()[1:3]]
    assert report.splitlines()[0] == train.splitlines()[0]
    assert "models/sea/report.html" in report


@pytest.mark.usefixtures("two_steps", "unsaved")
def test_the_python_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORECAST_RUNS", raising=False)
    exec(compile(python_of(README), "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "stacked-lstm" in printed
    assert printed.count(".png") == 5


def test_every_link_leads_somewhere() -> None:
    for target in links_of(README):
        assert (ROOT / target).exists(), target
