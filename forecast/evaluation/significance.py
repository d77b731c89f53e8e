"""Is the difference between two forecasts more than luck?"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from forecast.data.panel import Floats


def diebold_mariano(loss: Floats, reference: Floats, horizon: int) -> float:
    """The two-sided p-value of equal expected loss; small means that one of the two is really better.

    The variance is Newey and West's: windows overlap by up to H - 1 steps, so neighbouring losses are correlated, and
    slow weather correlates them beyond that. Hence a bandwidth of at least H that grows with the root of N.

    Args:
        loss: Loss of each origin in order of time, [N].
        reference: Loss of the other forecast at the same origins, [N].
        horizon: H.

    Returns:
        The p-value; 1 for identical losses, NaN for fewer than eight origins.

    Reference: Diebold & Mariano 1995; the correction is Harvey, Leybourne & Newbold's of 1997.
    """
    n = len(loss)
    if n < 8:
        return math.nan
    difference = np.asarray(loss, np.float64) - reference
    centred = difference - difference.mean()
    if not np.any(centred):
        return 1.0 if not difference.any() else 0.0
    bandwidth = min(max(horizon, math.ceil(1.3 * math.sqrt(n))), n - 1)
    variance = centred @ centred / n
    for lag in range(1, bandwidth + 1):
        variance += 2 * (1 - lag / (bandwidth + 1)) * (centred[lag:] @ centred[:-lag]) / n
    h = min(horizon, n // 2)
    correction = math.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    statistic = correction * difference.mean() / math.sqrt(variance / n)
    return float(2 * stats.t.sf(abs(statistic), n - 1))
