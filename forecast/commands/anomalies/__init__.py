"""Anomalies: which rows are odd."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forecast.commands.options import AsJson, NewSource, Quiet, RunArgument, RunsDir

EXAMPLES = (
    "forecast anomalies mine",
    "forecast anomalies mine newer.csv -o odd.csv",
    "forecast anomalies mine newer.csv --plot odd.png",
)


def command(
    run: RunArgument,
    source: NewSource = None,
    rate: Annotated[
        float, typer.Option(min=0.0001, max=0.5, help="The share of the odd rows that may be false alarms.")
    ] = 0.1,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Judge rows from here on. (default: the first of the test span)")
    ] = None,
    every_row: Annotated[bool, typer.Option("--every-row", help="Write the usual rows, too.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the rows here, as .csv or .parquet.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the rows with their marks into this PNG file.")] = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say which rows are odd: improbable one step ahead or a season ahead, in a gap, or of a stuck sensor.

    On a terminal they are shown as a table, in a pipe they are CSV.
    """
    from forecast.commands.anomalies.anomalies import anomalies
    from forecast.commands.console import ConsoleProgress, out, print_csv, print_json, say
    from forecast.runs.csv_tables import frame_to_csv
    from forecast.runs.files import check_output, write_output
    from forecast.runs.table_files import check_table, write_table

    progress = ConsoleProgress(quiet)
    if output is not None:
        check_table(output)
    check_output(plot)
    with progress.stopping_on_signals():
        found = anomalies(run, source, rate=rate, since=since, runs_dir=runs_dir, progress=progress)
    rows = found.rows if every_row else found.odd
    if output is not None:
        write_table(output, rows)
        progress.note(f"rows: {output}")
    for number, name in enumerate(found.worth_drawing() if plot is not None else ()):
        from forecast.plots.figure import to_png

        assert plot is not None
        path = plot if number == 0 else plot.with_stem(f"{plot.stem}-{number + 1}")
        write_output(path, to_png(found.plot(name)))
        progress.note(f"plot: {path}")
    if as_json:
        print_json(found.to_json(every_row))
        return
    if output is None and not out.is_terminal:
        print_csv(frame_to_csv(rows))
        progress.note(found.sentence)
        return
    say(found.sentence, strong=True)
    if output is None and len(found.odd):
        from forecast.commands.tables import print_table

        print_table(found.table(), may_lack=("lo", "hi"))
