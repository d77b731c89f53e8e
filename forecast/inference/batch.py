"""What several ask one network, computed together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecast.data.windows import Ints, ScaledForecaster
from forecast.inference.network import Network, States
from forecast.models.shape import Fed


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

    def __init__(self, network: Network, asked: Sequence[tuple[Fed, Ints]]) -> None:
        counts = [len(fed.identity) for fed, _ in asked]
        rows = _Together(
            np.concatenate([fed.inputs_at(np.arange(n_rows)) for (fed, _), n_rows in zip(asked, counts, strict=True)]),
            np.concatenate([fed.identity for fed, _ in asked]),
        )
        offsets = np.cumsum([0, *counts[:-1]])
        starts = [own + offset for (_, own), offset in zip(asked, offsets, strict=True)]
        answers = network.over(rows)(np.concatenate(starts))
        ends = np.cumsum([len(own) for own in starts])
        self._network = network
        self._known = [(*pair, own) for pair, own in zip(asked, np.split(answers, ends[:-1]), strict=True)]

    def over(self, rows: Fed) -> ScaledForecaster:
        """The function from first rows of windows [N] to their scaled forecasts [N, H, D] or [N, H, D, Q]."""
        starts, answers = next((starts, answers) for fed, starts, answers in self._known if fed is rows)

        def forecast(picked: Ints) -> NDArray[np.float32]:
            return answers[np.searchsorted(starts, picked)]

        return forecast

    def state_shapes(self, n_series: int) -> list[tuple[int, ...]]:
        """The shapes of the states of a network that carries them for some series."""
        return self._network.state_shapes(n_series)

    def step(self, rows: Fed, starts: Ints, states: States | None) -> tuple[NDArray[np.float32], States]:
        """The forecasts of windows of a network that carries its state, and the states after them; see `Network`."""
        return self._network.step(rows, starts, states)
