"""Which column is forecast, and which others are fed: those that vary, cost few windows, and do not end early."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from forecast.choices.holes import LEAST_OBSERVED
from forecast.config import DataSettings
from forecast.data.newest import count_measured
from forecast.data.panel import Panel
from forecast.data.split import rows_before_test
from forecast.data.windows import Flags, fill_forward, index_windows, usable_and_seen
from forecast.tables.timeparts import names_a_part

# Words in the names of columns that are set rather than measured: codes, places, marks of quality.
_NOT_MEASURED = {
    "id", "ids", "nr", "no", "code", "index", "idx", "number", "station", "stations", "store", "shop", "item", "zip",
    "postcode", "lat", "latitude", "lon", "lng", "longitude", "elevation", "altitude", "flag", "quality", "qn", "qc",
    "unix", "epoch", "timestamp",
}  # fmt: skip


def likeliest_target(panel: Panel) -> str:
    """The first column that seems measured: it varies, counts nothing, and is not called as a code or a place is."""
    first = panel.values[panel.rows(0)]
    for name, values in zip(panel.columns, first.T, strict=True):
        words = set(re.findall("[a-z]+", re.sub("(?<=[a-z])(?=[A-Z])", " ", name).lower()))
        present = values[~np.isnan(values)]
        steps = np.diff(present)
        varies = len(np.unique(present)) > 2 and steps.min() != steps.max()
        if varies and not words & _NOT_MEASURED and not names_a_part(name):
            return name
    return panel.columns[0]


# A column is left out if fewer than this share of its values are there in the training rows.
_LEAST_PRESENT = 0.9

# The inputs together may cost at most this share of the windows of the training and the validation span.
_MOST_LOST = 0.1

# A column is left out if it is no longer measured in so much of the series.
_MOST_ENDED = 0.1


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
    may_have_holes: bool,
) -> Inputs:
    """The covariates that are worth their windows.

    Those that cost the fewest windows are taken first, as long as together they cost at most a tenth of them. A column
    that is no longer measured when the test span begins is left out. Values of the test span decide nothing, nor does
    whether they are there: of a column that ends within it, the warning of the newest forecast tells.

    Args:
        panel: What was read.
        data: What the user asked for.
        targets: Names of the targets.
        training_rows: Which rows belong to the training span, [T].
        known_rows: Which belong to it or to the validation span, [T].
        lookback: L.
        horizon: H.
        may_have_holes: Whether a window may have holes, so that missing inputs cost none.
    """
    least_present = LEAST_OBSERVED if may_have_holes else _LEAST_PRESENT
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
        if present < least_present:
            of_series = " of a series" if panel.n_series > 1 else ""
            left_out[name] = f"{1 - present:.0%} of its values{of_series} are missing"
        else:
            candidates.append(column)
    with_gaps = [column for column in candidates if np.isnan(panel.values[known_rows, column]).any()]
    if with_gaps:
        most_lost = 1.0 if may_have_holes else _MOST_LOST
        left_out |= _too_costly(panel, data, targets, with_gaps, known_rows, lookback, horizon, most_lost)
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
    most_lost: float,
) -> dict[str, str]:
    """Which of some columns with gaps are left out, and why; the others cost at most this share of the windows."""
    own = [panel.column(name) for name in (*targets, *data.known)]
    usable, seen = usable_and_seen(panel, data.longest_fill, own, own)

    def n_windows(inputs: Flags) -> int:
        return len(index_windows(panel, known_rows, inputs, seen, lookback, horizon))

    lasts = [slice(max(rows.start, rows.stop - lookback), rows.stop) for rows in _measured(panel, data, known_rows)]
    lasts = [rows for rows in lasts if rows.stop > rows.start and usable[rows].all()]
    left_out, costs = {}, []
    every = n_windows(usable)
    for column in columns:
        there = fill_forward(panel, data.longest_fill, column)[1]
        ended = sum(not there[rows].any() for rows in lasts)
        if ended > _MOST_ENDED * len(lasts):
            of_series = f" of {ended} of {len(lasts)} series" if panel.n_series > 1 else ""
            left_out[panel.columns[column]] = (
                f"it is no longer measured in the last {lookback:,} rows{of_series} before the test span"
            )
        else:
            costs.append((every - n_windows(usable & there), column, there))
    for cost, column, there in sorted(costs, key=lambda each: each[:2]):
        if cost > most_lost * every or every - n_windows(usable & there) > most_lost * every:
            left_out[panel.columns[column]] = f"it would cost {cost / max(every, 1):.0%} of the windows"
        else:
            usable = usable & there
    return left_out


def _measured(panel: Panel, data: DataSettings, known_rows: Flags) -> list[slice]:
    """The rows of each series before the test span, up to the last one that holds more than what is known ahead."""
    spans = rows_before_test(panel, known_rows)
    if not data.known:
        return spans
    order = [column for column, name in enumerate(panel.columns) if name not in data.known]
    order += map(panel.column, data.known)
    n_known = len(data.known)
    return [slice(rows.start, rows.start + count_measured(panel.values[rows][:, order], n_known)) for rows in spans]


def static_columns(panel: Panel, known_rows: Flags) -> tuple[str, ...]:
    """The columns that never change in a series, and are not the same in all series; none of a single series.

    Args:
        panel: What was read.
        known_rows: Which rows belong to the training or the validation span, [T].
    """
    starts = np.array(panel.offsets[:-1])[np.diff(panel.offsets) > 0]
    if len(starts) < 2:
        return ()
    are_read = {name.partition("=")[0] for name in panel.columns}
    texts = {
        name: np.where(text.codes < 0, np.nan, text.codes)
        for name, text in panel.texts.items()
        if name not in are_read and len(text.words) < len(starts)  # more tell the series, and no more
    }
    found = []
    for name, column in [*zip(panel.columns, panel.values.T, strict=True), *texts.items()]:
        known = np.where(known_rows, column, np.nan)
        low, high = np.fmin.reduceat(known, starts), np.fmax.reduceat(known, starts)
        measured = ~np.isnan(low)
        if (low[measured] == high[measured]).all() and len(np.unique(low[measured])) > 1:
            found.append(name)
    return tuple(found)
