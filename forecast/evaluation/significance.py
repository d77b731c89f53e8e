"""Is one forecast really better than another, or only by chance? By how much, and what could have been found at all?

All answers are of one statistic: the mean difference of two forecasts' losses over its standard error. So a p-value
below 0.05 and an interval of the skill that leaves out zero are the same finding.
"""

from __future__ import annotations

import math

import numpy as np

from forecast.data.panel import Floats

# A difference counts if chance alone would show one as large in fewer than one of twenty cases.
SIGNIFICANT = 0.05

# The chance with which a lead of the size that is called detectable is found.
POWER = 0.8

# Networks calculate in float32: two that forecast the same differ by up to this share of their losses.
NO_DIFFERENCE = 1e-4

# From fewer origins the variance of the losses cannot be estimated.
FEWEST_ORIGINS = 8


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
    from scipy.special import stdtr  # Student's t; takes time to import, and forecasts do without

    if len(loss) < FEWEST_ORIGINS:
        return math.nan
    if _are_equal(loss, reference):
        return 1.0
    difference = np.asarray(loss, np.float64) - reference
    if not np.any(difference - difference.mean()):
        return 0.0
    n, waves = len(difference), _waves(difference, horizon)
    error = math.sqrt(np.mean(waves**2)) * _standard_error(n, horizon)
    return float(2 * stdtr(len(waves), -abs(difference.mean()) / error)) if error < math.inf else 1.0


def skill_interval(loss: Floats, reference: Floats, horizon: int) -> tuple[float, float]:
    """The interval that holds the true skill, 1 - loss / reference, with a probability of 95 %.

    It holds every skill that the test of `diebold_mariano` does not reject, where it is asked of losses and of a
    reference that is made better by that skill. So it leaves out zero where the p-value is below 0.05.

    Args:
        loss: Loss of each origin in order of time, [N].
        reference: Loss of the other forecast at the same origins, [N].
        horizon: H.

    Returns:
        Low and high end, minus infinity where the origins do not bound how much worse it is; NaN for fewer than eight
        origins, for a reference without loss, and where the origins bound the skill on neither side.

    Reference: Fieller 1954, with the variance of `diebold_mariano`.
    """
    from scipy.special import stdtrit

    if len(loss) < FEWEST_ORIGINS or not np.mean(reference) > 0:
        return math.nan, math.nan
    n_waves = _count_waves(len(loss), horizon)
    low, high = _ratios(loss, reference, horizon, -stdtrit(n_waves, SIGNIFICANT / 2))
    if _are_equal(loss, reference):
        low, high = min(low, 1.0), max(high, 1.0)
    # Of two apart parts, that with the estimate says less than the test where zero skill lies in the other one.
    agrees = (low <= 1 <= high) == (diebold_mariano(loss, reference, horizon) >= SIGNIFICANT)
    if not agrees or (low, high) == (-math.inf, math.inf):
        return math.nan, math.nan
    return 1 - high, 1 - max(low, 0.0)  # no forecast avoids more than the whole error


def detectable_skill(loss: Floats, reference: Floats, horizon: int) -> float:
    """The least true skill that the test would have found with a chance of 80 % at these origins.

    Args:
        loss: Loss of each origin in order of time, [N].
        reference: Loss of the other forecast at the same origins, [N].
        horizon: H.

    Returns:
        A share of the reference's loss, 1 or more where no skill could be found; NaN for fewer than eight origins, or
        a reference without loss.
    """
    from scipy.special import nctdtrinc, stdtrit

    if len(loss) < FEWEST_ORIGINS or not np.mean(reference) > 0:
        return math.nan
    n_waves = _count_waves(len(loss), horizon)
    # By how many standard errors the true difference must lie from zero: the non-centrality of Student's t.
    distance = nctdtrinc(n_waves, 1 - POWER, -stdtrit(n_waves, SIGNIFICANT / 2))
    # The losses are made smaller until they lie so far from the reference; smaller losses vary less.
    share, most = _ratios(reference, loss, horizon, distance)
    # With an open end the losses tell too little of their own size: by simulation, such a skill is found less often.
    return math.inf if most == math.inf else 1 - share * float(np.mean(loss) / np.mean(reference))


