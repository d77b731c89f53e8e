"""Tables in files of the user: CSV or Parquet by name, whole or not at all, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import Result

from forecast.errors import ConfigError
from forecast.runs.run import Run
from forecast.runs.table_files import check_table, write_table


def test_a_table_comes_back_from_either(tmp_path: Path) -> None:
    times = pd.date_range("2024-01-01", periods=3, freq="h")
    frame = pd.DataFrame({"unique_id": ["=a", "b", "b"], "ds": times, "y": [1.5, None, -3.0]})
    for name in ("t.csv", "t.parquet", "T.PARQUET"):
        check_table(tmp_path / name)
        write_table(tmp_path / name, frame)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), frame, check_dtype=False)
    assert (tmp_path / "T.PARQUET").read_bytes() == (tmp_path / "t.parquet").read_bytes()
    assert (tmp_path / "t.csv").read_text().splitlines()[1] == "'=a,2024-01-01 00:00:00,1.5"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["T.PARQUET", "t.csv", "t.parquet"]


@pytest.mark.parametrize("name", ["t", "t.xlsx", "t.csv.gz", ".parquet", "t.json"])
def test_another_name_is_refused_naming_both(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_table(tmp_path / name)
    assert ".csv" in caught.value.message
    assert f"{name}.parquet" in caught.value.advice


def test_a_pipe_may_be_called_anything(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    check_table(tmp_path / "pipe")
    check_table(Path("/dev/null"))


@pytest.mark.parametrize("command", ["predict", "backtest"])
def test_commands_write_parquet(command: str, quick: Callable[..., Result], trained: Run, tmp_path: Path) -> None:
    done = quick(command, "months", "-o", tmp_path / "f.parquet", "--quiet")
    assert done.exit_code == 0, done.output
    written = pd.read_parquet(tmp_path / "f.parquet")
    assert list(written)[:3] == ["unique_id", "ds", "cutoff"]
    assert len(written) >= trained.config.data.horizon
    refused = quick(command, "months", "-o", tmp_path / "f.txt", "--quiet")
    assert isinstance(refused.exception, ConfigError)
    assert not (tmp_path / "f.txt").exists()
