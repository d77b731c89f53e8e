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
        expected: What was forecast one step ahead, or far ahead where that is not known.
        low: The ends of what is usual, which 99 of 100 rows lie within.
        high: The other end.
        p: How improbable the row was, by both forecasts together; NaN where it was not observed or not forecast.
        near: The same one step ahead.
        far: The same far ahead.
        above: Whether it lies above what was expected far ahead, or one step ahead where that is not known.
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
        size: The recent size of errors one step and far ahead, [2, D].
        n_suspect: How many of the last rows in sequence were suspect, [D].
    """

    usual: UsualErrors
    circular: Flags
    size: Floats = field(default_factory=lambda: np.zeros(0))
    n_suspect: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        self._ends = np.array([[one.ends(_SHOWN) for one in both] for both in (self.usual.near, self.usual.far)])
        self._ends = np.moveaxis(self._ends, -1, 0)  # [low and high, near and far, D]
        if not len(self.size):
            self.size = self.usual.sizes[[0, -1]].copy()
            self.n_suspect = np.zeros(len(self.circular), np.int64)

    def judge(self, y: Floats, near: Floats, far: Floats, stuck: Flags) -> Judgement:
        """Judge the next row.

        Args:
            y: Observed, [D]; NaN where nothing was.
            near: Forecast one step ahead, [D]; NaN where there is none.
            far: Forecast far ahead, [D].
            stuck: Whether its sensor is known to be stuck, so that what it says is not fed.
        """
        usual, targets = self.usual, range(len(y))
        growth = usual.sizes[self.n_suspect, targets] / usual.sizes[0]
        sizes = np.stack([self.size[0] * growth, self.size[1]])
        errors = np.stack([self._errors(y, near), self._errors(y, far)])
        scaled = errors / sizes
        p = np.stack([[usual.near[d].p_values(scaled[0, d]), usual.far[d].p_values(scaled[1, d])] for d in targets], 1)
        suspect = (p[0] < _SUSPECT) | stuck
        believed = np.where((self.n_suspect + 1 >= MOST_SUSPECT) & suspect & ~stuck, self.n_suspect, 0)
        suspect &= believed == 0
        self.n_suspect = np.where(
            suspect, np.minimum(self.n_suspect + 1, MOST_SUSPECT), np.where(np.isnan(y), self.n_suspect, 0)
        )
        absolute = np.abs(errors) / np.stack([growth, np.ones_like(growth)])
        self.size = updated_size(self.size, usual.sizes[[0, -1]], np.where(stuck, np.nan, absolute))
        shown = np.where(np.isnan(near), 1, 0)
        low, high = self._ends[:, shown, targets] * sizes[shown, targets]
        expected = np.where(np.isnan(near), far, near)
        direction = np.where(np.isnan(errors[1]), errors[0], errors[1])
        return Judgement(
            expected, self._moved(expected, low), self._moved(expected, high), _together(p), p[0], p[1],
            direction > 0, suspect, believed,
        )  # fmt: skip

    def _errors(self, y: Floats, forecast: Floats) -> Floats:
        if self.usual.logged:
            return np.asarray(np.log(y) - np.log(forecast))
        error = y - forecast
        return np.where(self.circular, (error + TURN / 2) % TURN - TURN / 2, error)

    def _moved(self, forecast: Floats, error: Floats) -> Floats:
        return forecast * np.exp(error) if self.usual.logged else forecast + error


def _together(p: Floats) -> Floats:
    """One p-value of two of the same row [2, D], [D]: valid where they depend on each other positively (Simes 1986)."""
    least, most = np.fmin(p[0], p[1]), np.fmax(p[0], p[1])
    both = ~np.isnan(p).any(axis=0)
    return np.where(both, np.minimum(2 * least, most), least)
