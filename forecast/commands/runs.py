"""Runs: list the runs that there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from forecast.commands.options import AsJson, RunsDir

if TYPE_CHECKING:
    from forecast.plots.tables import Table
    from forecast.runs.run import Run

EXAMPLES = ("forecast runs",)


def command(runs_dir: RunsDir = None, as_json: AsJson = False) -> None:
    """List the runs with their scores."""
    from forecast.commands.console import print_json, say
    from forecast.commands.tables import print_table
    from forecast.errors import ForecastError, rendered
    from forecast.runs.find import read_runs, resume_command, runs_folder, unfinished_runs

    folder = runs_folder(runs_dir)
    found, unreadable = read_runs(folder)
    scores: list[tuple[Run, dict[str, Any]]] = []
    for run in found:
        try:
            scores.append((run, run.metrics))
        except ForecastError as error:
            unreadable[run.name] = error
    if as_json:
        readable = [{"run": run.name, "finished": run.manifest["finished"], **metrics} for run, metrics in scores]
        print_json(readable + [{"run": name, "damaged": why.message} for name, why in unreadable.items()])
        return
    if scores:
        print_table(_table(scores), may_lack=("series", "finished", "model", "vs last value", "vs vanilla RNN"))
    elif not unreadable:
        say(f"No runs in {folder}. Make one with: forecast train weather")
    for name, why in unreadable.items():
        say(f"cannot be read: {name}. {why.text('shell')[0]}")
    for name in unfinished_runs(folder):
        say(f"unfinished: {name}, continue with: {rendered(resume_command(name, folder), 'shell')}")


def _table(scores: Sequence[tuple[Run, Mapping[str, Any]]]) -> Table:
    """A line for each run. Each has an MAE of its own unit, so they have no number format in common."""
    from forecast.plots.style import format_like, printable
    from forecast.plots.tables import Cell, Table

    table = Table("", ["run", "series", "model", "MAE", "vs vanilla RNN", "vs last value", "finished"])
    for run, metrics in scores:
        gains = [metrics["skill"].get(name) for name in ("rnn", "persistence")]
        mae = metrics["models"][metrics["model"]]["mae"]
        texts = [
            run.name,
            printable(run.manifest["title"], 24),
            metrics["model"],
            "–" if mae is None else f"{format_like([mae], digits=4)(mae)} {metrics['unit']}".rstrip(),
            *("–" if gain is None else f"{gain:+.1%}" for gain in gains),
            run.manifest["finished"][:16].replace("T", " "),
        ]
        table.rows.append([Cell(text) for text in texts])
    return table
