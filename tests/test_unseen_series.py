"""A series that a run was not trained on: forecast by its own scale, under an unknown name, wherever rows come in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from onnxruntime import InferenceSession

import forecast
from forecast import DataError, Run, Settings
from forecast.commands.evaluate import command as evaluate_command
from forecast.commands.serve.requests import RequestReader
from forecast.commands.serve.service import Lane, Service
from forecast.data.features import Calendar
from forecast.models.runtimes import RUNTIMES
from recording import RecordingProgress


@pytest.fixture(scope="module")
def known(three: pd.DataFrame) -> pd.DataFrame:
    """The two series that are trained on, north and south."""
    return three[three["unique_id"] != "east"]


@pytest.fixture(scope="module")
def east(three: pd.DataFrame) -> pd.DataFrame:
    """The one that is not."""
    return three[three["unique_id"] == "east"]


@pytest.fixture(scope="module")
def run(
    known: pd.DataFrame, tiny: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory, plotless: None
) -> Run:
    settings = tiny(model="segment-lstm", segment=3, normalise="last")
    return forecast.train(known, settings, run="run", runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def by_name_only(
    known: pd.DataFrame, tiny: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory, plotless: None
) -> Run:
    """A run as earlier versions made them: no series was hidden from it."""
    settings = tiny(model="segment-lstm", segment=3, hide_series=0, baseline=False)
    return forecast.train(known, settings, run="run", runs_dir=tmp_path_factory.mktemp("runs"))


def test_a_tenth_is_hidden_only_where_series_are_known_by_name(run: Run, trained: Run) -> None:
    assert run.config.training.hide_series == 0.1
    assert trained.config.training.hide_series == 0.0  # one series
    assert run.weights("model")["1/queries/identities"].shape[0] == 3


def test_its_scale_is_of_its_own_rows_and_its_name_is_unknown(run: Run, east: pd.DataFrame) -> None:
    progress = RecordingProgress()
    found = forecast.predict(run, east, progress=progress)
    assert "not trained on: east; scaled by its own rows" in progress.warnings
    assert found["unique_id"].unique().tolist() == ["east"]
    y, data = east["y"].to_numpy(), run.config.data
    scaled = (y - y.mean()) / y.std()
    times = pd.date_range(east["ds"].iloc[-data.lookback], periods=data.lookback + data.horizon, freq="MS")
    calendar = Calendar(times.to_numpy().astype("datetime64[us]"), run.clock if data.calendar else None)
    rows = np.concatenate(
        [np.r_[scaled[-data.lookback :], np.zeros(data.horizon)][:, None], calendar.at(np.arange(len(times)))], axis=1
    )

    class Fed:
        identity = np.full(len(rows), 2)  # behind north and south

        def window_inputs(self, starts: np.ndarray, lookback: int, horizon: int) -> np.ndarray:
            return rows.astype(np.float32)[starts[:, None] + np.arange(lookback + horizon)]

    weights = {name.removeprefix("1/"): array for name, array in run.weights("model").items()}
    by_hand = RUNTIMES["numpy"](run.config.network, run.shape, weights, None).forecast(Fed(), np.array([0]))
    expected = by_hand[0, :, 0] * y.std() + y.mean()
    np.testing.assert_allclose(found["segment-lstm"], expected, rtol=1e-4)


def test_it_is_forecast_alike_in_any_unit(run: Run, east: pd.DataFrame) -> None:
    one = forecast.predict(run, east)
    other = forecast.predict(run, east.assign(y=32 + 1.8 * east["y"]))
    columns = [name for name in one.columns if name not in ("unique_id", "ds", "cutoff")]
    assert {"segment-lstm", "rnn", "segment-lstm-lo-80", "segment-lstm-hi-95", "mean", "seasonal-mean"} <= set(columns)
    np.testing.assert_allclose(other[columns], 32 + 1.8 * one[columns], rtol=1e-4)
    low, point, high = (one[f"segment-lstm{end}"] for end in ("-lo-80", "", "-hi-80"))
    assert ((low < point) & (point < high)).all()


def test_a_series_without_a_training_window_is_unknown_by_name(
    known: pd.DataFrame, east: pd.DataFrame, tiny: Callable[..., Settings], tmp_path: Path, plotless: None
) -> None:
    settings = tiny(model="segment-lstm", segment=3, normalise="last", baseline=False, epochs=1, test_from="2000-01-01")
    run = forecast.train(pd.concat([known, east.tail(80)]), settings, run="late", runs_dir=tmp_path)
    assert run.data["series_ids"].index("east") == 0
    east_row, north, south, unknown = run.weights("model")["1/queries/identities"]
    np.testing.assert_array_equal(east_row, unknown)
    assert not np.isclose(north, unknown).all()
    assert not np.isclose(south, unknown).all()


def test_known_series_beside_it_are_forecast_as_without_it(run: Run, three: pd.DataFrame, known: pd.DataFrame) -> None:
    together, alone = forecast.predict(run, three), forecast.predict(run, known)
    pd.testing.assert_frame_equal(together[together["unique_id"] != "east"].reset_index(drop=True), alone)


def test_rows_without_a_name_are_a_series_never_seen(run: Run, east: pd.DataFrame) -> None:
    progress = RecordingProgress()
    unnamed = forecast.predict(run, east.drop(columns="unique_id"), progress=progress)
    assert any(text.startswith("not trained on: these rows") for text in progress.warnings)
    np.testing.assert_array_equal(unnamed["segment-lstm"], forecast.predict(run, east)["segment-lstm"])


def test_a_run_that_knows_series_by_name_only_refuses_others(by_name_only: Run, three: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="not trained on series 'east'") as caught:
        forecast.predict(by_name_only, three)
    assert "'north', 'south'" in caught.value.advice
    with pytest.raises(DataError, match="has no series 'east'"):
        forecast.Stream(by_name_only).push("2020-01-01", {"y": 1.0}, "east")


def test_it_is_scored_apart(run: Run, three: pd.DataFrame, known: pd.DataFrame, east: pd.DataFrame) -> None:
    scored = forecast.evaluate(run, three)
    apart = scored.pop("not_trained_on")
    assert scored == forecast.evaluate(run, known)
    assert apart["series"] == ["east"]
    assert apart["n_windows"] == 38
    y = east["y"].to_numpy()
    naive = np.mean([abs(y[origin + step] - y[origin]) for origin in range(159, 197) for step in (1, 2, 3)])
    assert apart["models"]["persistence"]["mae"] == pytest.approx(naive, rel=1e-9)
    # Scaled errors are in units of its own rows before those that are scored.
    change = np.mean(np.abs(y[12:160] - y[:148]))
    assert apart["models"]["persistence"]["mase"] == pytest.approx(naive / change, rel=1e-9)
    alone = forecast.evaluate(run, east)
    assert alone.pop("not_trained_on") == {"series": ["east"]}
    assert alone == {name: value for name, value in apart.items() if name != "series"}
    assert set(forecast.backtest(run, windows=2, new_rows=three).forecasts["unique_id"]) == {"east", "north", "south"}


def test_series_without_a_window_are_not_counted_among_the_scored(
    run: Run, three: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    brief = pd.DataFrame({"unique_id": "brief", "ds": pd.date_range("2000-01-01", periods=7, freq="MS"), "y": range(7)})
    pd.concat([three, brief]).to_csv(tmp_path / "rows.csv", index=False)
    evaluate_command(str(run.path), str(tmp_path / "rows.csv"), quiet=True)
    shown = capsys.readouterr().out
    assert "not trained on: 38 windows of 1 series" in shown
    assert "1 of 2 series is not scored, having no window: brief." in shown.replace("\n", " ")


def test_its_scale_does_not_know_what_is_forecast(run: Run, three: pd.DataFrame) -> None:
    audited = forecast.audit(run, three)
    assert audited.passed, audited.failed
    (check,) = [check for check in audited.checks if check.name == "scale of unseen series"]
    assert "1 series not trained on" in check.detail


def test_a_stream_forecasts_it_from_the_rows_that_it_keeps(run: Run, east: pd.DataFrame, tmp_path: Path) -> None:
    stream = forecast.Stream(run, tmp_path / "state.json")
    warnings = []
    for ds, y in zip(east["ds"][:30], east["y"][:30], strict=True):
        found = stream.push(ds, {"y": y}, "east")
        warnings += stream.warnings
    assert [text for text in warnings if "not trained on" in text] == ["not trained on: east; scaled by its own rows"]
    kept = max(run.config.data.lookback, run.config.data.season) + run.config.data.longest_fill
    assert found is not None
    pd.testing.assert_frame_equal(found, forecast.predict(run, east[30 - kept : 30]))
    stream.save()
    again = forecast.Stream(run, tmp_path / "state.json").push(east["ds"].iloc[30], {"y": east["y"].iloc[30]}, "east")
    pd.testing.assert_frame_equal(again, forecast.predict(run, east[31 - kept : 31]))


def test_a_service_forecasts_it_and_says_so(run: Run, east: pd.DataFrame) -> None:
    service = Service(run, RequestReader(run))
    rows = [{"unique_id": "east", "ds": f"{ds:%Y-%m-%d}", "y": y} for ds, y in zip(east["ds"], east["y"], strict=True)]
    response = json.loads(Lane("test").submit(service, json.dumps({"rows": rows}).encode()).result())
    assert response["warnings"] == ["not trained on: east; scaled by its own rows"]
    expected = forecast.predict(run, east)["segment-lstm"]
    np.testing.assert_allclose([row["segment-lstm"] for row in response["forecast"]], expected, rtol=1e-6)


@pytest.mark.parametrize("format", ["onnx", "keras"])
def test_an_exported_network_takes_it_as_one_number_more(
    run: Run, three: pd.DataFrame, tmp_path: Path, format: str
) -> None:
    folder = forecast.export(run, tmp_path / "network", format=format)  # type: ignore[arg-type]
    about = json.loads((folder / "export.json").read_text())
    assert about["takes_unseen_series"]
    assert about["series"] == ["north", "south"]
    assert "number 2: it is scaled by the window itself" in (folder / "README.md").read_text()
    data = run.config.data
    rows = [three[three["unique_id"] == name].iloc[-data.lookback :] for name in ("north", "east")]
    times = pd.date_range(rows[0]["ds"].iloc[0], periods=data.lookback + data.horizon, freq="MS")
    calendar = Calendar(times.to_numpy().astype("datetime64[us]"), run.clock).at(np.arange(len(times)))
    inputs = {
        "past": np.stack([np.column_stack([part["y"], calendar[: data.lookback]]) for part in rows]),
        "future": np.stack([calendar[data.lookback :].astype(np.float64)] * 2),
        "series": np.array([0, 2]),
    }
    if format == "onnx":
        found = InferenceSession(folder / "network.onnx").run(None, inputs)[0]
    else:
        from forecast.models.backends.tensorflow import keras

        fed = {name: keras.ops.convert_to_tensor(value) for name, value in inputs.items()}
        found = keras.models.load_model(folder / "network.keras")(fed)["forecast"].numpy()
    for number, part in enumerate(rows):
        np.testing.assert_allclose(found[number, :, 0], forecast.predict(run, part)["segment-lstm"], rtol=1e-5)
