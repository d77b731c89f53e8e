"""Properties of reading: any bytes end in a panel or in a refusal; one table is one panel, however it is dressed."""

from __future__ import annotations

import gzip
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import forecast
from forecast import Run
from forecast.errors import ForecastError
from forecast.sources.from_table import read_panel
from tables import stacked, table

PIECES = [b",", b'"', b"\n", b"\0", b"\xff", b"9" * 20, b"-", b"1e400", b"NA", b"24:00", b"Z", b";", b"\x1f\x8b", b"PK"]
SEEDS = [table(12), stacked(), table(30, "h", "%d.%m.%Y %H:%M", ";"), table(9, "MS", "%Y-%m", "\t")]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A table with a few bytes put in or taken away, or bytes of any kind."""
    content = bytearray(draw(st.sampled_from(SEEDS)).encode())
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(content)))
        content[start : start + draw(st.integers(0, 9))] = draw(st.sampled_from(PIECES) | st.binary(max_size=5))
    return bytes(content)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """Rows on a clock, some of their values missing."""
    size = draw(st.integers(6, 30))
    freq, start = draw(st.sampled_from(["D", "h", "15min", "MS"])), draw(st.sampled_from(["2020-01-01", "1999-12-01"]))
    frame = pd.DataFrame({"time": pd.date_range(start, periods=size, freq=freq)})
    numbers = st.floats(-1e6, 1e6, allow_subnormal=False) | st.integers(-99, 99).map(float) | st.just(np.nan)
    for name in draw(st.lists(st.sampled_from(["v", "T (°C)", "a b"]), min_size=1, unique=True)):
        frame[name] = [1.0, *draw(st.lists(numbers, min_size=size - 1, max_size=size - 1))]
    return frame


def as_csv(frame: pd.DataFrame, sep: str = ",") -> bytes:
    return frame.to_csv(index=False, sep=sep, lineterminator="\n").encode()


def as_parquet(frame: pd.DataFrame) -> bytes:
    written = io.BytesIO()
    frame.to_parquet(written)
    return written.getvalue()


DRESSES: dict[str, Callable[[pd.DataFrame], bytes]] = {
    "bom.csv": lambda frame: b"\xef\xbb\xbf" + as_csv(frame),
    "crlf.csv": lambda frame: as_csv(frame).replace(b"\n", b"\r\n"),
    "cr.csv": lambda frame: as_csv(frame).replace(b"\n", b"\r"),
    "semicolon.csv": lambda frame: as_csv(frame, ";"),
    "tab.tsv": lambda frame: as_csv(frame, "\t"),
    "utf-16.csv": lambda frame: as_csv(frame).decode().encode("utf-16"),
    "gz.csv.gz": lambda frame: gzip.compress(as_csv(frame), 1),
    "rows.parquet": as_parquet,
    "shuffled.csv": lambda frame: as_csv(frame.sample(frac=1, random_state=1)),
    "shuffled.parquet": lambda frame: as_parquet(frame.sample(frac=1, random_state=2)),
}


def any_bytes_are_read_or_refused(folder: Path, content: bytes) -> None:
    path = folder / "any.csv"
    path.write_bytes(content)
    # What can be read is refused for its length, so that nothing is trained.
    with pytest.raises(ForecastError) as caught:
        forecast.train(path, {"lookback": 10_000_000}, runs_dir=folder / "models")
    assert caught.value.exit_code == 2
    assert os.listdir(folder) == ["any.csv"]


def one_table_is_one_panel(folder: Path, frame: pd.DataFrame) -> None:
    (folder / "plain.csv").write_bytes(as_csv(frame))
    expected = read_panel(folder / "plain.csv").fingerprint()
    for name, dress in DRESSES.items():
        (folder / name).write_bytes(dress(frame))
        assert read_panel(folder / name).fingerprint() == expected, name


quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
long = settings(quick, max_examples=5_000, phases=(Phase.generate, Phase.shrink))


@quick
@given(content=damaged() | st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    any_bytes_are_read_or_refused(tmp_path, content)


@settings(quick, max_examples=5)
@given(frame=frames())
def test_one_table_is_one_panel_however_it_is_dressed(tmp_path: Path, frame: pd.DataFrame) -> None:
    one_table_is_one_panel(tmp_path, frame)


@pytest.mark.thorough
@long
@given(content=damaged() | st.binary(max_size=300))
def test_many_bytes_are_read_or_refused(tmp_path: Path, content: bytes) -> None:
    any_bytes_are_read_or_refused(tmp_path, content)


@pytest.mark.thorough
@settings(long, max_examples=300)
@given(frame=frames())
def test_many_tables_are_one_panel_however_they_are_dressed(tmp_path: Path, frame: pd.DataFrame) -> None:
    one_table_is_one_panel(tmp_path, frame)


@pytest.mark.thorough
def test_a_minute_of_fuzzing_finds_nothing() -> None:
    pytest.importorskip("atheris")
    program = Path(__file__).parents[2] / "scripts" / "fuzz_reader.py"
    done = subprocess.run([sys.executable, program, "60"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert int(re.sub(r"\D", "", done.stdout)) > 1000


def test_one_table_gives_one_forecast_however_it_is_dressed(
    tmp_path: Path, trained: Run, monthly: pd.DataFrame
) -> None:
    expected = forecast.predict(trained, monthly)
    for name in ("bom.csv", "shuffled.parquet"):
        (tmp_path / name).write_bytes(DRESSES[name](monthly))
        pd.testing.assert_frame_equal(forecast.predict(trained, tmp_path / name), expected, check_exact=True)
