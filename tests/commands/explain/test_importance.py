"""What inputs are worth, against forecasts that are known, and against an exported network fed shuffled columns."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest

import forecast
from forecast import Settings
from forecast.commands.explain.importance import (
    ExchangedRows,
    InputPart,
    lookback_parts,
    permutation_importance,
    windows_to_shuffle,
)
from forecast.data.windows import Windows

LOOKBACK, HORIZON = 6, 3


class FakeRows:
    """Rows of two measured columns and one that is known ahead, of several series, not scaled."""

    one_unit = True

    def __init__(self, n_series: int = 1, length: int = 300) -> None:
        rng = np.random.default_rng(0)
        self.values = rng.normal(size=(n_series * length, 3)).astype(np.float32)
        self.series = self.identity = np.repeat(np.arange(n_series), length)
        self.bounds: Any = self

    def window_inputs(self, starts: np.ndarray, lookback: int, horizon: int) -> np.ndarray:
        return self.values[starts[:, None] + np.arange(lookback + horizon)]

    def observed(self, rows: np.ndarray) -> np.ndarray:
        return self.values[rows][..., :1].astype(float)

    def unwrap_towards(self, values: np.ndarray, *_: object) -> np.ndarray:
        return values


def windows_of(rows: FakeRows) -> Windows:
    length = LOOKBACK + HORIZON
    starts = np.arange(len(rows.values) - length + 1)
    return Windows(starts[rows.series[starts] == rows.series[starts + length - 1]], LOOKBACK, HORIZON)


def test_only_what_the_forecast_is_made_of_matters() -> None:
    rows: Any = FakeRows()
    windows = windows_of(rows)

    def true_forecast(source: Any, starts: np.ndarray) -> np.ndarray:
        window = source.window_inputs(starts, LOOKBACK, HORIZON).astype(float)
        return window[:, LOOKBACK - 1 : LOOKBACK, :1] + window[:, LOOKBACK:, 2:]

    rows.observed = lambda _: true_forecast(rows, windows.starts) + 0.05
    parts = {
        "first column": InputPart([0]),
        "second column": InputPart([1]),
        "newest": InputPart([0, 1], slice(4, 6)),
        "oldest": InputPart([0, 1], slice(0, 4)),
        "ahead": InputPart([2], has_last_value=False),
    }
    found = permutation_importance(true_forecast, rows, windows, parts)
    for name in ("first column", "newest", "ahead"):
        assert found[name].growth > 5
        assert 0 < found[name].spread < 3
    for name in ("second column", "oldest"):
        assert found[name].growth == found[name].spread == 0
    del parts["ahead"]
    beyond = permutation_importance(true_forecast, rows, windows, parts, from_last_value=True)
    assert all(abs(each.growth) < 1e-5 for each in beyond.values())  # each window keeps all that it is forecast by


def test_windows_take_the_part_of_one_of_their_own_series() -> None:
    rows: Any = FakeRows(n_series=3, length=40)
    rows.values[:, 0] = 100 * rows.series
    starts = windows_of(rows).starts
    found = []

    def keep(source: Any, picked: np.ndarray) -> np.ndarray:
        found.append(source.window_inputs(picked, LOOKBACK, HORIZON))
        return np.zeros((len(picked), HORIZON, 1))

    permutation_importance(keep, rows, Windows(starts, LOOKBACK, HORIZON), {"all": InputPart([0, 1])})
    true, *exchanged = found
    for window in exchanged:
        np.testing.assert_array_equal(window[..., 0], true[..., 0])
        np.testing.assert_array_equal(window[..., 2], true[..., 2])
        assert (window[..., 1] != true[..., 1]).mean() > 0.5


def test_a_hole_at_the_end_of_a_window_has_the_last_value_before_it() -> None:
    rows: Any = FakeRows()
    rows.values[:, 0] = np.arange(300) ** 2
    rows.values[25, 0] = np.nan
    starts, donors = np.array([20]), np.array([100])
    moved = ExchangedRows(rows, starts, donors, InputPart([0]), True).window_inputs(starts, LOOKBACK, HORIZON)
    np.testing.assert_array_equal(moved[0, :LOOKBACK, 0], np.arange(100, 106) ** 2 - 105**2 + 24**2)


def test_errors_of_unlike_units_are_shares_of_each_target() -> None:
    rows: Any = FakeRows(n_series=2, length=60)
    rows.one_unit = False
    windows = windows_of(rows)
    of_second = rows.series[windows.starts] == 1
    size = np.where(rows.series == 1, 1000.0, 1.0)[:, None, None]

    def last(source: Any, starts: np.ndarray) -> np.ndarray:
        window = source.window_inputs(starts, LOOKBACK, HORIZON)
        return np.repeat(window[:, LOOKBACK - 1 : LOOKBACK, :1], HORIZON, axis=1) * size[starts]

    rows.observed = lambda _: last(rows, windows.starts) + 0.1 * size[windows.starts]
    parts = {"all": InputPart([0]), "one": InputPart([0], windows=~of_second), "two": InputPart([0], windows=of_second)}
    found = {name: each.growth for name, each in permutation_importance(last, rows, windows, parts).items()}
    assert found["all"] == pytest.approx((found["one"] + found["two"]) / 2, rel=1e-3)


def test_the_parts_make_up_the_lookback_newest_first() -> None:
    for lookback in (1, 5, 8, 168, 1441):
        parts = lookback_parts(lookback)
        assert len(parts) == min(8, lookback)
        assert parts[0].stop == lookback
        assert parts[-1].start == 0
        assert all(newer.start == older.stop for newer, older in itertools.pairwise(parts))


def test_few_windows_of_many_series_have_others_to_be_exchanged_with() -> None:
    rows: Any = FakeRows(n_series=400, length=40)
    every = windows_of(rows)
    picked = windows_to_shuffle(rows, every, 512)
    counts = np.bincount(rows.series[picked.starts])
    assert len(picked) <= 512
    assert counts[counts > 0].min() >= 8


@pytest.mark.usefixtures("no_plots")
@pytest.mark.parametrize(
    "settings", [{}, {"target": "y,x", "covariates": "none", "channels": "independent", "transform": "log"}]
)
def test_the_figures_are_those_of_an_exported_network_fed_shuffled_columns(
    settings: dict[str, object], monthly: pd.DataFrame, tiny: Callable[..., Settings], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("forecast.commands.explain.plots.to_png", lambda figure: b"")
    frame = monthly.assign(x=30 + monthly["y"].shift(1, fill_value=20) + np.random.default_rng(1).normal(size=200))
    whole = {"target": "y", "covariates": "x", "calendar": False, "baseline": False, "normalise": "last", **settings}
    run = forecast.train(frame, tiny(**whole), run="told", runs_dir=tmp_path)
    network = onnxruntime.InferenceSession(forecast.export(run, tmp_path / "network") / "network.onnx")
    taken = [put.name for put in network.get_inputs()]
    found = forecast.explain(run, frame, output=tmp_path / "told").summary
    whole_figures, beyond = found["importance"]["columns"], found["beyond_last_value"]["importance"]
    assert list(whole_figures) == list(beyond["columns"]) == ["y", "x"]

    n_windows = found["windows"] // (2 if settings else 1)
    first = len(frame) - n_windows - LOOKBACK - HORIZON + 1
    steps = first + np.arange(n_windows)[:, None] + np.arange(LOOKBACK + HORIZON)
    raw = frame[["y", "x"]].to_numpy()[steps]  # [n, L + H, 2]
    as_series = [raw[..., [channel]] for channel in range(2)] if settings else [raw]

    def errors(windows: np.ndarray, series: int) -> np.ndarray:
        fed = {"past": windows[:, :LOOKBACK], "series": np.full(n_windows, series)}
        put = {name: fed[name].astype(np.int64 if name == "series" else np.float64) for name in taken}
        return np.abs(network.run(None, put)[0][..., 0] - as_series[series][:, LOOKBACK:, 0])

    rng = np.random.default_rng(0)
    orders = [[rng.permutation(n_windows) for _ in as_series] for _ in range(3)]

    def growth(series: int, column: int, picked: slice, from_last: bool = False) -> tuple[float, float]:
        windows, growths = as_series[series], []
        kept = np.log if settings else np.asarray  # of logs, a window is moved by a factor
        for order in orders:
            other, last = kept(windows[order[series]]), LOOKBACK - 1
            if from_last:
                other = other + kept(windows)[:, last : last + 1] - other[:, last : last + 1]
            exchanged = windows.copy()
            exchanged[:, picked, column] = (np.exp(other) if settings else other)[:, picked, column]
            growths.append(errors(exchanged, series).mean() / errors(windows, series).mean() - 1)
        return float(np.mean(growths)), float(np.std(growths))

    for number, name in enumerate(["y", "x"]):
        series, column = (number, 0) if settings else (0, number)
        for figures, from_last in ((whole_figures, False), (beyond["columns"], True)):
            expected = growth(series, column, slice(LOOKBACK), from_last)
            assert tuple(figures[name].values()) == pytest.approx(expected, rel=1e-4, abs=1e-5), (name, from_last)
    if not settings:
        assert whole_figures["y"]["growth"] > 0.2 > abs(beyond["columns"]["y"]["growth"])
