"""Names of columns and series that would break out of a path, a page, a cell, a plot or a terminal."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from forecast.cli import main
from forecast.commands import console
from forecast.errors import DataError, rendered
from forecast.runs.csv_tables import frame_to_csv
from forecast.runs.find import open_run
from forecast.sources.from_table import read_panel

TARGET = "Ba$$in"
COVARIATES = ("=cmd|' /C calc'!A0", "<script>alert(1)</script>", "_x", "温度", "\x1b[31mred\nline", "x" * 300, "🌡")
SERIES = ("../../x", "@s" + "é" * 300, "<b>🌍\x1b[2J</b>")
# A spreadsheet takes a cell that begins with one of these for a formula.
FORMULA = tuple("=+-@\t\r")
SOURCE = "<i>$$'; ls.csv"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one file of such a table, and of much that is mended while reading."""
    folder = tmp_path_factory.mktemp("names")
    rng = np.random.default_rng(0)
    times = pd.date_range("2020-01-01", periods=150, freq="D")
    parts = []
    for number, series in enumerate(SERIES):
        values = 10 * number + rng.normal(size=(len(times), 1 + len(COVARIATES)))
        part = pd.DataFrame(values, columns=[TARGET, *COVARIATES])
        part.insert(0, "unique_id", series)
        part.insert(1, "ds", times.strftime("%Y-%m-%d"))
        part.loc[20, TARGET] = -9999
        part["_x"] = np.where(np.arange(len(times)) > 130, 1.0, 0.0)
        parts.append(part.drop(index=[60, 61]))
    table = pd.concat([*parts, parts[0].tail(1)])
    (folder / SOURCE).write_bytes(table.to_csv(index=False, lineterminator="\n").encode() + b"\x1a")
    return folder


def tell(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    """What a command says on standard output and on standard error; it succeeds, and leaves the terminal alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["forecast", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    said = capsys.readouterr()
    assert ended.value.code == 0, said.err
    assert "\x1b" not in said.out + said.err
    return said.out, said.err


def warned(told: str) -> list[str]:
    """The warnings on standard error, each of which stands there once."""
    lines = [line.removeprefix("warning: ") for line in told.splitlines() if line.startswith("warning: ")]
    assert len(lines) == len(set(lines))
    return lines


def test_an_inspection_tells_each_warning_once_and_obeys_no_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    out, told = tell(capsys, "inspect", SOURCE, f"--target={TARGET}")
    panel = read_panel(SOURCE)
    assert warned(told) == [rendered(warning, "shell") for warning in panel.warnings]
    for part in ("Ctrl-Z", "identical row(s)", "-9999 are read as missing", "absent in 3 gap(s)"):
        assert [part in warning for warning in panel.warnings].count(True) == 1, part
    assert r"\x1b[31mred\nline" in out
    out, _ = tell(capsys, "inspect", SOURCE, "--json")
    assert json.loads(out)["series"] == sorted(SERIES)
    # A pipe gets names as they are, a terminal nothing that it would obey.
    forecast = frame_to_csv(pd.DataFrame({"unique_id": SERIES, "y": 1.0}))
    console.print_csv(forecast)
    assert capsys.readouterr().out == forecast.decode()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    console.print_csv(forecast)
    assert r"<b>🌍\x1b[2J</b>" in capsys.readouterr().out


@pytest.mark.thorough
def test_a_training_with_bad_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    tiny = ("model=rnn", "units=4", "epochs=1", "lookback=6", "horizon=3", "no-baseline", "csv")
    _, told = tell(capsys, "train", SOURCE, f"--target={TARGET}", *(f"--{option}" for option in tiny))
    assert {path.name for path in folder.iterdir()} == {SOURCE, "models"}
    (place,) = (folder / "models").iterdir()
    run = open_run(place)
    assert re.fullmatch(r"[A-Za-z0-9-]+", run.name)
    assert all(re.fullmatch(r"[\w.-]+", path.name, re.ASCII) for path in place.rglob("*"))

    kept = run.manifest["data"]["warnings"]
    assert set(kept) <= set(warned(told))
    assert kept[:-1] == list(read_panel(SOURCE).warnings)
    assert kept[-1] == "column '_x' has one value in all training rows and others later: it is left out"

    # Cells of text cannot run, and come back as they were.
    for name in ("forecast.csv", "test_forecasts.csv"):
        cells = {row[0] for row in csv.reader(io.StringIO((place / name).read_text()))} - {"unique_id"}
        assert len(cells) == len(SERIES)
        assert not [cell for cell in cells if cell.startswith(FORMULA)]
    assert set(run.forecast["unique_id"]) == set(SERIES)

    page = (place / "report.html").read_text()
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert "Ba$$in" in page
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(svg.replace("&nbsp;", " "))
    for path in run.plots:
        assert (matplotlib.image.imread(path)[:, :, :3] < 0.9).any(), path

    listed, _ = tell(capsys, "runs")
    assert run.name in listed
    assert {path.name for path in folder.iterdir()} == {SOURCE, "models"}


def test_no_letters_of_a_name_become_a_picture() -> None:
    with console.err.capture() as held:
        console.print_error(DataError("postgres:x:101", "See:x:"))
    assert held.get() == "error: postgres:x:101\nSee:x:\n"
