"""Train: make a run."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from forecast.commands.options import (
    AddressOption,
    AsJson,
    EngineName,
    Memory,
    OptionalSource,
    Quiet,
    RequireSkill,
    RunsDir,
    SettingsFile,
    WorkersOption,
    with_settings,
)

EXAMPLES = (
    "forecast train weather --open",
    "forecast train mine.csv --target temperature --run mine",
    "forecast train mine.csv --config mine.toml --target temperature --known holiday --ensemble 3 --fall-back --run careful",  # noqa: E501
)


@with_settings("data", "training", "network", "intervals", "read")
def command(
    settings: dict[str, Any],
    source: OptionalSource = None,
    run: Annotated[str | None, typer.Option(help="Name of the run. (default: from source and model)")] = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Continue an interrupted training.")] = None,
    config: SettingsFile = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a run of that name.")] = False,
    require_skill: RequireSkill = None,
    track: Annotated[
        str | None,
        typer.Option(
            metavar="TRACKER",
            envvar="FORECAST_TRACK",
            show_envvar=False,
            help="Write each epoch's losses also for tensorboard:FOLDER or mlflow:sqlite:///mlflow.db. "
            "(default: FORECAST_TRACK)",
        ),
    ] = None,
    memory: Memory = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN|file",
            help="A network for each group of series: those that share a value of a column, or a file. The runs are "
            "NAME-GROUP; what is done is kept the next time.",
        ),
    ] = None,
    engine_name: EngineName = None,
    workers: WorkersOption = None,
    address: AddressOption = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the report at the end.")] = False,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a network and a vanilla RNN, judge both on the test span, forecast the future, and draw it all."""
    from forecast.commands.console import ConsoleProgress, command_line, print_json, say
    from forecast.commands.requirements import check_references, demand_skill, parse_requirement
    from forecast.commands.tables import TERMINAL, print_scores, print_table, steps_ahead
    from forecast.commands.train import train
    from forecast.commands.train.groups import group_table, raise_if_failed, train_groups
    from forecast.data.split import span_in_words
    from forecast.engines import engine
    from forecast.errors import ConfigError
    from forecast.models.catalogue import configure, references_of
    from forecast.models.naive import NAIVE
    from forecast.plots.members import ensemble_in_words, member_table

    progress = ConsoleProgress(quiet)
    requirements = [parse_requirement(text) for text in require_skill or ()]
    groups = None
    with progress.stopping_on_signals(), engine(engine_name, workers, address) as side_by_side:
        if resume is not None:
            if settings or run or config or overwrite or memory or group_by:
                raise ConfigError(
                    "--resume takes everything from the run; no other setting goes with it.",
                    f"Type: forecast train --resume {resume}",
                )
            check_references(requirements, (*NAIVE, "rnn"))
            trained = train.resume(
                resume, runs_dir=runs_dir, source=source, progress=progress, track=track, engine=side_by_side
            )
        elif source is None:
            raise ConfigError(
                "There is nothing to train on.",
                "Type: forecast train weather\nforecast datasets lists the built-in series.",
            )
        else:
            asked = configure(settings, config)
            check_references(requirements, references_of(asked))
            if group_by is not None:
                if require_skill or track or open_it or memory:
                    of_one = "--require-skill, --track, --memory and --open"
                    raise ConfigError(f"{of_one} are of one run, and --group-by makes many.")
                groups = train_groups(
                    source,
                    asked,
                    group_by,
                    run=run,
                    runs_dir=runs_dir,
                    overwrite=overwrite,
                    engine=side_by_side,
                    progress=progress,
                    command=command_line(),
                )
            else:
                trained = train.train(
                    source,
                    asked,
                    run=run,
                    runs_dir=runs_dir,
                    overwrite=overwrite,
                    progress=progress,
                    track=track,
                    memory=memory,
                    engine=side_by_side,
                    command=command_line(),
                )
    if groups is not None:
        if as_json:
            print_json({"groups": [group.to_json() for group in groups]})
        else:
            print_table(group_table(groups), may_lack=("vs vanilla RNN", "run"))
        raise_if_failed(groups)
        return
    metrics = trained.metrics
    if open_it:
        typer.launch(str(trained.report))
    if as_json:
        print_json({"run": trained.name, "path": str(trained.path)} | metrics)
        demand_skill(requirements, metrics)
        return
    say(metrics["verdict"], strong=True)
    span = span_in_words(trained.test_from, trained.clock)
    windows = f"{metrics['n_windows']:,} test window{'s' if metrics['n_windows'] != 1 else ''} {span}"
    title = (
        f"{trained.manifest['title']}, {', '.join(trained.config.data.target)}: {windows}, "
        f"{steps_ahead(metrics['horizon'])}"
    )
    print_scores(metrics, title)
    if portfolio := trained.config.portfolio:
        print_table(member_table(metrics, portfolio, trained.manifest["members"], TERMINAL))
        say(ensemble_in_words(metrics))
    say(f"run: {trained.path}")
    say(f"report: {trained.report}")
    say(f"plots: {trained.path / 'plots'}")
    name = trained.name if runs_dir is None else shlex.quote(str(trained.path))
    say(f"next: forecast {'report' if trained.forecast.empty else 'predict'} {name}")
    demand_skill(requirements, metrics)
