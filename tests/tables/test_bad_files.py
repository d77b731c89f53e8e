"""Files and encodings as they come: what is refused, and with what words; what is mended; what just works."""

from __future__ import annotations

import gzip
import io
import os
import threading
from pathlib import Path

import pandas as pd
import pytest

from forecast.errors import DataError
from forecast.sources.from_table import read_panel
from tables import LINES, followed, read, refused, table, with_line, zipped

PARQUET = io.BytesIO()
pd.read_csv(io.StringIO(table()), parse_dates=["time"]).to_parquet(PARQUET)

# Name -> content, what the message says.
REFUSED: dict[str, tuple[str | bytes, list[str]]] = {
    "zero bytes": (b"", ["table.csv is empty (0 bytes)"]),
    "header only": ("time,v\n", ["table.csv holds a header and no rows"]),
    "header and empty rows": ("time,v\n,\n,\n", ["only empty rows"]),
    "blank lines": ("\n \n\n", ["blank lines"]),
    "zip of two": (zipped(a=table(), b=table()), ["zip of 2 files ('a', 'b')", "unzip table.csv"]),
    "zip of none": (zipped(), ["zip of 0 files (none)"]),
    "zip cut": (zipped(a=table())[:-9], ["damaged or locked zip", "unzip -t table.csv"]),
    "gzip cut": (gzip.compress(table().encode())[:-9], ["damaged gzip", "gzip --test table.csv"]),
    "gzip of a gzip": (gzip.compress(gzip.compress(table().encode())), ["packed twice"]),
    "gzip of nothing": (gzip.compress(b""), ["unpacks to 0 bytes"]),
    "gzip bomb": (100 * gzip.compress(b"1" * 1_000_000), ["or a bomb", "zcat table.csv | head"]),
    "xlsx": (zipped(**{"[Content_Types].xml": "x"}), ["Excel workbook", "libreoffice"]),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", ["old Excel workbook"]),
    "xz": (b"\xfd7zXZ\x00\x00", ["xz archive", "unxz --keep table.csv"]),
    "parquet by the name of csv": (PARQUET.getvalue(), ["Parquet file", "mv table.csv table.parquet"]),
    "web page": ("<!DOCTYPE html><p>", ["web page"]),
    "json": ('{"a": 1}', ["JSON"]),
    "utf-16 without mark": (table().encode("utf-16-le"), ["UTF-16", "offset 1", "--encoding utf-16-le"]),
    "big-endian utf-16": (table().encode("utf-16-be"), ["UTF-16", "offset 0", "--encoding utf-16-be"]),
    "latin-1": (table().replace("v", "T (°C)").encode("latin-1"), ["line 1", "0xb0", "--encoding latin-1"]),
    "windows-1252": (table().replace("v", "€").encode("cp1252"), ["line 1", "0x80", "--encoding cp1252"]),
    "a NUL": (with_line(6, "2020-01-05,1\x00"), ["line 6", "offset 79", "tr -d '\\000'"]),
}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("content", "parts"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(content: str | bytes, parts: list[str]) -> None:
    Path("table.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    message = refused("table.csv", {})
    assert [part for part in parts if part not in message] == []
    followed(message)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("wether.csv", "forecast inspect weather.csv"),
        ("nowhere/data.csv", "no folder 'nowhere'"),
        ("a\0b", "not a path"),
        ("x" * 5000, "not a path"),
        ("weather.csv/x.csv", "not a path"),
        ("ftp://example.org/a.csv", "curl -L -o data.csv ftp://example.org/a.csv && forecast inspect data.csv"),
        ("s3://bucket/a.csv", "aws s3 cp s3://bucket/a.csv data.csv"),
        ("/dev/null", "0 bytes"),
        ("/dev/zero", "NUL byte"),
    ],
)
def test_paths_that_are_refused(source: str, expected: str) -> None:
    Path("weather.csv").write_text(table())
    message = refused(source, {})
    assert expected in message
    if "forecast inspect weather.csv" in message:
        assert followed(message) is not None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused() -> None:
    Path("table.csv").touch(mode=0)
    assert "chmod u+r table.csv" in refused("table.csv", {})


