"""Naive forecasts against loops over their definitions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from configs import plain_config
from forecast.data.clock import Clock
from forecast.data.normals import Normals
from forecast.data.panel import Panel
from forecast.data.prepare import Rows, arrange, encode
from forecast.data.scaling import fit_scaler
from forecast.data.windows import Windows, index_windows
from forecast.models.naive import count_seasons, naive_forecasts

LOOKBACK, HORIZON = 4, 5
DAY = np.timedelta64(1, "D")


def rows_of(values: np.ndarray, days: np.ndarray | None = None, sizes: tuple[int, ...] = ()) -> Rows:
    """Rows of which every column is a target."""
    days = np.arange(len(values)) if days is None else days
    offsets = (0, *np.cumsum(sizes or (len(values),)).tolist())
    columns = tuple("abc"[: values.shape[1]])
    names = tuple(f"s{number}" for number in range(len(offsets) - 1))
    times = np.datetime64("2020-01-01", "us") + days * np.timedelta64(1, "D")
    panel = Panel(values, times, columns, Clock("D"), names, offsets)
    data = plain_config(target=columns).data
    return encode(arrange(panel, data), data, fit_scaler(panel, np.ones(len(values), bool), ()))


def windows_of(rows: Rows) -> Windows:
    part = np.ones(rows.panel.n_rows, bool)
    return index_windows(rows.panel, part, rows.usable, rows.seen, LOOKBACK, HORIZON)


def seasonal_by_loop(rows: Rows, cutoff: int, season: int) -> list[list[float]]:
    """The newest value of the same phase that is known at the cut-off; the last value where there is none."""
    filled, series = rows.filled_at(np.arange(rows.panel.n_rows)), rows.series
    own = {day: row for row, day in enumerate(rows.panel.times) if series[row] == series[cutoff]}
    forecast = []
    for step in range(1, HORIZON + 1):
        day = rows.panel.times[cutoff] + step * DAY
        while day > rows.panel.times[cutoff] or (
            day >= min(own) and (day not in own or np.isnan(filled[own[day]]).any())
        ):
            day -= season * DAY
        forecast.append(filled[own.get(day, cutoff)].tolist())
    return forecast


def test_a_series_by_hand() -> None:
    rows = rows_of(np.array([[3.0], [1.0], [4.0], [9.0], [5.0], [2.0], [6.0], [8.0], [7.0]]))
    forecasts = naive_forecasts(rows, windows_of(rows), slice(None), season=3)
    assert tuple(forecasts) == ("persistence", "seasonal-naive", "drift")  # rows without normals
    # Seen: 3 1 4 9. The season of three steps repeats 1 4 9; the drift rises by (9 - 3) / 3 = 2 a step.
    assert forecasts["persistence"].tolist() == [[[9], [9], [9], [9], [9]]]
    assert forecasts["seasonal-naive"].tolist() == [[[1], [4], [9], [1], [4]]]
    assert forecasts["drift"].tolist() == [[[11], [13], [15], [17], [19]]]


@pytest.mark.parametrize("season", [1, 2, 4, 5, 7, 1000])
def test_against_loops_over_gaps_and_series(season: int) -> None:
    rng = np.random.default_rng(season)
    values = rng.normal(size=(60, 2))
    days = np.concatenate([np.arange(25), np.arange(27, 42), np.arange(20)])  # days 25 and 26 are absent
    rows = rows_of(values, days, sizes=(40, 20))
    windows = windows_of(rows)
    assert len(windows) == (25 - 8) + (15 - 8) + (20 - 8)
    forecasts = naive_forecasts(rows, windows, slice(None), season)
    for number, start in enumerate(windows.starts):
        last, first = values[start + LOOKBACK - 1], values[start]
        steps = np.arange(1, HORIZON + 1)[:, None]
        assert forecasts["persistence"][number].tolist() == [last.tolist()] * HORIZON
        np.testing.assert_allclose(forecasts["drift"][number], last + steps * (last - first) / 3, rtol=1e-12)
        assert forecasts["seasonal-naive"][number].tolist() == seasonal_by_loop(rows, windows.cutoffs[number], season)


def test_a_season_longer_than_the_lookback_reaches_back_behind_it() -> None:
    rows = rows_of(np.arange(30.0)[:, None])
    windows = windows_of(rows)
    seasonal = naive_forecasts(rows, windows, slice(None), season=7)["seasonal-naive"]
    # The first window's cut-off is row 3: rows 4 - 7 and 5 - 7 and 6 - 7 do not exist, 7 - 7 does.
    assert seasonal[0, :, 0].tolist() == [3, 3, 3, 0, 1]
    assert seasonal[10, :, 0].tolist() == [7, 8, 9, 10, 11]  # rows 14 … 18, a week before


def test_a_missing_source_is_replaced_by_that_of_an_earlier_season() -> None:
    values = np.arange(30.0)[:, None]
    values[2:10] = np.nan  # six are filled forward, rows 8 and 9 stay missing
    rows = rows_of(values)
    windows = windows_of(rows)
    place = int(np.flatnonzero(windows.cutoffs == 14)[0])
    seasonal = naive_forecasts(rows, windows, slice(None), season=6)["seasonal-naive"]
    assert seasonal[place, :, 0].tolist() == [1, 10, 11, 12, 13]  # row 9 is missing, row 3 carries row 1 forward
    assert count_seasons(rows, windows, slice(place, place + 1), 6) == (1, 0)


def test_a_gap_in_the_season_does_not_make_it_the_last_value() -> None:
    days = np.delete(np.arange(40), [25, 26])  # absent rows
    rows = rows_of(days[:, None].astype(float), days)
    windows = windows_of(rows)
    place = int(np.flatnonzero(rows.panel.times[windows.cutoffs] == rows.panel.times[0] + 31 * DAY)[0])
    seasonal = naive_forecasts(rows, windows, slice(None), season=7)["seasonal-naive"]
    # A week before the 32nd and 33rd day no row is there, two weeks before there is one; the others are a week old.
    assert seasonal[place, :, 0].tolist() == [18, 19, 27, 28, 29]
    assert count_seasons(rows, windows, slice(place, place + 1), 7) == (2, 0)


def test_picked_windows_are_those_of_the_whole() -> None:
    rows = rows_of(np.random.default_rng(0).normal(size=(40, 1)))
    windows = windows_of(rows)
    whole = naive_forecasts(rows, windows, slice(None), season=3)
    for picked in (slice(5, 9), np.array([7, 2])):
        for name, forecast in naive_forecasts(rows, windows, picked, season=3).items():
            assert forecast.tobytes() == whole[name][picked].tobytes()


def test_nothing_after_the_cut_off_is_used() -> None:
    values = np.random.default_rng(0).normal(size=(30, 1))
    windows = Windows(np.array([10]), LOOKBACK, HORIZON)
    before = naive_forecasts(rows_of(values), windows, slice(None), season=3)
    values[14:] = 1e9
    after = naive_forecasts(rows_of(values), windows, slice(None), season=3)
    assert all(after[name].tobytes() == before[name].tobytes() for name in ("persistence", "seasonal-naive", "drift"))


def test_a_lookback_of_one_step_has_no_drift() -> None:
    rows = rows_of(np.arange(10.0)[:, None])
    drift = naive_forecasts(rows, Windows(np.array([4]), 1, 2), slice(None), season=1)["drift"]
    assert drift[0, :, 0].tolist() == [4, 4]


def test_under_logarithms_the_drift_is_a_line_of_logarithms() -> None:
    rows = replace(rows_of(np.array([8.0, 4.0, 2.0, 1.0])[:, None]), logged=True)
    drift = naive_forecasts(rows, Windows(np.array([0]), 4, 3), slice(None), 1)["drift"]
    assert drift[0, :, 0] == pytest.approx([0.5, 0.25, 0.125])


def test_means_are_those_that_each_cut_off_knows() -> None:
    rows = rows_of(np.arange(60.0)[:, None], sizes=(30, 30))
    mean, seasonal, climatology = (
        np.random.default_rng(0).normal(size=(4, 1, 1)),
        *(np.random.default_rng(size).normal(size=(4, 1, size)) for size in (7, 366)),
    )
    mean[3], seasonal[3], climatology[3] = np.nan, np.nan, np.nan
    windows = windows_of(rows)
    later = rows.panel.times[windows.cutoffs] >= np.datetime64("2020-01-15")
    known = rows.series.copy()
    known[windows.cutoffs[later]] += 2
    normals = Normals(mean[..., 0], True, climatology, seasonal)
    forecasts = naive_forecasts(replace(rows, normals=normals, normals_known=known), windows, slice(None), season=7)
    for window, cutoff in enumerate(windows.cutoffs):
        which = int(cutoff >= 30) + 2 * int(later[window])
        for step in range(HORIZON):
            time = rows.panel.times[cutoff] + (step + 1) * DAY
            day = (time - np.datetime64("2020-01-01")).astype("timedelta64[D]").astype(int)
            phase = (time - np.datetime64("1970-01-01")).astype("timedelta64[D]").astype(int) % 7
            expected = {"mean": mean[which, 0, 0], "seasonal-mean": seasonal[which, 0, phase], "zero": 0.0}
            expected["climatology"] = climatology[which, 0, day]
            for name, value in expected.items():
                value = float(cutoff) if np.isnan(value) else value  # the last value, where there is no mean
                assert forecasts[name][window, step, 0] == value


# Windows with holes


def holed(values: np.ndarray) -> Rows:
    """Rows on the whole clock whose windows may have holes; NaN is a hole."""
    rows = rows_of(values)
    data = plain_config(target=rows.targets, least_observed=0.2).data
    return encode(arrange(rows.panel, data), data, rows.scaler)


def test_naive_forecasts_start_from_what_was_observed() -> None:
    nan = np.nan
    rows = holed(np.array([nan, 3.0, nan, 9.0, nan, nan, nan, 8.0, 7.0])[:, None])
    forecasts = naive_forecasts(rows, Windows(np.array([1]), 4, 4), slice(None), season=3)
    # Seen: 3 – 9 –. Nine is two rows old at the first step, and the line rises by three a step.
    assert forecasts["persistence"][0, :, 0].tolist() == [9, 9, 9, 9]
    assert forecasts["drift"][0, :, 0].tolist() == [15, 18, 21, 24]
    # A season before the steps: nothing, 9, nothing, nothing. Nothing two seasons before either, but for the third: 3.
    assert forecasts["seasonal-naive"][0, :, 0].tolist() == [9, 9, 3, 9]


def test_a_value_that_was_carried_forward_is_no_value_of_the_season() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(300, 2))
    values[rng.random(values.shape) < 0.4] = np.nan
    values[100:130] = np.nan
    rows = holed(values)
    windows = Windows(np.arange(20, 290), LOOKBACK, HORIZON)
    seen = ~np.isnan(rows.observed(windows.past())).any(axis=2)
    windows = Windows(windows.starts[seen.any(axis=1)], LOOKBACK, HORIZON)
    forecasts = naive_forecasts(rows, windows, slice(None), season=7)
    for number, cutoff in enumerate(windows.cutoffs):
        for target in range(2):
            known = values[: cutoff + 1, target]
            last = known[~np.isnan(known)][-1]
            assert (forecasts["persistence"][number, :, target] == last).all()
            for step in range(1, HORIZON + 1):
                phase = known[np.arange(cutoff + step - 7, -1, -7)]
                of_phase = phase[~np.isnan(phase)]
                expected = of_phase[0] if len(of_phase) else last
                assert forecasts["seasonal-naive"][number, step - 1, target] == expected


def test_a_hole_of_an_eighth_of_a_season_is_filled_by_what_was_known_beside_it() -> None:
    values = np.arange(100.0) ** 2
    values[[40, 41, 42, 50, 51, 52, 53, 61]] = np.nan
    rows = holed(values[:, None])

    def seasonal(cutoff: int) -> list[float]:
        windows = Windows(np.array([cutoff - LOOKBACK + 1]), LOOKBACK, HORIZON)
        return naive_forecasts(rows, windows, slice(None), season=24)["seasonal-naive"][0, :, 0].tolist()

    line = 39**2 + np.arange(1, 4) / 4 * (43**2 - 39**2)
    assert seasonal(63) == [*line, 43**2, 44**2]  # three rows of 24
    assert seasonal(73) == [26**2, 27**2, 28**2, 29**2, 54**2]  # four are too many: those of a season before
    assert seasonal(61) == [38**2, 39**2, *line]  # the cut-off row is missing, and nobody's source
    # Rows 61 and 62 are a season before the first steps; 62 is not known yet at a cut-off of 61.
    early = Windows(np.array([61 - LOOKBACK + 1]), LOOKBACK, 25)
    assert naive_forecasts(rows, early, slice(None), season=24)["seasonal-naive"][0, 23, 0] == 60**2


@pytest.mark.parametrize("logged", [False, True])
def test_the_drift_is_the_line_through_the_first_and_the_last_value_that_were_observed(logged: bool) -> None:
    rng = np.random.default_rng(2)
    values = np.exp(rng.normal(size=(80, 2)))
    values[rng.random(values.shape) < 0.4] = np.nan
    rows = replace(holed(values), logged=logged)
    windows = Windows(np.arange(70), LOOKBACK, HORIZON)
    seen = ~np.isnan(rows.observed(windows.past()))
    windows = Windows(windows.starts[seen.any(axis=1).all(axis=1)], LOOKBACK, HORIZON)
    drift = naive_forecasts(rows, windows, slice(None), season=7)["drift"]
    for number, start in enumerate(windows.starts):
        for target in range(2):
            y = np.log(values[:, target]) if logged else values[:, target]
            at = start + np.flatnonzero(~np.isnan(y[start : start + LOOKBACK]))
            rise = (y[at[-1]] - y[at[0]]) / max(at[-1] - at[0], 1)
            line = y[at[-1]] + rise * (start + LOOKBACK - 1 + np.arange(1, HORIZON + 1) - at[-1])
            assert drift[number, :, target] == pytest.approx(np.exp(line) if logged else line)


def test_the_log_har_forecasts_from_the_means_of_what_was_seen_in_the_stretch() -> None:
    values = np.exp(np.random.default_rng(0).normal(size=60))[:, None]
    values[30] = np.nan
    days = np.concatenate([np.arange(40), np.arange(45, 65)])  # a gap of five days
    har = np.random.default_rng(1).normal(0, 0.3, (1, 1, 4, HORIZON))
    rows = replace(rows_of(values, days), normals=Normals(np.ones((1, 1)), False, None, None, har))
    windows = windows_of(rows)
    forecast = naive_forecasts(rows, windows, slice(None), season=1)["log-har"]
    for number, cutoff in enumerate(windows.cutoffs):
        first = 40 if cutoff >= 40 else 0
        logs = np.log(rows.filled_at(np.arange(first, cutoff + 1))[:, 0])
        x = np.array([1, logs[-1], logs[-5:].mean(), logs[-22:].mean()])
        np.testing.assert_allclose(forecast[number, :, 0], np.exp(x @ har[0, 0]), rtol=1e-12)
