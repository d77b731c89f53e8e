"""Scores where a part of the horizon was not observed, against numpy's functions that leave NaN out."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from configs import plain_config
from forecast.data.clock import Clock
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Rows, arrange, encode
from forecast.data.scaling import fit_scaler
from forecast.data.windows import Forecaster, Ints, Windows, precomputed
from forecast.evaluation import chunks
from forecast.evaluation import metrics as flat
from forecast.evaluation.calibrating import calibrate_intervals, update_intervals
from forecast.evaluation.metrics import crps, directional_accuracy, scaled_winkler, weighted_quantile_loss, winkler
from forecast.evaluation.scoring import Evaluation, score_models
from forecast.evaluation.significance import diebold_mariano
from forecast.evaluation.yardstick import naive_errors

LOOKBACK, HORIZON, SEASON = 6, 4, 4
N_SERIES, N_ROWS, LEARNED, CALIBRATED = 2, 260, 120, 180

CONFIG = plain_config(
    target=("a", "b"), lookback=LOOKBACK, horizon=HORIZON, season=SEASON, longest_fill=1000, levels=(80, 95)
)


def make_rows(missing: float) -> tuple[Rows, Floats]:
    """Rows of two series and targets on different levels, after the training rows a share of them missing; and all."""
    rng = np.random.default_rng(0)
    values = rng.normal((10, 200), 1, (N_SERIES * N_ROWS, 2)) + 50 * np.repeat(np.arange(N_SERIES), N_ROWS)[:, None]
    hours = np.datetime64("2021-03-01", "us") + np.arange(N_ROWS) * np.timedelta64(1, "h")
    holed = values.copy()
    is_late = np.tile(np.arange(N_ROWS) >= LEARNED, N_SERIES)
    holed[is_late[:, None] & (rng.random(values.shape) < missing)] = np.nan
    if missing:
        holed[np.isin(np.arange(len(values)) % N_ROWS, (200, 225))] = np.nan  # of all series at a time
    panel = Panel(
        values=holed,
        times=np.tile(hours, N_SERIES),
        columns=("a", "b"),
        clock=Clock("h"),
        series_ids=tuple(f"s{number}" for number in range(N_SERIES)),
        offsets=tuple(range(0, (N_SERIES + 1) * N_ROWS, N_ROWS)),
        units={"a": "m", "b": "m"},
    )
    scaler = fit_scaler(panel, ~is_late, ())
    return encode(arrange(panel, CONFIG.data), CONFIG.data, scaler), values


def windows_between(rows: Rows, first: int, until: int) -> Windows:
    """Every window whose horizon lies between these rows of a series and of which a part was observed."""
    starts = np.concatenate(
        [np.arange(first - LOOKBACK, until - LOOKBACK - HORIZON + 1) + offset for offset in rows.panel.offsets[:-1]]
    )
    windows = Windows(starts, LOOKBACK, HORIZON)
    seen = ~np.isnan(rows.observed(windows.future()))
    return Windows(starts[seen.any(axis=(1, 2))], LOOKBACK, HORIZON)


def guesses(rows: Rows, values: Floats, seed: int) -> Forecaster:
    """What will be, even where it is not observed, with noise that depends on nothing but the first row."""
    noise = np.random.default_rng(seed).normal(size=(rows.panel.n_rows, HORIZON, rows.n_targets))

    def forecast(starts: Ints) -> Floats:
        future = Windows(starts, LOOKBACK, HORIZON).future()
        return values[future] + (1 + seed / 4) * noise[starts]

    return forecast


class Scored:
    """Two models on rows of which a fifth is missing, and what a plain calculation needs."""

    def __init__(self, missing: float = 0.2) -> None:
        self.rows, values = make_rows(missing)
        self.windows = windows_between(self.rows, CALIBRATED, N_ROWS)
        self.models = {"lstm": guesses(self.rows, values, 1), "rnn": guesses(self.rows, values, 2)}
        learned = np.tile(np.arange(N_ROWS) < LEARNED, N_SERIES)
        self.yardsticks = naive_errors(self.rows, learned, SEASON)
        calibrated = windows_between(self.rows, LEARNED + LOOKBACK, CALIBRATED)
        self.intervals = calibrate_intervals(self.rows, calibrated, self.models, CONFIG, self.yardsticks)
        self.y_true = self.rows.panel.values[self.windows.future()]
        self.series = self.rows.series[self.windows.starts]
        self.y_pred = {name: model(self.windows.starts) for name, model in self.models.items()}
        self.scale = np.array([[self.yardsticks[f"s{s}/{d}"].mae for d in "ab"] for s in range(N_SERIES)])[self.series]

    def evaluation(self) -> Evaluation:
        return score_models(self.rows, self.windows, self.models, SEASON, self.yardsticks, self.intervals)


@pytest.fixture(scope="module")
def scored() -> Scored:
    return Scored()


@pytest.fixture(scope="module", params=[500, 2_000_000])
def evaluation(request: pytest.FixtureRequest, scored: Scored) -> Evaluation:
    """Scored in chunks of some windows, and all at once."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(chunks, "_POINTS_AT_ONCE", request.param)
        return scored.evaluation()


