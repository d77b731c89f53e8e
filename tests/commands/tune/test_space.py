"""The space of a search: what is fixed leaves it, what the rows have no room for is not in it."""

from __future__ import annotations

import pandas as pd
import pytest

import forecast
from forecast.choices.defaults import resolve
from forecast.commands.tune.space import SPACE, Between, Choices, Value, configured, space_of, values_of
from forecast.config import Config, Settings, option_fields


def resolved(frame: pd.DataFrame, **settings: object) -> tuple[Config, Settings]:
    asked = forecast.configure(settings)
    return resolve(asked, forecast.read(frame, asked.read))[0], asked


def space(frame: pd.DataFrame, longest: int = 10_000, **settings: object) -> dict[str, Choices]:
    config, asked = resolved(frame, **settings)
    return space_of(config, asked, settings, lambda lookback: lookback <= longest)


def test_every_dimension_decides_settings_that_there_are() -> None:
    assert {name for dimension in SPACE for name in dimension.settings} <= option_fields().keys()
    assert len({dimension.name for dimension in SPACE}) == len(SPACE)


def test_the_defaults_are_among_the_choices(monthly: pd.DataFrame) -> None:
    config, _ = resolved(monthly)
    usual = values_of(config, [dimension.name for dimension in SPACE])
    for name, choices in space(monthly).items():
        value = usual[name]
        if isinstance(choices, Between):
            assert isinstance(value, float)
            assert choices.low <= value <= choices.high
        else:
            assert value in choices, name


@pytest.mark.parametrize(
    ("given", "gone"),
    [
        ({"units": 8}, {"units", "layers"}),
        ({"cell": "lstm"}, {"cell"}),
        ({"model": "segment-gru"}, {"cell"}),
        ({"model": "lstm"}, {"cell", "turns", "linear"}),  # a textbook's network reads step by step
        ({"segment": 2}, {"turns"}),
        ({"lookback": 24}, {"lookback"}),
        ({"quantiles": (0.1, 0.5, 0.9)}, {"loss"}),
        ({"normalise": "last", "linear": False}, {"normalise", "linear"}),
    ],
)
def test_what_is_given_leaves_the_space(monthly: pd.DataFrame, given: dict[str, object], gone: set[str]) -> None:
    assert space(monthly).keys() - space(monthly, **given).keys() == gone


def test_a_lookback_without_room_is_left_out(monthly: pd.DataFrame) -> None:
    assert space(monthly)["lookback"] == (12, 36, 72, 144)
    assert space(monthly, longest=40)["lookback"] == (12, 36)
    assert "lookback" not in space(monthly, longest=12)


def test_a_season_is_counted_from_only_where_every_lookback_holds_one(monthly: pd.DataFrame) -> None:
    assert {"seasonal", "smoothing"} <= set(space(monthly)["normalise"])  # type: ignore[arg-type]
    assert not {"seasonal", "smoothing"} & set(space(monthly, season=1)["normalise"])  # type: ignore[arg-type]
    assert not {"seasonal", "smoothing"} & set(space(monthly, lookback=12)["normalise"])  # type: ignore[arg-type]


def test_values_make_a_configuration_and_what_follows_from_them(monthly: pd.DataFrame) -> None:
    config, asked = resolved(monthly)
    values = values_of(config, space(monthly))
    assert configured(values, config, asked) == config
    changed: dict[str, Value] = {"cell": "gru", "units": 16, "layers": 2, "lookback": 72, "turns": 8}
    changed |= {"normalise": "seasonal", "linear": False, "head_dropout": 0.1, "learning_rate": 0.001, "loss": "huber"}
    found = configured({**values, **changed}, config, asked)
    network, training = found.network, found.training
    assert (network.model, network.cell, network.units) == ("segment-gru", "gru", (16, 16))
    assert (found.data.lookback, network.segment) == (72, 6)  # a divisor of the year that makes at least eight turns
    assert (network.normalise, network.cycle, network.linear, network.linear_inputs) == ("seasonal", 12, False, False)
    assert (training.patience, training.loss, training.learning_rate) == (10, "huber", 0.001)
    same = {**changed, "model": "segment-gru", "units": (16, 16), "segment": 6}
    asked_for = forecast.configure({name: value for name, value in same.items() if name not in ("layers", "turns")})
    again = resolve(asked_for, forecast.read(monthly))[0]
    assert (found.data, found.network, found.training) == (again.data, again.network, again.training)


def test_layers_of_several_sizes_keep_their_proportion(monthly: pd.DataFrame) -> None:
    config, asked = resolved(monthly, model="stacked-lstm")
    values = values_of(config, space(monthly, model="stacked-lstm"))
    assert (values["units"], values["layers"]) == (64, 2)
    assert configured({**values, "units": 32}, config, asked).network.units == (32, 16)
    assert configured({**values, "layers": 1}, config, asked).network.units == (64,)
