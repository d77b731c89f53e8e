"""Panel: one or many series on a regular clock, in one float64 array."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.tseries.offsets import BaseOffset

from forecast.errors import DataError, setting

Times = NDArray[np.datetime64]
Floats = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]  # such as a network's weights, by name

# A closed exchange is no gap in the data. The longest closures of the last sixty years on the large exchanges
# (September 2001, four days) are shorter than this many business days.
LONGEST_CLOSURE = 5

# The unit of each pandas offset that a clock may have. The steps of others, such as business hours, cannot be numbered
# evenly.
_UNITS = {
    **dict.fromkeys(("ns", "us", "ms", "s"), "s"),
    **{unit: unit for unit in ("min", "h", "D", "B", "W")},
    **{
        name: name.strip("BSE")
        for name in ("MS", "ME", "BMS", "BME", "QS", "QE", "BQS", "BQE", "YS", "YE", "BYS", "BYE")
    },
}

# The most units in a step, about a century: pandas counts nanoseconds, and longer steps overflow.
_LONGEST = {"s": 3e9, "min": 5e7, "h": 876_600, "D": 36_525, "B": 26_000, "W": 5_218, "M": 1_200, "Q": 400, "Y": 100}

_UNIT_NAMES = {
    "s": ("second", "seconds"),
    "min": ("minute", "minutes"),
    "h": ("hour", "hours"),
    "D": ("day", "days"),
    "B": ("business day", "business days"),
    "W": ("week", "weeks"),
    "M": ("month", "months"),
    "Q": ("quarter", "quarters"),
    "Y": ("year", "years"),
}


@dataclass(frozen=True)
class Clock:
    """The regular step between rows, a pandas offset alias such as ``h``, ``15min``, ``B``, ``W-SAT`` or ``MS``.

    Raises:
        DataError: If the alias is not one that pandas knows, or its step is longer than a century.
    """

    freq: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "freq", normalise_freq(self.freq))

    @property
    def offset(self) -> BaseOffset:
        """The pandas offset of one step."""
        return pd.tseries.frequencies.to_offset(self.freq)

    @property
    def unit(self) -> str:
        """The unit of the step without its multiple: one of s, min, h, D, B, W, M, Q, Y."""
        return _UNITS[_base(self.offset)]

    @property
    def multiple(self) -> int:
        """Units in one step: 15 for ``15min``."""
        return int(self.offset.n)

    @property
    def step(self) -> np.timedelta64:
        """The length of one step in microseconds; the usual length of a calendar step."""
        days = {"D": 1, "W": 7, "B": 1, "M": 30, "Q": 91, "Y": 365}
        if self.unit in days:
            return np.timedelta64(days[self.unit] * self.multiple * 86_400_000_000, "us")
        return np.timedelta64(pd.Timedelta(self.freq if self.freq[0].isdigit() else f"1{self.freq}"), "us")

    def ordinals(self, times: Times) -> NDArray[np.int64]:
        """The number of each timestamp on the clock: the numbers of neighbours differ by 1.

        Args:
            times: Timestamps [T] that lie on the clock.
        """
        if self.unit == "B":
            return np.busday_count(np.datetime64("1970-01-01"), times.astype("datetime64[D]")) // self.multiple
        if self.unit in ("M", "Q", "Y"):
            months = {"M": 1, "Q": 3, "Y": 12}[self.unit] * self.multiple
            number = times.astype("datetime64[M]").astype(np.int64)
            return (number - (number[0] if len(number) else 0)) // months
        numbers = (times - times[0]).astype(np.int64) / self.step.astype(np.int64) if len(times) else np.zeros(0)
        return np.rint(numbers, out=numbers).astype(np.int64)

    def future(self, last: np.datetime64, steps: int) -> Times:
        """The next ``steps`` timestamps after ``last`` on the clock."""
        times = pd.date_range(pd.Timestamp(last), periods=steps + 1, freq=self.freq)
        after = times[times > pd.Timestamp(last)][:steps]
        if len(after) < steps:  # `last` itself was not on the clock, so the range began after it
            after = pd.date_range(after[0], periods=steps, freq=self.freq)
        return after.to_numpy().astype("datetime64[us]")

    def describe(self, steps: int = 1) -> str:
        """A number of steps in words: "24 hours", "1 month", "96 × 15 minutes"."""
        singular, plural = _UNIT_NAMES[self.unit]
        if self.multiple == 1:
            return f"{steps:,} {singular if steps == 1 else plural}"
        return f"{steps:,} × {self.multiple} {plural}" if steps > 1 else f"{self.multiple} {plural}"


def normalise_freq(freq: str) -> str:
    """The current spelling of a pandas offset alias, from an old or a new one (``H`` and ``h``, ``M`` and ``ME``).

    Raises:
        DataError: If pandas knows neither spelling, or the step is longer than a century.
    """
    old = {"H": "h", "T": "min", "S": "s", "L": "ms", "U": "us", "d": "D"}
    old |= {"M": "ME", "Q": "QE", "A": "YE", "Y": "YE", "BM": "BME", "BQ": "BQE", "BA": "BYE", "BY": "BYE"}
    old |= {"AS": "YS", "BAS": "BYS"}
    head, _, anchor = freq.strip().partition("-")
    digits = head[: len(head) - len(head.lstrip("0123456789"))]
    alias = digits + old.get(head[len(digits) :], head[len(digits) :]) + (f"-{anchor}" if anchor else "")
    try:
        offset = pd.tseries.frequencies.to_offset(alias)
    except (ValueError, OverflowError):
        offset = None
    if offset is not None and offset.n > _LONGEST[_UNITS.get(_base(offset), "s")]:
        raise DataError(
            f"A step of {freq} is longer than a century, the longest that a clock can have.",
            f"Look at the first and the last time, or name the clock: {setting('freq', 'D')}",
        )
    if offset is None or offset.n < 1 or _base(offset) not in _UNITS:
        raise DataError(
            f"{freq!r} is not a frequency.", "Use a pandas offset alias: 15min, h, D, B (business days), W, MS, QS, YS."
        )
    return str(offset.freqstr)


def _base(offset: BaseOffset) -> str:
    """The alias of an offset without multiple and anchor."""
    return offset.rule_code.split("-")[0]


@dataclass(frozen=True)
class Panel:
    """S series of T rows in all, on one clock.

    The rows of a series are adjacent and ascend in time. A missing value is NaN. A row that the clock would have and
    the panel has not is absent: it ends a stretch, and no window crosses from one stretch into the next.

    Args:
        values: Float64 [T, C].
        times: Timestamps [T], ``datetime64[us]``, ascending within a series; UTC where the time zone is known.
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
                raise DataError(
                    f"Times must ascend within a series: {times[backward[0] + 1]} follows {times[backward[0]]}."
                )

    def __repr__(self) -> str:
        series = f"{self.n_series} series, " if self.n_series > 1 else ""
        span = f"{pd.Timestamp(self.times.min())} … {pd.Timestamp(self.times.max())}, " if self.n_rows else ""
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
            raise DataError(what or f"There is no column {name!r}.", f"Columns: {', '.join(map(repr, self.columns))}.")
        return self.columns.index(name)

    def select(self, names: tuple[str, ...]) -> Panel:
        """The panel with these columns, in this order; the panel itself if these are its columns."""
        if tuple(names) == self.columns:
            return self
        picked = [self.column(name) for name in names]
        return replace(self, values=np.ascontiguousarray(self.values[:, picked]), columns=tuple(names))

    def between(self, first: np.datetime64, last: np.datetime64) -> Panel:
        """The rows from one time to another, both included; a series may be left without rows."""
        kept = (self.times >= first) & (self.times <= last)
        ends = np.concatenate([[0], np.cumsum(kept)])[list(self.offsets)]
        return replace(self, values=self.values[kept], times=self.times[kept], offsets=tuple(ends.tolist()))

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

        On a clock of business days up to ``LONGEST_CLOSURE`` absent days are a holiday, which ends no stretch.
        """
        return self._stretches

    @cached_property
    def _stretches(self) -> NDArray[np.int32]:
        starts = self.absent_before() > (LONGEST_CLOSURE if self.clock.unit == "B" else 0)
        if self.n_series == 1 and not starts.any():
            return np.broadcast_to(np.int32(0), (self.n_rows,))
        starts[np.asarray(self.offsets[:-1])] = True
        numbers = np.cumsum(starts, dtype=np.int32)
        numbers -= 1
        return numbers

    def fingerprint(self) -> str:
        """SHA-256 of names, times and values: panels with the same fingerprint train the same network."""
        digest = hashlib.sha256(repr((self.columns, self.series_ids, self.offsets, self.clock.freq)).encode())
        digest.update(np.ascontiguousarray(self.times).view(np.uint8).data)
        digest.update(np.ascontiguousarray(self.values).view(np.uint8).data)
        return digest.hexdigest()


def format_time(time: np.datetime64) -> str:
    """A timestamp without the parts that are zero: 2010-01-01, 2010-01-01 00:51."""
    return str(pd.Timestamp(time)).removesuffix(":00").removesuffix(" 00:00")
