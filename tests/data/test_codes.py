"""Codes of missing values are told by the rows before a cut-off, and no later row makes or unmakes one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.config import ReadOptions
from forecast.data.codes import are_codes, decide_codes, find_codes, with_codes
from forecast.data.panel import Panel

# Codes in a column, and which of its values are taken as missing when each is judged by the rows up to its own.
COLUMNS = [
    ([1, 2, -9999, 3], [-9999], [2]),
    ([1, 2, -9999, -999.9, 3], [-9999, -999.9], [2, 3]),
    ([-8000, 2, -9999, 3], [], []),
    ([1, 2, 3, 4, 999, 999], [999], [5]),
    ([999, 999, 1, 2, 3, 999], [999], [5]),
    ([999, 999, 999, 1, 2, 3], [999], []),
    ([1, 2, 3, 4, 999], [], []),
    ([900, 950, 990, 998, 999, 999], [], []),
    ([1, 2, 3, 1e20], [1e20], [3]),
    ([1e20, 2e20, 3e20], [], []),
    ([-9999, -9999], [-9999], [0, 1]),
    ([1, np.nan, 2], [], []),
    ([np.nan, np.nan], [], []),
    ([], [], []),
]


@pytest.mark.parametrize(("values", "codes", "rows"), COLUMNS)
def test_codes_where_values_can_be_nothing_else(values: list[float], codes: list[float], rows: list[int]) -> None:
    column = np.array(values, float)
    assert find_codes(column) == tuple(sorted(codes))
    assert np.flatnonzero(are_codes(column)).tolist() == rows


def test_each_row_is_judged_as_if_the_file_ended_there() -> None:
    rng = np.random.default_rng(1)
    values = rng.choice([1.0, 5.0, -3.0, 40.0, 400.0, 99.9, 999.0, -999.0, -9999.0, 1e20, np.nan], 400)
    order = rng.permutation(400)  # rows of several series
    whole = are_codes(values, order)
    for end in range(1, 400, 7):
        assert are_codes(values[order[:end]])[-1] == whole[order[end - 1]]


def days(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"ds": pd.date_range("2021-01-01", periods=len(values)), "v": values})


def with_three_of(code: float, later: float) -> pd.DataFrame:
    """Days with a code on three of the first hundred, and on the last one another value."""
    values = 20 + np.sin(np.arange(200.0))
    values[[30, 50, 70]], values[-1] = code, later
    return days(values)


@pytest.mark.parametrize("later", [20.0, 150.0, 5000.0, np.nan, -9999.0])
def test_no_later_value_decides_whether_a_code_is_one(later: float) -> None:
    panel = forecast.read(with_three_of(99.9, later))
    decided = decide_codes(panel, np.arange(200) < 100)
    assert np.flatnonzero(np.isnan(decided.values[:100, 0])).tolist() == [30, 50, 70]
    assert decided.read_options["codes"] == ("99.9@v",)


def test_what_the_training_rows_do_not_tell_is_put_back_and_told() -> None:
    values = 20 + np.sin(np.arange(200.0))
    values[[90, 150, 160]] = 99.9
    panel = forecast.read(days(values))
    assert np.flatnonzero(np.isnan(panel.values[:, 0])).tolist() == [90, 150, 160]  # for who only reads
    decided = decide_codes(panel, np.arange(200) < 100)
    assert np.flatnonzero(np.isnan(decided.values[:, 0])).tolist() == [150, 160]  # by then it is repeated
    assert decided.warnings[-1].startswith("'v': 1 value(s) 99.9 are kept after all, as the training rows do not tell")
    assert decided.warnings[-1].endswith(": 2 of 200 values are missing now.")
    assert decide_codes(decided, np.ones(200, bool)) is decided


def test_what_the_training_rows_tell_beyond_the_reading_is_counted() -> None:
    """Of three 99.9 the first is not known to be repeated, and 150 at the end hides them from all rows together."""
    values = 20 + np.sin(np.arange(200.0))
    values[40:43], values[190:] = 99.9, 150.0
    panel = forecast.read(days(values))
    assert panel.warnings[0].startswith("'v': 2 value(s) 99.9 are read as missing (")
    decided = decide_codes(panel, np.arange(200) < 100)
    assert np.flatnonzero(np.isnan(decided.values[:, 0])).tolist() == [40, 41, 42]
    (more,) = decided.warnings[len(panel.warnings) :]
    assert more == (
        "'v': 1 more value(s) 99.9 are read as missing, as the training rows tell that they mean it "
        "(keep_sentinels=True keeps them): 3 of 200 values are missing now."
    )
    again = forecast.read(days(values), ReadOptions(codes=decided.read_options["codes"]))
    assert again.warnings[0].startswith("'v': 3 value(s) 99.9 are read as missing (")
    assert not [text for text in again.warnings if "more value(s)" in text]


def test_a_run_reads_other_rows_by_what_its_training_rows_told(tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    with_three_of(99.9, 20.0).to_csv(path, index=False)
    first = decide_codes(forecast.read(path), np.arange(200) < 100)
    options = ReadOptions(codes=first.read_options["codes"])
    assert forecast.read(path, options).fingerprint() == first.fingerprint()
    alone = forecast.read(days(np.array([20.0, 21.0, 99.9])), options)
    assert np.isnan(alone.values[2, 0])
    assert "'v': 1 value(s) 99.9 are read as missing" in alone.warnings[0]
    assert forecast.read(days(np.array([20.0, 21.0, 99.9]))).values[2, 0] == 99.9


def test_what_is_kept_by_the_user_is_kept() -> None:
    panel = forecast.read(with_three_of(99.9, 20.0), ReadOptions(keep_sentinels=True))
    assert decide_codes(panel, np.ones(200, bool)).values.max() == 99.9
    named = forecast.read(with_three_of(99.9, 20.0), ReadOptions(missing="99.9@v"))
    assert not decide_codes(named, np.arange(200) < 40).values.max() > 22


def test_spans_and_columns_keep_what_may_be_a_code() -> None:
    panel = forecast.read(with_three_of(99.9, 20.0).assign(w=1.0 * np.arange(200)))
    part: Panel = panel.select(("v",)).between(panel.times[40], panel.times[120])
    assert np.isnan(decide_codes(part, np.ones(81, bool)).values).sum() == 2
    assert np.isnan(decide_codes(part, np.arange(81) < 20).values).sum() == 1  # the second one: two stand before it
    assert with_codes(part, None) is part
