"""Inspect: show what is in a source."""

from __future__ import annotations

from typing import Any

from forecast.commands.options import AsJson, Quiet, SourceArgument, with_settings


@with_settings("read", "data")
def command(source: SourceArgument, settings: dict[str, Any], as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Show what is in a source: clock, gaps, missing and suspicious values, and what train would do with it."""
    from forecast.commands.console import ConsoleProgress, out, print_json, say
    from forecast.commands.tables import columns_table
    from forecast.data.panel import format_time
    from forecast.errors import DataError
    from forecast.models.catalogue import configure
    from forecast.models.defaults import plan_in_sentences, resolve
    from forecast.sources.quality import inspect_columns
    from forecast.sources.read import read

    asked = configure(settings)
    panel = read(source, asked.read)
    reports = inspect_columns(panel)
    try:
        config, choices = resolve(asked, panel)
        plan = plan_in_sentences(config, panel.clock, choices)
    except DataError as error:
        plan = [str(error).replace("\n", " ")]
    absent = panel.absent_before()
    gaps = int(panel.stretches()[-1]) + 1 - panel.n_series
    holidays = f", {int(absent.sum()):,} business days without a row" if panel.clock.unit == "B" else ""
    if as_json:
        print_json(
            {
                "title": panel.name,
                "rows": panel.n_rows,
                "first": format_time(panel.times.min()),
                "last": format_time(panel.times.max()),
                "freq": panel.clock.freq,
                "series": list(panel.series_ids),
                "gaps": gaps,
                "absent_rows": int(absent.sum()),
                "columns": [
                    {name: None if value != value else value for name, value in vars(report).items()}
                    for report in reports
                ],
                "notes": list(panel.notes),
                "warnings": list(panel.warnings),
                "train": plan,
            }
        )
        return
    progress = ConsoleProgress(quiet)
    for warning in panel.warnings:
        progress.warn(warning)
    series = f" in {panel.n_series} series" if panel.n_series > 1 else ""
    say(
        f"{panel.name}: {panel.n_rows:,} rows{series}, one every {panel.clock.describe().removeprefix('1 ')}, "
        f"{format_time(panel.times.min())} … {format_time(panel.times.max())}, {gaps} gaps{holidays}"
    )
    for note in panel.notes:
        say(f"  {note}")
    out.print(columns_table(reports, panel))
    say("forecast train would use")
    for line in plan:
        say(f"  {line}")
