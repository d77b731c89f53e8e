"""Scoring chunk by chunk against flat functions on whole arrays; the long table; what cannot be scored."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from forecast.choices.defaults import resolve
from forecast.commands.tables import print_scores
from forecast.config import Settings
from forecast.data.clock import Clock
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Prepared, forecasts_in_units, prepare
from forecast.data.split import TRAIN
from forecast.data.windows import Flags, Forecaster, Ints, precomputed
from forecast.evaluation import chunks, scoring
from forecast.evaluation import metrics as flat
from forecast.evaluation.calibrating import calibrate_intervals
from forecast.evaluation.metrics import (
    METRICS,
    Metric,
    PointForecast,
    bias,
    coverage,
    crps,
    directional_accuracy,
    interval_width,
    mae,
    mean,
    rmse,
    scaled_winkler,
    smape,
    wape,
    weighted_quantile_loss,
    winkler,
)
from forecast.evaluation.scoring import Evaluation, score_models
from forecast.evaluation.significance import diebold_mariano, p_values_by_step
from forecast.evaluation.yardstick import naive_errors, read_naive_errors
from forecast.intervals.conformal import Intervals, interval
from forecast.plots.footnotes import thinning_note
from forecast.plots.style import Labels
from forecast.plots.tables import score_table

# Scaled forecasts of windows by their first rows.
ScaledForecaster = Callable[[Ints], np.ndarray]

SEASON, LOOKBACK, HORIZON = 4, 6, 3

# The naive forecasts of series that are neither prices nor mostly zero.
STANDING = ("persistence", "seasonal-naive", "drift", "mean")


def make_panel(n_series: int = 2, n_rows: int = 90, seed: int = 0) -> Panel:
    """Hourly series with targets a and b and a covariate c; on different levels, so that a mix-up shows."""
    rng = np.random.default_rng(seed)
    values = rng.normal((10, 200, 0), 1, (n_series * n_rows, 3))
    values += 50 * np.repeat(np.arange(n_series), n_rows)[:, None]
    hours = pd.date_range("2021-03-01", periods=n_rows, freq="h").to_numpy().astype("datetime64[us]")
    return Panel(
        values=values,
        times=np.tile(hours, n_series),
        columns=("a", "b", "c"),
        clock=Clock("h"),
        series_ids=tuple(f"s{number}" for number in range(n_series)),
        offsets=tuple(range(0, (n_series + 1) * n_rows, n_rows)),
        units={"a": "m", "b": "m"},
    )


def make_ready(panel: Panel, **data: object) -> Prepared:
    chosen = {"target": ("a", "b"), "covariates": ("c",), "lookback": LOOKBACK, "horizon": HORIZON, "season": SEASON}
    chosen |= {"validation": 0.1, "test": 0.2}
    config, _ = resolve(Settings().replace(data={**chosen, **data}), panel)
    return prepare(panel, config)


def guesses(ready: Prepared, seed: int) -> ScaledForecaster:
    """A stand-in for a network: scaled forecasts that depend on nothing but the window's first row."""
    shape = (ready.rows.panel.n_rows, HORIZON, ready.rows.n_targets)
    scaled = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return lambda starts: scaled[starts]


def score(ready: Prepared, models: dict[str, ScaledForecaster] | None = None) -> Evaluation:
    training = ready.split.part_of(ready.rows.panel) == TRAIN
    yardsticks = naive_errors(ready.rows, training, SEASON)
    models = models or {"lstm": guesses(ready, 1), "rnn": guesses(ready, 2)}
    return score_models(ready.rows, ready.test, models_in_units(ready, models), SEASON, yardsticks)


def models_in_units(ready: Prepared, models: dict[str, ScaledForecaster]) -> dict[str, Forecaster]:
    def over(model: ScaledForecaster) -> Forecaster:
        return lambda starts: forecasts_in_units(model(starts), ready.rows, starts)

    return {name: over(model) for name, model in models.items()}


def calibrated(ready: Prepared, models: dict[str, Forecaster]) -> Intervals | None:
    yardsticks = naive_errors(ready.rows, ready.training_rows, SEASON)
    return calibrate_intervals(ready.rows, ready.validation, models, ready.config, yardsticks)


