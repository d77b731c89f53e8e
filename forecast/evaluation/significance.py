"""Is the difference between two forecasts more than luck?"""

from __future__ import annotations

import math

import numpy as np
from scipy import fft, stats

from forecast.data.panel import Floats

# Networks forecast in float32, so two that say the same differ by as much as this share of their losses.
_NO_DIFFERENCE = 1e-4


def diebold_mariano(loss: Floats, reference: Floats, horizon: int) -> float:
    """The two-sided p-value of equal expected loss; small means that one of the two is really better.

    Windows overlap by up to H - 1 steps, so neighbouring losses are correlated, and slow weather correlates them beyond
    that. The variance is therefore estimated from the slowest cosine waves in the differences, and the statistic
    compared with Student's t of as many degrees: it keeps its size where a kernel estimate with normal critical values
    rejects two or three times too often.

    Args:
        loss: Loss of each origin in order of time, [N].
        reference: Loss of the other forecast at the same origins, [N].
        horizon: H.

    Returns:
        The p-value; 1 for identical losses, NaN for fewer than eight origins.

    Reference: Diebold & Mariano 1995; the variance is that of Lazarus, Lewis, Stock & Watson 2018.
    """
    n = len(loss)
    if n < 8:
        return math.nan
    difference = np.asarray(loss, np.float64) - reference
    if np.abs(difference).max() <= _NO_DIFFERENCE * np.mean(reference):
        return 1.0
    if not np.any(difference - difference.mean()):
        return 0.0
    n_waves = max(1, min(int(0.4 * n ** (2 / 3)), n // (2 * horizon)))
    variance = np.mean(fft.dct(difference, norm="ortho")[1 : n_waves + 1] ** 2)
    return float(2 * stats.t.sf(abs(difference.mean()) / math.sqrt(variance / n), n_waves))
