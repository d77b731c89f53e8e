"""The command compare: what goes to which stream, files, and tables that fit."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import matplotlib.image
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from forecast.cli import build_program
from forecast.commands.compare.tables import dispensable_columns, leaderboard_tables
from forecast.commands.tables import TERMINAL, print_table
from forecast.models.catalogue import COMPARED, MODELS

TINY = [f"--{name}" for name in ("units=8", "epochs=1", "batch-size=16", "lookback=6", "horizon=3")]


def test_compare_prints_writes_and_draws(quick: Callable[..., Result], monthly_csv: Path, tmp_path: Path) -> None:
    table, plot = tmp_path / "board.csv", tmp_path / "board.png"
    options = ["--models", "rnn", "--seeds", "2", "--classical-seconds", "0", "-o", table, "--plot", plot]
    done = quick("compare", monthly_csv, *TINY, *options)
    assert done.exit_code == 0, done.stderr
    assert "rnn *" in done.stdout
    assert "standard deviation over 2 seeds" in done.stdout
    assert "seed 1, 2 of 2: 1 epoch," in done.stderr
    assert pd.read_csv(table)["model"].tolist()[0] == "rnn"
    assert matplotlib.image.imread(plot).shape[1] > 800


def test_compare_in_json(quick: Callable[..., Result], monthly_csv: Path) -> None:
    done = quick("compare", monthly_csv, *TINY, "--models", "rnn", "--seeds", "1", "--classical-seconds", "0", "--json")
    told = json.loads(done.stdout)
    assert told["chosen"] == "rnn"
    assert told["classical"] is None


def test_help_names_the_default_models() -> None:
    assert set(COMPARED) <= set(MODELS)
    done = CliRunner().invoke(build_program(), ["compare", "--help"], env={"COLUMNS": "200"})
    assert ",".join(COMPARED) in done.stdout
    for flag in ("--model ", "--cell", "--baseline", "--refit", "--track-gradients"):
        assert flag not in done.stdout


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_leaderboard_fits_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = dict.fromkeys(("validation", "mae", "rmse", "mase"), 0.12345)
    spread = {f"{name}_spread": 0.0123 for name in scores}
    line = scores | spread | {"kind": "network", "parameters": 12345, "seconds": 12.3}
    line |= {"skill": {"rnn": 0.1, "persistence": -1.234, "seasonal-naive": None}}
    summary = {"unit": "°C", "measure": "MAE", "chosen": "stacked-lstm", "classical": None, "n_windows": 9}
    (board,) = leaderboard_tables(summary | {"models": {"stacked-lstm": line, "rnn": line}}, TERMINAL)
    console = Console(width=width, file=io.StringIO())
    for module in ("tables", "console"):
        monkeypatch.setattr(f"forecast.commands.{module}.out", console)
    print_table(board, dispensable_columns(summary))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(len(line) <= width for line in text.splitlines())
    assert "0.1235 ± 0.012" in text
    assert "…" not in text
    assert ("12,345" in text) == (width > 100)
    assert ("no room for: weights" in text) == (width < 100)
    assert "-123.4%" in text
