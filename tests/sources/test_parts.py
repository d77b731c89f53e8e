"""Folders of Parquet files that are larger than the memory that is allowed: which files are held when."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.errors import ConfigError, DataError, ForecastError
from forecast.sources.parts import parts_again, parts_of, with_parts

# Bytes that a file of the folder is taken to need: three columns of 100 rows.
SIZE = 100 * (80 + 3 * 30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("panel")
    days = pd.date_range("2024-01-01", periods=100)
    for number in range(10):
        rows = pd.DataFrame({"unique_id": f"s{number}", "ds": days, "y": np.arange(100.0)})
        rows.to_parquet(folder / f"{number}.parquet", index=False)
    return folder


def test_each_file_is_in_one_set_that_half_of_the_memory_holds(folder: Path) -> None:
    parts = parts_of(folder, 6 * SIZE, seed=3)
    assert parts is not None
    assert [len(files) for files in parts.sets] == [3, 3, 3, 1]
    every = [path for files in parts.sets for path in files]
    assert sorted(every) == [os.path.realpath(folder / f"{number}.parquet") for number in range(10)]
    assert sorted(every) != every  # the order is drawn
    assert parts_of(str(folder), f"{6 * SIZE}B", seed=3) == parts
    other = parts_of(folder, 6 * SIZE, seed=4)
    assert other is not None
    assert other.sets != parts.sets
    assert parts.sample == sorted(parts.sets[0])


def test_what_fits_is_read_at_once(folder: Path) -> None:
    assert parts_of(folder, 10 * SIZE, 0) is None
    assert parts_of(folder, "1 gb", 0) is None


def test_an_interrupted_training_goes_on_with_the_same_files_only(folder: Path) -> None:
    parts = parts_of(folder, 6 * SIZE, 3)
    assert parts is not None
    assert parts_again(parts.to_record(), 3) == parts
    assert parts_again(None, 3) is None
    with pytest.raises(DataError, match="have changed since the training began"):
        parts_again(parts.to_record() | {"bytes": 1}, 3)


@pytest.mark.parametrize(
    ("memory", "kind", "said"),
    [
        (SIZE, DataError, r"The rows of \d.parquet take 0.0 MB, and half of the memory is 0.0 MB"),
        ("much", ConfigError, "'much' is no size"),
        ("0", ConfigError, "'0' is no size"),
    ],
)
def test_what_cannot_be_held_is_refused(folder: Path, memory: int | str, kind: type[ForecastError], said: str) -> None:
    with pytest.raises(kind, match=said):
        parts_of(folder, memory, 0)


def test_other_sources_have_no_parts(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no folder of Parquet files"):
        parts_of(pd.DataFrame(), "1MB", 0)
    (tmp_path / "rows.csv").write_text("ds,y\n2024-01-01,1\n")
    with pytest.raises(DataError, match="is no folder of Parquet files"):
        parts_of(tmp_path, "1MB", 0)
    (tmp_path / "rows.csv").rename(tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="is no Parquet file"):
        parts_of(tmp_path, "1MB", 0)


def test_files_of_other_columns_are_refused_before_any_is_read(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    rows = pd.read_parquet(tmp_path / "4.parquet")
    rows.set_index(rows.index[::-1]).to_parquet(tmp_path / "4.parquet")  # with a column for an index without a name
    assert parts_of(tmp_path, 6 * SIZE, 0) is not None
    rows.rename(columns={"y": "sold"}).to_parquet(tmp_path / "4.parquet")
    with pytest.raises(DataError, match=r"4\.parquet lacks 'y' and has besides 'sold', unlike 9 of the 10 files"):
        parts_of(tmp_path, 6 * SIZE, 0)


def test_a_file_that_changes_meanwhile_is_named_and_one_without_rows_passed_over(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    pd.read_parquet(tmp_path / "1.parquet").iloc[:0].to_parquet(tmp_path / "none.parquet", index=False)
    parts = parts_of(tmp_path, 6 * SIZE, 0)
    assert parts is not None
    assert len(parts.files) == 10
    parts.check_unchanged(parts.files)
    (tmp_path / "4.parquet").write_bytes(b"less")
    with pytest.raises(DataError, match=r"4\.parquet has changed while .* was read in parts"):
        parts.check_unchanged(parts.files)


@pytest.mark.parametrize("asked", [{"split": "time"}, {"test_from": "2024-03-01"}, {"known_forecasts": "f.csv"}])
def test_what_needs_all_rows_at_once_is_refused(asked: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(asked))} does not go with it"):
        with_parts(forecast.configure(asked))
    assert with_parts(forecast.configure()).data.split == "series"
