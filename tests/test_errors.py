"""What a program reads of an error: the setting, what was received, what is allowed, what to do next."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pandas as pd
import pytest

import forecast
from forecast import ForecastError
from forecast.errors import ConfigError, DataError, setting
from forecast.models.catalogue import MODELS

SERIES = pd.DataFrame({"ds": pd.date_range("2026-01-01", periods=3), "y": [1.0, 2.0, 3.0]})


def _resolve(**settings: object) -> Callable[[], object]:
    days = pd.DataFrame({"ds": pd.date_range("2024", periods=60), "a": range(60), "b": range(60)})
    return lambda: forecast.resolve(forecast.configure(settings), forecast.read(days))


def _read(**options: object) -> Callable[[], object]:
    return lambda: forecast.read(SERIES, forecast.ReadOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        (lambda: forecast.configure(model="lsmt"), ("model", "lsmt", tuple(MODELS))),
        (lambda: forecast.configure(lookback=0), ("lookback", 0, ("greater than or equal to 1",))),
        (lambda: forecast.configure(units=(8, 0)), ("units", 0, ("greater than or equal to 1",))),
        (lambda: forecast.configure(schedule="step"), ("schedule", "step", ("cosine", "constant"))),
        (lambda: forecast.ReadOptions(freqq="h"), ("freqq", "h", ())),  # type: ignore[call-arg]
        (
            lambda: forecast.ReadOptions(aggregate="men"),
            ("aggregate", "men", ("mean", "duration", "sum", "last", "max", "min")),
        ),  # type: ignore[arg-type]
        (_resolve(target="c"), ("target", "c", ("a", "b"))),
        (_resolve(target="a", covariates="c"), ("covariates", "c", ("a", "b"))),
        (_resolve(target="a", known="c"), ("known", "c", ("a", "b"))),
        (_resolve(target="a", static="c"), ("static", "c", ("a", "b"))),
        (lambda: forecast.read(5), ("source", None, ())),  # type: ignore[arg-type]
        (lambda: forecast.read("weather", forecast.ReadOptions(freq="h")), ("freq", "h", ())),
        (lambda: forecast.configure(validation=0.5, test=0.5), (None, None, ())),
        (_read(time_column="day"), ("time_column", "day", ("ds", "y"))),
        (_read(series_id="shop"), ("series_id", "shop", ("ds", "y"))),
        (_read(columns="x"), ("columns", "x", ("ds", "y"))),
        (lambda: forecast.find("none", runs_dir="nowhere"), ("run", "none", ())),  # type: ignore[arg-type]
        (lambda: forecast.read("wether"), ("source", "wether", tuple(forecast.DATASETS))),
    ],
)
def test_an_error_has_what_is_wrong_as_fields(wrong: Callable[[], object], fields: tuple[object, ...]) -> None:
    with pytest.raises(ForecastError) as caught:
        wrong()
    error = caught.value
    assert (error.setting, error.value, error.allowed) == fields
    assert error.message


def test_a_setting_that_does_not_exist_is_named_with_all_that_do() -> None:
    with pytest.raises(ConfigError) as caught:
        forecast.configure(lokback=3)
    assert (caught.value.setting, caught.value.value) == ("lokback", 3)
    assert "lookback" in caught.value.allowed


def test_the_setting_is_the_first_that_the_message_or_else_the_advice_names() -> None:
    assert DataError("Too short.", f"Give {setting('horizon', 3)} or {setting('lookback', 8)}.").setting == "horizon"
    assert DataError(f"{setting('tz')} is unknown.", f"Give {setting('horizon', 3)}.").setting == "tz"
    assert DataError("Too short.", "Give more rows.").setting is None


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_a_copy_has_the_same_fields(copied: Callable[[ForecastError], ForecastError]) -> None:
    error = ConfigError("Wrong.", "Do this.", setting="model", value="x", allowed=["lstm"])
    found = copied(error)
    assert (type(found), str(found), vars(found)) == (ConfigError, "Wrong.\nDo this.", vars(error))


def test_an_error_is_the_same_document_everywhere() -> None:
    error = DataError(f"{setting('lookback', 48)} is too long.", "Take fewer.")
    rest = {"kind": "data", "setting": "lookback", "hint": "Take fewer."}
    assert error.document("shell") == {"error": "--lookback 48 is too long."} | rest
    assert error.document("json") == {"error": '"lookback": 48 is too long.'} | rest


@pytest.mark.parametrize(
    ("name", "meant"), [("tempp", "Did you mean 'temp'? "), ("WIND", "Did you mean 'wind'? "), ("rain", "")]
)
def test_a_misspelt_column_is_met_with_what_was_meant(name: str, meant: str) -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2024", periods=5), "temp": range(5), "wind": range(5)})
    with pytest.raises(DataError) as caught:
        forecast.read(frame, forecast.ReadOptions(columns=(name,)))
    assert caught.value.advice == f"{meant}Columns: 'ds', 'temp', 'wind'."
    with pytest.raises(DataError) as caught:
        forecast.read(frame).column(name)
    assert caught.value.advice == f"{meant}Columns: 'temp', 'wind'."
