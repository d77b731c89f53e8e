"""Naive forecasts: nothing to fit, always shown. A network that does not beat them has learned nothing of use."""

from __future__ import annotations

import numpy as np

from forecast.data.panel import Floats
from forecast.data.prepare import Rows
from forecast.data.windows import Ints, Windows

NAIVE = ("persistence", "seasonal-naive", "drift")


def naive_forecasts(rows: Rows, windows: Windows, picked: slice | Ints, season: int) -> dict[str, Floats]:
    """Persistence, seasonal naive and drift for some windows, in the targets' own units.

    Args:
        rows: The rows that the windows point into; each cut-off row is observed or filled forward.
        windows: N windows.
        picked: Which n of them.
        season: m, steps in one seasonal cycle.

    Returns:
        [n, H, D] by name.
    """
    cutoffs = windows.cutoffs[picked]
    steps = np.arange(1, windows.horizon + 1)
    last = rows.filled_at(cutoffs)[:, None, :]
    first = rows.filled_at(windows.starts[picked])[:, None, :]
    drift = _extended(np.log(first), np.log(last), windows.lookback, steps) if rows.logged else None
    drift = _extended(first, last, windows.lookback, steps) if drift is None else np.exp(drift)
    return {
        "persistence": np.repeat(last, windows.horizon, axis=1),
        "seasonal-naive": _seasonal(rows, cutoffs, steps, season),
        "drift": rows.bounds.clip(drift, rows.series[windows.starts[picked]]),
    }


def _extended(first: Floats, last: Floats, lookback: int, steps: Ints) -> Floats:
    """The line through the first and the last value seen, [n, 1, D] each, at these steps after the last."""
    return last + (last - first) / max(lookback - 1, 1) * steps[:, None]


def _seasonal(rows: Rows, cutoffs: Ints, steps: Ints, season: int) -> Floats:
    # The same phase of the newest cycle that lies wholly before the horizon step: y[t + h - m * ceil(h / m)].
    source = cutoffs[:, None] + steps - season * -(-steps // season)
    same_stretch = rows.panel.stretches()
    reachable = same_stretch[np.maximum(source, 0)] == same_stretch[cutoffs][:, None]
    value = rows.filled_at(np.maximum(source, 0))
    found = (reachable & (source >= 0))[..., None] & ~np.isnan(value)
    # Where the data do not reach back a season, the last value is the best that a naive forecast can do.
    return np.where(found, value, rows.filled_at(cutoffs)[:, None, :])
