"""How long a lookback may be: shorter where gaps leave no window, longer where a probe says so; how it is cut up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecast.config import DataSettings
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.data.split import TEST
from forecast.data.windows import Ints, index_windows, usable_and_seen

# Solving a linear map from more steps takes more than a second.
_LONGEST_PROBED = 1000

# Turns of the cell over a lookback that is cut into segments, about.
TURNS = 16

# Days in a year; a lookback of a year holds the day a year before each step of the horizon.
_DAYS_OF_YEAR = 366


def shorten_for_gaps(
    panel: Panel,
    data: DataSettings,
    targets: Sequence[str],
    covariates: Sequence[str],
    part: Ints,
    lookback: int,
    horizon: int,
) -> int:
    """The lookback, halved until the training and the validation span have a window; as it was if none is short enough.

    Args:
        panel: What was read.
        data: What the user asked for.
        targets: Names of the targets.
        covariates: Names of the covariates.
        part: The part of each row, [T].
        lookback: L.
        horizon: H.
    """
    inputs = [panel.column(name) for name in (*targets, *covariates, *data.known)]
    outputs = [panel.column(name) for name in (*targets, *data.known)]
    is_known = part < TEST
    if panel.stretches()[-1] + 1 == panel.n_series and not np.isnan(panel.values[is_known][:, inputs]).any():
        return lookback
    usable, seen = usable_and_seen(panel, data.longest_fill, inputs, outputs)
    shorter = lookback
    while shorter:
        counts = [len(index_windows(panel, part == number, usable, seen, shorter, horizon)) for number in range(TEST)]
        if all(counts):
            return shorter
        shorter //= 2
    return lookback


def longer_lookbacks(clock: Clock, season: int, usual: int, longest: int) -> list[int]:
    """Lookbacks that may pay, ascending: twice and four times the usual one, and of days a year and two.

    Args:
        clock: The step between rows.
        season: m.
        usual: The usual lookback.
        longest: The longest one that is taken without being asked for; a rhythm of a year takes a year.
    """
    found = {times * usual for times in (2, 4) if times * usual <= min(longest, _LONGEST_PROBED)}
    if clock.unit == "D" and clock.multiple == 1:
        found |= {-(-years * _DAYS_OF_YEAR // season) * season for years in (1, 2)}
    return sorted(lookback for lookback in found if lookback > usual)


def default_segment(lookback: int, season: int, turns: int = TURNS) -> int:
    """Steps in a segment: if possible a divisor of the season, and few enough for about so many turns of the cell."""
    longest = max(lookback // turns, 1)
    return max((part for part in range(1, longest + 1) if season % part == 0 and part > 1), default=longest)
