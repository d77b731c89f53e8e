"""From a table to a Panel: its series, the order of its rows, its clock. What is inferred is noted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from forecast.config import FOUND, ReadOptions
from forecast.data.clock import STEP, Times
from forecast.data.codes import are_codes, codes_of, find_codes, may_hold_codes, with_codes, without_codes
from forecast.data.panel import Floats, Panel, Text
from forecast.data.words import with_words
from forecast.errors import ConfigError, DataError, MachineError, Sentence, quote, setting
from forecast.sources import quality
from forecast.sources.categories import read_categories
from forecast.sources.formulas import with_derived
from forecast.sources.missing import mask_named, mask_spikes
from forecast.sources.onto_clock import Observations, in_order, on_clock
from forecast.sources.series import find_series, series_of_columns
from forecast.tables.bytes import content_of, find_input
from forecast.tables.columns import SERIES_IDS
from forecast.tables.folders import find_files, read_files
from forecast.tables.input import Dialect, Input
from forecast.tables.reading import read_columns
from forecast.tables.spelling import no_column
from forecast.tables.table import Table
from forecast.tables.zones import in_zone

# Names of the column that people mean whatever stands beside it, the likeliest first. A temperature is as often an
# input as it is forecast, and so is a price, unless it is the closing one of a market's day.
_TARGETS = ("y", "target", "value", "close", "adj close", "adj_close")
_MARKET_DAY = {"open", "high", "low"}

# Other values [R, C] for those of rows at these times [R].
Alter = Callable[[Times, Floats], Floats]

# Complaints that an advice must not lead to: it took away what was to be forecast.
_LEFT_NOTHING = "^There is no column|has no numeric column|no column is left"


def read_panel(
    source: str | Path | pd.DataFrame,
    options: ReadOptions | None = None,
    alter: Alter | None = None,
    found: Input | None = None,
) -> Panel:
    """Every usable numeric column of a table, on a regular clock.

    Args:
        source: Path of a CSV (plain, gzip, zip) or Parquet file, of a folder of them, or a pattern such as
            ``stations/*.csv``; ``-`` for standard input; or a DataFrame.
        options: What is not to be inferred.
        alter: Changes the values before anything is told by them, as an audit does.
        found: What messages call a DataFrame, and how it is read again.

    Returns:
        The rows by series and time, with what was inferred as notes and what was mended as warnings.

    Raises:
        DataError: If the table is unreadable, ambiguous or irregular; names file, line, column and value.
        MachineError: If the disk fails while reading.
    """
    options = options or ReadOptions()
    frame = source if isinstance(source, pd.DataFrame) else None
    if frame is None:
        found = find_files(str(source)) or find_input(str(source))
    found = found or Input("the table")
    given = options.model_dump(exclude_defaults=True, exclude={*FOUND})
    try:
        return _read(replace(found, given=given), frame, options, alter)
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
            if found.files:  # which of them it is for, the advice does not say
                return False
            text, n_replaced = re.subn(attempt["pattern"], lambda _: attempt["by"], content_of(found).decode())
            found = replace(found, content=text.encode())
            if not n_replaced:
                return False
        _read(replace(found, given={}), frame, options)
    except DataError as other:
        return other.message != error.message and not re.search(_LEFT_NOTHING, other.message)
    except (ConfigError, ValueError, MachineError):  # a value that no option takes, text of another encoding
        return False
    return True


def _read(found: Input, frame: pd.DataFrame | None, options: ReadOptions, alter: Alter | None = None) -> Panel:
    """The panel of a file or of a DataFrame."""
    panel = with_derived(_read_as_it_is(found, frame, options, alter), options.derived)
    mended = panel.warnings
    panel = without_codes(panel) if options.codes is None else with_codes(panel, options.codes)
    panel = replace(panel, warnings=(*mended, *quality.panel_warnings(panel, options)))
    return with_words(panel, options.notation)


def _read_as_it_is(found: Input, frame: pd.DataFrame | None, options: ReadOptions, alter: Alter | None) -> Panel:
    """The panel before all of its rows tell what is a code, and what is odd in it."""
    dialect = dialect_of(options)
    columns = read_files(found, dialect) if found.files else read_columns(found, frame, dialect)
    if options.series_id not in (None, columns.series_id) and options.codes is None:  # else it is a run that knows it
        raise no_column(str(options.series_id), setting("series_id"), columns.table.names)
    pa.default_memory_pool().release_unused()  # else Arrow keeps the memory for tables that may never come
    if options.wide and columns.series_id is None:
        columns, series = series_of_columns(columns)
    else:
        series = find_series(columns, options)
    table, time, measured = columns.table, columns.time, columns.measured
    zoned = in_zone(time, series.codes, options.tz, table.source)
    texts = {
        name: cells
        for name, cells in measured.texts.items()
        if name in measured.not_numeric
        and name != series.column
        and not any(other.startswith(f"{name}=") for other in measured.names)  # a table that has its own
    }
    known = {notation.column: notation for notation in options.notation}
    averaged = options.resample is not None or options.duplicates == "mean"
    categories = read_categories(texts, series.codes, known, averaged)
    measured = replace(
        measured,
        names=measured.names + categories.names,
        values=np.hstack([measured.values, categories.values]) if categories.names else measured.values,
    )
    rows = Observations(zoned.times, series.codes, measured.values, categories.codes)
    if (lost := np.isnat(zoned.times)).any():
        kept = np.flatnonzero(~lost)
        lines = None if table.lines is None else np.asarray(table.lines)[kept]
        rows, table = rows.take(kept), replace(table, lines=lines)
    if alter is not None:
        rows = replace(rows, values=alter(rows.times, rows.values))
    notes = [*table.notes, *time.notes, *zoned.notes, *measured.notes]
    if series.column:
        named = ", ".join(map(quote, series.ids[:5])) + " …" * (len(series.ids) > 5)
        notes.append(f"{len(series.ids):,} series by {quote(series.column)}: {named}.")
    notes += categories.notes
    read_as_words = {notation.column for notation in categories.notation}
    if categories.learnable:
        named = ", ".join(f"{quote(name)} ({what})" for name, what in categories.learnable.items())
        notes.append(f"Columns of words, learned as embeddings where they are named: {named}.")
    unread = [
        name for name in measured.not_numeric if name not in {series.column, *read_as_words, *categories.learnable}
    ]
    if unread:
        notes.append(f"Not numeric and left out: {', '.join(map(quote, unread))}.")
    warnings = [*table.warnings, *time.warnings, *zoned.warnings, *categories.warnings]
    # No code of a missing value goes into a mean.
    is_averaged = options.resample is not None or options.duplicates == "mean"
    tz = None if zoned.whole_days else zoned.tz
    if is_averaged:
        rows = rows.take(np.lexsort((rows.times, rows.series)))
    else:
        rows, mended = in_order(table, rows, series.ids, measured.names, options.duplicates, tz)
        warnings += mended
    names, values, coded, mended = _cleaned(table, measured.names, rows, options, is_averaged)
    warnings += mended
    rows = replace(rows, values=values, coded=coded)
    if is_averaged and options.resample is None:
        rows, mended = in_order(table, rows, series.ids, names, options.duplicates, tz)
        warnings += mended
    counted = time.form == STEP and options.freq is None
    if counted:
        options = options.model_copy(update={"freq": STEP})
    try:
        placed = on_clock(table, rows, series.ids, names, options, zoned.tz, zoned.whole_days)
    except DataError as error:
        if series.perhaps is None:
            raise
        what = f"{error.args[0]}\nThe rows of each word in {quote(series.perhaps)} lie on a clock of their own."
        raise DataError(what, f"{table.source.retry(series_id=series.perhaps)}\n{error.args[1]}") from None
    rows, warnings = placed.rows, [*warnings, *placed.warnings]
    if series.perhaps is not None:
        by_word = setting("series_id", series.perhaps)
        what = (
            f"The rows of each word in {quote(series.perhaps)} lie on a clock of their own, and are read as one series"
        )
        warnings.append(Sentence(f"{what} ({by_word} reads them as several)."))
    # A wide table that was turned by itself is so again.
    is_named = series.column and series.column.casefold() not in SERIES_IDS and not options.wide
    left_out = dict.fromkeys(time.used, "It holds the time.") | measured.not_numeric | measured.left_out
    left_out |= categories.left_out
    left_out |= {name: "Every value is missing." for name in measured.names if name not in names}
    of_two_values = {n.column for n in measured.notation if n.truth}.union(categories.names)
    return Panel(
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
            **({"series_id": series.column} if is_named else {}),
            **({"date_format": time.date_format} if time.date_format else {}),
            **({"freq": STEP} if counted else {}),
            **placed.read_options,
        },
        texts={
            name: Text(words, codes)
            for (name, words), codes in zip(categories.texts.items(), np.ascontiguousarray(rows.words.T), strict=True)
        },
        coded=rows.coded,
        warnings=tuple(warnings),
    )


def dialect_of(options: ReadOptions) -> Dialect:
    """The part of the options that tells how a table is written."""
    return Dialect(**{field.name: getattr(options, field.name) for field in fields(Dialect)})


def _cleaned(
    table: Table, names: tuple[str, ...], rows: Observations, options: ReadOptions, is_averaged: bool
) -> tuple[tuple[str, ...], Floats, dict[str, Floats], list[str]]:
    """The columns that hold a value, what is taken as missing turned into NaN in place, and what was mended.

    Beside them, as they are without that, the columns in which the training rows have yet to tell what is a code.
    """
    values = rows.values
    warnings = mask_named(names, values, options.missing)
    coded: dict[str, Floats] = {}
    if not options.keep_sentinels:
        perhaps = [position for position in range(len(names)) if may_hold_codes(values[:, position])]
        ascend = not perhaps or bool((rows.times[1:] >= rows.times[:-1]).all())
        order = None if ascend else np.argsort(rows.times, kind="stable")
        for position in perhaps:
            name, column = names[position], values[:, position]
            flags = told = are_codes(column, order)
            # Of means, and beside spikes, rows before them are all that tells.
            if not is_averaged and options.spikes == "keep":
                coded[name] = column.copy()
                codes = find_codes(column) if options.codes is None else codes_of(name, options.codes)
                told = flags | np.isin(column, codes)
            for code, count in zip(*np.unique(column[told], return_counts=True), strict=True):
                what = f"{quote(name)}: {count:,} value(s) {code:g} are read as missing"
                warnings.append(Sentence(f"{what} ({setting('keep_sentinels', True)} keeps them)."))
            column[flags] = np.nan
    if options.spikes == "missing":
        warnings += mask_spikes(names, values, np.flatnonzero(np.diff(rows.series, prepend=-1)))
    empty = np.isnan(values).all(axis=0)
    if empty.all():
        raise DataError(
            f"{table.source.label}: every value of {', '.join(map(quote, names[:5]))} is missing.",
            "Give a column with values; empty, NA, null, ? and - mean missing.",
        )
    if empty.any():
        named = ", ".join(quote(names[i]) for i in np.flatnonzero(empty))
        warnings.append(f"Left out, as every value is missing: {named}.")
        values = values[:, ~empty]
    return tuple(names[i] for i in np.flatnonzero(~empty)), values, coded, warnings


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
