"""What changes is named, with its column, its series and its day; and nothing where nothing does."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast import Panel
from forecast.archive import drift
from forecast.archive.cusum import find_change, threshold_of
from forecast.archive.due import Alarm, DueForecasts
from forecast.data.clock import Clock
from forecast.data.panel import Floats

LAST = np.datetime64("2024-12-31T23:00", "us")
COLUMNS = ("temperature", "dew_point", "pressure")


def weather(seed: int = 0) -> Panel:
    """Three stations near each other, hourly for three years, of which two are the training's."""
    rng = np.random.default_rng(seed)
    times = np.arange("2023-01-01", "2026-01-01", dtype="datetime64[h]").astype("datetime64[us]")
    days = len(times) // 24
    of_day = np.zeros((days, 3))
    for day in range(1, days):
        of_day[day] = 0.8 * of_day[day - 1] + rng.normal(0, [2.0, 2.0, 4.0])
    year = np.cos(2 * np.pi * (np.arange(days) - 20) / 365.25)
    common = np.column_stack([11 - 10 * year + of_day[:, 0], 6 - 9 * year + 0.8 * of_day[:, 0] + 0.5 * of_day[:, 1],
                              1015 + of_day[:, 2]])  # fmt: skip
    hourly = np.repeat(common, 24, axis=0)
    hourly[:, 0] += 4 * np.sin(2 * np.pi * (np.arange(len(times)) - 8) / 24)
    stations = [
        hourly + offset + np.repeat(rng.normal(0, 0.7, common.shape), 24, axis=0) for offset in (0.0, -1.0, 1.0)
    ]
    return Panel(np.concatenate(stations), np.tile(times, 3), COLUMNS, Clock("h"), ("hill", "town", "lake"),
                 tuple(len(times) * np.arange(4)), units={"temperature": "°C"})  # fmt: skip


@pytest.fixture(scope="module")
def calm() -> Panel:
    return weather()


def run_of(panel: Panel, **more: Any) -> Any:
    """What the alarms need to know of a run on these rows."""
    data = SimpleNamespace(circular=(), target=("temperature",), channels="joint", horizon=24)
    config = SimpleNamespace(data=data, categories={}, intervals=SimpleNamespace(levels=(80,)),
                             network=SimpleNamespace(model="lstm"))  # fmt: skip
    return SimpleNamespace(clock=panel.clock, data={"last": str(LAST)}, config=config, version=1, **more)


def changed_inputs(panel: Panel, change: Any = None) -> list[Alarm]:
    values = panel.values.copy()
    rows = panel.rows(1)
    if change is not None:
        change(values[rows], (panel.times[rows] - np.datetime64("2025-03-01")) / np.timedelta64(1, "D"))
    changed = replace(panel, values=values)
    run = run_of(panel)
    inputs = drift._watched_columns(run, changed)
    assert len(inputs) == 9
    return sorted(drift._changed_inputs(run, changed, inputs, 11), key=lambda alarm: alarm.noticed)


def test_nothing_is_named_where_nothing_changes(calm: Panel) -> None:
    assert changed_inputs(calm) == []


def test_a_sensor_that_drifts_by_two_degrees_in_a_month(calm: Panel) -> None:
    def change(values: Floats, days: Floats) -> None:
        values[:, 0] += 2 * np.clip(days / 30, 0, 1)

    (alarm,) = changed_inputs(calm, change)
    assert (alarm.kind, alarm.column, alarm.series) == ("inputs", "temperature", "town")
    assert np.datetime64("2025-02-20") < alarm.began < np.datetime64("2025-03-20")
    assert alarm.noticed < np.datetime64("2025-04-15")
    assert "town: 'temperature' lies 1.88 °C higher than the season and the other inputs tell." in alarm.sentence


def test_another_unit(calm: Panel) -> None:
    def change(values: Floats, days: Floats) -> None:
        values[days >= 0, 0] = 32 + 1.8 * values[days >= 0, 0]

    (alarm,) = changed_inputs(calm, change)
    assert (alarm.column, alarm.series) == ("temperature", "town")
    assert np.datetime64("2025-02-20") < alarm.began <= np.datetime64("2025-03-01")
    assert alarm.noticed < np.datetime64("2025-03-12")
    assert "°F for °C" in alarm.sentence


