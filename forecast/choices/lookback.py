"""How long a lookback: shorter where gaps leave no window, longer where that pays on the validation span."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecast.config import Config, DataSettings
from forecast.data.holes import fill_within
from forecast.data.panel import Floats, Panel
from forecast.data.prepare import Prepared, prepare, windows_of
from forecast.data.split import TEST, TRAIN, VALIDATION, rows_before_test
from forecast.data.windows import Ints, Windows, index_windows, usable_and_seen
from forecast.errors import DataError
from forecast.models.ridge import solve_ridge

# Windows that the probe uses: enough for the normal equations of a few hundred steps, few enough for a second.
_TRAINING_WINDOWS, _VALIDATION_WINDOWS = 4000, 1000

# A longer panel is not probed: preparing it once more would cost more than the probe is worth.
_MOST_ROWS = 200_000

# Twice the lookback costs time, and the windows that a gap breaks: it must reduce the error by this share, and keep
# this share of the training windows.
_LEAST_GAIN, _LEAST_KEPT = 0.005, 0.9


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


def probe_longer_lookback(panel: Panel, config: Config, longest: int) -> tuple[int, str] | None:
    """Twice the lookback, and why, if that pays on the validation span; None if not.

    A linear map from the lookback to the horizon, both relative to the last value, is fitted to training windows and
    scored on validation windows, the same ones for both lookbacks. The test span is not used.

    Args:
        panel: What was read.
        config: The configuration with the shorter lookback.
        longest: The longest lookback that the series has room for.
    """
    short = config.data.lookback
    if 2 * short > longest or panel.n_rows > _MOST_ROWS:
        return None
    try:
        prepared = prepare(panel, config.replace(data={"lookback": 2 * short}), needed=(TRAIN, VALIDATION))
    except DataError:
        return None
    n_before = len(windows_of(prepared.rows, prepared.training_rows, config.data))
    if len(prepared.train) < max(_LEAST_KEPT * n_before, 4 * short):
        return None
    if _fed_to_the_end(prepared, 2 * short) < _fed_to_the_end(prepared, short):
        return None  # it may cost no series its forecast
    error, error_of_double = (_linear_error(prepared, lookback) for lookback in (short, 2 * short))
    if not error_of_double < (1 - _LEAST_GAIN) * error:
        return None
    gain = 1 - error_of_double / error
    return 2 * short, f"a linear map errs {gain:.1%} less on the validation span than with half of it"


def _fed_to_the_end(prepared: Prepared, lookback: int) -> int:
    """How many series have an unbroken lookback that ends where the test span begins."""
    panel, usable, stretches = prepared.rows.panel, prepared.rows.usable, prepared.rows.panel.stretches()
    count = 0
    for rows in rows_before_test(panel, prepared.split.part_of(panel) < TEST):
        first = rows.stop - lookback
        is_fed = first >= rows.start and usable[first : rows.stop].all()
        count += bool(is_fed and stretches[first] == stretches[rows.stop - 1])
    return count


def _linear_error(prepared: Prepared, lookback: int) -> float:
    """Mean absolute error, scaled, of a ridge regression on the newest part of each window."""
    x, y = _pairs(prepared, prepared.train.subsample(_TRAINING_WINDOWS), lookback)
    weights = solve_ridge(x.T @ x, x.T @ _filled(y))
    x, y = _pairs(prepared, prepared.validation.subsample(_VALIDATION_WINDOWS), lookback)
    return float(np.nanmean(np.abs(x @ weights - y)))


def _filled(windows: Floats) -> Floats:
    """Windows [N, n] without holes."""
    return fill_within(windows[..., None])[0][..., 0]


def _pairs(prepared: Prepared, windows: Windows, lookback: int) -> tuple[Floats, Floats]:
    """Lookback [N, L] and horizon [N, H] of the first target, scaled and relative to the last value.

    Holes in the lookback are filled; the horizon is NaN where nothing was observed.
    """
    first = prepared.rows.scaled[:, 0].astype(np.float64)
    past, future = _filled(first[windows.past()[:, -lookback:]]), first[windows.future()]
    return past - past[:, -1:], future - past[:, -1:]
