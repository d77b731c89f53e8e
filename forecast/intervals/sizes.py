"""The recent size of errors: a moving average along time of what is known of them at each window."""

from __future__ import annotations

import numpy as np

from forecast.data.panel import Floats
from forecast.data.windows import Ints

# Rows after which an outcome has half its weight in the size of the errors. Chosen on eighteen real series before their
# test spans, in pieces of 400 to 6,000 rows: by the Winkler score 100 is 1 % better where rows are hours and 1 to 2 %
# worse where they are days or months, 25 and 200 are worse; and in simulations 50 follows variance that grows.
_HALF_LIFE = 50.0

# More windows are filtered by SciPy, to the same bits: it takes a second to import, which a loop over fewer does not.
_MOST_IN_A_LOOP = 20_000

# The size is at least this share of the usual size, however calm a stretch is.
LEAST_SIZE = 0.2


def delays_of(horizon: int, spacing: int) -> Ints:
    """How many windows later the outcome of each step is known, [H]; windows are at least ``spacing`` rows apart."""
    return -(-np.arange(1, horizon + 1) // spacing)


def averaged_sizes(absolute: Floats, before: Floats, spacing: int) -> Floats:
    """The moving average of absolute errors after each window, appended to earlier averages, [..., w + n, H, D].

    Args:
        absolute: Absolute errors of n windows in order of time, [..., n, H, D]; one that is NaN, as nothing was
            observed, leaves the average as it was.
        before: The averages after each of the w windows before them, [..., w, H, D].
        spacing: Rows from one window to the next, at least.
    """
    missing = np.isnan(absolute)
    if not missing.any():
        return np.concatenate([before, _averaged(absolute, before, spacing)], axis=-3)
    # Average the observed errors alone, and take at each window what the newest of them made of the average.
    observed_first = np.take_along_axis(absolute, np.argsort(missing, axis=-3, kind="stable"), axis=-3)
    by_count = np.concatenate([before[..., -1:, :, :], _averaged(observed_first, before, spacing)], axis=-3)
    after = np.take_along_axis(by_count, np.cumsum(~missing, axis=-3), axis=-3)
    return np.concatenate([before, after], axis=-3)


def _averaged(absolute: Floats, before: Floats, spacing: int) -> Floats:
    share = 1 - 0.5 ** (spacing / _HALF_LIFE)
    if absolute.shape[-3] > _MOST_IN_A_LOOP:
        from scipy.signal import lfilter

        state = (1 - share) * before[..., -1:, :, :]
        return np.asarray(lfilter([share], [1, share - 1], absolute, axis=-3, zi=state)[0])
    after, average = share * absolute, before[..., -1, :, :]
    for window in range(absolute.shape[-3]):
        after[..., window, :, :] += (1 - share) * average
        average = after[..., window, :, :]
    return after


def known_sizes(averages: Floats, n: int, usual_size: Floats, spacing: int) -> Floats:
    """The size of the errors as it is known at each of the last n windows, [..., n, H, D].

    A window knows, of each step, the outcomes up to its own origin.

    Args:
        averages: What `averaged_sizes` returned.
        n: Number of windows.
        usual_size: Mean absolute error on the calibration span, [..., H, D].
        spacing: Rows from one window to the next, at least.
    """
    horizon = averages.shape[-2]
    windows = np.arange(averages.shape[-3] - n, averages.shape[-3])[:, None] - delays_of(horizon, spacing)
    return np.maximum(averages[..., windows, np.arange(horizon), :], LEAST_SIZE * usual_size[..., None, :, :])