def in_units(ready: Prepared, model: ScaledForecaster) -> Floats:
    """Forecasts of every test window in the targets' units, by the definition of the scaler."""
    starts = ready.test.starts
    mean = ready.scaler.mean[ready.rows.series[starts], None, : ready.rows.n_targets]
    scale = ready.scaler.scale[ready.rows.series[starts], None, : ready.rows.n_targets]
    return model(starts).astype(np.float64) * scale + mean


def observed(ready: Prepared) -> Floats:
    values = ready.rows.panel.values[:, : ready.rows.n_targets]
    return np.stack([values[start + LOOKBACK : start + LOOKBACK + HORIZON] for start in ready.test.starts])


def direction(y_true: Floats, y_pred: Floats, last: Floats) -> float:
    """Of both targets below one another."""
    tall = [np.concatenate([values[:, :, 0], values[:, :, 1]]) for values in (y_true, y_pred)]
    return directional_accuracy(*tall, np.concatenate([last[:, 0], last[:, 1]]))


@pytest.fixture(params=[1, 25, 100, 2_000_000])
def any_chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows in chunks of one, of four, of sixteen, and all at once."""
    monkeypatch.setattr(chunks, "_POINTS_AT_ONCE", request.param)


@pytest.mark.usefixtures("any_chunk")
def test_scores_are_those_of_the_whole_arrays() -> None:
    ready = make_ready(make_panel())
    assert len(ready.test) == 32  # the last 20 % of 90 hours hold 16 horizons of 3, in each of two series
    metrics = score(ready).metrics
    y_true, series = observed(ready), ready.rows.series[ready.test.starts]
    forecasts = {"lstm": in_units(ready, guesses(ready, 1)), "rnn": in_units(ready, guesses(ready, 2))}
    values = ready.rows.panel.values[:, :2]
    cutoffs = ready.test.starts + LOOKBACK - 1
    forecasts["persistence"] = np.stack([np.tile(values[row], (HORIZON, 1)) for row in cutoffs])
    forecasts["seasonal-naive"] = np.stack([values[row - 3 : row] for row in cutoffs])  # one season of 4 before
    forecasts["drift"] = np.stack(
        [
            [values[row] + step * (values[row] - values[row - 5]) / 5 for step in (1, 2, 3)]  # from first to last seen
            for row in cutoffs
        ]
    )
    learned = np.stack([values[90 * s : 90 * s + 63].mean(axis=0) for s in range(2)])
    forecasts["mean"] = np.repeat(learned[series][:, None], HORIZON, axis=1)
    apart = [[values[90 * s + t] - values[90 * s + t - SEASON] for t in range(SEASON, 63)] for s in range(2)]
    yardstick = np.abs(apart).mean(axis=1)  # of each series and target, over its 63 training rows
    squared = np.square(apart).mean(axis=1)
    assert metrics["n_windows"] == 32
    assert list(metrics["models"]) == list(forecasts)
    for name, y_pred in forecasts.items():
        scaled_errors = np.abs(y_true - y_pred) / yardstick[series][:, None]
        found = {figure: math.nan if value is None else value for figure, value in metrics["models"][name].items()}
        assert found == pytest.approx(
            {
                "mae": mae(y_true, y_pred),
                "rmse": rmse(y_true, y_pred),
                "smape": smape(y_true, y_pred),
                "mase": scaled_errors.mean(),
                "rmsse": np.sqrt((np.square(y_true - y_pred) / squared[series][:, None]).mean()),
                "wape": wape(y_true, y_pred),
                "bias": bias(y_true, y_pred),
                "directional_accuracy": direction(y_true, y_pred, values[cutoffs]),
            },
            rel=1e-9,
            nan_ok=True,
        )
        assert metrics["by_step"][name] == pytest.approx(
            [mae(y_true[:, step], y_pred[:, step]) for step in range(HORIZON)], rel=1e-12
        )
        for number in range(2):
            for target, column in enumerate("ab"):
                own = series == number
                assert metrics["by_series"][f"s{number}/{column}"][name] == pytest.approx(
                    mae(y_true[own][:, :, target], y_pred[own][:, :, target]), rel=1e-12
                )
    for name in ("rnn", "persistence", "seasonal-naive"):
        # Over several series and targets, of errors in units of the yardstick: MASE.
        expected = 1 - metrics["models"]["lstm"]["mase"] / metrics["models"][name]["mase"]
        assert metrics["skill"][name] == pytest.approx(expected, rel=1e-12)
    assert metrics["skill_of"] == "MASE"
    assert "(MASE " in metrics["verdict"]
    assert set(metrics["skill"]) == set(metrics["p_value"]) == set(forecasts) - {"lstm"}
    for number in range(2):
        for target, column in enumerate("ab"):
            of_one = {"mae": yardstick[number, target], "rmse": squared[number, target] ** 0.5}
            assert metrics["naive_error"][f"s{number}/{column}"] == pytest.approx(of_one)


@pytest.mark.usefixtures("any_chunk")
def test_origins_at_the_same_time_count_once_in_the_test_of_luck() -> None:
    ready = make_ready(make_panel())
    metrics = score(ready).metrics
    y_true = observed(ready)
    naive_error = metrics["naive_error"]
    yardstick = np.array([[naive_error[f"s{number}/{column}"]["mae"] for column in "ab"] for number in range(2)])
    losses = {}
    for name, seed in (("lstm", 1), ("rnn", 2)):
        error = np.abs(y_true - in_units(ready, guesses(ready, seed)))
        by_window = (error / yardstick[ready.rows.series[ready.test.starts]][:, None, :]).mean(axis=(1, 2))
        losses[name] = by_window.reshape(2, 16).mean(axis=0)  # the two series, at the same 16 times
    expected = diebold_mariano(losses["lstm"], losses["rnn"], HORIZON)
    assert metrics["p_value"]["rnn"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("minutes", [1, 2, 30, 59])
def test_series_that_tick_at_other_minutes_of_the_hour_share_their_origins(minutes: int) -> None:
    aligned = make_panel()
    times = aligned.times.copy()
    times[90:] += np.timedelta64(minutes, "m")
    shifted = score(make_ready(replace(aligned, times=times))).metrics
    together = score(make_ready(aligned)).metrics
    for figure in ("p_value", "skill_interval", "p_by_step"):
        assert shifted[figure]["rnn"] == pytest.approx(together[figure]["rnn"])


@pytest.mark.usefixtures("any_chunk")
def test_the_long_table_says_what_was_forecast_of_what_from_where() -> None:
    ready = make_ready(make_panel())
    frame = score(ready).forecasts
    assert list(frame) == ["unique_id", "ds", "cutoff", "y", "lstm", "rnn", *STANDING]
    assert len(frame) == 32 * HORIZON * 2
    assert frame.equals(frame.sort_values(["unique_id", "cutoff", "ds"], kind="stable", ignore_index=True))
    truth = {
        (f"s{s}/{column}", time): ready.rows.panel.values[90 * s + t, d]
        for s in range(2)
        for d, column in enumerate("ab")
        for t, time in enumerate(pd.date_range("2021-03-01", periods=90, freq="h"))
    }
    steps = (frame["ds"] - frame["cutoff"]) / pd.Timedelta("1h")
    assert steps.tolist() == [1, 2, 3] * 64
    for row in frame.itertuples():
        assert row.y == truth[row.unique_id, row.ds]
        assert row.persistence == truth[row.unique_id, row.cutoff]
    y_pred = in_units(ready, guesses(ready, 1))
    own = frame[frame["unique_id"] == "s1/b"]
    assert own["lstm"].to_numpy() == pytest.approx(y_pred[16:, :, 1].reshape(-1), rel=1e-12)


@pytest.mark.usefixtures("any_chunk")
def test_a_table_that_would_be_too_long_keeps_evenly_spaced_origins(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = make_ready(make_panel(n_series=1))
    whole = score(ready)
    monkeypatch.setattr(scoring, "_ROWS_OF_FORECASTS", 40)
    part = score(ready)
    # 16 windows of 6 points are 96 rows; every third window gives 6 × 6 = 36.
    assert part.metrics["forecasts_every"] == 3
    assert thinning_note(part.metrics) == ", of one origin in 3: all would be more than a million rows"
    assert thinning_note(whole.metrics) == ""
    assert part.metrics == whole.metrics | {"forecasts_every": 3}
    cutoffs = whole.forecasts["cutoff"].unique()[::3]
    expected = whole.forecasts[whole.forecasts["cutoff"].isin(cutoffs)].reset_index(drop=True)
    pd.testing.assert_frame_equal(part.forecasts, expected, check_dtype=False)


def test_a_new_metric_is_one_entry_and_stands_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    worst = Metric("worst", "share of errors above 1", formula="", unit="target", parts=(is_large,), pool=mean)
    monkeypatch.setitem(METRICS, "large", worst)
    ready = make_ready(make_panel(n_series=1))
    found = score(ready).metrics
    y_true, y_pred = observed(ready), in_units(ready, guesses(ready, 1))
    expected = np.mean(np.abs(y_pred - y_true) > 1)
    assert found["models"]["lstm"]["large"] == pytest.approx(expected)
    assert flat.large(y_true, y_pred) == pytest.approx(expected)
    page = score_table(found, Labels("", "", "m", Clock("h"), "lstm", "rnn"))
    console = Console(width=120, record=True)
    for module in ("tables", "console"):
        monkeypatch.setattr(f"forecast.commands.{module}.out", console)
    print_scores(found, "title")
    assert "worst m" in page.columns
    assert "worst m" in console.export_text()


def is_large(forecast: PointForecast) -> Flags:
    large: Flags = np.abs(forecast.error) > 1
    return large


def test_a_new_metric_that_is_undefined_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    never = Metric(
        "never", "", formula="", unit="ratio", parts=(), pool=lambda points: 1, undefined=lambda points: "no"
    )
    monkeypatch.setitem(METRICS, "never", never)
    found = score(make_ready(make_panel(n_series=1))).metrics
    assert found["models"]["drift"]["never"] is None
    assert found["reasons"]["models.drift.never"] == "no"


def test_intervals_of_unlike_units_are_scored_in_units_of_the_naive_error_alone() -> None:
    ready = make_ready(replace(make_panel(n_rows=300), units={"a": "m", "b": "s"}))
    models = models_in_units(ready, {"lstm": guesses(ready, 1)})
    intervals = calibrated(ready, models)
    yardsticks = naive_errors(ready.rows, ready.training_rows, SEASON)
    found = score_models(ready.rows, ready.test, models, SEASON, yardsticks, intervals).metrics
    of_model = found["intervals"]["models"]["lstm"]
    assert of_model["crps"] is None
    assert of_model["wql"] is None
    assert of_model["80"]["width"] is None
    assert of_model["80"]["winkler"] is None
    assert of_model["80"]["scaled_winkler"] > of_model["scaled_crps"] > 0
    assert set(of_model["80"]["coverage_by_series"]) == {"s0/a", "s0/b", "s1/a", "s1/b"}
    assert "one unit" in found["reasons"]["intervals.models.lstm.80.winkler"]


def test_series_that_borrow_the_errors_of_others_are_listed() -> None:
    ready = make_ready(make_panel(n_rows=300))
    models = models_in_units(ready, {"lstm": guesses(ready, 1)})
    intervals = calibrated(ready, models)
    assert intervals is not None
    yardsticks = naive_errors(ready.rows, ready.training_rows, SEASON)
    borrowing = replace(
        intervals,
        calibrations={
            name: replace(one, borrowed=np.array([False, name == "lstm"]))
            for name, one in intervals.calibrations.items()
        },
    )
    found = score_models(ready.rows, ready.test, models, SEASON, yardsticks, borrowing).metrics["intervals"]["models"]
    assert found["lstm"]["borrowed"] == ["s1/a", "s1/b"]
    assert "borrowed" not in found["persistence"]


def test_series_without_a_scale_are_listed_and_the_others_are_pooled() -> None:
    def still_while_training(values: Floats) -> None:
        values[:63, 0] = 7  # the first of two series, and of two targets

    ready = make_ready(changed(make_panel(), still_while_training))
    metrics = score(ready).metrics
    assert metrics["unscaled"] == ["s0/a"]
    assert "unscaled" not in score(make_ready(make_panel())).metrics
    y_true, y_pred = observed(ready), in_units(ready, guesses(ready, 1))
    series = ready.rows.series[ready.test.starts]
    errors = [
        np.abs(y_true - y_pred)[series == s][:, :, d].mean() / metrics["naive_error"][f"s{s}/{'ab'[d]}"]["mae"]
        for s, d in ((0, 1), (1, 0), (1, 1))
    ]
    assert metrics["models"]["lstm"]["mase"] == pytest.approx(np.mean(errors))


def test_a_value_that_makes_the_yardstick_is_told_with_the_mase_without_it() -> None:
    def spike(values: Floats) -> None:
        values[30, 1] = 5000.0

    ready = make_ready(changed(make_panel(n_series=1), spike), target=("b",))
    metrics = score(ready).metrics
    y = ready.rows.panel.values[:63, 0]
    differences = np.abs(y[SEASON:] - y[:-SEASON])
    without = np.delete(differences, [30 - SEASON, 30]).mean()
    note = metrics["yardstick"]["s0"]
    assert (note["value"], note["time"]) == (5000.0, "2021-03-02T06:00:00")
    assert note["share"] == pytest.approx(1 - without * (len(differences) - 2) / differences.sum())
    assert note["mase"] == pytest.approx(metrics["models"]["lstm"]["mase"])
    assert note["mase_without"] == pytest.approx(metrics["models"]["lstm"]["mae"] / without)
    assert read_naive_errors(metrics) == naive_errors(ready.rows, ready.training_rows, SEASON)
    assert "yardstick" not in score(make_ready(make_panel())).metrics


def test_one_series_and_target_has_no_scores_by_series() -> None:
    metrics = score(make_ready(make_panel(n_series=1), target=("b",))).metrics
    assert "by_series" not in metrics
    assert metrics["unit"] == "m"
    assert list(metrics["naive_error"]) == ["s0"]


@pytest.mark.parametrize(("units", "expected"), [({"a": "m", "b": "m"}, "m"), ({"a": "m", "b": "s"}, ""), ({}, "")])
def test_a_unit_is_stated_when_all_targets_share_it(units: dict[str, str], expected: str) -> None:
    assert score(make_ready(replace(make_panel(), units=units))).metrics["unit"] == expected


def changed(panel: Panel, change: Callable[[Floats], None]) -> Panel:
    values = panel.values.copy()
    change(values)
    return replace(panel, values=values)


def test_perfect_references_give_null_and_a_reason() -> None:
    def still(values: Floats) -> None:
        values[:, :2] = 7

    metrics = score(make_ready(changed(make_panel(), still))).metrics
    json.dumps(metrics, allow_nan=False)
    assert metrics["skill"] == {
        "rnn": metrics["skill"]["rnn"],
        "persistence": None,
        "seasonal-naive": None,
        "drift": None,
        "mean": None,
    }
    still = metrics["models"]["persistence"]
    assert still == {"mae": 0, "rmse": 0, "mase": None, "rmsse": None, "smape": 0, "wape": 0, "bias": 0} | {
        "directional_accuracy": None
    }
    assert metrics["models"]["lstm"]["mase"] is None
    assert {"models.lstm.mase", "models.persistence.mase", "skill.persistence", "skill.seasonal-naive"} <= set(
        metrics["reasons"]
    )
    assert metrics["reasons"]["skill.persistence"] == "persistence makes no error here"
    assert metrics["naive_error"] == {f"s{n}/{target}": {"mae": 0, "rmse": 0} for n in range(2) for target in "ab"}
    assert "no skill can be measured" in metrics["verdict"]


def test_errors_of_rounding_are_no_errors() -> None:
    def cycle(values: Floats) -> None:
        values[:, 0] = 7.1 * np.resize([1, 3, 2, 0], len(values))  # its mean by phase is exact but for rounding
        values[:, 1] *= 1e-15  # small values are none

    ready = make_ready(changed(make_panel(n_series=1), cycle))
    truth = observed(ready)[..., 0]
    almost = in_units(ready, guesses(ready, 1))
    almost[..., 0] = truth * (1 + 3e-16) + 1e-15
    models: dict[str, Forecaster] = {"lstm": precomputed(ready.test, almost)}
    yardsticks = naive_errors(ready.rows, ready.training_rows, SEASON)
    found = score_models(ready.rows, ready.test, models, SEASON, yardsticks)
    for name in ("lstm", "seasonal-naive", "seasonal-mean"):
        assert found.metrics["by_series"]["s0/a"][name] == 0
        assert found.metrics["by_series"]["s0/b"][name] > 0
    of_b = smape(observed(ready)[..., 1], almost[..., 1])
    assert found.metrics["models"]["lstm"]["smape"] == pytest.approx(of_b / 2)


def test_mase_without_a_yardstick_is_null_and_says_why() -> None:
    def still_while_training(values: Floats) -> None:
        values[:63, :2] = 7

    metrics = score(make_ready(changed(make_panel(n_series=1), still_while_training))).metrics
    assert {name: scores["mase"] for name, scores in metrics["models"].items()} == dict.fromkeys(metrics["models"])
    assert "4 steps apart never differ" in metrics["reasons"]["models.lstm.mase"]
    assert "unscaled" not in metrics  # skill is measured by MAE, and leaves nothing out
    assert all(isinstance(scores["mae"], float) for scores in metrics["models"].values())
    assert isinstance(metrics["skill"]["persistence"], float)


def test_mase_is_pooled_over_the_series_that_have_a_yardstick() -> None:
    def first_still_while_training(values: Floats) -> None:
        values[:63, :2] = 7

    ready = make_ready(changed(make_panel(), first_still_while_training))
    metrics = score(ready).metrics
    y_true, y_pred = observed(ready), in_units(ready, guesses(ready, 1))
    values = ready.rows.panel.values
    second = ready.rows.series[ready.test.starts] == 1
    yardstick = np.abs(values[94:153, :2] - values[90:149, :2]).mean(axis=0)
    expected = (np.abs(y_true - y_pred)[second] / yardstick).mean()
    assert metrics["models"]["lstm"]["mase"] == pytest.approx(expected, rel=1e-12)


def test_few_origins_leave_the_p_value_open() -> None:
    ready = make_ready(make_panel(n_series=1, n_rows=50), target=("a",))  # 10 test rows hold 8 windows
    assert isinstance(score(ready).metrics["p_value"]["rnn"], float)
    ready = make_ready(make_panel(n_series=1, n_rows=45), target=("a",))  # 9 rows, 7 windows
    metrics = score(ready).metrics
    assert metrics["p_value"] == dict.fromkeys(("rnn", *STANDING))
    assert metrics["reasons"]["p_value.rnn"] == "fewer than eight origins"
    assert "too few windows to test" in metrics["verdict"]


def test_a_series_without_a_test_window_is_left_out_by_name() -> None:
    panel = make_panel()
    kept = np.r_[0:90, 90:160]  # the second series ends before the test span
    short = replace(panel, values=panel.values[kept], times=panel.times[kept], offsets=(0, 90, 160))
    metrics = score(make_ready(short, test_from="2021-03-04T00:00", validation_from="2021-03-03T00:00")).metrics
    assert set(metrics["by_series"]) == {"s0/a", "s0/b"}
    json.dumps(metrics, allow_nan=False)


def test_windows_with_a_missing_target_are_not_scored_and_the_others_are() -> None:
    def hole(values: Floats) -> None:
        values[80, 0] = math.nan

    ready = make_ready(changed(make_panel(n_series=1), hole))
    metrics = score(ready).metrics
    assert metrics["n_windows"] == 16 - HORIZON  # those whose horizon holds the hole
    json.dumps(metrics, allow_nan=False)


def test_the_order_of_models_decides_who_is_judged() -> None:
    ready = make_ready(make_panel())
    models: dict[str, ScaledForecaster] = {"gru": guesses(ready, 3)}
    metrics = score(ready, models).metrics
    assert metrics["model"] == "gru"
    assert "rnn" not in metrics["skill"]
    assert metrics["verdict"].count("gru") == 1


def test_every_window_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = make_ready(make_panel())
    monkeypatch.setattr(chunks, "_POINTS_AT_ONCE", 30)
    asked: list[Ints] = []

    def note(starts: Ints) -> np.ndarray:
        asked.append(starts)
        return guesses(ready, 1)(starts)

    score(ready, {"lstm": note})
    assert max(len(starts) for starts in asked) == 5  # 30 points are five windows of 3 × 2
    assert np.concatenate(asked).tolist() == ready.test.starts.tolist()


def test_intervals_are_scored_as_the_flat_metrics_score_them() -> None:
    ready = make_ready(make_panel(n_rows=300))
    models = models_in_units(ready, {"lstm": guesses(ready, 1)})
    intervals = calibrated(ready, models)
    assert intervals is not None
    yardsticks = naive_errors(ready.rows, ready.training_rows, SEASON)
    still = replace(intervals, adaptive=False)
    evaluation = score_models(ready.rows, ready.test, models, SEASON, yardsticks, still)
    y_true, y_pred = observed(ready), in_units(ready, guesses(ready, 1))
    series = ready.rows.series[ready.test.starts]
    one = intervals.calibrations["lstm"]
    fan = one.quantiles(y_pred, one.offsets_of(series))
    found = evaluation.metrics["intervals"]["models"]["lstm"]
    for level in (80, 95):
        low, high = interval(fan, one.probabilities, level)
        assert found[str(level)]["coverage"] == pytest.approx(coverage(y_true, low, high))
        assert found[str(level)]["width"] == pytest.approx(interval_width(low, high))
        assert found[str(level)]["winkler"] == pytest.approx(winkler(y_true, low, high, level / 100))
        by_step = [coverage(y_true[:, step], low[:, step], high[:, step]) for step in range(HORIZON)]
        assert found[str(level)]["coverage_by_step"] == pytest.approx(by_step)
        by_series, scaled = {}, np.zeros(y_true.shape)
        for s, target in itertools.product(range(2), range(2)):
            own, name = series == s, f"s{s}/{'ab'[target]}"
            one_of = [values[own][:, :, target] for values in (y_true, low, high)]
            by_series[name] = coverage(*one_of)
            scaled[own, :, target] = scaled_winkler(*one_of, level / 100, yardsticks[name].mae)
        assert found[str(level)]["coverage_by_series"] == pytest.approx(by_series)
        assert found[str(level)]["scaled_winkler"] == pytest.approx(scaled.mean())
    tenths = [number / 10 for number in range(1, 10)]
    deciles = fan[..., [one.probabilities.index(p) for p in tenths]]
    assert found["crps"] == pytest.approx(crps(y_true, deciles, tenths))
    for s, target in itertools.product(range(2), range(2)):
        own = crps(y_true[series == s][..., target], deciles[series == s][:, :, target], tenths)
        assert evaluation.metrics["crps_by_series"][f"s{s}/{'ab'[target]}"] == {"lstm": pytest.approx(own)}
    scales = np.array([[yardsticks[f"s{number}/{column}"].mae for column in "ab"] for number in range(2)])[series]
    assert found["scaled_crps"] == pytest.approx(
        crps(y_true / scales[:, None], deciles / scales[:, None, :, None], tenths)
    )
    assert found["wql"] == pytest.approx(weighted_quantile_loss(y_true, deciles, tenths))
    frame = evaluation.forecasts
    ends = [f"lstm-{end}-{level}" for level in (80, 95) for end in ("lo", "hi")]
    assert list(frame)[4:] == ["lstm", *STANDING, *ends]
    assert ((frame["lstm-lo-95"] <= frame["lstm-lo-80"]) & (frame["lstm-lo-80"] <= frame["lstm"])).all()


def test_chunks_change_no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = make_ready(make_panel(n_rows=200))
    models = models_in_units(ready, {"lstm": guesses(ready, 1)})
    intervals = calibrated(ready, models)
    yardsticks = naive_errors(ready.rows, ready.training_rows, SEASON)
    found = []
    for points in (2_000_000, 3_000, 1):
        monkeypatch.setattr(chunks, "_POINTS_AT_ONCE", points)
        found.append(score_models(ready.rows, ready.test, models, SEASON, yardsticks, intervals))
    for other in found[1:]:
        pd.testing.assert_frame_equal(found[0].forecasts, other.forecasts)
        for one, two in zip(
            found[0].intervals.calibrations.values(), other.intervals.calibrations.values(), strict=True
        ):
            assert (one.offsets == two.offsets).all()
            assert one.size == pytest.approx(two.size)


def test_a_span_of_few_windows_gives_no_interval() -> None:
    ready = make_ready(make_panel(n_series=1, n_rows=50), target=("a",))
    models = models_in_units(ready, {"lstm": guesses(ready, 1)})
    assert len(ready.validation) == 3
    assert calibrated(ready, models) is None
    wide = make_ready(make_panel(n_rows=300))
    none = replace(wide, config=wide.config.replace(intervals={"levels": "none"}))
    assert calibrated(none, models_in_units(none, {})) is None


def test_steps_are_tested_on_evenly_spaced_origins_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = make_ready(make_panel(n_series=1, n_rows=400), target=("a",))
    monkeypatch.setattr(scoring, "_STEPS_TESTED", 80)  # of 78 windows of three steps, every third
    metrics = score(ready).metrics
    y_true = observed(ready)
    losses = [np.abs(y_true - in_units(ready, guesses(ready, seed)))[::3, :, 0] for seed in (1, 2)]
    assert metrics["p_by_step"]["rnn"] == pytest.approx(p_values_by_step(*losses, spacing=3).tolist())
    gains = 1 - losses[0].mean(axis=0) / losses[1].mean(axis=0)
    assert metrics["skill_by_step"]["rnn"] == pytest.approx(gains.tolist())


def test_skill_lies_in_its_interval_also_where_series_are_of_unequal_length() -> None:
    # A long series on which the model wins, and many short ones, all at the same late times, on which it loses.
    rng = np.random.default_rng(0)
    lengths = [900, *[220] * 5]
    hours = pd.date_range("2021-03-01", periods=900, freq="h").to_numpy().astype("datetime64[us]")
    panel = Panel(
        values=rng.normal(10, 1, (sum(lengths), 3)),
        times=np.concatenate([hours[-length:] for length in lengths]),
        columns=("a", "b", "c"),
        clock=Clock("h"),
        series_ids=tuple(f"s{number}" for number in range(len(lengths))),
        offsets=(0, *np.cumsum(lengths).tolist()),
    )
    ready = make_ready(panel, target=("a",), covariates=())
    size = np.where(np.arange(len(lengths)) == 0, 0.5, 3.0)
    noise = rng.normal(size=(panel.n_rows, HORIZON, 1))
    own = size[ready.rows.series][:, None, None] * noise
    models: dict[str, ScaledForecaster] = {
        "lstm": lambda starts: own[starts].astype(np.float32),
        "rnn": lambda starts: noise[starts].astype(np.float32) * 1.2,
    }
    metrics = score(ready, models).metrics
    for name, gain in metrics["skill"].items():
        low, high = metrics["skill_interval"][name]
        assert low < gain < high
        expected = 1 - metrics["models"]["lstm"]["mase"] / metrics["models"][name]["mase"]
        assert gain == pytest.approx(expected)


def test_the_same_cut_offs_of_all_series_are_tested_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = make_ready(make_panel(n_rows=405), target=("a",))
    monkeypatch.setattr(scoring, "_STEPS_TESTED", 80)  # of 79 cut-offs of three steps, every third
    metrics = score(ready).metrics
    y_true, series = observed(ready), ready.rows.series[ready.test.starts]
    yardstick = np.array([metrics["naive_error"][f"s{number}"]["mae"] for number in range(2)])
    losses = []
    for seed in (1, 2):
        error = np.abs(y_true - in_units(ready, guesses(ready, seed)))[:, :, 0] / yardstick[series][:, None]
        losses.append(error.reshape(2, -1, HORIZON).mean(axis=0)[::3])
    assert metrics["p_by_step"]["rnn"] == pytest.approx(p_values_by_step(*losses, spacing=3).tolist())


def test_a_line_that_falls_below_zero_does_not_break_logarithms() -> None:
    panel = make_panel(n_series=1, n_rows=400)
    values = 50 + 45 * np.sin(np.arange(400) / 4)[:, None] + np.zeros((400, 3))
    ready = make_ready(replace(panel, values=values), target=("a",), covariates=(), transform="log", horizon=14)
    assert ready.rows.logged
    models = models_in_units(ready, {"lstm": lambda starts: np.zeros((len(starts), 14, 1), np.float32)})
    intervals = calibrated(ready, models)
    yardsticks = naive_errors(ready.rows, ready.training_rows, SEASON)
    evaluation = score_models(ready.rows, ready.test, models, SEASON, yardsticks, intervals)
    json.dumps(evaluation.metrics, allow_nan=False)
    assert (evaluation.forecasts["drift"] > 0).all()


def test_a_yardstick_that_rests_on_one_value_hides_no_move() -> None:
    def with_outlier(values: Floats) -> None:
        values[20, 0] = 1e7  # a thousandth of a naive error of 3e5 is more than any step

    panel = make_panel(n_series=1)
    broken = score(make_ready(changed(panel, with_outlier), target=("a",))).metrics
    whole = score(make_ready(panel, target=("a",))).metrics
    for name in ("persistence", "seasonal-naive"):
        assert broken["models"][name]["directional_accuracy"] == whole["models"][name]["directional_accuracy"]


def test_without_a_season_nothing_is_said_of_earlier_ones() -> None:
    panel = make_panel(n_series=1)
    panel.values[82:84] = np.nan
    ready = make_ready(panel, least_observed=0.5)
    yardsticks = naive_errors(ready.rows, ready.split.part_of(ready.rows.panel) == TRAIN, SEASON)
    models = models_in_units(ready, {"lstm": guesses(ready, 1)})
    found = [score_models(ready.rows, ready.test, models, season, yardsticks).metrics for season in (SEASON, 1)]
    assert ["seasonal_naive" in metrics for metrics in found] == [True, False]
