"""The linear map beside the network, solved in closed form on training windows before the network learns."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from forecast.config import NetworkConfig
from forecast.data.panel import Floats
from forecast.data.prepare import Prepared, Rows
from forecast.data.windows import Windows
from forecast.models.backends.keras import weights_of
from forecast.models.backends.numpy import NumpyOps
from forecast.models.backends.tensorflow import keras
from forecast.models.network import Network, Shape, gather_windows
from forecast.models.ridge import PENALTIES, solve_ridge

# How often holes in horizons are filled, and by which penalty: where half of a step is missing, a hundredth of the way is
# left after these.
_FILLINGS, _PENALTY_OF_FILLINGS = 7, 0.1

# Windows to solve by and to judge by, evenly spaced: enough for a lookback of some hundred steps; so many in memory.
_MOST, _MOST_JUDGED, _AT_ONCE = 50_000, 4000, 1024

# Share of the training windows, the last ones, that judge beside the validation windows, of which a short series has few.
_LATER = 0.3


def solve_linear(
    network: keras.Model, config: NetworkConfig, shape: Shape, prepared: Prepared, windows: Windows
) -> None:
    """Put the ridge regression of horizons on lookbacks, both normalised as the network does it, into its linear map.

    Its penalty is that with which it errs least on validation windows and, solved on the earlier training windows, on the
    later ones. It stays empty if forecasts without it, which are the centre of the normalisation, err less.

    Args:
        network: What `build_network` returned, with a linear map.
        config: Its configuration.
        shape: Sizes of the windows.
        prepared: Rows, scaler and windows.
        windows: The windows to learn from.
    """
    rows, normal = prepared.rows, Network(config, shape, NumpyOps(config, weights_of(network)))
    times, last = rows.panel.times[windows.cutoffs], rows.panel.times[windows.cutoffs + windows.horizon]
    begin = np.sort(times)[int((1 - _LATER) * len(times))]
    earlier, later = (Windows(windows.starts[of], windows.lookback, windows.horizon) for of in (last < begin, times >= begin))
    ridges = _ridges(normal, rows, windows)
    errors = np.zeros(1 + len(ridges))
    for judged, solved in ((prepared.validation, ridges), (later, _ridges(normal, rows, earlier))):
        for x, y in _pairs(normal, rows, judged.subsample(_MOST_JUDGED)):
            errors += [np.nansum(np.abs(y - x @ kernel)) for kernel in (0 * ridges[0], *solved)]
    kernel = (0 * ridges[0], *ridges)[int(np.argmin(errors))]
    network.get_layer("linear").kernel.assign(np.float32(kernel))


def _ridges(normal: Network, rows: Rows, windows: Windows) -> list[Floats]:
    """The kernel of the ridge regression with each penalty, [L, H].

    What was not observed of a horizon is filled by the kernel so far, time and again: so each step's regression becomes
    one of what was observed of it.
    """
    lookback, horizon = normal.shape.lookback, normal.shape.horizon
    kernel = np.zeros((lookback, horizon))
    windows = windows.subsample(_MOST)
    for _ in range(_FILLINGS if rows.masked else 1):
        squares, products = np.zeros((lookback, lookback)), np.zeros((lookback, horizon))
        for x, y in _pairs(normal, rows, windows):
            squares += x.T @ x
            products += x.T @ (np.where(np.isnan(y), x @ kernel, y) if rows.masked else y)
        kernel = solve_ridge(squares, products, _PENALTY_OF_FILLINGS)
    return [solve_ridge(squares, products, penalty) for penalty in PENALTIES]


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
