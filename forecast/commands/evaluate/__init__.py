"""Evaluate: score a run."""

from __future__ import annotations

from typing import Annotated

import typer

from forecast.commands.options import (
    AsJson,
    KnownForecasts,
    Memory,
    NewSource,
    Quiet,
    RequireSkill,
    RunArgument,
    RunsDir,
    refuse_forecasts_alone,
)

EXAMPLES = ("forecast evaluate mine newer.csv", "forecast evaluate mine --require-skill persistence")


def command(
    run: RunArgument,
    source: NewSource = None,
    known_forecasts: KnownForecasts = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Score a stream, of a run that carries its state from row to row.")
    ] = False,
    memory: Memory = None,
    require_skill: RequireSkill = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Score a run on its test span, or on new rows that come after those that it was trained on."""
    from forecast.commands.console import ConsoleProgress, print_json, say
    from forecast.commands.evaluate.evaluate import evaluate
    from forecast.commands.requirements import check_references, demand_skill, parse_requirement
    from forecast.commands.tables import print_scores, steps_ahead
    from forecast.runs.find import find
    from forecast.runs.rows import with_forecasts_of

    requirements = [parse_requirement(text) for text in require_skill or ()]
    refuse_forecasts_alone(known_forecasts, source)
    found = with_forecasts_of(find(run, runs_dir=runs_dir), known_forecasts)
    check_references(requirements, tuple(found.metrics["skill"]))
    metrics = evaluate(found, source, stream=stream, memory=memory, progress=ConsoleProgress(quiet))
    if as_json:
        print_json(metrics)
    else:
        say(metrics["verdict"], strong=True)
        print_scores(metrics, f"{found.name}: {metrics['n_windows']:,} windows, {steps_ahead(metrics['horizon'])}")
        apart = metrics.get("not_trained_on", {})
        if "models" in apart:
            say(f"series that it was not trained on: {apart['verdict']}", strong=True)
            n_scored = apart.get("n_series", len(apart.get("by_series", [""]))) // len(found.config.data.target)
            print_scores(apart, f"not trained on: {apart['n_windows']:,} windows of {n_scored:,} series")
    demand_skill(requirements, metrics)