def test_a_file_beyond_memory_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with open("table.csv", "wb") as stream:
        stream.truncate(10_000_000_000)
    monkeypatch.setattr("forecast.memory.available_memory", lambda: 8_000_000_000)
    assert "need about 60.0 GB of memory; 8.0 GB are available" in refused("table.csv", {})


def test_a_pipe_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forecast.tables.bytes.PIPE_CAP", 1000)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(table(100).encode())))
    assert "standard input is longer than 0.0 MB" in refused("-", {})


# Name -> the same table, written otherwise.
SAME: dict[str, str | bytes] = {
    "byte-order mark": b"\xef\xbb\xbf" + table().encode(),
    "utf-16": table().encode("utf-16"),
    "utf-32": table().encode("utf-32"),
    "line ends of Windows": table().replace("\n", "\r\n"),
    "line ends of old Macs": table().replace("\n", "\r"),
    "no line end at the end": table().rstrip("\n"),
    "gzip by the name of csv": gzip.compress(table().encode()),
    "zip of one": zipped(a=table()),
}


@pytest.mark.parametrize("content", SAME.values(), ids=SAME)
def test_what_just_works(content: str | bytes, tmp_path: Path) -> None:
    panel = read(tmp_path, content)
    assert panel.fingerprint() == read(tmp_path, table()).fingerprint()
    assert panel.warnings == ()


def test_every_way_in_leads_to_the_same_panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read(tmp_path, table()).fingerprint()
    Path("table.csv.gz").write_bytes(gzip.compress(table().encode()))
    Path("table.parquet").write_bytes(PARQUET.getvalue())
    os.mkfifo("pipe")
    threading.Thread(target=Path("pipe").write_text, args=[table()]).start()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(table().encode())))
    for source in ("table.csv.gz", "table.parquet", "pipe", "-"):
        panel = read_panel(source)
        assert (panel.fingerprint(), panel.warnings) == (expected, ())
    frame = pd.read_parquet("table.parquet")
    months = frame.set_index(frame["time"].dt.to_period("D")).drop(columns="time")
    for same in (frame, frame.set_index("time"), frame.astype({"time": str}), months):
        assert read_panel(same).fingerprint() == expected


def test_a_trailing_mark_of_dos_is_left_out_with_a_warning(tmp_path: Path) -> None:
    panel = read(tmp_path, table() + "\x1a")
    assert panel.fingerprint() == read(tmp_path, table()).fingerprint()
    assert panel.warnings == ("A trailing Ctrl-Z (end-of-file mark of DOS) is left out.",)


def test_a_file_that_grows_is_read_up_to_its_last_whole_line(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path("table.csv")
    path.write_text(table() + "2020-02-10,4")
    before = os.fstat

    def growing(number: int) -> os.stat_result:
        state = before(number)
        with path.open("a") as stream:
            stream.write("0.5\n")
        return state

    monkeypatch.setattr("forecast.tables.bytes.os.fstat", growing)
    panel = read_panel(path)
    assert panel.n_rows == 40
    assert panel.warnings == (f"table.csv grew while it was read; its first {len(table()):,} bytes are used.",)


def test_a_damaged_parquet_file_is_refused() -> None:
    Path("table.parquet").write_bytes(b"PAR1" + bytes(60) + b"PAR1")
    assert "damaged Parquet" in refused("table.parquet", {})


def test_a_hint_for_a_packed_file_needs_no_unpacking() -> None:
    Path("table.csv.gz").write_bytes(gzip.compress("\n".join([*LINES, "Total,3", ""]).encode()))
    message = refused("table.csv.gz", {})
    assert "forecast inspect table.csv.gz --skip-footer 1" in message
    panel = followed(message)
    assert panel is not None
    assert panel.n_rows == 40


def test_a_table_in_memory_is_refused_by_its_row() -> None:
    frame = pd.read_csv(io.StringIO(table())).astype({"v": object})
    frame.loc[3, "v"] = "calm"
    with pytest.raises(DataError, match=r"the table, row 4, column 'v': 'calm' is not a number") as caught:
        read_panel(frame)
    assert "sed" not in caught.value.advice
