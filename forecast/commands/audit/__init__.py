"""Audit: prove that nothing leaked."""

from __future__ import annotations

from typing import Annotated

import typer

from forecast.commands.options import AsJson, KnownForecasts, NewSource, Quiet, RunArgument, RunsDir

EXAMPLES = ("forecast audit mine",)


def command(
    run: RunArgument = "latest",
    source: NewSource = None,
    known_forecasts: KnownForecasts = None,
    strict: Annotated[bool, typer.Option("--strict", help="End with code 4 at a strong doubt, too.")] = False,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Prove that nothing leaked: change, delete and shuffle all that is later, and demand the same forecasts."""
    from forecast.commands.audit.audit import audit
    from forecast.commands.console import ConsoleProgress, print_json, say
    from forecast.runs.find import find
    from forecast.runs.rows import with_forecasts_of

    progress = ConsoleProgress(quiet)
    found = with_forecasts_of(find(run, runs_dir=runs_dir), known_forecasts)
    result = audit(found, source, progress=progress)
    for warning in result.warnings:
        progress.warn(warning)
    if as_json:
        print_json(result.to_json())
    else:
        for check in result.checks:
            say(check.line, strong=not check.passed)
        for sentence in result.unknowable:
            say(f"unknown {sentence}.")
        say(result.verdict, strong=True)
    result.demand(strict)
