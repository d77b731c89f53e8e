"""The p-value of an error: its rank among errors of forecasts that were not fitted to them, and beyond these a tail.

A rank among n errors is valid whatever their distribution, and is never below 1 / (n + 1). To single out one row of
thousands takes less than that, so the outermost errors are continued by the distribution that excesses over a high
threshold follow in the limit.

Reference: Vovk, Gammerman & Shafer 2005 (conformal p-values); Pickands 1975 (generalised Pareto tails); Hosking &
Wallis 1987 (probability-weighted moments); Siffer et al. 2017 (such tails for anomalies in streams).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecast.data.panel import Floats

# The outermost share of the errors on either side that a tail is fitted to, and the fewest errors that tell of its
# shape. Half of them at most: beyond is the other side.
_TAIL_SHARE, _FEWEST = 0.05, 25

# With fewer errors nothing can be said of a tail.
FEWEST_ERRORS = 12


@dataclass(frozen=True)
class Tail:
    """A generalised Pareto distribution of the errors beyond a threshold.

    Args:
        start: The threshold.
        share: The share of the errors beyond it.
        scale: How fast it falls, in the errors' unit.
        shape: How heavy it is; 0 falls as an exponential.
    """

    start: float
    share: float
    scale: float
    shape: float

    @classmethod
    def fit(cls, errors: Floats) -> Tail:
        """The upper tail of errors, ascending, [n].

        It is never lighter than an exponential, and half a standard error heavier than it was measured: a tail that is
        taken for too light makes discoveries of usual rows. Chosen by simulation: so the errors of normal, Laplace and
        Student's distributions are beyond their thousandth part about as often as that; 1.7 times as often in the worst
        case, 4 degrees of freedom and 200 errors.
        """
        n = len(errors)
        k = max(int(_TAIL_SHARE * n), min(_FEWEST, n // 2))
        start = float(errors[n - k - 1])
        excess = errors[n - k :] - start
        mean = float(excess.mean())
        if mean == 0:
            return cls(start, (k + 1) / (n + 1), 0.0, 0.0)
        weighted = float(((1 - (np.arange(1, k + 1) - 0.35) / k) * excess).mean())
        shape = max(0.0, min(2 - mean / max(mean - 2 * weighted, 1e-3 * mean), 0.9))
        shape += (1 + shape) / (2 * np.sqrt(k))
        return cls(start, (k + 1) / (n + 1), mean * max(1 - shape, 0.1), shape)

    def beyond(self, errors: Floats) -> Floats:
        """The share of errors beyond these, which lie above the threshold."""
        with np.errstate(divide="ignore", invalid="ignore"):
            excess = (
                np.maximum((errors - self.start) / self.scale, 0)
                if self.scale
                else np.where(errors > self.start, np.inf, 0.0)
            )
        return np.asarray(
            self.share * (1 + self.shape * excess) ** (-1 / self.shape) if self.shape else self.share * np.exp(-excess)
        )

    def end(self, share: float) -> float:
        """What this share of the errors lies beyond; the threshold for a greater share than the tail's."""
        if share >= self.share or not self.scale:
            return self.start
        ratio = self.share / share
        return self.start + self.scale * ((ratio**self.shape - 1) / self.shape)


@dataclass(frozen=True)
class OneSided:
    """How probable it is that a value is at least so large.

    Args:
        values: Those that were seen, ascending, [n].
        tail: Their upper tail.
    """

    values: Floats
    tail: Tail

    @classmethod
    def fit(cls, ordered: Floats) -> OneSided:
        """That of values, ascending, [n]."""
        return cls(ordered, Tail.fit(ordered))

    def p_values(self, values: Floats) -> Floats:
        """The share of values beyond these: up to the outermost that was seen at least the rank's, then the tail's."""
        n = len(self.values)
        of_rank = (n - np.searchsorted(self.values, values, "left") + 1) / (n + 1)
        of_tail = self.tail.beyond(values)
        in_tail = np.where(values > self.values[-1], of_tail, np.maximum(of_tail, of_rank))
        return np.where(values > self.tail.start, in_tail, of_rank)

    def end(self, p: float) -> float:
        """The value that so small a share lies beyond."""
        rank = int(p * (len(self.values) + 1))
        return max(self.tail.end(p), float(self.values[-rank])) if rank else self.tail.end(p)


@dataclass(frozen=True)
class ErrorDistribution:
    """The distribution of errors in multiples of their size.

    Args:
        below: That of the errors turned over.
        above: That of the errors.
    """

    below: OneSided
    above: OneSided

    @classmethod
    def fit(cls, errors: Floats) -> ErrorDistribution:
        """That of some errors [n], of which NaN tells nothing; at least `FEWEST_ERRORS` must be left."""
        ordered = np.sort(errors[~np.isnan(errors)])
        return cls(OneSided.fit(-ordered[::-1]), OneSided.fit(ordered))

    def p_values(self, errors: Floats) -> Floats:
        """How probable an error so far to its side, or farther, is: two-sided, NaN of NaN."""
        p = np.minimum(1.0, 2 * np.minimum(self.below.p_values(-errors), self.above.p_values(errors)))
        return np.where(np.isnan(errors), np.nan, p)

    def ends(self, p: float) -> tuple[float, float]:
        """The two errors whose p-value is ``p``; a small one, that lies in the tails."""
        return -self.below.end(p / 2), self.above.end(p / 2)
