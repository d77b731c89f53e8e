"""Forecaster: what scikit-learn asks of a model, and that it forecasts and scores as the functions do."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

import forecast
from forecast import ConfigError, DataError, Forecaster, RunError
from forecast.forecaster import _joined

SMALL = {"units": 4, "lookback": 6, "epochs": 1, "steps_per_epoch": 2, "normalise": "none", "baseline": False}


def small(**changed: object) -> Forecaster:
    return Forecaster("lstm", 3, **{**SMALL, **changed})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def fitted(monthly: pd.DataFrame) -> Forecaster:
    return small().fit(monthly[:180])


def test_parameters_are_read_changed_and_cloned() -> None:
    model = small(target="y")
    assert model.get_params()["units"] == 4
    assert model.set_params(units=8, horizon=5) is model
    assert (model.horizon, model.settings["units"]) == (5, 8)
    again = clone(model)
    assert again is not model
    assert repr(again) == repr(model)
    with pytest.raises(ConfigError, match="no setting 'unit'"):
        model.set_params(unit=3)
    with pytest.raises(ConfigError, match="horizon: must be"):
        model.set_params(horizon=0)
    assert repr(clone(model)) == repr(model)  # a refused change changes nothing


def test_it_forecasts_as_predict_does(fitted: Forecaster, monthly: pd.DataFrame) -> None:
    later = monthly[100:190]
    pd.testing.assert_frame_equal(fitted.predict(), fitted.run_.forecast)
    pd.testing.assert_frame_equal(fitted.predict(later), forecast.predict(fitted.run_, later))
    assert [name for name in fitted.predict(levels=[80]) if "-lo-" in name] == ["lstm-lo-80"]
    assert not [name for name in fitted.predict(later, levels=()) if "-lo-" in name]
    with pytest.raises(ConfigError, match=r"no intervals of 50%") as caught:
        fitted.predict(levels=[50])
    assert caught.value.allowed == ("80", "95")


def test_the_score_is_of_the_forecasts_for_the_new_rows_alone(fitted: Forecaster, monthly: pd.DataFrame) -> None:
    run, new = fitted.run_, monthly[180:184]
    errors = []
    for cutoff in (180, 181):  # the horizon is three: rows 180 to 182, and 181 to 183
        found = forecast.predict(run, monthly[:cutoff])["lstm"].to_numpy()
        errors.append(np.abs(found - monthly["y"].to_numpy()[cutoff : cutoff + 3]).mean())
    naive = run.metrics["models"]["persistence"]
    divisor = naive["mae"] / naive["mase"]
    assert fitted.score(new) == pytest.approx(-np.mean(errors) / divisor)
    assert fitted.score() == -run.metrics["models"]["lstm"]["mase"]
    with pytest.raises(DataError, match=r"needs 3 steps after those of the fit\. Received: 2"):
        fitted.score(monthly[180:182])


@pytest.mark.usefixtures("two_steps")
def test_slices_of_an_array_follow_each_other(monthly: pd.DataFrame) -> None:
    y = monthly["y"].to_numpy()
    model = small().fit(y[:180])
    assert set(model.predict()) >= {"ds", "lstm"}  # arrays came in
    assert model.predict()["ds"].tolist() == [180, 181, 182]
    whole = forecast.backtest(model.run_, new_rows=y, windows=18).metrics
    assert model.score(y[180:]) == -whole["models"]["lstm"]["mase"]
    assert model.score(y) == model.score(y[180:])  # the rows of the fit are not scored again


@pytest.mark.parametrize("begins", [0, 150, 180])
def test_rows_of_the_fit_are_not_scored_whatever_new_rows_begin_with(begins: int) -> None:
    rows = pd.DataFrame({"y": np.random.default_rng(0).normal(size=200)}).rename_axis("step")
    joined = _joined(rows[:180], rows[begins:])
    pd.testing.assert_frame_equal(joined, rows)  # type: ignore[arg-type]


def test_its_run_is_there_as_long_as_somebody_holds_it(monthly: pd.DataFrame, fitted: Forecaster) -> None:
    copied = pickle.loads(pickle.dumps(fitted))
    pd.testing.assert_frame_equal(copied.predict(), fitted.predict())
    run, folder = copied.run_, copied.run_.path
    assert folder != fitted.run_.path
    del copied
    gc.collect()
    assert run.metrics["n_windows"]
    del run
    gc.collect()
    assert not folder.exists()


@pytest.mark.usefixtures("two_steps")
def test_a_search_over_time_finds_what_scores_best(monthly: pd.DataFrame) -> None:
    folds = list(TimeSeriesSplit(n_splits=2, test_size=12).split(monthly))[1:]
    search = GridSearchCV(small(), {"lookback": [6, 12]}, cv=folds, refit=False).fit(monthly)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert search.best_params_ == {"lookback": [6, 12][int(np.argmax(scores))]}


@pytest.mark.usefixtures("no_plots", "two_steps")
def test_a_named_run_is_kept(monthly: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORECAST_RUNS", str(tmp_path))
    model = small(run="kept").fit(monthly)
    assert forecast.find("kept").path == tmp_path / "kept"
    assert pickle.loads(pickle.dumps(model)).run_ == model.run_


def test_what_does_not_fit_is_refused(monthly: pd.DataFrame) -> None:
    with pytest.raises(RunError, match="has learned nothing yet"):
        small().predict()
    fit: Callable[..., Forecaster] = small().fit
    with pytest.raises(ConfigError, match="a column of the frame"):
        fit(monthly[["ds"]], monthly["y"])
