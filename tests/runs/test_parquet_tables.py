"""Tables of forecasts as Parquet: they come back to the last bit, and nothing else comes in."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import forecast
from forecast import Run, Settings
from forecast.data.clock import STEP, Clock
from forecast.errors import RunError
from forecast.runs.csv_tables import frame_to_csv
from forecast.runs.find import open_run
from forecast.runs.parquet_tables import forecasts_from_parquet, frame_to_parquet

PATH, LARGEST = Path("test_forecasts.parquet"), 1 << 20


def table(clock: Clock, rows: int = 6) -> pd.DataFrame:
    times = np.datetime64("2022-10-29T20:00", "us") + np.arange(rows) * clock.step
    keys = {"unique_id": pd.Series(["=a", "é"] * (rows // 2), dtype="str"), "ds": clock.local(times)}
    numbers = np.random.default_rng(0).normal(size=rows)
    numbers[1:2] = np.nan
    return pd.DataFrame(keys | {"cutoff": clock.local(times - clock.step), "y": numbers, "lstm-lo-80": numbers / 3})


def read(content: bytes, clock: Clock, largest: int = LARGEST) -> pd.DataFrame:
    return forecasts_from_parquet(io.BytesIO(content), PATH, clock, largest)


@pytest.mark.parametrize("clock", [Clock("h"), Clock("h", "Europe/Berlin"), Clock("D"), Clock(STEP)], ids=str)
@pytest.mark.parametrize("rows", [0, 6])
def test_a_table_comes_back_to_the_last_bit(clock: Clock, rows: int) -> None:
    frame = table(clock, rows)
    pd.testing.assert_frame_equal(read(frame_to_parquet(frame), clock), frame, check_exact=True)


def test_it_is_smaller_than_text() -> None:
    frame = pd.concat([table(Clock("h"), 1000).assign(cutoff=stamp) for stamp in pd.date_range("2022", periods=20)])
    assert len(frame_to_parquet(frame)) < 0.5 * len(frame_to_csv(frame))


OTHERS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "without its keys": lambda frame: frame.drop(columns="cutoff"),
    "of words": lambda frame: frame.assign(y="=cmd"),
    "of whole numbers": lambda frame: frame.assign(y=1),
    "of dates": lambda frame: frame.assign(ds=frame["ds"].dt.date),
    "of another clock": lambda frame: table(Clock("h", "Europe/Berlin")),
    "of numbered ids": lambda frame: frame.assign(unique_id=1),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_another_table_is_refused(other: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    written = frame_to_parquet(other(table(Clock("h"))))
    with pytest.raises(RunError, match="is damaged"):
        read(written, Clock("h"))


def test_a_table_beyond_the_limit_is_not_read() -> None:
    with pytest.raises(RunError, match="too large"):
        read(frame_to_parquet(table(Clock("h"))), Clock("h"), largest=100)


def test_a_column_twice_and_a_cut_file_are_refused() -> None:
    whole = pa.Table.from_pandas(table(Clock("h")), preserve_index=False)
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([*whole.columns, whole["y"]], [*whole.column_names, "y"]), buffer)
    for content in (buffer.getvalue(), buffer.getvalue()[:-20], b""):
        with pytest.raises(RunError, match="is damaged"):
            read(content, Clock("h"))


def test_a_run_of_an_earlier_version_has_text(trained: Run, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained.path, tmp_path / "months"))
    frame = trained.test_forecasts
    (folder / PATH).unlink()
    (folder / "test_forecasts.csv").write_bytes(frame_to_csv(frame))
    run = open_run(folder)
    size = {"bytes": (folder / "test_forecasts.csv").stat().st_size}
    digest = forecast.runs.files.sha256_of(io.BytesIO((folder / "test_forecasts.csv").read_bytes())).hex()
    del run.manifest["files"][PATH.name]
    run.manifest["files"]["test_forecasts.csv"] = size | {"sha256": digest}
    pd.testing.assert_frame_equal(run.test_forecasts, frame, check_dtype=False, rtol=1e-11)


def test_text_is_written_if_it_is_asked_for(
    tmp_path: Path, monthly: pd.DataFrame, tiny: Callable[..., Settings], plotless: None
) -> None:
    settings = tiny(model="rnn", epochs=1, baseline=False, csv=True)
    run = forecast.train(monthly, settings, run="run", runs_dir=tmp_path)
    text = pd.read_csv(run.path / "test_forecasts.csv", parse_dates=["ds", "cutoff"])
    pd.testing.assert_frame_equal(text, run.test_forecasts, check_dtype=False, rtol=1e-11)
