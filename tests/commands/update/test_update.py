"""`forecast update`: new rows are learned from as the next version, which takes its place if it is better."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

import forecast
from forecast import ConfigError, DataError, Run, RunError, Settings
from forecast.archive.due import Alarm
from forecast.cli import build_program
from forecast.commands.replay import replay
from forecast.commands.train import continuing
from forecast.commands.train.continuing import Continuation, NotBetter
from forecast.commands.update import update as module
from forecast.commands.update.rows import _is_same_file, old_and_new_rows
from forecast.commands.update.words import in_a_line
from forecast.data.prepare import prepare
from forecast.model import Model
from forecast.progress import NullProgress, StopRequested, Training
from forecast.runs.find import find, open_run
from forecast.runs.own_rows import ROWS
from forecast.runs.rows import training_panel
from forecast.runs.versions import CURRENT, put_in_place
from recording import RecordingProgress

KEPT = 170  # months of the first training, of 200


class Stopping(NullProgress):
    """Asks to stop at a step."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self, fit: Training) -> None:
        self.left -= 1
        if self.left == 0:
            raise StopRequested(15)


@pytest.fixture(scope="module", autouse=True)
def eager() -> Iterator[None]:
    """Without graphs, whose tracing takes longer than these trainings."""
    from forecast.models.backends.tensorflow import tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def old(
    tmp_path_factory: pytest.TempPathFactory,
    plotless: None,
    eager: None,
    monthly: pd.DataFrame,
    tiny: Callable[..., Settings],
) -> Path:
    """The run of the first months, beside files of old, new and all rows. Only to be copied."""
    folder = tmp_path_factory.mktemp("living")
    monthly[:KEPT].to_csv(folder / "old.csv", index=False)
    monthly[KEPT:].to_csv(folder / "new.csv", index=False)
    monthly.to_csv(folder / "all.csv", index=False)
    shutil.copy(folder / "old.csv", folder / "rows.csv")
    forecast.train(
        folder / "rows.csv",
        tiny(learning_rate=0.01, baseline=False, steps_per_epoch=8),
        run="months",
        runs_dir=folder / "models",
        draw=False,
    )
    return folder


@pytest.fixture
def folder(old: Path, tmp_path: Path) -> Path:
    """A copy of it, whose rows may grow."""
    copied = Path(shutil.copytree(old, tmp_path / "copy"))
    manifest = copied / "models/months/manifest.json"
    manifest.write_text(manifest.read_text().replace(str(old), str(copied)))
    return copied


def update(folder: Path, *source: object, **more: object) -> module.Update:
    return forecast.update("months", *source, runs_dir=folder / "models", draw=False, **more)  # type: ignore[arg-type]


def versions(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "models/months/versions").glob("*"))


def bits(run: Run) -> dict[str, bytes]:
    return {name: (run.path / name).read_bytes() for name in run.manifest["files"]}


def test_without_training_it_only_says_what_is_new(folder: Path, monthly: pd.DataFrame) -> None:
    assert (done := update(folder)).rows_new == 0
    assert not done.trained
    shutil.copy(folder / "all.csv", folder / "rows.csv")
    done = update(folder)
    assert (done.rows, done.rows_new, done.last) == (200, 30, "2006-08-01")
    assert not done.trained
    assert done.run.version == 1
    assert not (folder / "models/months" / CURRENT).exists()
    assert update(folder, monthly).rows_new == 30


def test_a_version_continues_from_the_one_before(folder: Path) -> None:
    done = update(folder, folder / "all.csv", train=True, force=True)
    before, run = open_run(folder / "models/months"), done.run
    assert (run.version, done.trained, done.replaced) == (2, True, True)
    assert find("months", runs_dir=folder / "models") == run
    said = run.manifest["update"]
    assert (said["continued_from"], said["rows_new"], said["optimizer"]) == (1, 30, "kept")
    assert training_panel(run).n_rows == 200  # the rows are found again, and are the same
    assert run.scaler.mean.tolist() == before.scaler.mean.tolist()
    assert run.config.network == before.config.network
    # The test span is as long as before, and holds the newest rows; the validation span lies before it.
    assert (before.config.data.test_from, run.config.data.test_from) == (None, "2003-11-01")
    assert run.manifest["windows"]["test"] == before.manifest["windows"]["test"]
    assert run.metrics["models"].keys() == before.metrics["models"].keys()
    # It went on: Adam counts its steps from those before, and the first loss is not that of fresh weights.
    steps = [int(version.moments("model")["1/iteration"]) for version in (before, run)]
    assert steps[1] > steps[0] > 0
    assert run.history["loss"].iloc[0] < before.history["loss"].iloc[0]
    assert forecast.predict(run, folder / "all.csv")["cutoff"].max() == pd.Timestamp("2006-08-01")
    assert replay(run).same  # continued once more from the first version, to the last bit


