"""What is measured inside a network: the memory of its layers, the reach of its gradient, what its inputs are worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Floats
from forecast.models.backends.numpy import Trace

Float32s = NDArray[np.float32]

# A gate beyond these is as good as closed or open (Karpathy, Johnson & Fei-Fei 2015).
_CLOSED, _OPEN = 0.1, 0.9

# A unit whose output never leaves this neighbourhood of zero is dead.
_NEAR_ZERO = 0.01

# Float32 cannot tell a gate from 0 or from 1 beyond these.
_SMALLEST, _LARGEST = 1e-7, 1 - 1e-7

# Into how many parts the lookback is cut, and how often each is shuffled.
_PARTS, _SHUFFLES = 8, 3


@dataclass(frozen=True)
class Saturation:
    """Which share of a gate's values is nearly closed, and which nearly open."""

    closed: float
    open: float


@dataclass(frozen=True)
class Memory:
    """What one recurrent layer remembers.

    Args:
        layer: Its name.
        half_lives: After how many steps of the clock half of what a unit holds is forgotten, [U]; None for a cell
            without a gate that keeps.
        saturation: By gate.
        dead_units: How many units are always near zero.
    """

    layer: str
    half_lives: Floats | None
    saturation: Mapping[str, Saturation]
    dead_units: int


def measure_memory(trace: Trace, segment: int) -> Memory:
    """What a layer remembers, from its gates and states; a step of the cell is ``segment`` steps of the clock."""
    half_lives = None
    if trace.forget_gate is not None and trace.values[trace.forget_gate].shape[1] > 1:
        # What is kept over many steps is a product of gates, so their logarithms are averaged. The first step keeps
        # nothing.
        kept = np.clip(trace.values[trace.forget_gate][:, 1:].astype(np.float64), _SMALLEST, _LARGEST)
        half_lives = segment * np.log(0.5) / np.log(kept).mean(axis=(0, 1))
    saturation = {}
    for gate in trace.gates:
        values = trace.values[gate]
        saturation[gate] = Saturation(float((values < _CLOSED).mean()), float((values > _OPEN).mean()))
    dead_units = int((np.abs(trace.values["hidden"]).max(axis=(0, 1)) < _NEAR_ZERO).sum())
    return Memory(trace.layer, half_lives, saturation, dead_units)


def gradient_reach(norms: Floats, share: float) -> int:
    """In how many of the newest steps a share of the gradient's power lies; its norms [L] begin with the newest."""
    power = np.cumsum(norms**2)
    return int(np.searchsorted(power, share * power[-1])) + 1 if power[-1] > 0 else 0


def gradient_decay(norms: Floats) -> float:
    """The gradient's norm at the oldest tenth of the steps, as a share of that at the newest tenth."""
    part = max(1, len(norms) // 10)
    newest = np.sqrt(np.mean(norms[:part] ** 2))
    return float(np.sqrt(np.mean(norms[-part:] ** 2)) / newest) if newest > 0 else float("nan")


@dataclass(frozen=True)
class Importance:
    """Growth of the error when an input is shuffled, as a share of the error: mean and spread over shuffles."""

    growth: float
    spread: float


@dataclass(frozen=True)
class InputPart:
    """A part of the input: some columns of the window at some of its steps, and some of what is known ahead.

    Args:
        columns: Columns of the window.
        ahead: Columns of what is known ahead.
        steps: Steps of the window; None for all.
    """

    columns: Sequence[int]
    ahead: Sequence[int] = ()
    steps: slice | None = None


def permutation_importance(
    forecast: Callable[[Float32s, Float32s], Float32s],
    window: Float32s,
    future: Float32s,
    y_true: Floats,
    parts: Mapping[str, InputPart],
) -> dict[str, Importance]:
    """How much each part of the input matters to the forecasts.

    Args:
        forecast: From windows and what is known ahead to forecasts [N, H, D].
        window: Normalised windows [N, L, F].
        future: What is known ahead of them, [N, H, K].
        y_true: What was observed, [N, H, D]; NaN where nothing was.
        parts: What to shuffle, by name.

    Reference: Breiman 2001; Fisher, Rudin & Dominici 2019.
    """
    rng = np.random.default_rng(0)
    error = float(np.nanmean(np.abs(forecast(window, future) - y_true)))
    orders = [rng.permutation(len(window)) for _ in range(_SHUFFLES)]
    importances = {}
    for name, part in parts.items():
        columns, known, steps = list(part.columns), list(part.ahead), part.steps or slice(None)
        growths = []
        for order in orders:
            shuffled, ahead = window.copy(), future.copy()
            shuffled[:, steps, columns] = window[order][:, steps, columns]
            ahead[:, :, known] = future[order][:, :, known]
            growths.append(float(np.nanmean(np.abs(forecast(shuffled, ahead) - y_true))) / error - 1 if error else 0.0)
        importances[name] = Importance(float(np.mean(growths)), float(np.std(growths)))
    return importances


def lookback_parts(lookback: int) -> list[slice]:
    """The lookback cut into at most `_PARTS` parts, the newest first."""
    edges = np.linspace(0, lookback, min(_PARTS, lookback) + 1).round().astype(int)
    return [slice(lookback - int(last), lookback - int(first)) for first, last in pairwise(edges)]
