"""What a user of the Python package would try, and gets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from configs import plain_config
from forecast.errors import ConfigError, RunError
from forecast.runs.find import find
from forecast.runs.writer import RunWriter


def test_settings_may_be_keywords_or_a_mapping() -> None:
    assert forecast.configure(model="gru", units=8) == forecast.configure({"model": "gru", "units": 8})
    assert forecast.configure({"units": 8}, units=4).network.units == (4,)


def test_a_misspelt_setting_is_put_right() -> None:
    with pytest.raises(ConfigError, match="no setting 'epohcs'") as caught:
        forecast.configure(epohcs=3)
    assert caught.value.advice.startswith("Did you mean epochs? Settings: ")


def test_a_cell_that_is_not_the_models_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"cell: the model lstm is made of lstm cells\. Received: 'gru'"):
        forecast.configure(model="lstm", cell="gru")


def test_a_series_of_pandas_is_read() -> None:
    times = pd.date_range("2020-01-01", periods=60, freq="D")
    panel = forecast.read(pd.Series(np.arange(60) % 7 + 0.5, index=times, name="load"))
    assert (panel.columns, panel.clock.freq, panel.n_rows) == (("load",), "D", 60)


def test_a_panel_shows_itself_in_a_line() -> None:
    shown = repr(forecast.read("weather"))
    assert shown == "<Panel weather: 732 rows, 1950-01-01 … 2010-12-01, MS, temperature>"


def test_a_training_that_was_killed_before_its_last_move_is_finished_by_resuming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = RunWriter(tmp_path, "run")
    writer.begin({"data": {}}, plain_config(), overwrite=False)
    writer.write_json("metrics.json", {"verdict": "fine"})
    with monkeypatch.context() as broken:
        broken.setattr("forecast.runs.writer.RunWriter.move_into_place", lambda self: None)
        writer.finish({"data": {}})
    with pytest.raises(RunError, match="is not finished"):
        find("run", runs_dir=tmp_path)
    assert forecast.resume("run", runs_dir=tmp_path).metrics == {"verdict": "fine"}
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_manifest_of_another_version_is_refused_in_words(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, "run")
    writer.begin({}, plain_config(), overwrite=False)
    run = writer.finish({"data": {"freq": "h", "columns": ["y"], "test_from": "2020-01-01"}})
    with pytest.raises(RunError, match="does not say 'last' of its data") as caught:
        _ = run.data
    assert caught.value.advice == "Train the run again."
