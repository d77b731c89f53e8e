"""What a recurrent layer did. Reading it needs no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Trace:
    """What one recurrent layer did with some windows.

    Args:
        layer: Which, such as ``layer 1``.
        gates: Which of the values are gates, between 0 and 1.
        keeping: The gate that keeps the old memory; None for a cell that has none.
        values: Every gate, candidate and state by name, [B, n, U], in the order of time.
    """

    layer: str
    gates: tuple[str, ...]
    keeping: str | None
    values: Mapping[str, NDArray[np.float32]]