def test_every_score_of_points_is_that_of_the_observed_ones(scored: Scored, evaluation: Evaluation) -> None:
    found = evaluation.metrics
    json.dumps(found, allow_nan=False)
    y, missing = scored.y_true, np.isnan(scored.y_true)
    assert 0.15 < missing.mean() < 0.3
    assert (found["n_points"], found["n_points_missing"]) == (missing.size, missing.sum())
    last = scored.rows.filled_at(scored.windows.cutoffs)[:, None]
    for name, y_pred in scored.y_pred.items():
        error = y_pred - y
        scaled = np.abs(error) / scored.scale[:, None]
        moved = ~missing
        right = np.sign(y - last) == np.sign(y_pred - last)
        size = np.abs(y) + np.abs(y_pred)
        scores = found["models"][name]
        assert scores["mae"] == pytest.approx(np.nanmean(np.abs(error)))
        assert scores["rmse"] == pytest.approx(np.nanmean(error**2) ** 0.5)
        assert scores["mase"] == pytest.approx(np.nanmean(scaled))
        assert scores["smape"] == pytest.approx(np.nanmean(200 * np.abs(error) / size))
        assert scores["wape"] == pytest.approx(100 * np.nansum(np.abs(error)) / np.nansum(np.abs(y)))
        assert scores["bias"] == pytest.approx(np.nanmean(error))
        assert scores["directional_accuracy"] == pytest.approx(100 * right[moved].mean(), abs=0.5)  # a tolerance
        assert found["by_step"][name] == pytest.approx(np.nanmean(np.abs(error), axis=(0, 2)))
        for number in range(N_SERIES):
            own = np.abs(error[scored.series == number])
            for target, column in enumerate("ab"):
                unique_id = f"s{number}/{column}"
                assert found["by_series"][unique_id][name] == pytest.approx(np.nanmean(own[..., target]))
                assert found["rmse_by_series"][unique_id][name] == pytest.approx(
                    np.nanmean(own[..., target] ** 2) ** 0.5
                )
    skill = 1 - found["models"]["lstm"]["mase"] / found["models"]["rnn"]["mase"]
    assert found["skill"]["rnn"] == pytest.approx(skill)


def test_every_score_of_intervals_is_that_of_the_observed_points(scored: Scored, evaluation: Evaluation) -> None:
    of_model, table = evaluation.metrics["intervals"]["models"]["lstm"], evaluation.forecasts
    observed = table[table["y"].notna()]
    scale = observed["unique_id"].map({name: error.mae for name, error in scored.yardsticks.items()}).to_numpy()
    assert len(observed) == evaluation.metrics["n_points"] - evaluation.metrics["n_points_missing"]
    for level in (80, 95):
        low, high = observed[f"lstm-lo-{level}"].to_numpy(), observed[f"lstm-hi-{level}"].to_numpy()
        y, scores = observed["y"].to_numpy(), of_model[str(level)]
        held = (low <= y) & (y <= high)
        assert scores["coverage"] == pytest.approx(held.mean())
        assert scores["width"] == pytest.approx((high - low).mean())
        assert scores["winkler"] == pytest.approx(winkler(y, low, high, level / 100))
        msis = [
            scaled_winkler(*(part[scale == one] for part in (y, low, high)), level / 100, one) * (scale == one).mean()
            for one in np.unique(scale)
        ]
        assert scores["scaled_winkler"] == pytest.approx(sum(msis))
        step = (observed["ds"] - observed["cutoff"]) // pd.Timedelta("1h")
        assert scores["coverage_by_step"] == pytest.approx(pd.Series(held).groupby(step.to_numpy()).mean().tolist())
        by_series = pd.Series(held).groupby(observed["unique_id"].to_numpy()).mean()
        assert scores["coverage_by_series"] == pytest.approx(by_series.to_dict())


