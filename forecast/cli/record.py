"""Commands about the record of a run: report, replay."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from forecast.cli.main import app
from forecast.cli.options import AsJson, Quiet, RunsDir
from forecast.cli.use import RunArgument

SameSource = Annotated[
    str | None, typer.Argument(metavar="[SOURCE]", help="The rows that it was trained on, if they have moved.")
]


@app.command()
def report(
    run: RunArgument = "latest",
    source: SameSource = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the report anew into this file, with what forecast explain found."),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the report.")] = False,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    """Say what a run found, and where its report and its plots are."""
    from forecast.cli.console import print_json, say
    from forecast.errors import ConfigError
    from forecast.workflows import forecasting
    from forecast.workflows.reporting import write_report

    found = forecasting.find(run, runs_dir=runs_dir)
    if source is not None and output is None:
        raise ConfigError(
            "SOURCE is read only to write a report anew.",
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


@app.command()
def replay(
    run: RunArgument = "latest",
    source: SameSource = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a run again from its record, and say whether every figure came out the same; exit code 4 if not."""
    from forecast.cli.console import ConsoleProgress, print_json, say
    from forecast.workflows import replaying

    progress = ConsoleProgress(quiet)
    with progress.heeding_signals():
        found = replaying.replay(run, source, runs_dir=runs_dir, progress=progress)
    if as_json:
        changed = {name: {"recorded": was, "replayed": now} for name, (was, now) in found.changed.items()}
        differences = [asdict(difference) | {"share": difference.share} for difference in found.differences]
        print_json({"run": found.run, "same": found.same, "figures": found.n_figures, "differences": differences,
                    "changed": changed})  # fmt: skip
    elif found.same:
        say(f"All {found.n_figures:,} figures of {found.run} came out the same.", strong=True)
        for name, (was, now) in found.changed.items():
            say(f"although {name} was {was} and is {now}")
    found.demand()
