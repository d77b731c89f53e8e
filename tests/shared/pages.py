"""What pages of documentation hold, and the files that their commands are about."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.cli import build_program

ROOT = Path(__file__).parents[2]


def commands_of(page: str) -> list[str]:
    """The commands of a page, in their order."""
    return re.findall(r"^    (forecast .*?)\s*(?:#.*)?$", page, re.MULTILINE)


def python_of(page: str) -> str:
    """The blocks of Python of a page, one after another."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))


def links_of(page: str) -> list[str]:
    """The files that a page leads to."""
    return re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", page)


def write_station(folder: Path) -> None:
    """``mine.csv`` and ``newer.csv``: hours of a station, with two columns and one that says which are holidays."""
    rng, hours = np.random.default_rng(0), 1000
    day = 2 * np.pi * np.arange(hours) / 24
    columns = {"temperature": 10 + 5 * np.sin(day), "humidity": 70 - 10 * np.sin(day)}
    times = pd.date_range("2024-01-01", periods=hours, freq="h")
    measured = {name: (y + rng.normal(0, 0.5, hours)).round(2) for name, y in columns.items()}
    rows = pd.DataFrame({"time": times} | measured | {"holiday": (times.day_of_week == 6).astype(int)})
    rows.iloc[:900].to_csv(folder / "mine.csv", index=False)
    rows.iloc[600:].to_csv(folder / "newer.csv", index=False)


def run_command(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], allowed: tuple[int, ...] = (0,)
) -> str:
    """What a command prints; it must end with an allowed code, and print or write something."""
    words = shlex.split(command)
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as ended:
        build_program(words[1:])(words[1:])
    printed = capsys.readouterr()
    assert ended.value.code in allowed, f"{command}\n{printed.err}"
    assert printed.out or "-o " in command, f"{command} prints nothing"
    return printed.out
