"""Folders and patterns: each file a series, named by it; files that say otherwise are the parts of one table."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import DataError, ReadOptions


def station(number: int, first: str = "2024-01-01", n_rows: int = 60) -> pd.DataFrame:
    """Hours of one station; every second one has a column more."""
    times = pd.date_range(first, periods=n_rows, freq="h")
    frame = pd.DataFrame({"time": times, "temp": 100.0 * number + np.arange(n_rows), "network": f"net {number}"})
    return frame.assign(rain=0.5 * number + np.arange(n_rows) % 3) if number % 2 else frame


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stations").mkdir()
    for number in range(3):
        begins = f"2024-01-0{number + 1}"
        station(number, begins, 60 - number).to_csv(tmp_path / "stations" / f"s{number}.csv", index=False)
    return tmp_path / "stations"


def test_each_file_is_a_series_of_its_own_span_and_columns(folder: Path) -> None:
    panel = forecast.read(folder)
    assert (panel.name, panel.columns, panel.series_ids) == ("stations", ("temp", "rain"), ("s0", "s1", "s2"))
    assert panel.offsets == (0, 60, 119, 177)
    for number in range(3):
        rows, alone = panel.rows(number), forecast.read(folder / f"s{number}.csv")
        np.testing.assert_array_equal(panel.times[rows], alone.times)
        np.testing.assert_array_equal(panel.values[rows, 0], alone.values[:, 0])
    assert np.isnan(panel.values[:, 1]).tolist() == [*[True] * 60, *[False] * 59, *[True] * 58]
    assert "3 files: each is a series, named by its file." in panel.notes
    assert [panel.texts["network"].words[code] for code in panel.texts["network"].codes[[0, 60, 119]]] == [
        "net 0", "net 1", "net 2"
    ]  # fmt: skip


def test_several_files_are_called_by_their_names_and_a_folder_by_its_own(folder: Path) -> None:
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".csv")[:2]
    assert forecast.read(folder).name == folder.name
    assert forecast.read(paths).name == ", ".join(path.stem for path in paths)


def test_a_pattern_takes_some(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert forecast.read("stations/s[12].csv").series_ids == ("s1", "s2")
    assert forecast.read("stations/s1*.csv").series_ids == ("s1",)
    assert forecast.read("stations/s*.csv").fingerprint() == forecast.read("stations").fingerprint()
    with pytest.raises(DataError, match="No file is called 'stations/t"):
        forecast.read("stations/t*.csv")


def test_what_is_no_table_is_passed_over_and_told(folder: Path) -> None:
    (folder / "README.md").write_text("Hours of stations.")
    (folder / "s8.csv").write_text("")
    (folder / "s9.csv").write_text("time,temp\n")
    panel = forecast.read(folder)
    assert panel.n_series == 3
    told = str(panel.warnings)
    assert "1 file (README.md) in " in told
    assert "2 files (s8.csv, s9.csv) without rows left out." in told


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "s1.csv").write_text("time,temp\n2024-01-01,1\n2024-01-02,cold\n2024-01-03,2\n2024-01-04,2\n")
    with pytest.raises(DataError, match=r"s1\.csv, line 3, column 'temp'"):
        forecast.read(folder)
    station(1).assign(time=pd.date_range("2024-01-01", periods=60, freq="h", tz="UTC")).to_csv(folder / "s1.csv")
    with pytest.raises(DataError, match=r"s1\.csv have a zone, unlike those in .*s0\.csv"):
        forecast.read(folder)
    os.mkdir(folder / "empty")
    with pytest.raises(DataError, match="is a folder without tables"):
        forecast.read(folder / "empty")


def test_a_row_is_named_by_its_file(folder: Path) -> None:
    frame = station(1, "2024-01-02", 59)
    pd.concat([frame, frame[30:31].assign(temp=0.0)]).to_csv(folder / "s1.csv", index=False)
    named = r"s1\.csv, line 61: the time 2024-01-03 06:00 of series 's1' was given before \(.*s1\.csv, line 32\)"
    with pytest.raises(DataError, match=named):
        forecast.read(folder)


def test_files_that_follow_one_another_are_one_table(tmp_path: Path) -> None:
    whole = station(1, n_rows=240)
    for part in range(4):
        whole[part * 60 : (part + 1) * 60].to_csv(tmp_path / f"week{part}.csv", index=False)
    panel = forecast.read(tmp_path)
    assert (panel.series_ids, panel.n_rows) == (("",), 240)
    assert "4 files that follow one another in time: the parts of one table." in panel.notes
    np.testing.assert_array_equal(panel.values, forecast.read(whole).values)


@pytest.mark.parametrize("name", ["unique_id", "station"])
def test_files_whose_rows_name_their_series_keep_these(tmp_path: Path, name: str) -> None:
    whole = pd.concat([station(number).assign(**{name: f"{number}x"}) for number in range(4)]).drop(columns="network")
    for part in (0, 2):
        whole[whole[name].isin([f"{part}x", f"{part + 1}x"])].to_csv(tmp_path / f"part{part}.csv", index=False)
    panel = forecast.read(tmp_path)
    assert panel.series_ids == ("0x", "1x", "2x", "3x")
    np.testing.assert_array_equal(panel.values, forecast.read(whole).values)


def test_wide_files_are_parts_of_one_table(tmp_path: Path) -> None:
    times = pd.date_range("2024-01-01", periods=60, freq="h")
    for part in range(2):
        columns = {f"m{number}": number + np.arange(60.0) for number in range(2 * part, 2 * part + 2)}
        pd.DataFrame({"time": times, **columns}).to_csv(tmp_path / f"meters{part}.csv", index=False)
    panel = forecast.read(tmp_path, ReadOptions(wide=True))
    assert panel.series_ids == ("m0", "m1", "m2", "m3")
    assert panel.offsets == (0, 60, 120, 180, 240)


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"s{number}").mkdir()
        station(number).to_csv(tmp_path / f"s{number}" / "data.csv", index=False)
    assert forecast.read(str(tmp_path / "*" / "data.csv")).series_ids == ("s0/data", "s1/data")


def test_files_that_differ_by_their_ending_alone_are_told_apart_by_it(tmp_path: Path) -> None:
    for name in ("a.csv", "a.txt", "b.csv"):
        station(0).to_csv(tmp_path / name, index=False)
    panel = forecast.read(str(tmp_path / "*"))
    assert (panel.series_ids, panel.n_rows) == (("a.csv", "a.txt", "b.csv"), 180)


def test_an_order_of_day_and_month_that_one_file_leaves_open_is_that_of_the_others(tmp_path: Path) -> None:
    times = pd.date_range("2024-01-01", periods=300, freq="D")
    for name, rows in (("long", slice(None)), ("short", slice(60, 72))):
        frame = pd.DataFrame({"date": times.strftime("%d/%m/%Y"), "y": np.arange(300.0)})[rows]
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    panel = forecast.read(tmp_path)
    assert panel.times[panel.rows(1)][0] == np.datetime64("2024-03-01")
    again = forecast.read(tmp_path, ReadOptions(**panel.read_options))
    assert again.fingerprint() == panel.fingerprint()


def test_a_column_that_is_of_words_in_one_file_only_is_told(tmp_path: Path) -> None:
    station(1).to_csv(tmp_path / "north.csv", index=False)
    failing = station(3).astype({"rain": object})
    failing.loc[failing.index % 3 > 0, "rain"] = "ERR"
    failing.to_csv(tmp_path / "south.csv", index=False)
    (told,) = [text for text in forecast.read(tmp_path).warnings if "'rain' holds numbers in other files" in text]
    assert told.startswith("1 file (south.csv)")
    assert "'ERR'" in told
