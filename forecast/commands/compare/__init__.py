"""Compare: train several models with several seeds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from forecast.commands.options import (
    NOT_FOR_TRIALS,
    AddressOption,
    AsJson,
    EngineName,
    Quiet,
    SettingsFile,
    SourceArgument,
    WorkersOption,
    with_settings,
)
from forecast.models.catalogue import COMPARED

# What the models that are named decide themselves.
_NOT_COMPARED = ("model", "cell", "baseline", "time_limit", "members")

EXAMPLES = (
    "forecast compare mine.csv --target temperature --models lstm --seeds 2 --classical-seconds 1 --report compared.html",  # noqa: E501
)


@with_settings("data", "training", "network", "read", without=(*NOT_FOR_TRIALS, *_NOT_COMPARED))
def command(
    source: SourceArgument,
    settings: dict[str, Any],
    models: Annotated[
        str, typer.Option(help="Presets with commas between them, or all; the vanilla RNN is always among them.")
    ] = ",".join(COMPARED),
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each model, which differ in their seed.")] = 3,
    classical_seconds: Annotated[
        float, typer.Option(min=0, help="Seconds for each of ETS, Theta and seasonal ARIMA; 0 leaves them out.")
    ] = 30.0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the leaderboard here, as .csv or .parquet.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the leaderboard into this PNG file.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write a page into this HTML file.")] = None,
    config: SettingsFile = None,
    engine_name: EngineName = None,
    workers: WorkersOption = None,
    address: AddressOption = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train several models with several seeds on the same rows, and score all on the same windows.

    The validation error chooses, the test error is reported. Naive forecasts stand beside them. No run is kept.

    Classical forecasts are fitted anew for each window, so they are judged on as many as their time allows.
    """
    from forecast.commands.compare.compare import compare
    from forecast.commands.compare.tables import dispensable_columns, leaderboard_tables, reading_notes
    from forecast.commands.console import ConsoleProgress, command_line, print_json, say
    from forecast.commands.tables import TERMINAL, origins_span, print_table, steps_ahead
    from forecast.engines import engine
    from forecast.runs.files import check_output, write_output
    from forecast.runs.table_files import check_table, write_table

    check_table(output)
    check_output(plot)
    check_output(report)
    progress = ConsoleProgress(quiet)
    with progress.stopping_on_signals(), engine(engine_name, workers, address) as side_by_side:
        found = compare(
            source,
            models,
            settings,
            seeds=seeds,
            classical_seconds=classical_seconds,
            file=config,
            engine=side_by_side,
            progress=progress,
        )
    if output is not None:
        write_table(output, found.leaderboard)
        progress.note(f"leaderboard: {output}")
    if plot is not None:
        from forecast.plots import to_png

        write_output(plot, to_png(found.plot()))
        progress.note(f"plot: {plot}")
    if report is not None:
        from forecast.commands.compare.page import comparison_page

        write_output(report, comparison_page(found.summary, command_line()).encode())
        progress.note(f"report: {report}")
    if as_json:
        print_json(found.summary)
        return
    summary = found.summary
    say(found.verdict, strong=True)
    if summary["classical"] is not None:
        say(summary["classical"]["verdict"])
    title = (
        f"{summary['title']}, {', '.join(summary['target'])}: {summary['n_windows']:,} test windows, "
        f"{origins_span(summary)}, {steps_ahead(summary['horizon'])}"
    )
    first, *others = leaderboard_tables(summary, TERMINAL)
    for table in (replace(first, caption=title), *others):
        print_table(table, may_lack=dispensable_columns(summary))
    for note in reading_notes(summary):
        say(note)
