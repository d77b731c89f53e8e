"""Calibration: how far from a forecast the outcomes lie, by windows that the forecaster was not fitted on.

Windows overlap. Of a random walk, the errors thirteen steps ahead of forty windows in a row are about six outcomes, too
few for quantiles of their own. So the shape of the distribution, in multiples of the size of the errors, is pooled over
the steps; the size alone is measured step by step, and what is not known of it widens the quantiles as in Student's t.

Reference: Lei et al. 2018 (split conformal); Bayley & Hammersley 1946 (independent outcomes in a series).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from forecast.data.panel import Floats
from forecast.data.windows import Flags, Ints, median
from forecast.intervals.batches import Batch, batches_of
from forecast.intervals.conformal import Calibration, probabilities_of
from forecast.intervals.sizes import averaged_sizes, delays_of, known_sizes

# The most windows whose ranks of errors are kept to draw sample paths from.
MOST_RANKS = 500

# So many independent outcomes' weight has the guess that errors are normal about the forecast, and the guess that those
# of one series of a panel are distributed as those of all. Chosen by simulation: with less, intervals of random walks
# of 400 and 520 rows, whose few outcomes lie to one side, hold less than they promise; with 20, those of intermittent
# counts, which are skewed.
_GUESSED_OUTCOMES = 10

# So many have the errors of all steps beside those of each step. Chosen as the half-life of the size (see `sizes.py`),
# where 50 to 300 are as good: it takes hundreds to tell that the errors of one step are distributed as no other's.
_POOLED_OUTCOMES = 100

# Intervals are no wider than where the size of errors is known from two outcomes: Student's t of one has no mean.
FEWEST_OUTCOMES = 2.0

# The size of errors where there is none: not zero, to divide by.
_NO_SIZE = 1e-100


def calibrate(
    y_true: Floats,
    forecasts: Floats,
    series: Ints,
    n_series: int,
    levels: Sequence[int],
    head_probabilities: tuple[float, ...],
    logged: bool,
    spacing: int | None = None,
    usual_change: Floats | None = None,
) -> Calibration:
    """Calibrate one forecaster on windows that it was not trained on.

    Args:
        y_true: Observed, [n, H, D]; NaN where nothing was, which tells nothing.
        forecasts: In the targets' own units, [n, H, D] or [n, H, D, Q].
        series: Series of each window, ascending; the windows of a series ascend in time, [n].
        n_series: S.
        levels: Levels of the intervals in %.
        head_probabilities: The probabilities of a quantile head.
        logged: Whether errors are those of logarithms.
        spacing: Rows from one window to the next, if intervals adapt to the size of the errors; None if they do not.
        usual_change: How far each series and target moves by its training rows, [S, D], NaN where that is not known:
            the size of the errors of one that does not move on these windows.
    """
    shape, p = (n_series, *y_true.shape[1:]), probabilities_of(levels)
    if forecasts.ndim == 3:
        head_probabilities = ()
    blank, no_ranks = np.zeros(shape), np.empty((0, *shape[1:]))
    calibration = Calibration(
        p, head_probabilities, blank, blank, blank, no_ranks, logged, outcomes=blank, borrowed=np.zeros(n_series, bool)
    )
    observed = calibration.transformed(y_true)
    point_errors = observed - calibration.transformed(median(forecasts))
    n_windows = np.bincount(series, minlength=n_series)
    batches = list(batches_of(n_windows, math.prod(shape[1:])))
    sizes = _sizes(observed, point_errors, batches, n_series, spacing, usual_change)
    point_errors = point_errors / sizes.known
    n_of_size, n_of_mean = _count_outcomes(point_errors, batches, sizes.telling, spacing or 1)

    from scipy.special import ndtri  # takes time to import, and forecasts do without

    # Errors that tell nothing of how far errors go are left out of their distribution.
    told = np.where(sizes.telling[series], 1.0, np.nan)[..., None]
    normal = ndtri(p) * np.sqrt(np.pi / 2)  # in multiples of the mean absolute error
    quantiles = of_points = _shapes(point_errors[..., None] * told, batches, n_of_mean, normal, p)
    if head_probabilities:  # each quantile counts its errors from a base of its own
        errors = (observed[..., None] - calibration.bases(forecasts)) / sizes.known[..., None]
        quantiles = _shapes(errors * told, batches, n_of_mean, np.zeros(len(p)), p)
    sample = _along_steps(point_errors[:: -(-len(point_errors) // MOST_RANKS)])
    whole = ~np.isnan(sample).any(axis=(1, 2))  # in the others a target was not observed at all
    sample = sample[whole] if whole.any() else np.nan_to_num(sample)
    return replace(
        calibration,
        offsets=quantiles + _unknown(of_points, n_of_size, p),
        size=sizes.newest,
        usual_size=sizes.usual,
        ranks=(np.apply_along_axis(_ranks, 0, sample) - 0.5) / len(sample),
        outcomes=n_of_size,
        # The shape of its errors is more that of all series than its own.
        borrowed=(n_of_mean.mean(axis=(1, 2)) < _GUESSED_OUTCOMES) & (n_windows < len(series)),
    )


class _Sizes(NamedTuple):
    """The sizes of errors, transformed: the mean of their absolute values.

    Args:
        usual: Of each series over its windows, [S, H, D].
        newest: Of each series of late, [S, H, D].
        known: Of late, as it is known at each window, [n, H, D].
        telling: Whether the errors of a series tell anything of how far errors go, [S, H, D].
    """

    usual: Floats
    newest: Floats
    known: Floats
    telling: Flags


def _sizes(
    observed: Floats,
    point_errors: Floats,
    batches: Sequence[Batch],
    n_series: int,
    spacing: int | None,
    usual_change: Floats | None,
) -> _Sizes:
    """Measure the sizes of errors [n, H, D] by series; arguments as of `calibrate`."""
    absolute = np.abs(point_errors)
    of_all = _along_steps(_mean_of_known(absolute)[None])[0]
    usual = np.repeat(of_all[None], n_series, axis=0)
    still = np.ones((n_series, 1, absolute.shape[2]), bool)
    for batch in batches:
        usual[batch.numbers] = _along_steps(batch.apart(_mean_of_known(batch.take(absolute))))
        still[batch.numbers] = batch.apart(_never_changes(batch.take(observed))[None])
    usual = np.where(np.isnan(usual), of_all, usual)
    telling = (usual > 0) & ~still
    if usual_change is not None:
        change = usual_change[:, None]
        usual = np.where(still & (change > 0), change, usual)
    usual = np.fmax(usual, _NO_SIZE)
    newest, known = usual.copy(), np.empty(absolute.shape)
    for batch in batches:
        if spacing is None:
            known[batch.windows] = usual[batch.numbers]
            continue
        n, of_batch = len(batch.windows), batch.together(usual[batch.numbers])
        before = np.broadcast_to(of_batch, (delays_of(len(of_all), spacing)[-1], *of_batch.shape))
        averages = averaged_sizes(batch.take(absolute), before, spacing)
        of_windows = np.moveaxis(known_sizes(averages, n, of_batch, spacing), 0, -1)
        known[batch.windows] = np.moveaxis(batch.apart(of_windows), -1, 0)
        newest[batch.numbers] = batch.apart(averages[-1])
    return _Sizes(usual, newest, known, telling)


def _mean_of_known(errors: Floats) -> Floats:
    """The mean of the errors [n, H, D] that are known, [H, D]; NaN where none is."""
    missing = np.isnan(errors)
    if not missing.any():
        return np.asarray(errors.mean(axis=0))
    counts = (~missing).sum(axis=0)
    return np.divide(np.nansum(errors, axis=0), counts, out=np.full(counts.shape, np.nan), where=counts > 0)


def _along_steps(values: Floats) -> Floats:
    """Values [n, H, D] in which what is missing lies on the line between the steps beside it; NaN if all steps are."""
    missing = np.isnan(values)
    if not missing.any():
        return values
    values, steps = values.copy(), np.arange(values.shape[1])
    for window, target in zip(*np.nonzero(missing.any(axis=1) & ~missing.all(axis=1)), strict=True):
        unknown = missing[window, :, target]
        known = values[window, ~unknown, target]
        values[window, unknown, target] = np.interp(steps[unknown], steps[~unknown], known)
    return values


def _never_changes(observed: Floats) -> Flags:
    """Whether what is known of the values [n, H, D] is one value, or nothing, [D]."""
    if not np.isnan(observed).any():
        return np.asarray((observed == observed[:1, :1]).all(axis=(0, 1)))
    return np.asarray(~(np.fmin.reduce(observed, axis=(0, 1)) < np.fmax.reduce(observed, axis=(0, 1))))


def _count_outcomes(errors: Floats, batches: Sequence[Batch], telling: Flags, spacing: int) -> tuple[Floats, Floats]:
    """How many independent outcomes tell of the size and of the mean of each series' errors, [S, H, D] each."""
    of_size, of_mean = np.zeros((2, *telling.shape))
    for batch in batches:
        counts = independent_outcomes(batch.take(errors), spacing)
        of_size[batch.numbers], of_mean[batch.numbers] = map(batch.apart, counts)
    return np.where(telling, of_size, 0), np.where(telling, of_mean, 0)


