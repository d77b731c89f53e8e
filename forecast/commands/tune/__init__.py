"""Tune: search for settings."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from forecast.commands.options import (
    NOT_FOR_TRIALS,
    AddressOption,
    AsJson,
    EngineName,
    Quiet,
    RunsDir,
    SettingsFile,
    SourceArgument,
    WorkersOption,
    with_settings,
)

EXAMPLES = ("forecast tune mine.csv --target temperature --trials 3 --spans 1 --epochs 2",)

# What makes an ensemble, which is no single network to be tuned; what a trial has no use for is of use to the runs.
_NOT_TUNED = ("time_limit", "members", *(name for name in NOT_FOR_TRIALS if name != "refit"))


@with_settings("data", "training", "network", "intervals", "read", without=_NOT_TUNED)
def command(
    source: SourceArgument,
    settings: dict[str, Any],
    trials: Annotated[
        int | None,
        typer.Option(
            min=1, help="Trials of the whole search. (default: 50, or as many as the minutes allow)", show_default=False
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0, help="Search so long; the trainings of the best and of the defaults come on top."),
    ] = None,
    spans: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Validation spans that each trial is judged on, rolling back from the test span. (default: 3, or as "
            "many as the rows have room for)",
            show_default=False,
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="An Optuna storage, such as sqlite:///studies.db. (default: a file beside the runs)",
            show_default=False,
        ),
    ] = None,
    run: Annotated[
        str | None, typer.Option(help="Name of the best run. (default: from the source)", show_default=False)
    ] = None,
    config: SettingsFile = None,
    engine_name: EngineName = None,
    workers: WorkersOption = None,
    address: AddressOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start over, replacing a study of that name.")] = False,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Search for settings by rolling validation, then train the best beside the defaults, and test the difference.

    A setting that is given is fixed; the others are searched. The search never sees the test span. After a kill the
    same command goes on.
    """
    from forecast.commands.console import ConsoleProgress, command_line, print_json, say
    from forecast.commands.tables import print_table
    from forecast.commands.tune.tables import runs_table, space_table
    from forecast.commands.tune.tune import tune
    from forecast.engines import engine

    progress = ConsoleProgress(quiet)
    asked_by = command_line(without="--overwrite")
    progress.resumable(asked_by)
    with progress.stopping_on_signals(), engine(engine_name, workers, address) as side_by_side:
        found = tune(
            source,
            settings,
            trials=trials,
            minutes=minutes,
            spans=spans,
            engine=side_by_side,
            storage=storage,
            run=run,
            runs_dir=runs_dir,
            overwrite=overwrite,
            file=config,
            progress=progress,
            command=asked_by,
        )
    if as_json:
        print_json(found.summary)
        return
    say(found.verdict, strong=True)
    if found.summary["test"] is not None:
        print_table(runs_table(found.summary))
    print_table(space_table(found.summary), may_lack=["choices"])
    say(f"run: {found.run.path}")
    if found.defaults != found.run:
        say(f"defaults: {found.defaults.path}")
    say(f"page: {found.report}")
    name = found.run.name if runs_dir is None else shlex.quote(str(found.run.path))
    say(f"next: forecast predict {name}")
