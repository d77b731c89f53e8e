"""Panels whose future was altered: everything after an origin is changed, deleted or shuffled."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from forecast.data.panel import Floats, Panel
from forecast.data.windows import Flags, Ints, Windows

# Changed values, in units of the largest of their column: far outside, yet finite after scaling in float32.
_LEAST_CHANGED, _MOST_CHANGED = 10.0, 1000.0


@dataclass(frozen=True)
class AlteredPanel:
    """A panel that was altered after an origin; ``kept`` are the rows of the true panel that it still has."""

    panel: Panel
    kept: Ints

    def positions(self, rows: Ints) -> Ints:
        """Where these rows of the true panel are now."""
        return np.searchsorted(self.kept, rows)


@dataclass(frozen=True)
class Origin:
    """A time after which a forecast may know nothing but what was declared to be known ahead.

    Args:
        panel: Arranged columns: targets first, those that are known ahead last.
        cutoff: The last time that a forecast may know.
        n_known: How many of the columns are known ahead.
        horizon: For how many rows after the cut-off they are known, H.
    """

    panel: Panel
    cutoff: np.datetime64
    n_known: int
    horizon: int

    @property
    def past_rows(self) -> Ints:
        """The rows up to the cut-off, that of the cut-off included."""
        return np.flatnonzero(self.panel.times <= self.cutoff)

    def with_changed_future(self, columns: slice = slice(None)) -> AlteredPanel:
        """Other values of these columns after the origin, also where one was missing, but for what was declared.

        So are all forecasts of inputs that were not known before it, whatever they are of.
        """
        unknown = self._unknown()
        changed = np.zeros_like(unknown)
        changed[:, columns] = unknown[:, columns]
        panel, issues = with_changed_values(self.panel, changed), self.panel.issues
        if issues is not None:
            later = issues.known_from > self.cutoff
            panel = replace(panel, issues=replace(issues, values=_changed(issues.values, later[:, None])))
        return AlteredPanel(panel, np.arange(self.panel.n_rows))

    def with_shuffled_future(self) -> AlteredPanel:
        """The rows after the origin in another order, each within its series."""
        rng = np.random.default_rng(0)
        order = np.arange(self.panel.n_rows)
        for future in self._future_by_series():
            order[future] = rng.permutation(future)
        values, issues = np.where(self._unknown(), self.panel.values[order], self.panel.values), self.panel.issues
        if issues is not None:
            later = np.flatnonzero(issues.known_from > self.cutoff)
            shuffled = issues.values.copy()
            shuffled[later] = shuffled[rng.permutation(later)]
            issues = replace(issues, values=shuffled)
        return AlteredPanel(replace(self.panel, values=values, issues=issues), np.arange(self.panel.n_rows))

    def with_deleted_future(self) -> AlteredPanel:
        """Of each series H rows after the origin, which hold their time and what was declared; no other row."""
        stubs = [future[: self.horizon] for future in self._future_by_series()]
        values = np.where(self._unknown(), np.nan, self.panel.values)
        return self._with_rows(np.union1d(self.past_rows, np.concatenate(stubs)), values)

    def truncated(self) -> AlteredPanel:
        """The panel as it was at the origin: no later row, but for those that hold what was declared."""
        return self.with_deleted_future() if self.n_known else self._with_rows(self.past_rows, self.panel.values)

    def with_hole(self, length: int) -> Origin:
        """The same origin, with the values of the last ``length`` rows of each series up to it missing."""
        values = self.panel.values.copy()
        for past in self._by_series(self.past_rows):
            values[past[-length:]] = np.nan
        return replace(self, panel=replace(self.panel, values=values))

    def of_series(self, series: Ints) -> Origin:
        """The same origin over some of the series, in this order."""
        return replace(self, panel=self.panel.of_series(series))

    def _by_series(self, rows: Ints) -> list[Ints]:
        """Ascending rows, divided into those of each series."""
        return np.split(rows, np.searchsorted(rows, self.panel.offsets[1:-1]))

    def _future_by_series(self) -> list[Ints]:
        return self._by_series(np.flatnonzero(self.panel.times > self.cutoff))

    def _unknown(self) -> Flags:
        """Which values no forecast may know, [T, C]: all later ones, but for those declared of the next H rows."""
        unknown = np.zeros(self.panel.values.shape, bool)
        issued = self.panel.issues.columns if self.panel.issues else ()
        first_known = len(self.panel.columns) - self.n_known
        named = enumerate(self.panel.columns)
        declared = np.array([n for n, name in named if n >= first_known and name not in issued], np.int64)
        for future in self._future_by_series():
            unknown[future] = True
            unknown[np.ix_(future[: self.horizon], declared)] = False
        return unknown

    def _with_rows(self, kept: Ints, values: Floats) -> AlteredPanel:
        offsets = tuple(np.searchsorted(kept, self.panel.offsets).tolist())
        issues = self.panel.issues and self.panel.issues.only(self.panel.issues.known_from <= self.cutoff)
        times = self.panel.times[kept]
        panel = replace(self.panel, values=values[kept], times=times, offsets=offsets, issues=issues)
        return AlteredPanel(panel, kept)


def spread_origins(panel: Panel, windows: Windows, n_known: int, most: int) -> list[tuple[Origin, Ints]]:
    """At most ``most`` origins, evenly spaced over the windows; each with the first rows of those that end there."""
    cutoffs = panel.times[windows.cutoffs]
    times = np.unique(cutoffs)
    picked = np.unique(np.linspace(0, len(times) - 1, most).round().astype(np.int64))
    return [(Origin(panel, time, n_known, windows.horizon), windows.starts[cutoffs == time]) for time in times[picked]]


def with_changed_values(panel: Panel, changed: Flags) -> Panel:
    """The panel with other values where ``changed`` [T, C] says so.

    They are ten to a thousand times the largest of their column, and positive, because columns may be logged.
    """
    return replace(panel, values=_changed(panel.values, changed))


def _changed(values: Floats, changed: Flags) -> Floats:
    """Values [T, C], others where ``changed`` [T, C or 1] says so."""
    largest = np.fmax.reduce(np.abs(values), axis=0, initial=0.0)
    size = np.where(largest > 0, largest, 1.0)  # of a column of zeros, or one without a value
    others = size * np.random.default_rng(0).uniform(_LEAST_CHANGED, _MOST_CHANGED, values.shape)
    return np.where(changed, others, values)
