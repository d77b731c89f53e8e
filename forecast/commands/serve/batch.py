"""What several ask one network, computed together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecast.data.windows import Ints
from forecast.models.network import RowSource
from forecast.models.runtimes import Runtime, States


@dataclass(frozen=True)
class _Together:
    """Rows below one another, wherever they came from."""

    inputs: NDArray[np.float32]
    identity: Ints

    def inputs_at(self, rows: Ints) -> NDArray[np.float32]:
        return self.inputs[rows]


class Batch:
    """A network that has been asked for some windows of some rows, and knows their forecasts.

    Args:
        network: Who computes, once.
        asked: Rows, each with the first rows of windows, ascending.
    """

    def __init__(self, network: Runtime, asked: Sequence[tuple[RowSource, Ints]]) -> None:
        counts = [len(fed.identity) for fed, _ in asked]
        rows = _Together(
            np.concatenate([fed.inputs_at(np.arange(n_rows)) for (fed, _), n_rows in zip(asked, counts, strict=True)]),
            np.concatenate([fed.identity for fed, _ in asked]),
        )
        offsets = np.cumsum([0, *counts[:-1]])
        starts = [own + offset for (_, own), offset in zip(asked, offsets, strict=True)]
        answers = network.forecast(rows, np.concatenate(starts))
        ends = np.cumsum([len(own) for own in starts])
        self._network = network
        self._known = [(*pair, own) for pair, own in zip(asked, np.split(answers, ends[:-1]), strict=True)]

    def forecast(self, rows: RowSource, starts: Ints) -> NDArray[np.float32]:
        """Scaled forecasts [N, H, D] or [N, H, D, Q] of windows with these first rows [N], which were asked for."""
        known, answers = next((known, answers) for source, known, answers in self._known if source is rows)
        return answers[np.searchsorted(known, starts)]

    def state_shapes(self, n_series: int) -> list[tuple[int, ...]]:
        """The shapes of the states of a network that carries them for some series."""
        return self._network.state_shapes(n_series)

    def step(self, rows: RowSource, starts: Ints, states: States | None) -> tuple[NDArray[np.float32], States]:
        """The forecasts of windows of a network that carries its state, and the states after them; see `Runtime`."""
        return self._network.step(rows, starts, states)
