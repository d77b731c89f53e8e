"""Serve: answer requests over HTTP."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from forecast.commands.options import Keep, Quiet, RunsArgument, RunsDir

EXAMPLES = (
    "forecast serve mine --port 8000",
    "forecast serve north south --workers 2 --log json --token-file token.txt",
)

# Seconds after which a thread that waits for its turn gets it: a fifth of what Python takes, so that a small request
# waits less for a large one.
_TURN = 0.001


def _option(name: str, **about: Any) -> Any:
    """An option that a machine may set for all its servers, as FORECAST_PORT does the port."""
    option = f"--{name.replace('_', '-')}"
    return typer.Option(option, envvar=f"FORECAST_{name.upper()}", show_envvar=False, **about)


def command(
    runs: RunsArgument,
    host: Annotated[str, _option("host", help="Address to listen on; 0.0.0.0 for every one.")] = "127.0.0.1",
    port: Annotated[int, _option("port", min=0, max=65_535, help="Port to listen on; 0 for any that is free.")] = 8000,
    workers: Annotated[int, _option("workers", min=1, max=256, help="Processes that share the work.")] = 1,
    max_rows: Annotated[
        int | None, typer.Option(min=1, help="Most rows of a request. (default: 10,000, or what the run needs)")
    ] = None,
    max_body: Annotated[int, typer.Option(min=1, help="Most bytes of a request, also unpacked.")] = 16 * 1024**2,
    timeout: Annotated[
        float, typer.Option(min=0.001, max=86_400, help="Seconds for a request to arrive, and for its forecast.")
    ] = 10.0,
    idle_timeout: Annotated[
        float, typer.Option(min=0.001, max=86_400, help="Seconds that a connection stays open for the next request.")
    ] = 75.0,
    max_connections: Annotated[
        int | None,
        typer.Option(min=1, help="Most connections of each process. (default: those that it has descriptors for)"),
    ] = None,
    token_file: Annotated[
        Path | None, _option("token_file", help="Answer only who sends one of the tokens in this file, one a line.")
    ] = None,
    log_as: Annotated[
        Literal["none", "json"],
        _option("log", help="Log each request, and all else, as a line of JSON on standard error."),
    ] = "none",
    keep: Keep = False,
    runs_dir: RunsDir = None,
    quiet: Quiet = False,
) -> None:
    """Answer requests over HTTP: POST /forecast, GET /model, /health, /ready, /metrics and /openapi.json.

    Several runs are at /runs/NAME/forecast. A run that is replaced is loaded again while requests go on.
    """
    from forecast.errors import MachineError
    from forecast.runs.find import find

    try:
        from forecast.commands.serve.server import Server, Shares, address_of, listen
    except ModuleNotFoundError as error:
        raise MachineError(
            f"forecast serve needs {error.name}, which is not installed.",
            "Install it: pip install 'forecast-lstm[serve]'",
        ) from None
    from forecast.commands.serve.app import App, paths_of
    from forecast.commands.serve.connection import Limits
    from forecast.commands.serve.log import Log
    from forecast.commands.serve.metrics import server_metrics
    from forecast.commands.serve.served import ServedRuns, columns_of
    from forecast.commands.serve.tokens import read_tokens
    from forecast.commands.serve.workers import Workers

    log, limits = Log(log_as == "json", quiet), Limits(max_body, timeout, idle_timeout, max_connections)
    with log.refusing():
        trained, tokens = [find(run, runs_dir=runs_dir) for run in runs], read_tokens(token_file)
        names = [run.name for run in trained]
        columns = {run.name: columns_of(run) for run in trained}
        metrics = server_metrics(columns, [*paths_of(names)], workers)
        listening, shares = listen(host, port), Shares(workers)

    def ready() -> None:
        log.note(f"serving {', '.join(names)} at {address_of(listening, host)}; Ctrl-C stops it")

    def work(number: int, ready: Callable[[], None]) -> None:
        metrics.of_process(number)
        shares.of_process(number)
        services = ServedRuns(trained, max_rows, metrics, keep)
        app = App(services, limits, metrics, tokens, log)
        services.watch(log.note if number == 0 else lambda _: None)
        sys.setswitchinterval(_TURN)
        gc.collect()
        gc.freeze()  # what stays for good need not be looked through again, which would halt requests

        async def answer() -> None:
            ready()
            await Server(app, limits, listening, shares).run()

        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:  # which can watch a socket anywhere
            runner.run(answer())

    code = 0
    if workers > 1:
        code = Workers(workers, work, log, release=listening.close).run(ready)
    else:
        with log.refusing():
            work(0, ready)
    sys.stderr.flush()
    os._exit(code)  # a forecast that is still being made has no client any more, and is not waited for
