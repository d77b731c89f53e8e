"""The linear map beside the network, solved in closed form before the network learns.

What it reads, its penalty and whether it stands at all are chosen on windows that it was not solved on.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from forecast.config import NetworkConfig
from forecast.data.normals import HAR_SPANS
from forecast.data.panel import Arrays, Floats
from forecast.data.prepare import Prepared, Rows
from forecast.data.windows import Windows
from forecast.models.backends.keras import add_constants, empty_head, set_weights, weights_of
from forecast.models.backends.numpy import NumpyOps
from forecast.models.backends.tensorflow import keras
from forecast.models.network import Network, Shape, gather_windows, map_inputs
from forecast.models.ridge import PENALTIES, solve_ridge

# How often holes in horizons are filled, and by which penalty: where half of a step is missing, a hundredth of the way
# is left after these.
_FILLINGS, _PENALTY_OF_FILLINGS = 7, 0.1

# Windows to solve by and to judge by, evenly spaced: enough for a lookback of some hundred steps; so many in memory.
_MOST, _MOST_JUDGED, _AT_ONCE = 50_000, 4000, 1024

# Share of the training windows, the last ones, that judge beside the validation windows, of which there may be few.
_LATER = 0.3


def begin(
    network: keras.Model,
    config: NetworkConfig,
    shape: Shape,
    prepared: Prepared,
    windows: Windows,
    weights: Arrays | None = None,
) -> None:
    """Give a network the weights that it begins to learn with: those given, or its linear map solved, a head of zeros.

    Args:
        network: What `build_network` returned.
        config: Its configuration.
        shape: Sizes of the windows.
        prepared: Rows, scaler and windows.
        windows: The windows to learn from.
        weights: Of a network that was trained before; None for one that begins anew.
    """
    if weights is not None:
        set_weights(network, weights)
        return
    if config.adds_to and config.units:
        empty_head(network)
    if config.linear:
        solve_linear(network, config, shape, prepared, windows)


def solve_linear(
    network: keras.Model, config: NetworkConfig, shape: Shape, prepared: Prepared, windows: Windows
) -> None:
    """Put the ridge regression of horizons on lookbacks, both normalised as the network does it, into its linear map.

    Its penalty, and how much it reads beside the window, are those with which it errs least on the validation windows
    and, solved on the earlier training windows, on the later ones. It stays empty if on the validation windows the
    centre of the normalisation alone errs less; that of volatilities has too few weights to be wrong in. Where QLIKE is
    learned, the head begins with what makes the mean of a lognormal value of its median.

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
    earlier, later = (
        Windows(windows.starts[of], windows.lookback, windows.horizon) for of in (last < begin, times >= begin)
    )
    ridges = _ridges(normal, rows, windows)
    on_validation = _errors(normal, rows, prepared.validation, [0 * ridges[0], *ridges])
    best = int(np.argmin(on_validation[1:] + _errors(normal, rows, later, _ridges(normal, rows, earlier))))
    is_better = on_validation[1 + best] < on_validation[0] or rows.volatility
    kernel = ridges[best] if is_better else 0 * ridges[best]
    network.get_layer("linear").kernel.assign(np.float32(kernel))
    if prepared.config.training.loss == "qlike" and config.units:
        pairs = _pairs(normal, rows, windows.subsample(_MOST_JUDGED))
        left = np.nanvar(np.concatenate([y - x @ kernel for x, y in pairs]), axis=0)
        add_constants(network, left[:, None] * prepared.scaler.scale[:, : shape.targets].mean(axis=0) / 2)


def _errors(normal: Network, rows: Rows, windows: Windows, kernels: list[Floats]) -> Floats:
    """The sum of the absolute errors of each kernel over windows, normalised, [len(kernels)]."""
    errors = np.zeros(len(kernels))
    for x, y in _pairs(normal, rows, windows.subsample(_MOST_JUDGED)):
        errors += [np.nansum(np.abs(y - x @ kernel)) for kernel in kernels]
    return errors


def _ridges(normal: Network, rows: Rows, windows: Windows) -> list[Floats]:
    """The kernels of ridge regressions with each penalty on more and more of what a map reads, [width, H].

    That of volatilities sees the newest value and the means of a week and a month alone (log-HAR, Corsi 2009).

    What was not observed of a horizon is filled by the kernel so far, time and again: so each step's regression becomes
    one of what was observed of it.
    """
    sizes, horizon = np.cumsum(map_inputs(normal.config, normal.fed)), normal.shape.horizon
    width, windows = int(sizes[-1]), windows.subsample(_MOST)
    parts = [np.eye(width)[:, :size] for size in np.unique(sizes)]
    penalties, of_fillings = list(PENALTIES), _PENALTY_OF_FILLINGS
    if rows.volatility:
        parts, penalties, of_fillings = [_means_of_newest(int(sizes[0]), width)], [PENALTIES[0]], PENALTIES[0]
    kernel = np.zeros((width, horizon))
    for _ in range(_FILLINGS if rows.masked else 1):
        squares, products = np.zeros((width, width)), np.zeros((width, horizon))
        for x, y in _pairs(normal, rows, windows):
            squares += x.T @ x
            products += x.T @ (np.where(np.isnan(y), x @ kernel, y) if rows.masked else y)
        (kernel,) = _solve(parts[-1], squares, products, [of_fillings])
    return [kernel for seen in parts for kernel in _solve(seen, squares, products, penalties)]


def _solve(seen: Floats, squares: Floats, products: Floats, penalties: list[float]) -> list[Floats]:
    """The kernel with each penalty, on so many combinations [width, n] of what is read, [width, H]."""
    squares, products = seen.T @ squares @ seen, seen.T @ products
    return [seen @ solve_ridge(squares, products, penalty) for penalty in penalties]


def _means_of_newest(lookback: int, width: int) -> Floats:
    """What makes of a lookback, and what is read beside it, the means of its newest 1, 5 and 22 steps, [width, 3]."""
    spans, age = np.minimum(HAR_SPANS, lookback), lookback - 1 - np.arange(width)[:, None]
    return np.where((age >= 0) & (age < spans), 1 / spans, 0.0)


def _pairs(normal: Network, rows: Rows, windows: Windows) -> Iterator[tuple[Floats, Floats]]:
    """What the map reads [n * D, width] and horizons [n * D, H] of the targets, normalised, some windows at a time.

    Of windows with holes, horizons are NaN where nothing was observed.
    """
    targets = range(normal.shape.targets)
    for first in range(0, len(windows), _AT_ONCE):
        past, ahead, future = gather_windows(rows, windows.starts[first : first + _AT_ONCE], normal.fed)
        past = normal.newest(past)
        window, centre, scale = normal.normalise(past)
        left = future if centre is None else future - centre[:, :, : len(targets)]
        left = left if scale is None else left / scale[:, :, : len(targets)]
        read = [normal.read_by_map(window, past, ahead, target) for target in targets]
        yield (
            np.concatenate(read).astype(np.float64),
            np.concatenate([left[:, :, of] for of in targets]).astype(np.float64),
        )