def test_a_station_that_moves(calm: Panel) -> None:
    def change(values: Floats, days: Floats) -> None:
        values[days >= 0] += (-2.5, -1.5, -12.0)

    alarms = changed_inputs(calm, change)
    assert {alarm.column for alarm in alarms} == {*COLUMNS}
    assert {alarm.series for alarm in alarms} == {"town"}
    assert all(alarm.noticed < np.datetime64("2025-04-15") for alarm in alarms)


def test_of_two_that_tell_of_each_other_both_are_named(calm: Panel) -> None:
    alone = calm.of_series(np.array([0])).select(("temperature", "dew_point"))
    values = np.column_stack([calm.values[calm.rows(series), 0] for series in (0, 1)])
    values[alone.times > LAST, 0] -= 1
    changed = replace(alone, values=values)
    run = run_of(changed)
    (alarm,) = drift._changed_inputs(run, changed, drift._watched_columns(run, changed), 4)
    assert {alarm.column, *alarm.or_else} == {"temperature", "dew_point"}
    assert "'temperature' lies" in alarm.sentence
    assert "'dew_point' lies" in alarm.sentence


def forecasts(days: int, first: str, seed: int, size: float, width: float) -> pd.DataFrame:
    """A forecast of 24 hours from each midnight on, of errors of a size, in intervals of a half-width."""
    rng = np.random.default_rng(seed)
    cutoff = np.repeat(np.datetime64(first, "us") + np.arange(days) * np.timedelta64(1, "D"), 24)
    error = rng.normal(0, size, 24 * days) * np.repeat(rng.lognormal(0, 0.2, days), 24)
    beside = np.repeat(rng.normal(0, 2, days), 24) + rng.normal(0, 1, 24 * days)
    return pd.DataFrame({"unique_id": "town", "cutoff": cutoff, "y": 0.0, "lstm": error, "persistence": beside,
                         "lstm-lo-80": error - width, "lstm-hi-80": error + width})  # fmt: skip


def due_of(frame: pd.DataFrame) -> DueForecasts:
    values = {name: frame[name].to_numpy().reshape(-1, 24) for name in frame.columns[2:]}
    y, cutoffs = values.pop("y"), frame["cutoff"].to_numpy("datetime64[us]")[::24]
    times = cutoffs[:, None] + np.arange(1, 25) * np.timedelta64(1, "h")
    n = len(cutoffs)
    return DueForecasts(np.full(n, "town", object), cutoffs, cutoffs, np.ones(n, np.int64), times, y, values, "lstm",
                        np.zeros(n, bool))  # fmt: skip


@pytest.mark.parametrize(
    ("size", "width", "kinds"),
    [(1.0, 1.28, set()), (2.0, 2.56, {"losses"}), (1.0, 0.5, {"coverage"}), (2.0, 1.28, {"losses", "coverage"})],
)
def test_losses_and_coverage(size: float, width: float, kinds: set[str], calm: Panel) -> None:
    metrics = {"naive_error": {"town": {"mae": 1.0}}}
    run = run_of(calm, metrics=metrics, test_forecasts=forecasts(100, "2024-09-01", 0, 1.0, 1.28))
    first, second = forecasts(60, "2025-01-01", 1, 1.0, 1.28), forecasts(60, "2025-03-02", 2, size, width)
    alarms = drift._changed_losses(run, due_of(pd.concat([first, second])), 8)
    assert {alarm.kind for alarm in alarms} == kinds
    for alarm in alarms:
        assert np.datetime64("2025-02-15") < alarm.began < np.datetime64("2025-03-10")
        assert alarm.noticed < np.datetime64("2025-04-15")
        assert ("that of the last value" in alarm.sentence) == (alarm.kind == "losses")


def test_independent_blocks_cross_the_threshold_once_in_the_stated_time() -> None:
    # Siegmund's approximation against a simulation: one side, a known distribution, 5 % of simulation error.
    allowance, wanted = 0.5, 200
    threshold, rng, lengths = threshold_of(allowance, wanted), np.random.default_rng(0), []
    for _ in range(400):
        total, n = 0.0, 0
        while total <= threshold:
            total, n = max(0.0, total + rng.normal() - allowance), n + 1
        lengths.append(n)
    assert np.mean(lengths) == pytest.approx(wanted, rel=0.15)


def test_too_few_normal_blocks_tell_nothing() -> None:
    assert find_change(np.arange(29.0), np.full(50, 100.0)) is None
    change = find_change(np.random.default_rng(0).normal(size=200), np.r_[np.zeros(10), np.full(20, 2.0)])
    assert change is not None
    assert (change.began, change.rises) == (10, True)
