"""Which kind of clock a text names, and what every kind can be asked."""

from __future__ import annotations

from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from forecast.clocks.offsets import Offset, Times
from forecast.clocks.row_numbers import STEP, RowNumbers
from forecast.clocks.slots import Slotted
from forecast.clocks.uneven import Uneven
from forecast.errors import DataError

_ALIASES = "Use a pandas offset alias: 15min, h, D, B (business days), W, MS, QS, YS."


class Kind(Protocol):
    """The steps of one kind of clock; the times of slots are those on the wall, all others are as panels keep them."""

    @property
    def unit(self) -> str:
        """The unit of a step without its multiple: one of step, s, min, h, D, B, session, W, M, Q, Y."""

    @property
    def multiple(self) -> int:
        """Units in one step: 15 for ``15min``."""

    @property
    def length(self) -> int:
        """The usual length of a step in microseconds."""

    def is_open(self, times: Times) -> NDArray[np.bool_]:
        """Which of these times [T] have a slot: not those at which an office or an exchange is closed."""

    def ordinals(self, times: Times) -> NDArray[np.int64]:
        """The number of each of these times [T]: those of neighbours differ by 1."""

    def future(self, last: np.datetime64, steps: int) -> Times:
        """The next ``steps`` times after one."""

    def past(self, last: np.datetime64, steps: int) -> Times:
        """The ``steps`` times up to one, ascending."""


@cache
def kind_of(freq: str) -> tuple[str, Kind]:
    """The current spelling of a clock's step, and its kind, from an old or a new spelling (``H`` and ``h``).

    Raises:
        DataError: If it names no clock, or a step is longer than a century.
    """
    head, _, slots = freq.strip().partition(" ")
    if head == STEP and not slots:
        return STEP, RowNumbers()
    if head.startswith("~"):
        uneven = None if slots else Uneven.parse(head)
        if uneven is None:
            raise _no_frequency(freq)
        return head, uneven
    offset = Offset.parse(head)
    if offset is None:
        raise _no_frequency(freq)
    if not slots:
        return offset.alias, offset
    slotted = Slotted.parse(offset, slots)
    if slotted is None:
        raise DataError(f"{freq!r}: only a step that divides a day has open slots of a week.", _ALIASES)
    return str(slotted), slotted


def _no_frequency(freq: str) -> DataError:
    return DataError(f"{freq!r} is not a frequency.", _ALIASES)
