"""Conformal prediction intervals for each step of the horizon.

A forecaster gives points or quantiles. Its errors on a calibration span, after training and before the test, say how
far from the forecast each quantile lies (`calibrate`). Errors are measured in multiples of their recent size, because
calm and wild times come in stretches, in the weather as on a market.

Reference: Lei et al. 2018 (split conformal); Romano, Patterson & Candès 2019 (conformalised quantiles).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from forecast.data.panel import Floats
from forecast.data.windows import Flags, Ints, median
from forecast.intervals.sizes import LEAST_SIZE

DECILES = tuple(number / 10 for number in range(1, 10))


def ends_of(level: int) -> tuple[float, float]:
    """The probabilities of the ends of a central interval: 0.1 and 0.9 of level 80."""
    return round((100 - level) / 200, 6), round((100 + level) / 200, 6)


def probabilities_of(levels: Sequence[int]) -> tuple[float, ...]:
    """The P probabilities of the quantiles: the ends of each interval, and the deciles, which are scored."""
    return tuple(sorted({*DECILES, *(end for level in levels for end in ends_of(level))}))


@dataclass(frozen=True)
class Calibration:
    """How far from the forecast of one forecaster each quantile lies.

    Args:
        probabilities: P probabilities, ascending, within 0 … 1.
        head_probabilities: The probabilities of the forecaster's own quantiles, Q; empty if it forecasts points.
        offsets: Distance of each quantile from the forecast, in multiples of the size of the errors, [S, H, D, P].
        size: Recent mean absolute error, in transformed units, [S, H, D].
        usual_size: Mean absolute error on the calibration span, in transformed units, [S, H, D].
        ranks: Ranks of the errors of K windows at each step, within 0 … 1, [K, H, D].
        logged: Whether errors are those of the logarithms of the targets.
        outcomes: How many independent outcomes the size of the errors rests on, [S, H, D]; 0 where there are no errors,
            NaN where it is not known.
        borrowed: Whether a series has the shape of all series' errors, for want of windows of its own, [S].
    """

    probabilities: tuple[float, ...]
    head_probabilities: tuple[float, ...]
    offsets: Floats
    size: Floats
    usual_size: Floats
    ranks: Floats
    logged: bool
    outcomes: Floats
    borrowed: Flags

    def bases(self, forecasts: Floats) -> Floats:
        """The values, transformed, to which the offsets are added.

        Args:
            forecasts: In the targets' own units, [n, H, D], or [n, H, D, Q] of a quantile head.

        Returns:
            [n, H, D, 1] for points. [n, H, D, P] for quantiles, interpolated between the head's; beyond the outermost
            of these, the outermost.
        """
        values = self.transformed(forecasts)
        if forecasts.ndim == 3:
            return values[..., None]
        unit_vectors = np.eye(len(self.head_probabilities))
        weights = [np.interp(self.probabilities, self.head_probabilities, unit) for unit in unit_vectors]
        return values @ np.array(weights)

    def transformed(self, values: Floats) -> Floats:
        """Values in the units in which errors are measured: logarithms if the targets are logged."""
        return np.log(values) if self.logged else values

    def quantiles(self, forecasts: Floats, offsets: Floats) -> Floats:
        """Quantiles in the targets' own units, which cross neither each other nor the point, [n, H, D, P].

        Args:
            forecasts: In the targets' own units, [n, H, D], or [n, H, D, Q] of a quantile head.
            offsets: Offsets for each window, in transformed units, [n, H, D, P].
        """
        quantiles = self._untransformed(np.sort(self.bases(forecasts) + offsets, axis=-1))
        point, p = median(forecasts)[..., None], np.array(self.probabilities)
        outward = np.where(p < 0.5, np.minimum(quantiles, point), np.maximum(quantiles, point))
        return np.where(p == 0.5, quantiles, outward)

    def offsets_of(self, series: Ints, carried: Ints | None = None) -> Floats:
        """The current offsets of these series [n] in transformed units, [n, H, D, P].

        A forecaster that has not seen the last c rows forecasts step h as from so many steps farther ahead: the offsets
        are those of step h + c where they lie farther out. Beyond the horizon they grow on as a power of the step.

        Args:
            series: The series of each window, [n].
            carried: How many rows before its cut-off each target was not observed, [n, D]; None if all were.
        """
        size = np.maximum(self.size, LEAST_SIZE * self.usual_size)[series]
        offsets = self.offsets[series] * size[..., None]
        if carried is None or not carried.any():
            return offsets
        horizon = self.size.shape[1]
        steps = np.arange(1, horizon + 1)[:, None] + carried[:, None]  # [n, H, D]
        farther = np.take_along_axis(offsets, np.minimum(steps, horizon)[..., None] - 1, axis=1)
        beyond = np.maximum(steps / horizon, 1) ** self._growth(size)[:, None]
        farther *= beyond[..., None]
        p = np.array(self.probabilities)
        outward = np.where(p < 0.5, np.minimum(offsets, farther), np.maximum(offsets, farther))
        return np.where(p == 0.5, farther, outward)

    @staticmethod
    def _growth(size: Floats) -> Floats:
        """As which power of the step a size [n, H, D] grows over the second half of the horizon, [n, D]."""
        horizon = size.shape[1]
        if horizon == 1:
            return np.full((len(size), size.shape[2]), 0.5)  # as that of a random walk
        half = horizon // 2
        grown = size[:, -1] / size[:, half - 1]
        return np.clip(np.log(grown) / np.log(horizon / half), 0, 1)

    def paths(self, quantiles: Floats, count: int, rng: np.random.Generator) -> Floats:
        """Sample paths with these quantiles, whose steps depend on each other as past errors did, [count, n, H, D].

        Each path follows, at each step, the rank that the error of one calibration window had at that step. Beyond the
        outermost quantiles the tails are those of a normal distribution.

        Args:
            quantiles: In the targets' own units, [n, H, D, P].
            count: Number of paths.
            rng: Draws the calibration windows.

        Reference: Clark et al. 2004 (the Schaake shuffle).
        """
        from scipy.special import ndtri  # the quantiles of a normal distribution

        values, knots = self.transformed(quantiles), ndtri(self.probabilities)
        drawn = ndtri(self.ranks[rng.integers(len(self.ranks), size=(count, len(quantiles)))])
        right = np.clip(np.searchsorted(knots, drawn), 1, len(knots) - 1)
        share = (drawn - knots[right - 1]) / (knots[right] - knots[right - 1])
        low, high = (np.take_along_axis(values[None], knot[..., None], axis=-1)[..., 0] for knot in (right - 1, right))
        return self._untransformed(low + share * (high - low))

    def _untransformed(self, values: Floats) -> Floats:
        return np.exp(values) if self.logged else values


@dataclass(frozen=True)
class Intervals:
    """The calibrations of several forecasters.

    Args:
        levels: Levels of the intervals in %.
        adaptive: Whether the quantiles adapt to later errors.
        calibrations: By forecaster, all with the same probabilities.
    """

    levels: tuple[int, ...]
    adaptive: bool
    calibrations: Mapping[str, Calibration]

    def of_series(self, order: Ints) -> Intervals:
        """The intervals of these series, in this order."""
        return replace(
            self,
            calibrations={
                name: replace(
                    calibration,
                    offsets=calibration.offsets[order],
                    size=calibration.size[order],
                    usual_size=calibration.usual_size[order],
                    outcomes=calibration.outcomes[order],
                    borrowed=calibration.borrowed[order],
                )
                for name, calibration in self.calibrations.items()
            },
        )

    def only(self, names: Collection[str]) -> Intervals:
        """The intervals of these forecasters, if they have any."""
        kept = {name: calibration for name, calibration in self.calibrations.items() if name in names}
        return replace(self, calibrations=kept)

    def quantiles(
        self, forecasts: Mapping[str, Floats], series: Ints, carried: Ints | None = None
    ) -> dict[str, Floats]:
        """Quantiles by forecaster, [n, H, D, P], from forecasts in own units; see `Calibration.offsets_of`."""
        return {
            name: calibration.quantiles(forecasts[name], calibration.offsets_of(series, carried))
            for name, calibration in self.calibrations.items()
        }

    @property
    def probabilities(self) -> tuple[float, ...]:
        """The P probabilities of the quantiles."""
        return probabilities_of(self.levels)


def interval(quantiles: Floats, probabilities: Sequence[float], level: int) -> tuple[Floats, Floats]:
    """The two ends of a central interval, each [n, H, D], from quantiles [n, H, D, P]."""
    low, high = (probabilities.index(end) for end in ends_of(level))
    return quantiles[..., low], quantiles[..., high]


def interval_columns(quantiles: Mapping[str, Floats], intervals: Intervals) -> dict[str, Floats]:
    """The ends of every interval by column, ``<model>-lo-80`` and so on, each [n, H, D]; from [n, H, D, P] by model."""
    columns: dict[str, Floats] = {}
    for name, of_model in quantiles.items():
        for level in intervals.levels:
            low, high = interval(of_model, intervals.probabilities, level)
            columns |= {f"{name}-lo-{level}": low, f"{name}-hi-{level}": high}
    return columns
