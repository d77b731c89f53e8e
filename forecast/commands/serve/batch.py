"""The windows of several requests, forecast by one call of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forecast.data.windows import Ints
from forecast.models.network import RowSource
from forecast.models.runtimes import Runtime, States


@dataclass(frozen=True)
class _JoinedRows:
    """The rows of several requests below one another."""

    inputs: NDArray[np.float32]
    identity: Ints

    def inputs_at(self, rows: Ints) -> NDArray[np.float32]:
        return self.inputs[rows]


class Batch:
    """A network that has already forecast the windows of several requests.

    Args:
        network: Computes the forecasts, once.
        requests: Rows, each with the first rows of its windows, ascending.
    """

    def __init__(self, network: Runtime, requests: Sequence[tuple[RowSource, Ints]]) -> None:
        counts = [len(rows.identity) for rows, _ in requests]
        inputs = [rows.inputs_at(np.arange(count)) for (rows, _), count in zip(requests, counts, strict=True)]
        joined = _JoinedRows(np.concatenate(inputs), np.concatenate([rows.identity for rows, _ in requests]))
        offsets = np.cumsum([0, *counts[:-1]])
        starts = [starts + offset for (_, starts), offset in zip(requests, offsets, strict=True)]
        forecasts = network.forecast(joined, np.concatenate(starts))
        ends = np.cumsum([len(of_request) for of_request in starts])[:-1]
        self._network = network
        self._known = [(*request, part) for request, part in zip(requests, np.split(forecasts, ends), strict=True)]

    def forecast(self, rows: RowSource, starts: Ints) -> NDArray[np.float32]:
        """Scaled forecasts [N, H, D] or [N, H, D, Q] of windows of a request, by their first rows [N]."""
        known, forecasts = next((known, forecasts) for source, known, forecasts in self._known if source is rows)
        return forecasts[np.searchsorted(known, starts)]

    def state_shapes(self, n_series: int) -> list[tuple[int, ...]]:
        """The shapes of the states of a network that carries them for some series."""
        return self._network.state_shapes(n_series)

    def step(self, rows: RowSource, starts: Ints, states: States | None) -> tuple[NDArray[np.float32], States]:
        """The forecasts of windows of a network that carries its state, and the states after them; see `Runtime`."""
        return self._network.step(rows, starts, states)
