"""Limits and angles: what is stated, what is inferred, and that no forecast goes beyond."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from configs import plain_config
from forecast.config import DataConfig
from forecast.data.bounds import bounds_of, check_limits, infer_circular, infer_limits, unwrap_panel
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.errors import ConfigError, DataError

STATED = ("a=0:3",)


def panel_of(units: dict[str, str] | None = None, **columns: list[float]) -> Panel:
    values = np.column_stack([np.array(column, float) for column in columns.values()])
    times = pd.date_range("2024-01-01", periods=len(values), freq="h").to_numpy().astype("datetime64[us]")
    return Panel(values, times, tuple(columns), Clock("h"), units=units or {})


def data(**settings: object) -> DataConfig:
    return plain_config(**settings).data


@pytest.mark.parametrize(
    ("name", "unit", "values", "expected"),
    [
        ("rain", "", [0, 3, 1], ("rain=0:",)),
        ("wind_speed", "", [0, 3, 1], ("wind_speed=0:",)),
        ("pm2.5", "", [10, 300, 1], ("pm2.5=0:",)),
        ("x", "mm", [0, 3, 1], ("x=0:",)),
        ("RelativeHumidity", "", [40, 99, 70], ("RelativeHumidity=0:100",)),
        ("x", "%", [40, 99, 70], ("x=0:100",)),
        ("humidity", "", [0.4, 0.9, 0.7], ("humidity=0:",)),  # a share, not per cent
        ("humidity", "", [40, 104, 70], ("humidity=0:",)),
        ("rain", "", [0, -1, 3], ()),  # some loggers write below zero; then zero is no limit
        ("temperature", "°C", [1, 3, 2], ()),
        ("rain", "", [math.nan] * 3, ()),
    ],
)
def test_limits_are_inferred_from_names_units_and_values(
    name: str, unit: str, values: list[float], expected: tuple[str, ...]
) -> None:
    panel = panel_of({name: unit}, **{name: values})
    assert infer_limits(panel, (name,), np.ones(3, bool)) == expected


def test_only_training_values_decide() -> None:
    panel = panel_of(rain=[0, 1, 2, -5])
    assert infer_limits(panel, ("rain",), np.array([True, True, True, False])) == ("rain=0:",)
    assert infer_limits(panel, ("rain",), np.ones(4, bool)) == ()


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("wind_dir", [10, 350, 180], ("wind_dir",)),
        ("WindDirection", [0, 360, 180], ("WindDirection",)),
        ("wind_dir", [10, 90, 20], ()),  # perhaps radians times something, or a code
        ("wind_dir", [-10, 350, 20], ()),
        ("temperature", [10, 350, 180], ()),
    ],
)
def test_angles_are_inferred(name: str, values: list[float], expected: tuple[str, ...]) -> None:
    assert infer_circular(panel_of(**{name: values}), (name,), np.ones(3, bool)) == expected


def test_forecasts_and_quantiles_are_held_between_the_limits() -> None:
    bounds = bounds_of(np.arange(2), data(target=("a", "b"), limits=("a=0:", "b=-1:1")))
    values = np.array([[[-3.0, -3.0]], [[5.0, 5.0]]])
    series = np.array([0, 1])
    assert bounds.clip(values, series).tolist() == [[[0, -1]], [[5, 1]]]
    quantiles = np.stack([values - 1, values, values + 1], axis=-1)
    assert bounds.clip(quantiles, series)[0, 0].tolist() == [[0, 0, 0], [-1, -1, -1]]


def test_independent_channels_have_their_own_limits() -> None:
    config = data(target=("a", "b"), limits=("b=0:10",), channels="independent")
    bounds = bounds_of(np.arange(4), config)  # two series of two channels
    assert bounds.low[:, 0].tolist() == [-math.inf, 0, -math.inf, 0]
    assert bounds.high[:, 0].tolist() == [math.inf, 10, math.inf, 10]
    assert bounds_of(np.array([3]), config).low.tolist() == [[0]]  # one of them alone


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "takes a name with the least and the most that it can be. Received: 'a'"),
        ("a=1", "Received: 'a=1'"),
        ("a=5:1", "Received: 'a=5:1'"),
        ("a=x:1", "Received: 'a=x:1'"),
        ("a=:", None),
        ("b=0:1", "'b' is not forecast"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(text: str, message: str | None) -> None:
    if message is None:
        assert bounds_of(np.arange(1), data(target=("a",), limits=(text,))).low[0, 0] == -math.inf
    else:
        with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
            bounds_of(np.arange(1), data(target=("a",), limits=(text,)))


def test_limits_that_the_data_do_not_keep_are_refused() -> None:
    with pytest.raises(DataError, match=r"2 values of 'a' lie beyond its limits 0 … 3: the first is -1 at 2024"):
        check_limits(panel_of(a=[1, -1, 4]), data(target=("a",), limits=("a=0:3",)), STATED, np.ones(3, bool))
    check_limits(panel_of(a=[1, math.nan, 2]), data(target=("a",), limits=("a=0:3",)), STATED, np.ones(3, bool))
    check_limits(panel_of(a=[1, -1, 4]), data(target=("a",), limits=("a=0:3",)), STATED, np.arange(3) < 1)  # later
    angle = data(target=("a",), circular=("a",), limits=("a=0:360",))
    with pytest.raises(ConfigError, match="limits: 'a' is an angle, which goes round its circle"):
        check_limits(panel_of(a=[1]), angle, STATED, np.ones(1, bool))
    with pytest.raises(ConfigError, match="circular: 'b' is not forecast"):
        check_limits(panel_of(a=[1]), data(target=("a",), circular=("b",)), STATED, np.ones(1, bool))


def test_inferred_limits_are_no_promise() -> None:
    check_limits(panel_of(a=[1, -1, 4]), data(target=("a",), limits=("a=0:3",)), (), np.ones(3, bool))


def test_an_angle_is_followed_round_its_circle_and_back_only() -> None:
    panel = panel_of(dir=[350, 10, math.nan, 30, 300], other=[350, 10, 20, 30, 300])
    bounds = bounds_of(np.arange(1), data(target=("dir", "other"), circular=("dir",)))
    values = unwrap_panel(panel, bounds).values
    assert values[:, 0] == pytest.approx([350, 370, math.nan, 390, 300], nan_ok=True)
    assert values[:, 1].tolist() == panel.values[:, 1].tolist()
    changed = panel.values.copy()
    changed[4] = 100
    again = unwrap_panel(replace(panel, values=changed), bounds).values
    assert again[:4, 0] == pytest.approx(values[:4, 0], nan_ok=True)


def test_errors_of_angles_go_the_short_way_round() -> None:
    bounds = bounds_of(np.arange(1), data(target=("dir",), circular=("dir",)))
    y_true, series = np.array([[[10.0]], [[730.0]], [[5.0]]]), np.zeros(3, int)
    forecasts = np.array([[[350.0]], [[20.0]], [[184.0]]])
    assert (bounds.unwrap_towards(forecasts, y_true, series) - y_true)[:, 0, 0].tolist() == [-20, 10, 179]
    assert bounds.wrap_angles(y_true, series)[:, 0, 0].tolist() == [10, 10, 5]
    unseen = np.full(y_true.shape, math.nan)
    assert bounds.unwrap_towards(forecasts, unseen, series).tolist() == forecasts.tolist()
    quantiles = np.stack([forecasts - 5, forecasts, forecasts + 5], axis=-1)
    turned = bounds.unwrap_towards(quantiles, y_true, series)
    assert np.diff(turned, axis=-1).tolist() == np.diff(quantiles, axis=-1).tolist()
