"""Covariates that are the target in disguise: its values of now or of later, in other units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Floats, Panel

Spectrum = NDArray[np.complex128]

# A covariate that correlates with the target more than this is the target in other units.
_TWIN = 0.999

# A slow target resembles itself some steps later, and so does everything that resembles it. What knows the later target
# leaves less than this share of what the target of now leaves unexplained.
_LEFT_OPEN = 0.25

# Fewer pairs than these correlate by chance.
_FEWEST_PAIRS = 20

# Places of the line whose spectra are held at once.
_PIECE = 1 << 18

# Variance of what does not move, in units of the column's own.
_STILL = 1e-9


def disguises(
    panel: Panel, looked_at: NDArray[np.bool_], n_targets: int, n_known: int, horizon: int
) -> tuple[str, ...]:
    """Each covariate that is nearly a target, at any of the steps 0 … H, one sentence each.

    What is known ahead stands beside the horizon, so that the target of fewer than H steps ago is news there, too.

    Args:
        panel: Targets first, then past covariates, then what is known ahead.
        looked_at: Which rows are compared, [T].
        n_targets: D, the first columns.
        n_known: The last columns, known ahead.
        horizon: H.
    """
    n_columns = len(panel.columns)
    pairs = [(target, target) for target in range(n_targets)]
    pairs += product(range(n_targets, n_columns), range(n_targets))
    alike = _alike(panel, looked_at, horizon, pairs)
    own = [alike[target, target] for target in range(n_targets)]
    found = []
    for target, column in product(range(n_targets), range(n_targets, n_columns)):
        ahead = column >= n_columns - n_known
        shifts = np.arange(1 - horizon if ahead else 0, horizon + 1)
        close = alike[column, target][shifts]
        suspect = (close > _TWIN) & ((shifts == 0) | (1 - close < _LEFT_OPEN * (1 - own[target][shifts])))
        if suspect.any():
            shift = int(shifts[np.argmax(np.where(suspect, close, 0))])
            twin = f"covariate {panel.columns[column]!r}" + (", known ahead," if shift < 0 else "")
            found.append(f"{twin} is nearly the target {panel.columns[target]!r}{_when(shift)}: a leak?")
    return tuple(found)


def _when(shift: int) -> str:
    if not shift:
        return ""
    return f" {abs(shift)} {'step' if abs(shift) == 1 else 'steps'} {'later' if shift > 0 else 'earlier'}"


def _places(panel: Panel, horizon: int) -> NDArray[np.int64]:
    """Where each row stands on one line, [T], so that rows s apart on it are s steps apart, for every s up to H.

    Places stay empty where rows are absent, and between series.
    """
    stretches = panel.stretches()
    breaks = np.flatnonzero(stretches[1:] != stretches[:-1]) + 1
    places = np.arange(panel.n_rows)
    if not len(breaks):
        return places
    empty = np.minimum(panel.absent_before()[breaks], horizon)
    empty[np.isin(breaks, panel.offsets)] = horizon
    places += np.repeat(np.cumsum([0, *empty]), np.diff([0, *breaks, panel.n_rows]))
    return places


def _fast_length(length: int) -> int:
    from scipy.fft import next_fast_len

    return int(next_fast_len(length, real=True))


@dataclass(frozen=True)
class _Spectra:
    """Fourier transforms of a column: of where it was seen, of its standardised values, and of their squares."""

    seen: Spectrum
    values: Spectrum
    squares: Spectrum


def _alike(
    panel: Panel, looked_at: NDArray[np.bool_], horizon: int, pairs: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], Floats]:
    """Size of the correlation of one column with another s steps later, [2 H + 1] by pair.

    The shift s counts from the end where it is negative. The line is taken piece by piece, as the spectra of a long
    one would take many times the memory of the panel; beside a piece of the one column lie H more places of the other.
    """
    # In this order: what the moments are taken of is gone again when the places come, which take as much memory.
    moments = [_mean_and_spread(values[looked_at & ~np.isnan(values)]) for values in panel.values.T]
    places = _places(panel, horizon)
    sums = {pair: np.zeros((6, 2 * horizon + 1)) for pair in pairs}
    end = int(places[-1]) + 1
    for first in range(0, end, _PIECE):
        low, high = max(first - horizon, 0), min(first + _PIECE + horizon, end)
        rows = slice(*np.searchsorted(places, [low, high]))
        inside = (places[rows] >= first) & (places[rows] < first + _PIECE)
        size = _fast_length(high - low + horizon)

        def spectra(column: int, where: NDArray[np.bool_]) -> _Spectra:
            return _spectra(panel.values[rows, column], where, places[rows] - low, size, moments[column])  # noqa: B023

        wide = {other: spectra(other, looked_at[rows]) for other in {other for _, other in pairs}}
        for column in {column for column, _ in pairs}:
            whole = column in wide and inside.all()
            one = wide[column] if whole else spectra(column, looked_at[rows] & inside)
            for other in [other for first_of_pair, other in pairs if first_of_pair == column]:
                sums[column, other] += _products(one, wide[other], size, horizon)
    return {pair: _correlations(*of_pair) for pair, of_pair in sums.items()}


def _mean_and_spread(present: Floats) -> tuple[float, float]:
    if not len(present):
        return 0.0, 0.0
    mean = float(np.mean(present))
    present -= mean
    return mean, float(np.sqrt(np.mean(np.square(present, out=present))))


def _spectra(
    values: Floats, looked_at: NDArray[np.bool_], places: NDArray[np.int64], size: int, moments: tuple[float, float]
) -> _Spectra:
    seen = looked_at & ~np.isnan(values)
    present = values[seen]
    mean, spread = moments
    standardised = (present - mean) / spread if spread > 0 else np.zeros_like(present)

    def spectrum(of: Floats) -> Spectrum:
        line = np.zeros(size)
        line[places[seen]] = of
        return np.fft.rfft(line)

    return _Spectra(spectrum(np.ones_like(present)), spectrum(standardised), spectrum(standardised**2))


def _products(covariate: _Spectra, target: _Spectra, size: int, horizon: int) -> Floats:
    """Sums over products of shifted rows, of which there are six kinds, [6, 2 H + 1].

    Every shift at once: a sum over products of shifted rows is a product of spectra.
    """

    def sums(one: Spectrum, other: Spectrum) -> Floats:
        every = np.fft.irfft(np.conj(one) * other, size)
        return np.concatenate([every[: horizon + 1], every[-horizon:]])

    return np.stack(
        [
            sums(covariate.seen, target.seen),
            sums(covariate.values, target.seen),
            sums(covariate.seen, target.values),
            sums(covariate.squares, target.seen),
            sums(covariate.seen, target.squares),
            sums(covariate.values, target.values),
        ]
    )


def _correlations(seen: Floats, x: Floats, y: Floats, xx: Floats, yy: Floats, xy: Floats) -> Floats:
    """Size of the correlation at each shift, [2 H + 1], from the sums of `_products`."""
    pairs = np.rint(seen)
    n = np.maximum(pairs, 1)
    mean_x, mean_y = x / n, y / n
    variance_x, variance_y = xx / n - mean_x**2, yy / n - mean_y**2
    moves = (pairs >= _FEWEST_PAIRS) & (variance_x > _STILL) & (variance_y > _STILL)
    covariance = xy / n - mean_x * mean_y
    spread = np.sqrt(np.where(moves, variance_x * variance_y, 1))
    return np.where(moves, np.abs(covariance) / spread, 0)
