"""Calibration: offsets by hand, what few outcomes tell, who borrows, and series that tell nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import norm, t

from forecast.data.panel import Floats
from forecast.intervals import calibrate as module
from forecast.intervals.calibrate import calibrate, independent_outcomes
from forecast.intervals.conformal import Calibration, ends_of, interval, probabilities_of

LEVELS = (80, 95)


def calibrated(errors: Floats, **changes: object) -> Calibration:
    """The calibration of a forecaster that always says 10, from its errors [n, H, D]."""
    settings = {"levels": LEVELS, "head_probabilities": (), "logged": False, "n_series": 1, **changes}
    forecasts = np.full(errors.shape, 10.0)
    series = settings.pop("series", np.zeros(len(errors), int))
    return calibrate(forecasts + errors, forecasts, series, **settings)


def quantiles_of(calibration: Calibration, forecasts: Floats, series: int = 0) -> Floats:
    return calibration.quantiles(forecasts, calibration.offsets_of(np.full(len(forecasts), series)))


# Quantiles by hand


def test_offsets_are_ranks_of_the_errors_blended_with_a_normal_guess_and_widened_as_students_t() -> None:
    errors = np.random.default_rng(0).permutation(np.arange(1.0, 100.0))[:, None, None]  # 1 … 99, one step
    calibration = calibrated(errors)
    p = np.array(calibration.probabilities)
    # Of 99 errors the ⌈100 · 0.9⌉-th smallest is above 90 % of what comes, the ⌊100 · 0.1⌋-th below.
    ranks = np.array([2, 10, 20, 30, 40, 50, 60, 70, 80, 90, 98])
    normal = 50 * np.sqrt(np.pi / 2) * norm.ppf(p)  # of the mean absolute error, 50
    blended = (99 * ranks + 10 * normal) / 109
    blended = (99 * ranks + 100 * blended) / 199  # of one step, whose errors are those of all steps
    with np.errstate(invalid="ignore"):
        widened = blended[5] + (blended - blended[5]) * np.where(p == 0.5, 1, t.ppf(p, 99) / norm.ppf(p))
    assert calibration.offsets_of(np.zeros(1, int))[0, 0, 0] == pytest.approx(widened)
    assert calibration.outcomes == pytest.approx(99)


def test_the_shape_is_pooled_over_the_steps_in_multiples_of_their_sizes() -> None:
    rng = np.random.default_rng(1)
    one = rng.permutation(np.concatenate([np.arange(1.0, 61), -np.arange(1.0, 61)]))[:, None, None]
    calibration = calibrated(np.concatenate([one, 100 * one], axis=1))
    assert calibration.usual_size[0, :, 0] == pytest.approx([30.5, 3050])
    assert calibration.offsets[0, 0] == pytest.approx(calibration.offsets[0, 1], rel=0.05)


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


def test_errors_that_lean_to_one_side_move_the_interval() -> None:
    calibration = calibrated(np.random.default_rng(1).normal(3, 1, (400, 4, 1)))
    offsets = calibration.offsets_of(np.zeros(1, int))[0, 0, 0]
    assert offsets[calibration.probabilities.index(0.5)] == pytest.approx(3, abs=0.2)
    assert offsets[0] > 0


def test_a_quantile_head_is_corrected_where_it_is_wrong() -> None:
    rng = np.random.default_rng(4)
    observed = rng.normal(0, 1, (2000, 1, 1))
    head = np.broadcast_to([-0.5, 0.0, 0.5], (2000, 1, 1, 3))  # far too sure of itself
    calibration = calibrate(observed, head, np.zeros(2000, int), 1, LEVELS, (0.1, 0.5, 0.9), logged=False)
    quantiles = quantiles_of(calibration, head[:1])[0, 0, 0]
    expected = {0.025: -1.96, 0.1: -1.28, 0.5: 0.0, 0.9: 1.28, 0.975: 1.96}
    found = dict(zip(calibration.probabilities, quantiles, strict=True))
    assert {p: found[p] for p in expected} == pytest.approx(expected, abs=0.12)


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


# Outcomes that overlap


def walk_errors(n: int, horizon: int, n_walks: int, seed: int = 0) -> Floats:
    """Errors of the last value as a forecast of random walks from n origins in a row, [n, H, walks]."""
    walks = np.cumsum(np.random.default_rng(seed).normal(size=(n + horizon, n_walks)), axis=0)
    return np.stack([walks[h : n + h] - walks[:n] for h in range(1, horizon + 1)], axis=1)


def test_errors_that_do_not_depend_on_each_other_are_as_many_outcomes() -> None:
    errors = np.random.default_rng(0).normal(size=(400, 6, 40))
    of_size, of_mean = (counts.mean(axis=1) for counts in independent_outcomes(errors, 1))
    assert of_size == pytest.approx(np.full(6, 400), rel=0.05)
    assert of_mean == pytest.approx(np.full(6, 400), rel=0.1)


@pytest.mark.parametrize(("n", "horizon"), [(10, 6), (17, 24), (24, 24), (48, 24), (77, 24)])
def test_few_windows_are_no_fewer_outcomes_because_sample_correlations_are_not_zero(n: int, horizon: int) -> None:
    errors = np.random.default_rng(0).normal(size=(n, horizon, 400))
    of_size, _ = independent_outcomes(errors, 1)
    assert (np.median(of_size, axis=1) == n).all()
    assert (of_size.mean(axis=1) > 0.85 * n).all()


def test_errors_of_one_step_that_last_are_few_outcomes() -> None:
    """As of a forecaster that lags behind the level: wrong today as it was yesterday."""
    errors = lfilter([1], [1, -0.9], np.random.default_rng(0).normal(size=(148, 2000)), axis=0)[100:, None]
    counts, _ = independent_outcomes(errors, 1)
    as_many = 2 * (errors**2).mean() ** 2 / (errors**2).mean(axis=0).var()
    assert 5 < as_many < 6
    assert as_many < np.median(counts) < 2.5 * as_many  # a sample shows less of it
    # A forecaster that always leans to one side is as well known as one that does not.
    assert np.median(independent_outcomes(np.random.default_rng(0).normal(5, 1, (48, 1, 400)), 1)) == 48


def test_errors_of_overlapping_windows_are_as_many_outcomes_as_their_variance_says() -> None:
    errors = walk_errors(n=240, horizon=12, n_walks=3000)
    of_size, of_mean = (counts[:, :100].mean(axis=1) for counts in independent_outcomes(errors, 1))
    variance = np.arange(1, 13)
    # Of n independent normal errors the mean square has the variance 2 σ⁴ / n, and the mean σ² / n.
    as_many = 2 * variance**2 / (errors**2).mean(axis=0).var(axis=1)
    assert of_size == pytest.approx(as_many, rel=0.15)
    assert of_mean[0] == pytest.approx(240, rel=0.02)
    assert of_mean == pytest.approx(variance / errors.mean(axis=0).var(axis=1), rel=0.3)


def test_windows_that_lie_apart_do_not_overlap() -> None:
    errors = walk_errors(n=1200, horizon=12, n_walks=3)[::6]
    of_size, _ = independent_outcomes(errors, 6)
    assert (of_size[:6] == len(errors)).all()
    assert (of_size[6:] < len(errors)).all()


def test_what_is_not_known_of_the_size_widens_the_interval() -> None:
    calibration = calibrated(walk_errors(n=40, horizon=13, n_walks=30))
    outcomes = calibration.outcomes[0].mean(axis=1)
    assert outcomes[0] == pytest.approx(40, rel=0.02)
    assert 4 < outcomes[-1] < 8
    width = (calibration.offsets[..., -1] - calibration.offsets[..., 0])[0].mean(axis=1)
    assert (np.diff(width[1:]) > 0).all()
    assert width[-1] / width[0] == pytest.approx(t.ppf(0.975, outcomes[-1]) / t.ppf(0.975, 40), rel=0.2)


# Rows that were not observed before the forecast


@pytest.mark.parametrize("carried", [1, 4, 9])
def test_intervals_after_carried_rows_are_those_of_so_many_steps_farther_ahead(carried: int) -> None:
    """The last value of random walks, told again for some rows: what came, even beyond the horizon, is held."""
    horizon, n = 6, 6000
    calibration = calibrated(walk_errors(n, horizon, 20))
    one = np.zeros(1, int)
    own, offsets = calibration.offsets_of(one)[0], calibration.offsets_of(one, np.full((1, 20), carried))[0]
    errors = walk_errors(n, horizon + carried, 20, seed=1)[:, carried:]
    for level in LEVELS:
        low, high = (offsets[..., calibration.probabilities.index(end)] for end in ends_of(level))
        held = ((low <= errors) & (errors <= high)).mean(axis=(0, 2))
        assert held == pytest.approx(np.full(horizon, level / 100), abs=0.02)
    assert offsets[: max(0, horizon - carried)] == pytest.approx(own[carried:])


def test_carried_rows_widen_no_target_that_was_observed() -> None:
    calibration = calibrated(walk_errors(300, 6, 2))
    two = np.zeros(2, int)
    own, after = calibration.offsets_of(two), calibration.offsets_of(two, np.array([[0, 3], [0, 0]]))
    assert after[:, :, 0] == pytest.approx(own[:, :, 0])
    assert after[1] == pytest.approx(own[1])
    assert (after[0, :3, 1, -1] > own[0, :3, 1, -1]).all()


# Panels


def test_a_series_with_few_windows_borrows_the_shape_from_all() -> None:
    rng = np.random.default_rng(6)
    series = np.repeat([0, 1], [2000, 5])
    errors = rng.exponential(np.where(series == 0, 1, 50)[:, None, None], (2005, 1, 1))
    found = calibrated(errors, series=series, n_series=2)
    assert found.borrowed.tolist() == [False, True]
    # The size of its errors is its own, and known from five outcomes.
    assert found.usual_size[1] == pytest.approx(np.abs(errors[series == 1]).mean(axis=0))
    assert found.outcomes[1] == pytest.approx(5)
    # That no error is negative it has from the others: (5 + 2005) / 2 outcomes of all, and 5 of its own, beside 10.
    p = np.array(found.probabilities)
    normal = np.sqrt(np.pi / 2) * norm.ppf(p)
    in_sizes = np.concatenate([errors[series == number] / found.usual_size[number, 0] for number in (0, 1)])[:, 0, 0]
    of_all = normal + 1002.5 / 1012.5 * (np.quantile(in_sizes, p) - normal)
    own = np.sort(in_sizes[-5:])[np.clip(np.where(p < 0.5, np.floor(6 * p), np.ceil(6 * p)), 1, 5).astype(int) - 1]
    blended = of_all + 5 / 15 * (own - of_all)
    blended += 5 / 105 * (own - blended)
    with np.errstate(invalid="ignore"):
        widened = blended[5] + (blended - blended[5]) * np.where(p == 0.5, 1, t.ppf(p, 5) / norm.ppf(p))
    assert found.offsets[1, 0, 0] == pytest.approx(widened, abs=0.04)


def test_one_series_alone_has_nobody_to_borrow_from() -> None:
    assert not calibrated(np.random.default_rng(0).normal(size=(20, 2, 1))).borrowed.any()


def test_errors_of_many_short_series_are_ranked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ranked = []
    once = module._conformal
    monkeypatch.setattr(module, "_conformal", lambda errors, p: ranked.append(errors.size) or once(errors, p))
    errors = np.random.default_rng(0).normal(size=(2000, 2, 1))
    calibrated(errors, series=np.repeat(np.arange(200), 10), n_series=200)
    assert sum(ranked) == 3 * errors.size  # all steps together, and those of each series together and alone


def test_paths_of_series_on_different_scales_do_not_hang_together_by_that() -> None:
    rng = np.random.default_rng(10)
    series = np.repeat([0, 1], 400)
    errors = rng.normal(0, np.where(series == 0, 1, 1e4)[:, None, None], (800, 2, 1))  # steps err independently
    found = calibrated(errors, series=series, n_series=2)
    away = np.abs(found.ranks[:, :, 0] - 0.5)
    assert abs(np.corrcoef(away.T)[0, 1]) < 0.15


# Errors that tell nothing


@pytest.mark.parametrize("n_others", [0, 500])
def test_the_interval_of_a_constant_is_the_constant(n_others: int) -> None:
    others = np.random.default_rng(0).normal(5, 1, (n_others, 3, 1))
    y_true = np.concatenate([np.full((30, 3, 1), 0.005), others])
    forecasts = np.concatenate([np.full((30, 3, 1), 0.005), np.full(others.shape, 5.0)])
    series = np.repeat([0, 1], [30, n_others])
    found = calibrate(y_true, forecasts, series, 2, LEVELS, (), False, usual_change=np.array([[0.0], [1.0]]))
    assert quantiles_of(found, forecasts[:1]) == pytest.approx(np.full((1, 3, 1, 11), 0.005))
    assert found.borrowed.tolist() == [bool(n_others), not n_others]


def test_a_series_that_was_silent_has_the_size_of_its_training_rows_and_the_shape_of_the_others() -> None:
    rng = np.random.default_rng(0)
    others = rng.normal(0, 3, (3000, 2, 1))
    y_true = np.concatenate([np.zeros((100, 2, 1)), others])
    forecasts = np.concatenate([np.full((100, 2, 1), 0.01), np.zeros(others.shape)])
    found = calibrate(
        y_true, forecasts, np.repeat([0, 1], [100, 3000]), 2, LEVELS, (), False, usual_change=np.array([[0.6], [9.0]])
    )
    assert found.borrowed.tolist() == [True, False]
    assert found.usual_size[:, 0, 0] == pytest.approx([0.6, np.abs(others[:, 0]).mean()])
    assert found.outcomes[0] == pytest.approx(0)  # nothing is known of it
    assert (found.offsets[0, ..., -1] > 1.5 * found.offsets[1, ..., -1]).all()


def test_steps_without_an_error_do_not_narrow_the_others() -> None:
    errors = np.random.default_rng(0).normal(size=(300, 4, 1))
    errors[:, 2:] = 0  # at night a panel of solar cells makes nothing
    found, by_day = calibrated(errors), calibrated(errors[:, :2])
    assert found.offsets[0, :2] == pytest.approx(by_day.offsets[0])
    assert quantiles_of(found, np.zeros((1, 4, 1)))[0, 2:] == pytest.approx(0)
    assert probabilities_of(LEVELS) == found.probabilities


# Outcomes that were not observed


@pytest.mark.parametrize("missing", [0.3, 0.6])
def test_missing_outcomes_count_for_nothing(missing: float) -> None:
    """By simulation: of a random walk as of noise, as many outcomes as the variances of size and mean say."""
    rng = np.random.default_rng(5)
    for errors, tolerance in ((walk_errors(240, 6, 3000), 0.2), (rng.normal(size=(240, 6, 3000)), 0.1)):
        gone = rng.random((240, 6)) < missing  # of all series, so that their spread is that of one pattern
        holed = np.where(gone[..., None], np.nan, errors)
        of_size, of_mean = (counts[:, :100].mean(axis=1) for counts in independent_outcomes(holed[:, :, :100], 1))
        variance = errors.var(axis=(0, 2))
        as_many = 2 * variance**2 / np.nanmean(holed**2, axis=0).var(axis=1)
        assert of_size == pytest.approx(as_many, rel=tolerance)
        assert of_mean == pytest.approx(variance / np.nanmean(holed, axis=0).var(axis=1), rel=0.3)
        assert (of_size <= (~gone).sum(axis=0) + 1e-9).all()


@pytest.mark.parametrize("spacing", [None, 1])
def test_one_step_ahead_windows_without_an_outcome_are_as_if_they_were_not_there(spacing: int | None) -> None:
    rng = np.random.default_rng(6)
    errors, gone = rng.normal(2, 1, (300, 1, 1)), rng.random(300) < 0.3
    holed = np.where(gone[:, None, None], np.nan, errors)
    found, without = calibrated(holed, spacing=spacing), calibrated(errors[~gone], spacing=spacing)
    assert found.usual_size == pytest.approx(without.usual_size)
    assert found.size == pytest.approx(without.size)
    assert found.outcomes == pytest.approx(without.outcomes, rel=0.02)
    assert found.offsets == pytest.approx(without.offsets, rel=0.02)


def test_a_step_that_was_never_observed_has_the_size_between_those_beside_it() -> None:
    errors = np.random.default_rng(7).normal(0, [[1.0], [2.0], [3.0]], (200, 3, 1))
    errors[:, 1] = np.nan
    found = calibrated(errors)
    assert found.usual_size[0, 1] == pytest.approx((found.usual_size[0, 0] + found.usual_size[0, 2]) / 2)
    assert found.outcomes[0, 1] == 0
    width = found.offsets[0, :, 0, -1] - found.offsets[0, :, 0, 0]
    assert width[1] > 1.5 * width[0]  # so little is known of it


def test_paths_hang_together_as_errors_do_where_a_fifth_of_them_is_missing() -> None:
    errors = walk_errors(n=400, horizon=6, n_walks=1)
    holed = np.where(np.random.default_rng(8).random(errors.shape) < 0.2, np.nan, errors)
    whole, found = (np.corrcoef(calibrated(each).ranks[:, :, 0].T) for each in (errors, holed))
    assert found == pytest.approx(whole, abs=0.15)


def test_a_constant_that_is_observed_in_part_is_a_constant() -> None:
    y_true = np.full((40, 3, 1), 7.0)
    y_true[np.random.default_rng(9).random(y_true.shape) < 0.4] = np.nan
    found = calibrate(y_true, np.full(y_true.shape, 7.0), np.zeros(40, int), 1, LEVELS, (), False)
    assert quantiles_of(found, np.full((1, 3, 1), 7.0)) == pytest.approx(7.0)


def test_a_target_that_was_never_observed_leaves_finite_numbers() -> None:
    errors = np.random.default_rng(10).normal(size=(40, 3, 2))
    errors[:, :, 1] = np.nan
    found = calibrated(errors, spacing=1)
    for array in (found.offsets, found.size, found.usual_size, found.ranks, found.outcomes):
        assert np.isfinite(array).all()
    assert (found.outcomes[..., 1] == 0).all()
