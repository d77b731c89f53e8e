"""A file that is read in chunks is the same panel as one that is read in one piece."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.data.panel import Panel
from forecast.errors import DataError, MachineError
from forecast.sources.from_table import read_panel
from forecast.tables import bytes as table_bytes
from forecast.tables import formats, reading

HOURS = pd.date_range("2020-01-01", periods=400, freq="h")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of some fifty rows."""
    set_chunks(monkeypatch, n_bytes=2000, n_rows=50)


def frame(**columns: object) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    gappy = np.where(rng.random(400) < 0.1, np.nan, rng.normal(size=400).round(3))
    return pd.DataFrame({"ds": HOURS, "y": rng.normal(10, 2, 400).round(3), "wind speed (m/s)": gappy} | columns)


def stacked() -> pd.DataFrame:
    return pd.concat([frame(unique_id=name) for name in ("b", "a ", "c")], ignore_index=True)


def set_chunks(monkeypatch: pytest.MonkeyPatch, n_bytes: int, n_rows: int) -> None:
    for module in (reading, formats, table_bytes):
        monkeypatch.setattr(module, "CHUNK", n_bytes)
    monkeypatch.setattr(formats, "CHUNK_ROWS", n_rows)


def in_chunks(path: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a file is read in chunks alone, and not once more in one piece."""
    read_table, whole = formats.read_table, []
    with monkeypatch.context() as patch:
        patch.setattr(
            reading, "read_table", lambda source, dialect: whole.append(source) or read_table(source, dialect)
        )
        read_panel(path)
    return not whole


def same(one: Panel, other: Panel) -> None:
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.times, other.times)
    for fact in (
        "columns",
        "clock",
        "series_ids",
        "offsets",
        "name",
        "units",
        "default_target",
        "left_out",
        "notes",
        "warnings",
    ):
        assert getattr(one, fact) == getattr(other, fact), fact


TEXTS = {
    "plain": frame().to_csv(index=False),
    "missing as NA": frame().to_csv(index=False, na_rep="NA"),
    "no last line end": frame().to_csv(index=False).rstrip("\n"),
    "DOS": frame().to_csv(index=False, lineterminator="\r\n"),
    "byte-order mark": "\ufeff" + frame().to_csv(index=False),
    "decimal commas": frame().to_csv(index=False, sep=";", decimal=","),
    "several series": stacked().to_csv(index=False),
    "shuffled": frame().sample(frac=1, random_state=0).to_csv(index=False),
    "identical rows": pd.concat([frame(), frame()[:5]]).to_csv(index=False),
    "a gap": frame().drop(index=range(100, 160)).to_csv(index=False),
    "a sentinel": frame().fillna(-9999).to_csv(index=False),
    "epochs": frame(ds=HOURS.astype("int64") // 10**9 if HOURS.unit == "ns" else HOURS.as_unit("s").astype("int64"))
    .to_csv(index=False),
    "a second kind of date": frame(day=["2020-01-01"] * 200 + ["x"] * 200).to_csv(index=False),
    "stacked without a name": stacked().rename(columns={"unique_id": "place"}).to_csv(index=False),
    "weeks": frame(ds=pd.date_range("2000-01-03", periods=400, freq="7D").strftime("%GW%V")).to_csv(index=False),
    "intervals": frame(ds=[f"{t:%Y-%m-%d %H:%M} - {t:%Y-%m-%d %H}:59" for t in HOURS]).to_csv(index=False),
    "percent": frame(p=[f"{i / 8:.2f}%" for i in range(400)]).to_csv(index=False),
    "true and false": frame(open=[True, False] * 200).to_csv(index=False),
    "the index of a frame": frame().to_csv(),
    "words": frame(sky=["clear, calm", "fog"] * 200).to_csv(index=False),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_text_in_chunks_is_the_text_in_one_piece(
    name: str, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.csv"
    path.write_text(TEXTS[name], newline="")
    assert in_chunks(path, monkeypatch)
    found = read_panel(path)
    set_chunks(monkeypatch, n_bytes=1 << 30, n_rows=1 << 30)
    same(found, read_panel(path))


@pytest.mark.parametrize("table", [frame(), frame().set_index("ds"), stacked()], ids=["plain", "index", "series"])
def test_parquet_in_chunks_is_the_file_in_one_piece(
    table: pd.DataFrame, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.parquet"
    table.to_parquet(path)
    assert in_chunks(path, monkeypatch)
    found = read_panel(path)
    set_chunks(monkeypatch, n_bytes=1 << 30, n_rows=1 << 30)
    same(found, read_panel(path))


def changed(row: int, **cells: object) -> pd.DataFrame:
    table = frame().astype(object)
    for column, value in cells.items():
        table.loc[row, column] = value
    return table


MONTHS = pd.date_range("1960-01-01", periods=400, freq="MS")

UNLIKE = {
    "years of two digits": frame(ds=MONTHS.strftime("%m/%d/%y")).to_csv(index=False),
    "quarters or months": frame(ds=[f"{1 + row % 4}-{1900 + row // 4}" for row in range(400)]).to_csv(index=False),
    "day numbers": frame(ds=range(40_000, 40_400)).rename(columns={"ds": "date"}).to_csv(index=False),
    "midnights left out": frame(ds=[f"{t:%Y-%m-%d %H:%M}".removesuffix(" 00:00") for t in HOURS]).to_csv(index=False),
    "a row counter": frame(No=range(1, 401)).to_csv(index=False),
    "a blank line": frame().to_csv(index=False).replace("\n2020-01-09", "\n\n2020-01-09", 1),
    "an empty row": frame().to_csv(index=False).replace("\n2020-01-09", "\n,,\n2020-01-09", 1),
    "two lines in a cell": frame(sky=["clear\ncalm"] * 400).to_csv(index=False),
}


EITHER = {
    "thousands in some chunks": frame(p=[f"{i * i:,}.50" for i in range(400)]).to_csv(index=False),
    "thousands that only some chunks prove": frame(p=[f"{i * i * 50:,}" for i in range(400)]).to_csv(index=False),
    "multipliers": frame(p=[f"{i / 8:.2f}{'KMB'[i // 150]}" for i in range(400)]).to_csv(index=False),
    "letters among zeros": frame(p=["0"] * 390 + list("abababcccc")).to_csv(index=False),
    "yes after a while": frame(p=["n"] * 300 + ["y"] * 100).to_csv(index=False),
    "a footer": frame().to_csv(index=False) + "Source: somebody,,\n",
    "levels of names": frame().to_csv(index=False).replace("\n", "\n,°C,m/s\n", 1),
    "a word that most chunks lack": frame(sky=["clear"] * 399 + ["fog"]).to_csv(index=False),
}


@pytest.mark.parametrize("name", EITHER)
def test_cells_are_read_by_the_whole_column(
    name: str, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.csv"
    path.write_text(EITHER[name], newline="")
    found = read_panel(path)
    set_chunks(monkeypatch, n_bytes=1 << 30, n_rows=1 << 30)
    same(found, read_panel(path))
    assert found.read_options == read_panel(path).read_options


@pytest.mark.parametrize("name", UNLIKE)
def test_what_only_the_whole_can_tell_is_read_in_one_piece(
    name: str, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.csv"
    path.write_text(UNLIKE[name], newline="")
    assert not in_chunks(path, monkeypatch)
    found = read_panel(path)
    set_chunks(monkeypatch, n_bytes=1 << 30, n_rows=1 << 30)
    same(found, read_panel(path))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (changed(333, y="12 C").to_csv(index=False), "line 335, column 'y': '12 C' carries a unit"),
        (changed(333, ds="2020-01-99").to_csv(index=False), "line 335, column 'ds'"),
        (
            frame().to_csv(index=False) + "2020-01-01 00:00:00,1,2\n",
            "line 402: the time 2020-01-01 00:00 was given before",
        ),
    ],
)
def test_an_error_names_the_line_of_the_file(text: str, said: str, tmp_path: Path, small: None) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_panel(path)
    assert said in caught.value.message


def test_what_would_not_fit_is_refused_before_it_is_read(
    tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.csv"
    path.write_text(frame().to_csv(index=False))
    monkeypatch.setattr("forecast.memory.available_memory", lambda: 401 * (2 * 8 + 64) - 1)
    with pytest.raises(DataError, match=r"would need about"):
        read_panel(path)
    monkeypatch.setattr("forecast.memory.available_memory", lambda: 402 * (2 * 8 + 64))
    assert len(read_panel(path).values) == 400


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_disk_that_fails_is_no_damaged_file(
    form: str, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"table.{form}"
    frame().to_csv(path, index=False) if form == "csv" else frame().to_parquet(path)

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("forecast.tables.formats.read_text", fail)
    monkeypatch.setattr("pyarrow.parquet.ParquetFile", fail)
    with pytest.raises(MachineError, match="could not be read"):
        read_panel(path)
