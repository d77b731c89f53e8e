"""A look at the rows before the test span chooses the centre, a longer lookback, and whether one map suits all."""

from __future__ import annotations

import numpy as np
import pytest

import forecast
from forecast import Config, Panel
from forecast.choices.defaults import resolve
from forecast.choices.plan import plan_in_sentences
from forecast.data.clock import Clock

N_ROWS = 900


def days(*series: np.ndarray) -> Panel:
    return panel_of(np.datetime64("2012-01-01", "us") + np.arange(len(series[0])) * np.timedelta64(1, "D"), "D", series)


def quarterly(*series: np.ndarray) -> Panel:
    months = np.datetime64("2000-01", "M") + 3 * np.arange(len(series[0]))
    return panel_of(months.astype("datetime64[us]"), "QS", series)


def panel_of(times: np.ndarray, freq: str, series: tuple[np.ndarray, ...]) -> Panel:
    offsets = tuple(len(times) * np.arange(len(series) + 1))
    values, names = np.concatenate(series)[:, None], tuple(f"s{number}" for number in range(len(series)))
    return Panel(values, np.tile(times, len(series)), ("y",), Clock(freq), names, offsets, default_target="y")


def planned(panel: Panel, **settings: object) -> tuple[Config, str]:
    config, choices = resolve(forecast.configure(settings), panel)
    return config, "; ".join(plan_in_sentences(config, panel.clock, choices))


def test_daily_counts_with_a_week_and_a_year_get_a_lookback_of_a_year() -> None:
    rng, day = np.random.default_rng(0), np.arange(7 * 365)
    week = np.array([0.7, 1, 1.05, 1.1, 1.2, 1.3, 0.8])[day % 7]
    # A yearly rhythm that no smooth wave follows: two weeks of holidays, and a season of eight.
    of_year = day % 365
    year = 1 + 1.5 * ((of_year > 150) & (of_year < 206)) - 0.6 * (of_year > 350)
    config, told = planned(days(100 * week * year * rng.lognormal(0, 0.1, len(day))), horizon=28)
    assert config.data.lookback == 53 * 7
    assert "lookback 371 days (a linear map errs " in told


def waves_and_walks(n_rows: int = N_ROWS) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Four series with a week, and four that go anywhere."""
    rng = np.random.default_rng(1)
    waves = [np.sin(np.arange(n_rows) * 2 * np.pi / 7 + phase) + rng.normal(0, 0.1, n_rows) for phase in range(4)]
    return waves, [rng.normal(size=n_rows).cumsum() / 30 for _ in range(4)]


def test_one_map_stands_beside_the_network_unless_it_does_not_suit_all_series() -> None:
    waves, walks = waves_and_walks(3 * N_ROWS)
    assert planned(days(*waves), normalise="last")[0].network.linear
    config, told = planned(days(*waves, *walks), normalise="last")
    assert not config.network.linear
    assert "no linear map beside the network: it does not suit all series" in told


def test_few_windows_have_a_map_that_does_not_suit_all_series() -> None:
    waves, walks = waves_and_walks()
    assert planned(days(*waves, *walks), normalise="last")[0].network.linear


def test_short_windows_are_counted_from_exponential_smoothing_where_that_errs_less() -> None:
    rng, quarters = np.random.default_rng(3), np.arange(60)

    def of_some_kind() -> np.ndarray:
        """With a season or without, level or falling or rising, and with a level that stays or wanders."""
        season = rng.choice([0, 3]) * np.sin(quarters * np.pi / 2 + rng.uniform(0, 6))
        return season + rng.choice([-0.3, 0, 0.3]) * quarters + rng.choice([0, 1]) * rng.normal(size=60).cumsum()

    panel = quarterly(*(of_some_kind() + rng.normal(0, rng.choice([0.2, 1]), 60) for _ in range(30)))
    config, told = planned(panel)
    assert (config.network.normalise, config.network.cycle) == ("smoothing", 4)
    assert "counted from exponential smoothing: so counted, forecasts before the test span err " in told
    for settings in ({"normalise": "last"}, {"fall_back": True}, {"decode": "recursive"}, {"linear": False}):
        assert planned(panel, **settings)[0].network.normalise == "last"


def test_no_map_stands_beside_a_network_where_it_errs_no_less_than_the_last_value() -> None:
    config, told = planned(days(np.random.default_rng(2).normal(size=N_ROWS).cumsum()))
    assert not config.network.linear
    assert "no linear map beside the network: before the test span it errs no less than what it counts from" in told


def test_of_a_long_panel_some_series_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forecast.choices.probe._WINDOWS_WITHOUT_MAP", 0)
    waves, walks = waves_and_walks()
    mixed = days(*(each for pair in zip(waves, walks, strict=True) for each in pair))
    assert not planned(mixed, normalise="last")[0].network.linear
    monkeypatch.setattr("forecast.choices.probe._MOST_ROWS", 4 * N_ROWS)
    assert planned(mixed, normalise="last")[0].network.linear  # every second series is a wave
    monkeypatch.setattr("forecast.choices.probe._MOST_ROWS", N_ROWS - 1)
    assert planned(days(*walks, *waves), normalise="last")[0].network.linear  # none can be looked at
