"""The choice of inputs beside the targets: columns that vary, that cost few windows, and that are there at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecast.config import DataSettings
from forecast.data.newest import count_measured
from forecast.data.panel import Panel
from forecast.data.windows import Flags, fill_forward, index_windows

# A column is left out if fewer than this share of its values are there in the training rows.
_LEAST_PRESENT = 0.9

# The inputs together may cost at most this share of the windows of the training and the validation span.
_MOST_LOST = 0.1

# A column is left out if without it so much of the series more can be forecast from their last rows.
_MOST_WITHOUT_FORECAST = 0.1


@dataclass(frozen=True)
class Inputs:
    """The covariates that were chosen.

    Args:
        kept: Their names, in the order of the panel.
        left_out: Why others were left out, by name. Those that never change are not among them.
    """

    kept: tuple[str, ...]
    left_out: dict[str, str]


def choose_covariates(
    panel: Panel,
    data: DataSettings,
    targets: Sequence[str],
    training_rows: Flags,
    known_rows: Flags,
    lookback: int,
    horizon: int,
) -> Inputs:
    """The covariates that are worth their windows.

    Those that cost the fewest windows are taken first, as long as together they cost at most a tenth of them. Values
    of the test span decide nothing; but a column that is no longer measured at the end of the rows, so that no forecast
    can be made from them, is left out.

    Args:
        panel: What was read.
        data: What the user asked for.
        targets: Names of the targets.
        training_rows: Which rows belong to the training span, [T].
        known_rows: Which belong to it or to the validation span, [T].
        lookback: L.
        horizon: H.
    """
    spans = [rows for rows in map(panel.rows, range(panel.n_series)) if training_rows[rows].any()]
    candidates = []
    left_out: dict[str, str] = {}
    for column, name in enumerate(panel.columns):
        if name in targets or name in data.known:
            continue
        seen = [panel.values[rows, column][training_rows[rows]] for rows in spans]
        present = min((float(np.mean(~np.isnan(values))) for values in seen), default=0.0)
        if any(np.isnan(values).all() or np.nanmin(values) == np.nanmax(values) for values in seen) or not seen:
            continue
        if present < _LEAST_PRESENT:
            of_series = " of a series" if panel.n_series > 1 else ""
            left_out[name] = f"{1 - present:.0%} of its values{of_series} are missing"
        else:
            candidates.append(column)
    with_gaps = [column for column in candidates if np.isnan(panel.values[:, column]).any()]
    if with_gaps:
        left_out |= _too_costly(panel, data, targets, with_gaps, known_rows, lookback, horizon)
    kept = tuple(panel.columns[column] for column in candidates if panel.columns[column] not in left_out)
    return Inputs(kept, left_out)


def _too_costly(
    panel: Panel,
    data: DataSettings,
    targets: Sequence[str],
    columns: Sequence[int],
    known_rows: Flags,
    lookback: int,
    horizon: int,
) -> dict[str, str]:
    """Which of some columns with gaps are left out, and why."""
    own = [panel.column(name) for name in (*targets, *data.known)]
    usable, seen = np.ones(panel.n_rows, bool), np.ones(panel.n_rows, bool)
    for column in own:
        usable &= fill_forward(panel, data.longest_fill, column)[1]
        seen &= ~np.isnan(panel.values[:, column])

    def n_windows(inputs: Flags) -> int:
        return len(index_windows(panel, known_rows, inputs, seen, lookback, horizon))

    lasts = [slice(rows.stop - min(lookback, rows.stop - rows.start), rows.stop) for rows in _measured(panel, data)]
    lasts = [rows for rows in lasts if rows.stop > rows.start and usable[rows].all()]
    left_out, costs = {}, []
    every = n_windows(usable)
    for column in columns:
        there = fill_forward(panel, data.longest_fill, column)[1]
        without = sum(not there[rows].all() for rows in lasts)
        if without > _MOST_WITHOUT_FORECAST * len(lasts):
            of_series = f" of {without} of {len(lasts)} series" if panel.n_series > 1 else ""
            left_out[panel.columns[column]] = (
                f"it is missing in the last {lookback:,} rows{of_series}, so that no forecast could be made"
            )
        else:
            costs.append((every - n_windows(usable & there), column, there))
    for cost, column, there in sorted(costs, key=lambda each: each[:2]):
        if cost > _MOST_LOST * every or every - n_windows(usable & there) > _MOST_LOST * every:
            left_out[panel.columns[column]] = f"it would cost {cost / max(every, 1):.0%} of the windows"
        else:
            usable = usable & there
    return left_out


def _measured(panel: Panel, data: DataSettings) -> list[slice]:
    """The rows of each series up to the last one that holds more than what is known ahead."""
    spans = map(panel.rows, range(panel.n_series))
    if not data.known:
        return list(spans)
    order = [column for column, name in enumerate(panel.columns) if name not in data.known]
    order += map(panel.column, data.known)
    n_known = len(data.known)
    return [slice(rows.start, rows.start + count_measured(panel.values[rows][:, order], n_known)) for rows in spans]
