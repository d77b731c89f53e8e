"""Conformal intervals: their quantiles by hand, their promise on new errors, and that they never cross."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from forecast.data.panel import Floats
from forecast.intervals.conformal import (
    Calibration,
    Intervals,
    averaged_sizes,
    calibrate,
    delays_of,
    ends_of,
    interval,
    interval_columns,
    known_sizes,
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


def test_offsets_are_ranks_of_the_errors_that_hold_for_one_more() -> None:
    errors = np.random.default_rng(0).permutation(np.arange(1.0, 100.0))[:, None, None]  # 1 … 99, one step
    calibration = calibrated(errors)
    # Of 99 errors the ⌈100 · 0.9⌉-th smallest is above 90 % of what comes, the ⌊100 · 0.1⌋-th below.
    expected = dict(zip(probabilities_of(LEVELS), [2, 10, 20, 30, 40, 50, 60, 70, 80, 90, 98], strict=True))
    found = calibration.offsets_of(np.zeros(1, int))[0, 0, 0]
    assert dict(zip(calibration.probabilities, found, strict=True)) == pytest.approx(expected)


def test_errors_that_lean_to_one_side_move_the_interval() -> None:
    calibration = calibrated(np.random.default_rng(1).normal(3, 1, (400, 4, 1)))
    assert (calibration.offsets > 0).all()


@pytest.mark.parametrize("logged", [False, True])
def test_new_errors_of_the_same_kind_are_held_as_often_as_promised(logged: bool) -> None:
    rng = np.random.default_rng(2)
    size = np.array([0.1, 0.2, 0.4])[:, None]  # the further ahead, the less certain
    held = {level: [] for level in LEVELS}
    for _ in range(60):
        observed = np.exp(2 + rng.normal(0, size, (300, 3, 1)))
        point = np.full(observed.shape, np.exp(2.0))
        calibration = calibrate(observed, point, np.zeros(300, int), 1, LEVELS, (), logged)
        fresh = np.exp(2 + rng.normal(0, size, (300, 3, 1)))
        quantiles = quantiles_of(calibration, point)
        for level in LEVELS:
            low, high = interval(quantiles, calibration.probabilities, level)
            held[level].append(((low <= fresh) & (fresh <= high)).mean(axis=(0, 2)))
            assert (np.diff((high - low)[0, :, 0]) > 0).all()
    for level in LEVELS:
        assert np.mean(held[level], axis=0) == pytest.approx(np.full(3, level / 100), abs=0.012)


def test_logarithms_keep_prices_positive() -> None:
    observed = np.exp(np.random.default_rng(3).normal(0, 2, (200, 2, 1)))
    calibration = calibrate(observed, np.ones(observed.shape), np.zeros(200, int), 1, LEVELS, (), logged=True)
    assert (quantiles_of(calibration, np.full((5, 2, 1), 1e-3)) > 0).all()


def test_a_quantile_head_is_corrected_where_it_is_wrong() -> None:
    rng = np.random.default_rng(4)
    observed = rng.normal(0, 1, (2000, 1, 1))
    head = np.broadcast_to([-0.5, 0.0, 0.5], (2000, 1, 1, 3))  # far too sure of itself
    calibration = calibrate(observed, head, np.zeros(2000, int), 1, LEVELS, (0.1, 0.5, 0.9), logged=False)
    quantiles = quantiles_of(calibration, head[:1])[0, 0, 0]
    expected = {0.025: -1.96, 0.1: -1.28, 0.5: 0.0, 0.9: 1.28, 0.975: 1.96}
    found = dict(zip(calibration.probabilities, quantiles, strict=True))
    assert {p: found[p] for p in expected} == pytest.approx(expected, abs=0.12)


def test_between_and_beyond_its_quantiles_a_head_is_read_off_its_lines() -> None:
    calibration = Calibration(
        (0.05, 0.1, 0.3, 0.5, 0.9), (0.1, 0.5, 0.9), np.zeros((1, 1, 1, 5)), *ONES, NO_RANKS, False
    )
    bases = calibration.bases(np.array([[[[10.0, 20.0, 40.0]]]]))
    assert bases[0, 0, 0] == pytest.approx([10, 10, 15, 20, 40])


def test_quantiles_never_cross() -> None:
    rng = np.random.default_rng(5)
    calibration = calibrated(rng.normal(0, 1, (100, 2, 1)))
    crossing = replace(calibration, offsets=rng.normal(size=calibration.offsets.shape))
    assert (np.diff(quantiles_of(crossing, np.zeros((4, 2, 1))), axis=-1) >= 0).all()


def test_a_series_with_few_windows_borrows_from_all() -> None:
    rng = np.random.default_rng(6)
    series = np.repeat([0, 1], [200, 20])
    errors = rng.normal(0, np.where(series == 0, 1, 50)[:, None, None], (220, 1, 1))
    forecasts = np.zeros(errors.shape)
    found = calibrate(forecasts + errors, forecasts, series, 2, LEVELS, (), False)
    # What it borrows is the shape of the distribution; the size of its errors is its own.
    assert found.offsets[1] == pytest.approx(found.offsets[0], abs=0.6)
    assert found.usual_size[1] == pytest.approx(np.abs(errors[series == 1]).mean(axis=0))
    assert found.usual_size[1] > 20 * found.usual_size[0]


def test_an_interval_holds_its_point() -> None:
    calibration = Calibration(probabilities_of((80,)), (), np.ones((1, 1, 1, 9)), *ONES, NO_RANKS, False)
    intervals = Intervals((80,), False, {"lstm": calibration})
    columns = interval_columns(intervals.quantiles({"lstm": np.zeros((2, 1, 1))}, np.zeros(2, int)), intervals)
    assert list(columns) == ["lstm-lo-80", "lstm-hi-80"]
    assert columns["lstm-lo-80"].tolist() == [[[0]]] * 2
    assert columns["lstm-hi-80"].tolist() == [[[1]]] * 2


def test_intervals_become_arrays_by_name() -> None:
    start = Intervals(LEVELS, True, {"lstm": calibrated(np.random.default_rng(7).normal(size=(60, 2, 1)))})
    arrays = intervals_to_arrays(start, start)
    moments = ["lstm/end", "lstm/end/size", "lstm/start", "lstm/start/size"]
    assert sorted(arrays) == sorted([*moments, "lstm/heads", "lstm/ranks", "lstm/usual"])
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


def test_calm_and_wild_stretches_are_told_apart() -> None:
    rng = np.random.default_rng(9)
    wild = np.repeat([1.0, 5.0], 600)[:, None, None]
    errors = rng.normal(0, wild, (1200, 2, 1))
    adapting = calibrated(errors, spacing=1)
    assert adapting.usual_size[0] == pytest.approx(np.abs(errors).mean(axis=0))
    assert adapting.size[0] == pytest.approx(np.full((2, 1), 5 * np.sqrt(2 / np.pi)), rel=0.15)
    # In units of the size of late, wild errors are as large as calm ones.
    normal = {0.1: -1.28, 0.9: 1.28}
    found = dict(zip(adapting.probabilities, adapting.offsets[0, 0, 0] * np.sqrt(2 / np.pi), strict=True))
    assert {p: found[p] for p in normal} == pytest.approx(normal, abs=0.2)


def test_a_size_knows_an_outcome_when_it_is_known() -> None:
    absolute = np.ones((8, 3, 1))
    absolute[2] = 50
    usual = np.ones((3, 1))
    for spacing, expected in ((1, [3, 4, 5]), (2, [3, 3, 4]), (3, [3, 3, 3])):
        before = np.broadcast_to(usual, (delays_of(3, spacing)[-1], 3, 1))
        known = known_sizes(averaged_sizes(absolute, before, spacing), 8, usual, spacing)
        assert np.argmax(known[:, :, 0] > 1, axis=0).tolist() == expected
        share = 1 - 0.5 ** (spacing / 100)
        assert known[3, 0, 0] == pytest.approx(1 + share * 49)


def test_a_size_halves_in_a_hundred_rows_and_no_lower_than_a_fifth() -> None:
    usual, calm = np.full((1, 1), 4.0), np.zeros((400, 1, 1))
    known = known_sizes(averaged_sizes(calm, usual[None], 1), 400, usual, 1)
    assert known[100, 0, 0] == pytest.approx(2.0)
    assert known[399, 0, 0] == pytest.approx(0.8)


def test_paths_of_series_on_different_scales_do_not_hang_together_by_that() -> None:
    rng = np.random.default_rng(10)
    series = np.repeat([0, 1], 400)
    errors = rng.normal(0, np.where(series == 0, 1, 1e4)[:, None, None], (800, 2, 1))  # steps err independently
    found = calibrate(errors, np.zeros(errors.shape), series, 2, LEVELS, (), False)
    away = np.abs(found.ranks[:, :, 0] - 0.5)
    assert abs(np.corrcoef(away.T)[0, 1]) < 0.15
