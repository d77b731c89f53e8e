"""The linear map beside the network is the ridge regression of training horizons on their lookbacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import forecast
from forecast import Prepared
from forecast.choices import linear
from forecast.choices.linear import solve_linear
from forecast.commands.train.members import fit_networks_of
from forecast.engines.tasks import ThisProcess
from forecast.model import TrainingContext
from forecast.models.backends.keras import build_network, weights_of
from forecast.models.network import shape_of
from forecast.models.ridge import PENALTIES
from forecast.progress import NullProgress

LOOKBACK, HORIZON, N_ROWS = 6, 3, 100


def prepared_of(*series: np.ndarray, **settings: Any) -> Prepared:
    times = np.datetime64("2020-01-01", "us") + np.arange(N_ROWS) * np.timedelta64(1, "D")
    ids, offsets = tuple(map(str, range(len(series)))), tuple(N_ROWS * np.arange(len(series) + 1))
    values = np.concatenate(series)[:, None]
    panel = forecast.Panel(values, np.tile(times, len(series)), ("y",), forecast.Clock("D"), ids, offsets)
    plain = {"target": "y", "lookback": LOOKBACK, "horizon": HORIZON, "season": 3, "segment": 2, "units": 3}
    return forecast.prepare(panel, forecast.resolve(forecast.configure({**plain, **settings}), panel)[0])


def solved(prepared: Prepared) -> np.ndarray:
    config, shape = prepared.config.network, shape_of(prepared.rows, LOOKBACK, HORIZON, hides_series=True)
    network = build_network(config, shape, 0)
    solve_linear(network, config, shape, prepared, prepared.train)
    return weights_of(network)["linear/kernel"]


def waves(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.sin(np.arange(N_ROWS) / 2 + seed) + 0.2 * rng.normal(size=N_ROWS)


def ridge(x: np.ndarray, y: np.ndarray, penalty: float) -> np.ndarray:
    """The kernel as a least-squares problem with rows added."""
    penalty *= (x**2).sum() / x.shape[1]
    augmented = np.vstack([x, np.sqrt(penalty) * np.eye(x.shape[1])])
    return np.linalg.lstsq(augmented, np.vstack([y, np.zeros((x.shape[1], y.shape[1]))]), rcond=None)[0]


@pytest.mark.parametrize("normalise", ["last", "seasonal", "standard"])
def test_it_is_the_ridge_regression_of_normalised_windows_that_errs_least_on_windows_held_out(normalise: str) -> None:
    prepared = prepared_of(waves(1), waves(2), normalise=normalise, linear_inputs=False, split="time")
    rows = prepared.rows.scaled[:, 0].astype(float)

    def pairs(starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = [], []
        for start in starts:
            past, future = np.split(rows[start : start + LOOKBACK + HORIZON], [LOOKBACK])
            if normalise == "standard":
                centre, scale = past.mean(), np.sqrt(past.var() + 0.01)
                x.append((past - centre) / scale)
                y.append((future - centre) / scale)
            else:
                x.append(past - past[-1])
                y.append(future - (past[-3:] if normalise == "seasonal" else past[-1]))
        return np.array(x), np.array(y)

    train, days = prepared.train.starts, prepared.train.starts % N_ROWS
    first_later = np.sort(days)[int(0.7 * len(days))]
    earlier, later = pairs(train[days + HORIZON < first_later]), pairs(train[days >= first_later])
    whole, validation = pairs(train), pairs(prepared.validation.starts)
    errors = {
        penalty: sum(
            np.abs(judged[1] - judged[0] @ ridge(*fitted, penalty)).sum()
            for fitted, judged in ((whole, validation), (earlier, later))
        )
        for penalty in PENALTIES
    }
    expected = ridge(*whole, min(errors, key=errors.__getitem__))
    np.testing.assert_allclose(solved(prepared), expected, rtol=1e-3, atol=1e-5)


def test_of_a_single_target_it_reads_covariates_at_the_cut_off_and_what_is_known_of_the_horizon() -> None:
    rng = np.random.default_rng(0)
    wind, plan = rng.normal(size=(2, N_ROWS))
    y = 0.2 * np.r_[0, wind[:-1]] + plan
    times = np.datetime64("2020-01-01", "us") + np.arange(N_ROWS) * np.timedelta64(1, "D")
    panel = forecast.Panel(np.stack([y, wind, plan], 1), times, ("y", "wind", "plan"), forecast.Clock("D"))
    plain = {
        "target": "y",
        "covariates": "wind",
        "known": "plan",
        "linear": True,
        "calendar": False,
        "normalise": "last",
        "season": 3,
    }
    plain |= {"lookback": LOOKBACK, "horizon": HORIZON, "segment": 2, "units": 3, "linear": True}
    prepared = forecast.prepare(panel, forecast.resolve(forecast.configure(plain), panel)[0])
    kernel = solved(prepared)
    assert kernel.shape == (LOOKBACK + 1 + HORIZON, HORIZON)
    assert (np.abs(kernel).argmax(0) == LOOKBACK + 1 + np.arange(HORIZON)).all()  # each step's own plan
    rows, starts = prepared.rows.scaled.astype(float), prepared.train.starts[:, None]
    past, last, ahead = (starts + np.arange(*span) for span in ((6,), (5, 6), (6, 9)))
    x = np.hstack([rows[past, 0] - rows[last, 0], rows[last, 1], rows[ahead, 2]])
    fits = [ridge(x, rows[ahead, 0] - rows[last, 0], penalty) for penalty in PENALTIES]
    assert min(np.abs(kernel - fit).max() for fit in fits) < 1e-4


def test_a_map_that_does_worse_than_none_on_the_validation_windows_stays_empty() -> None:
    # What alternated in the training rows stands still from the validation rows on.
    broken = np.where(np.arange(N_ROWS) < 70, (-1.0) ** np.arange(N_ROWS), 0.5)
    assert not solved(prepared_of(broken, -broken, split="time", validation=0.2, test=0.1)).any()
    assert solved(prepared_of(waves(1), waves(2))).any()


def test_that_of_a_volatility_sees_a_day_a_week_and_a_month_and_the_head_makes_means_of_it() -> None:
    rng = np.random.default_rng(3)
    y = np.exp(np.convolve(rng.normal(0, 0.4, N_ROWS + 9), 0.8 ** np.arange(10), "valid"))
    prepared = prepared_of(y, volatility=True, model="lstm", lookback=24, linear=True)
    config, shape = prepared.config.network, shape_of(prepared.rows, 24, HORIZON)
    assert (config.normalise, prepared.config.training.loss) == ("none", "qlike")
    network = build_network(config, shape, 0)
    solve_linear(network, config, shape, prepared, prepared.train)
    logs = prepared.rows.scaled[:, 0].astype(float)
    x = np.array([[logs[t], logs[t - 4 : t + 1].mean(), logs[t - 21 : t + 1].mean()] for t in prepared.train.cutoffs])
    future = np.array([logs[t + 1 : t + 1 + HORIZON] for t in prepared.train.cutoffs])
    penalty = 0.01 * (x**2).sum() / 3
    expected = np.linalg.solve(x.T @ x + penalty * np.eye(3), x.T @ future)
    weights = weights_of(network)
    kernel = weights["linear/kernel"]
    np.testing.assert_allclose(kernel[23], expected[0] + expected[1] / 5 + expected[2] / 22, rtol=1e-4)
    np.testing.assert_allclose(kernel[2:19], np.broadcast_to(expected[2] / 22, (17, HORIZON)), rtol=1e-4)
    assert not kernel[:2].any()
    scale = np.log(y)[prepared.training_rows].std()
    np.testing.assert_allclose(weights["head/bias"], scale * np.var(future - x @ expected, axis=0) / 2, rtol=1e-3)


def test_segment_presets_have_one_by_default_and_those_of_textbooks_none() -> None:
    assert prepared_of(waves(1), waves(2)).config.network.linear
    assert prepared_of(waves(1)).config.network.linear
    assert not prepared_of(waves(1), waves(2), model="lstm", segment=1).config.network.linear
    assert not prepared_of(waves(1), linear=False).config.network.linear


def test_a_network_that_learns_nothing_for_the_validation_span_adds_nothing(tmp_path: Path) -> None:
    # A line is forecast by the map to the last bit that matters; what the network learns there is noise.
    line = np.arange(N_ROWS) * 0.01
    prepared = prepared_of(line, 2 - line, normalise="last", epochs=3, patience=2, learning_rate=0.5, ema=0)
    context = TrainingContext(prepared, tmp_path, NullProgress())
    networks = {"model": prepared.config.network}
    model = fit_networks_of(context, networks, prepared.train, ThisProcess())["model"]
    assert model.record.best_epochs == (0,)
    assert len(model.record.histories[0]) == 2  # its patience
    weights = model.members[0].weights
    assert not weights["head/kernel"].any()
    np.testing.assert_array_equal(weights["linear/kernel"], solved(prepared))
    networks = {"refit": prepared.config.network}
    again = fit_networks_of(context, networks, prepared.train, ThisProcess(), model.record.best_epochs)["refit"]
    assert not again.members[0].weights["head/kernel"].any()


def test_nor_does_one_that_learns_nothing_beside_exponential_smoothing(tmp_path: Path) -> None:
    # A season that repeats is forecast by smoothing alone.
    settings = {"normalise": "smoothing", "linear": False, "epochs": 2, "learning_rate": 0.5, "ema": 0}
    prepared = prepared_of(np.tile([0.0, 1.0, 3.0], N_ROWS)[:N_ROWS], **settings)
    context, networks = TrainingContext(prepared, tmp_path, NullProgress()), {"model": prepared.config.network}
    model = fit_networks_of(context, networks, prepared.train, ThisProcess())["model"]
    assert model.record.best_epochs == (0,)
    assert model.forecasts_alone == "exponential smoothing"


@pytest.mark.parametrize("decay", [False, True])
def test_holes_in_horizons_count_for_nothing(decay: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "PENALTIES", (0.1,))
    rng = np.random.default_rng(3)
    holed = [np.where(rng.random(N_ROWS) < 0.2, np.nan, waves(seed)) for seed in (1, 2)]
    prepared = prepared_of(
        *holed, normalise="last", least_observed=0.5, hide_values=0, decay=decay, linear_inputs=False
    )
    rows = prepared.rows.scaled[:, 0].astype(float)
    x, y = [], []
    for start in prepared.train.starts:
        past, future = np.split(rows[start : start + LOOKBACK + HORIZON], [LOOKBACK])
        filled = pd.Series(past).ffill().bfill().fillna(0).to_numpy()
        x.append(filled - filled[-1])
        y.append(future - filled[-1])
    x, y = np.array(x), np.array(y)
    penalty = 0.1 * (x**2).sum() / LOOKBACK
    found = solved(prepared)
    if decay:  # what it decays to is learned
        assert np.isfinite(found).all()
        return
    for step in range(HORIZON):
        seen = ~np.isnan(y[:, step])
        squares = x[seen].T @ x[seen] + penalty * np.eye(LOOKBACK)
        expected = np.linalg.solve(squares, x[seen].T @ y[seen, step])
        np.testing.assert_allclose(found[:, step], expected, rtol=1e-2, atol=1e-3)
