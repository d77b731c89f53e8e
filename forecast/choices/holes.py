"""Whether windows may have holes: where these would else cost windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecast.config import Settings
from forecast.data.panel import Panel
from forecast.data.split import rows_before_test
from forecast.data.windows import Flags, index_windows, usable_and_seen

# A few lost windows are no reason to feed a network twice as many columns.
_MOST_LOST_TO_HOLES = 0.01

# The share of a window's targets that must be observed where windows may have holes: most of them.
LEAST_OBSERVED = 0.5


def choose_least_observed(
    panel: Panel, longest_fill: int, targets: Sequence[str], known_rows: Flags, lookback: int, horizon: int
) -> tuple[float, str]:
    """The share of a window's targets that must be observed, and why; 1 and nothing where holes cost few windows.

    Args:
        panel: What was read.
        longest_fill: Missing values in a row that are carried forward anyway.
        targets: Names of the targets.
        known_rows: Which rows belong to the training or the validation span, [T].
        lookback: L.
        horizon: H.
    """
    columns = [panel.column(name) for name in targets]
    usable, seen = usable_and_seen(panel, longest_fill, columns, columns)
    spans = [rows for rows in rows_before_test(panel, known_rows) if rows.stop > rows.start]
    ends = panel.positions(np.array([(rows.start, rows.stop - 1) for rows in spans]).ravel()).reshape(-1, 2)
    possible = int(np.maximum(ends[:, 1] - ends[:, 0] + 2 - lookback - horizon, 0).sum())
    lost = possible - len(index_windows(panel, known_rows, usable, seen, lookback, horizon))
    if lost <= _MOST_LOST_TO_HOLES * possible:
        return 1.0, ""
    return LEAST_OBSERVED, (
        f"holes would cost {lost / possible:.0%} of the windows: missing values are fed as missing, and a window needs "
        f"{LEAST_OBSERVED:.0%} of its targets"
    )


def settle_least_observed(
    panel: Panel, settings: Settings, targets: tuple[str, ...], known_rows: Flags, lookback: int, horizon: int
) -> tuple[float, str]:
    """The share of a window's targets that must be observed: as asked, else chosen; and what is said of it then.

    Args:
        panel: What was read.
        settings: What the user asked for.
        targets: Names of the targets.
        known_rows: Which rows belong to the training or the validation span, [T].
        lookback: L.
        horizon: H.
    """
    asked = settings.data.least_observed
    if settings.network.stateful:  # a state that is carried from row to row has no window to fill a hole from
        return 1.0, ""
    if asked is not None:
        return asked, ""
    if settings.training.hide_values or settings.network.decay:  # which ask for a network that knows holes
        return LEAST_OBSERVED, ""
    return choose_least_observed(panel, settings.data.longest_fill, targets, known_rows, lookback, horizon)
