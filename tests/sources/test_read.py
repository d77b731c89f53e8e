"""From what the user names to a panel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
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


def stations() -> dict[str, pd.DataFrame]:
    """Two stations of hours, the second shorter and with a column more, their times in the index."""
    times = pd.date_range("2024-01-01", periods=60, freq="h")
    north = pd.DataFrame({"temp": np.arange(60.0)}, index=times)
    return {"north": north, "south": pd.DataFrame({"temp": -np.arange(50.0), "rain": 1.5}, index=times[:50])}


def test_frames_by_name_are_series() -> None:
    panel = forecast.read(stations())
    assert (panel.series_ids, panel.columns, panel.offsets) == (("north", "south"), ("temp", "rain"), (0, 60, 110))
    np.testing.assert_array_equal(panel.values[:, 0], [*range(60), *-np.arange(50)])
    assert np.isnan(panel.values[:60, 1]).all()
    in_columns = {name: frame.rename_axis("ds").reset_index() for name, frame in stations().items()}
    assert forecast.read(in_columns).fingerprint() == panel.fingerprint()
    each = forecast.read({name: frame["temp"] for name, frame in stations().items()})
    np.testing.assert_array_equal(each.values, panel.values[:, :1])
    with pytest.raises(DataError, match="There is no frame"):
        forecast.read({})
    with pytest.raises(DataError, match="'south' has a column 'unique_id' of its own"):
        forecast.read(stations() | {"south": stations()["south"].assign(unique_id="a")})


def test_columns_by_name_are_a_table_and_other_things_are_told_apart() -> None:
    north = stations()["north"]["temp"]
    columns = {"ds": list(north.index), "y": north.to_numpy()}
    np.testing.assert_array_equal(forecast.read(columns).values[:, 0], north)
    groups = pd.DataFrame(columns).assign(id="a").groupby("id")
    for wrong, why in (
        ({"a": np.arange(60), "b": np.arange(40)}, "'a', 'b' are neither frames nor columns of one length"),
        ({"a": 1, "b": 2}, "'a', 'b' are neither"),
        (stations() | {"west": [1, 2]}, "'west' is a list, others are frames"),
        (stations() | {"west": stations()["north"][:0]}, "The frame of 'west' has no rows"),
        (groups, "type DataFrameGroupBy is no table"),
        (np.zeros((2, 2, 2)), "type ndarray is no table"),
        ((north.index[:5], north), "5 times do not fit 60 values"),
    ):
        with pytest.raises(DataError, match=why):
            forecast.read(wrong)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"of groups the frame that was grouped, with series_id\.$"):
        forecast.read(groups)  # type: ignore[arg-type]


def test_series_may_be_called_as_missing_values_are() -> None:
    frame = pd.concat(stations() | {"None": stations()["north"]}, names=["unique_id", "ds"]).reset_index()
    frame["unique_id"] = frame["unique_id"].replace({"north": "NA", "south": "nan"})
    assert forecast.read(frame).series_ids == ("NA", "None", "nan")
    with pytest.raises(DataError, match="the series id is empty"):
        forecast.read(frame.replace({"unique_id": {"nan": None}}))


def test_a_series_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    long = pd.concat(stations(), names=["unique_id", "ds"]).reset_index()
    with pytest.raises(DataError, match=r"no column 'nope' for series_id\.\nColumns: 'unique_id', 'ds', 'temp'"):
        forecast.read(long, ReadOptions(series_id="nope"))
    of_a_run = ReadOptions(series_id="station", codes=())  # whose own table called it otherwise
    assert forecast.read(long, of_a_run).series_ids == ("north", "south")


@pytest.mark.parametrize("names", [(None, None), ("store", "day"), ("unique_id", "ds")])
@pytest.mark.parametrize("ids", [("north", "south"), (7, 12)])
def test_an_index_of_series_and_times(names: tuple[str | None, ...], ids: tuple[object, ...]) -> None:
    frame = pd.concat(dict(zip(ids, stations().values(), strict=True)), names=names)[["temp"]]
    panel = forecast.read(frame)
    assert panel.series_ids == tuple(sorted(map(str, ids)))
    assert (panel.columns, panel.n_rows) == (("temp",), 110)
    assert forecast.read(frame.swaplevel()).fingerprint() == panel.fingerprint()


def test_each_column_of_a_wide_frame_is_a_series() -> None:
    wide = pd.DataFrame({name: frame["temp"] for name, frame in stations().items()})
    wide["south"] = wide["south"].where(wide.index != wide.index[10])
    panel = forecast.read(wide, ReadOptions(wide=True))
    assert (panel.series_ids, panel.columns, panel.offsets) == (("north", "south"), ("value",), (0, 60, 110))
    assert np.flatnonzero(np.isnan(panel.values[:, 0])).tolist() == [70]  # within a series it is missing
    assert panel.default_target == "value"
    assert forecast.read(wide).columns == ("north", "south")


def test_a_table_of_another_library() -> None:
    frame = stations()["south"].rename_axis("ds").reset_index()
    assert forecast.read(pa.Table.from_pandas(frame)).fingerprint() == forecast.read(frame).fingerprint()


def test_a_wide_file(tmp_path: Path) -> None:
    wide = pd.DataFrame({name: frame["temp"] for name, frame in stations().items()})
    table = wide.assign(note="dry", west=np.nan).rename_axis("time")
    table.iloc[::-1].to_csv(tmp_path / "wide.csv", sep=";", decimal=",")
    panel = forecast.read(tmp_path / "wide.csv", ReadOptions(wide=True))
    np.testing.assert_array_equal(panel.values, forecast.read(wide, ReadOptions(wide=True)).values)
    assert "Each column is a series: 'north', 'south'." in panel.notes
    assert "Not numeric and left out: 'note'." in panel.notes
    assert "Left out, as every value is missing: 'west'." in panel.warnings
    long = pd.DataFrame({"unique_id": "north", "ds": wide.index, "value": wide["north"].to_numpy()})
    np.testing.assert_array_equal(forecast.read(long, ReadOptions(wide=True)).values, panel.values[:60])


def test_names_that_look_like_times_may_be_names(tmp_path: Path) -> None:
    table = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=30), "2001": 1.5, "2002": 2.5, "2003": 3.5})
    assert forecast.read(table, ReadOptions(wide=True)).series_ids == ("2001", "2002", "2003")
    dated = pd.DataFrame({"area": ["a", "b"], **{f"{year}": [1.0, 2.0] for year in range(1990, 2020)}})
    assert forecast.read(dated).series_ids == forecast.read(dated, ReadOptions(wide=True)).series_ids == ("a", "b")
    with pytest.raises(DataError):
        forecast.read(dated, ReadOptions(wide=False))


def test_wide_goes_with_no_column_of_names(monthly: pd.DataFrame) -> None:
    with pytest.raises(forecast.ConfigError, match="wide: columns name the series"):
        ReadOptions(wide=True, series_id="store")
    empty = monthly.assign(y=np.nan, z=np.nan)
    with pytest.raises(DataError, match="every value is missing"):
        forecast.read(empty, ReadOptions(wide=True))