def independent_outcomes(errors: Floats, spacing: int) -> tuple[Floats, Floats]:
    """How many independent outcomes tell as much as the errors of overlapping windows, each [H, D].

    Errors h steps ahead of windows fewer than h steps apart share what happened, and depend on each other; how much, is
    measured. Of noise about a level they are independent, of a random walk the less so the further ahead. Those of
    windows farther apart depend on each other where a forecaster lags behind the level, even one step ahead: this is
    measured about their mean, for a forecaster that always leans to one side is no reason to doubt how far.

    Args:
        errors: Of n windows in order of time, [n, H, D]; NaN where nothing was observed.
        spacing: Rows from one window to the next, at least.

    Returns:
        As much of the size of errors, and as much of their mean.
    """
    n, delays = len(errors), delays_of(errors.shape[1], spacing)
    lags = np.arange(1, n)[:, None, None]
    shared = lags < delays[:, None]
    centred, known, pairs = errors - _mean_of_known(errors), np.asarray(n), n - lags
    missing = np.isnan(errors)
    if missing.any():
        # With zeros in their places, sums of products are those of the pairs of which both were observed.
        errors, centred = np.where(missing, 0, errors), np.where(missing, 0, centred)
        known = (~missing).sum(axis=0)
        pairs = np.rint(_products((~missing).astype(float))[1:])
    lasting = _correlations(centred)
    # Up to the first that may be chance: of independent errors, one of forty is greater.
    counted = np.logical_and.accumulate(shared | (lasting > 2 / np.sqrt(n)), axis=0)
    correlations = np.where(shared, _correlations(errors), lasting) * counted
    # The squares of those of independent errors are 1/n in the mean, not 0.
    squares = (correlations**2 * known / np.maximum(pairs, 1) - 1 / np.maximum(known, 1)) * (counted & (pairs > 0))
    of_size = known / np.maximum(1, 1 + 2 * squares.sum(axis=0))
    of_mean = known / np.maximum(1, 1 + 2 * correlations.sum(axis=0))
    return of_size, of_mean


