"""What is kept of forecasts comes back as it was issued, once, whatever happens to the process that kept it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import Result

import forecast
from forecast import MachineError, Panel, Run, RunError
from forecast.archive import database, store
from forecast.archive.store import ARCHIVE, Archive, Row
from forecast.commands.serve.requests import RequestReader
from forecast.commands.serve.service import Lane, Service
from forecast.progress import NullProgress
from forecast.runs.rows import new_panel
from postgresql import address_of_server


@pytest.fixture
def archive(trained: Run, tmp_path: Path) -> Archive:
    """The archive of the run on months, which ends in August 2006, in a file of its own."""
    return Archive.open(trained, f"sqlite:///{tmp_path / 'kept.sqlite'}")


@pytest.fixture
def longer(trained: Run, monthly: pd.DataFrame) -> Callable[..., Panel]:
    """The months and some after them, 100, 101, …, as the network takes them."""

    def after(months: int, **changed: float) -> Panel:
        times = pd.date_range(monthly["ds"].iloc[-1], periods=months + 1, freq="MS")[1:]
        more = pd.DataFrame({"ds": times, "y": 100.0 + np.arange(months)})
        for when, value in changed.items():
            more.loc[more["ds"] == when, "y"] = value
        return new_panel(trained, pd.concat([monthly, more], ignore_index=True), NullProgress())

    return after


def test_what_was_kept_is_due_when_it_was_observed(
    archive: Archive, trained: Run, longer: Callable[..., Panel], monthly: pd.DataFrame
) -> None:
    issued = trained.forecast
    archive.keep(issued, "of these rows")
    due = archive.due(longer(2))
    assert due.unique_ids.tolist() == ["y"]
    assert due.cutoffs.tolist() == [issued["cutoff"][0]] == [monthly["ds"].iloc[-1]]
    assert due.times[0].tolist() == issued["ds"].tolist()
    np.testing.assert_array_equal(due.y, [[100, 101, np.nan]])  # the third month is not over
    assert list(due.forecasts) == ["lstm", "lstm-lo-80", "lstm-hi-80", "lstm-lo-95", "lstm-hi-95", "persistence",
                                   "seasonal-naive"]  # fmt: skip
    for name, values in due.forecasts.items():
        np.testing.assert_allclose(values[0], issued[name], rtol=1e-7)
    np.testing.assert_allclose(due.errors("persistence")[0, :2], [100, 101] - monthly["y"].iloc[-1], rtol=1e-6)
    assert len(archive.due(longer(0))) == 0  # nothing has come since


def test_the_same_forecast_is_the_same_row_and_that_of_another_version_another(
    archive: Archive, trained: Run, longer: Callable[..., Panel]
) -> None:
    archive.keep(trained.forecast, "a")
    archive.keep(trained.forecast.assign(lstm=0.0), "b")  # of rows that were revised meanwhile, say
    second = replace(trained, manifest={**trained.manifest, "version": 2})
    Archive(second, archive.database).keep(trained.forecast, "c")
    due = archive.due(longer(3))
    assert sorted(due.versions.tolist()) == [1, 2]
    np.testing.assert_allclose(due.forecasts["lstm"], [trained.forecast["lstm"]] * 2, rtol=1e-7)


def test_forecasts_from_rows_of_the_training_are_passed_over(
    archive: Archive, trained: Run, longer: Callable[..., Panel]
) -> None:
    early = trained.forecast.assign(cutoff=pd.Timestamp("2006-01-01"))
    archive.keep(early, "a")
    assert (len(archive.due(longer(3))), archive.due(longer(3)).passed_over) == (0, 1)


def test_what_is_read_in_parts_is_the_same(
    archive: Archive, trained: Run, longer: Callable[..., Panel], monkeypatch: pytest.MonkeyPatch
) -> None:
    for months in range(4):
        later = trained.forecast["cutoff"] + pd.DateOffset(months=months)
        archive.keep(trained.forecast.assign(cutoff=later, lstm=float(months)), "a")
    archive.keep(trained.forecast.assign(cutoff=pd.Timestamp("2006-01-01")), "a")
    whole = archive.due(longer(3))
    assert (len(whole), whole.passed_over) == (3, 1)
    assert whole.forecasts["lstm"][:, 0].tolist() == [0.0, 1.0, 2.0]
    assert store._spans([(3, 5), (7, 90_000), (8, 2), (9, 19_998), (11, 1)]) == [(3, 4), (7, 8), (8, 10), (11, 12)]
    monkeypatch.setattr(store, "_AT_A_TIME", 2)
    parts = archive.due(longer(3))
    assert parts.passed_over == 1
    assert parts.cutoffs.tolist() == whole.cutoffs.tolist()
    np.testing.assert_array_equal(parts.y, whole.y)
    for name, values in whole.forecasts.items():
        np.testing.assert_array_equal(parts.forecasts[name], values)


def test_a_revised_observation_is_told_once(archive: Archive, trained: Run, longer: Callable[..., Panel]) -> None:
    archive.keep(trained.forecast, "a")
    assert archive.note_observed(archive.due(longer(1))) == []
    assert archive.note_observed(archive.due(longer(2))) == []
    (revised,) = archive.note_observed(archive.due(longer(3, **{"2006-10-01": 7.0})))
    assert (revised.unique_id, str(revised.time)[:10], revised.before, revised.now) == ("y", "2006-10-01", 101, 7)
    assert archive.note_observed(archive.due(longer(3, **{"2006-10-01": 7.0}))) == []


def test_predict_stream_and_serve_keep_the_same(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, monthly: pd.DataFrame, longer: Callable[..., Panel],
    quick: Callable[..., Result],
) -> None:  # fmt: skip
    newer = monthly.assign(ds=monthly["ds"] + pd.DateOffset(months=1))
    due = []
    for name in ("predict", "command", "stream", "serve"):
        monkeypatch.setenv("FORECAST_ARCHIVE", f"sqlite:///{tmp_path / name}")
        kept = Archive.open(trained)
        if name == "predict":
            forecast.predict(trained, newer, keep=True)
        elif name == "command":
            newer.to_csv(tmp_path / "newer.csv", index=False)
            assert quick("predict", "months", tmp_path / "newer.csv", "--keep").exit_code == 0
        elif name == "stream":
            stream = forecast.Stream(trained, keep=True)
            stream.remember(newer.iloc[:-1])
            stream.push(newer["ds"].iloc[-1], {"y": newer["y"].iloc[-1]})
            stream.save()
        else:
            body = {"rows": [{"ds": str(ds), "y": y} for ds, y in newer.tail(40).itertuples(index=False)]}
            service = Service(trained, RequestReader(trained), archive=kept)
            Lane("test").submit(service, pd.io.json.ujson_dumps(body, double_precision=15).encode()).result()
        due.append(kept.due(longer(4)))
    for other in due[1:]:
        assert other.cutoffs.tolist() == due[0].cutoffs.tolist() == [newer["ds"].iloc[-1]]
        for column in due[0].forecasts:
            np.testing.assert_allclose(other.forecasts[column], due[0].forecasts[column], rtol=1e-5)


def test_the_stored_forecast_is_kept_in_the_folder_of_the_run(
    quick: Callable[..., Result], trained: Run, longer: Callable[..., Panel]
) -> None:
    try:
        assert quick("predict", "months", "--keep").exit_code == 0
        assert len(Archive.open(trained).due(longer(1))) == 1
    finally:
        (trained.path / ARCHIVE).unlink()


def test_an_archive_that_cannot_be_used_is_explained(
    archive: Archive, trained: Run, longer: Callable[..., Panel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RunError, match="No forecast of months was kept"):
        archive.due(longer(1))
    path = tmp_path / "kept.sqlite"
    assert not path.exists()
    archive.keep(trained.forecast, "a")
    monkeypatch.setattr(database, "_PATIENCE", 0.05)
    with sqlite3.connect(path) as other:
        other.execute("begin immediate")
        with pytest.raises(MachineError, match="being written by another process"):
            archive.keep(trained.forecast, "a")
    other.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))
    with pytest.raises(RunError, match="is damaged"):
        archive.keep(trained.forecast, "a")
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(RunError, match="is damaged"):
        archive.due(longer(1))
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="is a link"):
        archive.keep(trained.forecast, "a")
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(forecast.ConfigError, match="cannot lie at 'mysql://me@host/db'"):
        Archive.open(trained, "mysql://me:s3cret@host/db")


def test_a_full_disk_is_told_and_a_server_forecasts_on(
    archive: Archive, trained: Run, monkeypatch: pytest.MonkeyPatch, monthly: pd.DataFrame
) -> None:
    connect = sqlite3.connect

    def small(*arguments: object, **options: object) -> sqlite3.Connection:
        connection = connect(*arguments, **options)  # type: ignore[call-overload]
        connection.execute("pragma max_page_count = 2")
        return connection

    monkeypatch.setattr("forecast.archive.database.sqlite3.connect", small)
    with pytest.raises(MachineError, match="database or disk is full") as caught:
        archive.keep(trained.forecast, "a")
    assert caught.value.advice == "Free some space there."
    body = {"rows": [{"ds": str(ds), "y": y} for ds, y in monthly.tail(40).itertuples(index=False)]}
    service = Service(trained, RequestReader(trained), archive=archive)
    answer = Lane("test").submit(service, pd.io.json.ujson_dumps(body).encode()).result()
    assert b"The forecast was not kept" in answer
    assert b'"lstm"' in answer


_WRITER = """
import sys
from pathlib import Path
import numpy as np, pandas as pd
from forecast.archive.store import Archive
from forecast.runs.find import find
run = find(sys.argv[1])
archive, template = Archive.open(run, sys.argv[2]), run.forecast
print("ready", flush=True)
for month in range(10_000):
    shifted = template.assign(cutoff=template["cutoff"] + pd.DateOffset(months=month), unique_id=sys.argv[3])
    archive.keep(shifted, "")
    print(month, flush=True)
