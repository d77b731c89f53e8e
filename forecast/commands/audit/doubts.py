"""What an audit doubts, and what rows cannot tell."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from forecast.commands.audit.foresight import Doubt, doubts_about_foresight
from forecast.commands.audit.repeated import doubts_about_repeats
from forecast.commands.train.near_copies import find_near_copies
from forecast.config import DataConfig
from forecast.data.clock import Times
from forecast.data.panel import Panel
from forecast.errors import listed

# What differs by less than this share of its variance is the same number in other units; rounding takes some of it.
_SAME = 1e-6

# Columns that a sentence names.
_NAMED = 5


def find_doubts(panel: Panel, n_targets: int, n_known: int, lookback: int, horizon: int, since: Times) -> list[Doubt]:
    """Columns that know too much of a target, and rows that stand on both sides of the split.

    Args:
        panel: Targets first, then past covariates, then what is known ahead.
        n_targets: D, the first columns.
        n_known: The last columns, known ahead.
        lookback: L.
        horizon: H.
        since: The time of each series [S] from which on its rows are after the split.
    """
    every = np.ones(panel.n_rows, bool)
    doubts = doubts_about_foresight(panel, n_targets, n_known, lookback, horizon)
    doubted = {doubt.column for doubt in doubts}
    for copy in find_near_copies(panel, every, n_targets, n_known, horizon, lookback):
        is_same, is_past = copy.unexplained < _SAME, copy.column < len(panel.columns) - n_known
        if copy.column in doubted:
            continue
        if copy.shift or not is_past:
            doubts.append(Doubt(copy.in_words(panel), is_same, copy.column))
        elif is_same:  # an opening and a closing price are nearly the same, too
            names = f"covariate {panel.columns[copy.column]!r} is the target {panel.columns[copy.target]!r}"
            doubts.append(Doubt(f"{names} in the same or other units: was it known as early?", False, copy.column))
    return doubts + doubts_about_repeats(panel, n_targets, since)


def what_rows_do_not_tell(panel: Panel, config: DataConfig) -> Iterator[str]:
    """What no audit can know, one sentence each."""
    yield (
        "whether a target is itself a mean that looks ahead: a centred mean and a trailing one are the same numbers, "
        "moved in time"
    )
    issued = panel.issues.columns if panel.issues else ()
    if config.covariates:
        yield (
            "whether a covariate that tells less of the future than these doubts begin at was measured early or is a "
            "copy with much noise on it"
        )
    if known := [repr(name) for name in config.known if name not in issued]:
        yield (
            f"whether {listed(known, _NAMED)}, known ahead, stood there when a forecast is made, or was entered later: "
            "a file of forecasts with when each was issued would tell"
        )
    yield (
        "whether values were known as they stand here, or late, or revised: a column of when each was known would tell"
    )
