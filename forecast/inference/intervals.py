"""Prediction intervals that keep their promise: conformal, by horizon step.

A forecaster's own word for its uncertainty, or a point without any, is corrected by what its errors were on a span
after training and before the test.

Reference: Lei et al. 2018 (split conformal); Romano, Patterson & Candès 2019 (of quantiles).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from forecast.data.panel import Arrays, Floats
from forecast.data.windows import Ints, median
from forecast.errors import RunError
from forecast.inference.sizes import averaged_sizes, delays_of, known_sizes
from forecast.models.naive import NAIVE
from forecast.runs.arrays import ArraySpec
from forecast.runs.run import CALIBRATION, Run

# A series with fewer calibration windows than these borrows from all.
_ENOUGH_WINDOWS = 50

# The most windows whose errors' ranks are kept to draw paths from.
_MOST_RANKS = 500

DECILES = tuple(number / 10 for number in range(1, 10))


def ends_of(level: int) -> tuple[float, float]:
    """The probabilities of the ends of a central interval: 0.1 and 0.9 of level 80."""
    return round((100 - level) / 200, 6), round((100 + level) / 200, 6)


def probabilities_of(levels: Sequence[int]) -> tuple[float, ...]:
    """The P probabilities that are followed: the ends of each interval, and the deciles for the scores of them."""
    return tuple(sorted({*DECILES, *(end for level in levels for end in ends_of(level))}))


@dataclass(frozen=True)
class Calibration:
    """How far from its forecast each quantile of one forecaster lies.

    Args:
        probabilities: P, ascending, within 0 … 1.
        heads: The probabilities of the forecaster's own quantiles, Q; empty where it forecasts points.
        offsets: By series, step, target and probability, as multiples of the size of the errors, [S, H, D, P].
        size: Of the errors of late, in transformed units, [S, H, D].
        usual: Of the errors that it was calibrated on.
        ranks: Where the errors of K windows stood among their like at each step, within 0 … 1, [K, H, D].
        logged: Whether the targets are logged first.
    """

    probabilities: tuple[float, ...]
    heads: tuple[float, ...]
    offsets: Floats
    size: Floats
    usual: Floats
    ranks: Floats
    logged: bool

    def bases(self, forecasts: Floats) -> Floats:
        """What each quantile is counted from, transformed.

        Args:
            forecasts: In own units, [n, H, D], or [n, H, D, Q] of a quantile head.

        Returns:
            [n, H, D, 1] of points; [n, H, D, P] of quantiles, of which the nearest is taken beyond the outermost.
        """
        values = self.transformed(forecasts)
        if forecasts.ndim == 3:
            return values[..., None]
        mix = [np.interp(self.probabilities, self.heads, row) for row in np.eye(len(self.heads))]
        return values @ np.array(mix)

    def transformed(self, values: Floats) -> Floats:
        """Values as errors are measured: logarithms, where the targets are logged."""
        return np.log(values) if self.logged else values

    def fan(self, forecasts: Floats, offsets: Floats) -> Floats:
        """Quantiles in own units, which never cross each other nor the point, [n, H, D, P].

        Args:
            forecasts: In own units, [n, H, D], or [n, H, D, Q] of a quantile head.
            offsets: Of each window, in transformed units, [n, H, D, P].
        """
        quantiles = self._untransformed(np.sort(self.bases(forecasts) + offsets, axis=-1))
        point, p = median(forecasts)[..., None], np.array(self.probabilities)
        outward = np.where(p < 0.5, np.minimum(quantiles, point), np.maximum(quantiles, point))
        return np.where(p == 0.5, quantiles, outward)

    def reach(self, series: Ints) -> Floats:
        """The offsets of these series [n] in transformed units, [n, H, D, P]."""
        return self.offsets[series] * self.size[series][..., None]

    def paths(self, fan: Floats, count: int, rng: np.random.Generator) -> Floats:
        """Sample paths whose quantiles are the fan's, and whose steps hang together as errors did, [count, n, H, D].

        Each path takes, step by step, the quantiles at which the errors of one calibration window stood. Beyond the
        outermost quantiles the tails are those of a normal distribution.

        Args:
            fan: Quantiles in own units, [n, H, D, P].
            count: How many paths.
            rng: Draws the windows.

        Reference: Clark et al. 2004 (the Schaake shuffle).
        """
        from scipy.special import ndtri  # the quantiles of a normal distribution

        quantiles, knots = self.transformed(fan), ndtri(self.probabilities)
        drawn = ndtri(self.ranks[rng.integers(len(self.ranks), size=(count, len(fan)))])
        right = np.clip(np.searchsorted(knots, drawn), 1, len(knots) - 1)
        share = (drawn - knots[right - 1]) / (knots[right] - knots[right - 1])
        low, high = (
            np.take_along_axis(quantiles[None], place[..., None], axis=-1)[..., 0] for place in (right - 1, right)
        )
        return self._untransformed(low + share * (high - low))

    def _untransformed(self, values: Floats) -> Floats:
        return np.exp(values) if self.logged else values


@dataclass(frozen=True)
class Intervals:
    """What turns the forecasts of several forecasters into intervals.

    Args:
        levels: The intervals' levels, in %.
        adaptive: Whether quantiles move along time.
        calibrations: By forecaster, with the same probabilities.
    """

    levels: tuple[int, ...]
    adaptive: bool
    calibrations: Mapping[str, Calibration]

    def of_series(self, order: Ints) -> Intervals:
        """The intervals of these of the series, in this order."""
        return replace(
            self,
            calibrations={
                name: replace(one, offsets=one.offsets[order], size=one.size[order], usual=one.usual[order])
                for name, one in self.calibrations.items()
            },
        )

    def only(self, names: Collection[str]) -> Intervals:
        """The intervals of these of the forecasters."""
        return replace(self, calibrations={name: one for name, one in self.calibrations.items() if name in names})

    def fans(self, forecasts: Mapping[str, Floats], series: Ints) -> dict[str, Floats]:
        """Quantiles by forecaster, [n, H, D, P], of forecasts in own units for these series [n]."""
        return {name: one.fan(forecasts[name], one.reach(series)) for name, one in self.calibrations.items()}

    @property
    def probabilities(self) -> tuple[float, ...]:
        """P, the probabilities of the quantiles."""
        return probabilities_of(self.levels)


def interval(fan: Floats, probabilities: Sequence[float], level: int) -> tuple[Floats, Floats]:
    """The ends of a central interval, each [n, H, D], out of quantiles [n, H, D, P]."""
    low, high = (probabilities.index(end) for end in ends_of(level))
    return fan[..., low], fan[..., high]


def interval_columns(fans: Mapping[str, Floats], intervals: Intervals) -> dict[str, Floats]:
    """The ends of every interval by column, ``<model>-lo-80`` and so on, each [n, H, D].

    Args:
        fans: Quantiles by model, [n, H, D, P].
        intervals: Whose they are.
    """
    columns: dict[str, Floats] = {}
    for name, fan in fans.items():
        for level in intervals.levels:
            low, high = interval(fan, intervals.probabilities, level)
            columns |= {f"{name}-lo-{level}": low, f"{name}-hi-{level}": high}
    return columns


def calibrate(
    y_true: Floats,
    forecasts: Floats,
    series: Ints,
    n_series: int,
    levels: Sequence[int],
    heads: tuple[float, ...],
    logged: bool,
    spacing: int | None = None,
) -> Calibration:
    """Calibrate one forecaster on windows that it was not trained on.

    Args:
        y_true: Observed, [n, H, D].
        forecasts: In own units, [n, H, D] or [n, H, D, Q].
        series: The series of each window, ascending; the windows of one ascend in time, [n].
        n_series: S.
        levels: The intervals' levels, in %.
        heads: The probabilities of a quantile head.
        logged: Whether errors are those of logarithms.
        spacing: Rows from one window to the next, where intervals follow the size of the errors; None where they stay.
    """
    n_steps, n_targets = y_true.shape[1:]
    probabilities, heads = probabilities_of(levels), heads if forecasts.ndim == 4 else ()
    blank = np.zeros((n_series, n_steps, n_targets, len(probabilities)))
    sizes, ranks = np.ones(blank.shape[:3]), np.empty((0, n_steps, n_targets))
    calibration = Calibration(probabilities, heads, blank, sizes, sizes.copy(), ranks, logged)
    observed = calibration.transformed(y_true)
    of_point = observed - calibration.transformed(median(forecasts))
    absolute, known = np.abs(of_point), np.empty(of_point.shape)
    for number in range(n_series):
        own = series == number
        seen = absolute[own] if own.any() else absolute
        usual = seen.mean(axis=0)
        calibration.usual[number] = calibration.size[number] = usual = np.where(usual > 0, usual, 1.0)
        known[own] = usual
        if spacing is not None and own.any():
            before = np.broadcast_to(usual, (delays_of(n_steps, spacing)[-1], n_steps, n_targets))
            averages = averaged_sizes(seen, before, spacing)
            known[own] = known_sizes(averages, len(seen), usual, spacing)
            calibration.size[number] = averages[-1]
    errors = (observed[..., None] - calibration.bases(forecasts)) / known[..., None]
    for number in range(n_series):
        own = series == number
        if np.count_nonzero(own) < _ENOUGH_WINDOWS:
            own[:] = True
        calibration.offsets[number] = _conformal(errors[own], probabilities)
    from scipy.stats import rankdata  # takes a second to import, and forecasts do without

    some = (of_point / known)[:: -(-len(of_point) // _MOST_RANKS)]
    return replace(calibration, ranks=(rankdata(some, axis=0) - 0.5) / len(some))


def _conformal(errors: Floats, probabilities: Sequence[float]) -> Floats:
    """The quantiles [H, D, P] of errors [n, H, D, 1 or P] that hold for one more of their kind."""
    n = len(errors)
    ranked = np.sort(errors, axis=0)
    ranks = [
        min(int(np.ceil(round((n + 1) * p, 6))), n) if p >= 0.5 else max(int(np.floor(round((n + 1) * p, 6))), 1)
        for p in probabilities
    ]
    own = ranked.shape[-1] > 1  # a quantile of the forecaster's own has errors of its own
    return np.stack([ranked[rank - 1, ..., k if own else 0] for k, rank in enumerate(ranks)], axis=-1)


def intervals_to_arrays(start: Intervals, end: Intervals) -> Arrays:
    """The intervals as they stood before the test span and after it; `intervals_of` reads them back."""
    arrays: Arrays = {}
    for name, one in start.calibrations.items():
        arrays[f"{name}/heads"] = np.array(one.heads)
        arrays[f"{name}/usual"] = one.usual
        arrays[f"{name}/ranks"] = one.ranks
        for moment, intervals in (("start", start), ("end", end)):
            arrays[f"{name}/{moment}"] = intervals.calibrations[name].offsets
            arrays[f"{name}/{moment}/size"] = intervals.calibrations[name].size
    return arrays


def _specs_of(run: Run) -> dict[str, ArraySpec]:
    """The arrays that `intervals_to_arrays` may make for a run."""
    shape, n_quantiles = run.shape, len(run.config.network.quantiles)
    each = (shape.series, shape.horizon, shape.targets)
    specs = {
        "heads": ArraySpec("<f8", (range(n_quantiles + 1),)),
        "ranks": ArraySpec("<f8", (range(1, _MOST_RANKS + 1), *each[1:])),
        "usual": ArraySpec("<f8", each),
    }
    offsets = ArraySpec("<f8", (*each, range(1, 10 + 2 * len(run.config.intervals.levels))))
    for moment in ("start", "end"):
        specs |= {moment: offsets, f"{moment}/size": ArraySpec("<f8", each)}
    forecasters = (run.config.network.model, "rnn", *NAIVE)
    return {f"{name}/{part}": spec for name in forecasters for part, spec in specs.items()}


def intervals_of(run: Run, moment: Literal["start", "end"]) -> Intervals | None:
    """The intervals of a run as they stood at the start or at the end of its test span; None if it has none.

    Raises:
        RunError: If they are damaged.
    """
    if CALIBRATION not in run.manifest["files"]:
        return None
    arrays, config = run.arrays(CALIBRATION, _specs_of(run), keep=True), run.config
    logged = config.data.transform == "log"
    probabilities = probabilities_of(config.intervals.levels)
    try:
        calibrations = {
            name: Calibration(
                probabilities,
                tuple(arrays[f"{name}/heads"].tolist()),
                arrays[f"{name}/{moment}"],
                arrays[f"{name}/{moment}/size"],
                arrays[f"{name}/usual"],
                arrays[f"{name}/ranks"],
                logged,
            )
            for name in (key.removesuffix("/usual") for key in arrays if key.endswith("/usual"))
        }
    except KeyError as error:
        raise RunError(
            f"The intervals of {run.name} are incomplete: {error} is missing.", "Train the run again."
        ) from None
    shapes = {one.offsets.shape for one in calibrations.values()} | {
        (*size.shape, len(probabilities)) for one in calibrations.values() for size in (one.size, one.usual)
    }
    if len(shapes) != 1:
        raise RunError(f"The intervals of {run.name} do not fit each other: {sorted(shapes)}.", "Train the run again.")
    return Intervals(config.intervals.levels, config.intervals.adaptive, calibrations)
