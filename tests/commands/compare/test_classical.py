"""Classical forecasts: those of statsmodels, from the past alone, at as many cut-offs as the time allows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.forecasting.theta import ThetaModel
from statsmodels.tsa.holtwinters import ExponentialSmoothing
from statsmodels.tsa.statespace.sarimax import SARIMAX

from configs import plain_config
from forecast.commands.compare.classical import (
    CLASSICAL,
    References,
    classical_references,
    ets,
    history_until,
    sarima,
    spread_order,
    theta,
)
from forecast.data.clock import Clock
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Rows, encode
from forecast.data.scaling import unscaled
from forecast.data.windows import Windows

SEASON, HORIZON, LOOKBACK = 4, 3, 6


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # statsmodels says when it did not converge
        yield


def wave(n: int, season: int = SEASON, seed: int = 0) -> Floats:
    noise = np.random.default_rng(seed).normal(0, 0.3, n)
    return 10 + 3 * np.sin(2 * np.pi * np.arange(n) / season) + noise


def rows_of(values: Floats, absent: tuple[int, ...] = (), **data: object) -> Rows:
    """Hours of some targets, without some of the hours."""
    there = np.delete(np.arange(len(values)), list(absent))
    times = (np.datetime64("2021-01-01", "h") + there).astype("datetime64[us]")
    columns = tuple(f"y{number}" for number in range(values.shape[1]))
    panel = Panel(values=values[there], times=times, columns=columns, clock=Clock("h"))
    config = plain_config(target=columns, longest_fill=2, **data)
    return encode(panel, config.data, unscaled(panel))


def windows_over(rows: Rows, n: int) -> Windows:
    return Windows(np.arange(20, 20 + n), LOOKBACK, HORIZON)


class Watch:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def taking(self, seconds: float) -> Callable[[Floats, int, int], Floats]:
        """A model that forecasts its last value, in so much time."""

        def fit(history: Floats, season: int, horizon: int) -> Floats:
            self.now += seconds
            return np.full(horizon, history[-1])

        return fit


def test_ets_is_that_of_statsmodels() -> None:
    y = wave(60)
    by_hand = ExponentialSmoothing(y, trend="add", damped_trend=True, seasonal="add", seasonal_periods=SEASON).fit()
    assert ets(y, SEASON, HORIZON).tolist() == by_hand.forecast(HORIZON).tolist()
    plain = ExponentialSmoothing(y, trend="add", damped_trend=True).fit()
    assert ets(y, 1, HORIZON).tolist() == plain.forecast(HORIZON).tolist()


def test_theta_is_that_of_statsmodels() -> None:
    y = wave(60)
    by_hand = ThetaModel(y, period=SEASON, method="additive").fit().forecast(HORIZON)
    assert theta(y, SEASON, HORIZON).tolist() == by_hand.tolist()


def test_sarima_is_that_of_statsmodels_with_a_season_where_there_is_one() -> None:
    y = wave(60)
    by_hand = SARIMAX(y, order=(1, 0, 1), seasonal_order=(0, 1, 1, SEASON)).fit(disp=False)
    assert sarima(y, SEASON, HORIZON).tolist() == by_hand.forecast(HORIZON).tolist()
    walk = np.random.default_rng(3).normal(size=80).cumsum()
    by_hand = SARIMAX(walk, order=(1, 1, 1)).fit(disp=False)
    assert sarima(walk, SEASON, HORIZON).tolist() == by_hand.forecast(HORIZON).tolist()


def test_sarima_of_a_long_season_forecasts_the_changes_since_a_season_before() -> None:
    season = 30
    y = wave(150, season)
    changes = SARIMAX(y[season:] - y[:-season], order=(1, 0, 1)).fit(disp=False).forecast(HORIZON)
    assert sarima(y, season, HORIZON) == pytest.approx(y[-season : HORIZON - season] + changes)
    beyond = sarima(y, season, season + 1)
    assert beyond[season] == pytest.approx(beyond[0], abs=1.5)  # a season later it builds on what it forecast


@pytest.mark.parametrize("name", CLASSICAL)
@pytest.mark.parametrize("n", [9, 10, 13, 40])
def test_short_histories_are_forecast_or_refused_as_an_error(name: str, n: int) -> None:
    rows = rows_of(wave(n + HORIZON)[:, None])
    windows = Windows(np.array([n - LOOKBACK]), LOOKBACK, HORIZON)
    found = classical_references(rows, windows, SEASON, 60, fittings={name: CLASSICAL[name]})
    assert np.isfinite(found.models[name](windows.starts)).all()


def test_a_history_ends_at_the_cutoff_and_begins_after_a_hole() -> None:
    values = np.arange(80.0)[:, None]
    values[30:34] = np.nan  # more than may be filled
    rows = rows_of(values, absent=(50,))
    assert history_until(rows, 29, 0, SEASON).tolist() == list(range(30))
    assert history_until(rows, 40, 0, SEASON).tolist() == list(range(34, 41))
    assert history_until(rows, 60, 0, SEASON).tolist() == list(
        range(51, 62)
    )  # the row of an hour later, as one is gone


def test_the_holes_of_a_history_are_filled_by_lines_between_what_is_known_at_the_cutoff() -> None:
    values = np.arange(80.0)[:, None] ** 2
    values[[0, 30, 31, 60, 61]] = np.nan
    rows = rows_of(values, least_observed=0.5)
    expected = np.arange(1.0, 61) ** 2
    expected[29:31] = 29**2 + np.array([1, 2]) / 3 * (32**2 - 29**2)
    expected[59] = 59**2  # what follows is not known yet
    assert history_until(rows, 60, 0, SEASON) == pytest.approx(expected)


def test_a_history_is_bounded() -> None:
    rows = rows_of(np.arange(4000.0)[:, None])
    assert len(history_until(rows, 3999, 0, 1)) == 120
    assert len(history_until(rows, 3999, 0, 24)) == 12 * 24
    assert len(history_until(rows, 3999, 0, 1440)) == 3000
    assert history_until(rows, 3999, 0, 1)[-1] == 3999


def test_nothing_after_a_cutoff_is_known() -> None:
    values = wave(60)[:, None]
    later = values.copy()
    later[46:] += 100
    windows = Windows(np.arange(34, 41), LOOKBACK, HORIZON)  # the last cut-off is row 45
    fits = {"ets": ets, "theta": theta}
    before, after = (classical_references(rows_of(own), windows, SEASON, 60, fittings=fits) for own in (values, later))
    for name in fits:
        assert before.models[name](windows.starts).tolist() == after.models[name](windows.starts).tolist()


def test_every_target_is_forecast_on_its_own() -> None:
    values = np.stack([wave(60), 50 + wave(60, seed=1)], axis=1)
    rows, windows = rows_of(values), Windows(np.array([30, 35]), LOOKBACK, HORIZON)
    forecasts = classical_references(rows, windows, SEASON, 60, fittings={"theta": theta}).models["theta"](
        np.array([35])
    )
    assert forecasts.shape == (1, HORIZON, 2)
    assert forecasts[0, :, 1].tolist() == theta(values[:41, 1], SEASON, HORIZON).tolist()


def within(budget: float, n_windows: int = 64, **seconds: float) -> References:
    """What comes of models that take so many seconds a fit."""
    watch, rows = Watch(), rows_of(wave(120)[:, None])
    fits = {name: watch.taking(each) for name, each in seconds.items()}
    return classical_references(rows, windows_over(rows, n_windows), SEASON, budget, fittings=fits, clock=watch)


def test_the_slowest_decides_how_many_windows_all_of_them_forecast() -> None:
    found = within(10, quick=0.1, slow=1.0)
    assert len(found.windows) == 10
    assert found.seconds == {"quick": pytest.approx(1.0), "slow": pytest.approx(10.0)}
    assert set(found.models) == {"quick", "slow"}
    assert np.diff(found.windows.starts).max() <= 8  # 10 of 64, spread over all of them


def test_one_that_is_too_slow_is_left_out() -> None:
    found = within(10, quick=0.5, slow=1.3)
    assert found.left_out == ("slow",)
    assert set(found.models) == {"quick"}
    assert len(found.windows) == 20
    assert within(1, slow=5).models == {}


def test_with_time_enough_every_window_is_forecast() -> None:
    found = within(1000, n_windows=13, quick=0.1)
    assert found.windows.starts.tolist() == list(range(20, 33))
    assert found.failed == {"quick": 0}


def test_progress_never_promises_less_than_is_done() -> None:
    told: list[tuple[int, int]] = []
    watch, rows = Watch(), rows_of(wave(120)[:, None])
    classical_references(
        rows, windows_over(rows, 30), SEASON, 9, fittings={"slow": watch.taking(1)}, clock=watch,
        counted=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert all(done < total for done, total in told[:-1])
    assert told[-1] == (9, 9)


@pytest.mark.parametrize("outcome", [np.nan, np.inf, ValueError, np.linalg.LinAlgError, ZeroDivisionError, IndexError])
def test_a_fit_that_fails_repeats_the_last_value_and_is_counted(outcome: float | type[Exception]) -> None:
    def fail(history: Floats, season: int, horizon: int) -> Floats:
        if isinstance(outcome, type):
            raise outcome
        return np.full(horizon, outcome)

    rows = rows_of(wave(60)[:, None])
    found = classical_references(rows, windows_over(rows, 5), SEASON, 60, fittings={"broken": fail})
    forecasts = found.models["broken"](found.windows.starts)
    assert found.failed == {"broken": 5}
    assert forecasts[:, :, 0].tolist() == [[last] * HORIZON for last in rows.filled_at(found.windows.cutoffs)[:, 0]]


@pytest.mark.parametrize("n", [1, 2, 7, 64, 1000])
def test_the_order_holds_each_once_and_every_beginning_is_spread(n: int) -> None:
    order = list(spread_order(n))
    assert sorted(order) == list(range(n))
    for first in (4, 10, 33):
        if first < n:
            holes = np.diff([-1, *sorted(order[:first]), n])
            assert holes.max() <= 4 * n / first + 1


def test_a_constant_series_is_forecast_as_it_is() -> None:
    rows = rows_of(np.full((60, 1), 7.0))
    windows = windows_over(rows, 2)
    found = classical_references(rows, windows, SEASON, 60)
    for name, model in found.models.items():
        assert model(windows.starts) == pytest.approx(np.full((2, HORIZON, 1), 7.0), abs=1e-3), name


def test_the_same_history_gives_the_same_bits() -> None:
    y = pd.Series(wave(24)).to_numpy()
    for name, fit in CLASSICAL.items():
        assert fit(y, SEASON, HORIZON).tolist() == fit(y.copy(), SEASON, HORIZON).tolist(), name
