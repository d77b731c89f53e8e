"""Everything that can compute a network computes the same, window by window and step by step."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import forecast
from checks import assert_all_compute, rows_of, weights_for
from forecast import Run, Settings
from forecast.data.prepare import Rows, encode, windows_of
from forecast.model import load_models
from forecast.models.backends import onnx
from forecast.models.backends.keras import build_network, weights_of
from forecast.models.backends.numpy import NumpyOps
from forecast.models.backends.onnx import OnnxRuntime
from forecast.models.backends.tensorflow import tf
from forecast.models.cells import ACTIVATIONS
from forecast.models.network import Network, Shape, gather_windows, weight_shapes
from forecast.models.runtimes import KERAS, ONNX, RUNTIMES
from forecast.progress import NullProgress
from forecast.runs.rows import new_panel
from references import variants
from rounding import with_bounds
from samples import DECODE, NORMALISE, ArrayRows, parts

# A lookback and a horizon that are no multiples of the segment; two targets, a covariate, three columns known ahead,
# four series.
SHAPE = Shape(lookback=7, horizon=5, targets=2, covariates=1, known=3, series=4)
PLAIN = Shape(lookback=5, horizon=3, targets=1, covariates=0, known=0, series=1)

# Settings that a cell shares with others, and the sizes that they are tried on.
DESIGNS: dict[str, tuple[dict[str, Any], Shape]] = {
    **{
        decode: ({"units": (6, 5), "normalise": "last-scaled", "decode": decode, "quantiles": (0.1, 0.5, 0.9)}, SHAPE)
        for decode in DECODE
    },
    **{
        # With exponentials the states of a longer window grow out of bounds.
        activation: (
            {"normalise": "last", "activation": activation, "recurrent_activation": "hard_sigmoid"},
            replace(PLAIN, lookback=2) if activation == "exponential" else PLAIN,
        )
        for activation in ACTIVATIONS
    },
    "segments": ({"units": (4, 5), "segment": 4, "normalise": "standard", "decode": "parallel"}, SHAPE),
    "no bias": ({"units": (4, 5), "segment": 4, "decode": "parallel", "use_bias": False}, PLAIN),
    **{
        f"{decode}, with holes": (
            {"units": (4, 5), "normalise": "standard", "decode": decode, "segment": 4, "decay": True},
            replace(SHAPE, masked=True),
        )
        for decode in DECODE
    },
    "with holes": ({"normalise": "last"}, replace(PLAIN, masked=True)),
    "both ends": ({"units": (4, 5), "bidirectional": True}, SHAPE),
    "from the end": ({"go_backwards": True}, SHAPE),
}


@pytest.fixture
def traced(variant: str) -> Iterator[None]:
    """For one cell TensorFlow runs what it traced; for the others the same operators at once, which is quick."""
    tf.config.run_functions_eagerly(variant != "lstm")
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(("settings", "shape"), DESIGNS.values(), ids=DESIGNS)
@pytest.mark.parametrize("variant", variants())
def test_all_compute_every_cell(variant: str, settings: dict[str, Any], shape: Shape) -> None:
    assert_all_compute(parts(**{**variants()[variant], **settings}), shape)


@pytest.mark.parametrize("decode", DECODE)
def test_all_compute_segments_under_every_decoder(decode: str) -> None:
    assert_all_compute(parts(units=(6, 5), normalise="last-scaled", decode=decode, segment=4), SHAPE)


@pytest.mark.parametrize("normalise", NORMALISE)
def test_all_normalise(normalise: str) -> None:
    assert_all_compute(parts(units=(6, 5), normalise=normalise), SHAPE)


@pytest.mark.parametrize("quantiles", [(), (0.1, 0.5, 0.9)])
def test_all_count_from_the_cycle_before(quantiles: tuple[float, ...]) -> None:
    design = {"normalise": "seasonal", "cycle": 3, "decode": "parallel", "segment": 4, "quantiles": quantiles}
    assert_all_compute(parts(units=(6, 5), **design), SHAPE)


@pytest.mark.parametrize("quantiles", [(), (0.1, 0.5, 0.9)])
def test_all_add_a_linear_map(quantiles: tuple[float, ...]) -> None:
    design = {"normalise": "last-scaled", "decode": "parallel", "segment": 3, "linear": True, "quantiles": quantiles}
    assert_all_compute(parts(units=(6, 5), **design), SHAPE)
    assert_all_compute(parts(units=(6, 5), **design, linear_inputs=True), replace(SHAPE, targets=1, categories=(5,)))


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_many_windows_are_forecast_in_their_order_whatever_the_batch(runtime: str) -> None:
    shape = Shape(lookback=4, horizon=3, targets=2, covariates=1, known=2, series=2)
    config = parts(cell="rnn", units=(3,), normalise="last", decode="parallel")
    network = build_network(config, shape, seed=0)
    rng = np.random.default_rng(0)
    inputs, series = rng.normal(size=(2500, 5)).astype(np.float32), np.repeat([0, 1], 1250)
    starts = rng.permutation(2400)[:2100]  # several batches, the last one short
    y_pred = RUNTIMES[runtime](config, shape, weights_of(network), None).forecast(ArrayRows(inputs, series), starts)
    past = inputs[starts[:, None] + np.arange(4)]
    future = inputs[starts[:, None] + np.arange(4, 7)][:, :, 3:]
    at_once = network({"past": past, "future": future, "series": series[starts]}, training=False).numpy()
    assert y_pred.shape == (2100, 3, 2)
    assert y_pred.dtype == np.float32
    np.testing.assert_allclose(y_pred, at_once, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("variant", variants())
def test_no_window_gives_no_forecast(variant: str, runtime: str) -> None:
    config = parts(units=(3,), **variants()[variant])
    weights = {name: np.ones(size, np.float32) for name, size in weight_shapes(config, SHAPE).items()}
    y_pred = RUNTIMES[runtime](config, SHAPE, weights, None).forecast(rows_of(SHAPE), np.zeros(0, int))
    assert y_pred.shape == (0, SHAPE.horizon, SHAPE.targets)


@pytest.mark.parametrize("variant", variants())
def test_a_carried_state_is_carried_by_all(variant: str) -> None:
    shape = Shape(lookback=2, horizon=3, targets=1, covariates=1, known=0, series=2)
    config = parts(units=(4, 3), stateful=True, **variants()[variant])
    weights, rows = weights_for(config, shape), ArrayRows(rows_of(shape).inputs, np.repeat([0, 1], 30))
    starts = [np.array([first, 30 + first]) for first in (0, 2, 4, 6, 8)]

    def exactly(given: Callable[[np.ndarray], Any]) -> list[Any]:
        """The last forecast, and the states after it."""
        network, states = Network(config, shape, NumpyOps(config, weights)), None
        for windows in starts:
            past, future, _ = gather_windows(rows, windows, shape)
            forecasts, states = network.forecast(given(past), given(future), rows.identity[windows], states)
        return [forecasts, *(state for layer in states for state in layer)]

    expected = with_bounds(exactly)
    for name, make in RUNTIMES.items():
        runtime, states = make(config, shape, weights, 2), None
        for windows in starts:
            forecasts, states = runtime.step(rows, windows, states)
            assert [state.shape for state in states] == runtime.state_shapes(2)
        for found, (exact, bound) in zip([forecasts, *states], expected, strict=True):
            assert (np.abs(found - exact) <= bound).all(), name


# Runs.


@pytest.fixture(scope="module")
def rows(trained: Run, monthly_csv: Path) -> Rows:
    return encode(new_panel(trained, monthly_csv, NullProgress()), trained.config.data, trained.scaler)


def test_a_run_says_what_computes_it(trained: Run, rows: Rows) -> None:
    assert trained.manifest["runtimes"] == {"model": ONNX, "baseline": ONNX}
    models = load_models(trained)
    assert {type(member.runtime) for model in models.values() for member in model.members} == {OnnxRuntime}


def test_batches_and_cores_change_nothing_but_rounding(
    trained: Run, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = load_models(trained)["lstm"].members[0].runtime
    starts = windows_of(rows, np.ones(rows.panel.n_rows, bool), trained.config.data).starts
    whole = runtime.forecast(rows, starts)
    monkeypatch.setattr(onnx, "WINDOWS_AT_ONCE", 7)
    np.testing.assert_allclose(runtime.forecast(rows, starts), whole, rtol=0, atol=1e-6)
    assert runtime.forecast(rows, starts[:0]).shape == (0, *whole.shape[1:])


def test_a_window_has_the_same_forecast_alone_and_among_others_to_the_last_bit(trained: Run, rows: Rows) -> None:
    starts = windows_of(rows, np.ones(rows.panel.n_rows, bool), trained.config.data).starts
    for model in load_models(trained).values():
        forecast_of = partial(model.members[0].runtime.forecast, rows)
        whole = forecast_of(starts)
        for count in (1, 2, 3, 5, 48, 49):  # 49: the last one is computed by itself
            np.testing.assert_array_equal(forecast_of(starts[:count]), whole[:count])
        alone = np.concatenate([forecast_of(starts[number : number + 1]) for number in range(len(starts))])
        np.testing.assert_array_equal(alone, whole)


@pytest.mark.parametrize("activation", ["gelu", "selu"])  # for which ONNX's own nodes have no name
def test_a_run_of_any_activation_is_computed_by_onnx(
    activation: str, monthly_csv: Path, tiny: Callable[..., Settings], tmp_path: Path, no_plots: None
) -> None:
    config = tiny(activation=activation, baseline=False)
    run = forecast.train(monthly_csv, config, run=activation, runs_dir=tmp_path)
    assert run.manifest["runtimes"] == {"model": ONNX}
    again = forecast.predict(run, monthly_csv)
    pd.testing.assert_frame_equal(again, run.forecast, rtol=1e-5)


def test_a_graph_that_differs_from_keras_is_not_used(
    monthly_csv: Path, tiny: Callable[..., Settings], tmp_path: Path, no_plots: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forecast.model._ROUNDING", 0.0)
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
