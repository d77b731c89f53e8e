"""Every command and every line of Python in the README works."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.cli import build_program

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (forecast .*?)\s*(?:#.*)?$", README, re.MULTILINE)


def station(hours: int) -> pd.DataFrame:
    """A small hourly station with two columns, and a third that says which days are holidays."""
    rng = np.random.default_rng(0)
    day = 2 * np.pi * np.arange(hours) / 24
    columns = {"temperature": 10 + 5 * np.sin(day), "humidity": 70 - 10 * np.sin(day)}
    times = pd.date_range("2024-01-01", periods=hours, freq="h")
    measured = {name: (y + rng.normal(0, 0.5, hours)).round(2) for name, y in columns.items()}
    return pd.DataFrame({"time": times} | measured | {"holiday": (times.day_of_week == 6).astype(int)})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    rows = station(1000)
    rows.iloc[:900].to_csv(folder / "mine.csv", index=False)
    rows.iloc[600:].to_csv(folder / "newer.csv", index=False)
    return folder


@pytest.fixture
def unexplained(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `unsaved`, for what `forecast explain` draws."""
    monkeypatch.setattr("forecast.commands.explain.plots.to_png", lambda figure: b"")


def test_there_are_commands() -> None:
    assert {shlex.split(command)[1] for command in COMMANDS} == {
        "train", "predict", "report", "inspect", "evaluate", "runs", "explain", "stream",
        "audit", "replay", "backtest", "compare", "export",
    }  # fmt: skip


@pytest.mark.usefixtures("two_steps", "unsaved", "unexplained")
def test_every_command_works_in_its_order(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    monkeypatch.delenv("FORECAST_RUNS", raising=False)
    for command in COMMANDS:
        monkeypatch.setattr("sys.argv", shlex.split(command))
        with pytest.raises(SystemExit) as ended:
            build_program()(shlex.split(command)[1:])
        assert ended.value.code == 0, f"{command}\n{capsys.readouterr().err}"
        printed = capsys.readouterr().out
        assert printed or "-o " in command, f"{command} prints nothing"
    assert len(pd.read_csv(place / "next-day.csv")) == 24
    assert len(pd.read_csv(place / "rolled.csv")) == 8 * 24
    assert len(pd.read_csv(place / "paths.csv")) == 200 * 24
    assert (place / "compared.html").exists()


@pytest.mark.usefixtures("two_steps", "unsaved", "unexplained")
def test_the_python_works(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(place)
    code = "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
    exec(compile(code, "README.md", "exec"), {})
    assert (place / "error.png").stat().st_size > 10_000
    printed = capsys.readouterr().out
    assert "stacked-lstm" in printed
    assert printed.count(".png") == 5


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