def test_a_missing_point_is_no_loss_and_a_step_without_a_point_no_origin(
    scored: Scored, evaluation: Evaluation
) -> None:
    found = evaluation.metrics
    cutoffs = scored.rows.panel.times[scored.windows.cutoffs]
    sums, by_step = [], []
    for name in ("lstm", "rnn"):
        losses = np.abs(scored.y_pred[name] - scored.y_true) / scored.scale[:, None]
        of_origin = [losses[cutoffs == time] for time in np.unique(cutoffs)]
        sums.append(np.array([np.nansum(own) for own in of_origin]))
        known = [np.where(np.isnan(own).all(axis=(0, 2)), np.nan, np.nansum(own, axis=(0, 2))) for own in of_origin]
        by_step.append(np.array(known))
    assert found["p_value"]["rnn"] == pytest.approx(diebold_mariano(*sums, HORIZON))
    assert np.isnan(by_step[0]).any()
    for step in range(HORIZON):
        seen = ~np.isnan(by_step[0][:, step])
        gain = 1 - by_step[0][seen, step].sum() / by_step[1][seen, step].sum()
        assert found["skill_by_step"]["rnn"][step] == pytest.approx(gain)


def test_nothing_missing_says_nothing_of_it() -> None:
    whole = Scored(missing=0.0).evaluation().metrics
    assert "n_points_missing" not in whole


def test_what_is_forecast_where_nothing_is_observed_changes_no_score(scored: Scored) -> None:
    unseen = np.isnan(scored.y_true)
    models = {
        name: precomputed(scored.windows, np.where(unseen, 1e9, values)) for name, values in scored.y_pred.items()
    }
    wild = score_models(scored.rows, scored.windows, models, SEASON, scored.yardsticks, scored.intervals).metrics
    expected = scored.evaluation().metrics
    for figure in ("models", "skill", "p_value", "skill_interval", "p_by_step", "by_step", "by_series"):
        assert wild[figure] == expected[figure]
    for level in ("80", "95"):
        shares = [found["intervals"]["models"]["lstm"][level]["coverage"] for found in (wild, expected)]
        assert shares[0] == shares[1]


def test_a_step_that_is_never_observed_has_no_figure(scored: Scored) -> None:
    panel = scored.rows.panel
    values = panel.values.copy()
    windows = Windows(scored.windows.starts[:: 3 * HORIZON], LOOKBACK, HORIZON)
    values[windows.future()[:, 2]] = np.nan
    rows = replace(scored.rows, panel=replace(panel, values=values))
    found = score_models(rows, windows, scored.models, SEASON, scored.yardsticks, scored.intervals).metrics
    json.dumps(found, allow_nan=False)
    for name in ("lstm", "persistence"):
        assert [figure is None for figure in found["by_step"][name]] == [False, False, True, False]
    assert found["skill_by_step"]["rnn"][2] is None
    assert found["p_by_step"]["rnn"][2] is None
    assert found["intervals"]["models"]["lstm"]["80"]["coverage_by_step"][2] is None


def test_intervals_are_finite_and_updated_where_a_part_is_missing(scored: Scored) -> None:
    assert scored.intervals is not None
    after = update_intervals(scored.rows, scored.windows, scored.models, SEASON, scored.intervals)
    for intervals in (scored.intervals, after):
        for calibration in intervals.calibrations.values():
            for array in (calibration.offsets, calibration.size, calibration.ranks, calibration.outcomes):
                assert np.isfinite(array).all()


def test_flat_functions_leave_out_what_was_not_observed() -> None:
    rng = np.random.default_rng(3)
    y, y_pred = rng.normal(5, 1, (2, 40, 3))
    holed = np.where(rng.random(y.shape) < 0.3, np.nan, y)
    seen = ~np.isnan(holed)
    for name in ("mae", "rmse", "smape", "wape", "bias"):
        assert getattr(flat, name)(holed, y_pred) == pytest.approx(getattr(flat, name)(y[seen], y_pred[seen]))
    low, high = y_pred - 1, y_pred + 1
    assert flat.coverage(holed, low, high) == pytest.approx(flat.coverage(y[seen], low[seen], high[seen]))
    assert winkler(holed, low, high, 0.8) == pytest.approx(winkler(y[seen], low[seen], high[seen], 0.8))
    quantiles = np.stack([low, y_pred, high], axis=-1)
    for score in (crps, weighted_quantile_loss):
        assert score(holed, quantiles, [0.1, 0.5, 0.9]) == pytest.approx(
            score(y[seen], quantiles[seen], [0.1, 0.5, 0.9])
        )
    last = rng.normal(5, 1, 40)
    right = (np.sign(holed - last[:, None]) == np.sign(y_pred - last[:, None]))[seen]
    assert directional_accuracy(holed, y_pred, last) == pytest.approx(100 * right.mean())
    assert np.isnan(flat.mae(np.full(3, np.nan), np.zeros(3)))
