"""Judge the rows of a series one after another, so that an odd one spoils no judgement of those after it.

A row whose error one step ahead is improbable is suspect. Where it lies in the lookback of a later forecast, what was
expected in its place is fed instead; and the next row, which is forecast from farther back, is judged by errors that
are usual so far ahead. A level that lasts is no mistake: after `MOST_SUSPECT` suspect rows in sequence they are
believed, and fed as they were.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from forecast.data.bounds import TURN
from forecast.data.panel import Floats
from forecast.data.windows import Flags, Ints
from forecast.outliers.usual import MOST_SUSPECT, UsualErrors, updated_size

# A row with a p-value below this is suspect: about three standard deviations of normal errors, the usual place from
# which robust filters distrust an observation (Masreliez & Martin 1977). No discovery depends on it.
_SUSPECT = 0.003

# The p-value of the ends that are shown of what is usual: 99 of 100 usual rows lie within.
_SHOWN = 0.01


@dataclass(frozen=True)
class Judgement:
    """What is said of one row, for each of D targets.

    Args:
        expected: What was forecast one step ahead, or else far ahead, or by the season.
        low: The lower end of what is usual, within which 99 of 100 rows lie.
        high: The upper end.
        p: How improbable the row was, by all expectations together; NaN where it was not observed or not expected.
        near: The same one step ahead.
        far: The same by the least probable of the others.
        above: Whether it lies above what the last of these expected.
        suspect: Whether what was expected should be fed in its place.
        believed: How many rows before it, which were suspect, are to be fed as they were after all; 0 for none.
    """

    expected: Floats
    low: Floats
    high: Floats
    p: Floats
    near: Floats
    far: Floats
    above: Flags
    suspect: Flags
    believed: Ints


@dataclass
class Watch:
    """What is known at a row of a series: how large errors are of late, and how many rows in sequence were suspect.

    Args:
        usual: The usual errors.
        circular: Which targets are angles, [D].
        size: The recent size of the errors of the three expectations, [3, D].
        n_suspect: How many of the last rows in sequence were suspect, [D].
    """

    usual: UsualErrors
    circular: Flags
    size: Floats = field(default_factory=lambda: np.zeros(0))
    n_suspect: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        ends = [[one.ends(_SHOWN) for one in by_target] for by_target in self.usual.distributions]
        self._ends = np.moveaxis(np.array(ends), -1, 0)  # low and high: [2, 3, D]
        if not len(self.size):
            self.size, self.n_suspect = self.usual.sizes.copy(), np.zeros(len(self.circular), np.int64)

    def judge(self, y: Floats, expected: Floats, stuck: Flags) -> Judgement:
        """Judge the next row.

        Args:
            y: Observed, [D]; NaN where nothing was.
            expected: What was expected one step ahead, far ahead and by the season, [3, D]; NaN where nothing was.
            stuck: Whether its sensor is known to be stuck, so that what it says is not fed.
        """
        targets = np.arange(len(y))
        growth = np.ones_like(expected)
        growth[0] = self.usual.growth[self.n_suspect, targets]
        sizes = self.size * growth
        errors = self._errors(y, expected)
        scaled = errors / sizes
        p = np.array([
            [one.p_values(error) for one, error in zip(by_target, of_lead, strict=True)]
            for by_target, of_lead in zip(self.usual.distributions, scaled, strict=True)
        ])  # fmt: skip
        p[2, ~self.usual.has_season] = np.nan
        suspect = (p[0] < _SUSPECT) | stuck
        believed = np.where((self.n_suspect + 1 >= MOST_SUSPECT) & suspect & ~stuck, self.n_suspect, 0)
        suspect &= believed == 0
        counted = np.minimum(self.n_suspect + 1, MOST_SUSPECT)
        self.n_suspect = np.where(suspect, counted, np.where(np.isnan(y), self.n_suspect, 0))
        self.size = updated_size(self.size, self.usual.sizes, np.where(stuck, np.nan, np.abs(errors) / growth))
        first = np.argmin(np.isnan(expected), axis=0)  # of what is known the nearest
        last = 2 - np.argmin(np.isnan(p[::-1]), axis=0)
        low, high = self._ends[:, first, targets] * sizes[first, targets]
        nearest = expected[first, targets]
        return Judgement(
            nearest,
            self._moved(nearest, low),
            self._moved(nearest, high),
            _together(p),
            p[0],
            np.fmin(p[1], p[2]),
            errors[last, targets] > 0,
            suspect,
            believed,
        )

    def _errors(self, y: Floats, expected: Floats) -> Floats:
        if self.usual.logged:
            return np.asarray(np.log(y) - np.log(expected))
        error = y - expected
        return np.where(self.circular, (error + TURN / 2) % TURN - TURN / 2, error)

    def _moved(self, expected: Floats, error: Floats) -> Floats:
        return expected * np.exp(error) if self.usual.logged else expected + error


def _together(p: Floats) -> Floats:
    """One p-value of several of the same row [n, D], [D]; valid where they depend positively (Simes 1986).

    Those that are NaN do not count; NaN where all are.
    """
    ordered = np.sort(p, axis=0)  # NaN last
    count = (~np.isnan(p)).sum(axis=0)
    return np.fmin.reduce(ordered * count / np.arange(1, len(p) + 1)[:, None], axis=0)
