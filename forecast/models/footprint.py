"""How much memory a training takes, told from its sizes before anything is built."""

from __future__ import annotations

from forecast.config import NetworkConfig
from forecast.models.shape import Shape

# Kernels that lie side by side in a cell's weights.
_KERNELS = {"rnn": 1, "gru": 3, "lstm": 4, "peephole": 4, "coupled": 3, "slstm": 4}

# Of each weight: itself, its gradient, two moments, the average and the best while training, and four copies of all but
# the gradient while a checkpoint is written.
_COPIES_OF_WEIGHTS = 6 + 4 * 5

_FLOAT = 4


def training_bytes(config: NetworkConfig, shape: Shape, batch_size: int) -> int:
    """Bytes that training a network takes at least: its weights, their checkpoint, and what each step keeps of a batch.

    Args:
        config: A resolved configuration.
        shape: Sizes of the windows.
        batch_size: Windows in a batch.
    """
    segment = min(config.segment or 1, shape.lookback)
    directions = 2 if config.bidirectional else 1
    width = config.units[0] if segment > 1 else shape.features
    weights = segment * shape.features * width if segment > 1 else 0
    kernels = _KERNELS[config.cell]
    for units in config.units:
        weights += directions * kernels * units * (width + units + 1)
        width = directions * units
    steps = shape.horizon if config.decode == "direct" else segment
    weights += width * steps * shape.targets * max(1, len(config.quantiles))
    turns = -(-shape.lookback // segment) + (0 if config.decode == "direct" else -(-shape.horizon // segment))
    # Of every step, gates and states wait for the way back, and their gradients come to lie beside them.
    kept = turns * directions * sum(config.units) * (1 if config.cell == "rnn" else 2 * kernels + 2)
    window = (shape.lookback + shape.horizon) * shape.features
    return _FLOAT * (_COPIES_OF_WEIGHTS * weights + batch_size * (kept + window))
