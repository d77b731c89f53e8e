"""Versions of a run: one is in place, every reader follows, and each can be put back."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import Result

import forecast
from forecast import Run, RunError
from forecast.commands.serve.metrics import Metrics
from forecast.commands.serve.served import ServedRuns
from forecast.runs.find import all_runs, find, versions_of
from forecast.runs.versions import CURRENT, folder_of_version, numbers_of_versions, put_in_place
from forecast.runs.writer import RunWriter, foreign_files, thin_out


def add_version(home: Path, number: int) -> Path:
    """A version of a run whose forecasts are those of the first, each one higher by its number."""
    folder = folder_of_version(home, number)
    shutil.copytree(home, folder, ignore=shutil.ignore_patterns("versions", CURRENT))
    forecasts = pd.read_csv(folder / "forecast.csv")
    forecasts["lstm"] += number
    writer = RunWriter(home.parent, home.name, number)
    folder.rename(writer.folder)
    writer.write_frame("forecast.csv", forecasts)
    manifest = json.loads((writer.folder / "manifest.json").read_text())
    update = {"continued_from": number - 1, "rows_new": 7, "skill": 0.125, "p_value": 0.01, "why": "it is better"}
    writer.finish(manifest | {"version": number, "update": update, "finished": f"203{number}-01-01T00:00:00+00:00"})
    return folder


@pytest.fixture
def home(trained: Run, tmp_path: Path) -> Path:
    """A run with three versions, of which the last is in place."""
    home = Path(shutil.copytree(trained.path, tmp_path / "months"))
    add_version(home, 2)
    put_in_place(home, 2)
    add_version(home, 3)
    put_in_place(home, 3)
    return home


def test_every_reader_follows_the_version_in_place(trained: Run, home: Path, quick: Callable[..., Result]) -> None:
    run = find("months", runs_dir=home.parent)
    assert (run.name, run.version, run.home, run.path) == ("months", 3, home, home / "versions/3")
    assert [(listed.name, listed.version) for listed in all_runs(runs_dir=home.parent)] == [("months", 3)]
    assert find("latest", runs_dir=home.parent).version == 3
    assert find(home / "versions/2").version == 2
    assert (run.forecast["lstm"] - trained.forecast["lstm"]).tolist() == pytest.approx([3] * 3)
    assert trained.version == 1
    assert trained.home == trained.path
    shown = json.loads(quick("runs", "months", "--runs-dir", home.parent, "--json").stdout)
    assert [(one["version"], one["in_place"], one.get("skill")["persistence"] is None) for one in shown] == [
        (1, False, False),
        (2, False, False),
        (3, True, False),
    ]
    table = quick("runs", home).stdout
    assert "3, in place" in table
    assert "+12.5% (2)" in table


def test_rollback_puts_back_the_version_before_or_any(home: Path, quick: Callable[..., Result]) -> None:
    assert forecast.rollback("months", runs_dir=home.parent).version == 2
    assert forecast.rollback(find(home)).version == 1
    with pytest.raises(RunError, match="there is none before it"):
        forecast.rollback(str(home))
    assert "version 3 is in place" in quick("rollback", home, "--to", 3).stdout
    assert json.loads((home / CURRENT).read_text()) == {"schema": 1, "version": 3, "latest": 3}
    with pytest.raises(RunError, match="no version 4") as refused:
        forecast.rollback(str(home), to=4)
    assert refused.value.advice == "Versions: 1, 2, 3."
    weights = home / "versions/2/weights.npz"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(RunError, match="weights"):
        forecast.rollback(str(home))
    assert find(home).version == 3
    (home / "versions/2/config.json").write_text("{}")
    with pytest.raises(RunError, match="changed or damaged"):
        forecast.rollback(str(home))
    assert find(home).version == 3


def test_old_versions_keep_only_their_scores(home: Path, quick: Callable[..., Result]) -> None:
    opened = find(home / "versions/2")
    for number in (4, 5):
        add_version(home, number)
        put_in_place(home, number)
    (home / "versions/2/notes.txt").write_text("mine")
    put_in_place(home, 4)  # which continues 3
    thin_out(home, 1)
    assert [run.is_whole for run in versions_of(home)[0]] == [True, False, True, True, True]
    left = {path.name for path in (home / "versions/2").iterdir()}
    assert left == {"manifest.json", "config.json", "metrics.json", "notes.txt"}
    assert opened.forecast["lstm"].notna().all()  # who has opened it goes on
    shown = json.loads(quick("runs", home, "--json").stdout)
    assert [(one["version"], one["whole"]) for one in shown][:3] == [(1, True), (2, False), (3, True)]
    assert "2, scores only" in quick("runs", home).stdout
    with pytest.raises(RunError, match="only the scores are kept") as refused:
        forecast.rollback(str(home), to=2)
    assert refused.value.advice == "Versions that can be put in place: 1, 3, 4, 5."
    with pytest.raises(RunError, match="Of version 2 of months, an old one, only the scores are kept"):
        find(home / "versions/2").weights("model")
    (home / "versions/3/plots").rename(home / "plots-of-3")
    (home / "versions/3/plots").symlink_to(home / "plots-of-3")
    put_in_place(home, 5)
    thin_out(home, 1)
    assert find(home / "versions/3").is_whole  # nothing is deleted through a link


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"schema": 1}',
        '{"schema": 1, "version": 4, "latest": 3}',
        '{"schema": 1, "version": 0, "latest": 3}',
        '{"schema": 1, "version": 9, "latest": 9}',
        '{"schema": 1, "version": "3", "latest": 3}',
        '{"schema": 1, "version": 3, "latest": 3, "other": 1}',
        '{"schema": 2, "version": 3, "latest": 3}',
    ],
)
def test_a_damaged_current_is_refused_and_put_right(home: Path, content: str) -> None:
    (home / CURRENT).write_text(content)
    with pytest.raises(RunError, match=r"current\.json"):
        find(home)
    assert forecast.rollback(str(home), to=1).version == 1


def test_a_link_is_no_version(home: Path, tmp_path: Path) -> None:
    os.rename(home / "versions", tmp_path / "elsewhere")
    (home / "versions").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError):
        find(home)
    assert numbers_of_versions(home) == [1]


def test_an_overwritten_run_begins_with_version_1(home: Path) -> None:
    (home / "versions/2/notes.txt").write_text("mine")
    assert foreign_files(home) == ["versions/2/notes.txt"]
    writer = RunWriter(home.parent, "months")
    writer.begin({}, find(home).config, overwrite=True)
    writer.write("metrics.json", "{}")
    writer.finish({"finished": "2040"})
    assert find(home).version == 1
    assert not (home / CURRENT).exists()
    assert [path.name for path in (home / "versions").rglob("*") if path.is_file()] == ["notes.txt"]
    assert numbers_of_versions(home) == [1]
    assert [run.version for run in versions_of(home)[0]] == [1]


def test_a_server_takes_up_a_version_and_a_rollback(home: Path) -> None:
    services = ServedRuns([find(home)], None, Metrics({}, {}))
    said: list[str] = []
    services.reload(said.append)
    assert not said
    for number in (1, 2):
        put_in_place(home, number)
        services.reload(said.append)
        assert services["months"].run.version == number
    assert len(said) == 2
    assert "served in version 2 as of 2032" in said[1]


def test_a_stream_goes_on_in_the_next_version(home: Path, tmp_path: Path, monthly: pd.DataFrame) -> None:
    state, rows = tmp_path / "state.json", monthly.to_dict("records")
    stream = forecast.Stream(find(home / "versions/2"), state)
    for row in rows[:6]:
        stream.push(row["ds"], {"y": row["y"]})
    stream.save()
    assert forecast.Stream(find(home), state).run.version == 3
