"""Shuffling hurts where it matters, and nowhere else."""

from __future__ import annotations

import itertools

import numpy as np

from forecast.commands.explain.importance import InputPart, lookback_parts, permutation_importance


def test_only_what_the_forecast_is_made_of_matters() -> None:
    rng = np.random.default_rng(0)
    window = rng.normal(size=(200, 8, 2)).astype(np.float32)
    future = rng.normal(size=(200, 3, 2)).astype(np.float32)

    def forecast(window: np.ndarray, future: np.ndarray) -> np.ndarray:
        return np.repeat(window[:, -1:, :1], 3, axis=1) + future[:, :, 1:]

    y_true = forecast(window, future) + rng.normal(size=(200, 3, 1)) * 0.1
    places = {
        "first column": InputPart([0]),
        "second column": InputPart([1]),
        "newest": InputPart([0, 1], steps=slice(4, 8)),
        "oldest": InputPart([0, 1], steps=slice(0, 4)),
        "first ahead": InputPart([], ahead=[0]),
        "second ahead": InputPart([], ahead=[1]),
    }
    kept = window.copy(), future.copy()
    found = permutation_importance(forecast, window, future, y_true, places)
    for name in ("first column", "newest", "second ahead"):
        assert found[name].growth > 5
        assert 0 <= found[name].spread < 3
    for name in ("second column", "oldest", "first ahead"):
        assert found[name].growth == found[name].spread == 0
    assert (window == kept[0]).all()
    assert (future == kept[1]).all()


def test_the_parts_make_up_the_lookback_newest_first() -> None:
    for lookback in (1, 5, 8, 168, 1441):
        parts = lookback_parts(lookback)
        assert len(parts) == min(8, lookback)
        assert parts[0].stop == lookback
        assert parts[-1].start == 0
        assert all(newer.start == older.stop for newer, older in itertools.pairwise(parts))
