"""Tests of whether one forecast is really better than another, or only by chance."""

from __future__ import annotations

import math

import numpy as np

from forecast.data.panel import Floats

# Networks calculate in float32: two that forecast the same differ by up to this share of their losses.
_NO_DIFFERENCE = 1e-4

# From fewer origins the variance of the losses cannot be estimated.
FEWEST_ORIGINS = 8

_RESAMPLES = 1000
_LEVEL = 0.95  # of the interval of the skill


def diebold_mariano(loss: Floats, reference: Floats, horizon: int) -> float:
    """The two-sided p-value of equal expected loss; small means that one of the two is really better.

    Windows overlap by up to H - 1 steps, so neighbouring losses are correlated; slow changes of the weather correlate
    them further. The variance is therefore estimated from the slowest cosine waves in the differences, which is robust
    to heteroscedasticity and autocorrelation (HAC). The statistic has the small-sample correction of Harvey, Leybourne
    and Newbold, and is compared with Student's t with one degree of freedom for each wave. This keeps the size of the
    test; a kernel estimate with normal critical values rejects two or three times too often.

    Args:
        loss: Loss of each origin in order of time, [N].
        reference: Loss of the other forecast at the same origins, [N].
        horizon: H.

    Returns:
        The p-value; 1 for identical losses, NaN for fewer than eight origins.

    Reference: Diebold & Mariano 1995; the correction is that of Harvey, Leybourne & Newbold 1997, the variance that of
    Lazarus, Lewis, Stock & Watson 2018.
    """
    from scipy.stats import t as students_t  # takes a second to import, and forecasts do without

    n = len(loss)
    if n < FEWEST_ORIGINS:
        return math.nan
    difference = np.asarray(loss, np.float64) - reference
    if np.abs(difference).max() <= _NO_DIFFERENCE * np.mean(reference):
        return 1.0
    if not np.any(difference - difference.mean()):
        return 0.0
    error, n_waves = _standard_error(difference, horizon)
    return float(2 * students_t.sf(abs(difference.mean()) / error, n_waves)) if error < math.inf else 1.0


def _standard_error(values: Floats, horizon: int) -> tuple[float, int]:
    """The standard error of a mean of overlapping losses, with the small-sample correction; and its degrees of freedom.

    With no more origins than steps there is only one independent forecast, and the error is infinite.
    """
    from scipy.fft import dct

    n, overlap = len(values), min(horizon, len(values))
    n_waves = max(1, min(int(0.4 * n ** (2 / 3)), n // (2 * horizon)))
    variance = np.mean(dct(values, norm="ortho")[1 : n_waves + 1] ** 2)
    correction = (n + 1 - 2 * overlap + overlap * (overlap - 1) / n) / n
    return math.sqrt(variance / n / correction) if correction > 0 else math.inf, n_waves


def p_values_by_step(loss: Floats, reference: Floats, spacing: int = 1) -> Floats:
    """The p-value at each step of the horizon, corrected for the number of steps, [H].

    The correction bounds the expected share of false discoveries among the steps that differ. It is valid for
    neighbouring steps, whose losses are positively correlated; bounding the chance of any false discovery would cost
    them most of their power.

    Args:
        loss: Loss of each origin and step, in order of time, [N, H].
        reference: Loss of the other forecast, [N, H].
        spacing: Steps from one origin to the next.

    Reference: Benjamini & Hochberg 1995; Benjamini & Yekutieli 2001.
    """
    from scipy.stats import false_discovery_control

    p = np.array(
        [diebold_mariano(loss[:, step], reference[:, step], -(-(step + 1) // spacing)) for step in range(loss.shape[1])]
    )
    return p if np.isnan(p).any() else np.asarray(false_discovery_control(p))


def skill_interval(loss: Floats, reference: Floats, horizon: int) -> tuple[float, float]:
    """The interval that holds the true skill, 1 - loss / reference, with a probability of 95 %.

    Blocks of neighbouring origins are resampled. A block is at least twice as long as the horizon, so that correlated
    losses stay together. A few blocks vary too little, and some correlation outlasts them, so the interval is at least
    as wide as the standard error of `diebold_mariano` and Student's t require.

    Args:
        loss: Loss of each origin in order of time, [N].
        reference: Loss of the other forecast at the same origins, [N].
        horizon: H.

    Returns:
        Low and high end; NaN for fewer than eight origins, or a reference without loss.

    Reference: the circular block bootstrap, Politis & Romano 1992.
    """
    from scipy.stats import t as students_t

    n = len(loss)
    if n < FEWEST_ORIGINS or not np.mean(reference) > 0:
        return math.nan, math.nan
    length = min(max(2 * horizon, math.isqrt(n)), n // 3)
    firsts = np.random.default_rng(0).integers(n, size=(_RESAMPLES, -(-n // length)))

    def resampled(values: Floats) -> Floats:
        total = np.cumsum(np.concatenate([[0.0], values, values]))
        return (total[firsts + length] - total[firsts]).sum(axis=1)

    drawn_reference = resampled(np.asarray(reference, np.float64))
    drawn = 1 - resampled(np.asarray(loss, np.float64)) / np.where(drawn_reference > 0, drawn_reference, np.nan)
    gain, tail = 1 - float(np.mean(loss) / np.mean(reference)), (1 - _LEVEL) / 2
    below, above = np.nanquantile(drawn, [tail, 1 - tail]) - gain
    error, n_waves = _standard_error((loss - (1 - gain) * reference) / np.mean(reference), horizon)
    reach = float(students_t.isf(tail, n_waves)) * error
    if not reach < math.inf:
        return math.nan, math.nan
    # No forecast avoids more than the whole error.
    return gain + min(float(below), -reach), min(gain + max(float(above), reach), 1.0)
