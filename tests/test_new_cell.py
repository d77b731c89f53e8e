"""A cell that is added is trained, exported, explained and checked like any other; one that is not there is refused."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

import forecast
from checks import assert_all_compute, assert_gradients
from forecast import ConfigError, Run, Settings
from forecast.models.backends.keras import build_network
from forecast.models.backends.loops import Loop
from forecast.models.catalogue import MODELS
from forecast.models.cells import CELLS, Cell
from forecast.models.network import Shape, training_bytes, weight_shapes
from forecast.models.runtimes import ONNX
from samples import DECODE, parts
from toy_cell import EveryOperation, IndRNN, added

SHAPE = Shape(lookback=7, horizon=5, targets=2, covariates=1, known=3, series=4)


@pytest.fixture(params=[IndRNN(), EveryOperation()], ids=["IndRNN", "every operation"])
def toy(request: pytest.FixtureRequest) -> Iterator[Cell]:
    with added(request.param):
        yield request.param


@pytest.fixture(scope="module")
def trained_toy(
    tmp_path_factory: pytest.TempPathFactory, monthly_csv: Path, tiny: Callable[..., Settings], plotless: None
) -> Run:
    """A run of a cell that has been taken away since."""
    with added(IndRNN()):
        settings = tiny(model="toy", units=(4, 3), track_gradients=True)
        return forecast.train(monthly_csv, settings, run="toy", runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize("decode", DECODE)
def test_all_back_ends_compute_it(toy: Cell, decode: str) -> None:
    assert_all_compute(parts(cell="toy", units=(6, 5), normalise="last-scaled", decode=decode), SHAPE)


@pytest.mark.parametrize("loop", ["keras", "unrolled"])
def test_its_gradients_are_those_of_finite_differences(toy: Cell, loop: Loop) -> None:
    assert_gradients("toy", loop)


def test_its_memory_and_weights_are_counted(toy: Cell) -> None:
    config = parts(cell="toy", units=(30, 20))
    sizes = weight_shapes(config, SHAPE).values()
    assert build_network(config, SHAPE, 0).count_params() == sum(int(np.prod(size)) for size in sizes)
    assert training_bytes(config, SHAPE, 64) > training_bytes(config, SHAPE, 0) > 0


def test_it_is_trained_and_computed_by_onnx(trained_toy: Run) -> None:
    assert trained_toy.config.network.cell == "toy"
    assert trained_toy.manifest["runtimes"] == {"model": ONNX, "baseline": ONNX}
    assert {"toy", "rnn"} <= set(trained_toy.metrics["models"])


def test_it_forecasts_and_scores_without_tensorflow(trained_toy: Run, monthly_csv: Path) -> None:
    program = f"""
import sys
import forecast
from toy_cell import IndRNN, added
with added(IndRNN()):
    run = forecast.find({str(trained_toy.path)!r})
    again = forecast.predict(run, {str(monthly_csv)!r})
    forecast.evaluate(run, {str(monthly_csv)!r})
print((again["toy"] - run.forecast["toy"]).abs().max() < 1e-5, sorted({{"tensorflow", "keras"}} & set(sys.modules)))
"""
    paths = os.pathsep.join(filter(None, [str(Path(__file__).parent / "shared"), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout == "True []\n", done.stderr


def test_it_is_explained(trained_toy: Run, plotless: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forecast.commands.explain.plots.to_png", lambda figure: b"")
    with added(IndRNN()):
        found = forecast.explain(trained_toy)
    assert [layer["layer"] for layer in found.summary["layers"]] == ["layer 1", "layer 2"]
    assert found.summary["reach"].keys() == {"toy", "rnn"}
    assert len(found.plots) == 5  # two layers, the gradient, the importance, the gradient while training
    assert "layer 1: a cell without gates." in found.sentences


def test_the_command_line_knows_it(
    monthly_csv: Path, quick: Callable[..., Result], plotless: None, tmp_path: Path
) -> None:
    small = ("--units", 4, "--epochs", 1, "--lookback", 6, "--horizon", 3, "--no-baseline")
    train = ("train", monthly_csv, "--model", "toy", *small, "--run", "toy", "--runs-dir", tmp_path)
    with pytest.raises(ConfigError, match="There is no model 'toy'"):
        raise quick(*train).exception
    with added(IndRNN()):
        done = quick(*train)
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize("command", ["predict", "evaluate", "explain", "export"])
def test_a_run_of_a_cell_that_is_not_there_is_refused_with_the_list(
    command: str, trained_toy: Run, quick: Callable[..., Result]
) -> None:
    allowed = f"cell: must be {', '.join(map(repr, list(CELLS)[:-1]))} or {list(CELLS)[-1]!r}. Received: 'toy'."
    with pytest.raises(ConfigError, match=re.escape(f"{trained_toy.path / 'config.json'}: {allowed}")):
        forecast.find(trained_toy.path)
    with pytest.raises(ConfigError, match=re.escape(allowed)) as caught:
        raise quick(command, trained_toy.path).exception
    assert "add it before the run is read" in caught.value.advice


def test_a_setting_that_names_no_cell_is_refused_with_the_list(quick: Callable[..., Result]) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.from_sections({"network": {"cell": "toy"}})
    assert all(repr(cell) in caught.value.message for cell in CELLS)
    with pytest.raises(ConfigError, match="There is no model 'toy'") as caught:
        forecast.configure(model="toy")
    assert all(model in caught.value.advice for model in MODELS)
    with pytest.raises(ConfigError, match="Received: 'toy'") as caught:
        raise quick("train", "weather", "--cell", "toy").exception
    assert all(model in caught.value.advice for model in MODELS)


class Unlisted(IndRNN):
    """Computes what NumPy and Keras know and ONNX does not."""

    def step(self, ops: Any, w: Any, x: Any, s: Any) -> dict[str, Any]:
        return {"hidden": ops.activation(x + w["own_weight"] * s["hidden"]) ** 2}


class Stateless(IndRNN):
    """Forgets to return its state."""

    def step(self, ops: Any, w: Any, x: Any, s: Any) -> dict[str, Any]:
        return {"output": ops.activation(x)}


class Ungated(IndRNN):
    """Declares a gate that its step does not return."""

    gates, forget_gate = ("keep",), "keep"


class Narrow(IndRNN):
    """Splits what it is given into fewer parts than it declares."""

    parts = ("candidate", "more")


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (Unlisted(), "The step of the cell 'toy' fails: TypeError"),
        (Stateless(), "does not return 'hidden' of each unit"),
        (Ungated(), "does not return 'keep' of each unit"),
        (Narrow(), "The step of the cell 'toy' fails: ValueError"),
        (IndRNN, "is not a cell"),
    ],
    ids=["unlisted", "stateless", "ungated", "narrow", "class"],
)
def test_a_declaration_that_is_not_whole_is_refused_before_training(
    cell: Any, message: str, monthly_csv: Path, tiny: Callable[..., Settings], tmp_path: Path
) -> None:
    with added(cell), pytest.raises(ConfigError, match=message):
        forecast.train(monthly_csv, tiny(model="toy"), run="toy", runs_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []
