"""An ensemble is the mean that its weights say, wherever it is computed, and what the clock decided is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import ConfigError, Run, RunError, Settings
from forecast.choices.defaults import resolve
from forecast.commands.replay import replay
from forecast.commands.stream.stream import Stream
from forecast.data.newest import newest_rows
from forecast.data.prepare import forecasts_in_units
from forecast.model import Model
from forecast.models.backends.numpy import NumpyRuntime
from forecast.models.catalogue import configure
from forecast.progress import NullProgress, StopRequested
from forecast.runs.rows import new_panel, training_panel
from forecast.sources.read import read

pytestmark = pytest.mark.usefixtures("plotless")

Tiny = Callable[..., Settings]
MEMBERS = "linear,smoothing,long,gru"


@pytest.fixture(scope="module")
def asked(tiny: Tiny) -> Settings:
    return tiny(members=MEMBERS, season=12, lookback=24, normalise="last")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, monthly_csv: Path, asked: Settings, plotless: None) -> Run:
    return forecast.train(monthly_csv, asked, run="run", runs_dir=tmp_path_factory.mktemp("portfolio"))


def ensemble(forecasts: pd.DataFrame) -> np.ndarray:
    return forecasts["ensemble"].to_numpy()


def files(run: Run) -> dict[str, bytes]:
    return {name: (run.path / name).read_bytes() for name in run.manifest["files"] if name != "report.html"}


def test_every_member_and_its_weight_are_on_record(run: Run) -> None:
    assert [member["name"] for member in run.metrics["members"]] == ["lstm", *MEMBERS.split(",")[:2], "gru", "long"]
    assert sum(member["weight"] for member in run.metrics["members"]) == pytest.approx(1)
    assert run.metrics["single"] == "lstm"
    assert {"lstm", "ensemble", "rnn"} <= run.metrics["models"].keys()
    assert {"lstm", "rnn"} <= run.metrics["p_value"].keys()
    assert [member["epochs"] for member in run.manifest["members"]] == [2, 0, 0, 2, 2]


def test_the_configuration_of_the_page_plans_the_same(run: Run, monthly_csv: Path, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(run.config.to_toml())
    config, _ = resolve(configure({}, tmp_path / "run.toml"), read(monthly_csv))
    assert config.to_json() == run.config.before_decisions().to_json()


def test_the_ensemble_is_the_weighted_mean_of_its_members(run: Run) -> None:
    newest = newest_rows(new_panel(run, training_panel(run), NullProgress()), run.config.data, run.scaler)
    model = Model.load(run, run.forecast_weights)
    scaled = 0.0
    for member in model.members:
        one = NumpyRuntime(member.config, model.shape, member.weights).forecast(newest.rows, newest.windows.starts)
        scaled = scaled + one * np.broadcast_to(np.array(member.shares), one.shape[1])[:, None]
    expected = forecasts_in_units(np.float32(scaled), newest.rows, newest.windows.starts)
    np.testing.assert_allclose(ensemble(forecast.predict(run)), expected.ravel(), rtol=1e-5)
    np.testing.assert_allclose(ensemble(run.forecast), ensemble(forecast.predict(run)), rtol=1e-9)


def test_replay_comes_out_the_same(run: Run) -> None:
    assert replay(run).same


class Stop(NullProgress):
    """Asks to stop in the middle of a member."""

    def started(self, network: str, fit: object) -> None:
        self.network = network

    def step(self, fit: object) -> None:
        if self.network == "gru" and fit.state.step == 5:  # type: ignore[attr-defined]
            raise StopRequested(2)


def test_an_interrupted_training_ends_with_the_same_bits(
    tmp_path: Path, monthly_csv: Path, asked: Settings, run: Run
) -> None:
    with pytest.raises(StopRequested):
        forecast.train(monthly_csv, asked, run="run", runs_dir=tmp_path, progress=Stop())
    resumed = forecast.resume("run", runs_dir=tmp_path)
    assert files(resumed) == files(run)


def test_what_the_clock_decided_is_recorded_and_repeated(
    tmp_path: Path, monthly_csv: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tiny(time_limit="1h", members="gru,wide", epochs=8, patience=8, baseline=False)
    now = [0.0]

    class Clock(NullProgress):
        def step(self, fit: object) -> None:
            now[0] += 20  # nine steps an epoch: the first network takes 1,440 s, the second what is left

    monkeypatch.setattr("time.monotonic", lambda: now[0])
    run = forecast.train(monthly_csv, settings, run="run", runs_dir=tmp_path, progress=Clock())
    members = {member.name: member for member in run.config.portfolio}
    assert members["lstm"].epochs is None
    assert not members["lstm"].left_out
    assert any(member.left_out for member in members.values())
    assert now[0] <= 3600
    assert all(not member.counts for member in members.values() if member.left_out)
    monkeypatch.undo()
    assert replay(run).same


def test_when_time_is_over_nothing_more_is_begun(
    tmp_path: Path, monthly_csv: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tiny(time_limit="60s", members="linear,seasonal-naive,gru,wide", season=12, lookback=12, epochs=4)
    now = [0.0]

    class Clock(NullProgress):
        def step(self, fit: object) -> None:
            now[0] += 20

    monkeypatch.setattr("time.monotonic", lambda: now[0])
    run = forecast.train(monthly_csv, settings, run="run", runs_dir=tmp_path, progress=Clock())
    epochs = {own.name: time["epochs"] for own, time in zip(run.config.portfolio, run.manifest["members"], strict=True)}
    assert {name for name, number in epochs.items() if number} == {"lstm"}
    assert (epochs["lstm"], run.config.baseline_stopped_after) == (1, 1)
    assert {own.name for own in run.config.portfolio if not own.left_out} == {"lstm", "linear", "seasonal-naive"}
    monkeypatch.undo()
    assert replay(run).same


def test_members_are_fitted_again_on_every_row(tmp_path: Path, monthly_csv: Path, tiny: Tiny) -> None:
    settings = tiny(members="linear", refit=True, epochs=1, baseline=False)
    run = forecast.train(monthly_csv, settings, run="run", runs_dir=tmp_path)
    assert run.forecast_weights == "refit"
    assert run.weights("refit").keys() == run.weights("model").keys()
    np.testing.assert_allclose(ensemble(run.forecast), ensemble(forecast.predict(run)), rtol=1e-9)


def test_an_export_is_the_whole_ensemble(run: Run, tmp_path: Path) -> None:
    import onnxruntime

    folder = forecast.export(run, tmp_path / "onnx")
    example = json.loads((folder / "example.json").read_text())
    session = onnxruntime.InferenceSession((folder / "network.onnx").read_bytes())
    past = np.array(example["inputs"]["past"], np.float64)
    found = session.run(None, {"past": past})[0]
    np.testing.assert_allclose(found.ravel(), ensemble(forecast.predict(run)), rtol=1e-6)


def test_a_stream_forecasts_the_same(run: Run, monthly: pd.DataFrame) -> None:
    stream = Stream(run)
    made = [stream.push(row.ds, {"y": row.y}) for row in monthly.tail(40).itertuples()]
    np.testing.assert_allclose(ensemble(made[-1]), ensemble(forecast.predict(run)), rtol=1e-6)


def test_audit_and_backtest_know_an_ensemble(run: Run, monthly_csv: Path) -> None:
    assert forecast.audit(run).failed == ()
    assert "ensemble" in forecast.backtest(run, windows=3, step=3).forecasts


def test_models_are_compared_one_by_one(monthly: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match="compare trains the models that it names"):
        forecast.compare(monthly, "lstm", {"members": "all"})


def test_a_network_that_counts_is_explained_and_simple_members_are_not(
    run: Run, monthly_csv: Path, tiny: Tiny, tmp_path: Path
) -> None:
    members = {member["name"]: member["weight"] for member in run.metrics["members"]}
    if any(members[name] for name in ("lstm", "gru", "long")):
        assert forecast.explain(run, output=tmp_path / "explained").sentences
    else:
        with pytest.raises(RunError, match="No network counts in ensemble"):
            forecast.explain(run, output=tmp_path / "explained")


def test_a_request_to_stop_while_a_layer_is_built_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    def stop(*_: object, **__: object) -> None:
        raise StopRequested(2)

    layer = keras.layers.Dense(1)
    monkeypatch.setattr(layer, "call", keras.src.utils.traceback_utils.inject_argument_info_in_traceback(stop))
    with pytest.raises(StopRequested):
        layer(np.zeros((1, 1), np.float32))
