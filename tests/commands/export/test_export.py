"""Exported networks: the program beside them forecasts what the run does, and no folder is lost or half made."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from typer.testing import CliRunner

import forecast
from forecast import Run, Settings
from forecast.cli import build_program
from forecast.commands.export import export
from forecast.errors import ConfigError, MachineError

# The program as it is, where none of these modules can be imported.
ALONE = """
import runpy, sys
sys.modules |= dict.fromkeys(sys.argv[2:])
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def printed(folder: Path, *without: str) -> pd.DataFrame:
    """What the exported program prints, as a table."""
    command = [sys.executable, "-c", ALONE, str(folder / "use.py"), *without]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    return pd.read_csv(io.StringIO(done.stdout), parse_dates=["ds"], dtype={"unique_id": str})


def agrees(found: pd.DataFrame, expected: pd.DataFrame, column: str, model: str) -> None:
    """The program's forecasts are those of the run."""
    both = expected.merge(found, on=["unique_id", "ds"], validate="one_to_one")
    assert len(both) == len(expected) == len(found) > 0
    np.testing.assert_allclose(both[column], both[model], rtol=1e-5)


def test_the_program_forecasts_what_predict_does(trained: Run, tmp_path: Path) -> None:
    folder = forecast.export(trained, tmp_path / "onnx")
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "example.json", "export.json", "network.onnx", "use.py",
    ]  # fmt: skip
    found = printed(folder, "forecast", "tensorflow", "keras", "pandas")
    agrees(found, forecast.predict(trained), "forecast", "lstm")


def test_the_page_says_what_the_network_takes(trained: Run, tmp_path: Path) -> None:
    folder = forecast.export(trained, tmp_path / "onnx")
    page, about = (folder / "README.md").read_text(), json.loads((folder / "export.json").read_text())
    assert "| input | `past` | [B, 6, 3] | float64 |" in page
    assert "| output | `forecast` | [B, 3, 1] | float64 |" in page
    assert "the last rows that the run was trained on" in page
    assert "The model is of opset 17 and IR version 8" in page
    model = onnx.load(folder / "network.onnx")
    assert [about["opset"], about["ir_version"]] == [model.opset_import[0].version, model.ir_version]
    assert about["files"] == sorted(path.name for path in folder.iterdir())
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.usefixtures("no_plots")
def test_angles_and_columns_of_every_kind(three: pd.DataFrame, tiny: Callable[..., Settings], tmp_path: Path) -> None:
    wind, plan = np.random.default_rng(9).normal(50, 30, (2, len(three)))
    table = three.assign(y=three["y"] * 15 % 360, wind=wind, plan=plan)
    table.loc[table.groupby("unique_id").tail(3).index, ["y", "wind"]] = np.nan
    table.to_csv(tmp_path / "three.csv", index=False)
    kinds = {"target": ("y",), "covariates": ("wind",), "known": ("plan",), "circular": ("y",)}
    config = tiny(model="segment-gru", segment=3, normalise="last", epochs=1, baseline=False, **kinds)
    run = forecast.train(tmp_path / "three.csv", config, run="three", runs_dir=tmp_path)
    folder = forecast.export(run, tmp_path / "onnx")
    agrees(printed(folder), run.forecast, "forecast", "segment-gru")
    example = json.loads((folder / "example.json").read_text())
    east, fed = example["unique_id"].index(["east"]), example["inputs"]
    assert fed["past"][east][-1][1] == pytest.approx(wind[-4])
    np.testing.assert_allclose(np.array(fed["future"])[east, :, 0], plan[-3:])
    page = (folder / "README.md").read_text()
    assert "| 2 | plan | known ahead |  |" in page
    assert f"| {fed['series'][east]} | east |" in page
    assert "Angles are in degrees." in page


