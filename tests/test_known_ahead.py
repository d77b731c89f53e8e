"""Columns that are known ahead: where they enter, what they need at the newest forecast, and that they help."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast.choices.defaults import resolve
from forecast.data.clock import Clock
from forecast.data.newest import NewestRows, newest_rows
from forecast.data.panel import Panel
from forecast.data.prepare import prepare
from forecast.errors import ConfigError, DataError
from forecast.models.network import shape_of


def frame_of(n_rows: int, ahead: int = 0) -> pd.DataFrame:
    """A series that follows a plan which nothing else tells; its newest rows hold the plan alone."""
    rng = np.random.default_rng(3)
    plan = rng.integers(0, 2, n_rows).astype(float)
    y = 10 + 4 * plan + rng.normal(0, 0.1, n_rows)
    y[n_rows - ahead :] = np.nan
    return pd.DataFrame({"ds": pd.date_range("2021-01-01", periods=n_rows, freq="D"), "y": y, "plan": plan})


def panel_of(values: list[list[float]], *sizes: int) -> Panel:
    """Series of days below one another, with the columns y, x and plan."""
    lengths = sizes or (len(values),)
    times = [np.datetime64("2021-01-01", "us") + np.arange(size) * np.timedelta64(1, "D") for size in lengths]
    return Panel(
        values=np.array(values, float),
        times=np.concatenate(times),
        columns=("y", "x", "plan"),
        clock=Clock("D"),
        series_ids=tuple(f"s{number}" for number in range(len(lengths))) if len(lengths) > 1 else ("",),
        offsets=tuple(np.cumsum([0, *lengths]).tolist()),
    )


def prepared_of(panel: Panel, **settings: object) -> forecast.data.prepare.Prepared:
    fields = {"target": "y", "known": "plan", "lookback": 4, "horizon": 2, "calendar": False}
    return prepare(panel, resolve(forecast.configure({**fields, **settings}), panel)[0])


def newest_of(panel: Panel, **settings: object) -> NewestRows:
    prepared = prepared_of(panel, **settings)
    return newest_rows(prepared.rows.panel, prepared.config.data, prepared.scaler)


def counting(n_rows: int) -> list[list[float]]:
    return [[row % 7, row % 5, row % 3] for row in range(n_rows)]


def test_they_stand_behind_the_covariates_and_before_the_calendar() -> None:
    prepared = prepared_of(panel_of(counting(60)), calendar=True)
    rows = prepared.rows
    assert rows.panel.columns == ("y", "x", "plan")
    assert (rows.n_targets, rows.n_covariates, rows.n_known) == (1, 1, 5)  # the plan, the week and the year
    assert shape_of(rows, 4, 2).features == rows.inputs.shape[1] == 7


def test_what_differs_between_series_is_kept() -> None:
    altitude = [[row % 7, 0, 100] for row in range(60)] + [[row % 7, 0, 300] for row in range(60)]
    rows = prepared_of(panel_of(altitude, 60, 60)).rows
    assert sorted(set(np.round(rows.inputs[:, -1], 6))) == [-1, 1]


def test_a_horizon_needs_them_and_a_lookback_may_carry_them_on() -> None:
    whole = prepared_of(panel_of(counting(60)))
    values = counting(60)
    values[10][2] = np.nan
    holed = prepared_of(panel_of(values))
    lost = set(whole.train.starts) - set(holed.train.starts)
    assert lost == {5, 6}  # of lookback 4 and horizon 2: the windows whose horizon holds row 10


def test_the_newest_forecast_reads_the_rows_after_the_last_target() -> None:
    values = counting(60)
    for row in (58, 59):
        values[row][:2] = [np.nan, np.nan]
    newest = newest_of(panel_of(values))
    assert newest.refused == ()
    future = newest.windows.future()[0]
    assert newest.rows.panel.times[future].astype("datetime64[D]").astype(str).tolist() == ["2021-02-28", "2021-03-01"]
    assert newest.rows.panel.values[future, 2].tolist() == [58 % 3, 59 % 3]
    assert np.isnan(newest.rows.panel.values[future, :2]).all()


def test_the_newest_forecast_says_what_is_not_known_ahead() -> None:
    values = counting(60)
    values[59][:2] = [np.nan, np.nan]  # one row ahead is there, the other is not
    newest = newest_of(panel_of(values))
    assert len(newest.windows) == 0
    assert newest.refused == (
        "'plan' must be known for the 2 steps ahead, and is missing at 2021-03-02: add rows that hold it, "
        "their target left empty.",
    )


def test_what_never_changes_in_a_series_needs_no_rows_ahead() -> None:
    altitude = [[row % 7, row % 5, 100] for row in range(60)] + [[row % 7, row % 5, 300] for row in range(60)]
    newest = newest_of(panel_of(altitude, 60, 60))
    assert newest.refused == ()
    assert newest.rows.panel.values[newest.windows.future(), 2].tolist() == [[100, 100], [300, 300]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"known": "plan", "covariates": "plan"}, "Column 'plan' is named twice"),
        ({"known": "y"}, "Column 'y' is named twice"),
        ({"known": "plan", "model": "lstm"}, "decode = direct does not look ahead. Received: plan"),
    ],
)
def test_contradictions_are_refused(settings: dict[str, object], message: str) -> None:
    panel = panel_of(counting(60))
    with pytest.raises(ConfigError, match=message):
        resolve(forecast.configure({"target": "y", **settings}), panel)


def test_a_column_that_is_not_there_is_refused() -> None:
    panel = panel_of(counting(60))
    with pytest.raises(DataError, match="holiday"):
        resolve(forecast.configure(target="y", known="holiday"), panel)


@pytest.mark.usefixtures("no_plots")
@pytest.mark.parametrize("decode", ["parallel", "recursive"])
def test_a_plan_that_nothing_else_tells_is_forecast_from(tmp_path: Path, decode: str) -> None:
    settings = forecast.configure(
        target="y", known="plan", lookback=8, horizon=4, segment=2, units=16, epochs=20, calendar=False,
        baseline=False, decode=decode, learning_rate=0.02,
    )  # fmt: skip
    run = forecast.train(frame_of(600, ahead=4), settings, run="planned", runs_dir=tmp_path)
    scores = run.metrics["models"]
    assert scores["segment-lstm"]["mae"] < 0.25 * scores["persistence"]["mae"]
    expected = 10 + 4 * frame_of(600)["plan"].to_numpy()[-4:]
    assert np.abs(forecast.predict(run)["segment-lstm"] - expected).max() < 1

    # The same run, asked again with another plan for the same days.
    other = frame_of(600, ahead=4)
    other.loc[596:, "plan"] = 1 - other.loc[596:, "plan"]
    again = forecast.predict(run, other)
    assert np.abs(again["segment-lstm"] - (24 - expected)).max() < 1
    with pytest.raises(DataError, match="'plan' must be known for the 4 steps ahead"):
        forecast.predict(run, frame_of(600))


@pytest.mark.usefixtures("unsaved")
def test_a_run_without_a_plan_ahead_is_trained_all_the_same(tmp_path: Path) -> None:
    settings = forecast.configure(
        target="y", known="plan", lookback=8, horizon=4, units=4, epochs=1, baseline=False, calendar=False
    )
    run = forecast.train(frame_of(200), settings, run="planless", runs_dir=tmp_path)
    assert run.forecast.empty
    with pytest.raises(DataError, match="'plan' must be known for the 4 steps ahead"):
        forecast.predict(run)


def test_rows_that_hold_the_plan_alone_are_not_counted_as_seen() -> None:
    prepared = prepared_of(panel_of(counting(60)))
    short = [[1.0, 1.0, 0.0]] * 3 + [[np.nan, np.nan, 0.0]] * 2
    few = newest_rows(panel_of(short), prepared.config.data, prepared.scaler)
    assert few.refused == ("The newest forecast needs 4 rows (the lookback), there are 3.",)


@pytest.mark.usefixtures("no_plots")
def test_a_stream_forecasts_as_soon_as_the_plan_is_known(tmp_path: Path) -> None:
    fields = {"known": "plan", "lookback": 4, "horizon": 2, "epochs": 1, "units": 4}
    run = forecast.train(frame_of(120), forecast.configure(fields), run="plan", runs_dir=tmp_path)
    stream, rows = forecast.Stream(run), frame_of(30, ahead=2)
    answers = [stream.push(row.ds, {"y": row.y, "plan": row.plan}) for row in rows.itertuples()]
    assert [answer is not None for answer in answers] == [False] * 29 + [True]
    pd.testing.assert_frame_equal(answers[-1], forecast.predict(run, rows), rtol=1e-6)
    # A day later its value is measured, and the plan goes on by a day.
    day = pd.Timedelta("1D")
    assert stream.push(rows["ds"][28], {"y": 12.0, "plan": rows["plan"][28]}) is None
    newest = stream.push(rows["ds"][29] + day, {"y": None, "plan": 1.0})
    assert newest is not None
    assert newest["cutoff"].unique().tolist() == [rows["ds"][28]]
    with pytest.raises(DataError, match="comes too late"):
        stream.push(rows["ds"][29] + day, {"y": 12.0, "plan": 0.0})


def test_a_part_of_the_time_that_is_named_is_a_column() -> None:
    times = pd.date_range("2024-01-01", periods=200, freq="h")
    frame = pd.DataFrame({"ds": times, "y": np.arange(200.0), "hour": times.hour, "month": times.month})
    assert forecast.read(frame).columns == ("y",)
    settings = forecast.configure(target="y", known="hour")
    panel = forecast.read(frame, settings.read)
    assert panel.columns == ("y", "hour")
    assert resolve(settings, panel)[0].data.known == ("hour",)
    assert forecast.read(frame, forecast.configure(columns="y,month").read).columns == ("y", "month")
