"""Windows as an index into the one array of rows: memory grows with rows, never with rows times lookback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Floats, Panel, Times

Ints = NDArray[np.signedinteger]
Flags = NDArray[np.bool_]

# A network seen from outside: scaled forecasts of the windows that start at these rows [n]. They are points [n, H, D],
# or quantiles [n, H, D, Q] that ascend, with the median in the middle.
Forecasting = Callable[[Ints], NDArray[np.float32]]

# Anything that forecasts: the same in the targets' own units.
InUnits = Callable[[Ints], Floats]

AnyFloat = TypeVar("AnyFloat", bound=np.floating)


@dataclass(frozen=True)
class Windows:
    """N windows of L steps seen and H steps forecast, each by its first row.

    Args:
        starts: First row of each window, [N].
        lookback: L.
        horizon: H.
    """

    starts: Ints
    lookback: int
    horizon: int

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def cutoffs(self) -> Ints:
        """The last row that each window may know, [N]."""
        return self.starts + self.lookback - 1

    @property
    def spacing(self) -> int:
        """The fewest rows from one window to the next."""
        return int(np.diff(self.starts).min()) if len(self) > 1 else 1

    def past(self, picked: slice | Ints | list[int] = slice(None)) -> Ints:
        """Rows of the lookback, [n, L]."""
        return self.starts[picked, None] + np.arange(self.lookback)

    def future(self, picked: slice | Ints | list[int] = slice(None)) -> Ints:
        """Rows of the horizon, [n, H]."""
        return self.starts[picked, None] + np.arange(self.lookback, self.lookback + self.horizon)

    def every(self, most: int) -> Windows:
        """At most about ``most`` of the windows, evenly spaced, the first one included."""
        step = max(1, -(-len(self) // most))
        return Windows(self.starts[::step], self.lookback, self.horizon)


def median(forecasts: NDArray[AnyFloat]) -> NDArray[AnyFloat]:
    """The points [n, H, D] of forecasts that may hold quantiles [n, H, D, Q]: the median, which is the middle one."""
    return forecasts if forecasts.ndim == 3 else forecasts[..., forecasts.shape[-1] // 2]


def index_windows(
    panel: Panel, part_rows: Flags, inputs_usable: Flags, targets_seen: Flags, lookback: int, horizon: int
) -> Windows:
    """Every window of stride 1 whose whole horizon lies in one part.

    The lookback may reach into the part before. No window crosses an absent row or a series' end, has an unusable
    input row in its lookback, or an unobserved target in its horizon.

    Args:
        panel: S series of T rows in all.
        part_rows: Which rows belong to the part, [T].
        inputs_usable: Which rows the network can be fed, [T].
        targets_seen: In which rows every target was observed, [T].
        lookback: L.
        horizon: H.
    """
    n_starts = max(0, panel.n_rows - lookback - horizon + 1)
    stretches = panel.stretches()
    good = stretches[:n_starts] == stretches[panel.n_rows - n_starts :]
    good &= _all_in(inputs_usable, lookback)[:n_starts]
    good &= _all_in(targets_seen & part_rows, horizon)[lookback : lookback + n_starts]
    # Half the memory, where no sum of two rows can overflow.
    narrow = np.int32 if panel.n_rows < 1 << 30 else np.int64
    return Windows(np.flatnonzero(good).astype(narrow), lookback, horizon)


def _all_in(flags: Flags, length: int) -> Flags:
    """Whether ``length`` flags are all set, those from each place on; [T - length + 1]."""
    total = np.zeros(len(flags) + 1, np.int32)
    np.cumsum(flags, out=total[1:])
    every: Flags = total[length:] - total[:-length] == length
    return every


def precomputed(windows: Windows, forecasts: Floats) -> InUnits:
    """Forecasts that were made before, as a function from first rows of windows.

    Args:
        windows: N windows, in the order of their first rows.
        forecasts: In the targets' own units, [N, H, D].
    """
    return lambda starts: forecasts[np.searchsorted(windows.starts, starts)]


def fill_forward(panel: Panel, longest: int, column: int) -> tuple[Floats, Flags]:
    """Carry the last seen value of a column over short holes; knows nothing of what comes after.

    Args:
        panel: S series of T rows in all.
        longest: Missing values in a row that may be filled.
        column: Which of the columns.

    Returns:
        Its filled values [T], the panel's own where none is missing; and which of them are usable [T].
    """
    values = panel.values[:, column]
    usable = ~np.isnan(values)
    missing = np.flatnonzero(~usable)
    if not len(missing):
        return values, usable
    stretches = panel.stretches()
    first_of_stretch = np.searchsorted(stretches, stretches[missing])
    begins = np.diff(missing, prepend=-2) != 1
    last_seen = (missing[begins] - 1)[np.cumsum(begins) - 1]
    near = (last_seen >= first_of_stretch) & (missing - last_seen <= longest)
    filled = values.copy()
    filled[missing[near]] = values[last_seen[near]]
    usable[missing[near]] = True
    return filled, usable


def origins_of(panel: Panel, windows: Windows) -> Times:
    """The distinct moments from which these windows forecast, ascending."""
    return np.unique(panel.times[windows.cutoffs])
