"""How large the errors were of late: calm and wild times come in stretches, in the weather as on a market."""

from __future__ import annotations

import numpy as np

from forecast.data.panel import Floats
from forecast.data.windows import Ints

# Rows after which an outcome counts half. Chosen by the validation spans of nine series, where shorter and longer ones
# were worse.
_HALF_LIFE = 100.0

# A calm stretch does not make the errors smaller than this share of the usual.
_LEAST = 0.2


def delays_of(horizon: int, spacing: int) -> Ints:
    """How many windows it takes until the outcome of each step is known, [H].

    Args:
        horizon: H.
        spacing: Rows from one window to the next, at least.
    """
    return -(-np.arange(1, horizon + 1) // spacing)


def averaged_sizes(absolute: Floats, before: Floats, spacing: int) -> Floats:
    """The moving average of absolute errors after each window, behind those before it; [..., w + n, H, D].

    Args:
        absolute: Absolute errors of windows in order of time, [..., n, H, D].
        before: The averages after each of the w windows before them, [..., w, H, D].
        spacing: Rows from one window to the next, at least.
    """
    from scipy.signal import lfilter

    share = 1 - 0.5 ** (spacing / _HALF_LIFE)
    held = (1 - share) * before[..., -1:, :, :]
    after, _ = lfilter([share], [1, share - 1], absolute, axis=-3, zi=held)
    return np.concatenate([before, after], axis=-3)


def known_sizes(averages: Floats, n: int, usual: Floats, spacing: int) -> Floats:
    """What is known of the size at the last n windows: of each step, from outcomes up to that window; [..., n, H, D].

    Args:
        averages: What `averaged_sizes` returned.
        n: How many windows.
        usual: The usual size, [..., H, D].
        spacing: Rows from one window to the next, at least.
    """
    horizon = averages.shape[-2]
    windows = np.arange(averages.shape[-3] - n, averages.shape[-3])[:, None] - delays_of(horizon, spacing)
    return np.maximum(averages[..., windows, np.arange(horizon), :], _LEAST * usual[..., None, :, :])
