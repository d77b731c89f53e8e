"""Forecasts that were known ahead: read from a file with the time of their issue, and joined with a panel."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from forecast.config import ReadOptions
from forecast.data.clock import STEP, Clock, Times
from forecast.data.codes import are_codes
from forecast.data.issues import Issues
from forecast.data.panel import Panel
from forecast.errors import DataError, NoTimeError, Sentence, listed, quote, setting
from forecast.sources.from_table import Alter, dialect_of
from forecast.sources.infer_clock import period_labels, usual_step
from forecast.sources.missing import mask_named
from forecast.sources.resampling import instants_of
from forecast.tables.bytes import find_input
from forecast.tables.columns import Measurements
from forecast.tables.find_times import find_times
from forecast.tables.formats import read_table
from forecast.tables.frames import from_frame
from forecast.tables.input import Dialect, Input
from forecast.tables.reading import Columns, columns_of
from forecast.tables.spelling import no_column
from forecast.tables.table import Floats, Table
from forecast.tables.timecells import TimeColumn
from forecast.tables.zone_rules import wall_times

# The forecasts are columns of the source itself.
IN_SOURCE = "-"

# Names of the column of the time of issue, the likeliest first.
_ISSUED = (
    "issued_at", "issued", "issue_time", "issue_date", "init_time", "run_time", "reference_time",
    "forecast_reference_time", "model_run", "published_at", "known_from", "realtime_start", "vintage", "vintage_date",
)  # fmt: skip

# Names of the columns of a lead, such as temperature_previous_day2, temp_24h, temp_lead_24h and temp_1d_ahead.
_LEAD = re.compile(r"(.+?)_(?:previous_day(?P<days>\d+)|(?:lead_?)?(?P<count>\d+)(?P<unit>min|h|d)(?:_ahead)?)", re.I)

# What a column of a lead forecasts, and how long before.
Lead = tuple[str, np.timedelta64]

_MINUTES = {"min": 1, "h": 60, "d": 1440}

# Names that a sentence lists.
_NAMED, _LISTED = 5, 20

# Each issue forecasts several steps of a period where more rows than this share are not the first of it there.
_FEW = 0.05


def with_known_forecasts(
    panel: Panel, source: str | Path | pd.DataFrame, options: ReadOptions, alter: Alter | None = None
) -> Panel:
    """The panel with the columns of a file of forecasts, each value known from its issue on.

    Where the source holds such a column itself, its values stay.

    Args:
        panel: What was read.
        source: What it was read from.
        options: Which file, how its time of issue is called, and the delay of its publication.
        alter: Changes the values by when they were known, as an audit does.

    Raises:
        DataError: If the file does not tell when its forecasts were issued, or they are of no time of the panel.
    """
    table, dialect = _open(panel, source, options)
    issues, taken, days = _issues_of(table, dialect, options, panel.clock)
    if taken and _is_in(source, options):
        kept = tuple(name for name in panel.columns if name not in taken)
        panel = replace(panel.select(kept), texts=panel.texts)
    issues = _as_resampled(issues, options, panel.clock)
    if alter is not None:
        issues = replace(issues, values=alter(issues.known_from, issues.values))
    label, ahead = table.source.label, issues.times > issues.known_from
    if not np.isin(issues.times, panel.times).any() or not ahead.any():
        first, last = (panel.clock.format(time) for time in issues.times[[0, -1]])
        what = "was known before that" if not ahead.any() else "is of a time of the source"
        raise DataError(
            f"{label} forecasts {first} … {last}, and none of it {what}.",
            f"Is the right column named: {setting('issued_at')}, {setting('time_column')}?",
        )
    panel = joined(panel, issues, label)
    issued, steps = np.unique(issues.known_from), (issues.times - issues.known_from).max()
    note = (
        f"Known ahead as forecasts: {listed([*map(quote, issues.columns)], _NAMED)}, known from "
        f"{panel.clock.format(issued[0])} … {panel.clock.format(issued[-1])} on ({len(issued):,} times), "
        f"up to {str(pd.Timedelta(steps)).removesuffix(' 00:00:00')} ahead."
    )
    warnings = panel.warnings
    if days and options.issue_delay is None and panel.clock.unit in ("s", "min", "h"):
        hours = setting("issue_delay", "24h")
        warnings += (
            Sentence(f"{label} tells the day of issue: taken as known from its beginning on ({hours} if not)."),
        )
    return replace(panel, notes=(*panel.notes, note), warnings=warnings)


def issues_of(panel: Panel, options: ReadOptions) -> Issues:
    """The forecasts in a file, for a panel of recent rows, of whose times there may be none."""
    table, dialect = _open(panel, "", options)
    return _as_resampled(_issues_of(table, dialect, options, panel.clock)[0], options, panel.clock)


def joined(panel: Panel, issues: Issues, label: str) -> Panel:
    """A panel with the columns of some forecasts; where it lacks one, of the newest that was known at each row.

    Args:
        panel: Columns without a value are taken as absent.
        issues: The forecasts.
        label: What messages call them.
    """
    there = {name for name, column in zip(panel.columns, panel.values.T, strict=True) if not np.isnan(column).all()}
    issues = of_known_series(replace(issues, measured=frozenset(there.intersection(issues.columns))), panel, label)
    return _with_newest(panel, issues)


def lasting(options: ReadOptions, source: object) -> ReadOptions:
    """The options as a run keeps them: its file of forecasts is found from wherever rows are read again."""
    path = options.known_forecasts
    if path is None or path == IN_SOURCE:
        return options
    kept = IN_SOURCE if path == str(source) else str(Path(path).resolve())
    return options.model_copy(update={"known_forecasts": kept})


def _is_in(source: str | Path | pd.DataFrame, options: ReadOptions) -> bool:
    """Whether the forecasts are columns of the source itself."""
    return options.known_forecasts == IN_SOURCE or options.known_forecasts == str(source)


def _open(panel: Panel, source: str | Path | pd.DataFrame, options: ReadOptions) -> tuple[Table, Dialect]:
    """The table of the forecasts, and how it is written."""
    if panel.clock.freq == STEP:
        raise DataError(f"{setting('known_forecasts')}: rows without times cannot tell what was issued by then.")
    inside = _is_in(source, options)
    if inside and str(source) in ("", "-"):  # standard input
        raise DataError(
            f"{setting('known_forecasts')}: the source can be read only once.", "Write it into a file first."
        )
    usual = Dialect() if not inside else dialect_of(options)
    dialect = replace(usual, columns=(), skip_columns=(), notation=(), wide=False)
    if inside and isinstance(source, pd.DataFrame):
        table = from_frame(source, Input("the table"), dialect)
    else:
        found = find_input(str(source) if inside else str(options.known_forecasts))
        table = read_table(found, dialect)
    series_id = options.series_id or panel.read_options.get("series_id")
    time_column = options.time_column if options.time_column in table.names else None
    return table, replace(dialect, series_id=series_id if series_id in table.names else None, time_column=time_column)


def _issues_of(
    table: Table, dialect: Dialect, options: ReadOptions, clock: Clock
) -> tuple[Issues, frozenset[str], bool]:
    """The forecasts of a table, those of its columns that are of a lead, and whether only days of issue are told."""
    name = name_of_issue(table, options)
    issued = None if name is None else find_times(table, name, None)
    try:
        columns, is_by_issue = columns_of(without(table, name), dialect), False
    except NoTimeError:
        if not _leads(table.names):
            raise
        # A row for each issue, a column for each lead.
        columns, is_by_issue = columns_of(table, replace(dialect, time_column=name)), True
    measured, times = columns.measured, on_clock_of(clock, columns.time, table.source)
    mask_missing(measured, times, options)
    delay = np.timedelta64(round((options.issue_delay or 0) * 1e6), "us")
    if issued is None or is_by_issue:
        leads = _leads(measured.names)
        if not leads:
            raise DataError(
                f"{table.source.label} does not tell when its forecasts were issued: no column is called issued_at or "
                "the like, and none is of a lead, such as temp_24h or temp_previous_day1.",
                f"Name it: {setting('issued_at')}. Columns: {listed([*map(quote, table.names)], _LISTED)}.",
            )
        found = _by_lead(columns, times, leads, is_by_issue, delay)
        return found, frozenset(leads), is_by_issue and columns.time.whole_days
    if len(issued.times) != len(times):
        raise DataError(f"{table.source.label}: a time is missing.", "Give each row its time, and when it was issued.")
    known_from = on_clock_of(clock, issued, table.source) + delay
    return sorted_issues(columns, measured.names, measured.values, times, known_from), frozenset(), issued.whole_days


def mask_missing(measured: Measurements, times: Times, options: ReadOptions) -> None:
    """Take values as missing, in place, that are named so or are codes such as -9999, as those of a panel are."""
    mask_named(measured.names, measured.values, options.missing)
    if not options.keep_sentinels:
        order = np.argsort(times, kind="stable")
        for values in measured.values.T:
            values[are_codes(values, order)] = np.nan


def name_of_issue(table: Table, options: ReadOptions) -> str | None:
    """The column that holds when forecasts were issued; None if there is none."""
    if options.issued_at is None:
        names = {name.casefold(): name for name in table.names}
        return next((names[usual] for usual in _ISSUED if usual in names), None)
    if options.issued_at not in table.names:
        raise no_column(options.issued_at, setting("issued_at"), table.names, f" in {table.source.label}")
    return options.issued_at


def without(table: Table, name: str | None) -> Table:
    """The table without a column."""
    kept = [number for number, other in enumerate(table.names) if other != name]
    return replace(table, names=tuple(table.names[n] for n in kept), columns=tuple(table.columns[n] for n in kept))


def _leads(names: Sequence[str]) -> dict[str, Lead]:
    """What each column of a lead forecasts, and how long before."""
    leads = dict[str, Lead]()
    for name in names:
        if found := _LEAD.fullmatch(name):
            count, unit = (found["days"], "d") if found["days"] else (found["count"], found["unit"].lower())
            leads[name] = found[1], np.timedelta64(int(count) * _MINUTES[unit], "m")
    return leads


def _by_lead(
    columns: Columns,
    times: Times,
    leads: Mapping[str, Lead],
    is_by_issue: bool,
    delay: np.timedelta64,
) -> Issues:
    """The forecasts of a table with columns for leads; its times are those of issue, or those that are forecast."""
    names = tuple(dict.fromkeys(base for base, _ in leads.values()))
    values, of_times, known_from = [], [], []
    for lead in dict.fromkeys(lead for _, lead in leads.values()):
        of_lead = np.full((len(times), len(names)), np.nan)
        for name, (base, own) in leads.items():
            if own == lead:
                of_lead[:, names.index(base)] = columns.measured.values[:, columns.measured.names.index(name)]
        values.append(of_lead)
        of_times.append(times + lead if is_by_issue else times)
        known_from.append((times if is_by_issue else times - lead) + delay)
    return sorted_issues(columns, names, *map(np.concatenate, (values, of_times, known_from)))


def sorted_issues(columns: Columns, names: Sequence[str], values: Floats, times: Times, known_from: Times) -> Issues:
    """Forecasts [N, K] by their times [N]; N is the number of rows, or a multiple of it."""
    order = np.argsort(times, kind="stable")
    order = order[~np.isnat(times[order]) & ~np.isnat(known_from[order])]
    series, ids = np.zeros(len(columns.time.times), np.int64), tuple[str, ...]()
    if columns.series_id is not None:
        cells = columns.measured.texts[columns.series_id]
        found = np.array([text.strip() for text in cells.dictionary.to_pylist()], object)
        unique, numbers = np.unique(found, return_inverse=True)
        ids, series = tuple(unique.tolist()), numbers[cells.indices.to_numpy(zero_copy_only=False)]
    repeated = np.tile(series, len(times) // len(series))
    return Issues(tuple(names), values[order], times[order], known_from[order], frozenset(), repeated[order], ids)


def _as_resampled(issues: Issues, options: ReadOptions, clock: Clock) -> Issues:
    """Where rows are resampled, the same of the periods of the clock that an issue forecasts as a whole.

    Where there is a column for each lead, an issue is a lead, and known when the last of its values is.
    """
    if options.resample is None:
        return issues
    period, lead = period_labels(issues.times, clock), issues.times - issues.known_from
    values, known = pd.DataFrame(issues.values), pd.Series(issues.known_from)
    of_issue = pd.DataFrame({"issue": issues.known_from, "series": issues.series, "period": period})
    if of_issue.duplicated().mean() < _FEW:  # the hour that autumn repeats is twice in local time
        of_issue["issue"] = lead
    keys = [of_issue[name] for name in of_issue]
    by_period = values.groupby(keys)
    sizes = by_period.size()
    starts, ends = instants_of(sizes.index.get_level_values("period").to_numpy(), clock)
    times = np.unique(issues.times)
    step = usual_step(times, np.zeros(len(times), np.int64))
    whole = np.minimum(np.rint((ends - starts).astype(np.int64) / max(step, 1.0)), sizes.max())  # of each period
    how = options.aggregate if options.aggregate in ("sum", "last", "max", "min") else "mean"
    found = by_period.agg(how).where(by_period.count().eq(whole, axis=0)).sort_index(level=2, kind="stable")
    known = known.groupby(keys).max().reindex(found.index)
    return replace(
        issues,
        values=found.to_numpy(),
        times=found.index.get_level_values(2).to_numpy().astype("datetime64[us]"),
        known_from=known.to_numpy().astype("datetime64[us]"),
        series=found.index.get_level_values(1).to_numpy(),
    )


def of_known_series(issues: Issues, panel: Panel, label: str) -> Issues:
    """The forecasts of the panel's series; of every series, where the file names one and the panel is one."""
    if not issues.series_ids:
        return issues
    if panel.n_series == 1 and (panel.series_ids[0] in issues.series_ids or len(issues.series_ids) == 1):
        named = panel.series_ids[0] if panel.series_ids[0] in issues.series_ids else issues.series_ids[0]
        issues = issues.only(issues.series == issues.series_ids.index(named))
        return replace(issues, series=np.zeros_like(issues.series), series_ids=())
    if {*issues.series_ids} & {*panel.series_ids}:
        return issues
    raise DataError(
        f"{label} forecasts the series {listed([*map(quote, issues.series_ids)], _NAMED)}; those of the source are "
        f"{listed([*map(quote, panel.series_ids)], _NAMED)}.",
        "Name them alike.",
    )