def test_only_an_export_is_replaced_and_only_if_that_is_asked_for(trained: Run, tmp_path: Path) -> None:
    folder = forecast.export(trained, tmp_path / "mine")
    with pytest.raises(ConfigError, match="is there already"):
        forecast.export(trained, folder)
    (folder / "network.keras").write_text("old")
    about = json.loads((folder / "export.json").read_text())
    (folder / "export.json").write_text(json.dumps(about | {"files": [*about["files"], "network.keras"]}))
    forecast.export(trained, folder, overwrite=True)
    assert not (folder / "network.keras").exists()
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match=r"holds 'thesis\.txt', which no export put there"):
        forecast.export(trained, folder, overwrite=True)
    (tmp_path / "other").mkdir()
    with pytest.raises(ConfigError, match="is not an export, so it is not replaced"):
        forecast.export(trained, tmp_path / "other", overwrite=True)
    assert (folder / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_whole_and_nothing_of_the_new(
    trained: Run, tmp_path: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = forecast.export(trained, tmp_path / "mine")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def fail(*_: object) -> str:
        raise error

    monkeypatch.setattr(export, "render_program", fail)
    with pytest.raises(MachineError if isinstance(error, OSError) else KeyboardInterrupt):
        forecast.export(trained, folder, overwrite=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert list(tmp_path.iterdir()) == [folder]


def test_a_network_without_a_graph_names_another_format(trained: Run, tmp_path: Path) -> None:
    on_keras = replace(trained, manifest=trained.manifest | {"runtimes": {"model": "tensorflow"}})
    with pytest.raises(ConfigError, match="was not seen to forecast the same with ONNX Runtime") as refused:
        forecast.export(on_keras, tmp_path / "onnx")
    assert refused.value.text("shell")[1] == "Take another format: forecast export months --format saved-model"
    assert refused.value.advice == "Take another format: forecast.export('months', format='saved-model')"
    with pytest.raises(ConfigError, match="There is no format 'tflite'"):
        forecast.export(trained, tmp_path / "onnx", format="tflite")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_run_whose_rows_are_gone_is_exported_with_typical_ones(trained: Run, tmp_path: Path) -> None:
    gone = replace(trained, manifest=trained.manifest | {"source": None})
    folder = forecast.export(gone, tmp_path / "onnx")
    assert "the mean of each column, because the run's own rows cannot be used" in (folder / "README.md").read_text()
    example = json.loads((folder / "example.json").read_text())
    assert np.unique(np.array(example["inputs"]["past"])[..., 0]).tolist() == [trained.scaler.mean[0, 0]]
    assert printed(folder)["ds"].tolist() == trained.forecast["ds"].tolist()


def test_the_command_prints_the_folder(trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(build_program(), ["export", str(trained.path)])
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{tmp_path.resolve() / 'months-onnx'}\n"
    assert (tmp_path / "months-onnx" / "network.onnx").exists()


@pytest.mark.thorough
@pytest.mark.usefixtures("no_plots")
@pytest.mark.parametrize(
    "settings",
    [
        {"model": "segment-lstm", "segment": 3, "decode": "parallel", "ensemble": 2, "quantiles": (0.1, 0.5, 0.9),
         "transform": "log", "refit": True, "calendar": True},
        {"model": "slstm", "decode": "recursive", "normalise": "standard", "baseline": False},
        {"model": "bi-lstm", "units": (8, 6), "normalise": "last-scaled"},
        {"model": "segment-lstm", "least_observed": 0.5, "decay": True, "normalise": "standard"},
        {"model": "gru", "stateful": True, "activation": "swish", "limits": "y=0:100"},
    ],
)  # fmt: skip
def test_every_format_forecasts_what_predict_does(
    three: pd.DataFrame, tiny: Callable[..., Settings], tmp_path: Path, settings: dict[str, object]
) -> None:
    three.to_csv(tmp_path / "three.csv", index=False)
    run = forecast.train(tmp_path / "three.csv", tiny(**settings), run="three", runs_dir=tmp_path)
    column = "quantile 0.5" if run.config.network.quantiles else "forecast"
    formats: dict[export.Format, tuple[str, ...]] = {
        "onnx": ("forecast", "tensorflow"), "keras": (), "saved-model": ("forecast", "onnx"),
    }  # fmt: skip
    if "activation" in settings:
        del formats["onnx"]
    for format, without in formats.items():
        folder = forecast.export(run, tmp_path / format, format=format)
        agrees(printed(folder, *without), run.forecast, column, run.config.network.model)
