"""One network that several threads ask at once."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from forecast.data.windows import Forecasting, Ints
from forecast.inference.network import Network, States
from forecast.models.shape import Fed


@dataclass(frozen=True)
class _Together:
    """Rows below one another, whatever they came from."""

    inputs: NDArray[np.float32]
    identity: Ints


@dataclass(frozen=True)
class _Question:
    rows: Fed
    starts: Ints
    answer: Future[NDArray[np.float32]] = field(default_factory=Future)


class Shared:
    """A network for several threads: what they ask while it computes is computed together, next.

    Args:
        network: Who computes; only ever in one thread at a time.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._waiting: deque[_Question] = deque()
        self._computing = Lock()

    def over(self, rows: Fed) -> Forecasting:
        """The function from first rows of windows [N] to scaled forecasts [N, H, D] or [N, H, D, Q]."""
        return partial(self._ask, rows)

    def _ask(self, rows: Fed, starts: Ints) -> NDArray[np.float32]:
        question = _Question(rows, starts)
        self._waiting.append(question)
        with self._computing:
            # Whoever computed while this one waited for its turn may have taken its question along.
            if not question.answer.done():
                self._answer_all()
        return question.answer.result()

    def _answer_all(self) -> None:
        questions = [self._waiting.popleft() for _ in range(len(self._waiting))]
        offsets = np.cumsum([0, *(len(question.rows.inputs) for question in questions[:-1])])
        try:
            together = _Together(
                np.concatenate([question.rows.inputs for question in questions]),
                np.concatenate([question.rows.identity for question in questions]),
            )
            starts = [question.starts + offset for question, offset in zip(questions, offsets, strict=True)]
            answers = self._network.over(together)(np.concatenate(starts))
        except Exception as error:
            for question in questions:
                question.answer.set_exception(error)
            return
        ends = np.cumsum([len(question.starts) for question in questions])
        for question, answer in zip(questions, np.split(answers, ends[:-1]), strict=True):
            question.answer.set_result(answer)

    def state_shapes(self, n_series: int) -> list[tuple[int, ...]]:
        """The shapes of the states of a network that carries them for some series."""
        return self._network.state_shapes(n_series)

    def step(self, rows: Fed, starts: Ints, states: States | None) -> tuple[NDArray[np.float32], States]:
        """The forecasts of windows of a network that carries its state, and the states after them; see `Network`."""
        with self._computing:
            return self._network.step(rows, starts, states)
