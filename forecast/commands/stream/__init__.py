"""Stream: forecast after each new row."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from forecast.commands.options import Quiet, RunArgument, RunsDir

EXAMPLES = ("forecast stream mine newer.csv",)


def command(
    run: RunArgument,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A CSV file, or - for standard input.")] = "-",
    follow: Annotated[bool, typer.Option("--follow", help="Wait at the end of a file for it to grow.")] = False,
    history: Annotated[str | None, typer.Option(help="Rows that came before, for a stream that begins.")] = None,
    date_format: Annotated[
        str | None, typer.Option(help="Format of the time, such as %d-%m-%Y %H:%M. (default: as the run was given it)")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="What is remembered between calls. (default: RUN.stream.json beside the run)")
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Forget all rows before.")] = False,
    runs_dir: RunsDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document a row.")] = False,
    quiet: Quiet = False,
) -> None:
    """Forecast after each new row, remembering the rows before between calls."""
    from forecast.commands.console import ConsoleProgress, print_csv
    from forecast.commands.stream.recent_rows import forget_state
    from forecast.commands.stream.stream import Stream, stream_rows
    from forecast.runs.csv_tables import frame_to_csv, to_records
    from forecast.runs.files import locked
    from forecast.runs.find import STREAM_STATE, find
    from forecast.sources.read import on_disk

    progress = ConsoleProgress(quiet)
    trained = find(run, runs_dir=runs_dir)
    state = state or trained.path.with_name(f"{trained.name}{STREAM_STATE}")
    has_header = False
    with (
        locked(state.with_name(f".{state.name}.lock"), f"The stream {state}", "name another state with --state"),
        progress.stopping_on_signals(),
    ):
        if restart:
            forget_state(state)
        stream = Stream(trained, state)
        if history is not None:
            stream.remember(history)
        source = on_disk(source, progress)
        try:
            for forecast in stream_rows(stream, source, follow=follow, date_format=date_format, progress=progress):
                if as_json:
                    sys.stdout.write(json.dumps(to_records(forecast), allow_nan=False, ensure_ascii=False) + "\n")
                else:
                    content = frame_to_csv(forecast)
                    print_csv(content.split(b"\n", 1)[1] if has_header else content)
                    has_header = True
                sys.stdout.flush()
        except BrokenPipeError:  # the program that reads the forecasts has ended
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
