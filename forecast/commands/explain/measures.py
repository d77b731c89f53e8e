"""What is measured inside a network: the memory of its layers, and the reach of its gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from forecast.data.panel import Floats
from forecast.models.backends.numpy import Trace

# A gate beyond these is as good as closed or open (Karpathy, Johnson & Fei-Fei 2015).
_CLOSED, _OPEN = 0.1, 0.9

# A unit whose output never leaves this neighbourhood of zero is dead.
_NEAR_ZERO = 0.01

# Float32 cannot tell a gate from 0 or from 1 beyond these.
_SMALLEST, _LARGEST = 1e-7, 1 - 1e-7


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
