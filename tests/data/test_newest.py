"""The newest forecast: its window, its times, what is carried forward, and what cannot be forecast."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from configs import plain_config
from forecast.config import DataConfig
from forecast.data.clock import Clock
from forecast.data.newest import NewestRows, carried_forward, newest_rows
from forecast.data.panel import Floats, Panel
from forecast.data.scaling import Scaler
from forecast.model import newest_forecast


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
    settings = {"target": ("y",), "covariates": ("x",), "lookback": 5, "season": 2, "longest_fill": 2}
    return plain_config(**{**settings, **data}).data


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


def newest_of(panel: Panel, **data: object) -> NewestRows:
    return newest_rows(panel, make_config(**data), make_scaler(panel))


def test_the_window_ends_with_the_last_row() -> None:
    newest = newest_of(make_panel(20))
    past = newest.windows.past()[0]
    assert newest.rows.panel.values[past, 0].tolist() == [15, 16, 17, 18, 19]
    assert newest.rows.inputs_at(past).tolist() == [
        [2.5, -12.5],
        [3.0, -13.0],
        [3.5, -13.5],
        [4.0, -14.0],
        [4.5, -14.5],
    ]
    assert np.isnan(newest.rows.panel.values[newest.windows.future()[0]]).all()
    assert (newest.refused, newest.filled) == ((), ())


@pytest.mark.parametrize(("season", "n"), [(2, 5 + 2), (8, 8 + 2)])
def test_no_more_rows_than_are_needed(season: int, n: int) -> None:
    # The lookback or the season, what may be carried into it, and the three steps ahead.
    panel = make_panel(1000, 6)
    rows = newest_of(panel, season=season).rows
    assert rows.panel.offsets == (0, n + 3, n + 3 + 6 + 3)
    assert rows.panel.times[: n + 1].tolist() == [*panel.times[1000 - n : 1000].tolist(), datetime(2021, 2, 11, 16)]


def test_exactly_the_lookback_is_enough() -> None:
    newest = newest_of(make_panel(5))
    assert newest.windows.starts.tolist() == [0]
    assert newest.refused == ()


def test_calendar_of_the_future_is_known() -> None:
    newest = newest_of(make_panel(20), calendar=True)
    # The row after 19:00 is 20:00: the sine of 20/24 of a day, in the first column after target and covariate.
    assert newest.rows.inputs_at(newest.windows.future()[0, 0])[2] == pytest.approx(
        math.sin(2 * math.pi * 20 / 24), abs=1e-6
    )


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
    newest = newest_of(panel)
    assert newest.rows.panel.times[newest.windows.future()[0]].tolist() == np.array(expected, "datetime64[us]").tolist()


def test_every_series_ends_at_its_own_time() -> None:
    panel = make_panel(20, 9)
    config, scaler = make_config(), make_scaler(panel)
    newest = newest_rows(panel, config, scaler)
    zeros = np.zeros((2, 3, 1), np.float32)
    frame = newest_forecast(newest, {"lstm": lambda starts: zeros[: len(starts)]}, season=2)
    assert list(frame) == ["unique_id", "ds", "cutoff", "lstm", "persistence", "seasonal-naive", "drift"]
    assert frame["unique_id"].tolist() == ["s0"] * 3 + ["s1"] * 3
    hour = pd.Timestamp("2021-01-01")
    assert [(ds - hour) / pd.Timedelta("1h") for ds in frame["ds"]] == [20, 21, 22, 9, 10, 11]
    assert [(cutoff - hour) / pd.Timedelta("1h") for cutoff in frame["cutoff"]] == [19] * 3 + [8] * 3
    assert frame["lstm"].tolist() == [0.0] * 6
    assert frame["persistence"].tolist() == [19] * 3 + [1008] * 3
    assert frame["seasonal-naive"].tolist() == [18, 19, 18, 1007, 1008, 1007]
    assert frame["drift"].tolist() == [20, 21, 22, 1009, 1010, 1011]


def test_several_targets_stand_below_one_another() -> None:
    panel = make_panel(20)
    config, scaler = make_config(target=("y", "x"), covariates=()), make_scaler(panel)
    newest = newest_rows(panel, config, scaler)
    y_pred = np.arange(6.0).reshape(1, 3, 2)
    frame = newest_forecast(newest, {"lstm": lambda _: y_pred}, season=2)
    assert frame["unique_id"].tolist() == ["y"] * 3 + ["x"] * 3
    assert frame["lstm"].tolist() == [0, 2, 4, 1, 3, 5]  # the targets apart
    assert frame["persistence"].tolist() == [19] * 3 + [-19] * 3


def test_too_few_rows_are_refused_with_both_counts() -> None:
    newest = newest_of(make_panel(4))
    assert newest.refused == ("The newest forecast needs 5 rows (the lookback), there are 4.",)
    assert len(newest.windows) == 0


def test_the_other_series_are_forecast_without_the_one_that_cannot_be() -> None:
    panel = make_panel(20, 4, 9)
    config, scaler = make_config(), make_scaler(panel)
    newest = newest_rows(panel, config, scaler)
    assert newest.refused == ("The newest forecast needs 5 rows of series 's1' (the lookback), there are 4.",)
    ends = newest.rows.panel.values[newest.windows.cutoffs, 0]
    assert ends.tolist() == [19, 2008]
    frame = newest_forecast(newest, {"lstm": lambda starts: np.zeros((len(starts), 3, 1), np.float32)}, 2)
    assert frame["unique_id"].tolist() == ["s0"] * 3 + ["s2"] * 3
    assert frame["persistence"].tolist() == [19] * 3 + [2008] * 3


def test_where_no_series_can_be_forecast_the_table_is_empty() -> None:
    panel = make_panel(4)
    newest = newest_of(panel)
    frame = newest_forecast(newest, {"lstm": lambda _: np.zeros((0, 3, 1), np.float32)}, 2)
    assert list(frame) == ["unique_id", "ds", "cutoff", "lstm", "persistence", "seasonal-naive", "drift"]
    assert len(frame) == 0


ONE_CARRIED = "1 of the last 5 rows (the lookback) are absent or incomplete; the last seen values are carried forward"


@pytest.mark.parametrize("freq", ["h", "15min", "D", "W", "MS", "QE", "YS"])
def test_an_absent_row_is_carried_forward(freq: str) -> None:
    panel = make_panel(20, freq=freq)
    newest = newest_of(without_rows(panel, 17))
    past = newest.windows.past()[0]
    assert newest.rows.panel.times[past].tolist() == panel.times[15:].tolist()
    assert newest.rows.filled_at(past)[:, 0].tolist() == [15, 16, 16, 18, 19]
    assert newest.rows.inputs_at(past)[:, 0].tolist() == [2.5, 3, 3, 4, 4.5]
    assert newest.filled == (ONE_CARRIED,)
    assert newest.refused == ()


@pytest.mark.parametrize(
    ("absent", "filled"),
    [
        ([14], [15, 16, 17, 18, 19]),  # before the lookback
        ([13, 14, 15], None),
        ([14, 15], [13, 16, 17, 18, 19]),
        ([15, 16], [14, 14, 17, 18, 19]),
        ([17, 18], [15, 16, 16, 16, 19]),
        ([15, 17], [14, 16, 16, 18, 19]),
        ([16, 17, 18], None),
        (range(1, 18), None),
    ],
)
def test_absent_rows_are_carried_as_far_as_missing_values_and_no_farther(
    absent: list[int], filled: list[float] | None
) -> None:
    newest = newest_of(without_rows(make_panel(20), *absent))
    missing = with_values(with_values(make_panel(20), [*absent], 0, math.nan), [*absent], 1, math.nan)
    with_missing = newest_of(missing)
    assert bool(newest.refused) == bool(with_missing.refused) == (filled is None)
    if filled is not None:
        for found in (newest, with_missing):
            assert found.rows.filled_at(found.windows.past()[0])[:, 0].tolist() == filled
        assert newest.filled == with_missing.filled


def test_rows_that_are_carried_to_the_end_are_counted_by_target_and_told() -> None:
    panel = with_values(with_values(make_panel(20), slice(18, 20), 0, math.nan), [15], 1, math.nan)
    newest = newest_of(panel, target=("y", "x"), covariates=())
    assert newest.carried.tolist() == [[2, 0]]
    (said,) = newest.filled
    assert said == (
        "3 of the last 5 rows (the lookback) are absent or incomplete; the last seen values are carried forward to the "
        "end from 2021-01-01 17:00: intervals are those of 2 more steps ahead"
    )
    assert newest_of(with_values(make_panel(20), [17], 0, math.nan)).carried.tolist() == [[0]]
    assert carried_forward(["no season", said]) == (said,)


def test_an_absent_row_of_one_of_several_series_names_it() -> None:
    panel = make_panel(20, 9)
    gappy = replace(panel, values=np.delete(panel.values, 27, 0), times=np.delete(panel.times, 27), offsets=(0, 20, 28))
    newest = newest_of(gappy)
    assert newest.filled == (ONE_CARRIED.replace("rows", "rows of series 's1'"),)
    assert newest.rows.filled_at(newest.windows.past()[1])[:, 0].tolist() == [1004, 1005, 1006, 1006, 1008]


def test_the_seasonal_naive_reaches_back_over_an_absent_row() -> None:
    panel = without_rows(make_panel(20), 13)
    scaler = make_scaler(panel)
    newest = newest_rows(panel, make_config(season=7), scaler)
    frame = newest_forecast(newest, {}, season=7)
    assert frame["seasonal-naive"].tolist() == [12, 14, 15]  # in place of 13, 14, 15


def test_a_gap_that_is_too_long_is_refused() -> None:
    newest = newest_of(without_rows(make_panel(20), *range(6, 18)))
    assert newest.refused == ("A gap breaks the last 5 rows (the lookback).",)
    assert len(newest.windows) == 0


def test_a_holiday_is_no_gap_but_a_closed_exchange_is() -> None:
    panel = make_panel(20, freq="B", first="2021-01-04")
    newest = newest_of(without_rows(panel, 17))
    assert newest.rows.panel.values[newest.windows.past()[0], 0].tolist() == [14, 15, 16, 18, 19]
    assert newest.filled == ()
    longest = newest_of(without_rows(panel, *range(13, 18)))
    assert longest.rows.panel.values[longest.windows.past()[0], 0].tolist() == [10, 11, 12, 18, 19]
    assert newest_of(without_rows(panel, *range(12, 18))).refused == ("A gap breaks the last 5 rows (the lookback).",)


def test_a_short_hole_is_filled_from_before() -> None:
    newest = newest_of(with_values(make_panel(20), [18, 19], 1, math.nan))
    assert (newest.rows.inputs_at(newest.windows.past()[0])[:, 1] * 2 + 10).tolist() == [-15, -16, -17, -17, -17]
    assert newest.filled == (ONE_CARRIED.replace("1 of", "2 of"),)


def test_a_long_hole_is_refused_with_column_and_time() -> None:
    newest = newest_of(with_values(make_panel(20), [16, 17, 18], 1, math.nan))
    assert newest.refused == (
        "In the last 5 rows (the lookback), 'x' is missing at 2021-01-01 18:00 and for 2 rows before.",
    )
    assert len(newest.windows) == 0
    assert newest_of(with_values(make_panel(20), [16, 17, 18], 1, math.nan), longest_fill=3).refused == ()


def test_a_column_without_values_is_refused_by_name() -> None:
    (refused,) = newest_of(with_values(make_panel(20), slice(0, 20), 1, math.nan)).refused
    assert "'x' is missing" in refused
