"""A run forecasts with ONNX Runtime what Keras forecasts, window by window and step by step."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import Run, Settings
from forecast.data.prepare import Rows, encode, windows_of
from forecast.inference import network as inference
from forecast.models.feeding import KerasNetwork
from forecast.models.graph import graph_of
from forecast.models.recurrent import build_network, weights_of
from forecast.models.shape import shape_of
from forecast.progress import NullProgress
from forecast.runs.rows import new_panel
from forecast.workflows.networks import KERAS, ONNX, networks_of


@pytest.fixture(scope="module")
def rows(trained: Run, monthly_csv: Path) -> Rows:
    return encode(new_panel(trained, monthly_csv, NullProgress()), trained.config.data, trained.scaler)


def test_a_run_says_what_computes_it(trained: Run, rows: Rows) -> None:
    assert trained.manifest["runtimes"] == {"model": ONNX, "baseline": ONNX}
    networks = networks_of(trained, rows, "model")
    assert {type(member) for members in networks.values() for member in members} == {inference.OnnxNetwork}


def test_batches_and_cores_change_nothing_but_rounding(
    trained: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    (member,) = networks_of(trained, rows, "model")["lstm"]
    starts = windows_of(rows, np.ones(rows.panel.n_rows, bool), trained.config.data).starts
    whole = member.over(rows)(starts)
    monkeypatch.setattr(inference, "WINDOWS_AT_ONCE", 7)
    np.testing.assert_allclose(member.over(rows)(starts), whole, rtol=0, atol=1e-6)
    assert member.over(rows)(starts[:0]).shape == (0, *whole.shape[1:])


def test_a_window_has_the_same_forecast_alone_and_among_others_to_the_last_bit(trained: Run, rows: Rows) -> None:
    starts = windows_of(rows, np.ones(rows.panel.n_rows, bool), trained.config.data).starts
    for members in networks_of(trained, rows, "model").values():
        forecast_of = members[0].over(rows)
        whole = forecast_of(starts)
        for count in (1, 2, 3, 5, 48, 49):  # 49: the last one is computed by itself
            np.testing.assert_array_equal(forecast_of(starts[:count]), whole[:count])
        alone = np.concatenate([forecast_of(starts[number : number + 1]) for number in range(len(starts))])
        np.testing.assert_array_equal(alone, whole)


@pytest.mark.parametrize("model", ["gru", "slstm"])
def test_a_carried_state_is_carried_as_in_keras(model: str, rows: Rows) -> None:
    parts = forecast.configure(model=model, units="4,3", normalise="none", segment=1, stateful=True).network
    shape = shape_of(rows, 1, 3)
    network = build_network(parts, shape, seed=1, batch_size=1)
    graph = inference.OnnxNetwork(graph_of(parts, shape, weights_of(network), carrying=True), shape)
    in_keras = KerasNetwork(network, shape, 1)
    assert graph.state_shapes(1) == in_keras.state_shapes(1)
    mine = theirs = None
    for start in range(5):
        answer, mine = graph.step(rows, np.array([start]), mine)
        expected, theirs = in_keras.step(rows, np.array([start]), theirs)
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-6)
    assert [state.shape for state in mine] == graph.state_shapes(1)


def test_a_run_that_onnx_cannot_compute_says_so_and_forecasts_with_keras(
    monthly_csv: Path, tiny: Callable[..., Settings], tmp_path: Path, no_plots: None, capfd: pytest.CaptureFixture[str]
) -> None:
    run = forecast.train(monthly_csv, tiny(activation="gelu", baseline=False), run="gelu", runs_dir=tmp_path)
    assert run.manifest["runtimes"] == {"model": KERAS}
    again = forecast.predict(run, monthly_csv)
    pd.testing.assert_frame_equal(again, run.forecast, rtol=1e-5)


def test_a_graph_that_differs_from_keras_is_not_used(
    monthly_csv: Path, tiny: Callable[..., Settings], tmp_path: Path, no_plots: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forecast.workflows.networks._ROUNDING", 0.0)
    run = forecast.train(monthly_csv, tiny(baseline=False), run="apart", runs_dir=tmp_path)
    assert run.manifest["runtimes"] == {"model": KERAS}


def test_forecasts_scores_and_lists_never_import_tensorflow(trained: Run, monthly_csv: Path) -> None:
    program = f"""
import sys, forecast
run = forecast.find({str(trained.path)!r})
forecast.predict(run, {str(monthly_csv)!r})
forecast.evaluate(run, {str(monthly_csv)!r})
forecast.backtest(run, new_rows={str(monthly_csv)!r})
stream = forecast.Stream(run)
stream.remember({str(monthly_csv)!r})
assert stream.push("2006-09-01", {{"y": 20.0}}) is not None
print(sorted({{"tensorflow", "keras", "sklearn", "matplotlib"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
