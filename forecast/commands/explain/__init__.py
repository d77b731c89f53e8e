"""Explain: show what a run's networks remember."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forecast.commands.options import (
    AsJson,
    KnownForecasts,
    NewSource,
    Quiet,
    RunArgument,
    RunsDir,
    refuse_forecasts_alone,
)

EXAMPLES = ("forecast explain mine",)


def command(
    run: RunArgument = "latest",
    source: NewSource = None,
    known_forecasts: KnownForecasts = None,
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
    from forecast.runs.find import find
    from forecast.runs.rows import with_forecasts_of

    refuse_forecasts_alone(known_forecasts, source)
    progress = ConsoleProgress(quiet)
    with progress.stopping_on_signals():
        found = with_forecasts_of(find(run, runs_dir=runs_dir), known_forecasts)
        explanation = explain(found, source, check_lookback=check_lookback, output=output, progress=progress)
    if as_json:
        print_json(explanation.summary)
        return
    for sentence in explanation.sentences:
        say(sentence)
    for path in explanation.plots:
        say(str(path))
