"""Update: learn from what came since a run was trained."""

from __future__ import annotations

from typing import Annotated

import typer

from forecast.commands.options import AsJson, NewSource, Quiet, RunArgument, RunsDir, Versions
from forecast.runs.versions import MOST_WHOLE

EXAMPLES = ("forecast update mine newer.csv", "forecast update mine newer.csv --train --margin 0.01")


def command(
    run: RunArgument,
    source: NewSource = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Ask the service that the rows come from for those that came since.")
    ] = False,
    train: Annotated[
        bool, typer.Option("--train", help="Continue the training on old and new rows, as the next version.")
    ] = False,
    train_on_drift: Annotated[
        bool, typer.Option("--train-on-drift", help="Do so if losses, coverage or inputs have changed.")
    ] = False,
    margin: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="It takes the place if its error is lower by this share, such as 0.01. (default: if significantly)",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="It takes the place however good it is.")] = False,
    versions: Versions = MOST_WHOLE,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Read what came since a run was trained, score what is due, and let it learn: one command for cron and systemd."""
    from forecast.commands.console import ConsoleProgress, command_line, print_json
    from forecast.commands.update.update import update
    from forecast.commands.update.words import say_update

    progress = ConsoleProgress(quiet)
    with progress.stopping_on_signals():
        done = update(
            run,
            source,
            fetch=fetch,
            train=train,
            train_on_drift=train_on_drift,
            margin=margin,
            force=force,
            versions=versions,
            runs_dir=runs_dir,
            progress=progress,
            command=command_line(),
        )
    if as_json:
        print_json(done.to_json())
    else:
        say_update(done)
