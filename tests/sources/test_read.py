"""From what the user names to a panel."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import forecast
from forecast import DATASETS, DataError, ReadOptions


@pytest.mark.parametrize("name", DATASETS)
def test_a_built_in_name(name: str) -> None:
    panel = forecast.read(name)
    assert panel.n_rows > 500
    assert panel.default_target == DATASETS[name].target


def test_a_file_goes_before_a_built_in_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, monthly: pd.DataFrame
) -> None:
    monthly.to_csv(tmp_path / "weather", index=False)
    monkeypatch.chdir(tmp_path)
    assert forecast.read("weather").n_rows == 200


def test_a_path_a_frame_and_a_panel_are_the_same_series(monthly_csv: Path, monthly: pd.DataFrame) -> None:
    panels = [forecast.read(source) for source in (monthly_csv, str(monthly_csv), monthly)]
    assert {panel.fingerprint() for panel in panels} == {panels[0].fingerprint()}
    assert forecast.read(panels[0]) is panels[0]


def test_options_are_heeded(tmp_path: Path, monthly: pd.DataFrame) -> None:
    monthly.rename(columns={"ds": "when"}).assign(other=monthly["ds"]).to_csv(tmp_path / "a.csv", index=False, sep=";")
    panel = forecast.read(tmp_path / "a.csv", ReadOptions(time_column="when", delimiter=";"))
    assert panel.times[0] == pd.Timestamp("1990-01-01")


def test_a_name_that_is_nothing_points_to_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="wether") as caught:
        forecast.read("wether")
    assert "Did you mean weather? See: forecast datasets" in caught.value.text("shell")[1]


def test_a_misspelt_built_in_name_is_put_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        forecast.read("wether")
    assert "weather" in str(caught.value)
