"""The series of a table: which rows belong together, by a column or several that name them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from forecast.config import ReadOptions
from forecast.data.clock import Times
from forecast.errors import DataError, listed, quote, setting
from forecast.tables.columns import Measurements
from forecast.tables.explain import look_at_row
from forecast.tables.reading import Columns
from forecast.tables.table import Floats, Table
from forecast.tables.timeparts import names_a_part

# Among stacked series many rows share their time; two clashing rows are an error of one series.
_STACKED = 0.1

# Series fill most of the grid of series and times; numbers that were measured, taken for names, fill little of it.
_FILLED = 0.5

# Columns that are tried as names of series, how many together, and on about how many rows and at least how many times.
_MOST_KEYS, _MOST_TOGETHER, _ROWS, _FEWEST_TIMES = 10, 3, 100_000, 30

# Series that tick at different minutes come in turns: at least every second row is of another series than that before,
# and within the series three of four steps are alike, to a twentieth. Longer steps than a day are those of weekdays.
_IN_TURNS, _REGULAR, _ALIKE, _LONGEST = 0.5, 0.75, 0.05, np.timedelta64(1, "D")

# If so many steps from any row to the next are alike, the rows are one series, whatever word stands beside them …
_ONE_CLOCK = 0.9

# … unless the column's name says what it tells apart.
_NAMES_SERIES = re.compile(
    r"(.*[_ .-])?(station|stn|site|sensor|meter|device|logger|location|plant|store|symbol|ticker|icao|series)"
    r"([_ .-]?(id|name|no|nr|number|code))?|id",
    re.I,
)

# Names of series that a note lists.
_MOST_LISTED = 5

# The column of the time in a frame whose other columns have names of the table.
_TIME = 0

Ints = NDArray[np.signedinteger]


@dataclass(frozen=True)
class Series:
    """Which series each row belongs to.

    Args:
        column: The column that says so; None for a single series.
        ids: S names, sorted.
        codes: The number of the series of each row, [R].
        perhaps: A column that may name them, too: its words come in turns, each on a clock of its own.
    """

    column: str | None
    ids: tuple[str, ...]
    codes: Ints
    perhaps: str | None = None


def find_series(columns: Columns, options: ReadOptions) -> Series:
    """The series of each row: from a named column, or from the one text column that tells them apart.

    It makes repeated times unique, or is called as one of stations and the like, whose rows come in turns.

    Raises:
        DataError: If times repeat and no column, or several, tell the series apart; if numbers name stations whose rows
            come in turns; or if an id is missing.
    """
    table, measured, times = columns.table, columns.measured, columns.time.times
    if columns.series_id is not None:
        series = _series_by(table, measured, columns.series_id)
        if options.duplicates is None and options.resample is None:
            _refuse_stacked(columns, series)
        return series
    single = Series(None, ("",), np.broadcast_to(np.int64(0), (len(times),)))  # takes no memory
    if (times[1:] > times[:-1]).all():
        return _in_turns(columns, single, options)
    repeated = pd.Series(times).duplicated(keep=False).to_numpy()
    if repeated.mean() <= _STACKED:
        return _in_turns(columns, single, options)
    frame = _distinct(columns, repeated)
    if not frame.duplicated(_TIME).any():
        return single
    texts = [name for name in measured.texts if not names_a_part(name)]
    candidates = [name for name in texts if not frame.duplicated([_TIME, name]).any()]
    series_by = [_series_by(table, measured, name) for name in candidates]
    # A code and a name of the same stations divide the rows alike: either will do.
    if series_by and all(_same_division(other.codes, series_by[0].codes) for other in series_by):
        return series_by[0]
    what = "several columns could tell" if candidates else "no text column tells"
    row = int(np.flatnonzero(pd.Series(times).duplicated().to_numpy())[0])
    raise DataError(
        f"{table.row(row)}: the time {pd.Timestamp(times[row])} appears more than once with different values; "
        f"{what} its series apart. Text columns: {', '.join(map(quote, candidates or texts)) or 'none'}.",
        _advice(columns, frame),
    )


def series_of_columns(columns: Columns) -> tuple[Columns, Series]:
    """The columns of a wide table below one another, each from its first value to its last: a series for each.

    Raises:
        DataError: If none holds a value.
    """
    table, time, measured = columns.table, columns.time, columns.measured
    there = ~np.isnan(measured.values)
    kept = np.flatnonzero(there.any(axis=0))
    names = tuple(measured.names[column] for column in kept)
    if not names:
        raise DataError(f"{table.source.label}: every value is missing.", "Give a column with values.")
    spans = [slice(int(there[:, c].argmax()), len(there) - int(there[::-1, c].argmax())) for c in kept]
    rows = np.concatenate([np.arange(span.start, span.stop) for span in spans])
    values = np.concatenate([measured.values[span, column] for span, column in zip(spans, kept, strict=True)])
    notes = (*table.notes, f"Each column is a series: {listed([*map(quote, names)], _MOST_LISTED)}.")
    left_out = dict.fromkeys(set(measured.names) - set(names), "Every value is missing.")
    warnings = table.warnings
    if left_out:
        warnings += (f"Left out, as every value is missing: {listed([*map(quote, sorted(left_out))], _MOST_LISTED)}.",)
    lines = None if table.lines is None else np.asarray(table.lines)[rows]
    elapsed = None if time.elapsed is None else time.elapsed[rows]
    long = replace(
        columns,
        table=replace(table, lines=lines, notes=notes, warnings=warnings),
        time=replace(time, times=time.times[rows], elapsed=elapsed),
        measured=replace(
            measured, names=("value",), values=values[:, None], texts={}, left_out=measured.left_out | left_out
        ),
    )
    return long, Series(None, names, np.repeat(np.arange(len(names)), [span.stop - span.start for span in spans]))


def _in_turns(columns: Columns, single: Series, options: ReadOptions) -> Series:
    """The series whose rows come in turns, such as those of stations at :51 and :53; a single one if there are none.

    Words that a run was trained to read as columns of 0 and 1 name no series in its new rows.

    Raises:
        DataError: If a column of numbers is called as one that names them: it may as well be measured.
    """
    table, measured, times = columns.table, columns.measured, columns.time.times
    are_words = {notation.column for notation in options.notation if notation.words}
    texts = {name: cells for name, cells in measured.texts.items() if name not in are_words and not names_a_part(name)}
    numbers = {
        name: values
        for name, values in zip(measured.names, measured.values.T, strict=True)
        if _NAMES_SERIES.fullmatch(name) and _few_integers(values)
    }
    if not texts and not numbers:
        return single
    order = np.argsort(times, kind="stable")
    order = order[~np.isnat(times[order])]
    times = times[order]
    one_clock = _share_alike(np.diff(times)) >= _ONE_CLOCK
    perhaps = None
    for name, cells in texts.items():
        is_named = _NAMES_SERIES.fullmatch(name) is not None
        if (is_named or not one_clock) and _come_in_turns(times, cells.indices.to_numpy(zero_copy_only=False)[order]):
            if is_named:
                return _series_by(table, measured, name)
            perhaps = perhaps or name
    for name, values in numbers.items():
        if _come_in_turns(times, np.unique(values, return_inverse=True)[1][order]):
            raise DataError(
                f"{table.source.label}: the rows of each number in {quote(name)} lie on a clock of their own, as those "
                "of several series do.",
                table.source.retry(series_id=name),
            )
    return replace(single, perhaps=perhaps)


def _come_in_turns(times: Times, codes: NDArray[np.integer]) -> bool:
    """Whether rows with codes [R], ascending in time, come in turns, those of each code on one regular clock."""
    if not len(times) or (codes[1:] != codes[:-1]).mean() < _IN_TURNS:
        return False
    by_code = np.argsort(codes, kind="stable")
    steps = np.diff(times[by_code])[np.diff(codes[by_code]) == 0]
    # Words that hardly come back name rows.
    return 2 * len(steps) > len(times) and np.median(steps) <= _LONGEST and _share_alike(steps) >= _REGULAR


def _share_alike(steps: NDArray[np.timedelta64]) -> float:
    """How many of all steps are like their median."""
    if not len(steps):
        return 1.0
    usual = np.median(steps)
    return float((np.abs(steps - usual) <= _ALIKE * usual).mean())


def _refuse_stacked(columns: Columns, series: Series) -> None:
    """Refuse series whose times repeat so often that each of them must be several, if further columns tell them."""
    table, times, codes = columns.table, columns.time.times, series.codes
    if ((codes[1:] > codes[:-1]) | ((codes[1:] == codes[:-1]) & (times[1:] > times[:-1]))).all():
        return
    places = pd.DataFrame({"time": times, "series": codes})
    repeated = places.duplicated(keep=False).to_numpy()
    if repeated.mean() <= _STACKED:
        return
    frame = _distinct(columns, repeated)
    given = str(series.column)
    if frame.duplicated([_TIME, given]).any() and (keys := _keys(columns, frame, (given,))):
        row = int(np.flatnonzero(places.duplicated().to_numpy())[0])
        raise DataError(
            f"{table.row(row)}: the time {pd.Timestamp(times[row])} appears more than once in series "
            f"{quote(series.ids[codes[row]])} with different values: {quote(given)} alone does not tell the "
            "series apart.",
            table.source.retry(series_id=",".join(keys)),
        )


def _distinct(columns: Columns, chosen: NDArray[np.bool_]) -> pd.DataFrame:
    """The chosen rows, each once: their times, numbers for their texts, and measurements."""
    measured = columns.measured
    texts = {name: cells.indices.to_numpy(zero_copy_only=False)[chosen] for name, cells in measured.texts.items()}
    numbers = {name: values[chosen] for name, values in zip(measured.names, measured.values.T, strict=True)}
    return pd.DataFrame({_TIME: columns.time.times[chosen]} | numbers | texts).drop_duplicates()


def _keys(columns: Columns, frame: pd.DataFrame, given: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The fewest columns, together with those given, that divide the rows into few series with unique times.

    Args:
        columns: The table, for the order of its names.
        frame: Rows of repeated times: their times, texts and measurements.
        given: Columns that are among them.

    Returns:
        None of them where no columns do.
    """
    if len(frame) > _ROWS:
        times = np.sort(frame[_TIME].unique())
        last = min(len(times), max(_FEWEST_TIMES, len(times) * _ROWS // len(frame))) - 1
        frame = frame[frame[_TIME] <= times[last]]
    n_times = frame[_TIME].nunique()
    texts = [name for name in columns.measured.texts if name not in given]
    numbers = [name for name in columns.measured.names if _few_integers(frame[name].to_numpy())]
    names = [name for name in (*texts, *numbers) if not names_a_part(name) and frame[name].nunique() > 1][:_MOST_KEYS]
    order = [*given, *columns.table.names]
    for n_further in range(1, _MOST_TOGETHER + 1 - len(given)):
        for further in combinations(names, n_further):
            keys = sorted((*given, *further), key=order.index)
            n_series = len(frame.drop_duplicates(keys))
            if n_series * n_times * _FILLED <= len(frame) and not frame.duplicated([_TIME, *keys]).any():
                return tuple(keys)
    return ()


def _advice(columns: Columns, frame: pd.DataFrame) -> str:
    if keys := _keys(columns, frame):
        return columns.table.source.retry(series_id=",".join(keys))
    return f"Add a column that names the series of each row, or name the one that does with {setting('series_id')}."


def _series_by(table: Table, measured: Measurements, name: str) -> Series:
    """The series as a column names them; a missing name is refused."""
    cells = measured.texts[name]
    codes = cells.indices.to_numpy(zero_copy_only=False)
    stripped = [text.strip() for text in cells.dictionary.to_pylist()]
    missing = np.array([not text for text in stripped])[codes]  # NA is Namibia, and Nan a name
    if missing.any():
        row = int(np.argmax(missing))
        raise DataError(f"{table.cell(row, name)}: the series id is empty.", look_at_row(table, row))
    ids = sorted(set(stripped))
    numbers = np.searchsorted(np.array(ids, object), np.array(stripped, object)).astype(np.int32)  # half the memory
    return Series(name, tuple(ids), numbers[codes])


def _same_division(first: Ints, second: Ints) -> bool:
    return len(np.unique(np.stack([first, second]), axis=1).T) == first.max() + 1 == second.max() + 1


def _few_integers(values: Floats) -> bool:
    return bool((values == np.rint(values)).all()) and len(np.unique(values)) < len(values) / 2
