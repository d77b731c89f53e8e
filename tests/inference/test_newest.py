"""The newest forecast: its window, its times, and when it is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.config import Config, DataConfig
from forecast.data.panel import Clock, Floats, Panel
from forecast.data.scaling import Scaler
from forecast.errors import DataError
from forecast.inference.newest import newest_forecast, newest_rows


def make_panel(*lengths: int, freq: str = "h", first: str = "2021-01-01") -> Panel:
    """Series that count upwards from 0, 1000, 2000 …, with a covariate that counts downwards."""
    clock = Clock(freq)
    counts = [np.arange(length) + 1000.0 * number for number, length in enumerate(lengths)]
    times = [pd.date_range(first, periods=n, freq=clock.freq).to_numpy().astype("datetime64[us]") for n in lengths]
    values = np.concatenate(counts)
    return Panel(
        values=np.stack([values, -values], axis=1),
        times=np.concatenate(times),
        columns=("y", "x"),
        clock=clock,
        series_ids=tuple(f"s{number}" for number in range(len(lengths))) if len(lengths) > 1 else ("",),
        offsets=tuple(np.cumsum([0, *lengths]).tolist()),
    )


def make_config(**data: object) -> DataConfig:
    settings = {"target": ("y",), "covariates": ("x",), "calendar": False, "lookback": 5, "horizon": 3, "season": 2}
    return Config().replace(data={"longest_fill": 2, **settings, **data}).data


def make_scaler(panel: Panel) -> Scaler:
    """Halves the target and the covariate, after taking 10 away."""
    shape = (panel.n_series, len(panel.columns))
    return Scaler(np.full(shape, 10.0), np.full(shape, 2.0), np.zeros(2, bool), panel.columns, panel.series_ids)


def with_values(panel: Panel, rows: slice | list[int], column: int, value: float) -> Panel:
    values: Floats = panel.values.copy()
    values[rows, column] = value
    return replace(panel, values=values)


def without_rows(panel: Panel, *rows: int) -> Panel:
    """A lone series without some of its rows."""
    kept = np.delete(np.arange(panel.n_rows), rows)
    return replace(panel, values=panel.values[kept], times=panel.times[kept], offsets=(0, len(kept)))


def test_the_window_ends_with_the_last_row() -> None:
    panel = make_panel(20)
    rows, windows = newest_rows(panel, make_config(), make_scaler(panel))
    assert rows.panel.values[windows.past()[0], 0].tolist() == [15, 16, 17, 18, 19]
    assert rows.inputs[windows.past()[0]].tolist() == [
        [2.5, -12.5],
        [3.0, -13.0],
        [3.5, -13.5],
        [4.0, -14.0],
        [4.5, -14.5],
    ]
    assert np.isnan(rows.panel.values[windows.future()[0]]).all()


def test_exactly_the_lookback_is_enough() -> None:
    panel = make_panel(5)
    _, windows = newest_rows(panel, make_config(), make_scaler(panel))
    assert windows.starts.tolist() == [0]


def test_calendar_of_the_future_is_known() -> None:
    panel = make_panel(20)
    rows, windows = newest_rows(panel, make_config(calendar=True), make_scaler(panel))
    # The row after 19:00 is 20:00: the sine of 20/24 of a day, in the first column after target and covariate.
    assert rows.inputs[windows.future()[0, 0], 2] == pytest.approx(math.sin(2 * math.pi * 20 / 24), abs=1e-6)


@pytest.mark.parametrize(
    ("freq", "first", "n", "expected"),
    [
        ("h", "2021-01-01", 20, ["2021-01-01T20", "2021-01-01T21", "2021-01-01T22"]),
        ("15min", "2021-01-01", 20, ["2021-01-01T05:00", "2021-01-01T05:15", "2021-01-01T05:30"]),
        ("MS", "2019-07-01", 6, ["2020-01-01", "2020-02-01", "2020-03-01"]),
        ("ME", "2019-08-31", 6, ["2020-02-29", "2020-03-31", "2020-04-30"]),
        ("B", "2021-01-04", 5, ["2021-01-11", "2021-01-12", "2021-01-13"]),  # the five end on a Friday
        ("W-SAT", "2021-01-02", 5, ["2021-02-06", "2021-02-13", "2021-02-20"]),
        ("QS", "2020-01-01", 5, ["2021-04-01", "2021-07-01", "2021-10-01"]),
    ],
)
def test_future_times_follow_the_clock(freq: str, first: str, n: int, expected: list[str]) -> None:
    panel = make_panel(n, freq=freq, first=first)
    rows, windows = newest_rows(panel, make_config(), make_scaler(panel))
    assert rows.panel.times[windows.future()[0]].tolist() == np.array(expected, "datetime64[us]").tolist()


def test_every_series_ends_at_its_own_time() -> None:
    panel = make_panel(20, 9)
    config, scaler = make_config(), make_scaler(panel)
    rows, windows = newest_rows(panel, config, scaler)
    zeros = np.zeros((2, 3, 1), np.float32)
    frame = newest_forecast(rows, windows, scaler, {"lstm": lambda starts: zeros[: len(starts)]}, season=2)
    assert list(frame) == ["unique_id", "ds", "cutoff", "lstm", "persistence", "seasonal-naive", "drift"]
    assert frame["unique_id"].tolist() == ["s0"] * 3 + ["s1"] * 3
    hour = pd.Timestamp("2021-01-01")
    assert [(ds - hour) / pd.Timedelta("1h") for ds in frame["ds"]] == [20, 21, 22, 9, 10, 11]
    assert [(cutoff - hour) / pd.Timedelta("1h") for cutoff in frame["cutoff"]] == [19] * 3 + [8] * 3
    assert frame["lstm"].tolist() == [10.0] * 6  # a scaled 0 is the scaler's mean
    assert frame["persistence"].tolist() == [19] * 3 + [1008] * 3
    assert frame["seasonal-naive"].tolist() == [18, 19, 18, 1007, 1008, 1007]
    assert frame["drift"].tolist() == [20, 21, 22, 1009, 1010, 1011]


def test_several_targets_stand_below_one_another() -> None:
    panel = make_panel(20)
    config, scaler = make_config(target=("y", "x"), covariates=()), make_scaler(panel)
    rows, windows = newest_rows(panel, config, scaler)
    scaled = np.arange(6, dtype=np.float32).reshape(1, 3, 2)
    frame = newest_forecast(rows, windows, scaler, {"lstm": lambda _: scaled}, season=2)
    assert frame["unique_id"].tolist() == ["y"] * 3 + ["x"] * 3
    assert frame["lstm"].tolist() == [10, 14, 18, 12, 16, 20]  # 2 x + 10, the targets apart
    assert frame["persistence"].tolist() == [19] * 3 + [-19] * 3


def test_too_few_rows_are_refused_with_both_counts() -> None:
    panel = make_panel(4)
    with pytest.raises(DataError, match=r"needs 5 rows \(the lookback\), there are 4\."):
        newest_rows(panel, make_config(), make_scaler(panel))


def test_too_few_rows_of_one_of_several_series_name_it() -> None:
    panel = make_panel(20, 4)
    with pytest.raises(DataError, match=r"needs 5 rows of series 's1' \(the lookback\), there are 4\."):
        newest_rows(panel, make_config(), make_scaler(panel))


def test_a_gap_in_the_lookback_is_refused_with_its_time() -> None:
    panel = make_panel(20)
    gappy = without_rows(panel, 17)
    with pytest.raises(DataError, match="have a gap before 2021-01-01T18:00"):
        newest_rows(gappy, make_config(), make_scaler(panel))


def test_a_gap_before_the_lookback_does_no_harm() -> None:
    panel = make_panel(20)
    gappy = without_rows(panel, 14)
    rows, windows = newest_rows(gappy, make_config(), make_scaler(panel))
    assert rows.panel.values[windows.past()[0], 0].tolist() == [15, 16, 17, 18, 19]


def test_a_holiday_is_no_gap() -> None:
    panel = make_panel(20, freq="B", first="2021-01-04")
    rows, windows = newest_rows(without_rows(panel, 17), make_config(), make_scaler(panel))
    assert rows.panel.values[windows.past()[0], 0].tolist() == [14, 15, 16, 18, 19]


def test_a_short_hole_is_filled_from_before() -> None:
    panel = with_values(make_panel(20), [18, 19], 1, math.nan)
    rows, windows = newest_rows(panel, make_config(), make_scaler(panel))
    assert (rows.inputs[windows.past()[0], 1] * 2 + 10).tolist() == [-15, -16, -17, -17, -17]


def test_a_long_hole_is_refused_with_column_and_time() -> None:
    panel = with_values(make_panel(20), [16, 17, 18], 1, math.nan)
    with pytest.raises(DataError, match=r"miss 'x' at 2021-01-01T18:00.* more than 2 rows") as caught:
        newest_rows(panel, make_config(), make_scaler(panel))
    assert "--longest-fill" in caught.value.hint


def test_a_column_without_values_is_refused_by_name() -> None:
    panel = with_values(make_panel(20), slice(0, 20), 1, math.nan)
    with pytest.raises(DataError, match="miss 'x'"):
        newest_rows(panel, make_config(), make_scaler(panel))
