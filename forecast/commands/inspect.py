"""Inspect: show what is in a source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from forecast.commands.options import AsJson, Quiet, SourceArgument, with_settings

if TYPE_CHECKING:
    from forecast.config import Settings
    from forecast.data.panel import Floats, Panel
    from forecast.plots.tables import Table
    from forecast.sources.quality import ColumnReport

_BLOCKS = "▁▂▃▄▅▆▇█"

EXAMPLES = ("forecast inspect mine.csv",)


@with_settings("read", "data")
def command(source: SourceArgument, settings: dict[str, Any], as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Show what is in a source: clock, gaps, missing and suspicious values, and what train would do with it."""
    from forecast.commands.console import ConsoleProgress, print_json, say
    from forecast.commands.tables import print_table
    from forecast.errors import rendered
    from forecast.models.catalogue import configure
    from forecast.sources.quality import inspect_columns
    from forecast.sources.read import read

    asked = configure(settings)
    panel = read(source, asked.read)
    reports = inspect_columns(panel, asked.read)
    plan = _plan(panel, asked)
    summary = _summarise(panel, reports, plan)
    if as_json:
        print_json(summary)
        return
    progress = ConsoleProgress(quiet)
    for warning in panel.warnings:
        progress.warn(warning)
    series = f" in {panel.n_series} series" if panel.n_series > 1 else ""
    holidays = ""
    if summary["absent_rows"] and (panel.clock.unit in ("B", "session") or panel.clock.week is not None):
        holidays = f", {panel.clock.describe(summary['absent_rows'])} without a row"
    say(
        f"{panel.name}: {panel.n_rows:,} rows{series}, one every {panel.clock.describe().removeprefix('1 ')}, "
        f"{summary['first']} … {summary['last']}, "
        f"{summary['gaps']} gaps{holidays}"
    )
    for note in panel.notes:
        say(f"  {rendered(note, 'shell')}")
    print_table(_column_table(panel, reports), may_lack=("course", "longest"))
    say("forecast train would use")
    for line in plan:
        say(f"  {line}")


def _plan(panel: Panel, asked: Settings) -> list[str]:
    """What `train` would say before it trains: what it chooses, what it warns of, or why it refuses."""
    from forecast.choices.defaults import resolve
    from forecast.choices.plan import plan_in_sentences
    from forecast.commands.train.data_warnings import data_warnings
    from forecast.data.newest import forecast_warnings, newest_rows
    from forecast.data.prepare import prepare
    from forecast.errors import DataError

    plan: list[str] = []
    try:
        config, choices = resolve(asked, panel)
        plan += plan_in_sentences(config, panel.clock, choices)
        prepared = prepare(panel, config)
    except DataError as error:
        return [*plan, " ".join(filter(None, error.text("shell"))).replace("\n", " ")]
    newest = newest_rows(prepared.rows.panel, config.data, prepared.scaler)
    return [*plan, *data_warnings(panel, prepared), *forecast_warnings(newest)]


def _summarise(panel: Panel, reports: Sequence[ColumnReport], plan: Sequence[str]) -> dict[str, Any]:
    """What is in the panel, as JSON types."""
    from forecast.errors import rendered

    findings = [[rendered(finding, "shell") for finding in report.findings] for report in reports]
    return {
        "title": panel.name,
        "rows": panel.n_rows,
        "first": panel.clock.format(panel.times.min()),
        "last": panel.clock.format(panel.times.max()),
        "freq": panel.clock.freq,
        "tz": panel.clock.tz,
        "series": list(panel.series_ids),
        "gaps": len(panel.gaps()[0]),
        "absent_rows": int(panel.absent_before().sum()),
        "columns": [
            {name: None if value != value else value for name, value in vars(report).items()} | {"findings": found}
            for report, found in zip(reports, findings, strict=True)
        ],
        "notes": [rendered(note, "shell") for note in panel.notes],
        "warnings": [rendered(warning, "shell") for warning in panel.warnings],
        "train": list(plan),
    }


def _column_table(panel: Panel, reports: Sequence[ColumnReport]) -> Table:
    """What each column holds, with a sketch of the first series' course."""
    from forecast.commands.tables import TERMINAL
    from forecast.plots.style import format_like, printable
    from forecast.plots.tables import Cell, Table

    table = Table("", ["column", "missing", "longest", "least", "median", "most", "course"])
    for report, values in zip(reports, panel.values[panel.rows(0)].T, strict=True):
        unit = f" ({report.unit})" if report.unit and f"({report.unit})" not in report.name else ""
        known = [figure for figure in (report.minimum, report.median, report.maximum) if figure == figure]
        figures = map(format_like(known, TERMINAL.digits), known) if known else "–––"
        texts = [
            printable(report.name, 40) + unit,
            f"{report.missing:,}",
            f"{report.longest_missing:,}",
            *figures,
            sketch(values),
        ]
        table.rows.append([Cell(text) for text in texts])
    return table


def sketch(values: Floats, width: int = 32) -> str:
    """A line of blocks that follows the means of parts of the values [T]; a dot where all of a part are missing."""
    import pandas as pd

    groups = pd.Series(values).groupby(pd.RangeIndex(len(values)) * width // max(len(values), 1)).mean()
    low, high = groups.min(), groups.max()
    if pd.isna(low):
        return "·" * len(groups)
    span = (high - low) or 1.0
    return "".join("·" if pd.isna(mean) else _BLOCKS[int((mean - low) / span * (len(_BLOCKS) - 1))] for mean in groups)
