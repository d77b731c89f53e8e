"""Revised series: the panel holds first values, and each origin knows what stood there when its row was whole."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.choices.defaults import resolve
from forecast.commands.audit.altered import spread_origins
from forecast.commands.audit.learning import Learning, Table, check_learning
from forecast.data.prepare import Prepared, encode, prepare
from forecast.errors import DataError

LOOKBACK, HORIZON, N_MONTHS = 6, 3, 140


def vintages(n_months: int = N_MONTHS) -> pd.DataFrame:
    """Months, each published five or six weeks after its begin and revised twice, at times late and all at once."""
    rng = np.random.default_rng(2)
    months = pd.date_range("2010-01-01", periods=n_months, freq="MS")
    true = 100 + np.cumsum(rng.normal(0.2, 1, n_months))
    rows = []
    for number, month in enumerate(months):
        first = month + pd.Timedelta(int(rng.integers(35, 45)), "D")
        if number < 24:  # where the record begins: all at once
            first = months[24] + pd.Timedelta(5, "D")
        if number in (60, 61):  # published late, with the next one
            first = months[62] + pd.Timedelta(40, "D")
        for revision, days in enumerate((0, 31, 200)):
            value = true[number] + rng.normal(0, (1.0, 0.5, 0.1)[revision])
            rows.append({"issued_at": first + pd.Timedelta(days, "D"), "ds": month, "gdp": value, "jobs": -value})
    frame = pd.DataFrame(rows)
    frame.loc[frame["ds"].dt.month == 5, "jobs"] = np.nan
    return frame.sample(frac=1, random_state=1, ignore_index=True)


def prepared_of(frame: pd.DataFrame, issued_at: str = "issued_at", **settings: object) -> Prepared:
    panel = forecast.read(frame, forecast.ReadOptions(issued_at=issued_at))
    asked = {"target": "gdp", "lookback": LOOKBACK, "horizon": HORIZON, "season": 1, "calendar": False, "known": ()}
    return prepare(panel, resolve(forecast.configure({**asked, **settings}), panel)[0])


def test_every_lookback_is_what_stood_there_when_its_last_row_was_published() -> None:
    frame = vintages()
    prepared = prepared_of(frame)
    rows, panel = prepared.rows, prepared.rows.panel
    ordered = frame.sort_values("issued_at")
    firsts = ordered.groupby("ds").first()
    np.testing.assert_allclose(panel.values[:, 0], firsts["gdp"])
    published = ordered.groupby("ds")["issued_at"].first().cummax()
    starts = np.concatenate([part.starts for part in (prepared.train, prepared.validation, prepared.test)])[::3]
    fed = rows.window_inputs(starts, LOOKBACK, HORIZON)
    n_revised = 0
    for window, start in zip(fed, starts, strict=True):
        months = panel.times[start : start + LOOKBACK + HORIZON]
        then = ordered[ordered["issued_at"] <= published[months[LOOKBACK - 1]]]
        for column, name in enumerate(panel.columns):
            newest = then.groupby("ds")[name].last().reindex(months[:LOOKBACK])
            mean, scale = prepared.scaler.mean[0, column], prepared.scaler.scale[0, column]
            shown = window[:LOOKBACK, column] * scale + mean
            there = newest.notna().to_numpy()
            np.testing.assert_allclose(shown[there], newest[there], atol=1e-4)
        first = firsts["gdp"].reindex(months)
        shown = window[:, 0] * prepared.scaler.scale[0, 0] + prepared.scaler.mean[0, 0]
        n_revised += int((np.abs(shown - first) > 0.01)[:LOOKBACK].sum())
        np.testing.assert_allclose(shown[LOOKBACK:], first[LOOKBACK:], atol=1e-4)
    assert panel.columns[0] == "gdp"
    assert n_revised > len(starts)


def test_nothing_that_was_issued_later_moves_what_is_fed() -> None:
    frame = vintages()
    prepared = prepared_of(frame)
    config, rows = prepared.config, prepared.rows
    options = config.read.model_copy(update={"issued_at": "issued_at", "codes": None})
    table = Table(frame, options, forecast.read(frame, options))
    fit = Learning(
        prepared, table.panel, prepared.split.validation_from, lambda panel, parts: prepare(panel, config, parts)
    )
    failed = [check.line for check in check_learning(table, [fit]) if not check.passed]
    assert not failed
    for origin, starts in spread_origins(rows.panel, prepared.test, 0, most=3):
        fed = rows.window_inputs(starts, LOOKBACK, HORIZON)[:, :LOOKBACK]
        for altered in (origin.with_changed_future(), origin.with_deleted_future(), origin.with_shuffled_future()):
            other = encode(altered.panel, config.data, prepared.scaler)
            again = other.window_inputs(altered.positions(starts), LOOKBACK, HORIZON)[:, :LOOKBACK]
            np.testing.assert_array_equal(fed, again)


def test_rows_for_a_run_may_hold_what_stands_there_now() -> None:
    first = vintages().groupby("ds", as_index=False).first()[["ds", "gdp"]]
    of_run = forecast.ReadOptions(issued_at="issued_at", codes=())
    assert forecast.read(first, of_run).issues is None


def test_codes_of_missing_values_are_none_of_them() -> None:
    frame = vintages()
    frame.loc[frame["ds"] == "2015-07-01", "gdp"] = -9999
    panel = forecast.read(frame, forecast.ReadOptions(issued_at="issued_at"))
    assert panel.issues is not None
    assert np.nanmin(panel.issues.values[:, 0]) > 0
    assert np.isnan(panel.values[panel.times == np.datetime64("2015-07-01"), 0]).all()


def test_a_source_must_have_the_column() -> None:
    with pytest.raises(DataError, match="There is no column 'vintage' for issued_at"):
        forecast.read(vintages(), forecast.ReadOptions(issued_at="vintage"))


def test_inputs_in_it_that_are_told_before_their_time_are_known_ahead() -> None:
    hours = pd.date_range("2024-01-01", periods=100, freq="h")
    rows = [
        {
            "run": hours[issue],
            "ds": hours[step],
            "load": step % 7 if step <= issue else np.nan,
            "temp": step + issue / 100,
        }
        for issue in range(0, 96)
        for step in range(issue, issue + 4)
    ]
    prepared = prepared_of(pd.DataFrame(rows), "run", target="load")
    assert prepared.config.data.known == ("temp",)
    start = np.array([50])
    fed = prepared.rows.window_inputs(start, LOOKBACK, HORIZON)[0, :, 1]
    origin = 50 + LOOKBACK - 1
    expected = [step + min(step, origin) / 100 for step in range(50, 50 + LOOKBACK + HORIZON)]
    np.testing.assert_allclose(fed * prepared.scaler.scale[0, 1] + prepared.scaler.mean[0, 1], expected, rtol=1e-5)
