"""Covariates that are nearly a copy of the target: its values of now or of later steps, perhaps in other units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Floats, Panel

# A covariate whose correlation with the target is larger than this is the target in other units.
_COPY = 0.999

# A slow target resembles itself some steps later, and so does everything that resembles it. A covariate that knows the
# later target leaves less than this share of what the present target leaves unexplained.
_UNEXPLAINED = 0.25

# Fewer pairs than these correlate by chance.
_FEWEST_PAIRS = 20

# Positions of the line whose Fourier transforms are held at once.
_PIECE = 1 << 18

# A smaller variance, as a share of the column's own, is no movement.
_NO_VARIANCE = 1e-9

# Which lines of `_transforms` are multiplied, of the covariate and of the target, for the sums
# n, Σx, Σy, Σx², Σy² and Σxy.
_FACTORS = [0, 1, 0, 2, 0, 1], [0, 0, 1, 0, 2, 1]


@dataclass(frozen=True)
class NearCopy:
    """A covariate that is nearly a target.

    Args:
        column: Its index.
        target: That of the target.
        shift: How many steps later the target is; below 0, earlier.
        unexplained: The share of the target's variance that it does not explain.
    """

    column: int
    target: int
    shift: int
    unexplained: float

    def in_words(self, panel: Panel) -> str:
        """What it is."""
        name = f"covariate {panel.columns[self.column]!r}" + (", known ahead," if self.shift < 0 else "")
        return f"{name} is nearly a copy of the target {panel.columns[self.target]!r}{_when(self.shift)}: a leak?"


def near_copies_of_target(
    panel: Panel, compared: NDArray[np.bool_], n_targets: int, n_known: int, horizon: int, lookback: int = 0
) -> tuple[str, ...]:
    """What `find_near_copies` finds, one sentence each."""
    copies = find_near_copies(panel, compared, n_targets, n_known, horizon, lookback)
    return tuple(copy.in_words(panel) for copy in copies)


def find_near_copies(
    panel: Panel, compared: NDArray[np.bool_], n_targets: int, n_known: int, horizon: int, lookback: int = 0
) -> list[NearCopy]:
    """Each covariate that is nearly a target at any of the steps 0 … L + H: so much later ones stand in a window.

    A covariate that is known ahead stands beside the horizon, where a target of fewer than H steps ago is a leak, too.

    Args:
        panel: Targets first, then past covariates, then what is known ahead.
        compared: Which rows are compared, [T].
        n_targets: D, the first columns.
        n_known: The last columns, known ahead.
        horizon: H.
        lookback: L.
    """
    n_columns, reach = len(panel.columns), lookback + horizon
    pairs = [(target, target) for target in range(n_targets)]
    pairs += product(range(n_targets, n_columns), range(n_targets))
    correlations = _correlations(panel, compared, reach, pairs)
    copies = []
    for target, column in product(range(n_targets), range(n_targets, n_columns)):
        shifts = np.arange(1 - horizon if column >= n_columns - n_known else 0, reach + 1)
        with_target = correlations[column, target][shifts]
        of_target_alone = correlations[target, target][shifts]
        explains_more = 1 - with_target < _UNEXPLAINED * (1 - of_target_alone)
        suspect = (with_target > _COPY) & ((shifts == 0) | explains_more)
        if suspect.any():
            best = int(np.argmax(np.where(suspect, with_target, 0)))
            copies.append(NearCopy(column, target, int(shifts[best]), 1 - float(with_target[best]) ** 2))
    return copies


def _when(shift: int) -> str:
    if not shift:
        return ""
    return f" {abs(shift)} {'step' if abs(shift) == 1 else 'steps'} {'later' if shift > 0 else 'earlier'}"


def _correlations(
    panel: Panel, compared: NDArray[np.bool_], horizon: int, pairs: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], Floats]:
    """|Pearson's r| between one column and another s steps later, by pair of columns, for s in -H … H.

    Each array is [2 H + 1] and is indexed by s itself: negative shifts count from its end, as NumPy's indices do.

    All rows stand on one line (`_positions`). The sum over i of x[i] y[i + s], for every s at once, is the inverse
    Fourier transform of the conjugate of x's transform times y's. Means and variances are taken over the pairs that
    both have a value, so six such sums are needed. The line is transformed piece by piece, because the transforms of a
    long one would take many times the memory of the panel: a piece of the first column, with H more positions of the
    second on either side. tests/data/test_near_copies.py computes the same with a loop over all pairs of rows.
    """
    # In this order, because each of the two takes as much memory as a column.
    scales = [_mean_and_deviation(values[compared & ~np.isnan(values)]) for values in panel.values.T]
    positions = _positions(panel, horizon)
    sums = {pair: np.zeros((6, 2 * horizon + 1)) for pair in pairs}
    end = int(positions[-1]) + 1
    for first in range(0, end, _PIECE):
        low, high = max(first - horizon, 0), min(first + _PIECE + horizon, end)
        rows = slice(*np.searchsorted(positions, [low, high]))
        in_piece = (positions[rows] >= first) & (positions[rows] < first + _PIECE)
        size = _fast_length(high - low + horizon)

        def transforms(column: int, picked: NDArray[np.bool_]) -> NDArray[np.complex128]:
            values = panel.values[rows, column]  # noqa: B023 - called within the turn of the loop
            return _transforms(values, picked, positions[rows] - low, size, *scales[column])  # noqa: B023

        seconds = {second: transforms(second, compared[rows]) for second in {second for _, second in pairs}}
        for column in {column for column, _ in pairs}:
            is_same = column in seconds and in_piece.all()
            one = seconds[column] if is_same else transforms(column, compared[rows] & in_piece)
            for second in [second for of_pair, second in pairs if of_pair == column]:
                every = np.fft.irfft(np.conj(one[_FACTORS[0]]) * seconds[second][_FACTORS[1]], size)
                sums[column, second] += np.concatenate([every[:, : horizon + 1], every[:, -horizon:]], axis=1)
    return {pair: _correlation(*of_pair) for pair, of_pair in sums.items()}


def _positions(panel: Panel, horizon: int) -> NDArray[np.int64]:
    """Where each row stands on one line, [T]: rows are s apart on it if they are s steps apart, for every s up to H.

    Positions stay empty where rows are absent, and between series.
    """
    stretches = panel.stretches()
    breaks = np.flatnonzero(stretches[1:] != stretches[:-1]) + 1
    positions = np.arange(panel.n_rows)
    if not len(breaks):
        return positions
    empty = np.minimum(panel.absent_before()[breaks], horizon)
    empty[np.isin(breaks, panel.offsets)] = horizon
    positions += np.repeat(np.cumsum([0, *empty]), np.diff([0, *breaks, panel.n_rows]))
    return positions


def _fast_length(length: int) -> int:
    from scipy.fft import next_fast_len

    return int(next_fast_len(length, real=True))


def _mean_and_deviation(values: Floats) -> tuple[float, float]:
    """Mean and standard deviation of a fresh array, which is overwritten."""
    if not len(values):
        return 0.0, 0.0
    mean = float(np.mean(values))
    values -= mean
    return mean, float(np.sqrt(np.mean(np.square(values, out=values))))


def _transforms(
    values: Floats, picked: NDArray[np.bool_], positions: NDArray[np.int64], size: int, mean: float, deviation: float
) -> NDArray[np.complex128]:
    """Fourier transforms of three lines, [3, size // 2 + 1]: 1 where there is a value, the values, their squares.

    The values are standardised; they are 0 where there is none, and in a column that does not move.
    """
    seen = picked & ~np.isnan(values)
    lines = np.zeros((3, size))
    lines[0, positions[seen]] = 1
    if deviation > 0:
        lines[1, positions[seen]] = (values[seen] - mean) / deviation
    lines[2] = lines[1] ** 2
    return np.fft.rfft(lines)


def _correlation(n: Floats, x: Floats, y: Floats, xx: Floats, yy: Floats, xy: Floats) -> Floats:
    """|Pearson's r| at each shift, [2 H + 1], from sums over pairs; 0 where too few move."""
    enough = np.rint(n) >= _FEWEST_PAIRS
    n = np.maximum(np.rint(n), 1)
    variance_x, variance_y = xx / n - (x / n) ** 2, yy / n - (y / n) ** 2
    moves = enough & (variance_x > _NO_VARIANCE) & (variance_y > _NO_VARIANCE)
    covariance = xy / n - x / n * (y / n)
    return np.where(moves, np.abs(covariance) / np.sqrt(np.where(moves, variance_x * variance_y, 1)), 0)
