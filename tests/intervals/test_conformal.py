"""Conformal intervals: what they are made of, that they never cross, and sample paths."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from forecast.data.panel import Floats
from forecast.intervals.calibrate import calibrate
from forecast.intervals.conformal import (
    Calibration,
    Intervals,
    ends_of,
    interval_columns,
    probabilities_of,
)
from forecast.runs.calibration import intervals_to_arrays

LEVELS = (80, 95)
NO_RANKS = np.zeros((0, 1, 1))
ONES = (np.ones((1, 1, 1)), np.ones((1, 1, 1)))


def calibrated(errors: Floats, **changes: object) -> Calibration:
    """The calibration of a forecaster that always says 10, from its errors [n, H, D]."""
    settings = {"levels": LEVELS, "head_probabilities": (), "logged": False, "n_series": 1, **changes}
    forecasts = np.full(errors.shape, 10.0)
    return calibrate(forecasts + errors, forecasts, np.zeros(len(errors), int), **settings)


def quantiles_of(calibration: Calibration, forecasts: Floats, series: int = 0) -> Floats:
    return calibration.quantiles(forecasts, calibration.offsets_of(np.full(len(forecasts), series)))


def test_the_ends_of_levels_and_the_deciles_are_followed() -> None:
    assert ends_of(80) == (0.1, 0.9)
    assert ends_of(95) == (0.025, 0.975)
    assert probabilities_of(LEVELS) == (0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975)
    assert probabilities_of(()) == tuple(number / 10 for number in range(1, 10))


def test_logarithms_keep_prices_positive() -> None:
    observed = np.exp(np.random.default_rng(3).normal(0, 2, (200, 2, 1)))
    calibration = calibrate(observed, np.ones(observed.shape), np.zeros(200, int), 1, LEVELS, (), logged=True)
    assert (quantiles_of(calibration, np.full((5, 2, 1), 1e-3)) > 0).all()


def test_between_and_beyond_its_quantiles_a_head_is_read_off_its_lines() -> None:
    calibration = Calibration(
        (0.05, 0.1, 0.3, 0.5, 0.9),
        (0.1, 0.5, 0.9),
        np.zeros((1, 1, 1, 5)),
        *ONES,
        NO_RANKS,
        False,
        ONES[0],
        np.zeros(1, bool),
    )
    bases = calibration.bases(np.array([[[[10.0, 20.0, 40.0]]]]))
    assert bases[0, 0, 0] == pytest.approx([10, 10, 15, 20, 40])


def test_quantiles_never_cross() -> None:
    rng = np.random.default_rng(5)
    calibration = calibrated(rng.normal(0, 1, (100, 2, 1)))
    crossing = replace(calibration, offsets=rng.normal(size=calibration.offsets.shape))
    assert (np.diff(quantiles_of(crossing, np.zeros((4, 2, 1))), axis=-1) >= 0).all()


def test_an_interval_holds_its_point() -> None:
    calibration = Calibration(
        probabilities_of((80,)), (), np.ones((1, 1, 1, 9)), *ONES, NO_RANKS, False, ONES[0], np.zeros(1, bool)
    )
    intervals = Intervals((80,), False, {"lstm": calibration})
    columns = interval_columns(intervals.quantiles({"lstm": np.zeros((2, 1, 1))}, np.zeros(2, int)), intervals)
    assert list(columns) == ["lstm-lo-80", "lstm-hi-80"]
    assert columns["lstm-lo-80"].tolist() == [[[0]]] * 2
    assert columns["lstm-hi-80"].tolist() == [[[1]]] * 2


def test_intervals_become_arrays_by_name() -> None:
    start = Intervals(LEVELS, True, {"lstm": calibrated(np.random.default_rng(7).normal(size=(60, 2, 1)))})
    arrays = intervals_to_arrays(start, start)
    moments = ["lstm/end", "lstm/end/size", "lstm/start", "lstm/start/size"]
    assert sorted(arrays) == sorted(
        [*moments, *(f"lstm/{part}" for part in ("heads", "ranks", "usual", "outcomes", "borrowed"))]
    )
    assert arrays["lstm/start"].shape == (1, 2, 1, 11)


@pytest.mark.parametrize("logged", [False, True])
def test_paths_have_the_quantiles_of_the_fan_and_hang_together_as_errors_did(logged: bool) -> None:
    rng = np.random.default_rng(8)
    errors = np.cumsum(rng.normal(0, 0.2, (800, 6, 1)), axis=1)  # a walk: neighbouring steps err together
    observed = np.exp(errors) if logged else errors
    point = np.full(errors.shape, 1.0 if logged else 0.0)
    calibration = calibrate(observed, point, np.zeros(800, int), 1, LEVELS, (), logged)
    quantiles = quantiles_of(calibration, point[:1])
    paths = calibration.paths(quantiles, 4000, np.random.default_rng(0))
    assert paths.shape == (4000, 1, 6, 1)
    for number, p in enumerate(calibration.probabilities):
        assert (paths[:, 0] <= quantiles[0, ..., number]).mean(axis=0) == pytest.approx(p, abs=0.03)
    drawn = np.log(paths[:, 0, :, 0]) if logged else paths[:, 0, :, 0]
    assert np.corrcoef(drawn.T)[0, 1:] == pytest.approx(np.corrcoef(errors[:, :, 0].T)[0, 1:], abs=0.1)
    assert drawn.min() < 1.2 * (np.log(quantiles) if logged else quantiles).min()  # tails beyond the outermost quantile
    again = calibration.paths(quantiles, 4000, np.random.default_rng(0))
    assert (again == paths).all()


def test_however_calm_the_newest_rows_are_intervals_keep_a_share_of_their_usual_width() -> None:
    usual = calibrated(np.random.default_rng(0).normal(0, 1, (200, 4, 1)))
    calm, least = (replace(usual, size=share * usual.usual_size) for share in (0.001, 0.2))
    none = np.zeros(1, np.int64)
    assert np.array_equal(calm.offsets_of(none), least.offsets_of(none))
    assert np.isfinite(replace(usual, size=0 * usual.size).offsets_of(none, carried=np.array([[2]]))).all()
