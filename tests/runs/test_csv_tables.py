"""Tables as files: digits, quotes, dates and spreadsheets."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.data.clock import Clock
from forecast.runs.csv_tables import forecasts_from_csv, frame_to_csv, to_records


def test_text_that_a_spreadsheet_would_run_is_made_harmless() -> None:
    frame = pd.DataFrame({"unique_id": ["=cmd|' /C calc'!A0", "+1", "@x", "-x", "\tx", "plain", "a=b"], "y": -1.5})
    lines = frame_to_csv(frame).decode().splitlines()
    assert [line.rsplit(",", 1) for line in lines[1:]] == [
        ["'=cmd|' /C calc'!A0", "-1.5"],
        ["'+1", "-1.5"],
        ["'@x", "-1.5"],
        ["'-x", "-1.5"],
        ["'\tx", "-1.5"],
        ["plain", "-1.5"],
        ["a=b", "-1.5"],
    ]


def test_numbers_among_texts_stay_numbers() -> None:
    frame = pd.DataFrame({"mixed": pd.Series([-1.5, None, "-x"], dtype=object)})
    assert frame_to_csv(frame).decode().splitlines() == ["mixed", "-1.5", "", "'-x"]


@pytest.mark.parametrize("name", ["=x", "'=x", "''-x", "'x", "-5", "\tx", "@", "a'=b"])
def test_names_come_back_as_they_were(name: str) -> None:
    times = pd.date_range("2024-01-01", periods=1)
    frame = pd.DataFrame({"unique_id": [name], "ds": times, "cutoff": times, "lstm": 1.0})
    written = frame_to_csv(frame)
    assert not written.splitlines()[1].lstrip(b'"').startswith((b"=", b"+", b"-", b"@", b"\t", b"\r"))
    assert forecasts_from_csv(io.BytesIO(written), Path("forecast.csv"), Clock("D"))["unique_id"].tolist() == [name]


@pytest.mark.parametrize(
    ("freq", "cutoff", "first"),
    [
        ("h", "2024-01-01 00:00:00", "2024-01-01 01:00:00"),
        ("D", "2024-01-01", "2024-01-02"),
        ("500ms", "2024-01-01 00:00:00.000", "2024-01-01 00:00:00.500"),
    ],
)
def test_all_times_of_a_table_are_as_exact_as_the_most_exact_one(freq: str, cutoff: str, first: str) -> None:
    times = pd.date_range("2024-01-01", periods=3, freq=freq)
    frame = pd.DataFrame({"ds": times[1:], "cutoff": times[0], "y": 1.5})
    assert frame_to_csv(frame).decode().splitlines()[1] == f"{first},{cutoff},1.5"
    assert to_records(frame)[0] == {"ds": first, "cutoff": cutoff, "y": 1.5}


def test_numbers_have_twelve_digits_and_no_more() -> None:
    rng = np.random.default_rng(0)
    values = rng.uniform(1, 9.99, 2000) * 10.0 ** rng.integers(-10, 11, 2000) * rng.choice([-1, 1], 2000)
    written = frame_to_csv(pd.DataFrame({"y": values})).decode().splitlines()[1:]
    assert max(len(text.lstrip("-").split("e")[0].replace(".", "").lstrip("0")) for text in written) == 12
    assert np.array(written, float) == pytest.approx(values, rel=6e-12)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-0.1, "-0.1"),
        (0.0, "0"),
        (2 / 3, "0.666666666667"),
        (np.nan, ""),
        (1e300, "1e+300"),
        (5e-324, "5e-324"),
    ],
)
def test_odd_numbers(value: float, text: str) -> None:
    assert frame_to_csv(pd.DataFrame({"y": [value], "n": 3})).decode() == f"y,n\n{text},3\n"


def test_text_with_commas_quotes_and_lines_comes_back() -> None:
    names = ["a,b", 'say "x"', "two\nlines", "plain", "ümläut €"]
    times = pd.date_range("2024-01-01", periods=5)
    frame = pd.DataFrame({"unique_id": names, "ds": times, "cutoff": times, "lstm": np.arange(5.0)})
    pd.testing.assert_frame_equal(
        forecasts_from_csv(io.BytesIO(frame_to_csv(frame)), Path("forecast.csv"), Clock("D")), frame, check_dtype=False
    )


def test_an_empty_table_keeps_its_columns() -> None:
    frame = pd.DataFrame({"unique_id": pd.Series([], dtype=str), "ds": pd.to_datetime([]), "y": np.zeros(0)})
    assert list(pd.read_csv(io.BytesIO(frame_to_csv(frame)))) == ["unique_id", "ds", "y"]


def test_a_missing_text_is_an_empty_cell() -> None:
    assert frame_to_csv(pd.DataFrame({"name": ["a", None], "y": 1})).decode() == "name,y\na,1\n,1\n"


@pytest.mark.parametrize("times", [["2021-01-01"] * 2, ["2021-01-01", "2021-01-01 05:00"], ["2021-01-01 00:00:00.5"]])
def test_times_in_json_are_written_as_pandas_writes_them(times: list[str]) -> None:
    index = pd.DatetimeIndex(times)
    for column in (index, index.tz_localize("Europe/Berlin"), pd.Series(index)):
        assert [record["ds"] for record in to_records({"ds": column})] == column.astype(str).tolist()
