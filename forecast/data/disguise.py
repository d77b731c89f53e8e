"""Covariates that are the target in disguise: its values of now or of later, in other units."""

from __future__ import annotations

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
    places = _places(panel, horizon)
    size = _fast_length(int(places[-1]) + 1 + horizon)
    spectra = [_spectra(panel.values[:, column], looked_at, places, size) for column in range(len(panel.columns))]
    own = [_correlations(target, target, horizon) for target in spectra[:n_targets]]
    found = []
    for target, column in product(range(n_targets), range(n_targets, len(panel.columns))):
        ahead = column >= len(panel.columns) - n_known
        shifts = np.arange(1 - horizon if ahead else 0, horizon + 1)
        close = _correlations(spectra[column], spectra[target], horizon)[shifts]
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
    empty = np.where(np.diff(panel.stretches(), prepend=0) > 0, np.minimum(panel.absent_before(), horizon), 0)
    firsts = np.asarray(panel.offsets[1:-1], np.int64)
    empty[firsts[firsts < panel.n_rows]] = horizon
    return np.arange(panel.n_rows) + np.cumsum(empty)


def _fast_length(length: int) -> int:
    from scipy.fft import next_fast_len

    return int(next_fast_len(length, real=True))


@dataclass(frozen=True)
class _Spectra:
    """Fourier transforms of a column: of where it was seen, of its standardised values, and of their squares."""

    seen: Spectrum
    values: Spectrum
    squares: Spectrum
    size: int


def _spectra(values: Floats, looked_at: NDArray[np.bool_], places: NDArray[np.int64], size: int) -> _Spectra:
    seen = looked_at & ~np.isnan(values)
    present = values[seen]
    spread = float(np.std(present)) if len(present) else 0.0
    standardised = (present - np.mean(present)) / spread if spread > 0 else np.zeros_like(present)

    def spectrum(of: Floats) -> Spectrum:
        line = np.zeros(size)
        line[places[seen]] = of
        return np.fft.rfft(line)

    return _Spectra(spectrum(np.ones_like(present)), spectrum(standardised), spectrum(standardised**2), size)


def _correlations(covariate: _Spectra, target: _Spectra, horizon: int) -> Floats:
    """Size of the correlation with the target s steps later, [2 H + 1]; s counts from the end where it is negative.

    Every shift at once: a sum over products of shifted rows is a product of spectra.
    """

    def sums(one: Spectrum, other: Spectrum) -> Floats:
        every = np.fft.irfft(np.conj(one) * other, covariate.size)
        return np.concatenate([every[: horizon + 1], every[-horizon:]])

    pairs = np.rint(sums(covariate.seen, target.seen))
    n = np.maximum(pairs, 1)
    mean_x, mean_y = sums(covariate.values, target.seen) / n, sums(covariate.seen, target.values) / n
    variance_x = sums(covariate.squares, target.seen) / n - mean_x**2
    variance_y = sums(covariate.seen, target.squares) / n - mean_y**2
    moves = (pairs >= _FEWEST_PAIRS) & (variance_x > _STILL) & (variance_y > _STILL)
    covariance = sums(covariate.values, target.values) / n - mean_x * mean_y
    spread = np.sqrt(np.where(moves, variance_x * variance_y, 1))
    return np.where(moves, np.abs(covariance) / spread, 0)
