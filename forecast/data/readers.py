"""CSV, Parquet, standard input or a DataFrame -> Panel. What is inferred is noted, what is ambiguous is refused."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from forecast.config import ReadOptions
from forecast.data import cadence, quality
from forecast.data.blocks import gather_blocks, gather_whole
from forecast.data.panel import Clock, Floats, Panel
from forecast.data.quantities import is_angle
from forecast.data.rows import Rows, in_order
from forecast.errors import DataError
from forecast.tables import scan
from forecast.tables.encoding import decode
from forecast.tables.source import Source, read_source, show
from forecast.tables.stamps import localise
from forecast.tables.table import Table, from_frame, from_parquet, without_empty_rows

__all__ = ["ReadOptions", "read_panel"]

# Names of the column that people mean, the likeliest first.
_TARGETS = ("y", "target", "value", "close", "adj close", "adj_close", "price", "temp", "temperature")


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
    found = None if isinstance(source, pd.DataFrame) else gather_blocks(source, options)
    found = found or gather_whole(_load(source, options), options)
    table, stamps, measured, series = found.table, found.stamps, found.measured, found.series
    times, tz_warnings = localise(stamps, series.codes, options.tz, table.source)
    names = measured.names
    rows = Rows(times, series.codes, measured.values)
    if np.isnat(times).any():
        rows = rows.take(np.flatnonzero(~np.isnat(times)))
    notes = [*stamps.notes, *measured.notes]
    if series.column:
        listed = ", ".join(map(show, series.ids[:5])) + " …" * (len(series.ids) > 5)
        notes.append(f"{len(series.ids):,} series by {show(series.column)}: {listed}.")
    if words := [name for name in measured.texts if name != series.column]:
        notes.append(f"Not numeric and left out: {', '.join(map(show, words))}.")
    warnings = [*table.warnings, *stamps.warnings, *tz_warnings]
    if options.resample is None:
        rows, doubles = in_order(table, rows, series.ids, names)
        warnings += doubles
    else:
        rows = rows.take(np.lexsort((rows.times, rows.series)))
    left_out = dict.fromkeys(stamps.used, "It tells the time.") | measured.texts
    left_out |= dict.fromkeys(names, "Every value is missing.")
    names, values, mended = _cleaned(table, names, rows.values, options)
    rows, clock, clock_notes, moves = _on_clock(table, replace(rows, values=values), names, options)
    panel = Panel(
        values=np.ascontiguousarray(rows.values),
        times=rows.times,
        columns=names,
        clock=clock,
        series_ids=series.ids,
        offsets=tuple(np.searchsorted(rows.series, np.arange(len(series.ids) + 1)).tolist()),
        name=table.source.name,
        units=_units(names),
        default_target=_default_target(names),
        notes=(*notes, *clock_notes),
        left_out=left_out,
    )
    pa.default_memory_pool().release_unused()  # which would be kept for tables that do not come
    return replace(panel, warnings=(*warnings, *mended, *moves, *quality.panel_warnings(panel)))


def _load(source: str | Path | pd.DataFrame, options: ReadOptions) -> Table:
    if isinstance(source, pd.DataFrame):
        return from_frame(source, Source(b"", "the table", "", "series"))
    raw = read_source(source)
    if raw.is_parquet:
        if Path(source).suffix.lower() in (".csv", ".tsv", ".txt"):
            other = shlex.quote(str(Path(source).with_suffix(".parquet")))
            raise DataError(
                f"{raw.label} is a Parquet file by another name.",
                f"Rename it: mv {raw.path} {other} && forecast inspect {other}",
            )
        return from_parquet(raw)
    text = decode(raw, options.encoding)
    cells = scan.read_cells(text, options.delimiter, options.skip_rows)
    table = Table(replace(text, data=b""), cells.names, cells.columns, cells.lines, warnings=cells.warnings)
    return without_empty_rows(table)


def _cleaned(
    table: Table, names: tuple[str, ...], values: Floats, options: ReadOptions
) -> tuple[tuple[str, ...], Floats, list[str]]:
    """The columns that hold a value, sentinels turned into NaN in place, and what was mended."""
    warnings: list[str] = []
    if not options.keep_sentinels:
        for position, name in enumerate(names):
            for sentinel, count in quality.mask_sentinels(values[:, position]):
                warnings.append(
                    f"{show(name)}: {count:,} value(s) {sentinel:g} are read as missing (--keep-sentinels keeps them)."
                )
    empty = np.isnan(values).all(axis=0)
    if empty.all():
        raise DataError(
            f"{table.source.label}: every value of {', '.join(map(show, names[:5]))} is missing.",
            "Give a column with values; empty, NA, null, ? and - mean missing.",
        )
    if empty.any():
        listed = ", ".join(show(names[i]) for i in np.flatnonzero(empty))
        warnings.append(f"Left out, as every value is missing: {listed}.")
        values = values[:, ~empty]
    return tuple(names[i] for i in np.flatnonzero(~empty)), values, warnings


def _on_clock(
    table: Table, rows: Rows, names: tuple[str, ...], options: ReadOptions
) -> tuple[Rows, Clock, list[str], list[str]]:
    """Rows on a regular clock, the given one or the one that their steps show, with notes and warnings."""
    label, count = table.source.label, len(rows.times)
    if options.resample is not None:
        clock = cadence.named_clock(options.resample)
        angles = np.array([is_angle(name, column) for name, column in zip(names, rows.values.T, strict=True)])
        rows = Rows(*cadence.resample(rows.times, rows.series, rows.values, clock, angles))
        return rows, clock, [], [f"{count:,} rows are averaged to {len(rows.times):,} of {clock.describe()} each."]
    steps = count - len(np.unique(rows.series))
    if options.freq is None and steps < 2:
        raise DataError(
            f"{label} has {count} row(s), too few to see the step between them.", table.source.command("--freq D")
        )
    if options.freq:
        found: Clock | None = cadence.named_clock(options.freq, rows.times)
    else:
        found = cadence.infer_clock(rows.times, rows.series)
    again = table.source.command("--resample h") + " (the mean of each hour; or --freq h to name the clock)"
    if found is None:
        raise cadence.irregular(rows.times, rows.series, label, again)
    placed = cadence.place(rows.times, rows.series, found)
    strays = placed.dropped if options.freq else placed.moved + placed.dropped
    if strays > cadence.MOST_SNAPPED * count:
        what = f"{label}: {strays:,} of {count:,} rows are off a clock of {found.describe()}; it"
        raise cadence.irregular(rows.times, rows.series, what, again)
    warnings = []
    if placed.moved:
        warnings.append(
            f"{placed.moved:,} time(s) off the clock are moved to their place on it, by less than half a step."
        )
    if placed.dropped:
        warnings.append(
            f"{placed.dropped:,} row(s) are left out: another row is nearer to the same place on the clock."
        )
    notes = [] if options.freq else [f"One row each {found.describe()} ({found.freq})."]
    if len(placed.rows) < count:
        rows = rows.take(placed.rows)
    if not placed.moved and (placed.times != rows.times).any():
        first = placed.times[0].astype("datetime64[D]")
        notes.append(
            f"Each time stands for its period and is moved to its place on {found.freq}, the first to {first}."
        )
    return replace(rows, times=placed.times), found, notes, warnings


def _units(names: tuple[str, ...]) -> dict[str, str]:
    """Units from names such as ``T (degC)`` or ``wind [m/s]``."""
    found = {name: re.search(r"[(\[]([^()\[\]]{1,20})[)\]]$", name) for name in names}
    return {name: match[1].strip() for name, match in found.items() if match}


def _default_target(names: tuple[str, ...]) -> str | None:
    if len(names) == 1:
        return names[0]
    folded = {name.casefold(): name for name in reversed(names)}
    return next((folded[target] for target in _TARGETS if target in folded), None)
