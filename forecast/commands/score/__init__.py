"""Score: how forecasts did that have come due."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forecast.commands.options import AsJson, KnownForecasts, NewSource, Quiet, RequireSkill, RunArgument, RunsDir

EXAMPLES = (
    "forecast score mine newer.csv",
    "forecast score mine newer.csv --last 100 --require-coverage 80:0.5 --plot live.png --report live.html",
)


def command(
    run: RunArgument,
    source: NewSource = None,
    known_forecasts: KnownForecasts = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Score only the forecasts from origins since then. (default: all)"),
    ] = None,
    last: Annotated[
        int | None, typer.Option(min=1, help="Score only the forecasts of so many newest origins. (default: all)")
    ] = None,
    require_skill: RequireSkill = None,
    require_coverage: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LEVEL[:SHARE]",
            help="Exit with 4 unless the interval holds at least this share, or its level; may be repeated.",
        ),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the scores into this PNG file.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write a page into this HTML file.")] = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Score the forecasts that were kept with --keep, as far as what they forecast has been observed.

    SOURCE holds what was observed; without it, the source that the run was trained on is read again.

    Says what has changed since the training: the losses, what the intervals hold, an input.
    """
    from forecast.archive.due import REFERENCES
    from forecast.commands.console import ConsoleProgress, out, print_json, say
    from forecast.commands.requirements import (
        check_levels,
        check_references,
        demand_coverage,
        demand_skill,
        parse_coverage,
        parse_requirement,
    )
    from forecast.commands.score.score import score
    from forecast.commands.tables import TERMINAL, print_table
    from forecast.errors import rendered
    from forecast.plots.live_scores import live_tables, sentences_of
    from forecast.runs.files import check_output, write_output
    from forecast.runs.find import find
    from forecast.runs.rows import with_forecasts_of

    requirements = [parse_requirement(text) for text in require_skill or ()]
    check_references(requirements, REFERENCES)
    coverage = [parse_coverage(text) for text in require_coverage or ()]
    check_output(plot)
    check_output(report)
    progress = ConsoleProgress(quiet)
    found = with_forecasts_of(find(run, runs_dir=runs_dir), known_forecasts)
    check_levels(coverage, found.config.intervals.levels)
    scores = score(found, source, since=since, last=last, progress=progress)
    for revision in sentences_of(scores)[1]:
        progress.warn(revision)
    if plot is not None:
        from forecast.plots.figure import to_png
        from forecast.plots.live_plot import plot_live

        write_output(plot, to_png(plot_live(scores)))
        progress.note(f"plot: {plot}")
    if report is not None:
        from forecast.plots.live_plot import live_page

        write_output(report, live_page(scores).encode())
        progress.note(f"report: {report}")
    if as_json:
        print_json(scores.summary)
    else:
        say(scores.verdict, strong=True)
        for table in live_tables(scores, TERMINAL):
            print_table(table)
        for sentence in sentences_of(scores)[0]:
            say(sentence)
        for alarm in scores.alarms:
            out.print("[bold red]changed:[/] ", end="")
            say(rendered(alarm.sentence, "shell"))
    kept = "The forecasts stay kept."
    demand_skill(requirements, scores.summary, kept)
    demand_coverage(coverage, scores.summary, kept)
