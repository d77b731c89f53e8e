"""How long a lookback may be: shorter where gaps leave no window, longer where a probe says so; how it is cut up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecast.config import DataSettings
from forecast.data.clock import Clock
from forecast.data.panel import Panel
from forecast.data.split import TEST, VALIDATION
from forecast.data.windows import Ints, index_windows, usable_and_seen

# Solving a linear map from more steps takes more than a second.
_LONGEST_PROBED = 1000

# Turns of the cell over a lookback that is cut into segments, about.
TURNS = 16

# Windows to train on that a step of a panel's lookback takes, if it is longer than a third of the training rows.
_WINDOWS_A_STEP = 20

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
    if not len(panel.gaps()[0]) and not np.isnan(panel.values[is_known][:, inputs]).any():
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


def longest_lookback(panel: Panel, part: Ints, horizon: int, season: int) -> int:
    """The longest lookback that is taken without being asked for: a third of a series' training rows.

    Many series have many windows even where each of them is short: of a panel it is a season at least, and also what
    leaves as many windows to train on as a linear map from the lookback takes, and to 99 of 100 series a forecast.

    Args:
        panel: S series of T rows in all.
        part: The part of each row, [T].
        horizon: H.
        season: m.
    """
    starts = np.array(panel.offsets[:-1])[np.diff(panel.offsets) > 0]
    known, trained = (np.add.reduceat(part < later, starts, dtype=np.int64) for later in (TEST, VALIDATION))
    is_panel = panel.n_series > 1
    third = max(int(trained.mean()) // 3, season if is_panel else 1)
    third = max(1, min(third, int(trained.max()) - horizon))
    fitting = range(int(np.quantile(known, 0.01)), third, -1) if is_panel else ()

    def n_windows(lookback: int) -> int:
        return int(np.maximum(trained - lookback - horizon + 1, 0).sum())

    return next((lookback for lookback in fitting if n_windows(lookback) >= _WINDOWS_A_STEP * lookback), third)


def default_segment(lookback: int, season: int, turns: int = TURNS) -> int:
    """Steps in a segment: if possible a divisor of the season, and few enough for about so many turns of the cell."""
    longest = max(lookback // turns, 1)
    return max((part for part in range(1, longest + 1) if season % part == 0 and part > 1), default=longest)
