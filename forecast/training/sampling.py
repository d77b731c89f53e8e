"""Which windows each step learns from. The step's number alone decides it, so a resumed training needs no record."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from forecast.config import TrainingConfig
from forecast.data.windows import Ints, Windows


class WindowOrder:
    """Which windows each step sees: every window once, in a random order, before any is seen again.

    Args:
        starts: First row of each window, [N].
        batch_size: Windows in a batch, at most N.
        seed: Decides the order.
    """

    def __init__(self, starts: Ints, batch_size: int, seed: int) -> None:
        self._windows, self.seed = starts, seed
        self.batch_size = min(batch_size, len(starts))
        self.steps_per_pass = -(-len(starts) // self.batch_size)
        self._order = lru_cache(maxsize=2)(self._shuffled)

    def _shuffled(self, number: int) -> Ints:
        return np.random.default_rng([self.seed, number]).permutation(self._windows)

    def starts(self, step: int) -> Ints:
        """First rows of a step's windows; a batch at the end of a pass takes its rest from the next pass."""
        passes, first = divmod(step * self.batch_size, len(self._windows))
        picked = self._order(passes)[first : first + self.batch_size]
        missing = self.batch_size - len(picked)
        return np.concatenate([picked, self._order(passes + 1)[:missing]]) if missing else picked

    def resets_state(self, step: int) -> bool:
        """Whether the carried state is cleared before the step; windows in random order carry none."""
        del step
        return False


class LaneOrder:
    """Windows for a state that is carried: each lane is a piece of the series cut into windows end to end.

    A batch holds one window of each of its lanes; the next batch holds the windows that follow. After the lanes' last
    windows the state is cleared and other lanes begin, so no state crosses a gap or a series' end. In each pass the
    lanes begin elsewhere, so that in time every window is learned from.

    Args:
        starts: First row of each window, ascending, [N].
        lookback: L, the step from one window of a lane to the next.
        batch_size: Lanes in a batch, at most.
        seed: Decides the order of the lanes.

    Reference: truncated backpropagation through time, Williams & Peng 1990.
    """

    def __init__(self, starts: Ints, lookback: int, batch_size: int, seed: int) -> None:
        # As long as lanes can be while there are enough of them to fill a batch, and one of them fits into the longest
        # unbroken run of windows.
        breaks = np.flatnonzero(np.diff(starts, prepend=-2, append=-2) != 1)
        longest = 1 + (int(np.diff(breaks).max()) - 1) // lookback
        self.length = min(max(1, len(starts) // (lookback * batch_size)), longest)
        ends = np.searchsorted(starts, starts + (self.length - 1) * lookback)
        reaches = starts[np.minimum(ends, len(starts) - 1)] == starts + (self.length - 1) * lookback
        unbroken = reaches & (ends - np.arange(len(starts)) == (self.length - 1) * lookback)
        self._heads = _ShiftedOrder(starts[unbroken], self.length * lookback, batch_size, seed)
        self._lookback = lookback
        self.batch_size = self._heads.batch_size
        self.steps_per_pass = self._heads.steps_per_pass * self.length

    def starts(self, step: int) -> Ints:
        """First rows of a step's windows, one of each lane."""
        group, in_lane = divmod(step, self.length)
        return self._heads.starts(group) + in_lane * self._lookback

    def resets_state(self, step: int) -> bool:
        """Whether the carried state is cleared before the step, because new lanes begin with it."""
        return step % self.length == 0


class _ShiftedOrder(WindowOrder):
    """Windows a distance apart in a random order, all shifted by a number of steps that is drawn for each pass.

    Args:
        starts: First rows that a window may have, ascending, [N].
        distance: Steps from one window to the next.
        batch_size: Windows in a batch.
        seed: Decides order and shifts.
    """

    def __init__(self, starts: Ints, distance: int, batch_size: int, seed: int) -> None:
        super().__init__(_apart(starts, distance), batch_size, seed)
        self._allowed, self._distance = starts, distance

    def _shuffled(self, number: int) -> Ints:
        heads = super()._shuffled(number)
        shifted = heads + np.random.default_rng([self.seed, number, 1]).integers(self._distance)
        return np.where(np.isin(shifted, self._allowed), shifted, heads)


def _apart(starts: Ints, distance: int) -> Ints:
    """The first of the starts, and each next one that lies at least a distance behind the one before."""
    kept, index = [], 0
    while index < len(starts):
        kept.append(starts[index])
        index = int(np.searchsorted(starts, starts[index] + distance))
    return np.array(kept)


def window_order(windows: Windows, config: TrainingConfig, carries_state: bool) -> LaneOrder | WindowOrder:
    """The order in which windows are learned from: in lanes for a network that carries its state, else at random."""
    if carries_state:
        return LaneOrder(windows.starts, windows.lookback, config.batch_size, config.seed)
    return WindowOrder(windows.starts, config.batch_size, config.seed)
