"""Rows whose future is another one: after an origin everything is changed, deleted or shuffled."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from forecast.data.panel import Floats, Panel
from forecast.data.windows import Flags, Ints, Windows

# Times the largest value of a column: far outside, yet finite after scaling in float32.
_LEAST_WILD, _MOST_WILD = 10.0, 1000.0


@dataclass(frozen=True)
class Tampered:
    """A panel of another future.

    Args:
        panel: Its rows.
        kept: Which rows of the true panel are still there, in their order.
    """

    panel: Panel
    kept: Ints

    def places(self, rows: Ints) -> Ints:
        """Where these rows of the true panel are now."""
        return np.searchsorted(self.kept, rows)


@dataclass(frozen=True)
class Origin:
    """A moment after which nothing may be known but what was declared, over rows of that panel.

    Args:
        panel: Arranged columns: targets first, those that are known ahead last.
        moment: The last time that a forecast may know.
        n_known: How many of the columns are known ahead.
        horizon: For how many rows after the moment they are, H.
    """

    panel: Panel
    moment: np.datetime64
    n_known: int
    horizon: int

    @property
    def before(self) -> Ints:
        """The rows up to the moment, itself included."""
        return np.flatnonzero(self.panel.times <= self.moment)

    def changed(self, columns: slice = slice(None)) -> Tampered:
        """Wild values after the origin, where anything undeclared was or could have been.

        Args:
            columns: Which columns; the others stay as they are.
        """
        unknown = self._unknown()
        chosen = np.zeros_like(unknown)
        chosen[:, columns] = unknown[:, columns]
        return Tampered(with_wild_values(self.panel, chosen), np.arange(self.panel.n_rows))

    def shuffled(self) -> Tampered:
        """The rows after the origin change places, each within its series."""
        rng = np.random.default_rng(0)
        order = np.arange(self.panel.n_rows)
        for later in self._later_by_series():
            order[later] = rng.permutation(later)
        values = np.where(self._unknown(), self.panel.values[order], self.panel.values)
        return Tampered(replace(self.panel, values=values), np.arange(self.panel.n_rows))

    def deleted(self) -> Tampered:
        """Nothing is left after the origin but H rows of each series, and of these the time and what was declared."""
        stubs = [later[: self.horizon] for later in self._later_by_series()]
        values = np.where(self._unknown(), np.nan, self.panel.values)
        return self._cut(np.union1d(self.before, np.concatenate(stubs)), values)

    def as_it_was(self) -> Tampered:
        """The panel as it was read at the origin: no row is later, but for those that hold what was declared."""
        if self.n_known:
            return self.deleted()
        return self._cut(self.before, self.panel.values)

    def with_hole(self, length: int) -> Origin:
        """The same origin where the last rows up to it hold nothing, so that values must be filled in.

        Args:
            length: How many rows of each series.
        """
        values = self.panel.values.copy()
        for series in range(self.panel.n_series):
            rows = self._up_to(series)
            values[max(rows.start, rows.stop - length) : rows.stop] = np.nan
        return replace(self, panel=replace(self.panel, values=values))

    def of_series(self, series: Ints) -> Origin:
        """The same origin over some of the series, in their order."""
        spans = [np.arange(*self.panel.offsets[number : number + 2]) for number in series]
        rows = np.concatenate(spans)
        panel = replace(
            self.panel,
            values=self.panel.values[rows],
            times=self.panel.times[rows],
            series_ids=tuple(self.panel.series_ids[number] for number in series),
            offsets=(0, *np.cumsum([len(span) for span in spans]).tolist()),
        )
        return replace(self, panel=panel)

    def _up_to(self, series: int) -> slice:
        rows = self.panel.rows(series)
        return slice(rows.start, rows.start + int((self.panel.times[rows] <= self.moment).sum()))

    def _later_by_series(self) -> list[Ints]:
        return [
            np.arange(self._up_to(series).stop, self.panel.rows(series).stop) for series in range(self.panel.n_series)
        ]

    def _unknown(self) -> Flags:
        """What no forecast may know, [T, C]: all that is later, but for what was declared of the next H rows."""
        unknown = np.zeros(self.panel.values.shape, bool)
        first_known = len(self.panel.columns) - self.n_known
        for later in self._later_by_series():
            unknown[later] = True
            unknown[later[: self.horizon], first_known:] = False
        return unknown

    def _cut(self, kept: Ints, values: Floats) -> Tampered:
        offsets = tuple(np.searchsorted(kept, self.panel.offsets).tolist())
        return Tampered(replace(self.panel, values=values[kept], times=self.panel.times[kept], offsets=offsets), kept)


def tried_origins(panel: Panel, windows: Windows, n_known: int, most: int) -> list[tuple[Origin, Ints]]:
    """Some of the moments at which windows end, evenly spaced from the first to the last, and the windows of each.

    Args:
        panel: Arranged columns.
        windows: N windows of it.
        n_known: How many of the columns are known ahead.
        most: How many moments, at most.

    Returns:
        Each origin with the first rows of the windows that end there.
    """
    cutoffs = panel.times[windows.cutoffs]
    moments = np.unique(cutoffs)
    picked = np.unique(np.linspace(0, len(moments) - 1, most).round().astype(np.int64))
    return [
        (Origin(panel, moment, n_known, windows.horizon), windows.starts[cutoffs == moment])
        for moment in moments[picked]
    ]


def with_wild_values(panel: Panel, where: Flags) -> Panel:
    """The panel with values in these places that no forecast could miss; positive, so that they can be logged.

    Args:
        panel: S series of T rows in all.
        where: Which values, [T, C].
    """
    largest = np.fmax.reduce(np.abs(panel.values), axis=0)
    size = np.where(largest > 0, largest, 1.0)  # of a column of zeros, or one without a value
    wild = size * np.random.default_rng(0).uniform(_LEAST_WILD, _MOST_WILD, panel.values.shape)
    return replace(panel, values=np.where(where, wild, panel.values))
