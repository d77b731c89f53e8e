"""The linear map beside the network, solved in closed form on training windows before the network learns."""

from __future__ import annotations

import numpy as np

from forecast.config import NetworkConfig
from forecast.data.panel import Floats
from forecast.data.prepare import Rows
from forecast.data.windows import Windows
from forecast.models.backends.numpy import NumpyOps
from forecast.models.backends.tensorflow import keras
from forecast.models.network import Network, Shape, gather_windows

# Ridge penalty, as a share of the mean variance of the inputs.
_PENALTY = 0.01

# Windows to solve by, evenly spaced: enough for a lookback of a few hundred steps. So many are in memory at once.
_MOST, _AT_ONCE = 50_000, 1024


def solve_linear(network: keras.Model, config: NetworkConfig, shape: Shape, rows: Rows, windows: Windows) -> None:
    """Put the ridge regression of horizons on lookbacks, both normalised as the network does it, into its linear map.

    Args:
        network: What `build_network` returned, with a linear map.
        config: Its configuration.
        shape: Sizes of the windows.
        rows: What it is fed.
        windows: The windows to learn from.

    Reference: Hoerl & Kennard 1970.
    """
    normal = Network(config, shape, NumpyOps(config, {}))
    starts = windows.subsample(_MOST).starts
    squares = np.zeros((shape.lookback, shape.lookback))
    products = np.zeros((shape.lookback, shape.horizon))
    for first in range(0, len(starts), _AT_ONCE):
        past, _, future = gather_windows(rows, starts[first : first + _AT_ONCE], shape)
        window, centre, scale = normal.normalise(past)
        left = future if centre is None else future - centre[:, :, : shape.targets]
        if scale is not None:
            left = left / scale[:, :, : shape.targets]
        x, y = _by_target(window[:, :, : shape.targets]), _by_target(left)
        squares += x.T @ x
        products += x.T @ y
    penalty = _PENALTY * np.trace(squares) / shape.lookback + np.finfo(float).tiny
    kernel = np.linalg.solve(squares + penalty * np.eye(shape.lookback), products)
    network.get_layer("linear").kernel.assign(kernel.astype(np.float32))


def _by_target(values: Floats) -> Floats:
    """[B, n, D] as [B * D, n]."""
    return np.asarray(values.swapaxes(1, 2).reshape(-1, values.shape[1]), np.float64)
