"""Windows as an index into one array of rows: memory grows with the rows, not with rows times lookback."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from forecast.data.clock import Times
from forecast.data.panel import Floats, Panel

Ints = NDArray[np.signedinteger]
Flags = NDArray[np.bool_]

# Forecasts of the windows that start at these rows [n], in the targets' own units: points [n, H, D], or ascending
# quantiles [n, H, D, Q] with the median in the middle.
Forecaster = Callable[[Ints], Floats]

AnyFloat = TypeVar("AnyFloat", bound=np.floating)


@dataclass(frozen=True)
class Windows:
    """N windows of L steps that the model sees and H steps that it forecasts, each given by its first row.

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
        """The last row that the forecast of each window may know, [N]."""
        return self.starts + self.lookback - 1

    @property
    def spacing(self) -> int:
        """Rows from one window to the next, at least."""
        return int(np.diff(self.starts).min()) if len(self) > 1 else 1

    def past(self, picked: slice | Ints | list[int] = slice(None)) -> Ints:
        """Rows of the lookback, [n, L]."""
        return self.starts[picked, None] + np.arange(self.lookback)

    def future(self, picked: slice | Ints | list[int] = slice(None)) -> Ints:
        """Rows of the horizon, [n, H]."""
        return self.starts[picked, None] + np.arange(self.lookback, self.lookback + self.horizon)

    def subsample(self, most: int) -> Windows:
        """At most ``most`` of the windows, evenly spaced, the first one included."""
        step = max(1, -(-len(self) // most))
        return Windows(self.starts[::step], self.lookback, self.horizon)


def median(forecasts: NDArray[AnyFloat]) -> NDArray[AnyFloat]:
    """Points [n, H, D]: the forecasts themselves, or the middle one of quantiles [n, H, D, Q]."""
    return forecasts if forecasts.ndim == 3 else forecasts[..., forecasts.shape[-1] // 2]


def index_windows(
    panel: Panel, part_rows: Flags, inputs_usable: Flags, targets_seen: Flags, lookback: int, horizon: int
) -> Windows:
    """Every window whose whole horizon lies in one part; their first rows may be neighbours.

    The lookback may reach into the part before. No window crosses an absent row or the end of a series, has an
    unusable row in its lookback, or a missing target in its horizon.

    Args:
        panel: S series of T rows in all.
        part_rows: Which rows belong to the part, [T].
        inputs_usable: Which rows a lookback may contain, [T].
        targets_seen: Which rows a horizon may contain, [T].
        lookback: L.
        horizon: H.
    """
    in_lookback = count_set(inputs_usable, lookback) == lookback
    in_horizon = count_set(targets_seen & part_rows, horizon) == horizon
    return _windows_where(panel, in_lookback, in_horizon, lookback, horizon)


def index_windows_with_holes(
    panel: Panel, part_rows: Flags, observed: Flags, least_observed: float, lookback: int, horizon: int
) -> Windows:
    """The same, of windows that may have holes.

    Args:
        panel: S series of T rows in all.
        part_rows: Which rows belong to the part, [T].
        observed: Which targets were observed, [T, D].
        least_observed: The share of its values in the lookback, and of those in the horizon, that each target needs.
        lookback: L.
        horizon: H.
    """
    in_lookback = np.ones(max(0, panel.n_rows - lookback + 1), bool)
    in_horizon = count_set(part_rows, horizon) == horizon
    for of_target in observed.T:
        in_lookback &= count_set(of_target, lookback) >= fewest_of(lookback, least_observed)
        in_horizon &= count_set(of_target, horizon) >= fewest_of(horizon, least_observed)
    return _windows_where(panel, in_lookback, in_horizon, lookback, horizon)


def _windows_where(panel: Panel, in_lookback: Flags, in_horizon: Flags, lookback: int, horizon: int) -> Windows:
    """The unbroken windows whose lookback and whose horizon, each by its first row, are good, [T - length + 1]."""
    n_starts = max(0, panel.n_rows - lookback - horizon + 1)
    stretches = panel.stretches()
    good = stretches[:n_starts] == stretches[panel.n_rows - n_starts :]
    good &= in_lookback[:n_starts]
    good &= in_horizon[lookback : lookback + n_starts]
    # Half the memory, where the sum of two row numbers cannot overflow.
    row_number = np.int32 if panel.n_rows < 1 << 30 else np.int64
    return Windows(np.flatnonzero(good).astype(row_number), lookback, horizon)


def fewest_of(length: int, share: float) -> int:
    """The fewest of so many values that are at least a share of them."""
    return math.ceil(round(share * length, 9))  # 0.7 * 10 is a bit more than 7


def count_set(flags: Flags, length: int) -> NDArray[np.int32]:
    """How many of the ``length`` flags from each row on are set, [T - length + 1]."""
    total = np.zeros(len(flags) + 1, np.int32)
    np.cumsum(flags, out=total[1:])
    counts: NDArray[np.int32] = total[length:] - total[:-length]
    return counts


def precomputed(windows: Windows, forecasts: Floats) -> Forecaster:
    """A forecaster that returns forecasts made before.

    Args:
        windows: N windows, in the order of their first rows.
        forecasts: In the targets' own units, [N, H, D].
    """
    return lambda starts: forecasts[np.searchsorted(windows.starts, starts)]


def fill_forward(panel: Panel, longest: int, column: int) -> tuple[Floats, Flags]:
    """Fill short runs of missing values with the last value before them; no later value is used.

    Args:
        panel: S series of T rows in all.
        longest: The longest run, in rows, that is filled up. Of a longer one this many rows are filled.
        column: The index of a column.

    Returns:
        The filled values of the column [T], not copied if none is missing; and which of them are not NaN [T].
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


def usable_and_seen(panel: Panel, longest: int, inputs: Sequence[int], outputs: Sequence[int]) -> tuple[Flags, Flags]:
    """Which rows a lookback of whole windows may contain, and which a horizon, [T] each.

    Args:
        panel: S series of T rows in all.
        longest: Missing values in a row that are filled forward.
        inputs: Columns that a lookback needs.
        outputs: Columns that a horizon needs.
    """
    usable, seen = np.ones(panel.n_rows, bool), np.ones(panel.n_rows, bool)
    for column in inputs:
        usable &= fill_forward(panel, longest, column)[1]
    for column in outputs:
        seen &= ~np.isnan(panel.values[:, column])
    return usable, seen


def count_apart(panel: Panel, windows: Windows) -> int:
    """The most origins of these windows of which no two are fewer than H steps apart: their outcomes do not overlap."""
    ordinals = panel.clock.ordinals(origins_of(panel, windows))
    count, until = 0, -np.inf
    for ordinal in ordinals.tolist():
        if ordinal >= until:
            count, until = count + 1, ordinal + windows.horizon
    return count


def origins_of(panel: Panel, windows: Windows) -> Times:
    """The distinct times from which these windows forecast, ascending."""
    return np.unique(panel.times[windows.cutoffs])
