"""What each origin knew of columns that are known ahead as forecasts, held against a search through all of them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import forecast
from forecast.choices.defaults import resolve
from forecast.data.clock import Clock
from forecast.data.issues import Issues
from forecast.data.newest import newest_rows
from forecast.data.panel import Panel
from forecast.data.prepare import Prepared, prepare
from forecast.errors import DataError
from forecast.plots.lost_windows import count_windows_of_parts

LOOKBACK, HORIZON, N_ROWS = 5, 3, 90
HOUR = np.timedelta64(3_600_000_000, "us")


def issues_of(series_ids: tuple[str, ...], measured: frozenset[str], longest: int) -> Issues:
    """Forecasts that are issued now and then, some steps left out, some said again, some known only afterwards."""
    rng = np.random.default_rng(5)
    n = 900
    times = rng.integers(0, N_ROWS + HORIZON, n)
    leads = rng.integers(-2, longest + 1, n)
    order = np.argsort(times, kind="stable")
    start = np.datetime64("2024-01-01", "us")
    return Issues(
        columns=("wind", "sun"),
        values=np.where(rng.random((n, 2)) < 0.1, np.nan, rng.normal(size=(n, 2)))[order],
        times=start + times[order] * HOUR,
        known_from=start + (times[order] - leads[order]) * HOUR + rng.integers(0, 2, n) * (HOUR // 2),
        measured=measured,
        series=rng.integers(0, max(1, len(series_ids)), n),
        series_ids=series_ids,
    )


def panel_of(issues: Issues) -> Panel:
    """Two series of hours, of which the first lacks some rows in the middle."""
    rng = np.random.default_rng(6)
    hours = [np.delete(np.arange(N_ROWS), slice(40, 43)), np.arange(10, N_ROWS)]
    return Panel(
        values=rng.normal(size=(sum(map(len, hours)), 3)),
        times=np.datetime64("2024-01-01", "us") + np.concatenate(hours) * HOUR,
        columns=("y", "wind", "sun"),
        clock=Clock("h"),
        series_ids=("north", "south"),
        offsets=(0, len(hours[0]), sum(map(len, hours))),
        issues=issues,
    )


def prepared_of(panel: Panel, least_observed: float) -> Prepared:
    settings = {"target": "y", "lookback": LOOKBACK, "horizon": HORIZON, "calendar": False, "season": 1}
    asked = forecast.configure({**settings, "least_observed": least_observed, "validation": 0.2, "test": 0.3})
    return prepare(panel, resolve(asked, panel)[0])


def known_at(issues: Issues, series: str, name: str, time: np.datetime64, origin: np.datetime64) -> float:
    """The newest value of a step that was known at an origin, by a search through all."""
    mine = (issues.times == time) & (issues.known_from <= origin)
    if issues.series_ids:
        mine &= issues.series == issues.series_ids.index(series)
    values = issues.values[:, issues.columns.index(name)]
    found = np.flatnonzero(mine & ~np.isnan(values))
    if not len(found):
        return np.nan
    newest = issues.known_from[found].max()
    return float(values[found[issues.known_from[found] == newest][-1]])


def by_hand(panel: Panel, start: int, name: str) -> NDArray[np.float64]:
    """What a window is to be fed of a column, in measurement units; NaN for what nobody knew of its horizon."""
    issues, column = panel.issues, panel.column(name)
    assert issues is not None
    series = panel.series_ids[int(panel.series_of_row()[start])]
    origin, fed = panel.times[start + LOOKBACK - 1], np.empty(LOOKBACK + HORIZON)
    for step, row in enumerate(range(start, start + LOOKBACK + HORIZON)):
        fed[step] = known_at(issues, series, name, panel.times[row], origin)
        if step < LOOKBACK and (name in issues.measured or np.isnan(fed[step])):
            before = panel.values[panel.offsets[panel.series_ids.index(series)] : row + 1, column]
            fed[step] = before[~np.isnan(before)][-1]  # a row that is absent is carried forward
    return fed


@pytest.mark.parametrize("least_observed", [1.0, 0.5])
@pytest.mark.parametrize("series_ids", [(), ("south", "north", "east")])
def test_every_window_is_fed_what_was_known_at_its_origin(least_observed: float, series_ids: tuple[str, ...]) -> None:
    panel = panel_of(issues_of(series_ids, frozenset({"wind"}), longest=9))
    prepared = prepared_of(panel, least_observed)
    rows, config = prepared.rows, prepared.config.data
    assert config.known == ("wind", "sun")
    arranged, n_seen, n_lost = rows.panel, 0, 0
    starts = {*np.concatenate([part.starts for part in (prepared.train, prepared.validation, prepared.test)]).tolist()}
    whole = np.lib.stride_tricks.sliding_window_view(arranged.stretches(), LOOKBACK + HORIZON)
    part = prepared.split.part_of(arranged)
    for start in range(len(whole)):
        ahead = part[start + LOOKBACK : start + LOOKBACK + HORIZON]
        if whole[start][0] != whole[start][-1] or ahead.min() < ahead.max():
            continue
        for name in ("wind", "sun"):
            fed, column = by_hand(arranged, start, name), arranged.column(name)
            enough = np.count_nonzero(~np.isnan(fed[LOOKBACK:])) >= np.ceil(least_observed * HORIZON)
            if start not in starts:
                n_lost += not enough
                continue
            assert enough
            for step in range(LOOKBACK, LOOKBACK + HORIZON):  # what nobody knew is carried forward
                fed[step] = fed[step - 1] if np.isnan(fed[step]) else fed[step]
            given = rows.window_inputs(np.array([start]), LOOKBACK, HORIZON)[0, :, column]
            scale, mean = prepared.scaler.scale[0, column], prepared.scaler.mean[0, column]
            np.testing.assert_allclose(given, (fed - mean) / scale, atol=1e-5)
            n_seen += 1
    counts = count_windows_of_parts(prepared)
    assert (n_seen > 100, sum(count.scored for count in counts.values())) == (True, len(starts))
    assert n_lost or least_observed < 1


def test_what_no_issue_tells_costs_the_window_and_the_count_names_the_column() -> None:
    prepared = prepared_of(panel_of(issues_of((), frozenset({"wind"}), longest=5)), 1.0)
    counts = count_windows_of_parts(prepared)["train"].lack_inputs_by_column
    assert counts is not None
    assert {*counts} == {"wind", "sun"}
    with pytest.raises(DataError, match="At no row of the train span was 'wind' and 'sun' known for the 3 steps ahead"):
        prepared_of(panel_of(issues_of((), frozenset({"wind"}), longest=1)), 1.0)


def test_the_newest_forecast_is_fed_what_is_known_at_the_last_row() -> None:
    panel = panel_of(issues_of((), frozenset({"wind"}), longest=9))
    prepared = prepared_of(panel, 1.0)
    newest = newest_rows(prepared.rows.panel, prepared.config.data, prepared.scaler)
    rows, starts = newest.rows, newest.windows.starts
    assert len(starts) > 0
    fed = rows.window_inputs(starts, LOOKBACK, HORIZON)
    for window, start in enumerate(starts):
        for name in ("wind", "sun"):
            column = rows.panel.column(name)
            scale, mean = prepared.scaler.scale[0, column], prepared.scaler.mean[0, column]
            by_search = (by_hand(rows.panel, int(start), name) - mean) / scale
            np.testing.assert_allclose(fed[window, :, column], by_search, atol=1e-5)


def test_the_newest_forecast_needs_issues_that_reach_its_horizon() -> None:
    issues = issues_of((), frozenset({"wind"}), longest=9)
    prepared = prepared_of(panel_of(issues), 1.0)
    early = issues.only(issues.times <= prepared.rows.panel.times.max())
    cut = newest_rows(panel_of(early), prepared.config.data, prepared.scaler)
    assert len(cut.windows) == 0
    assert "what was issued of it by 2024-01-04 17:00 does not reach so far" in cut.refused[0]


def test_channels_of_their_own_keep_the_issues_of_their_series() -> None:
    issues = issues_of(("north", "south"), frozenset(), longest=4).of_channels(("heat", "power"))
    whole = issues_of(("north", "south"), frozenset(), longest=4)
    time, origin = whole.times[450], whole.times[450]
    for series in ("north", "south"):
        expected = known_at(whole, series, "sun", time, origin)
        for channel in ("heat", "power"):
            np.testing.assert_equal(known_at(issues, f"{series}/{channel}", "sun", time, origin), expected)
