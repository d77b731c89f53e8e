"""The run folder: what is read back is what was written, or nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from configs import plain_config
from forecast.errors import ConfigError, ForecastError, MachineError, RunError
from forecast.runs.documents import largest_document, parse_json
from forecast.runs.find import all_runs, find, open_run, runs_folder, unfinished_runs
from forecast.runs.run import SCHEMA, Run
from forecast.runs.writer import RunWriter
from naive_names import NAIVE_OF_CYCLES

READERS: dict[str, Callable[[Run], object]] = {
    "metrics.json": lambda run: run.metrics,
    "scaler.json": lambda run: run.scaler,
    "weights.npz": lambda run: run.weights("model"),
    "baseline/weights.npz": lambda run: run.weights("baseline"),
    "history.csv": lambda run: run.history,
    "ranges.npz": lambda run: run.ranges,
    "forecast.csv": lambda run: run.forecast,
    "test_forecasts.parquet": lambda run: run.test_forecasts,
}


@pytest.fixture
def copy(trained: Run, tmp_path: Path) -> Path:
    """A copy of the trained run that may be spoilt."""
    return Path(shutil.copytree(trained.path, tmp_path / "runs" / "months"))


def make_run(
    folder: Path, name: str, text: str = "first", finished: str = "2021-01-01", overwrite: bool = False
) -> Run:
    """A run of one file, without any training."""
    writer = RunWriter(folder, name)
    writer.begin({}, plain_config(), overwrite)
    writer.write("metrics.json", json.dumps({"text": text}))
    return writer.finish({"finished": finished})


def edit_manifest(run: Path, **changes: object) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | changes))


def test_a_run_holds_these_files_and_no_others(trained: Run) -> None:
    files = {path.relative_to(trained.path).as_posix() for path in trained.path.rglob("*") if path.is_file()}
    plots = {
        f"plots/{name}.png" for name in ("1-test-span", "2-examples", "3-error-by-step", "4-training", "5-forecast")
    }
    others = {
        "manifest.json",
        "config.json",
        "baseline/history.csv",
        "optimizer.npz",
        "baseline/optimizer.npz",
        "calibration.npz",
        "report.html",
    }
    assert files == {*READERS} | others | plots
    assert files - {"manifest.json"} == set(trained.manifest["files"])
    assert [path.name for path in trained.path.parent.iterdir()] == ["months"]  # no lock, nothing half-done


def test_an_opened_run_is_the_run_that_was_written(trained: Run) -> None:
    opened = open_run(trained.path)
    assert opened.config == trained.config
    assert opened.manifest == trained.manifest
    assert opened.name == "months"
    assert opened.forecast_weights == "model"
    assert [path.name[:2] for path in opened.plots] == ["1-", "2-", "3-", "4-", "5-"]
    assert opened.metrics["models"].keys() == {"lstm", "rnn", *NAIVE_OF_CYCLES}
    assert list(opened.history) == [
        "epoch",
        "steps",
        "learning_rate",
        "loss",
        "mae",
        "validation_loss",
        "validation_mae",
        "member",
    ]
    assert opened.history["epoch"].tolist() == [1, 2]
    assert opened.forecast["ds"].tolist() == list(pd.date_range("2006-09-01", periods=3, freq="MS"))
    assert set(opened.forecast["cutoff"]) == {pd.Timestamp("2006-08-01")}


@pytest.mark.parametrize("name", READERS)
def test_a_changed_byte_is_refused_and_names_the_file(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    run = open_run(copy)
    with pytest.raises(RunError, match=f"{re.escape(name)} is not what the manifest says"):
        READERS[name](run)
    for other, read in READERS.items():
        if other != name:
            read(run)


@pytest.mark.parametrize("name", READERS)
def test_a_cut_a_longer_and_a_missing_file_are_refused(copy: Path, name: str) -> None:
    content = (copy / name).read_bytes()
    for spoilt in (content[:-1], content + b"\n", b""):
        (copy / name).write_bytes(spoilt)
        with pytest.raises(RunError, match=name):
            READERS[name](open_run(copy))
    (copy / name).unlink()
    with pytest.raises(RunError, match=name):
        READERS[name](open_run(copy))


def test_a_changed_configuration_is_refused(copy: Path) -> None:
    text = (copy / "config.json").read_text()
    (copy / "config.json").write_text(text.replace('"seed": 0', '"seed": 1'))
    with pytest.raises(RunError, match=r"config\.json is not what the manifest says"):
        open_run(copy)


def test_weights_that_are_not_finite_are_refused(copy: Path) -> None:
    run = open_run(copy)
    weights = run.weights("model")
    weights[next(iter(weights))][0] = np.nan
    buffer = io.BytesIO()
    np.savez(buffer, **weights)  # type: ignore[arg-type]
    (copy / "weights.npz").write_bytes(buffer.getvalue())
    entry = {"bytes": len(buffer.getvalue()), "sha256": hashlib.sha256(buffer.getvalue()).hexdigest()}
    edit_manifest(copy, files=run.manifest["files"] | {"weights.npz": entry})
    with pytest.raises(RunError, match=r"weights\.npz holds numbers that are not finite"):
        open_run(copy).weights("model")


def test_a_newer_schema_is_refused(copy: Path) -> None:
    edit_manifest(copy, schema=SCHEMA + 1)
    with pytest.raises(RunError, match=f"schema {SCHEMA + 1}.*reads up to {SCHEMA}") as caught:
        open_run(copy)
    assert caught.value.advice == "Update forecast."


@pytest.mark.parametrize(
    "manifest",
    [b"", b"{", b"[]", b"\xff\xfe", b"{}", b'{"schema": "1"}', b'{"schema": 1, "state": "finished", "files": []}',
     b'{"schema": 1, "state": "finished", "files": {}}',
     b'{"schema": 1, "state": "finished", "files": {"config.json": 3}}',
     b'{"schema": 1, "state": "finished", "files": {"config.json": {"bytes": 3}}}'],
)  # fmt: skip
def test_a_manifest_that_makes_no_sense_is_refused_and_the_list_goes_on(copy: Path, manifest: bytes) -> None:
    (copy / "manifest.json").write_bytes(manifest)
    make_run(copy.parent, "sound")
    with pytest.raises(RunError):
        open_run(copy)
    assert [run.name for run in all_runs(runs_dir=copy.parent)] == ["sound"]


def test_an_unfinished_run_is_refused_with_the_command_that_continues_it(tmp_path: Path) -> None:
    RunWriter(tmp_path, "half").begin({}, plain_config(), overwrite=False)
    assert unfinished_runs(tmp_path) == ["half"]
    assert all_runs(runs_dir=tmp_path) == []
    with pytest.raises(RunError, match="not finished") as caught:
        find("half", runs_dir=tmp_path)
    assert "forecast train --resume half" in caught.value.text("shell")[1]


def test_an_unfinished_run_is_refused_by_its_path_too(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, "half")
    writer.begin({}, plain_config(), overwrite=False)
    with pytest.raises(RunError, match="not finished") as caught:
        find(str(writer.folder), runs_dir=tmp_path)
    assert "forecast train --resume half" in caught.value.text("shell")[1]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/tmp/x", "a\\b", ".hidden", "-x", "a b", "x" * 101, "x" * 300, "läuft",
             "a\n", "latest", "\0"],
)  # fmt: skip
def test_names_that_are_no_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a run"):
        RunWriter(tmp_path, name)


@pytest.mark.parametrize("name", ["a", "2021", "a.b_c-d", "x" * 100, "latest-2"])
def test_plain_names_are_taken(tmp_path: Path, name: str) -> None:
    assert make_run(tmp_path, name).name == name
    assert find(name, runs_dir=tmp_path).path == tmp_path / name


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "",
        "../nothing",
        pytest.param("x" * 300, id="300"),
        pytest.param("x" * 5000, id="5000"),
        "a\0b",
        "a\nb",
    ],
)
def test_a_run_that_is_not_there_is_refused_and_the_others_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "runs", "here")
    with pytest.raises(RunError, match="There is no run") as caught:
        find(name, runs_dir=tmp_path / "runs")
    assert "here" in caught.value.advice


def test_a_run_is_found_by_name_and_by_path(trained: Run, tmp_path: Path) -> None:
    assert find("months", runs_dir=trained.path.parent).path == trained.path
    assert find(str(trained.path), runs_dir=tmp_path).manifest == trained.manifest


def test_latest_is_the_one_that_was_finished_last(tmp_path: Path) -> None:
    for name, finished in (("a", "2021-01-02"), ("b", "2021-01-03"), ("c", "2021-01-01")):
        make_run(tmp_path, name, finished=finished)
    assert [run.name for run in all_runs(runs_dir=tmp_path)] == ["c", "a", "b"]
    assert find("latest", runs_dir=tmp_path).name == "b"


def test_without_runs_latest_says_how_to_make_one(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(RunError, match="There is no run") as caught:
            find("latest", runs_dir=folder)
        assert "forecast train weather" in caught.value.text("shell")[1]
        assert all_runs(runs_dir=folder) == []
        assert unfinished_runs(folder) == []


def test_what_is_no_run_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "README.md").write_text("Trained runs lie here.")
    make_run(tmp_path, "run")
    assert [run.name for run in all_runs(runs_dir=tmp_path)] == ["run"]


def test_where_runs_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORECAST_RUNS", raising=False)
    assert runs_folder(None) == Path("models")
    monkeypatch.setenv("FORECAST_RUNS", "/elsewhere")
    assert runs_folder(None) == Path("/elsewhere")
    assert runs_folder(Path("here")) == Path("here")
    monkeypatch.setenv("FORECAST_RUNS", "")
    assert runs_folder(None) == Path("models")


def test_an_existing_run_is_kept_unless_it_is_to_be_overwritten(tmp_path: Path) -> None:
    make_run(tmp_path, "run", "first")
    with pytest.raises(ConfigError, match="There is a run 'run' already") as caught:
        RunWriter(tmp_path, "run").begin({}, plain_config(), overwrite=False)
    assert "--overwrite" in caught.value.text("shell")[1]
    assert find("run", runs_dir=tmp_path).metrics == {"text": "first"}


def test_an_unfinished_training_is_not_begun_anew_by_accident(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, "run")
    writer.begin({}, plain_config(), overwrite=False)
    with pytest.raises(ConfigError, match="unfinished training of 'run'") as caught:
        writer.begin({}, plain_config(), overwrite=False)
    assert "forecast train --resume run" in caught.value.text("shell")[1]
    writer.begin({}, plain_config(), overwrite=True)


def test_an_overwritten_run_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    make_run(tmp_path, "run", "first")
    writer = RunWriter(tmp_path, "run")
    writer.begin({}, plain_config(), overwrite=True)
    writer.write("metrics.json", '{"text": "second"}')
    assert find("run", runs_dir=tmp_path).metrics == {"text": "first"}
    writer.finish({"finished": "2022"})
    assert find("run", runs_dir=tmp_path).metrics == {"text": "second"}
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_when_the_new_run_cannot_take_its_place_the_old_one_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, "run", "first")
    writer = RunWriter(tmp_path, "run")
    writer.begin({}, plain_config(), overwrite=True)
    rename = os.rename

    def failing(source: Path, target: Path) -> None:
        if Path(source) == writer.folder:
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr("forecast.runs.files.ctypes.CDLL", lambda *_, **__: None)  # a system that moves in steps
    monkeypatch.setattr("forecast.runs.files.os.rename", failing)
    with pytest.raises(MachineError, match="Cannot move the run"):
        writer.finish({"finished": "2022"})
    assert find("run", runs_dir=tmp_path).manifest["finished"] == "2021-01-01"
    monkeypatch.undo()
    writer.move_into_place()
    assert find("run", runs_dir=tmp_path).manifest["finished"] == "2022"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("moves", ["at once", "in steps"])
def test_a_run_that_is_replaced_while_it_is_read_is_read_as_it_was(
    tmp_path: Path, moves: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if moves == "in steps":
        monkeypatch.setattr("forecast.runs.files.ctypes.CDLL", lambda *_, **__: None)
    make_run(tmp_path, "run", "first")
    opened, listed = find("run", runs_dir=tmp_path), all_runs(runs_dir=tmp_path)[0]
    make_run(tmp_path, "run", "second", finished="2022", overwrite=True)
    assert opened.metrics == {"text": "first"}
    with pytest.raises(RunError, match="The run run was replaced since it was opened"):
        _ = listed.metrics  # listing reads no more than it shows
    assert find("run", runs_dir=tmp_path).metrics == {"text": "second"}


def test_a_run_that_changes_while_it_is_opened_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path, "run", "first")
    others = ["second", "third"]

    def opened_late(path: Path) -> Run:
        run = open_run(path)
        if others:
            make_run(tmp_path, "run", others.pop(0), finished="2022", overwrite=True)
        return run

    with monkeypatch.context() as patch:
        patch.setattr("forecast.runs.find.open_run", opened_late)
        assert find("run", runs_dir=tmp_path).metrics == {"text": "third"}


def test_what_a_kill_left_beside_a_finished_run_is_taken_away(tmp_path: Path) -> None:
    make_run(tmp_path, "run", "second")
    (tmp_path / "run" / "checkpoints").mkdir()
    make_run(tmp_path, "first").path.rename(tmp_path / ".run.training")  # has no checkpoints: it is the replaced one
    assert unfinished_runs(tmp_path) == []
    with pytest.raises(RunError, match="is finished"):
        RunWriter(tmp_path, "run").read_unfinished()
    RunWriter(tmp_path, "run").delete_leftovers()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_what_a_kill_set_aside_comes_back(tmp_path: Path) -> None:
    make_run(tmp_path, "run", "first").path.rename(tmp_path / ".run.replaced")
    RunWriter(tmp_path, "run").begin({}, plain_config(), overwrite=True)
    assert find("run", runs_dir=tmp_path).metrics == {"text": "first"}


def test_a_folder_that_is_no_run_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match="is not a run, so it is not replaced"):
        RunWriter(tmp_path, "mine").begin({}, plain_config(), overwrite=True)
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_overwriting_deletes_nothing_that_is_not_the_runs(tmp_path: Path) -> None:
    old = make_run(tmp_path, "run", "first").path
    mine = {"notes.txt": "mine", "plots/mine.png": "drawn", "deep/er/table.csv": "1,2", "forecast.xlsx": "kept"}
    for name, text in mine.items():
        (old / name).parent.mkdir(parents=True, exist_ok=True)
        (old / name).write_text(text)
    (old / "link").symlink_to(tmp_path)
    (old / "explain").mkdir()
    (old / "explain" / "explain.json").write_text("{}")  # of the run, though not in its manifest
    writer = RunWriter(tmp_path, "run")
    assert writer.begin({}, plain_config(), overwrite=True) == sorted([*mine, "link"])
    writer.write("deep/er/table.csv", "new")
    writer.finish({"finished": "2022-01-01"})
    mine["deep/er/table.csv.kept"] = mine.pop("deep/er/table.csv")
    for name, text in mine.items():
        assert (tmp_path / "run" / name).read_text() == text
    assert (tmp_path / "run" / "deep/er/table.csv").read_text() == "new"
    assert (tmp_path / "run" / "link").is_symlink()
    assert not (tmp_path / "run" / "metrics.json").exists()
    assert not (tmp_path / "run" / "explain").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_is_not_the_runs_outlives_a_kill(tmp_path: Path) -> None:
    make_run(tmp_path, "run", "second")
    replaced = make_run(tmp_path, "first").path
    (replaced / "notes.txt").write_text("mine")
    replaced.rename(tmp_path / ".run.training")
    RunWriter(tmp_path, "run").delete_leftovers()
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("manifest", ['{"name": "an app", "version": "1.0"}', "not JSON", None])
def test_a_folder_with_the_manifest_of_something_else_is_not_replaced(tmp_path: Path, manifest: str | None) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "index.html").write_text("hello")
    if manifest is not None:
        (tmp_path / "app" / "manifest.json").write_text(manifest)
    with pytest.raises(ConfigError, match="is not a run, so it is not replaced"):
        RunWriter(tmp_path, "app").begin({}, plain_config(), overwrite=True)
    assert (tmp_path / "app" / "index.html").read_text() == "hello"


def test_a_run_with_a_damaged_manifest_is_replaced(copy: Path) -> None:
    (copy / "manifest.json").write_text("{")
    (copy / "notes.txt").write_text("mine")
    assert RunWriter(copy.parent, "months").begin({}, plain_config(), overwrite=True) == ["notes.txt"]


def test_no_run_is_called_as_the_state_of_a_stream(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a run"):
        RunWriter(tmp_path, "run.stream.json")
    (tmp_path / "run.stream.json").write_text("{}")
    with pytest.raises(RunError, match="There is no run"):
        find("run.stream.json", runs_dir=tmp_path)


def test_a_folder_that_may_not_be_written_is_the_machines_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError) as caught:
        RunWriter(tmp_path / "file", "run").begin({}, plain_config(), overwrite=False)
    assert caught.value.exit_code == 3
    assert "--runs-dir" in caught.value.text("shell")[1]


def test_nan_does_not_get_into_json(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, "run")
    writer.begin({}, plain_config(), overwrite=False)
    with pytest.raises(ValueError, match="not JSON compliant"):
        writer.write_json("metrics.json", {"mae": float("nan")})


# What a run must say of its data to be read.
DATA = {"freq": "h", "columns": [], "series_ids": [], "test_from": "", "last": ""}


def test_tables_come_back_as_they_were(tmp_path: Path) -> None:
    times = pd.date_range("2021-01-01", periods=3, freq="h")
    frame = pd.DataFrame(
        {"unique_id": ["007", "NA", "null"], "ds": times, "cutoff": times[0], "lstm": [1.25, np.nan, -1e-7]}
    )
    writer = RunWriter(tmp_path, "run")
    writer.begin({}, plain_config(), overwrite=False)
    writer.write_frame("forecast.csv", frame)
    back = writer.finish({"finished": "2022", "data": DATA}).forecast
    pd.testing.assert_frame_equal(back, frame, check_dtype=False)


def test_series_names_that_were_made_harmless_come_back_as_they_were(tmp_path: Path) -> None:
    times = pd.date_range("2021-01-01", periods=2, freq="D")
    frame = pd.DataFrame({"unique_id": ["-5", "=x"], "ds": times, "cutoff": times[0], "lstm": 1.0})
    writer = RunWriter(tmp_path, "run")
    writer.begin({}, plain_config(), overwrite=False)
    writer.write_frame("forecast.csv", frame)
    assert writer.finish({"finished": "2022", "data": DATA}).forecast["unique_id"].tolist() == ["-5", "=x"]


def test_every_refusal_ends_with_two(copy: Path) -> None:
    (copy / "manifest.json").unlink()
    with pytest.raises(ForecastError) as caught:
        open_run(copy)
    assert caught.value.exit_code == 2


def test_runs_are_listed_and_found(trained: Run) -> None:
    folder = trained.path.parent
    assert find("months", runs_dir=folder).manifest == trained.manifest
    assert find(runs_dir=folder).name == "months"
    with pytest.raises(RunError, match="There is no run 'other'") as caught:
        find("other", runs_dir=folder)
    assert "months" in caught.value.advice


def test_a_document_on_many_series_may_be_larger(tmp_path: Path) -> None:
    of_series = {"by_series": {f"meter {number:06d}": dict.fromkeys("abcdefg", number / 7) for number in range(60_000)}}
    content, path = json.dumps(of_series).encode(), tmp_path / "metrics.json"
    assert parse_json(content, path, n_series=60_000) == of_series
    with pytest.raises(RunError, match="too large"):
        parse_json(content, path, n_series=10)
    assert largest_document(60_000) > len(content)
