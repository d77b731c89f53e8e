"""From a table to a Panel: its series, the order of its rows, its clock. What is inferred is noted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from forecast.config import ReadOptions
from forecast.data.panel import Floats, Panel
from forecast.errors import DataError, MachineError, Sentence, quote, setting
from forecast.sources import quality
from forecast.sources.categories import read_categories
from forecast.sources.missing import mask_named, mask_spikes
from forecast.sources.onto_clock import Observations, in_order, on_clock
from forecast.tables.bytes import content_of, find_input
from forecast.tables.columns import SERIES_IDS, Measurements
from forecast.tables.explain import look_at_row
from forecast.tables.input import Dialect, Input
from forecast.tables.notation import is_missing
from forecast.tables.reading import Columns, read_columns
from forecast.tables.table import Table
from forecast.tables.timeparts import names_a_part
from forecast.tables.zones import in_zone

# Names of the column that people mean whatever stands beside it, the likeliest first. A temperature is as often an
# input as it is forecast, and so is a price, unless it is the closing one of a market's day.
_TARGETS = ("y", "target", "value", "close", "adj close", "adj_close")
_MARKET_DAY = {"open", "high", "low"}

# Among stacked series many rows share their time; two clashing rows are an error of one series.
_STACKED = 0.1

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class _Series:
    """Which series each row belongs to.

    Args:
        column: The column that says so; None for a single series.
        ids: S names, sorted.
        codes: The number of the series of each row, [R].
    """

    column: str | None
    ids: tuple[str, ...]
    codes: Ints


def read_panel(source: str | Path | pd.DataFrame, options: ReadOptions | None = None) -> Panel:
    """Every usable numeric column of a table, on a regular clock.

    Args:
        source: Path of a CSV (plain, gzip, zip) or Parquet file, ``-`` for standard input, or a DataFrame.
        options: What is not to be inferred.

    Returns:
        The rows by series and time, with what was inferred as notes and what was mended as warnings.

    Raises:
        DataError: If the table is unreadable, ambiguous or irregular; names file, line, column and value.
        MachineError: If the disk fails while reading.
    """
    options = options or ReadOptions()
    frame = source if isinstance(source, pd.DataFrame) else None
    found = Input("the table") if frame is not None else find_input(str(source))
    given = options.model_dump(exclude_defaults=True, exclude={"notation"})
    try:
        return _read(replace(found, given=given), frame, options)
    except DataError as error:
        error.keep_advice(partial(_leads_on, error, found, frame, options), "Correct it in its source, then try again.")
        raise


def _leads_on(
    error: DataError, found: Input, frame: pd.DataFrame | None, options: ReadOptions, attempt: Mapping[str, Any]
) -> bool:
    """Whether what an advice proposes leads to a panel, or to another complaint than the one that it is for."""
    try:
        if "options" in attempt:
            options = ReadOptions(**{**options.model_dump(), **attempt["options"]})
        else:
            text, n_replaced = re.subn(attempt["pattern"], lambda _: attempt["by"], content_of(found).decode())
            found = replace(found, content=text.encode())
            if not n_replaced:
                return False
        _read(replace(found, given={}), frame, options)
    except DataError as other:
        return other.message != error.message and not other.message.startswith("There is no column")
    except (ValueError, MachineError):  # a value that no option takes, text of another encoding
        return False
    return True


def _read(found: Input, frame: pd.DataFrame | None, options: ReadOptions) -> Panel:
    """The panel of a file or of a DataFrame."""
    columns = read_columns(found, frame, dialect_of(options))
    table, time, measured = columns.table, columns.time, columns.measured
    series = _find_series(columns)
    zoned = in_zone(time, series.codes, options.tz, table.source)
    texts = {
        name: cells
        for name, cells in measured.texts.items()
        if name in measured.not_numeric
        and name != series.column
        and not any(other.startswith(f"{name}=") for other in measured.names)  # a table that has its own
    }
    categories = read_categories(texts, series.codes, {notation.column: notation for notation in options.notation})
    measured = replace(
        measured,
        names=measured.names + categories.names,
        values=np.hstack([measured.values, categories.values]) if categories.names else measured.values,
    )
    rows = Observations(zoned.times, series.codes, measured.values)
    if (lost := np.isnat(zoned.times)).any():
        kept = np.flatnonzero(~lost)
        lines = None if table.lines is None else np.asarray(table.lines)[kept]
        rows, table = rows.take(kept), replace(table, lines=lines)
    notes = [*table.notes, *time.notes, *zoned.notes, *measured.notes]
    if series.column:
        listed = ", ".join(map(quote, series.ids[:5])) + " …" * (len(series.ids) > 5)
        notes.append(f"{len(series.ids):,} series by {quote(series.column)}: {listed}.")
    notes += categories.notes
    read_as_words = {notation.column for notation in categories.notation}
    if unread := [name for name in measured.not_numeric if name != series.column and name not in read_as_words]:
        notes.append(f"Not numeric and left out: {', '.join(map(quote, unread))}.")
    warnings = [*table.warnings, *time.warnings, *zoned.warnings, *categories.warnings]
    if options.resample is None:
        tz = None if zoned.whole_days else zoned.tz
        rows, mended = in_order(table, rows, series.ids, measured.names, options.duplicates, tz)
        warnings += mended
    else:
        rows = rows.take(np.lexsort((rows.times, rows.series)))
    names, values, mended = _cleaned(table, measured.names, rows, options)
    warnings += mended
    placed = on_clock(table, replace(rows, values=values), names, options, zoned.tz, zoned.whole_days)
    rows, warnings = placed.rows, [*warnings, *placed.warnings]
    left_out = dict.fromkeys(time.used, "It holds the time.") | measured.not_numeric | measured.left_out
    left_out |= categories.left_out
    left_out |= {name: "Every value is missing." for name in measured.names if name not in names}
    of_two_values = {n.column for n in measured.notation if n.truth}.union(categories.names)
    panel = Panel(
        values=np.ascontiguousarray(rows.values),
        times=rows.times,
        columns=names,
        clock=placed.clock,
        series_ids=series.ids,
        offsets=tuple(np.searchsorted(rows.series, np.arange(len(series.ids) + 1)).tolist()),
        name=table.source.name,
        units={n.column: n.unit for n in measured.notation if n.unit and n.column in names} | _units(names),
        default_target=_default_target(tuple(name for name in names if name not in of_two_values)),
        notes=(*notes, *placed.notes),
        left_out=left_out,
        read_options={
            "notation": measured.notation + categories.notation,
            **({"series_id": series.column} if series.column and series.column.casefold() not in SERIES_IDS else {}),
            **({"date_format": time.date_format} if time.date_format else {}),
            **placed.read_options,
        },
    )
    pa.default_memory_pool().release_unused()  # else Arrow keeps the memory for tables that may never come
    return replace(panel, warnings=(*warnings, *quality.panel_warnings(panel, options)))


def dialect_of(options: ReadOptions) -> Dialect:
    """The part of the options that tells how a table is written."""
    return Dialect(**{field.name: getattr(options, field.name) for field in fields(Dialect)})


def _find_series(columns: Columns) -> _Series:
    """The series of each row: from a named column, or from the one text column that makes repeated times unique.

    Raises:
        DataError: If times repeat and no column, or several, tell the series apart; or an id is missing.
    """
    table, measured, times = columns.table, columns.measured, columns.time.times
    if columns.series_id is not None:
        return _series_by(table, measured, columns.series_id)
    single = _Series(None, ("",), np.broadcast_to(np.int64(0), (len(times),)))  # takes no memory
    if (times[1:] > times[:-1]).all():
        return single
    repeated = pd.Series(times).duplicated(keep=False).to_numpy()
    if repeated.mean() <= _STACKED:
        return single
    numeric = dict(zip(measured.names, measured.values.T, strict=True))
    frame = pd.DataFrame({"time": times} | {("t", name): cells.to_pandas() for name, cells in measured.texts.items()})
    frame = pd.concat([frame, pd.DataFrame({("v", name): values for name, values in numeric.items()})], axis=1)
    frame = frame[repeated].drop_duplicates()
    if not frame.duplicated("time").any():
        return single

    def distinguishes(kind: str, name: str) -> bool:
        return not frame.duplicated(["time", (kind, name)]).any()

    candidates = [name for name in measured.texts if not names_a_part(name) and distinguishes("t", name)]
    series = [_series_by(table, measured, name) for name in candidates]
    # A code and a name of the same stations divide the rows alike: either will do.
    if series and all(_same_division(other.codes, series[0].codes) for other in series):
        return series[0]
    numbers = [
        name
        for name, values in numeric.items()
        if _few_integers(values) and not names_a_part(name) and distinguishes("v", name)
    ]
    what = "several columns could tell" if candidates else "no text column tells"
    texts = [name for name in measured.texts if not names_a_part(name)]
    row = int(np.flatnonzero(pd.Series(times).duplicated().to_numpy())[0])
    raise DataError(
        f"{table.row(row)}: the time {pd.Timestamp(times[row])} appears more than once with different values; "
        f"{what} its series apart. Text columns: {', '.join(map(quote, candidates or texts)) or 'none'}.",
        table.source.retry(series_id=(candidates or numbers or texts or ["COLUMN"])[0]),
    )


def _series_by(table: Table, measured: Measurements, name: str) -> _Series:
    """The series as a column names them; a missing name is refused."""
    cells = measured.texts[name]
    codes = cells.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    missing = is_missing(cells.dictionary)[codes]
    if missing.any():
        row = int(np.argmax(missing))
        raise DataError(f"{table.cell(row, name)}: the series id is empty.", look_at_row(table, row))
    stripped = [text.strip() for text in cells.dictionary.to_pylist()]
    ids = sorted(set(stripped))
    return _Series(name, tuple(ids), np.searchsorted(np.array(ids, object), np.array(stripped, object))[codes])


def _same_division(first: Ints, second: Ints) -> bool:
    return len(np.unique(np.stack([first, second]), axis=1).T) == first.max() + 1 == second.max() + 1


def _few_integers(values: Floats) -> bool:
    return bool((values == np.rint(values)).all()) and len(np.unique(values)) < len(values) / 2


def _cleaned(
    table: Table, names: tuple[str, ...], rows: Observations, options: ReadOptions
) -> tuple[tuple[str, ...], Floats, list[str]]:
    """The columns that hold a value, what is taken as missing turned into NaN in place, and what was mended."""
    values = rows.values
    warnings = mask_named(names, values, options.missing)
    if not options.keep_sentinels:
        for position, name in enumerate(names):
            for sentinel, count in quality.mask_sentinels(values[:, position]):
                what = f"{quote(name)}: {count:,} value(s) {sentinel:g} are read as missing"
                warnings.append(Sentence(f"{what} ({setting('keep_sentinels', True)} keeps them)."))
    if options.spikes == "missing":
        warnings += mask_spikes(names, values, np.searchsorted(rows.series, rows.series))
    empty = np.isnan(values).all(axis=0)
    if empty.all():
        raise DataError(
            f"{table.source.label}: every value of {', '.join(map(quote, names[:5]))} is missing.",
            "Give a column with values; empty, NA, null, ? and - mean missing.",
        )
    if empty.any():
        listed = ", ".join(quote(names[i]) for i in np.flatnonzero(empty))
        warnings.append(f"Left out, as every value is missing: {listed}.")
        values = values[:, ~empty]
    return tuple(names[i] for i in np.flatnonzero(~empty)), values, warnings


def _units(names: tuple[str, ...]) -> dict[str, str]:
    """Measurement units from names such as ``T (degC)`` or ``wind [m/s]``."""
    matches = {name: re.search(r"[(\[]([^()\[\]]{1,20})[)\]]$", name) for name in names}
    return {name: match[1].strip() for name, match in matches.items() if match}


def _default_target(names: tuple[str, ...]) -> str | None:
    if len(names) == 1:
        return names[0]
    folded = {name.casefold(): name for name in reversed(names)}
    names_of_target = (*_TARGETS, "price") if folded.keys() >= _MARKET_DAY else _TARGETS
    return next((folded[target] for target in names_of_target if target in folded), None)
