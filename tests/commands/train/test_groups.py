"""Many groups of series, one network a group: each is a run of its own, and one that fails stops no other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

import forecast
from forecast import ConfigError, DataError, NullProgress, Settings
from forecast.commands.train.groups import GroupResult, _by_file, _values, train_groups
from forecast.engines import engine
from forecast.progress import StopRequested, Training
from forecast.runs.rows import training_panel

Tiny = Callable[..., Settings]


@pytest.fixture(scope="module")
def cities(monthly: pd.DataFrame) -> pd.DataFrame:
    """Three cities of two regions; the third has too few rows for a network."""
    parts = [("Oslo", "north", monthly), ("Bergen", "north", monthly), ("Rome", "south", monthly.head(4))]
    return pd.concat([rows.assign(city=city, region=region) for city, region, rows in parts])


def test_groups_are_trained_kept_and_named_where_they_fail(
    cities: pd.DataFrame, tiny: Tiny, quick: Callable[..., Result], tmp_path: Path
) -> None:
    source, runs = tmp_path / "cities.csv", tmp_path / "runs"
    cities.to_csv(source, index=False)
    settings = tiny(model="rnn", target="y", baseline=False, epochs=1)
    with engine() as here:

        def train() -> dict[str, str]:
            results = train_groups(
                str(source), settings, "region", run="all", runs_dir=runs, engine=here, progress=NullProgress()
            )
            return {result.run: result.state for result in results}

        assert train() == {"all-north": "trained", "all-south": "failed"}
        run = forecast.find("all-north", runs_dir=runs)
        assert training_panel(run).series_ids == ("Bergen", "Oslo")
        assert train() == {"all-north": "kept", "all-south": "failed"}
    assert sorted(path.name for path in runs.iterdir()) == ["all-north"]
    options = [f"--{name}={value}" for name, value in (("target", "y"), ("model", "rnn"), ("lookback", 5000))]
    failed = quick("train", source, "--group-by", "region", "--runs-dir", runs, "--json", *options)
    assert isinstance(failed.exception, DataError | ConfigError)
    assert "2 of 2 groups have no network: north, south" in failed.exception.message
    assert {group["state"] for group in json.loads(failed.stdout)["groups"]} == {"failed"}
    assert "What is trained is kept" in failed.exception.advice
    assert isinstance(quick("train", source, "--group-by", "region", "--open").exception, ConfigError)


def test_an_engine_that_takes_standard_output_leaves_it_for_the_result(
    cities: pd.DataFrame, quick: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def taking(*_: object) -> Iterator[object]:
        with engine() as here, redirect_stdout(sys.stderr):
            yield here

    source = tmp_path / "cities.csv"
    cities.to_csv(source, index=False)
    monkeypatch.setattr("forecast.engines.engine", taking)
    done = quick("train", source, "--group-by", "region", "--runs-dir", tmp_path, "--json", "--lookback=5000")
    assert len(json.loads(done.stdout)["groups"]) == 2


def test_runs_are_called_as_the_source_is_also_where_it_is_a_link(cities: pd.DataFrame, tmp_path: Path) -> None:
    cities.to_csv(tmp_path / "2024.csv", index=False)
    (tmp_path / "latest.csv").symlink_to(tmp_path / "2024.csv")
    settings = forecast.configure({"lookback": 5000, "model": "rnn"})
    with engine() as here:
        results = train_groups(
            str(tmp_path / "latest.csv"), settings, "region", runs_dir=tmp_path, engine=here, progress=NullProgress()
        )
    assert [result.run for result in results] == ["latest-rnn-north", "latest-rnn-south"]


def test_a_group_that_was_interrupted_goes_on_by_its_own_settings_only(
    cities: pd.DataFrame, tiny: Tiny, tmp_path: Path
) -> None:
    settings = tiny(model="rnn", target="y", baseline=False, epochs=3)
    with engine() as here:

        def train(settings: Settings, progress: NullProgress) -> list[GroupResult]:
            return train_groups(
                cities[cities["region"] == "north"].drop(columns="region"),
                settings,
                "city",
                run="all",
                runs_dir=tmp_path,
                engine=here,
                progress=progress,
            )

        class Stopping(NullProgress):
            def step(self, fit: Training) -> None:
                if fit.epoch == 2:
                    raise StopRequested(15)

        with pytest.raises(StopRequested):
            train(settings, Stopping())
        first, second = train(settings.replace(training={"epochs": 1}), NullProgress())
        assert (first.state, second.state) == ("failed", "trained")
        assert "overwrite" in str(first.error)
        assert next(result.state for result in train(settings, NullProgress())) == "trained"


def test_a_column_has_one_value_in_each_series(cities: pd.DataFrame) -> None:
    panel = forecast.read(cities.assign(zone=cities["region"].map({"north": 1, "south": 2})))
    assert panel.series_ids == ("Bergen", "Oslo", "Rome")
    assert _values(panel, "region") == ["north", "north", "south"]
    assert _values(panel, "zone") == ["1", "1", "2"]
    assert _values(panel, "city") == ["Bergen", "Oslo", "Rome"]
    with pytest.raises(ConfigError, match="each series is of one group"):
        _values(panel, "y")
    with pytest.raises(DataError, match="no column 'absent'"):
        _values(panel, "absent")


def test_files_are_groups(tmp_path: Path, tiny: Tiny) -> None:
    for name in ("north 1.csv", "north-1.csv"):
        (tmp_path / name).write_text("ds,y\n2020-01-01,1\n")
    assert [group.run for group in _by_file(str(tmp_path), "all")] == ["all-north-1", "all-north-1"]
    with engine() as here, pytest.raises(DataError, match="Several groups would be called"):
        train_groups(str(tmp_path), tiny(), "file", engine=here, progress=NullProgress())
    with pytest.raises(DataError, match="is not several"):
        _by_file(str(tmp_path / "north-1.csv"), "all")


@pytest.mark.thorough
@pytest.mark.parametrize("by", [("--workers", "2"), ("--engine", "ray", "--workers", "2")])
def test_a_night_that_is_killed_anywhere_goes_on_to_the_same_bits(
    by: tuple[str, ...], monthly: pd.DataFrame, tmp_path: Path
) -> None:
    """The process that hands out the tasks, head of the cluster or not, is killed; the same call does what is left."""
    files = tmp_path / "files"
    files.mkdir()
    for number in range(6):
        monthly.assign(y=monthly["y"] + np.sin(np.arange(len(monthly)) * number)).to_csv(
            files / f"g{number}.csv", index=False
        )
    settings = [
        "--target",
        "y",
        "--model",
        "rnn",
        "--lookback",
        "12",
        "--horizon",
        "3",
        "--units",
        "4",
        "--no-baseline",
    ]
    settings += ["--epochs", "3", "--steps-per-epoch", "20", "--time-column", "ds", "--skip-columns", "Unnamed: 0"]

    def call(runs: Path) -> list[str]:
        command = [sys.executable, "-m", "forecast", "train", str(files), "--group-by", "file", "--run", "all"]
        return [*command, "--runs-dir", str(runs), *settings, *by]

    def weights(runs: Path) -> dict[str, bytes]:
        found = [forecast.find(f"all-g{number}", runs_dir=runs) for number in range(6)]
        return {run.name: (run.path / "weights.npz").read_bytes() for run in found}

    subprocess.run(call(tmp_path / "whole"), check=True, timeout=250)
    killed = 0
    for _ in range(10):
        process = subprocess.Popen(call(tmp_path / "runs"), start_new_session=True)
        before = len(list((tmp_path / "runs").glob("all-*")))
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if len(list((tmp_path / "runs").glob("all-*"))) >= before + 2:
                os.kill(process.pid, signal.SIGKILL)
                killed += 1
            time.sleep(0.05)
        if process.wait() == 0:
            break
    assert killed >= 1
    assert weights(tmp_path / "runs") == weights(tmp_path / "whole")