def on_clock_of(clock: Clock, column: TimeColumn, source: Input) -> Times:
    """Times as a panel on a clock keeps them; of an hour that comes twice in autumn, it is the second."""
    if column.zoned == clock.is_zoned:
        return column.times
    if not column.zoned:
        local = pd.DatetimeIndex(column.times)
        later = local.tz_localize(clock.tz, ambiguous=np.zeros(len(local), bool), nonexistent="shift_forward")
        return later.tz_convert(None).to_numpy().astype("datetime64[us]")
    if clock.tz is None:
        raise DataError(
            f"The times of {source.label} have a zone, and those of the source have none.",
            f"Say which zone these are of: {setting('tz', 'UTC')}.",
        )
    return wall_times(column.times, clock.tz)


def _with_newest(panel: Panel, issues: Issues) -> Panel:
    """The panel with the columns that it lacks: the newest forecast that was known at each row."""
    rows, names = np.arange(panel.n_rows), panel.columns
    added = tuple(name for name in issues.columns if name not in names)
    empty = np.full((panel.n_rows, len(added)), np.nan)
    panel = replace(panel, values=np.hstack([panel.values, empty]), columns=(*names, *added), issues=issues)
    as_of = panel.as_of()
    for name in set(issues.columns) - issues.measured:
        panel.values[:, panel.column(name)] = as_of[name].at(rows, rows)
    return panel
