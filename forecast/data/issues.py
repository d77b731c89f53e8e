"""Columns that are issued again and again, as forecasts and revised series are: what each origin knew of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from forecast.data.clock import Times

Ints = NDArray[np.signedinteger]


@dataclass(frozen=True)
class Issues:
    """What was said of some columns, as forecasts or as values that were revised, and from when on it was known.

    Args:
        columns: K names.
        values: Float64 [N, K]; NaN where nothing was said.
        times: The time that each is of, [N], ascending.
        known_from: The time of the first row at which it is known, or when that was between two rows, [N].
        measured: Those of the columns that the source holds itself: up to an origin its values are fed.
        series: The index of each one's series in ``series_ids``, [N].
        series_ids: Names of the series that they are for; none if they are for every series.
    """

    columns: tuple[str, ...]
    values: NDArray[np.float64]
    times: Times
    known_from: Times
    measured: frozenset[str]
    series: Ints
    series_ids: tuple[str, ...] = ()

    def only(self, kept: NDArray[np.bool_] | Ints) -> Issues:
        """Some of them, [N], or these."""
        parts = {name: getattr(self, name)[kept] for name in ("values", "times", "known_from", "series")}
        return replace(self, **parts)

    def of_channels(self, channels: tuple[str, ...]) -> Issues:
        """The same for each channel of each series, which have become series of their own."""
        if not self.series_ids:
            return self
        repeated = self.only(np.arange(len(self.times)).repeat(len(channels)))
        channel = np.arange(len(repeated.times)) % len(channels)
        names = tuple(f"{series}/{name}" for series in self.series_ids for name in channels)
        return replace(repeated, series=repeated.series * len(channels) + channel, series_ids=names)

    @property
    def ahead(self) -> tuple[str, ...]:
        """Those of the columns of which something was known before its time."""
        told = ~np.isnan(self.values[self.times > self.known_from])
        return tuple(name for number, name in enumerate(self.columns) if told[:, number].any())

    def fingerprint(self) -> str:
        """SHA-256 of all of it."""
        digest = hashlib.sha256(repr((self.columns, sorted(self.measured), self.series_ids)).encode())
        for part in (self.values, self.times, self.known_from, self.series):
            digest.update(part.tobytes())
        return digest.hexdigest()

    def of_rows(self, times: Times, series_ids: tuple[str, ...], series: Ints, name: str) -> AsOf:
        """What was known of a column, in measurement units, at the rows of a panel.

        Args:
            times: Timestamps of the rows, [T].
            series_ids: S names.
            series: The index of each row's series among these, [T].
            name: The column.
        """
        near = slice(*np.searchsorted(self.times, [times.min(), times.max() + 1])) if len(times) else slice(0)
        values = self.values[near, self.columns.index(name)]
        there = np.flatnonzero(~np.isnan(values))
        steps, step = np.unique(self.times[near][there], return_inverse=True)
        moments, rank = np.unique(self.known_from[near][there], return_inverse=True)
        # A slot is a time of a series; its issues stand side by side, ascending by when they were known.
        n_series, stride = max(1, len(self.series_ids)), len(moments) + 1
        keys = (step * n_series + self.series[near][there]) * stride + rank + 1
        order = np.argsort(keys, kind="stable")
        numbers = {name: number for number, name in enumerate(self.series_ids)}
        series = np.array([numbers.get(own, -1) if numbers else 0 for own in series_ids])[series]
        slots = np.searchsorted(steps, times) * n_series + series
        return AsOf(
            # Before all others stands one of no row, which is found where there is none.
            keys=np.concatenate([[-2 * stride], keys[order]]),
            values=np.concatenate([[np.nan], values[there][order]]),
            stride=stride,
            slots=np.where(np.isin(times, steps) & (series >= 0), slots, -1),
            n_known=np.searchsorted(moments, times, side="right"),
            is_measured=name in self.measured,
        )


@dataclass(frozen=True)
class AsOf:
    """What was known of one column at each origin, looked up for each window: memory grows with the issues alone.

    Args:
        keys: Of N issues, ascending: ``stride`` times the slot of what it is a forecast of, plus its rank in time.
        values: [N].
        stride: One more than there are ranks.
        slots: The slot of each row, [T]; -1 where nothing was ever issued of it.
        n_known: The highest rank that is known at each row, [T]; 0 for none.
        is_measured: Whether the source holds the column itself: then only the steps of a horizon are looked up.
    """

    keys: Ints
    values: NDArray[np.float64]
    stride: int
    slots: Ints
    n_known: Ints
    is_measured: bool

    def at(self, rows: Ints, origins: Ints) -> NDArray[np.float64]:
        """What was known of some rows [...] at the rows of their origins [...]; NaN for nothing."""
        slots = self.slots[rows]
        newest = np.searchsorted(self.keys, slots * self.stride + self.n_known[origins], side="right") - 1
        return np.where(self.keys[newest] // self.stride == slots, self.values[newest], np.nan)

    def count_ahead(self, origins: Ints, horizon: int) -> Ints:
        """Of how many of the H steps after some rows [n] something was known at these, [n]."""
        counts = np.zeros(len(origins), np.int64)
        for step in range(1, horizon + 1):
            counts += self._first_known[origins + step] <= self.n_known[origins]
        return counts

    @cached_property
    def _first_known(self) -> Ints:
        """The rank of the first issue of each row, [T]; one that no row knows where there is none."""
        first = self.keys.take(np.searchsorted(self.keys, self.slots * self.stride), mode="clip")
        return np.where(first // self.stride == self.slots, first - self.slots * self.stride, self.stride)
