"""Serve: answer requests over HTTP."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from typing import Annotated

import typer

from forecast.commands.options import Quiet, RunArgument, RunsDir

EXAMPLES = ("forecast serve mine --port 8000",)


def command(
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
    from forecast.commands.console import ConsoleProgress
    from forecast.errors import MachineError
    from forecast.runs.find import find

    try:
        from forecast.commands.serve.server import Server, address_of, listen
    except ModuleNotFoundError as error:
        raise MachineError(
            f"forecast serve needs {error.name}, which is not installed.",
            "Install it: pip install 'forecast-lstm[serve]'",
        ) from None
    from forecast.commands.serve.app import App
    from forecast.commands.serve.connection import Limits
    from forecast.commands.serve.requests import RequestReader
    from forecast.commands.serve.service import Service

    progress, trained = ConsoleProgress(quiet), find(run, runs_dir=runs_dir)
    limits = Limits(max_body, timeout)
    app = App(Service(trained, RequestReader(trained, max_rows)), limits)

    gc.collect()
    gc.freeze()  # what stays for good need not be looked through again, which would halt requests

    async def answer() -> None:
        listening = listen(host, port)
        progress.note(f"serving {trained.name} at {address_of(listening, host)}; Ctrl-C stops it")
        await Server(app, limits, listening).run()

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:  # the one that can watch a socket anywhere
        runner.run(answer())
    sys.stderr.flush()
    os._exit(0)  # a forecast that is still being made has no client any more, and is not waited for
