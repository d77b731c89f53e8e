"""The rows of a table: which series each belongs to, their order, and each time once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from numpy.typing import NDArray

from forecast.config import ReadOptions
from forecast.data.panel import Floats, Times
from forecast.errors import DataError
from forecast.tables.columns import Measured
from forecast.tables.numerals import is_missing
from forecast.tables.source import show
from forecast.tables.table import Table, as_text

# Names of a column that tells series apart.
SERIES_IDS = ("unique_id", "series_id", "item_id")

# Among stacked series many rows share their time; two clashing rows are an error of one series.
_STACKED = 0.1


@dataclass(frozen=True)
class Rows:
    """Measurements by series and time.

    Args:
        times: Timestamps [R].
        series: The number of the series of each row, [R].
        values: Float64 [R, C].
    """

    times: Times
    series: NDArray[np.int64]
    values: Floats

    def take(self, rows: NDArray[np.int64]) -> Rows:
        """These rows in this order."""
        return Rows(self.times[rows], self.series[rows], self.values[rows])


@dataclass(frozen=True)
class Series:
    """Which series each row belongs to.

    Args:
        column: The column that says so; None for a single series.
        ids: S names, sorted.
        codes: The number of the series of each row, [R].
    """

    column: str | None
    ids: tuple[str, ...]
    codes: NDArray[np.int64]


def find_series(table: Table, times: Times, measured: Measured, named: str | None) -> Series:
    """The series of each row: told by a named column, or by the one text column that makes repeated times unique.

    Args:
        table: R rows.
        times: Their timestamps.
        measured: Their columns.
        named: The column to use; None infers it.

    Raises:
        DataError: If times repeat and no column, or several, tell the series apart; or an id is missing.
    """
    if named is not None:
        return by_column(table, named)
    single = single_series(len(times))
    if are_one_series(times):
        return single
    repeated = pd.Series(times).duplicated(keep=False).to_numpy()
    numeric = dict(zip(measured.names, measured.values.T, strict=True))
    frame = pd.DataFrame({"time": times} | {("t", n): as_text(table[n]).to_pylist() for n in measured.texts})
    frame = pd.concat(
        [frame, pd.DataFrame({("v", n): values for n, values in numeric.items()})],
        axis=1,
    )
    frame = frame[repeated].drop_duplicates()
    if not frame.duplicated("time").any():
        return single
    texts = tuple(measured.texts)
    telling = [name for name in measured.texts if not frame.duplicated(["time", ("t", name)]).any()]
    series = [by_column(table, name) for name in telling]
    # A code and a name of the same stations divide the rows alike: either will do.
    if series and all(_same_division(one.codes, series[0].codes) for one in series):
        return series[0]
    numbers = [n for n, v in numeric.items() if _few_integers(v) and not frame.duplicated(["time", ("v", n)]).any()]
    raise _untold(table, times, telling, texts, numbers)


def are_one_series(times: Times) -> bool:
    """Whether no more rows share their time than one series has by mistake."""
    if (times[1:] > times[:-1]).all():
        return True
    return bool(pd.Series(times).duplicated(keep=False).to_numpy().mean() <= _STACKED)


def single_series(n_rows: int) -> Series:
    """All rows as one series."""
    return Series(None, ("",), np.broadcast_to(np.int64(0), (n_rows,)))  # takes no memory


def named_series(table: Table, options: ReadOptions) -> str | None:
    """The column that tells series apart by its name, or is said to; None if there is none.

    Raises:
        DataError: If there is no column of the name that the user gave.
    """
    if options.series_id is None:
        return next((name for name in table.names if name.casefold() in SERIES_IDS), None)
    if options.series_id not in table.names:
        listed = ", ".join(map(show, table.names[:20]))
        raise DataError(f"There is no column {show(options.series_id)} for --series-id.", f"Columns: {listed}.")
    return options.series_id


def by_column(table: Table, name: str) -> Series:
    """The series as a column names them.

    Raises:
        DataError: If a name is missing.
    """
    cells = pc.dictionary_encode(as_text(table[name]))
    codes = cells.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    missing = is_missing(cells.dictionary)[codes]
    if missing.any():
        row = int(np.argmax(missing))
        raise DataError(f"{table.cell(row, name)}: the series id is empty.", table.look(row))
    stripped = [text.strip() for text in cells.dictionary.to_pylist()]
    ids = sorted(set(stripped))
    return Series(name, tuple(ids), np.searchsorted(np.array(ids, object), np.array(stripped, object))[codes])


def _same_division(one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    return len(np.unique(np.stack([one, other]), axis=1).T) == one.max() + 1 == other.max() + 1


def _few_integers(values: Floats) -> bool:
    return bool((values == np.rint(values)).all()) and len(np.unique(values)) < len(values) / 2


def _untold(table: Table, times: Times, telling: list[str], texts: tuple[str, ...], numbers: list[str]) -> DataError:
    row = int(np.flatnonzero(pd.Series(times).duplicated().to_numpy())[0])
    what = "several columns could tell" if telling else "no text column tells"
    listed = ", ".join(map(show, telling or texts)) or "none"
    choice = (telling or numbers or list(texts) or ["COLUMN"])[0]
    return DataError(
        f"{table.place(row)}: the time {pd.Timestamp(times[row])} stands more than once with other values; "
        f"{what} its series apart. Text columns: {listed}.",
        table.source.command(f"--series-id {choice!r}" if " " in choice else f"--series-id {choice}"),
    )


def in_order(table: Table, rows: Rows, ids: tuple[str, ...], names: tuple[str, ...]) -> tuple[Rows, tuple[str, ...]]:
    """Rows by series and time, each time once, and what was mended.

    Args:
        table: Where the rows came from, for messages.
        rows: R rows in the order of the table.
        ids: S names of the series.
        names: C names of the columns.

    Raises:
        DataError: If a time stands twice in a series with other values; names both rows.
    """
    if _ascend(rows):
        return rows, ()
    warnings: list[str] = []
    steps = np.diff(rows.times).astype(np.int64)[np.diff(rows.series) == 0]
    backward = int((steps < 0).sum())
    if backward and (steps > 0).any():
        warnings.append(f"{backward:,} row(s) stand before an earlier one; the rows are sorted by time.")
    order = np.lexsort((rows.times, rows.series))
    if (np.diff(order) != 1).any():
        rows = rows.take(order)
    double = np.flatnonzero((np.diff(rows.series) == 0) & (np.diff(rows.times).astype(np.int64) == 0)) + 1
    if not len(double):
        return rows, tuple(warnings)
    before, after = rows.values[double - 1], rows.values[double]
    differ = ~((before == after) | (np.isnan(before) & np.isnan(after)))
    if differ.any():
        which, column = map(int, np.argwhere(differ)[0])
        at = int(double[which])
        one, other = sorted((int(order[at - 1]), int(order[at])))
        of_series = f" of series {show(ids[rows.series[at]])}" if len(ids) > 1 else ""
        raise DataError(
            f"{table.place(other)}: the time {pd.Timestamp(rows.times[at])}{of_series} stood before "
            f"({table.place(one)}) with another {show(names[column])}: "
            f"{before[which, column]:g} and {after[which, column]:g}.",
            _hint_double(table, rows.times[double]),
        )
    warnings.append(f"{len(double):,} identical row(s) are left out.")
    return rows.take(np.setdiff1d(np.arange(len(rows.times)), double)), tuple(warnings)


def _ascend(rows: Rows) -> bool:
    """Whether rows stand by series and time, each time once."""
    before, after = rows.series[:-1], rows.series[1:]
    return bool(((after > before) | ((after == before) & (rows.times[1:] > rows.times[:-1]))).all())


def _hint_double(table: Table, times: Times) -> str:
    """What to do about times that stand twice: in autumn one hour does, when clocks go back."""
    days = times.astype("datetime64[D]").astype(np.int64)
    hours = (times - times.astype("datetime64[D]")).astype("timedelta64[h]").astype(np.int64)
    months = times.astype("datetime64[M]").astype(np.int64) % 12 + 1
    sunday = (days + 3) % 7 == 6
    if (sunday & (hours <= 3) & np.isin(months, (3, 4, 9, 10, 11))).all() and hours.any():
        return (
            table.source.command("--tz Europe/Berlin") + " (the hour that autumn repeats; name the zone of this clock)"
        )
    return table.source.command("--series-id COLUMN") + " if these are several series, or --resample D for their mean"
