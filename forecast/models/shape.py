"""What a network is fed and what it returns, and what both ways of computing it share. Needs no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from forecast.config import NetworkConfig

if TYPE_CHECKING:
    from forecast.data.prepare import Rows
from forecast.data.windows import Ints

# Smallest scale of a window, in units of the training rows' spread: noise on a flat window must not be blown up.
SMALLEST_SCALE = 0.1

# Feeding forecasts back is a loop in the graph, one turn a segment.
MOST_FED_BACK = 192


@dataclass(frozen=True)
class Shape:
    """What a network is fed and what it returns.

    Args:
        lookback: L.
        horizon: H.
        targets: D, the first columns of the window.
        covariates: P, the columns after them, seen up to the cut-off.
        known: K, the last columns, known ahead: the user's own and the calendar.
        series: S.
    """

    lookback: int
    horizon: int
    targets: int
    covariates: int
    known: int
    series: int

    @property
    def features(self) -> int:
        """F, the columns of the window."""
        return self.targets + self.covariates + self.known


class Fed(Protocol):
    """The part of `Rows` that a network is fed."""

    def inputs_at(self, rows: Ints) -> NDArray[np.float32]:
        """What it is fed of these rows [...]: [..., F]."""

    @property
    def identity(self) -> Ints:
        """Where the series of each row stands among the S, [T]."""


def fed_windows(
    rows: Fed, starts: Ints, shape: Shape
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """The windows that start at some rows.

    Args:
        rows: What they are taken from.
        starts: First row of each window, [B].
        shape: Sizes of the windows.

    Returns:
        The past [B, L, F]; of the horizon, what is known ahead [B, H, K], and the scaled targets [B, H, D].
    """
    window = rows.inputs_at(starts[:, None] + np.arange(shape.lookback + shape.horizon))
    past, ahead = window[:, : shape.lookback], window[:, shape.lookback :]
    return past, ahead[:, :, shape.features - shape.known :], ahead[:, :, : shape.targets]


def shape_of(rows: Rows, lookback: int, horizon: int) -> Shape:
    """The sizes of a network that is fed these rows."""
    return Shape(lookback, horizon, rows.n_targets, rows.n_covariates, rows.n_known, rows.n_identities)


# How many gates a cell has, each with a block of the kernels.
_GATES = {"rnn": 1, "gru": 3, "lstm": 4, "peephole": 4, "coupled": 3, "slstm": 4}


def weight_shapes(config: NetworkConfig, shape: Shape) -> dict[str, tuple[int, ...]]:
    """The shape of every weight of a network, by name; known before any of them is read.

    Args:
        config: A resolved configuration.
        shape: Sizes of input and output.
    """
    segment = min(config.segment, shape.lookback)
    ahead = segment * shape.known
    width = config.units[0] if segment > 1 else shape.features
    sides = ("recurrent", "backward") if config.bidirectional else ("recurrent",)
    found: dict[str, tuple[int, ...]] = {}
    fed = width
    for number, units in enumerate(config.units, 1):
        gates = _GATES[config.cell] * units
        for side in sides:
            layer = f"{side}_{number}"
            found |= {f"{layer}/kernel": (fed, gates), f"{layer}/recurrent_kernel": (units, gates)}
            if config.use_bias:
                twice = config.cell == "gru" and config.reset_after
                found[f"{layer}/bias"] = (2, gates) if twice else (gates,)
            if config.cell == "peephole":
                found[f"{layer}/peephole_kernel"] = (3, units)
        fed = units * len(sides)
    if segment > 1:
        found |= {"embed/kernel": (segment * shape.features, width), "embed/bias": (width,)}
    if config.decode == "parallel":
        of_series = width // 2 if shape.series > 1 else 0
        found["queries/positions"] = (-(-shape.horizon // segment), width - of_series)
        if of_series:
            found["queries/identities"] = (shape.series, of_series)
        if ahead:
            found["known/kernel"] = (ahead, width)
    if config.decode == "recursive":
        fed += ahead
    answer = (shape.horizon if config.decode == "direct" else segment) * shape.targets * max(1, len(config.quantiles))
    return found | {"head/kernel": (fed, answer), "head/bias": (answer,)}
