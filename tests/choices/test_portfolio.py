"""The members that are planned: those that make sense beside the model, in their order, as long as the rows allow."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

import forecast
from forecast.choices.defaults import resolve
from forecast.choices.portfolio import PORTFOLIO
from forecast.config import Config, Settings
from forecast.errors import ConfigError
from forecast.sources.read import read


@pytest.fixture
def planned(monthly: pd.DataFrame) -> Callable[..., Config]:
    """The configuration of a portfolio on 200 months."""

    def plan(**settings: object) -> Config:
        return resolve(forecast.configure(settings), read(monthly))[0]

    return plan


def names(config: Config) -> list[str]:
    return [member.name for member in config.portfolio]


def test_all_members_are_planned_and_the_model_is_the_first(planned: Callable[..., Config]) -> None:
    config = planned(members="all", lookback=24)
    assert names(config) == ["segment-lstm", *(name for name in names(config)[1:])]
    assert set(names(config)) <= {"segment-lstm", *PORTFOLIO}
    assert {"linear", "smoothing", "seasonal-naive", "gru", "wide", "slstm"} <= set(names(config))
    assert config.network.model == "ensemble"
    assert config.network.newest == 24


def test_a_part_of_them_can_be_asked_for(planned: Callable[..., Config]) -> None:
    assert names(planned(members="linear,gru")) == ["segment-lstm", "linear", "gru"]
    recurrent = planned(members="recurrent")
    assert all(recurrent.of_member(member).network.units for member in recurrent.portfolio)
    assert "gru" in names(recurrent)
    with pytest.raises(ConfigError, match="there is no member 'lineer'"):
        planned(members="lineer")


def test_with_time_networks_are_planned_again_from_other_seeds(planned: Callable[..., Config]) -> None:
    config = planned(time_limit="1m")
    assert config.training.time_limit == 60
    seeds = {member.name: config.of_member(member).training.seed for member in config.portfolio}
    assert seeds["segment-lstm"] == 0
    assert seeds["segment-lstm 2"] == 1
    assert "linear 2" not in seeds


def test_a_member_differs_from_the_model_by_what_it_says(planned: Callable[..., Config]) -> None:
    config = planned(members="all", lookback=24, units=8)
    by_name = {member.name: config.of_member(member) for member in config.portfolio}
    assert by_name["segment-lstm"].network == config.network.model_copy(update={"model": "segment-lstm"})
    assert by_name["wide"].network.units == (16,)
    assert by_name["slstm"].network.cell == "slstm"
    assert by_name["linear"].network.units == ()
    assert by_name["linear"].network.linear
    assert not by_name["gru"].portfolio


def test_a_longer_lookback_leaves_half_of_the_windows(planned: Callable[..., Config]) -> None:
    config = planned(members="all", lookback=24, horizon=6, season=12)
    assert config.data.lookback == 36  # 140 months to train on, a third of which are 46; whole seasons
    assert config.of_member(next(own for own in config.portfolio if own.name == "long")).network.newest == 36
    assert planned(members="gru", lookback=24).data.lookback == 24


def test_what_does_not_go_with_the_model_is_left_out(planned: Callable[..., Config]) -> None:
    recursive = names(planned(members="all", lookback=24, model="lstm", decode="recursive"))
    assert "smoothed" not in recursive
    assert "gru" in recursive


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90.0), ("5m", 300.0), ("1.5h", 5400.0), ("45", 45.0), ("2min", 120.0), (30, 30.0)]
)
def test_durations(text: object, seconds: float) -> None:
    assert Settings.from_sections({"training": {"time_limit": text}}).training.time_limit == seconds


@pytest.mark.parametrize("text", ["5 parsecs", "m", "-5m", "0", "nan"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=f"time_limit: .*Received: '?{text}"):
        Settings.from_sections({"training": {"time_limit": text}})


@pytest.mark.parametrize("setting", [{"ensemble": 2}, {"fall_back": True}])
def test_an_ensemble_of_members_is_none_of_seeds(setting: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="time_limit and members make an ensemble"):
        forecast.configure({"time_limit": "5m", **setting})
