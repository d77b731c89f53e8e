"""The pages of docs/how-to: each is short, and its blocks of Python run in order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from forecast.evaluation.metrics import METRICS
from forecast.models.catalogue import MODELS
from forecast.models.cells import CELLS
from forecast.plots import PLOTS
from loopback import Loopback
from services import everything

PAGES = {page.stem: page.read_text("utf-8") for page in (Path(__file__).parent.parent / "docs/how-to").glob("*.md")}
TRAINING = [name for name, text in PAGES.items() if "forecast.train(" in text]


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
def test_a_page_that_trains_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not in a process of its own, where the training would take ten times as long.
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORECAST_RUNS", raising=False)
    monkeypatch.setattr("forecast.plots.page.to_svg", lambda figure: b"")
    with patch.dict(METRICS), patch.dict(PLOTS), patch.dict(CELLS), patch.dict(MODELS):
        exec(compile(code_of(page), f"{page}.md", "exec"), {"__name__": "page"})
