"""The intervals of series that a run was not trained on: those of its series, in multiples of each one's own spread."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from forecast.data.panel import Floats
from forecast.data.scaling import Scaler
from forecast.intervals.conformal import Calibration, Intervals

# Of more series than these, evenly spaced ones say how far off forecasts are.
_MOST_SERIES = 100

# Points of the distribution of a series' errors, evenly spaced in probability.
_POINTS = np.arange(1, 100) / 100


def intervals_beside(intervals: Intervals, trained: Scaler, scaler: Scaler, n_targets: int) -> Intervals:
    """The intervals of the series of a scaler, some of which a run may not have been trained on.

    Args:
        intervals: Of the series of the run.
        trained: Their scaler.
        scaler: Of the series whose intervals these shall be.
        n_targets: D.
    """
    unseen = trained.unseen(scaler.series_ids)
    if not len(unseen):
        return intervals.of_series(trained.positions(scaler.series_ids))
    order = np.empty(len(scaler.series_ids), np.int64)
    order[unseen] = trained.n_trained + np.arange(len(unseen))
    known = np.setdiff1d(np.arange(len(order)), unseen)
    if len(known):
        order[known] = trained.positions(tuple(scaler.series_ids[number] for number in known))
    return with_unseen_series(intervals, trained.scale[:, :n_targets], scaler.scale[unseen, :n_targets]).of_series(
        order
    )


def with_unseen_series(intervals: Intervals, spread: Floats, own_spread: Floats) -> Intervals:
    """The intervals of some series, and after them those of others whose errors nobody has seen.

    Args:
        intervals: Of S series.
        spread: The standard deviation of their training rows, transformed, [S, D].
        own_spread: That of the own rows of the others, [U, D].
    """
    return replace(
        intervals,
        calibrations={
            name: _extended(calibration, spread, own_spread) for name, calibration in intervals.calibrations.items()
        },
    )


def _extended(calibration: Calibration, spread: Floats, own_spread: Floats) -> Calibration:
    picked = slice(None, None, -(-len(spread) // _MOST_SERIES))
    relative_size = calibration.size[picked] / spread[picked, None]  # [s, H, D]
    size = relative_size.mean(axis=0)
    distances = calibration.offsets[picked] * relative_size[..., None]  # [s, H, D, P]
    offsets = _of_mixture(distances, calibration) / size[..., None]
    n_unseen = len(own_spread)

    def joined(of_run: Floats, own: Floats) -> Floats:
        return np.concatenate([of_run, np.broadcast_to(own, (n_unseen, *of_run.shape[1:]))])

    own_size = size * own_spread[:, None]
    return replace(
        calibration,
        offsets=joined(calibration.offsets, offsets),
        size=joined(calibration.size, own_size),
        usual_size=joined(calibration.usual_size, own_size),
        outcomes=joined(calibration.outcomes, np.array(np.nan)),
        borrowed=np.concatenate([calibration.borrowed, np.ones(n_unseen, bool)]),
    )


def _of_mixture(distances: Floats, calibration: Calibration) -> Floats:
    """The quantiles [H, D, P] of an error of which nobody knows from which of the series it is.

    The quantiles of a head are moved each from a place of its own, so that they have no common distribution: of them it
    is the mean.
    """
    if calibration.head_probabilities:
        return np.asarray(distances.mean(axis=0))
    p = np.array(calibration.probabilities)
    weights = np.array([np.interp(_POINTS, p, unit) for unit in np.eye(len(p))])  # [P, points]
    errors = np.moveaxis(distances @ weights, -1, 1)  # [s, points, H, D]
    return np.moveaxis(np.quantile(errors.reshape(-1, *errors.shape[2:]), p, axis=0), 0, -1)
