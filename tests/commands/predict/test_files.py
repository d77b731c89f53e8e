"""The forecasts of many files: each whole, once, and in the bits of a forecast from that file alone."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result

from forecast import ConfigError, DataError, MachineError, NullProgress, Run
from forecast.commands.predict import files
from forecast.commands.predict.files import forecast_files
from forecast.commands.predict.predict import predict_into
from forecast.engines import engine

HERE = NullProgress()


@pytest.fixture
def folder(tmp_path: Path, monthly: pd.DataFrame) -> Path:
    """Two files that fit the run, and one that does not."""
    new = tmp_path / "new"
    new.mkdir()
    monthly.tail(60).to_csv(new / "north.csv", index=False)
    monthly.tail(50).to_csv(new / "south.csv", index=False)
    (new / "west.csv").write_text("ds,y\n2020-01-01,1\n2020-02-01,2\n")
    return new


def test_each_file_gets_the_forecast_that_it_gets_alone(trained: Run, folder: Path, tmp_path: Path) -> None:
    files._loaded.cache_clear()
    with engine() as here:
        found = forecast_files(trained, str(folder), tmp_path / "out", here, HERE)
    assert (found.written, found.passed_over, list(found.failed)) == (2, 0, [str(folder / "west.csv")])
    assert files._loaded.cache_info().misses == 1
    for name in ("north.csv", "south.csv"):
        predict_into(tmp_path / name, trained, str(folder / name), NullProgress())
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / name).read_bytes()
    assert sorted(os.listdir(tmp_path / "out")) == ["north.csv", "south.csv"]


def test_forecasts_of_files_are_kept_if_their_series_have_names(
    trained: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORECAST_ARCHIVE", f"sqlite:///{tmp_path / 'kept.sqlite'}")
    with engine() as here:
        assert forecast_files(trained, str(folder / "north.csv"), tmp_path / "out", here, HERE, keep=True).written == 1
        with pytest.raises(ConfigError, match="one series, and nothing would tell the forecasts of 3 files apart"):
            forecast_files(trained, str(folder), tmp_path / "out", here, HERE, keep=True)
    with sqlite3.connect(tmp_path / "kept.sqlite") as kept:
        assert kept.execute("select count(*) from forecasts").fetchall() == [(1,)]
    kept.close()


def test_workers_write_the_same_and_what_is_done_is_passed_over(trained: Run, folder: Path, tmp_path: Path) -> None:
    with engine() as here:
        forecast_files(trained, str(folder / "[ns]*.csv"), tmp_path / "here", here, HERE)
    out = tmp_path / "out"
    out.mkdir()
    (out / "north.csv").write_bytes((tmp_path / "here" / "north.csv").read_bytes())  # as if a first call was killed
    with engine("local", 2) as pool:
        found = forecast_files(trained, str(folder), out, pool, HERE)
    assert (found.written, found.passed_over, len(found.failed)) == (1, 1, 1)
    for name in ("north.csv", "south.csv"):
        assert (out / name).read_bytes() == (tmp_path / "here" / name).read_bytes()


def test_a_forecast_that_is_older_than_its_file_or_the_run_is_made_again(
    trained: Run, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with engine() as here:
        forecast_files(trained, str(folder / "north.csv"), out, here, HERE)
        os.utime(out / "north.csv", (1, 1))
        assert forecast_files(trained, str(folder / "north.csv"), out, here, HERE).written == 1
        assert forecast_files(trained, str(folder / "north.csv"), out, here, HERE).passed_over == 1


def test_files_keep_their_folders_and_none_is_replaced(trained: Run, folder: Path, tmp_path: Path) -> None:
    assert files._outputs(str(folder / "*.csv"), Path("out"))[str(folder / "north.csv")] == "out/north.csv"
    (folder / "deep").mkdir()
    (folder / "north.csv").rename(folder / "deep" / "north.csv.gz")
    found = files._outputs(str(folder / "**" / "*.csv*"), Path("out"))
    assert sorted(found.values()) == ["out/deep/north.csv", "out/south.csv", "out/west.csv"]
    (folder / "south.tsv").touch()
    for source, output, what in (
        (folder / "south.*", Path("out"), "Several files would be forecast into out/south.csv"),
        (folder / "*.csv", folder, "would replace the files"),
        (folder / "absent.csv", Path("out"), "There is no file"),
    ):
        with pytest.raises(DataError, match=what):
            files._outputs(str(source), output)


def test_the_command_names_what_failed(
    trained: Run, quick: Callable[..., Result], folder: Path, tmp_path: Path
) -> None:
    call = ("predict", trained.name, "--input", folder, "--output", tmp_path / "out", "--json")
    done = quick(*call)
    assert isinstance(done.exception, DataError)
    assert "1 of 3 files have no forecast" in done.exception.message
    assert "west.csv" in done.exception.message
    assert json.loads(done.stdout)["written"] == 2
    assert json.loads(quick(*call).stdout)["passed_over"] == 2
    in_a_file = quick("predict", trained.name, "--input", folder, "--output", folder / "north.csv")
    assert isinstance(in_a_file.exception, MachineError)
    for wrong in (
        ("predict", trained.name, "--input", folder),
        ("predict", trained.name, "mine.csv", "--input", folder, "--output", tmp_path / "out"),
        ("predict", trained.name, "--workers", 2),
    ):
        assert isinstance(quick(*wrong).exception, ConfigError)