def test_it_takes_the_place_only_if_it_is_better(folder: Path) -> None:
    shutil.copy(folder / "all.csv", folder / "rows.csv")
    done = update(folder, train=True, margin=0.99)
    assert (done.trained, done.replaced, done.run.version) == (True, False, 1)
    assert "so it did not take the place" in done.why
    assert versions(folder) == []
    again = update(folder, train=True, margin=0.0)
    skill = again.run.manifest.get("update", {}).get("skill")
    assert again.replaced == (skill is not None and skill >= 0)
    with pytest.raises(ConfigError, match=r"margin.*2"):
        update(folder, margin=2.0)
    with pytest.raises(ConfigError, match=r"versions.*0"):
        update(folder, versions=0)


def test_it_is_reproducible_also_when_it_is_interrupted(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "all.csv", folder / "rows.csv")
    other = Path(shutil.copytree(folder, tmp_path / "other", dirs_exist_ok=True))
    expected = bits(update(folder, train=True, force=True).run)
    with pytest.raises(StopRequested) as stopped:
        update(other, folder / "rows.csv", train=True, force=True, progress=Stopping(4))
    assert "forecast.update('months'" in stopped.value.advice
    assert versions(other) == [".2.training"]
    assert find("months", runs_dir=other / "models").version == 1
    continued = update(other, folder / "rows.csv", train=True, force=True).run
    assert bits(continued) == expected
    assert versions(other) == ["2"]


def test_a_version_that_was_whole_when_it_was_interrupted_takes_its_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "put_in_place", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        update(folder, folder / "all.csv", train=True, force=True)
    monkeypatch.setattr(module, "put_in_place", put_in_place)
    assert find("months", runs_dir=folder / "models").version == 1
    told = RecordingProgress()
    assert update(folder, progress=told).run.version == 2
    assert any("version 2 of months, of an update that was interrupted" in note for note in told.notes)
    forecast.rollback("months", runs_dir=folder / "models")
    assert update(folder).run.version == 1  # what was put back stays


def test_a_run_that_kept_no_optimiser_begins_one(folder: Path) -> None:
    home = folder / "models/months"
    manifest = json.loads((home / "manifest.json").read_text())
    (home / "optimizer.npz").unlink()
    del manifest["files"]["optimizer.npz"]
    (home / "manifest.json").write_text(json.dumps(manifest))
    run = update(folder, folder / "all.csv", train=True, force=True).run
    assert run.manifest["update"]["optimizer"] == "new"


