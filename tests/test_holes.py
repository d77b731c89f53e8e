"""A run whose windows may have holes: the same forecast wherever its rows come in, and none that a hole prevents."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from onnxruntime import InferenceSession

import forecast
from forecast import ConfigError, Run, Settings
from forecast.commands.serve.requests import RequestReader
from forecast.commands.serve.service import Lane, Service
from forecast.data.features import Calendar
from forecast.data.holes import fill_within
from forecast.data.prepare import Rows
from forecast.models import network
from forecast.models.backends import onnx
from forecast.models.network import Shape
from forecast.models.runtimes import RUNTIMES
from recording import RecordingProgress


@pytest.fixture(scope="module")
def holed() -> pd.DataFrame:
    """400 hours of ds, y and wind, of which a quarter of the values and some rows are missing, twenty in a row."""
    rng = np.random.default_rng(5)
    hours = np.arange(400)
    y = 10 + 3 * np.sin(2 * np.pi * hours / 24) + np.cumsum(rng.normal(0, 0.2, 400))
    frame = pd.DataFrame({"ds": pd.date_range("2024-03-01", periods=400, freq="h"), "y": y, "wind": y + rng.normal()})
    for name in ("y", "wind"):
        frame[name] = frame[name].mask(rng.random(400) < 0.25)
    frame.loc[399, "y"] = 12.5
    absent = rng.choice(np.arange(250, 390), 25, replace=False)
    return frame.drop(index=[*range(100, 120), *absent]).reset_index(drop=True)


@pytest.fixture(scope="module")
def run(
    holed: pd.DataFrame, tiny: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory, plotless: None
) -> Run:
    folder = tmp_path_factory.mktemp("runs")
    holed.to_csv(folder / "holed.csv", index=False)
    settings = tiny(model="segment-lstm", segment=4, lookback=12, horizon=6, normalise="last", decay=True)
    return forecast.train(folder / "holed.csv", settings, run="run", runs_dir=folder)


def on_clock(holed: pd.DataFrame) -> pd.DataFrame:
    """The rows with one for each hour."""
    return holed.set_index("ds").asfreq("h").reset_index()


def test_windows_may_have_holes_where_these_would_cost_them(run: Run, holed: pd.DataFrame) -> None:
    assert run.config.data.least_observed == 0.5
    assert run.config.training.hide_values == 0.05
    y = on_clock(holed)["y"].to_numpy()
    test_from = int(np.flatnonzero(on_clock(holed)["ds"] == pd.Timestamp(run.data["test_from"]))[0])
    expected = [
        cutoff
        for cutoff in range(test_from - 1, len(y) - 6)
        if np.isnan(y[cutoff - 11 : cutoff + 1]).sum() <= 6 and np.isnan(y[cutoff + 1 : cutoff + 7]).sum() <= 3
    ]
    assert run.metrics["n_windows"] == len(expected) > 20
    forecasts = run.test_forecasts
    last = on_clock(holed).set_index("ds")["y"].ffill()
    np.testing.assert_allclose(forecasts["persistence"], last[forecasts["cutoff"]])
    seen = forecasts["y"].notna()
    assert 0.5 < seen.mean() < 0.9
    error = (forecasts["y"] - forecasts["segment-lstm"]).abs()
    assert run.metrics["models"]["segment-lstm"]["mae"] == pytest.approx(error[seen].mean())
    drift = {}
    for cutoff in set(forecasts["cutoff"]):
        window = on_clock(holed).set_index("ds")["y"][:cutoff].tail(12).reset_index(drop=True).dropna()
        slope = (window.iloc[-1] - window.iloc[0]) / (window.index[-1] - window.index[0])
        drift[cutoff] = window.iloc[-1] + slope * (11 - window.index[-1]), slope  # the line at the cut-off
    step = (forecasts["ds"] - forecasts["cutoff"]) / pd.Timedelta("1h")
    at_cutoff, slope = np.array([drift[cutoff] for cutoff in forecasts["cutoff"]]).T
    np.testing.assert_allclose(forecasts["drift"], at_cutoff + slope * step)


def test_what_is_missing_is_told_to_the_network(run: Run, holed: pd.DataFrame) -> None:
    data, frame = run.config.data, on_clock(holed).tail(12)
    scaler = run.scaler
    measured = frame[["y", "wind"]].to_numpy()
    scaled = (measured - scaler.mean[0, :2]) / scaler.scale[0, :2]
    times = pd.date_range(frame["ds"].iloc[0], periods=18, freq="h").to_numpy().astype("datetime64[us]")
    calendar = Calendar(times, run.clock if data.calendar else None).at(np.arange(18))
    rows = np.concatenate([np.vstack([scaled, np.full((6, 2), np.nan)]), calendar], axis=1).astype(np.float32)

    class Fed:
        identity = np.zeros(18, int)

        def window_inputs(self, starts: np.ndarray, lookback: int, horizon: int) -> np.ndarray:
            return rows[starts[:, None] + np.arange(lookback + horizon)]

    weights = {name.removeprefix("1/"): array for name, array in run.weights("model").items()}
    by_hand = RUNTIMES["numpy"](run.config.network, run.shape, weights, None).forecast(Fed(), np.array([0]))
    expected = by_hand[0, :, 0] * scaler.scale[0, 0] + scaler.mean[0, 0]
    np.testing.assert_allclose(forecast.predict(run)["segment-lstm"], expected, rtol=1e-4)
    rows[:12, :2] = fill_within(rows[None, :12, :2])[0][0]  # as if all of it had been observed
    filled = RUNTIMES["numpy"](run.config.network, run.shape, weights, None).forecast(Fed(), np.array([0]))
    assert np.abs(filled - by_hand).max() > 1e-4


def test_nothing_leaks(run: Run, holed: pd.DataFrame) -> None:
    audited = forecast.audit(run, holed)
    assert audited.passed, audited.failed


def test_what_is_filled_from_after_the_cutoff_is_found(
    run: Run, holed: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    def filled_from_the_horizon(
        rows: Rows, starts: np.ndarray, shape: Shape, hidden: np.ndarray | None = None
    ) -> tuple[np.ndarray, ...]:
        past, *ahead = network.gather_windows(rows, starts, shape, hidden)
        last_is_old = past[:, -1, shape.measured] > 0
        first_ahead = rows.inputs_at(starts + shape.lookback)[:, 0]
        past[:, -1, 0] = np.where(last_is_old & ~np.isnan(first_ahead), first_ahead, past[:, -1, 0])
        return past, *ahead

    monkeypatch.setattr(onnx, "gather_windows", filled_from_the_horizon)
    audited = forecast.audit(run, holed)
    assert {"future changed", "future shuffled"} <= set(audited.failed)


def test_a_stream_forecasts_across_absent_rows(run: Run, holed: pd.DataFrame, tmp_path: Path) -> None:
    stream = forecast.Stream(run, tmp_path / "state.json")
    for row in holed[340:].itertuples():
        found = stream.push(row.ds, {"y": row.y, "wind": row.wind})
    assert found is not None
    pd.testing.assert_frame_equal(found[["ds", "segment-lstm"]], forecast.predict(run)[["ds", "segment-lstm"]])
    later = holed["ds"].iloc[-1] + pd.Timedelta("4h")
    found = stream.push(later, {"y": 12.0, "wind": None})
    assert found is not None
    more = pd.concat([holed, pd.DataFrame({"ds": [later], "y": [12.0], "wind": [np.nan]})], ignore_index=True)
    expected = forecast.predict(run, more)
    np.testing.assert_allclose(found["segment-lstm"], expected["segment-lstm"], rtol=1e-6)


def test_a_service_takes_null(run: Run, holed: pd.DataFrame) -> None:
    service = Service(run, RequestReader(run))
    rows = [{"ds": f"{row.ds:%Y-%m-%d %H:%M}", "y": row.y, "wind": row.wind} for row in holed[340:].itertuples()]
    rows = [{name: None if value != value else value for name, value in row.items()} for row in rows]
    response = json.loads(Lane("test").submit(service, json.dumps({"rows": rows}).encode()).result())
    found = [row["segment-lstm"] for row in response["forecast"]]
    np.testing.assert_allclose(found, forecast.predict(run)["segment-lstm"], rtol=1e-6)


def test_an_exported_network_takes_nan(run: Run, tmp_path: Path) -> None:
    folder = forecast.export(run, tmp_path / "network")
    assert json.loads((folder / "export.json").read_text())["takes_missing_values"]
    assert "is NaN: the network knows what is missing" in (folder / "README.md").read_text()
    inputs = json.loads((folder / "example.json").read_text())["inputs"]
    fed = {name: np.array(value, np.float64) for name, value in inputs.items()}
    assert np.isnan(fed["past"]).any()
    (found,) = InferenceSession(folder / "network.onnx").run(None, fed)
    np.testing.assert_allclose(found[0, :, 0], forecast.predict(run)["segment-lstm"], rtol=1e-5)


def test_too_few_values_are_no_lookback(run: Run, holed: pd.DataFrame) -> None:
    rare = holed.tail(40).assign(y=lambda frame: frame["y"].where(np.arange(40) % 5 == 0))
    progress = RecordingProgress()
    with pytest.raises(forecast.DataError, match="values of the target are there; 6 are needed"):
        forecast.predict(run, rare, progress=progress)


def test_a_series_shorter_than_the_lookback_is_one_with_a_hole(run: Run, holed: pd.DataFrame) -> None:
    newest = on_clock(holed).tail(8).assign(y=lambda frame: frame["y"].ffill().bfill())
    empty = on_clock(holed).tail(12).head(4).assign(y=np.nan, wind=np.nan)
    expected = forecast.predict(run, pd.concat([empty, newest]))
    pd.testing.assert_frame_equal(forecast.predict(run, newest), expected)


def test_a_covariate_that_is_no_longer_measured_is_fed_as_missing(run: Run, holed: pd.DataFrame) -> None:
    progress = RecordingProgress()
    without = forecast.predict(run, holed[["ds", "y"]], progress=progress)
    assert "not in these rows, and fed as missing: 'wind'" in progress.warnings
    empty = holed.assign(wind=holed["wind"].where(holed.index < 300))
    pd.testing.assert_frame_equal(without, forecast.predict(run, empty), check_exact=True)


def test_what_is_known_ahead_is_carried_forward_as_the_audit_sees_it(
    holed: pd.DataFrame, tiny: Callable[..., Settings], tmp_path: Path, plotless: None
) -> None:
    promo = (np.arange(len(holed)) // 8 % 2).astype(float)
    frame = holed.assign(promo=np.where(np.random.default_rng(3).random(len(holed)) < 0.3, np.nan, promo))
    settings = tiny(
        model="segment-lstm", segment=4, lookback=12, horizon=6, normalise="last", target="y", known="promo",
        season=1, baseline=False, epochs=1,
    )  # fmt: skip
    frame.to_csv(tmp_path / "known.csv", index=False)
    run = forecast.train(tmp_path / "known.csv", settings, run="known", runs_dir=tmp_path)
    audited = forecast.audit(run)
    assert audited.passed, audited.failed
    (newest,) = [check for check in audited.checks if check.name == "newest rows"]
    assert int(newest.detail.split()[0]) > 4  # none of an origin without a measured value: nobody knows that it is one


def test_a_state_that_is_carried_has_no_holes(tiny: Callable[..., Settings]) -> None:
    with pytest.raises(ConfigError, match="stateful needs least_observed = 1"):
        tiny(stateful=True, least_observed=0.5)
