"""Report: say what a run found, and where its page is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forecast.commands.options import AsJson, RunArgument, RunsDir, SameSource

EXAMPLES = ("forecast report mine", "forecast report mine --open")


def command(
    run: RunArgument = "latest",
    source: SameSource = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write the report again, into this file, with what forecast explain and score found."
        ),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the report.")] = False,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    """Say what a run found, and where its report and its plots are."""
    from forecast.commands.console import print_json, say
    from forecast.commands.report.report import write_report
    from forecast.errors import ConfigError
    from forecast.runs.find import find

    found = find(run, runs_dir=runs_dir)
    if source is not None and output is None:
        raise ConfigError(
            "SOURCE is only read to write the report again.",
            f"Type: forecast report {found.name} {source} --output report.html",
        )
    path = found.report if output is None else write_report(found, output, source)
    if as_json:
        print_json({
            "run": found.name,
            "verdict": found.metrics["verdict"],
            "report": None if path is None else str(path),
            "plots": [str(plot) for plot in found.plots],
        })  # fmt: skip
    else:
        say(found.metrics["verdict"], strong=True)
        if path is not None:
            say(str(path))
        for plot in found.plots:
            say(str(plot))
    if open_it:
        if path is None:
            raise ConfigError(
                f"{found.name} was made by a version that wrote no report.",
                f"Type: forecast report {found.name} --output report.html --open",
            )
        typer.launch(str(path))
