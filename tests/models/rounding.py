"""How far float32 may be from the exact result, whatever the processor and the order of its sums.

The same is computed several times in float64, each time with every result moved at random by up to what float32 rounds
(Monte Carlo arithmetic: Parker 1997). What a processor computes is one more such draw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from forecast.config import NetworkConfig
from forecast.models.backends.numpy import NumpyOps
from forecast.models.network import Network, Shape

Array = NDArray[Any]

# Half the distance from 1 to the next float32: an operation errs by up to this share of its result.
_UNIT = 2.0**-24

# Libraries compute tanh, σ and their kin by rational functions, good to a few units in the last place of 1; exp is good
# to a few in its own.
_FUNCTION = 8 * _UNIT

_EXACT = (np.negative, np.maximum, np.minimum)
_ARITHMETIC = (np.add, np.subtract, np.multiply, np.true_divide, np.sqrt)

_DRAWS = 16

# A draw that is farther from the mean than this many standard deviations does not happen.
_DEVIATIONS = 8


class Rounded(NDArrayOperatorsMixin):
    """An array whose every operation rounds at random.

    Args:
        value: The numbers, in float64.
        rng: Decides the roundings.
    """

    def __init__(self, value: Any, rng: np.random.Generator) -> None:
        self.value, self.rng = np.asarray(value, np.float64), rng
        self.shape, self.dtype = self.value.shape, self.value.dtype

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, key: Any) -> Rounded:
        return Rounded(self.value[key], self.rng)

    def reshape(self, *shape: Any) -> Rounded:
        return Rounded(self.value.reshape(*shape), self.rng)

    def astype(self, kind: Any) -> Array:
        """Whole numbers, which no rounding moved."""
        return self.value.astype(kind)

    def repeat(self, *arguments: Any) -> Rounded:
        return Rounded(self.value.repeat(*arguments), self.rng)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any) -> Rounded:
        """One operation, and its rounding."""
        assert method == "__call__"
        given = [np.asarray(_bare(one), np.float64) for one in inputs]
        value = ufunc(*given)
        if ufunc in _EXACT:
            return Rounded(value, self.rng)
        if ufunc is np.matmul:  # each product and each partial sum is rounded
            size = np.sqrt(2 * given[0].shape[-1]) * _UNIT * (np.abs(given[0]) @ np.abs(given[1]))
        elif ufunc in _ARITHMETIC:
            size = _UNIT * np.abs(value)
        elif ufunc is np.exp:
            size = _FUNCTION * np.abs(value)
        else:
            size = _FUNCTION * np.maximum(np.abs(value), 1.0)
        return Rounded(value + size * self.rng.uniform(-1, 1, value.shape), self.rng)

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        """Arrays joined, cut and turned; and sums, each of which is rounded like one result."""
        found = function(*_bare(arguments), **options)
        if isinstance(found, list):
            return [Rounded(one, self.rng) for one in found]
        size = _UNIT * np.abs(found) if function in (np.mean, np.var, np.cumsum) else 0.0
        return Rounded(found + size * self.rng.uniform(-1, 1, found.shape), self.rng)


def _bare(given: Any) -> Any:
    if isinstance(given, Rounded):
        return given.value
    return type(given)(map(_bare, given)) if isinstance(given, tuple | list) else given


def with_bounds(compute: Callable[[Callable[[Array], Any]], Sequence[Any]]) -> list[tuple[Array, Array]]:
    """Exact results, each with how far from it float32 may be.

    Args:
        compute: The results, from the function that its inputs must be passed through.
    """
    exact = compute(lambda given: given.astype(np.float64))
    draws = [compute(partial(Rounded, rng=np.random.default_rng(seed))) for seed in range(_DRAWS)]
    moved = ([draw[number].value - result for draw in draws] for number, result in enumerate(exact))
    spreads = (np.sqrt(np.mean(np.square(each), axis=0)) for each in moved)
    return [
        (result, _DEVIATIONS * spread + _UNIT * np.abs(result)) for result, spread in zip(exact, spreads, strict=True)
    ]


def forecast_with_bound(
    config: NetworkConfig, shape: Shape, weights: Mapping[str, Array], fed: Mapping[str, Array]
) -> tuple[Array, Array]:
    """The exact scaled forecasts of a network, and how far from them float32 may be.

    Args:
        config: A configuration.
        shape: Sizes of input and output.
        weights: By name.
        fed: ``past`` [B, L, F], ``future`` [B, H, K] and ``series`` [B].
    """
    network = Network(config, shape, NumpyOps(config, weights))
    (found,) = with_bounds(lambda given: [network.forecast(given(fed["past"]), given(fed["future"]), fed["series"])[0]])
    return found
