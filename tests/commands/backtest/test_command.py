"""The command backtest: what goes to which stream, files, exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import Result

from forecast.errors import ConfigError, SkillError

TINY = [f"--{name}" for name in ("units=8", "epochs=1", "batch-size=16", "lookback=6", "horizon=3")]


def test_backtest_of_a_run(quick: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "rolled.csv"
    done = quick("backtest", "months", "--windows", 5, "--step", 2, "-o", file)
    assert done.exit_code == 0, done.stderr
    assert "months: 5 origins, 2005-09-01 … 2006-05-01, 3 steps ahead" in done.stdout
    assert "seasonal-naive" in done.stdout
    assert f"forecasts: {file}, 15 rows" in done.stderr
    written = pd.read_csv(file)
    assert list(written.columns[:6]) == ["unique_id", "ds", "cutoff", "y", "lstm", "rnn"]
    assert len(written) == 15


def test_backtest_of_a_source_in_json(quick: Callable[..., Result], monthly_csv: Path) -> None:
    options = [*TINY, "--model", "rnn", "--windows", "4", "--refit", "2", "--span", "sliding", "--json"]
    done = quick("backtest", monthly_csv, *options)
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["backtest"]["origins"] == 4
    assert len(told["backtest"]["fits"]) == 2
    assert "4 origins, 2 fits" in done.stderr


def test_a_bar_that_is_missed_fails_and_the_file_is_there(quick: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "rolled.csv"
    done = quick("backtest", "months", "--require-skill", "persistence:0.99", "-o", file)
    assert isinstance(done.exception, SkillError)
    assert done.exception.exit_code == 4
    assert done.exception.advice == f"The forecasts are in {file}."
    assert file.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--refit", "often"], "--refit takes never or a number of origins. Received: 'often'"),
        (["--refit", "0"], "--refit takes never or a number of origins. Received: '0'"),
        (["--refit", "2"], "is a run, which is not fitted again"),
        (["--units", "8"], "is a run, which is not fitted again"),
        (["--require-skill", "ets"], "there is no reference 'ets'"),
    ],
)
def test_what_backtest_refuses(quick: Callable[..., Result], options: list[str], said: str) -> None:
    done = quick("backtest", "months", *options)
    assert isinstance(done.exception, ConfigError)
    assert said in str(done.exception)
    assert done.stdout == ""