def _correlations(errors: Floats) -> Floats:
    """How errors [n, H, D] depend on those 1 … n - 1 windows before, about 0, [n - 1, H, D]."""
    products = _products(errors)
    return products[1:] / np.where(products[0] > 0, products[0], 1)


def _products(values: Floats) -> Floats:
    """The sums of products of values [n, H, D] with those 0 … n - 1 windows before, [n, H, D]."""
    n = len(values)
    spectrum = np.fft.rfft(values, 2 * n, axis=0)
    return np.fft.irfft(np.abs(spectrum) ** 2, 2 * n, axis=0)[:n]


def _shapes(
    errors: Floats, batches: Sequence[Batch], n_outcomes: Floats, guess: Floats, probabilities: Sequence[float]
) -> Floats:
    """The quantiles of errors in multiples of their size, [S, H, D, P].

    From a guess to all errors, to those of each series, to those of each step of it: the less there is of the one, the
    more the one before counts.

    Args:
        errors: Of n windows, [n, H, D, 1 or P]; NaN is left out.
        batches: The series that have windows.
        n_outcomes: How many independent outcomes tell of the mean of the errors, [S, H, D].
        guess: The quantiles to begin with, [P].
        probabilities: P probabilities.
    """
    of_series_alone = np.full((len(n_outcomes), 1, *errors.shape[2:-1], len(guess)), np.nan)
    of_each_step = np.full((*n_outcomes.shape, len(guess)), np.nan)
    for batch in batches:
        own = batch.take(errors)
        of_series_alone[batch.numbers] = batch.apart(_conformal(_all_steps(own), probabilities))
        of_each_step[batch.numbers] = batch.apart(_conformal(own, probabilities))
    shapes = np.broadcast_to(guess, of_each_step.shape)
    if len(n_outcomes) > 1:  # series move together: all of them are no more outcomes than one
        n_of_one = n_outcomes.sum(axis=0) / max(1, np.count_nonzero(n_outcomes.any(axis=(1, 2))))
        shapes = _learned(shapes, _GUESSED_OUTCOMES, _conformal(_all_steps(errors), probabilities), n_of_one)
    shapes = _learned(shapes, _GUESSED_OUTCOMES, of_series_alone, n_outcomes)
    return _learned(shapes, _POOLED_OUTCOMES, of_each_step, n_outcomes)


