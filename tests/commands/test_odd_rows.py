"""Odd values of new rows, by every entry: the run's own options are applied, and what is far is said once."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import forecast
from forecast import Run, Settings, Stream
from forecast.cli import build_program
from forecast.commands.serve.requests import RequestReader
from forecast.commands.serve.service import Lane, Service
from forecast.commands.stream.feed import stream_rows
from recording import RecordingProgress

N, L, H = 500, 24, 3
pytestmark = pytest.mark.usefixtures("plotless")


def table(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    day = np.sin(2 * np.pi * np.arange(N) / 24)
    return pd.DataFrame(
        {
            "ds": pd.date_range("2022-01-01", periods=N, freq="h"),
            "load": (5000 + 900 * day + rng.normal(0, 40, N)).round(1),
            "temp": (9 + 4 * day + rng.normal(0, 0.5, N)).round(2),
            "unused": rng.normal(0, 1, N).round(2),
        }
    )


def with_odd_values(rows: pd.DataFrame) -> pd.DataFrame:
    """Zeros and spikes among the rows, also among the last ones."""
    odd = rows.copy()
    odd.loc[odd.index[[40, 41, 300, -5]], "load"] = 0
    odd.loc[odd.index[[60, 250, -3]], "temp"] = 54
    odd.loc[odd.index[[70, -8]], "load"] = 12000
    return odd


CLEAN = table()
ODD = with_odd_values(CLEAN)
# What the options leave of them, by hand.
MASKED = CLEAN.mask(ODD != CLEAN)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, plotless: None, tiny: Callable[..., Settings]) -> dict[str, Run]:
    """A run that takes odd values as missing, trained on rows with some; and one on the sound rows."""
    folder = tmp_path_factory.mktemp("runs")
    shared = {"target": "load", "covariates": "temp", "lookback": L, "horizon": H}
    options = {"missing": "0@load,-77@unused", "spikes": "missing"}
    return {
        "masking": forecast.train(ODD, tiny(**shared, **options), run="masking", runs_dir=folder),
        "masked": forecast.train(MASKED, tiny(**shared), run="masked", runs_dir=folder),
        "plain": forecast.train(CLEAN, tiny(**shared), run="plain", runs_dir=folder),
        "last": forecast.train(CLEAN, tiny(**shared, normalise="last"), run="last", runs_dir=folder),
    }


def cli(run: Run, *arguments: str, stdin: str | None = None) -> Result:
    where = {"FORECAST_RUNS": str(run.path.parent)}
    return CliRunner().invoke(build_program(arguments), list(arguments), input=stdin, env=where)


def by_entry(run: Run, rows: pd.DataFrame, path: Path) -> dict[str, pd.DataFrame]:
    """The newest forecast of some rows by every entry."""
    rows.to_csv(path, index=False)
    used = rows[["ds", "load", "temp"]]

    def pushed() -> pd.DataFrame:
        stream = Stream(run)
        for row in rows.itertuples():
            newest = stream.push(row.ds, {"load": row.load, "temp": row.temp})
        return newest

    def after_history() -> pd.DataFrame:
        stream = Stream(run)
        stream.remember(rows[:-2])
        return [stream.push(row.ds, {"load": row.load, "temp": row.temp}) for row in rows[-2:].itertuples()][-1]

    def served() -> pd.DataFrame:
        records = json.loads(used.to_json(orient="records", date_format="iso"))
        response = (
            Lane("test").submit(Service(run, RequestReader(run)), json.dumps({"rows": records}).encode()).result()
        )
        return pd.DataFrame(json.loads(response)["forecast"])

    return {
        "file": forecast.predict(run, path),
        "frame": forecast.predict(run, rows),
        "panel": forecast.predict(run, forecast.read(rows)),
        "pushed": pushed(),
        "after history": after_history(),
        "lines": list(stream_rows(Stream(run), str(path)))[-1],
        "served": served(),
        "command line": pd.read_csv(io.StringIO(cli(run, "predict", run.name, str(path)).stdout)),
        "standard input": pd.read_csv(io.StringIO(cli(run, "predict", run.name, "-", stdin=path.read_text()).stdout)),
    }


def test_training_on_odd_rows_with_the_options_is_training_without_these_values(runs: dict[str, Run]) -> None:
    for name, weights in runs["masking"].weights("model").items():
        np.testing.assert_array_equal(weights, runs["masked"].weights("model")[name])
    assert runs["masking"].metrics["models"] == runs["masked"].metrics["models"]
    assert runs["masking"].config.read.missing == ("0@load", "-77@unused")


def test_every_entry_applies_the_options_of_the_run(runs: dict[str, Run], tmp_path: Path) -> None:
    columns = ["lstm", "rnn", "persistence", "lstm-lo-80", "lstm-hi-95"]
    expected = forecast.predict(runs["masked"], MASKED)[columns]
    assert not np.allclose(expected, forecast.predict(runs["masked"], ODD)[columns], rtol=1e-3)
    for entry, got in by_entry(runs["masking"], ODD, tmp_path / "odd.csv").items():
        assert len(got) == H, entry
        np.testing.assert_allclose(got[columns], expected, rtol=1e-6, err_msg=entry)


def test_a_stream_says_after_each_row_what_predict_says_of_the_rows_so_far(runs: dict[str, Run]) -> None:
    """So nothing that it says of a row depends on a later one."""
    stream, run = Stream(runs["masking"]), runs["masking"]
    for number, row in enumerate(ODD.itertuples(), 1):
        pushed = stream.push(row.ds, {"load": row.load, "temp": row.temp})
        if number in (60, 61, 71, 72, 251, 252, 301, N - 4, N - 3, N - 2):
            expected = forecast.predict(run, ODD[:number])
            np.testing.assert_allclose(pushed["lstm"], expected["lstm"], rtol=1e-6, err_msg=str(number))


def test_the_options_are_those_of_a_file_of_settings_and_of_the_command_line(tmp_path: Path) -> None:
    ODD.to_csv(tmp_path / "odd.csv", index=False)
    (tmp_path / "settings.toml").write_text('[read]\nmissing = ["0@load", "12000"]\nspikes = "missing"\n')
    settings = forecast.config.settings_from_toml(tmp_path / "settings.toml")
    from_file = forecast.read(ODD, forecast.configure(settings).read)
    found = CliRunner().invoke(
        build_program(),
        ["inspect", str(tmp_path / "odd.csv"), "--missing", "0@load,12000", "--spikes", "missing", "--json"],
    )
    columns = {column["name"]: column for column in json.loads(found.stdout)["columns"]}
    missing = dict(zip(from_file.columns, np.isnan(from_file.values).sum(axis=0), strict=True))
    assert {name: columns[name]["missing"] for name in missing} == missing == {"load": 6, "temp": 3, "unused": 0}


CHANGES: dict[str, tuple[dict[str, object], str]] = {
    "kelvin": ({"temp": lambda v: v + 273.15}, "another unit (K for °C)?"),
    "thousands": ({"load": lambda v: v * 1000}, "another unit (1,000 times as large)?"),
    "zeros": ({"load": lambda v: v * 0}, "lie far from the training rows"),
    "constant": ({"load": lambda v: v * 0 + 5003}, "'load': 5003 in 30 rows in sequence"),
    "sign": ({"load": lambda v: -v}, "has the sign changed?"),
}


def newest(**changes: Callable[[pd.Series], pd.Series]) -> pd.DataFrame:
    rows = CLEAN[-30:].copy()
    for name, change in changes.items():
        rows[name] = change(rows[name])
    return rows


@pytest.mark.parametrize("name", CHANGES)
def test_every_entry_warns_of_rows_far_from_the_training(name: str, runs: dict[str, Run], tmp_path: Path) -> None:
    changes, says = CHANGES[name]
    rows, run = newest(**changes), runs["plain"]
    path = tmp_path / "rows.csv"
    rows.to_csv(path, index=False)
    progress = RecordingProgress()
    forecast.predict(run, rows, progress=progress)
    said = [warning for warning in progress.warnings if says in warning]
    assert len(said) == 1
    assert said[0] in cli(run, "predict", "plain", str(path)).stderr
    records = json.loads(rows[["ds", "load", "temp"]].to_json(orient="records", date_format="iso"))
    response = Lane("test").submit(Service(run, RequestReader(run)), json.dumps({"rows": records}).encode()).result()
    assert said[0] in json.loads(response)["warnings"]
    assert said[0] in cli(run, "evaluate", "plain", str(path)).stderr


def test_sound_rows_draw_no_warning(runs: dict[str, Run]) -> None:
    for seed in range(10):
        progress = RecordingProgress()
        forecast.predict(runs["plain"], table(seed)[-60:], progress=progress)
        assert progress.warnings == []


def test_a_stream_warns_once_an_episode(runs: dict[str, Run]) -> None:
    stream = Stream(runs["plain"])
    stream.remember(CLEAN[:300])
    warned = {}
    for number, row in enumerate(CLEAN[300:].itertuples()):
        kelvin = 10 <= number < 20 or 120 <= number < 130
        stream.push(row.ds, {"load": row.load, "temp": row.temp + 273.15 * kelvin})
        if stream.warnings:
            warned[number] = stream.warnings
    assert [all("'temp'" in text and "K for °C" in text for text in texts) for texts in warned.values()] == [True, True]
    assert sum(map(len, warned.values())) == 2
    first, second = warned
    assert 10 <= first <= 13
    assert 120 <= second <= 123


def test_a_stream_names_a_spike_as_it_comes(runs: dict[str, Run], tmp_path: Path) -> None:
    for name, then in [("plain", "."), ("masking", " and is read as missing.")]:
        stream, said = Stream(runs[name]), []
        stream.remember(CLEAN[:300])
        for number, row in enumerate(CLEAN[300:330].itertuples()):
            stream.push(row.ds, {"load": 12000 if number == 9 else row.load, "temp": row.temp})
            said.append(stream.warnings)
        assert said[9] == (f"'load': 12000 at 2022-01-13 21:00 lies far from the values before it{then}",)
        assert not any(said[:9] + said[10:])
    CLEAN[300:340].assign(load=[*CLEAN["load"][300:339], 12000]).to_csv(tmp_path / "rows.csv", index=False)
    line = "warning: 'load': 1 single value(s) far from those before and after, such as 12000 at 2022-01-15 03:00 after"
    assert line in cli(runs["plain"], "predict", "plain", str(tmp_path / "rows.csv")).stderr


def test_numbers_beyond_all_are_refused_in_words(runs: dict[str, Run], tmp_path: Path, recwarn) -> None:
    rows = newest(load=lambda v: v * 0 + 1e300)
    path = tmp_path / "rows.csv"
    rows.to_csv(path, index=False)
    for run, command in [("plain", "predict"), ("plain", "evaluate"), ("plain", "stream"), ("last", "predict")]:
        done = cli(runs[run], command, run, str(path))
        assert "lie far from the training rows" in done.stderr or command == "stream", command
        refused = isinstance(done.exception, forecast.DataError) and "not a number" in done.exception.message
        assert refused or (done.exit_code == 0 and command != "evaluate" and run != "last"), command
    assert [str(warning.message) for warning in recwarn if warning.category is RuntimeWarning] == []
