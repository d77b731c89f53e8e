"""A run on forecasts of its inputs as they were known at the time: what it is fed, and that nothing else moves it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import forecast
from forecast import Run
from forecast.cli import build_program
from forecast.commands.requests import request_forecast
from forecast.data.issues import AsOf, Ints
from forecast.data.prepare import arrange, encode
from forecast.errors import DataError
from forecast.model import load_models
from forecast.progress import NullProgress
from forecast.runs.rows import with_forecasts_of

N_ROWS, HORIZON = 220, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Days whose load follows the temperature, and forecasts of that which err more the longer they look ahead."""
    path, rng = tmp_path_factory.mktemp("known"), np.random.default_rng(4)
    days = pd.date_range("2021-01-01", periods=N_ROWS + 10, freq="D")
    temp = 10 + np.cumsum(rng.normal(0, 1, len(days)))
    load = 80 - 2 * temp + rng.normal(0, 0.3, len(days))
    issued = [
        {"issued_at": days[day], "ds": days[day + lead], "temp": temp[day + lead] + rng.normal(0, 0.2 * lead)}
        for day in range(0, N_ROWS)
        for lead in range(1, 6)
    ]
    pd.DataFrame({"ds": days, "load": load, "temp": temp})[:N_ROWS].to_csv(path / "load.csv", index=False)
    pd.DataFrame(issued).to_csv(path / "weather.csv", index=False)
    return path


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    settings = {"target": "load", "lookback": 8, "horizon": HORIZON, "season": 1, "epochs": 2, "baseline": False}
    known = {"known_forecasts": str(folder / "weather.csv"), "linear": False, "units": 8}
    return forecast.train(str(folder / "load.csv"), {**settings, **known}, run="known", runs_dir=folder / "runs")


def test_nothing_leaks_and_a_forecast_of_tomorrow_is_found(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    audited = forecast.audit(run)
    assert audited.passed, audited.failed
    assert Path(str(run.config.read.known_forecasts)).is_absolute()
    assert "of 'temp' what was issued by the origin is kept" in audited.checks[1].detail
    at = AsOf.at

    def a_day_early(self: AsOf, rows: Ints, origins: Ints) -> np.ndarray:
        return at(self, rows, np.minimum(origins + 1, len(self.n_known) - 1))

    monkeypatch.setattr(AsOf, "at", a_day_early)
    found = forecast.audit(run).failed
    assert {"future changed", "future deleted", "newest rows"} <= {*found}


def test_rows_that_hold_what_is_known_ahead_are_forecast_alike(run: Run, folder: Path) -> None:
    expected = forecast.predict(run)
    pd.testing.assert_frame_equal(forecast.predict(run, str(folder / "load.csv")), expected, rtol=1e-5)
    rows = pd.read_csv(folder / "load.csv", parse_dates=["ds"])
    issued = pd.read_csv(folder / "weather.csv", parse_dates=["issued_at", "ds"])
    newest = issued[issued["issued_at"] == rows["ds"].iloc[-1]].nsmallest(HORIZON, "ds")
    sent = pd.concat([rows, newest[["ds", "temp"]]])
    request = request_forecast(run, sent, NullProgress(), reads_forecasts=False)
    assert request.since is None  # by what came after, no interval may be judged
    by_rows = request.forecast(load_models(run))
    pd.testing.assert_frame_equal(by_rows[["ds", "segment-lstm"]], expected[["ds", "segment-lstm"]], rtol=1e-5)


def test_what_a_run_is_scored_on_must_tell_when_it_was_issued(run: Run, folder: Path) -> None:
    source, own = str(folder / "load.csv"), run.metrics["models"]["segment-lstm"]["mae"]
    assert forecast.evaluate(run, source)["models"]["segment-lstm"]["mae"] == pytest.approx(own)
    assert forecast.backtest(run).metrics["models"]["segment-lstm"]["mae"] == pytest.approx(own)
    panel = forecast.read(source)
    gone = run.config.replace(read={"known_forecasts": "gone.csv"})
    with pytest.raises(DataError, match="these rows do not tell when theirs were issued"):
        forecast.evaluate(Run(run.path, run.manifest, gone), panel)


def test_the_page_says_by_how_much_hindsight_would_have_fooled_one(run: Run, folder: Path) -> None:
    panel, data = forecast.read(str(folder / "load.csv")), run.config.data
    rows = encode(arrange(panel, data), data, run.scaler)  # what was measured stands in its horizons
    test = run.test_forecasts
    cutoffs = np.unique(test["cutoff"].to_numpy("datetime64[us]"))
    starts = np.searchsorted(rows.panel.times, cutoffs) - data.lookback + 1
    y_pred = load_models(run)["segment-lstm"].forecast(rows, starts)[:, :, 0]
    y = panel.values[starts[:, None] + data.lookback + np.arange(HORIZON), 0]
    found = run.metrics["hindsight"]
    assert found["columns"] == ["temp"]
    assert found["models"]["segment-lstm"]["mae"] == pytest.approx(np.abs(y_pred - y).mean(), rel=1e-4)
    assert "would have seemed to err" in (run.path / "report.html").read_text("utf-8")


def test_a_stream_takes_what_the_file_holds_by_then(run: Run, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "weather.csv"
    issued = pd.read_csv(folder / "weather.csv")
    issued[issued["issued_at"] < issued["issued_at"].max()].to_csv(path, index=False)
    rows = pd.read_csv(folder / "load.csv", parse_dates=["ds"])
    stream = forecast.Stream(with_forecasts_of(run, str(path)))
    stream.remember(rows[:-1])
    issued.to_csv(path, index=False)
    streamed = stream.push(rows["ds"].iloc[-1], {"load": rows["load"].iloc[-1], "temp": rows["temp"].iloc[-1]})
    assert streamed is not None
    expected = forecast.predict(run)
    pd.testing.assert_frame_equal(streamed[["ds", "segment-lstm"]], expected[["ds", "segment-lstm"]], rtol=1e-5)


def test_newer_forecasts_of_inputs_make_another_forecast(run: Run, folder: Path) -> None:
    colder = pd.read_csv(folder / "weather.csv").assign(temp=lambda frame: frame["temp"] - 5)
    colder.to_csv(folder / "colder.csv", index=False)
    asked = ["predict", str(run.path), str(folder / "load.csv"), "--known-forecasts", str(folder / "colder.csv")]
    answered = CliRunner().invoke(build_program(), [*asked, "--json", "--quiet"])
    shown = pd.DataFrame(json.loads(answered.stdout))["segment-lstm"]
    assert (shown - forecast.predict(run)["segment-lstm"]).abs().max() > 0.1
