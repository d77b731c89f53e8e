"""Export: write a run's network for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forecast.commands.export.formats import Format
from forecast.commands.options import Quiet, RunArgument, RunsDir

EXAMPLES = ("forecast export mine",)


def command(
    run: RunArgument,
    format: Annotated[Format, typer.Option(help="What the network is written as.")] = "onnx",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The folder to write. (default: RUN-FORMAT)")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a folder that was exported before.")] = False,
    runs_dir: RunsDir = None,
    quiet: Quiet = False,
) -> None:
    """Write a run's network for other programs, in the columns' own units: with a README, an example, and a program."""
    from forecast.commands.console import ConsoleProgress, say
    from forecast.commands.export.export import export

    with ConsoleProgress(quiet).stopping_on_signals():
        say(str(export(run, output, format=format, overwrite=overwrite, runs_dir=runs_dir)))
