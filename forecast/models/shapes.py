"""The sizes of a network: of its windows, and of every weight. Knowing them needs neither Keras nor the network."""

from __future__ import annotations

from dataclasses import dataclass

from forecast.config import NetworkConfig, chosen

# How many gates, or parts of them, stand side by side in the kernel of each cell.
_GATES = {"rnn": 1, "gru": 3, "lstm": 4, "peephole": 4, "coupled": 3, "slstm": 4}


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


def weight_shapes(config: NetworkConfig, shape: Shape) -> dict[str, tuple[int, ...]]:
    """The shape of every trainable weight of the network that `build_network` makes, by layer and name.

    Args:
        config: A resolved configuration.
        shape: Sizes of input and output.
    """
    segment = min(chosen(config.segment), shape.lookback)
    n_future, answers = -(-shape.horizon // segment), shape.targets * max(1, len(config.quantiles))
    shapes: dict[str, tuple[int, ...]] = {}
    width, sides = shape.features, ("recurrent", "backward") if config.bidirectional else ("recurrent",)
    if segment > 1:
        shapes |= _dense("embed", segment * shape.features, config.units[0])
        width = config.units[0]
    if config.decode == "parallel":
        of_series = width // 2 if shape.series > 1 else 0
        shapes["queries/positions"] = (n_future, width - of_series)
        if of_series:
            shapes["queries/identities"] = (shape.series, of_series)
        if shape.known:
            shapes["known/kernel"] = (segment * shape.known, width)
    for number, units in enumerate(config.units, start=1):
        for side in sides:
            of_layer = _recurrent(config, width, units)
            shapes |= {f"{side}_{number}/{name}": weight for name, weight in of_layer.items()}
        width = units * len(sides)
    if config.decode == "recursive":
        width += segment * shape.known
    return shapes | _dense("head", width, answers * (shape.horizon if config.decode == "direct" else segment))


def _dense(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}/kernel": (inputs, outputs), f"{name}/bias": (outputs,)}


def _recurrent(config: NetworkConfig, inputs: int, units: int) -> dict[str, tuple[int, ...]]:
    gates = _GATES[config.cell] * units
    shapes: dict[str, tuple[int, ...]] = {"kernel": (inputs, gates), "recurrent_kernel": (units, gates)}
    if config.use_bias:
        shapes["bias"] = (2, gates) if config.cell == "gru" and config.reset_after else (gates,)
    if config.cell == "peephole":
        shapes["peephole_kernel"] = (3, units)
    return shapes
