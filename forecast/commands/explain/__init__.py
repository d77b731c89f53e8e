"""Explain: show what a run's networks remember."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forecast.commands.options import AsJson, NewSource, Quiet, RunArgument, RunsDir

EXAMPLES = ("forecast explain mine",)


def command(
    run: RunArgument = "latest",
    source: NewSource = None,
    check_lookback: Annotated[
        bool, typer.Option("--check-lookback", help="Train again with the lookback that seems enough, and compare.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for plots and explain.json. (default: in the run)")
    ] = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show what a run remembers: its gates, how far back its gradient reaches, what its inputs are worth."""
    from forecast.commands.console import ConsoleProgress, print_json, say
    from forecast.commands.explain.explain import explain

    progress = ConsoleProgress(quiet)
    with progress.stopping_on_signals():
        explanation = explain(
            run, source, check_lookback=check_lookback, output=output, runs_dir=runs_dir, progress=progress
        )
    if as_json:
        print_json(explanation.summary)
        return
    for sentence in explanation.sentences:
        say(sentence)
    for path in explanation.plots:
        say(str(path))
