"""Series that are revised: a source that tells when each of its values was issued, in several rows for each time.

The panel holds the first value of each cell, which is what a forecast is scored on: it never changes, and whoever
forecasts at an origin knows those before. An origin is the moment at which its row was whole, so that nothing depends
on how long after its time a value is published; of the rows before, it is fed the newest values that were known then.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.config import ReadOptions
from forecast.data.panel import Panel
from forecast.errors import DataError, setting
from forecast.sources.from_table import Alter, dialect_of, read_panel
from forecast.sources.issues import mask_missing, of_known_series, on_clock_of, sorted_issues, without
from forecast.tables.bytes import find_input
from forecast.tables.find_times import find_times
from forecast.tables.formats import read_table
from forecast.tables.frames import from_frame
from forecast.tables.input import Input
from forecast.tables.reading import columns_of
from forecast.tables.spelling import no_column
from forecast.tables.table import Bools, Times

# Names of the columns of the frame of first values, which no column of a table has.
_SERIES, _TIME = "unique_id", "ds"

_NEVER = np.datetime64("9999-01-01", "us")


def read_vintages(source: str | Path | pd.DataFrame, options: ReadOptions, alter: Alter | None = None) -> Panel | None:
    """The panel of a source whose values are revised; None if it has not the column that tells when they were issued.

    Args:
        source: A path or a DataFrame.
        options: What is not to be inferred; ``issued_at`` names the column.
        alter: Changes the values before anything is told by them, as an audit does.

    Raises:
        DataError: If it cannot be read, or a run is not to be made of it for the lack of that column.
    """
    name = str(options.issued_at)
    dialect = dialect_of(options)
    found = Input("the table") if isinstance(source, pd.DataFrame) else find_input(str(source))
    table = from_frame(source, found, dialect) if isinstance(source, pd.DataFrame) else read_table(found, dialect)
    if name not in table.names:
        if options.codes is not None:  # rows for a run: what they hold is what stands there
            return None
        raise no_column(name, setting("issued_at"), table.names, f" in {table.source.label}")
    issued, columns = find_times(table, name, None).times, columns_of(without(table, name), dialect)
    measured, column = columns.measured, columns.time
    if len(issued) != len(column.times):
        raise DataError(f"{table.source.label}: a time is missing.", "Give each row its time, and when it was issued.")
    mask_missing(measured, column.times, options)
    order = np.argsort(issued, kind="stable")
    ids = np.full(len(order), "", object)
    if columns.series_id is not None:
        ids = np.array([text.strip() for text in measured.texts[columns.series_id].to_pylist()], object)
    cells = pd.DataFrame(measured.values, columns=list(measured.names)).assign(**{_SERIES: ids, _TIME: column.times})
    first = cells.iloc[order].groupby([_SERIES, _TIME]).first().reset_index()  # of each column the first that is there
    if column.zoned:
        first[_TIME] = first[_TIME].dt.tz_localize("UTC")
    own = {"issued_at": None, "issue_delay": None, "time_column": None, "date_format": None, "series_id": None}
    panel = read_panel(first if any(ids) else first.drop(columns=_SERIES), options.model_copy(update=own), alter, found)
    times = on_clock_of(panel.clock, column, table.source)
    known_from = np.empty_like(times)
    for series in np.unique(ids):
        mine = ids == series
        known_from[mine] = _origins(times[mine], issued[mine], ~np.isnan(measured.values[mine]))
    issues = sorted_issues(columns, measured.names, measured.values, times, known_from)
    if alter is not None:
        issues = replace(issues, values=alter(issues.known_from, issues.values))
    n_revised = len(cells) - len(first)
    note = (
        f"The values of {len(first):,} times are revised {n_revised:,} times: the first of each is scored, and an "
        "origin knows what stood there when its row was whole."
    )
    return replace(panel, issues=of_known_series(issues, panel, table.source.label), notes=(*panel.notes, note))


def _origins(times: Times, issued: Times, there: Bools) -> Times:
    """The time of the first row of a series that knows each of some issues, [n].

    A row knows what was issued by the time at which it was whole: each column that it ever has had its first value.

    Args:
        times: The time that each issue is of, [n].
        issued: When it was issued, [n].
        there: Which of its values are there, [n, C].
    """
    rows, row = np.unique(times, return_inverse=True)
    whole = np.full(len(rows), issued.min())
    for of_column in there.T:
        firsts = np.full(len(rows), _NEVER)
        np.minimum.at(firsts, row[of_column], issued[of_column])
        whole = np.maximum(whole, np.where(firsts == _NEVER, whole, firsts))
    whole = np.maximum.accumulate(whole)
    knows = np.searchsorted(whole, issued)
    after_all = knows == len(rows)
    knows = np.minimum(knows, len(rows) - 1)
    # Rows that became whole together, as those of the first issue, are each known from their own time on.
    knows = np.where(~after_all & (whole[knows] == whole[row]), row, knows)
    return np.where(after_all, rows[-1] + np.timedelta64(1, "us"), rows[knows])
