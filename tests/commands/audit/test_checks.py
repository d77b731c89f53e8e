"""What the checks of an audit compare, to the bit, and how they put it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import forecast
from forecast.choices.defaults import resolve
from forecast.commands.audit.checks import (
    Audit,
    Check,
    check_identical,
    check_parts,
    first_unequal,
    scaler_difference,
    target_rows,
)
from forecast.commands.audit.foresight import Doubt
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.data.prepare import Prepared, prepare
from forecast.data.scaling import Scaler
from forecast.data.windows import Windows
from forecast.errors import LeakError


@pytest.mark.parametrize(
    ("one", "other", "place"),
    [
        ([[1.0, 2.0]], [[1.0, 2.0]], None),
        ([np.nan, 1.0], [np.nan, 1.0], None),
        ([np.nan, 1.0], [0.0, 1.0], (0,)),
        ([[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, np.nextafter(4.0, 5)]], (1, 1)),
        ([0.0], [-0.0], (0,)),
        ([1.0], [1.0, 2.0], (0,)),
        ([True, False], [True, True], (1,)),
    ],
)
def test_bits_are_compared(one: list[object], other: list[object], place: tuple[int, ...] | None) -> None:
    assert first_unequal(np.array(one), np.array(other)) == place


def test_target_rows_are_those_of_every_horizon() -> None:
    assert np.flatnonzero(target_rows(Windows(np.array([0, 1, 6]), 3, 2), 12)).tolist() == [3, 4, 5, 9, 10]


def test_the_first_other_statistic_is_named() -> None:
    scaler = Scaler(np.zeros((2, 2)), np.ones((2, 2)), np.zeros(2, bool), ("y", "x"), ("a", "b"))
    assert scaler_difference(scaler, scaler) is None
    other = replace(scaler, scale=np.array([[1, 1], [1, 1.5]]))
    assert scaler_difference(scaler, other) == "the scale of 'x' in series 'b' is 1.5, and 1"
    assert (
        scaler_difference(scaler, replace(scaler, logged=np.array([True, False])))
        == "it takes the logarithm of other columns"
    )


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    """A hundred days: 70 for training, 10 for validation, 20 for the test; day 30 is absent."""
    days = np.delete(np.arange(101), 30)
    panel = Panel(
        values=np.random.default_rng(0).normal(size=(100, 1)),
        times=np.datetime64("2020-01-01", "us") + days * np.timedelta64(1, "D"),
        columns=("y",),
        clock=Clock("D"),
    )
    settings = forecast.configure(target="y", lookback=6, horizon=3, validation=0.1, test=0.2, least_observed=1.0)
    return prepare(panel, resolve(settings, panel)[0])


def recorded(prepared: Prepared) -> dict[str, object]:
    cuts = prepared.split.to_record()
    counts = {"train": len(prepared.train), "validation": len(prepared.validation), "test": len(prepared.test)}
    return {"data": cuts, "windows": counts}


def failures(prepared: Prepared, manifest: dict[str, object]) -> dict[str, str]:
    return {check.name: check.detail for check in check_parts(prepared, manifest) if not check.passed}


def test_parts_in_their_order_pass(prepared: Prepared) -> None:
    checks = check_parts(prepared, recorded(prepared))
    assert [(check.name, check.passed) for check in checks] == [("windows", True), ("parts", True), ("purge", True)]
    assert "train 2020-01-07 … 2020-03-11, validation 2020-03-12 … 2020-03-21, test 2020-03-22" in checks[2].detail


def test_a_row_in_two_parts_is_found(prepared: Prepared) -> None:
    longer = replace(prepared.train, starts=np.r_[prepared.train.starts, prepared.validation.starts[:1]])
    found = failures(replace(prepared, train=longer), recorded(replace(prepared, train=longer)))
    assert found == {
        "parts": "3 target rows are in train and in validation, the first is that at 2020-03-12.",
        "purge": "train has a target row at 2020-03-14, and validation one at 2020-03-12 already.",
    }


def test_a_window_across_a_gap_is_found(prepared: Prepared) -> None:
    across = replace(prepared.train, starts=np.sort(np.r_[prepared.train.starts, 25]))
    found = failures(replace(prepared, train=across), recorded(replace(prepared, train=across)))
    assert found == {"windows": "the train window that begins at 2020-01-26 crosses a gap or a series' end."}


def test_other_windows_than_the_run_recorded_are_found(prepared: Prepared) -> None:
    manifest = recorded(prepared)
    fewer = {**manifest, "windows": {**manifest["windows"], "test": 3}}  # type: ignore[dict-item]
    assert failures(prepared, fewer) == {"windows": "there are 18 test windows, and the run recorded 3."}
    later = {**manifest, "data": {**manifest["data"], "test_from": "2020-05-01"}}  # type: ignore[dict-item]
    assert "test_from is 2020-03-22" in failures(prepared, later)["windows"]


def test_a_failed_check_is_an_error_that_names_it() -> None:
    passed, failed = (
        check_identical("inputs", "done", []),
        check_identical("scaler", "done", ["this differs", "and this"]),
    )
    assert (passed.detail, failed.detail) == ("done: bit-identical.", "done: this differs.")
    Audit("run", (), (passed,)).demand()
    with pytest.raises(LeakError, match=r"run leaks: 1 of 2 checks failed\. Failed: scaler\.") as error:
        Audit("run", (), (passed, failed)).demand()
    assert error.value.exit_code == 4
    assert "forecast train SOURCE" in error.value.text("shell")[1]


def test_where_forecasts_vary_by_themselves_nothing_is_proved() -> None:
    with pytest.raises(LeakError, match="nothing can be proved") as error:
        Audit("run", (), (check_identical("repeatable", "done", ["this differs"]),)).demand()
    assert "without it" in error.value.advice


def test_a_strong_doubt_is_a_leak_where_that_is_asked() -> None:
    weak, strong = Doubt("'x' is odd."), Doubt("'z' knows.", strong=True)
    passed = (Check("a", True, "b."),)
    Audit("run", (), passed, (weak,)).demand(strict=True)
    Audit("run", (), passed, (weak, strong)).demand()
    with pytest.raises(LeakError, match=r"2 doubts, 1 of them strong\. Strong: 'z' knows\.") as error:
        Audit("run", (), passed, (weak, strong)).demand(strict=True)
    assert error.value.exit_code == 4
    assert "--covariates" in error.value.text("shell")[1]


def test_the_summary_is_json(prepared: Prepared) -> None:
    checks = Check("a", True, "b."), Check("d", True, "e.")
    audit = Audit("run", ("2020-01-01",), checks, (Doubt("c", strong=True),), ("whether f",))
    assert audit.to_json() == {
        "schema": 1,
        "run": "run",
        "passed": True,
        "verdict": "run: no leak found by 2 checks, 1 doubt, 1 of them strong.",
        "origins": ["2020-01-01"],
        "checks": [{"name": "a", "passed": True, "detail": "b."}, {"name": "d", "passed": True, "detail": "e."}],
        "warnings": ["c"],
        "strong": ["c"],
        "unknowable": ["whether f"],
    }