"""


@pytest.mark.thorough
def test_no_kill_loses_what_was_kept_nor_damages_the_archive(trained: Run, tmp_path: Path) -> None:
    address, rng = f"sqlite:///{tmp_path / 'kept.sqlite'}", np.random.default_rng(0)
    for trial in range(12):
        names = [f"{trial}-{number}" for number in range(3)]
        command = [sys.executable, "-c", _WRITER, str(trained.path), address]
        writers = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in names]
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()
        time.sleep(rng.uniform(0.05, 1.0))
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
        for name, writer in zip(names, writers, strict=True):
            told = len(writer.communicate()[0].split())
            with sqlite3.connect(tmp_path / "kept.sqlite") as connection:
                (there,) = connection.execute("select count(*) from forecasts where unique_id = ?", [name]).fetchone()
                assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
            assert told <= there <= told + 1, (name, told, there)


def test_a_real_postgresql_keeps_them_for_several_machines(trained: Run, longer: Callable[..., Panel]) -> None:
    with address_of_server() as address:
        archive, other = Archive.open(trained, address), Archive.open(trained, address)
        with pytest.raises(RunError, match="No forecast of months was kept"):
            archive.due(longer(1))
        archive.keep(trained.forecast, "a")
        other.keep(trained.forecast, "a")
        due = other.due(longer(2))
        assert (len(due), due.y[0, 0]) == (1, 100)
        np.testing.assert_allclose(due.forecasts["lstm"][0], trained.forecast["lstm"], rtol=1e-7)
        assert archive.note_observed(due) == []
        assert len(other.note_observed(archive.due(longer(2, **{"2006-09-01": 7.0})))) == 1
        rows: list[Row] = archive.rows_of(trained.forecast, "b")
        archive.write([{**rows[0], "unique_id": str(number)} for number in range(100)])
        with pytest.raises(MachineError, match="cannot be used") as caught:
            Archive.open(trained, address.replace("/postgres", "/nowhere")).keep(trained.forecast, "a")
        assert "s3cret" not in str(caught.value)
