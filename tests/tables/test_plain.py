"""What Arrow's parser of numbers makes of a chunk is what its texts are read as, one by one."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.config import ReadOptions
from forecast.data.panel import Panel
from forecast.errors import ForecastError
from forecast.sources.from_table import read_panel
from forecast.tables import bytes as table_bytes
from forecast.tables import formats, plain, reading

# What a cell, a line end or a whole row is replaced by in the middle of a text; rows hold a time, `y` and `n`.
CELLS = (
    "", " ", "NA", "nan", "-nan", "NaN", "inf", "-inf", "nan(1)", "1e400", "1e18", "-1e18", "999999999999999999",
    "1e17", "1234567890123456789", "0x1F", "+1.5", "-0", "-0.0", "1.", ".5", " 1.5 ", "\t2", "1,5", "1.234", "1e3",
    "1E-320",
    "5e-324", "0.1e-400", "00012", '"1.5"', '"', "12 C", "1_000", "٣", "−1", "1\0", "true", "-9999", "1e308", "5%", "?",
    "0.30000000000000004", "123456789.123456789", "2.2250738585072011e-308", "1\r", "$1", "--", "1 000", "1;5", "3K",
)  # fmt: skip
TIMES = (
    "", "2020-01-09", "2020-01-09T00:00:00", "2020-01-09 00:00", "2020-01-09 24:00:00", "2020-01-09 00:00:60", "NaT",
    "2020-02-30 00:00:00", "2020-01-09 00:00:00Z", " 2020-01-09 00:00:00", "2020-01-08 23:00:00", "2019-01-01 00:00:00",
    "2620-01-01 00:00:00", "0000-01-01 00:00:00", '"2020-01-09 00:00:00"', "2020-01-09 00:00:00.5", "Source: me",
)  # fmt: skip
ROWS = (
    "\n", "  \n", ",,\n", "1\n", "2020-01-09 00:00:00,1\n", "2020-01-09 00:00:00,1.5,2,3\n", "ds,y,n\n", "\r\n", "\x1a",
    '"\n"\n',
)  # fmt: skip


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of some fifty rows."""
    for module in (reading, formats, table_bytes):
        monkeypatch.setattr(module, "CHUNK", 1500)


def rows(n_rows: int = 260, form: str = "%Y-%m-%d %H:%M:%S") -> list[list[str]]:
    rng = np.random.default_rng(0)
    hours = pd.date_range("2020-01-01", periods=n_rows, freq="h").strftime(form)
    fractions = rng.normal(10, 200, n_rows).round(2)
    whole = rng.integers(-500, 500, n_rows)
    return [[t, f"{y}", f"{n}" if n % 7 else ""] for t, y, n in zip(hours, fractions, whole, strict=True)]


def text(cells: list[list[str]], header: str = "ds,y,n") -> str:
    return "\n".join([header, *map(",".join, cells)]) + "\n"


def read(path: Path, options: ReadOptions | None) -> Panel | tuple[str, str]:
    try:
        return read_panel(path, options)
    except ForecastError as error:
        return str(error.args[0]), str(error)


def is_alike(path: Path, monkeypatch: pytest.MonkeyPatch, options: ReadOptions | None = None) -> int:
    """Compare a text with itself where no chunk is plain; how many chunks were."""
    n_plain = 0
    parse = plain.PlainText.read

    def counted(self: plain.PlainText, chunk: formats.Chunk) -> object:
        nonlocal n_plain
        found = parse(self, chunk)
        n_plain += found is not None
        return found

    with monkeypatch.context() as patch:
        patch.setattr(plain.PlainText, "read", counted)
        found = read(path, options)
    with monkeypatch.context() as patch:
        patch.setattr(reading, "plain_text", lambda *_: None)
        cell_by_cell = read(path, options)
    if isinstance(found, Panel) and isinstance(cell_by_cell, Panel):
        for field in fields(Panel):
            one, other = getattr(found, field.name), getattr(cell_by_cell, field.name)
            if field.name in ("values", "times"):
                assert one.tobytes() == other.tobytes()
            elif field.name in ("coded", "texts"):
                assert one.keys() == other.keys()
            else:
                assert one == other, field.name
    else:
        assert found == cell_by_cell
    return n_plain


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M"])
def test_plain_chunks_are_read_at_once(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text(rows(form=form)))
    assert is_alike(path, monkeypatch) >= 4
    path.write_text(text(rows(form=form)[::-1]).replace("\n", "\r\n"), newline="")
    assert is_alike(path, monkeypatch, ReadOptions(freq="h")) >= 4


