"""Commands that go on with the data: stream, serve."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from forecast.cli.main import app
from forecast.cli.options import Quiet, RunsDir
from forecast.cli.use import RunArgument


@app.command()
def stream(
    run: RunArgument,
    source: Annotated[str, typer.Argument(metavar="[SOURCE]", help="A CSV file, or - for standard input.")] = "-",
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
    from forecast.cli.console import ConsoleProgress, print_csv
    from forecast.runs.csv_tables import frame_to_csv, records
    from forecast.runs.files import locked
    from forecast.workflows.forecasting import find
    from forecast.workflows.streaming import Stream, stream_rows

    progress = ConsoleProgress(quiet)
    found = find(run, runs_dir=runs_dir)
    kept = state or found.path.with_name(f"{found.name}.stream.json")
    headed = False
    with (
        locked(kept.with_name(f".{kept.name}.lock"), f"The stream {kept}", "name another state with --state"),
        progress.heeding_signals(),
    ):
        if restart:
            kept.unlink(missing_ok=True)
        growing = Stream(found, kept)
        if history is not None:
            growing.remember(history)
        try:
            for forecast in stream_rows(growing, source, follow=follow, date_format=date_format, progress=progress):
                if as_json:
                    sys.stdout.write(json.dumps(records(forecast), allow_nan=False, ensure_ascii=False) + "\n")
                else:
                    content = frame_to_csv(forecast)
                    print_csv(content.split(b"\n", 1)[1] if headed else content)
                    headed = True
                sys.stdout.flush()
        except BrokenPipeError:  # whoever read the forecasts has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.command()
def serve(
    run: RunArgument,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for every one.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 for any that is free.")] = 8000,
    max_rows: Annotated[
        int | None, typer.Option(min=1, help="Most rows of a request. (default: 10,000, or what the run needs)")
    ] = None,
    max_body: Annotated[int, typer.Option(min=1, help="Most bytes of a request.")] = 16 * 1024**2,
    timeout: Annotated[
        float, typer.Option(min=0.001, max=86_400, help="Seconds that a body may take to arrive, and a forecast.")
    ] = 10.0,
    runs_dir: RunsDir = None,
    quiet: Quiet = False,
) -> None:
    """Answer requests over HTTP: POST /forecast, GET /model, /health and /openapi.json."""
    from forecast.cli.console import ConsoleProgress
    from forecast.errors import MachineError
    from forecast.workflows.forecasting import find

    try:
        from forecast.serving.app import Limits, create_app
        from forecast.serving.server import serve as answer
    except ModuleNotFoundError as error:
        raise MachineError(
            f"forecast serve needs {error.name}, which is not installed.", "Install it: pip install 'forecast[serve]'"
        ) from None
    from forecast.serving.requests import RequestReader
    from forecast.serving.service import Service

    progress, found = ConsoleProgress(quiet), find(run, runs_dir=runs_dir)
    web = create_app(Service(found, RequestReader(found, max_rows)), Limits(max_body, timeout))
    answer(web, host, port, lambda address: progress.note(f"serving {found.name} at {address}; Ctrl-C ends it"))
    sys.stderr.flush()
    os._exit(0)  # a forecast that is still being made has no client any more, and is not waited for
