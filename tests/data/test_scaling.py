"""The scaler: what it is fitted on, what it undoes, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from forecast.data import scaling
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.data.scaling import Scaler, fit_scaler, mean_and_deviation
from forecast.errors import DataError, RunError
from forecast.runs.documents import scaler_from_json, to_json

EIGHT = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]  # mean 5, standard deviation 2


def panel_of(*columns: list[float], series: dict[str, int] | None = None) -> Panel:
    values = np.array(columns, np.float64).T
    sizes = series or {"": len(values)}
    times = np.datetime64("2020-01-01", "us") + np.arange(len(values)) * np.timedelta64(1, "D")
    offsets = (0, *np.cumsum(list(sizes.values())).tolist())
    return Panel(values, times, tuple("abc"[: len(columns)]), Clock("D"), tuple(sizes), offsets)


def fit(panel: Panel, logged: tuple[str, ...] = ()) -> Scaler:
    return fit_scaler(panel, np.ones(panel.n_rows, bool), logged)


def transformed(scaler: Scaler, values: np.ndarray, series: np.ndarray) -> np.ndarray:
    scaled = np.empty_like(values)
    for column in range(values.shape[1]):
        scaler.transform(values[:, column], series, column, scaled[:, column])
    return scaled


def test_mean_and_scale_by_hand() -> None:
    scaler = fit(panel_of(EIGHT, [10 * value for value in EIGHT]))
    assert scaler.mean.tolist() == [[5, 50]]
    assert scaler.scale.tolist() == [[2, 20]]
    scaled = transformed(scaler, np.array([[9.0, 10.0]]), np.array([0]))
    assert scaled.tolist() == [[2, -2]]


def test_each_series_has_its_own_statistics() -> None:
    scaler = fit(panel_of([*EIGHT, 0, 2], series={"one": 8, "two": 2}))
    assert scaler.mean.tolist() == [[5], [1]]
    assert scaler.scale.tolist() == [[2], [1]]
    assert transformed(scaler, np.array([[7.0], [7.0]]), np.array([0, 1])).tolist() == [[1], [6]]


def test_missing_values_are_passed_over_and_fed_as_the_mean() -> None:
    scaler = fit(panel_of([*EIGHT, np.nan]))
    assert (scaler.mean[0, 0], scaler.scale[0, 0]) == (5, 2)
    assert transformed(scaler, np.array([[np.nan]]), np.array([0])).tolist() == [[0]]


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_the_bits_are_those_of_scikit_learn(missing: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        level, spread = 10.0 ** rng.uniform(-5, 8, (2, 1, 5))
        values = rng.normal(level, spread, (int(rng.integers(1, 400)), 5))
        values[rng.random(values.shape) < missing] = np.nan
        values[:, 1], values[:, 2] = 1013.1, np.nan
        for of_columns in (values, values[:, :1], values[:, [0, 3]]):
            with np.errstate(invalid="ignore", divide="ignore"):
                expected = StandardScaler().fit(of_columns)
            mean, deviation = mean_and_deviation(of_columns)
            np.testing.assert_array_equal(mean, expected.mean_)
            np.testing.assert_array_equal(deviation, expected.scale_)


def test_a_constant_column_is_only_shifted() -> None:
    scaler = fit(panel_of([7.0] * 5))
    assert (scaler.mean[0, 0], scaler.scale[0, 0]) == (7, 1)


def test_rows_outside_the_training_span_change_nothing() -> None:
    panel = panel_of(EIGHT)
    training = np.arange(8) < 5
    before = fit_scaler(panel, training, ())
    panel.values[5:] = [[1e9], [np.nan], [-1e9]]
    assert fit_scaler(panel, training, ()).to_record() == before.to_record()


def test_log_comes_before_the_statistics_and_is_undone() -> None:
    scaler = fit(panel_of([np.e, np.e**3], [1.0, 3.0]), logged=("a",))
    np.testing.assert_allclose(scaler.mean, [[2, 2]], rtol=1e-15)
    np.testing.assert_allclose(scaler.scale, [[1, 1]], rtol=1e-15)
    scaled = transformed(scaler, np.array([[np.e**4, 4.0]]), np.array([0]))
    np.testing.assert_allclose(scaled, [[2, 2]], rtol=1e-14)
    np.testing.assert_allclose(scaler.inverse(scaled[None], np.array([0])), [[[np.e**4, 4]]], rtol=1e-14)


def test_inverse_undoes_the_transform_of_the_targets() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(100, 5, (40, 3)) * [1, 10, 0.1]
    panel = panel_of(*values.T.tolist(), series={"one": 20, "two": 20})
    scaler = fit(panel, logged=("b",))
    scaled = transformed(scaler, values, panel.series_of_row())
    windows = np.stack([scaled[3:7, :2], scaled[25:29, :2]])  # one of each series, H = 4, D = 2
    np.testing.assert_allclose(
        scaler.inverse(windows, np.array([0, 1])), [values[3:7, :2], values[25:29, :2]], rtol=1e-13
    )


def test_a_tiny_variance_on_a_large_mean_survives() -> None:
    # 1e9 ± 0.01: float32 would see one number only.
    values = np.where(np.arange(1000) % 2, 1e9 + 0.01, 1e9 - 0.01)
    scaler = fit(panel_of(values.tolist()))
    np.testing.assert_allclose(scaler.scale, 0.01, rtol=1e-4)
    scaled = transformed(scaler, values[:, None], np.zeros(1000, int))
    np.testing.assert_allclose(np.abs(scaled), 1, rtol=1e-4)
    np.testing.assert_allclose(scaler.inverse(scaled[None], np.array([0]))[0, :, 0], values, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("bad", "count"), [([0.0], 1), ([-2.5, 0.0], 2)])
def test_log_refuses_what_is_not_positive(bad: list[float], count: int) -> None:
    panel = panel_of([1.0, 2.0, np.nan, *bad])
    with pytest.raises(DataError) as caught:
        fit(panel, logged=("a",))
    assert (
        caught.value.message
        == f"Column 'a' cannot be logged: {count} values are not positive, the first is {bad[0]:g}."
    )
    assert "--transform none" in caught.value.text("shell")[1]
    scaler = fit(panel_of([1.0, 2.0, 3.0]), logged=("a",))
    with pytest.raises(DataError, match="'a' cannot be logged"):
        transformed(scaler, np.array([bad]).T, np.zeros(len(bad), int))


def test_log_leaves_other_columns_alone() -> None:
    assert fit(panel_of([1.0, 1.0], [-1.0, 1.0]), logged=("a",)).mean.tolist() == [[0, 0]]


def test_a_column_needs_a_value_in_training() -> None:
    with pytest.raises(DataError, match="Column 'a' has no value"):
        fit(panel_of([np.nan, np.nan]))


def test_a_series_without_a_value_in_training_borrows_the_medians_of_the_others() -> None:
    values = [1.0, 3.0, np.nan, np.nan, 10.0, 30.0, 4.0, 8.0]
    scaler = fit(panel_of(values, series={"one": 2, "none": 2, "two": 2, "three": 2}))
    assert scaler.mean.ravel().tolist() == [2, 6, 20, 6]  # the medians of 2, 20, 6 and of 1, 10, 2
    assert scaler.scale.ravel().tolist() == [1, 2, 10, 2]


def test_for_series_picks_and_reorders() -> None:
    scaler = fit(panel_of([1.0, 3.0, 10.0, 30.0], series={"one": 2, "two": 2}))
    assert scaler.for_series(("two", "one")).mean.tolist() == [[20], [2]]
    assert scaler.for_series(("two",)).mean.tolist() == [[20]]


@pytest.mark.parametrize(
    ("trained", "given", "words"),
    [
        (("one", "two"), ("one", "three"), r"not trained on series 'three'\.\nIt knows 'one', 'two'\."),
        (("one", "two"), ("",), r"trained on 2 series, .* do not say which they are\.\n.*'one', 'two'\."),
        (("",), ("one", "two"), r"trained on one series, and here are 2: one, two\."),
    ],
)
def test_strangers_are_refused(trained: tuple[str, ...], given: tuple[str, ...], words: str) -> None:
    scaler = fit(panel_of([1.0, 3.0] * len(trained), series=dict.fromkeys(trained, 2)))
    with pytest.raises(DataError, match=words):
        scaler.for_series(given)


def test_a_lone_series_may_have_another_name() -> None:
    scaler = fit(panel_of(EIGHT, series={"old name": 8}))
    assert scaler.for_series(("new name",)).mean.tolist() == [[5]]


def test_json_keeps_every_bit() -> None:
    scaler = fit(panel_of((np.random.default_rng(1).random(20) + 1).tolist(), series={"x": 8, "y": 12}), logged=("a",))
    again = scaler_from_json(to_json(scaler.to_record()).encode(), Path("scaler.json"))
    assert again.mean.tobytes() == scaler.mean.tobytes()
    assert again.scale.tobytes() == scaler.scale.tobytes()
    assert (again.columns, again.series_ids, again.logged.tolist()) == (("a",), ("x", "y"), [True])


@pytest.mark.parametrize(
    "change",
    [
        {"scale": [[0.0]]},
        {"scale": [[-1.0]]},
        {"scale": [[float("nan")]]},
        {"mean": [[float("inf")]]},
        {"mean": [[10**400]]},
        {"mean": [0.0]},
        {"mean": [[0.0], [0.0, 1.0]]},
        {"mean": "zero"},
        {"mean": None},
        {"logged": [True, False]},
        {"columns": ["a", "b"]},
        {"series_ids": []},
    ],
)
def test_a_damaged_scaler_is_refused(change: dict[str, object]) -> None:
    sound = {"columns": ["a"], "series_ids": [""], "logged": [False], "mean": [[0.0]], "scale": [[1.0]]}
    scaler_from_json(json.dumps(sound).encode(), Path("scaler.json"))
    with pytest.raises(RunError, match=r"scaler\.json is (damaged|not JSON|not a JSON object)"):
        scaler_from_json(json.dumps(sound | change).encode(), Path("scaler.json"))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "1", '"scaler"', "[" * 100_000])
def test_what_is_no_scaler_is_refused(text: str) -> None:
    with pytest.raises(RunError, match=r"scaler\.json is (damaged|not JSON|not a JSON object)"):
        scaler_from_json(text.encode(), Path("scaler.json"))


def test_a_long_series_is_fitted_column_by_column(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = panel_of([*EIGHT, np.nan], [10 * value for value in EIGHT] + [1.0])
    together = fit(panel, logged=("b",))
    monkeypatch.setattr("forecast.data.scaling._BLOCK", 2)
    alone = fit(panel, logged=("b",))
    np.testing.assert_allclose(alone.mean, together.mean, rtol=1e-14)
    np.testing.assert_allclose(alone.scale, together.scale, rtol=1e-14)


def test_blocks_of_a_long_column_are_scaled_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    values, series = np.array([[7.0], [9.0], [np.nan], [7.0], [3.0]]), np.array([0, 0, 0, 1, 1])
    scaler = Scaler(np.array([[5.0], [1.0]]), np.array([[2.0], [1.0]]), np.array([False]), ("a",), ("one", "two"))
    monkeypatch.setattr(scaling, "_BLOCK", 2)
    assert transformed(scaler, values, series).ravel().tolist() == [1, 2, 0, 6, 2]
