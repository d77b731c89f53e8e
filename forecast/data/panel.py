"""Panel: one or many series on a regular clock, in one float64 array."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forecast.data.clock import Clock, Times
from forecast.data.issues import AsOf, Issues
from forecast.errors import DataError, setting
from forecast.shown import Shown
from forecast.tables.spelling import did_you_mean

Floats = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]  # such as a network's weights, by name


@dataclass(frozen=True)
class Text:
    """A column of words.

    Args:
        words: The words, each once.
        codes: The index of each row's word, int32 [T]; -1 where there is none.
    """

    words: tuple[str, ...]
    codes: NDArray[np.int32]


@dataclass(frozen=True)
class Panel(Shown):
    """S series of T rows in all, on one clock.

    The rows of a series are adjacent and ascend in time. A missing value is NaN. A row that the clock would have and
    the panel has not is absent: it ends a stretch, and no window crosses from one stretch into the next.

    Args:
        values: Float64 [T, C].
        times: Timestamps [T], ``datetime64[us]``, ascending within a series; see `Clock` on zones.
        columns: C names.
        clock: The step between rows.
        series_ids: S names.
        offsets: Int [S + 1]; series s owns rows ``offsets[s]:offsets[s + 1]``.
        name: The panel's name in tables and plots.
        units: Unit of measurement by column, where known.
        default_target: The column that is forecast unless the user names another.
        notes: What was inferred while reading, one sentence each.
        warnings: What was repaired while reading, one sentence each.
        left_out: Columns of the table that hold no measurements, and why.
        read_options: Fields of `ReadOptions` that were inferred from all rows, by which further rows are read alike.
        texts: Columns of words by name; `forecast.data.words` makes numbers of those that a network learns.
        coded: Columns in which codes such as 999.9 may mean missing, with these [T]; see `decide_codes`.
        issues: The columns that are known ahead as forecasts, which the origin decides; None for none. Their values
            here are those that the source holds, or the newest forecast that was known at the row itself.
    """

    values: Floats
    times: Times
    columns: tuple[str, ...]
    clock: Clock
    series_ids: tuple[str, ...] = ("",)
    offsets: tuple[int, ...] = ()
    name: str = "series"
    units: dict[str, str] = field(default_factory=dict)
    default_target: str | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    read_options: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, Text] = field(default_factory=dict)
    coded: dict[str, Floats] = field(default_factory=dict)
    issues: Issues | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", np.asarray(self.times).astype("datetime64[us]", copy=False))
        object.__setattr__(self, "values", np.asarray(self.values, np.float64))
        if not self.offsets:
            object.__setattr__(self, "offsets", (0, len(self.values)))
        if self.values.shape != (len(self.times), len(self.columns)):
            raise DataError(
                f"Values of shape {self.values.shape} do not fit {len(self.times)} times "
                f"and {len(self.columns)} columns."
            )
        ends = np.asarray(self.offsets)
        divides = ends[0] == 0 and ends[-1] == len(self.values) and bool((np.diff(ends) >= 0).all())
        if len(self.offsets) != len(self.series_ids) + 1 or not divides:
            raise DataError(f"Offsets {self.offsets} do not divide {len(self.values)} rows into the series.")
        for series in range(self.n_series):
            times = self.times[self.rows(series)]
            backward = np.flatnonzero(times[1:] <= times[:-1])
            if len(backward):
                one, other = times[backward[0]], times[backward[0] + 1]
                raise DataError(f"Times must ascend within a series: {other} follows {one}.")

    def __repr__(self) -> str:
        series = f"{self.n_series} series, " if self.n_series > 1 else ""
        span = f"{self.clock.format(self.times.min())} … {self.clock.format(self.times.max())}, " if self.n_rows else ""
        return f"<Panel {self.name}: {series}{self.n_rows:,} rows, {span}{self.clock.freq}, {', '.join(self.columns)}>"

    @property
    def n_rows(self) -> int:
        """T, the number of rows of all series."""
        return len(self.values)

    @property
    def n_series(self) -> int:
        """S, the number of series."""
        return len(self.series_ids)

    def rows(self, series: int) -> slice:
        """The rows of one series."""
        return slice(self.offsets[series], self.offsets[series + 1])

    def series_of_row(self) -> NDArray[np.int64]:
        """The index of each row's series, [T]."""
        return self.per_row(np.arange(self.n_series))

    def per_row(self, of_series: NDArray[np.int64]) -> NDArray[np.int64]:
        """Values of each series [S], repeated for each of its rows [T]; read-only."""
        if self.n_series == 1:
            return np.broadcast_to(of_series, (self.n_rows,))  # takes no memory
        return np.repeat(of_series, np.diff(self.offsets))

    def column(self, name: str) -> int:
        """The index of a column.

        Raises:
            DataError: If there is none of that name, or it holds no numbers; lists those that do.
        """
        if name not in self.columns:
            what = f"Column {name!r} was left out. {self.left_out[name]}" if name in self.left_out else ""
            listed = f"Columns: {', '.join(map(repr, self.columns))}."
            if texts := ", ".join(repr(text) for text, found in self.texts.items() if len(found.words) > 1):
                listed += f" Words, for {setting('known')} or {setting('static')}: {texts}."
            meant = "" if what else did_you_mean(name, [*self.columns, *self.texts], repr)
            raise DataError(what or f"There is no column {name!r}.", meant + listed, value=name, allowed=self.columns)
        return self.columns.index(name)

    def expand(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The names, a column of words replaced by the columns of 0 and 1 that it was read as."""
        columns = {notation.column: notation.columns for notation in self.read_options.get("notation", ())}
        found = ((name,) if name in self.columns else columns.get(name, (name,)) for name in names)
        return tuple(column for expanded in found for column in expanded)

    def select(self, names: tuple[str, ...]) -> Panel:
        """The panel with these columns, in this order, and without texts; the panel itself if that is what it is."""
        if tuple(names) == self.columns:
            return replace(self, texts={}) if self.texts else self
        picked = [self.column(name) for name in names]
        coded = {name: raw for name, raw in self.coded.items() if name in names}
        values = np.ascontiguousarray(self.values[:, picked])
        return replace(self, values=values, columns=tuple(names), texts={}, coded=coded)

    def as_of(self) -> dict[str, AsOf]:
        """What was known of its columns at each origin, by name, in measurement units; of those that have issues."""
        if self.issues is None:
            return {}
        names, series = set(self.issues.columns).intersection(self.columns), self.series_of_row()
        return {name: self.issues.of_rows(self.times, self.series_ids, series, name) for name in sorted(names)}

    def of_series(self, order: NDArray[np.int64]) -> Panel:
        """Some of the series, in this order."""
        spans = [np.arange(*self.offsets[number : number + 2]) for number in order]
        rows = np.concatenate([np.zeros(0, np.int64), *spans])
        return replace(
            self,
            values=self.values[rows],
            times=self.times[rows],
            texts={name: replace(text, codes=text.codes[rows]) for name, text in self.texts.items()},
            coded={name: raw[rows] for name, raw in self.coded.items()},
            series_ids=tuple(self.series_ids[number] for number in order),
            offsets=(0, *np.cumsum([len(span) for span in spans]).tolist()),
        )

    def named(self, series_ids: Sequence[str]) -> Panel:
        """The series of these names, in this order; the panel itself if it does not have them all, or no others."""
        numbers = {name: number for number, name in enumerate(self.series_ids)}
        if tuple(series_ids) == self.series_ids or not set(series_ids) <= numbers.keys():
            return self
        return self.of_series(np.array([numbers[name] for name in series_ids]))

    def between(self, first: np.datetime64, last: np.datetime64) -> Panel:
        """The rows from one time to another, both included; a series may be left without rows."""
        return self.only((self.times >= first) & (self.times <= last))

    def only(self, kept: NDArray[np.bool_]) -> Panel:
        """Some of the rows [T]; a series may be left without rows."""
        ends = np.concatenate([[0], np.cumsum(kept)])[list(self.offsets)]
        return replace(
            self,
            values=self.values[kept],
            times=self.times[kept],
            offsets=tuple(ends.tolist()),
            texts={name: replace(text, codes=text.codes[kept]) for name, text in self.texts.items()},
            coded={name: raw[kept] for name, raw in self.coded.items()},
        )

    def absent_before(self) -> NDArray[np.int64]:
        """The number of rows that are absent directly before each row, [T]; 0 at the start of a series."""
        absent = np.zeros(self.n_rows, np.int64)
        for series in range(self.n_series):
            rows = self.rows(series)
            ordinals = self.clock.ordinals(self.times[rows])
            np.subtract(ordinals[1:], ordinals[:-1], out=absent[rows][1:])
            absent[rows][1:] -= 1
        return absent

    def stretches(self) -> NDArray[np.int32]:
        """The number of each row's stretch, [T]: rows without an absent row between them.

        Whole days on which an exchange, a shop or an office was closed are a holiday, which ends no stretch.
        """
        return self._stretches

    @cached_property
    def _stretches(self) -> NDArray[np.int32]:
        absent = self.absent_before()
        starts = (absent > 0) & ~self.clock.is_closed_for(absent)
        if self.n_series == 1 and not starts.any():
            return np.broadcast_to(np.int32(0), (self.n_rows,))
        starts[[first for first in self.offsets[:-1] if first < self.n_rows]] = True  # the last may have no row
        numbers = np.cumsum(starts, dtype=np.int32)
        numbers -= 1
        return numbers

    def gaps(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows that begin a stretch within a series [G], and how many rows are absent before each."""
        begins = np.flatnonzero(np.diff(self.stretches())) + 1
        begins = begins[~np.isin(begins, self.offsets)]
        return begins, self.absent_before()[begins] if len(begins) else begins

    def positions(self, rows: NDArray[np.integer]) -> NDArray[np.int64]:
        """The places of some rows among all steps of all series: absent rows have a place, a holiday has none."""
        begins, absent = self.gaps()
        before = np.concatenate([[0], np.cumsum(absent)])
        return np.asarray(rows + before[np.searchsorted(begins, rows, side="right")])

    def fingerprint(self) -> str:
        """SHA-256 of names, times and values: panels with the same fingerprint train the same network."""
        digest = hashlib.sha256(repr((self.columns, self.series_ids, self.offsets, self.clock.freq)).encode())
        if self.clock.is_zoned and self.clock.tz != "UTC":
            digest.update(str(self.clock.tz).encode())
        digest.update(np.ascontiguousarray(self.times).view(np.uint8).data)
        digest.update(np.ascontiguousarray(self.values).view(np.uint8).data)
        if self.issues is not None:
            digest.update(self.issues.fingerprint().encode())
        return digest.hexdigest()