def harmed() -> dict[str, str]:
    """Texts with one thing in the middle that is not plain, or is so in another way."""
    texts = {}
    for column in (1, 2):
        for cell in CELLS:
            cells = rows()
            cells[150][column] = cell
            texts[f"{column}:{cell!r}"] = text(cells)
    for cell in TIMES:
        cells = rows()
        cells[192 if "09" in cell else 150][0] = cell
        texts[f"time:{cell!r}"] = text(cells)
    for row in ROWS:
        lines = text(rows()).splitlines(keepends=True)
        texts[f"row:{row!r}"] = "".join([*lines[:150], row, *lines[150:]])
        texts[f"end:{row!r}"] = "".join([*lines, row])
    return texts


HARMED = harmed()


def are_alike(names: list[str], path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in names:
        path.write_bytes(HARMED[name].encode())
        try:
            is_alike(path, monkeypatch)
        except AssertionError as error:
            raise AssertionError(name) from error


def test_what_is_not_plain_is_read_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["1:''", "1:'nan'", "1:'1e400'", "2:'-0'", "2:'1.234'", "time:'2020-01-09 24:00:00'", "row:'\\n'"]
    are_alike(names, tmp_path / "table.csv", monkeypatch)


@pytest.mark.thorough
@pytest.mark.parametrize("some", range(4))
def test_nothing_that_is_not_plain_passes(some: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    are_alike(list(HARMED)[some::4], tmp_path / "table.csv", monkeypatch)


COLUMNS = {
    "points that may group": [f"{1 + n % 9}.{100 + n}" for n in range(260)],
    "points that group later": [str(n) if n < 120 else f"{1 + n % 9}.{100 + n}" for n in range(260)],
    "fractions later": [str(n) if n < 120 else f"{n}.5" for n in range(260)],
    "whole later": [f"{n}.5" if n < 120 else str(n) for n in range(260)],
    "words later": ["1.5" if n < 120 else "fog" for n in range(260)],
    "months": ["1.5" if n < 120 else f"2008.{1 + n % 12:02d}" for n in range(260)],
    "all empty": [""] * 260,
    "codes": ["-999" if n % 50 == 7 else f"{n % 13}.25" for n in range(260)],
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", COLUMNS)
def test_columns_mean_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.csv"
    cells = [[*row, cell] for row, cell in zip(rows(), COLUMNS[name], strict=True)]
    for header in (
        "ds,y,n,x",
        "when,y,n,x",
        "ds,y,n,end",
        "ds,y,n,year",
        "ds,y,n,tz",
        "ds,y,n,id",
        "x,y,n,date",
        "ds,y,n,",
    ):
        path.write_text(text(cells, header))
        is_alike(path, monkeypatch)
    path.write_text(text(cells, "ds,y,n,x"))
    for options in (
        ReadOptions(time_column="ds"), ReadOptions(columns=("x",)), ReadOptions(skip_columns=("x",)),
        ReadOptions(missing_words=("1.5", "0")), ReadOptions(decimal=","), ReadOptions(thousands="."),
        ReadOptions(series_id="x"), ReadOptions(freq="step"), ReadOptions(date_format="%Y-%m-%d %H:%M:%S"),
        ReadOptions(skip_footer=1), ReadOptions(encoding="latin-1", skip_rows=1), ReadOptions(delimiter=";"),
    ):  # fmt: skip
        is_alike(path, monkeypatch, options)
