"""Does a change that is named exist, and how long does one that exists go unnoticed?

`forecast.archive.cusum` takes its threshold and its allowance from these tables.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import numpy as np
from scipy.signal import lfilter

from forecast.archive.cusum import BLOCKS_TO_FALSE_ALARM, find_change
from forecast.data.panel import Floats
from honesty.losses import equal_losses
from honesty.table import Figure, Line, Table, at_most, mean, share

# A year without a false alarm is as likely as this, if they come once a year and at random.
_QUIET_YEAR = math.exp(-1)


def _autoregressive(carries: float) -> Callable[[np.random.Generator, int], Floats]:
    def draw(rng: np.random.Generator, n: int) -> Floats:
        return np.asarray(lfilter([1], [1, -carries], rng.normal(size=n + 200))[200:])

    return draw


def _slow(rng: np.random.Generator, n: int) -> Floats:
    """Days that carry on, and weeks that do: of two time scales, where one is estimated."""
    weeks = _autoregressive(0.95)(rng, n) * math.sqrt((1 - 0.95**2) / (1 - 0.6**2))
    return _autoregressive(0.6)(rng, n) + 0.5 * weeks


def _overlapping(kind: str) -> Callable[[np.random.Generator, int], Floats]:
    """The logarithms of the losses of one forecast over those of another, in blocks of a horizon of hourly origins."""

    def draw(rng: np.random.Generator, n: int) -> Floats:
        horizon = 12
        one, other = equal_losses(kind, n * horizon, horizon, 2, rng).reshape(2, n, -1).mean(axis=2)
        return np.asarray(np.log(one / other))

    return draw


PROCESSES: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "independent": _autoregressive(0.0),
    "carry on by 0.5": _autoregressive(0.5),
    "carry on by 0.8": _autoregressive(0.8),
    "on two time scales": _slow,
    "lognormal": lambda rng, n: np.exp(_autoregressive(0.5)(rng, n)),
    "heavy tails": lambda rng, n: rng.standard_t(3, n),
    "one in five outside": lambda rng, n: (rng.random(n) < 0.2).astype(float),
    "overlapping losses, correlated": _overlapping("correlated"),
    "overlapping losses, GARCH": _overlapping("GARCH"),
}


def false_alarm(kind: str, normal: int, streams: int, replications: int) -> Line:
    """In how many years something is named of several series of blocks that do not change."""
    found = []
    for seed in range(replications):
        rng, year = np.random.default_rng(seed), BLOCKS_TO_FALSE_ALARM
        blocks = [PROCESSES[kind](rng, normal + year) for _ in range(streams)]
        found.append(any(find_change(each[:normal], each[normal:], streams) is not None for each in blocks))
    return {"blocks": kind, "normal ones": normal, "series": streams, "years with an alarm": share(found)}


def delay(kind: str, normal: int, shift: float, replications: int) -> Line:
    """After how many blocks a shift is named, by the standard deviation of the blocks."""
    blocks, missed = [], []
    for seed in range(replications):
        values = PROCESSES[kind](np.random.default_rng(seed), normal + BLOCKS_TO_FALSE_ALARM)
        change = find_change(values[:normal], values[normal:] + shift * float(np.std(values[:normal])))
        missed.append(change is None)
        if change is not None:
            blocks.append(float(change.noticed + 1))
    named = mean(blocks) if blocks else Figure(math.nan, math.nan)
    return {
        "blocks": kind,
        "normal ones": normal,
        "shift": f"{shift:g} sd",
        "named after": f"{named.value:.0f}",
        "never in a year": share(missed),
    }


FALSE_ALARM = Table(
    "Something has changed: false alarms",
    "Blocks, such as days, are compared with those of the training; nothing changes. A false alarm comes at most once "
    f"a year, so that at most {1 - _QUIET_YEAR:.0%} of the years have one.",
    false_alarm,
    [*product(PROCESSES, (30, 100, 365), (1,)), *product(("independent", "carry on by 0.5"), (100, 365), (10,))],
    200,
    [("independent", 100, 1)],
    20,
    {"years with an alarm": at_most(1 - _QUIET_YEAR)},
)

DELAY = Table(
    "Something has changed: how soon it is named",
    "A shift of all blocks from the first one on, in standard deviations of normal blocks; the mean number of blocks "
    "until it is named.",
    delay,
    list(product(("independent", "carry on by 0.5", "carry on by 0.8"), (100, 365), (0.5, 1.0, 2.0, 4.0))),
    200,
    [("independent", 100, 2.0)],
    20,
    {},
)
