"""The linear map beside the network, solved in closed form on training windows before the network learns."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from forecast.config import NetworkConfig
from forecast.data.normals import HAR_SPANS
from forecast.data.panel import Floats
from forecast.data.prepare import Prepared, Rows
from forecast.data.windows import Windows
from forecast.models.backends.keras import add_constants, weights_of
from forecast.models.backends.numpy import NumpyOps
from forecast.models.backends.tensorflow import keras
from forecast.models.network import Network, Shape, gather_windows
from forecast.models.ridge import solve_ridge

# How often holes in horizons are filled: where half of a step is missing, a hundredth of the way is left after these.
_FILLINGS = 7

# Windows to solve by and to judge by, evenly spaced: enough for a lookback of some hundred steps; so many in memory.
_MOST, _MOST_JUDGED, _AT_ONCE = 50_000, 4000, 1024


def solve_linear(
    network: keras.Model, config: NetworkConfig, shape: Shape, prepared: Prepared, windows: Windows
) -> None:
    """Put the ridge regression of horizons on lookbacks, both normalised as the network does it, into its linear map.

    The map stays empty if on the validation windows it errs more than forecasts without it, which are the centre of the
    normalisation; that of volatilities has too few weights to be wrong in. Where QLIKE is learned, the head begins with
    what makes the mean of a lognormal value of its median.

    Args:
        network: What `build_network` returned, with a linear map.
        config: Its configuration.
        shape: Sizes of the windows.
        prepared: Rows, scaler and windows.
        windows: The windows to learn from.
    """
    normal = Network(config, shape, NumpyOps(config, weights_of(network)))
    kernel = _ridge(normal, prepared.rows, windows.subsample(_MOST))
    judged = list(_pairs(normal, prepared.rows, prepared.validation.subsample(_MOST_JUDGED)))
    without, with_map = (sum(float(np.nansum(np.abs(y - x @ k))) for x, y in judged) for k in (0 * kernel, kernel))
    kernel = kernel if with_map < without or prepared.rows.volatility else 0 * kernel
    network.get_layer("linear").kernel.assign(np.float32(kernel))
    if prepared.config.training.loss == "qlike" and config.units:
        pairs = _pairs(normal, prepared.rows, windows.subsample(_MOST_JUDGED))
        left = np.nanvar(np.concatenate([y - x @ kernel for x, y in pairs]), axis=0)
        add_constants(network, left[:, None] * prepared.scaler.scale[:, : shape.targets].mean(axis=0) / 2)


def _ridge(normal: Network, rows: Rows, windows: Windows) -> Floats:
    """The kernel of the ridge regression, [L, H].

    That of volatilities sees the newest value and the means of a week and a month alone (log-HAR, Corsi 2009).

    What was not observed of a horizon is filled by the kernel so far, time and again: so each step's regression becomes
    one of what was observed of it.
    """
    lookback, horizon = normal.shape.lookback, normal.shape.horizon
    kernel = np.zeros((lookback, horizon))
    sees = _means_of_newest(lookback) if rows.volatility else np.eye(lookback)
    for _ in range(_FILLINGS if rows.masked else 1):
        squares, products = np.zeros((lookback, lookback)), np.zeros((lookback, horizon))
        for x, y in _pairs(normal, rows, windows):
            squares += x.T @ x
            products += x.T @ (np.where(np.isnan(y), x @ kernel, y) if rows.masked else y)
        kernel = sees @ solve_ridge(sees.T @ squares @ sees, sees.T @ products)
    return kernel


def _means_of_newest(lookback: int) -> Floats:
    """What makes of a lookback the means of its newest 1, 5 and 22 steps, [L, 3]."""
    spans = np.minimum(HAR_SPANS, lookback)
    return np.where(np.arange(lookback)[::-1, None] < spans, 1 / spans, 0.0)


def _pairs(normal: Network, rows: Rows, windows: Windows) -> Iterator[tuple[Floats, Floats]]:
    """Lookbacks [n * D, L] and horizons [n * D, H] of the targets, normalised, some windows at a time.

    Of windows with holes, horizons are NaN where nothing was observed.
    """
    targets = slice(normal.shape.targets)
    for first in range(0, len(windows), _AT_ONCE):
        past, _, future = gather_windows(rows, windows.starts[first : first + _AT_ONCE], normal.fed)
        window, centre, scale = normal.normalise(normal.newest(past))
        left = future if centre is None else future - centre[:, :, targets]
        left = left if scale is None else left / scale[:, :, targets]
        yield _each_target(window[:, :, targets]), _each_target(left)


def _each_target(values: NDArray[np.floating]) -> Floats:
    """[n, steps, D] as [n * D, steps]."""
    return np.asarray(values.swapaxes(1, 2).reshape(-1, values.shape[1]), np.float64)
