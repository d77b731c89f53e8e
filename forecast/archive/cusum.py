"""When did a series of block means change? A cumulative sum of what is not explained, after Page.

The blocks that are known to be normal say what normal is: how each depends on the one before, and how what remains is
distributed. What remains of a new block is ranked among these, and so becomes a standard normal number, whatever the
distribution was; of those the sum is taken.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from forecast.data.panel import Floats

# From fewer blocks it cannot be told what is normal.
FEWEST_BLOCKS = 30

# A false alarm comes once in so many blocks, which are days for hourly and daily rows, over all series of blocks that
# are watched together.
BLOCKS_TO_FALSE_ALARM = 365

# What a block must exceed to add to the sum, in standard deviations: half of the shift that is found fastest. That the
# normal mean is only estimated, from n blocks, adds its own share.
_ALLOWANCE, _OF_ESTIMATE = 0.25, 1.0

# How much higher the threshold is than for independent blocks of a known distribution. With it, no process of
# scripts/honesty/drift.py gives more than one false alarm a year; with 1, those of two time scales and few blocks do.
_THRESHOLD_FACTOR = 1.5


class Change(NamedTuple):
    """A change of the mean.

    Args:
        began: The first block after which the sum did not come back to zero.
        noticed: The block at which it was beyond the threshold.
        rises: Whether the values rise.
    """

    began: int
    noticed: int
    rises: bool


def find_change(normal: Floats, watched: Floats, streams: int = 1, sides: tuple[int, ...] = (1, -1)) -> Change | None:
    """The first change of the mean of some blocks, if there is one.

    Args:
        normal: Means of blocks of normal times, in order of time, [n]; NaN where there is none.
        watched: Of the blocks since, [m].
        streams: How many series of blocks are watched together.
        sides: Which changes count: 1 for a rise, -1 for a fall.

    Returns:
        The change, its blocks counted from the first watched one; None if there is none, or too few blocks are normal.

    Reference: Page 1954; the threshold is that of Siegmund 1985.
    """
    n = int((~np.isnan(normal)).sum())
    if n < FEWEST_BLOCKS or not len(watched):
        return None
    scores = _scores(normal, watched)
    allowance = _ALLOWANCE + _OF_ESTIMATE / math.sqrt(n)
    threshold = _THRESHOLD_FACTOR * threshold_of(allowance, BLOCKS_TO_FALSE_ALARM * streams * len(sides))
    found = []
    for side in sides:
        total, began = 0.0, 0
        for block, score in enumerate(scores.tolist()):
            if total == 0:
                began = block
            if not math.isnan(score):
                total = max(0.0, total + side * score - allowance)
            if total > threshold:
                found.append(Change(began, block, side > 0))
                break
    return min(found, key=lambda change: change.noticed, default=None)


def threshold_of(allowance: float, blocks: float) -> float:
    """The threshold that a sum of independent standard normal numbers crosses once in so many blocks, on average."""
    low, high = 0.0, 1000.0
    for _ in range(60):
        middle = (low + high) / 2
        reach = 2 * allowance * (middle + 1.166)  # 1.166: by how much a sum of steps exceeds a line, Siegmund 1985
        length = (math.exp(min(reach, 700)) - reach - 1) / (2 * allowance**2)
        low, high = (middle, high) if length < blocks else (low, middle)
    return high


def _scores(normal: Floats, watched: Floats) -> Floats:
    """The watched blocks [m] as standard normal numbers, by what normal blocks leave unexplained."""
    from scipy.special import ndtri

    mean = np.nanmean(normal)
    centred = normal - mean
    before, after = centred[:-1], centred[1:]
    pairs = ~np.isnan(before * after)
    square = float((before[pairs] ** 2).sum())
    carries = float((before[pairs] * after[pairs]).sum()) / square if square > 0 else 0.0
    carries += (1 + 3 * carries) / max(int(pairs.sum()), 1)  # what few blocks tell is too little (Kendall 1954)
    carries = min(max(carries, 0.0), 0.95)
    left = _unexplained(centred, 0.0, carries)
    left = np.sort(left[~np.isnan(left)])
    new = _unexplained(watched - mean, 0.0 if math.isnan(centred[-1]) else float(centred[-1]), carries)
    # Ties count half, so that values of few kinds, such as shares of 0 and 1, have no side.
    rank = (np.searchsorted(left, new, side="left") + np.searchsorted(left, new, side="right")) / 2
    scores = ndtri((rank + 0.5) / (len(left) + 1))
    return np.where(np.isnan(new), np.nan, scores)


def _unexplained(values: Floats, first: float, carries: float) -> Floats:
    """What the block before does not explain of each; nothing is known of one that follows on a missing one."""
    before = np.concatenate([[first], values[:-1]])
    return values - carries * np.where(np.isnan(before), 0.0, before)