def test_newer_rows_alone_are_put_below_the_old_ones_and_kept(
    folder: Path, monthly: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    thinned: list[tuple[Path, int]] = []
    monkeypatch.setattr(module, "thin_out", lambda *given: thinned.append(given))
    monthly[KEPT - 9 :].to_csv(folder / "new.csv", index=False)  # they overlap with those of the run
    run = update(folder, folder / "new.csv", train=True, force=True).run
    (folder / "new.csv").unlink()
    assert run.manifest["source"] is None
    panel = training_panel(run)
    assert panel.fingerprint() == run.data["fingerprint"] == training_panel(run, folder / "all.csv").fingerprint()
    assert forecast.audit(run, progress=NullProgress()).passed
    assert forecast.predict(run, keep=True)["cutoff"].max() == pd.Timestamp("2006-08-01")
    with pytest.raises(DataError, match="keeps its rows itself"):
        update(folder)
    more = monthly[-30:].assign(ds=monthly["ds"][-30:] + pd.DateOffset(months=30))
    done = update(folder, more, train=True, force=True, versions=7)  # of a frame, which no path names
    assert thinned == [(folder / "models/months", 10), (folder / "models/months", 7)]
    assert (done.run.version, done.rows, done.rows_new) == (3, 230, 30)
    assert training_panel(done.run).n_rows == 230
    assert update(folder, monthly[-3:]).rows_new == 0
    (done.run.path / ROWS).write_bytes(b"PK")
    with pytest.raises(RunError, match="not what the manifest says"):
        training_panel(done.run)


def test_the_rows_of_a_source_that_has_grown_are_found_in_it(folder: Path, monthly: pd.DataFrame) -> None:
    run = find("months", runs_dir=folder / "models")
    monthly.assign(more=1.0).to_csv(folder / "rows.csv", index=False)
    panel = training_panel(run)
    assert panel.fingerprint() == run.data["fingerprint"]
    assert panel.warnings[-1].startswith("30 rows have come since months was trained")
    told = RecordingProgress()
    assert forecast.audit(run, progress=told).passed
    assert any("its choices are not checked" in note for note in told.notes)
    monthly[3:].to_csv(folder / "rows.csv", index=False)
    with pytest.raises(DataError, match=r"rows\.csv has changed"):
        training_panel(run)


@pytest.fixture(scope="module")
def returns(old: Path, three: pd.DataFrame, tiny: Callable[..., Settings]) -> tuple[Run, pd.DataFrame]:
    """A run on the returns of two of three series, and the rows of all."""
    source = old / "three.csv"
    three[(three["unique_id"] != "east") & (three["ds"] < "2004-03-01")].to_csv(source, index=False)
    settings = tiny(target="log_return(y)", baseline=False, steps_per_epoch=2)
    return forecast.train(source, settings, run="three", runs_dir=old / "models", draw=False), three


def test_series_that_are_new_are_passed_over_and_those_that_are_gone_named(
    returns: tuple[Run, pd.DataFrame],
) -> None:
    run, three = returns
    told, source = RecordingProgress(), Path(run.manifest["source"])
    three.to_csv(source, index=False)
    panel, again = old_and_new_rows(run, None, False, told)
    assert (panel.n_rows, panel.series_ids, again) == (400, ("north", "south"), str(source))
    assert "1 series that three was not trained on is passed over" in told.warnings
    three[three["unique_id"] != "north"].to_csv(source, index=False)
    with pytest.raises(DataError, match="no rows of 'north' any more") as refused:
        old_and_new_rows(run, None, False, told)
    assert "Bring its old rows back" in refused.value.advice


def test_what_is_made_of_the_row_before_is_made_of_the_last_old_one(returns: tuple[Run, pd.DataFrame]) -> None:
    run, three = returns
    three.to_csv(run.manifest["source"], index=False)
    panel, _ = old_and_new_rows(run, three[three["ds"] == "2004-03-01"], False, NullProgress())
    prices = three[(three["unique_id"] == "north") & (three["ds"] <= "2004-03-01")]["y"].to_numpy()
    assert panel.columns == tuple(run.data["columns"])
    last = panel.values[panel.rows(0)][-1, panel.column("log_return(y)")]
    assert last == pytest.approx(np.log(prices[-1] / prices[-2]))


def test_a_change_of_an_input_is_told_and_makes_it_train(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = folder / "all.csv"
    assert "nothing has changed" in update(folder, source, train_on_drift=True).why
    alarm = Alarm("inputs", "y", "", np.datetime64("2005-01-01"), np.datetime64("2005-06-01"), "y is 3 higher")
    monkeypatch.setattr(module, "score_and_watch", lambda *_: (5, (alarm,)))
    done = update(folder, source, train_on_drift=True, margin=0.99)
    assert (done.trained, done.scored) == (True, 5)
    assert done.to_json()["alarms"][0]["sentence"] == "y is 3 higher"
    assert ", 5 forecasts scored, 1 alarm; version 1 is in place" in in_a_line(done)


def test_after_a_change_it_learns_from_what_came_since(
    folder: Path, monthly: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarm = Alarm("inputs", "y", "", np.datetime64("2004-03-01"), np.datetime64("2004-08-01"), "y is 3 higher")
    with monkeypatch.context() as patched:
        patched.setattr(module, "score_and_watch", lambda *_: (0, (alarm,)))
        run = update(folder, folder / "all.csv", train_on_drift=True, force=True).run
    # Of 30 months since the change ten train, ten validate and ten judge.
    data = run.config.data
    assert (data.validation_from, data.test_from) == ("2005-01-01", "2005-11-01")
    assert run.manifest["update"]["changed_since"] == "2004-03-01T00:00:00.000000"
    assert replay(run).same
    # Windows that end in the new rows are learned from as often as all others.
    prepared = prepare(training_panel(run), run.config)
    continuation = Continuation(run, changed_since=alarm.began)
    learned = continuation.emphasised(prepared).train
    is_new = prepared.rows.panel.times[learned.cutoffs] >= alarm.began
    assert is_new.sum() == (~is_new).sum() > 100
    assert set(learned.starts) == set(prepared.train.starts)
    # The next version knows of the change without an alarm, and has half a year more to learn from, validate and judge.
    more = monthly[-6:].assign(ds=monthly["ds"][-6:] + pd.DateOffset(months=6))
    run = update(folder, more, train=True, force=True).run
    assert (run.config.data.validation_from, run.config.data.test_from) == ("2005-03-01", "2006-03-01")
    assert run.manifest["update"]["changed_since"] == "2004-03-01T00:00:00.000000"


@pytest.mark.parametrize(
    ("skill", "p_value", "margin", "after_a_change", "as_ever"),
    [
        (0.12, 0.3, None, True, False),
        (0.08, 0.3, None, False, False),
        (0.02, 0.01, None, True, True),
        (0.12, 0.3, 0.2, False, False),
        (0.01, 0.3, 0.005, True, True),
        (None, None, None, False, False),
    ],
)
def test_what_is_better_after_a_change(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    skill: float | None,
    p_value: float | None,
    margin: float | None,
    after_a_change: bool,
    as_ever: bool,
) -> None:
    run = find("months", runs_dir=folder / "models")
    prepared = prepare(training_panel(run), run.config)
    metrics = {"skill": {"version 1": skill}, "p_value": {"version 1": p_value}}
    monkeypatch.setattr(continuing, "score_models", lambda *_: SimpleNamespace(metrics=metrics))
    since = prepared.rows.panel.times[-30]
    for changed_since, expected in ((since, after_a_change), (None, as_ever)):
        continuation = Continuation(run, margin=margin, changed_since=changed_since)
        if expected:
            assert continuation.judge(prepared, Model.load(run), {})["skill"] == skill
        else:
            with pytest.raises(NotBetter, match="version 1 on"):
                continuation.judge(prepared, Model.load(run), {})


def test_watch_updates_until_it_is_told_to_stop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []

    def sleep(seconds: float) -> None:
        rests.append(seconds)
        shutil.copy(folder / "all.csv", folder / "rows.csv")
        if len(rests) == 2:
            (folder / "rows.csv").unlink()
        if len(rests) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("forecast.commands.watch.time.sleep", sleep)
    where = {"FORECAST_RUNS": str(folder / "models")}
    result = CliRunner().invoke(build_program(), ["watch", "months", "--every", "15m"], env=where)
    assert result.exit_code == 0
    first, second = result.stdout.splitlines()
    assert "months: no new rows, until 2004-02-01; version 1 is in place: not trained" in first
    assert "30 new rows" in second
    assert "rows.csv" in result.stderr  # the third failed, and was told of
    assert all(600 < seconds <= 900 for seconds in rests)
    refused = CliRunner().invoke(build_program(), ["watch", "months", "--every", "soon"], env=where)
    assert isinstance(refused.exception, ConfigError)


def test_files_that_were_named_together_are_those_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("")
    recorded = os.pathsep.join(os.path.realpath(tmp_path / name) for name in ("a.csv", "b.csv"))
    monkeypatch.chdir(tmp_path)
    assert _is_same_file(os.pathsep.join(("a.csv", "b.csv")), recorded)
    assert not _is_same_file("a.csv", recorded)


def test_watch_ends_well_in_the_middle_of_an_update_and_tells_of_failures_though_quiet(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = iter([DataError("No rows.", "Bring some."), StopRequested(signal.SIGTERM)])

    def update_(*_: object, **__: object) -> None:
        raise next(outcomes)

    monkeypatch.setattr(module, "update", update_)
    monkeypatch.setattr("forecast.commands.watch.time.sleep", lambda _: None)
    where = {"FORECAST_RUNS": str(folder / "models")}
    result = CliRunner().invoke(build_program(), ["watch", "months", "--quiet"], env=where)
    assert result.exit_code == 0
    assert "No rows." in result.stderr
    assert "Bring some." in result.stderr
    assert "Stopped" not in result.stderr


def test_the_lines_for_systemd_and_cron_are_commands() -> None:
    page = (Path(__file__).parents[3] / "docs/how-to/keep-a-forecast-alive.md").read_text()
    program = typer.main.get_command(build_program())
    lines = re.findall(r"bin/forecast (.*?)(?: >>.*)?(?:`.*)?$|`forecast (watch .*?)`", page, re.MULTILINE)
    assert len(lines) == 4
    for line in lines:
        name, *arguments = shlex.split(line[0] or line[1])
        program.commands[name].make_context(name, arguments)  # type: ignore[attr-defined]


def test_what_the_command_prints(folder: Path) -> None:
    def run(*arguments: str) -> str:
        where = {"FORECAST_RUNS": str(folder / "models")}
        result = CliRunner().invoke(build_program(), ["update", "months", *arguments], env=where)
        assert result.exit_code == 0, result.exception
        return result.stdout

    assert "30 new rows, until 2006-08-01" in run(str(folder / "all.csv"))
    document = json.loads(run(str(folder / "all.csv"), "--json"))
    assert (document["version"], document["rows_new"], document["trained"]) == (1, 30, False)
    assert document["why"].startswith("not trained")
