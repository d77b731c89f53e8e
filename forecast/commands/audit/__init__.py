"""Audit: prove that nothing leaked."""

from __future__ import annotations

from forecast.commands.options import AsJson, NewSource, Quiet, RunArgument, RunsDir


def command(
    run: RunArgument = "latest",
    source: NewSource = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Prove that nothing leaked: change, delete and shuffle all that is later, and demand the same forecasts."""
    from forecast.commands.audit.audit import audit
    from forecast.commands.console import ConsoleProgress, print_json, say

    progress = ConsoleProgress(quiet)
    result = audit(run, source, runs_dir=runs_dir, progress=progress)
    for warning in result.warnings:
        progress.warn(warning)
    if as_json:
        print_json(result.to_json())
    else:
        for check in result.checks:
            say(check.line, strong=not check.passed)
        say(result.verdict, strong=True)
    result.demand()
