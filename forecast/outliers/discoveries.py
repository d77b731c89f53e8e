"""Which of many p-values are discoveries, so that few of the discoveries are false.

Over a span that is known as a whole this is the step-up procedure of Benjamini & Hochberg, which also holds its rate
where p-values depend on each other positively, as those do that are ranks among the same errors. In a stream the next
rows are not known, and its first rows should not use up the rate of all that come: there it is held over the last
thousand rows or so.

Reference: Benjamini & Hochberg 1995; Benjamini & Yekutieli 2001 (positive dependence); Bates et al. 2023 (conformal
p-values); Ramdas et al. 2017 (LORD++, decaying memory); Rebjock et al. 2021 (the same for anomalies in time series).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from forecast.data.panel import Floats
from forecast.data.windows import Flags

# What a discovery counts in the memory of a stream one row later. A stream without anomalies flags a row by mistake
# once in 1 / (rate (1 - this)) rows: 10,000 at a rate of 10 %.
_MEMORY = 0.999

# Discoveries so many rows ago count next to nothing.
_FORGOTTEN = 20_000


def benjamini_hochberg(p_values: Floats, rate: float) -> tuple[Flags, float]:
    """Which p-values [n] are discoveries, and the largest of them, 0 for none; NaN never is.

    Args:
        p_values: One of each row; NaN where a row was not judged, which does not count.
        rate: The share of the discoveries that may be false, in the mean.
    """
    known = np.sort(p_values[~np.isnan(p_values)])
    passing = np.flatnonzero(known <= rate * np.arange(1, len(known) + 1) / max(1, len(known)))
    limit = float(known[passing[-1]]) if len(passing) else 0.0
    return p_values <= limit if len(passing) else np.zeros(len(p_values), bool), limit


@dataclass(frozen=True)
class StreamOfDiscoveries:
    """What a stream knows of its discoveries: how many rows ago each was, the newest last.

    The level of a row is rate * ((1 - memory) + sum over discoveries of memory^a / (a (a + 1))), a rows ago each. Where
    levels, and discoveries, count memory^a of one a rows ago, the levels add up to at most rate * (1 + discoveries). So
    the share of false discoveries is at most the rate, but for the one that is added.
    """

    ages: tuple[int, ...] = ()

    def level(self, rate: float) -> float:
        """The p-value up to which the next row is a discovery."""
        ages = np.array(self.ages, float) + 1
        return float(rate * ((1 - _MEMORY) + np.sum(_MEMORY**ages / (ages * (ages + 1)))))

    def after(self, is_discovery: bool) -> StreamOfDiscoveries:
        """The same one row later."""
        ages = tuple(age + 1 for age in self.ages if age < _FORGOTTEN)
        return replace(self, ages=(*ages, 0) if is_discovery else ages)
