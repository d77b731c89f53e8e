"""Runs: list the runs that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forecast.commands.options import AsJson, RunsDir

if TYPE_CHECKING:
    from forecast.runs.run import Run


def command(runs_dir: RunsDir = None, as_json: AsJson = False) -> None:
    """List the runs with their scores."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from forecast.commands.console import out, plain, print_json, say
    from forecast.errors import RunError, rendered
    from forecast.runs.find import all_runs, resume_command, runs_folder, unfinished_runs

    folder = runs_folder(runs_dir)
    found = all_runs(runs_dir=folder)
    if as_json:
        print_json([_listed(run) for run in found])
        return
    if not found:
        say(f"No runs in {folder}. Make one with: forecast train weather")
    else:
        table = Table(box=SIMPLE_HEAD)
        for column in ("run", "series", "model", "MAE", "vs vanilla RNN", "vs last value", "finished"):
            table.add_column(column, justify="right" if column.startswith(("MAE", "vs")) else "left")
        for run in found:
            try:
                cells = _cells(run)
            except RunError:
                cells = [run.name, run.manifest.get("title", ""), "damaged"]
            table.add_row(*(plain(cell, 40) for cell in cells))
        out.print(table)
    for name in unfinished_runs(folder):
        say(f"unfinished: {name}, continue with: {rendered(resume_command(name, folder), 'shell')}")


def _cells(run: Run) -> list[str]:
    metrics = run.metrics
    gains = [metrics["skill"].get(name) for name in ("rnn", "persistence")]
    mae = metrics["models"][metrics["model"]]["mae"]
    return [
        run.name,
        run.manifest["title"],
        metrics["model"],
        "–" if mae is None else f"{mae:.4g} {metrics['unit']}",
        *("–" if gain is None else f"{gain:+.1%}" for gain in gains),
        run.manifest["finished"][:16].replace("T", " "),
    ]


def _listed(run: Run) -> dict[str, Any]:
    from forecast.errors import RunError

    try:
        return {"run": run.name, "finished": run.manifest["finished"], **run.metrics}
    except RunError as error:
        return {"run": run.name, "damaged": error.message}