def p_values_by_step(loss: Floats, reference: Floats, spacing: int = 1) -> Floats:
    """The p-value at each step of the horizon, corrected for the number of steps, [H].

    The correction bounds the expected share of false discoveries among the steps that differ. It is valid for
    neighbouring steps, whose losses are positively correlated; bounding the chance of any false discovery would cost
    them most of their power.

    Args:
        loss: Loss of each origin and step, in order of time, [N, H]; NaN where nothing was observed, which is no
            origin of that step.
        reference: Loss of the other forecast, NaN at the same places, [N, H].
        spacing: Steps from one origin to the next.

    Reference: Benjamini & Hochberg 1995; Benjamini & Yekutieli 2001.
    """
    seen = ~np.isnan(loss)
    pairs = [(loss[seen[:, step], step], reference[seen[:, step], step]) for step in range(loss.shape[1])]
    p = np.array([diebold_mariano(*pair, -(-step // spacing)) for step, pair in enumerate(pairs, 1)])
    tested = ~np.isnan(p)  # steps of enough origins
    if tested.any():
        order = np.flatnonzero(tested)[np.argsort(p[tested])]
        # Each is multiplied by the number of tests over its rank, but is no larger than the next.
        scaled = p[order] * (len(order) / np.arange(1, len(order) + 1))
        p[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)
    return p


def _are_equal(loss: Floats, reference: Floats) -> bool:
    return bool(np.abs(np.asarray(loss) - reference).max() <= NO_DIFFERENCE * np.mean(reference))


def _count_waves(n: int, horizon: int) -> int:
    """The degrees of freedom: few waves are slow, and see all of the correlation; many tell the variance better."""
    return max(1, min(int(0.4 * n ** (2 / 3)), n // (2 * horizon)))


def _waves(values: Floats, horizon: int) -> Floats:
    """The sizes of the slowest cosine waves in overlapping losses, whose mean square is the long-run variance."""
    from scipy.fft import dct

    return np.asarray(dct(np.asarray(values, np.float64), norm="ortho")[1 : _count_waves(len(values), horizon) + 1])


def _standard_error(n: int, horizon: int) -> float:
    """The standard error of a mean of n overlapping losses with waves of size one, with the small-sample correction.

    With no more origins than steps there is only one independent forecast, and the error is infinite.
    """
    overlap = min(horizon, n)
    correction = (n + 1 - 2 * overlap + overlap * (overlap - 1) / n) / n
    return 1 / math.sqrt(n * correction) if correction > 0 else math.inf


def _ratios(one: Floats, other: Floats, horizon: int, distance: float) -> tuple[float, float]:
    """The least and the largest r for which the mean of one - r other is at most so many standard errors from zero.

    Where these ratios are not bounded, an end is infinite; where they are two apart parts, it is the part that holds
    the ratio of the means.
    """
    reach = distance * _standard_error(len(one), horizon)
    if not reach < math.inf:
        return -math.inf, math.inf
    mean, of_other = float(np.mean(one)), float(np.mean(other))
    waves, waves_of_other = _waves(one, horizon), _waves(other, horizon)
    # (mean - r of_other)² = reach² mean((waves - r waves_of_other)²), a quadratic equation of r.
    square = of_other**2 - reach**2 * float(np.mean(waves_of_other**2))
    middle = mean * of_other - reach**2 * float(np.mean(waves * waves_of_other))
    constant = mean**2 - reach**2 * float(np.mean(waves**2))
    discriminant = middle**2 - square * constant
    if square > 0:
        half = math.sqrt(max(discriminant, 0.0))
        return (middle - half) / square, (middle + half) / square
    if discriminant <= 0 or square == 0:
        return -math.inf, math.inf
    low, high = sorted((middle + sign * math.sqrt(discriminant)) / square for sign in (-1, 1))
    return (-math.inf, low) if mean / of_other <= low else (high, math.inf)