def _unknown(quantiles: Floats, n_outcomes: Floats, probabilities: Sequence[float]) -> Floats:
    """How much farther from the median quantiles are, as so few outcomes tell of the size, [S, H, D, P].

    Student's t is to the normal distribution as errors in multiples of a size that was measured are to errors.

    Args:
        quantiles: Of errors in multiples of their size, [S, H, D, P].
        n_outcomes: How many independent outcomes tell of the size, [S, H, D].
        probabilities: P probabilities.
    """
    from scipy.special import ndtri, stdtrit

    p, median_at = np.array(probabilities), probabilities.index(0.5)
    normal, students = ndtri(p), stdtrit(np.maximum(n_outcomes, FEWEST_OUTCOMES)[..., None], p)
    wider = np.divide(students, normal, out=np.ones_like(students), where=normal != 0)
    return (wider - 1) * (quantiles - quantiles[..., median_at, None])


def _learned(before: Floats, weight_before: float, found: Floats, n_outcomes: Floats) -> Floats:
    """Quantiles [..., P] between those before and those found, by their numbers of outcomes; NaN is not found."""
    return before + (n_outcomes / (n_outcomes + weight_before))[..., None] * np.nan_to_num(found - before)


def _ranks(values: Floats) -> Floats:
    """The ranks of values [n], from 1; equal ones have their mean. That of SciPy takes a second to import."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[which])


def _all_steps(errors: Floats) -> Floats:
    """Errors [n, H, D, K] as of one step, [n H, 1, D, K]."""
    return errors.reshape(-1, 1, *errors.shape[2:])


def _conformal(errors: Floats, probabilities: Sequence[float]) -> Floats:
    """Quantiles [H, D, P] of errors [n, H, D, 1 or P], valid for one more error of the same distribution.

    The p-quantile of n errors is the one of rank (n + 1) p, rounded away from the median; NaN if there is none.
    """
    p, ranked = np.array(probabilities), np.sort(errors, axis=0)  # NaN last
    counts = np.count_nonzero(~np.isnan(ranked), axis=0)  # [H, D, 1 or P]
    ranks = np.round((counts + 1) * p, 6)
    ranks = np.clip(np.where(p >= 0.5, np.ceil(ranks), np.floor(ranks)), 1, np.maximum(counts, 1)).astype(int)
    if ranked.shape[-1] == 1:
        return np.moveaxis(np.take_along_axis(ranked[..., 0], np.moveaxis(ranks, -1, 0) - 1, axis=0), 0, -1)
    return np.take_along_axis(ranked, ranks[None] - 1, axis=0)[0]
