"""The pages of docs/how-to: each is short, and its blocks of Python, and commands of one that trains, run in order."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from forecast.cli import build_program
from forecast.evaluation.metrics import METRICS
from forecast.models.catalogue import MODELS
from forecast.models.cells import CELLS
from forecast.plots import PLOTS
from loopback import Loopback
from services import everything

PAGES = {page.stem: page.read_text("utf-8") for page in (Path(__file__).parent.parent / "docs/how-to").glob("*.md")}
TRAINING = [name for name, text in PAGES.items() if re.search(r"forecast\.(train|tune)\(", text)]


def code_of(page: str) -> str:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGES[page], re.MULTILINE | re.DOTALL)
    assert blocks
    return "\n".join(blocks)


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_page_is_short(page: str) -> None:
    assert len(PAGES[page].splitlines()) <= 60


@pytest.mark.parametrize("page", sorted({*PAGES} - {*TRAINING}))
def test_a_page_runs_in_a_fresh_process(page: str, tmp_path: Path, loopback: Loopback) -> None:
    everything(loopback)  # in place of the services that a page may ask
    env = {name: value for name, value in os.environ.items() if name != "FORECAST_DATA"} | loopback.environment()
    (tmp_path / "page.py").write_text(code_of(page), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("two_steps")
@pytest.mark.parametrize("page", TRAINING)
def test_a_page_that_trains_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    # Not in a process of its own, where the training would take ten times as long.
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORECAST_RUNS", raising=False)
    request.getfixturevalue("unsaved" if re.search(r"run\.(plots|report)", PAGES[page]) else "no_plots")
    blocks = re.findall(r"^```(python|sh)\n(.*?)^```$", PAGES[page], re.MULTILINE | re.DOTALL)
    names = {"__name__": "page"}
    with patch.dict(METRICS), patch.dict(PLOTS), patch.dict(CELLS), patch.dict(MODELS):
        for language, block in blocks:
            if language == "python":
                exec(compile(block, f"{page}.md", "exec"), names)
                continue
            for command, mode, output in re.findall(r"^forecast (.*?) (>>?) (\S+)$", block, re.MULTILINE):
                words = shlex.split(command)
                done = CliRunner().invoke(build_program(words), words)
                assert done.exit_code == 0, done.output
                with Path(output).open("a" if mode == ">>" else "w") as file:
                    file.write(done.stdout)
