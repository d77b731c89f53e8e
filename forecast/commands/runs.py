"""Runs: list the runs that there are, or the versions of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from forecast.commands.options import AsJson, OptionalRun, RunsDir

if TYPE_CHECKING:
    from forecast.errors import ForecastError
    from forecast.plots.tables import Table
    from forecast.runs.run import Run

EXAMPLES = ("forecast runs", "forecast runs mine")


def command(
    run: OptionalRun = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    """List the runs with their scores, or the versions of one."""
    if run is not None:
        _list_versions(run, runs_dir, as_json)
        return
    from forecast.commands.console import print_json, say
    from forecast.commands.tables import print_table
    from forecast.errors import rendered
    from forecast.runs.find import read_runs, resume_command, runs_folder, unfinished_runs

    folder = runs_folder(runs_dir)
    scores, unreadable = _scored(*read_runs(folder))
    if as_json:
        readable = [
            {"run": run.name, "version": run.version, "finished": run.manifest["finished"], **metrics}
            for run, metrics in scores
        ]
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


def _list_versions(name: str, runs_dir: RunsDir, as_json: bool) -> None:
    from forecast.commands.console import print_json, say
    from forecast.commands.tables import print_table
    from forecast.runs.find import find, versions_of

    in_place = find(name, runs_dir=runs_dir)
    scores, unreadable = _scored(*versions_of(in_place.home))
    if as_json:
        readable = [
            {
                "version": run.version,
                "in_place": run.version == in_place.version,
                "whole": run.is_whole,
                "finished": run.manifest["finished"],
                "last": run.data["last"],
                **run.manifest.get("update", {}),
                **metrics,
            }
            for run, metrics in scores
        ]
        print_json(readable + [{"version": int(number), "damaged": why.message} for number, why in unreadable.items()])
        return
    print_table(_versions(scores, in_place.version), may_lack=("finished", "vs last value", "vs vanilla RNN"))
    for number, why in unreadable.items():
        say(f"cannot be read: version {number}. {why.text('shell')[0]}")


def _scored(
    runs: Sequence[Run], unreadable: dict[str, ForecastError]
) -> tuple[list[tuple[Run, dict[str, Any]]], dict[str, ForecastError]]:
    """Runs with their scores, and why others cannot be read."""
    from forecast.errors import ForecastError

    scores, damaged = [], dict(unreadable)
    for run in runs:
        try:
            scores.append((run, run.metrics))
        except ForecastError as error:
            damaged[run.path.name if run.version > 1 else run.name] = error
    return scores, damaged


def _versions(scores: Sequence[tuple[Run, Mapping[str, Any]]], in_place: int) -> Table:
    """A line for each version of a run, whose test spans are others."""
    from forecast.plots.tables import Cell, Table

    table = Table("", ["version", "rows until", "MAE", "vs vanilla RNN", "vs last value", "vs before", "finished"])
    for run, metrics in scores:
        update = run.manifest.get("update", {})
        gain, before = update.get("skill"), update.get("continued_from")
        texts = [
            f"{run.version}{', in place' if run.version == in_place else '' if run.is_whole else ', scores only'}",
            run.data["last"][:16].replace("T", " "),
            *_figures(metrics),
            f"{gain:+.1%} ({before})" if gain is not None else "–",
            run.manifest["finished"][:16].replace("T", " "),
        ]
        table.rows.append([Cell(text) for text in texts])
    return table


def _figures(metrics: Mapping[str, Any]) -> list[str]:
    """The MAE with its unit, and the skill over the vanilla RNN and the last value."""
    from forecast.plots.style import format_like

    gains = [metrics["skill"].get(name) for name in ("rnn", "persistence")]
    mae = metrics["models"][metrics["model"]]["mae"]
    return [
        "–" if mae is None else f"{format_like([mae], digits=4)(mae)} {metrics['unit']}".rstrip(),
        *("–" if gain is None else f"{gain:+.1%}" for gain in gains),
    ]


def _table(scores: Sequence[tuple[Run, Mapping[str, Any]]]) -> Table:
    """A line for each run. Each has an MAE of its own unit, so they have no number format in common."""
    from forecast.plots.style import printable
    from forecast.plots.tables import Cell, Table

    table = Table("", ["run", "series", "model", "MAE", "vs vanilla RNN", "vs last value", "finished"])
    for run, metrics in scores:
        texts = [
            run.name,
            printable(run.manifest["title"], 24),
            metrics["model"],
            *_figures(metrics),
            run.manifest["finished"][:16].replace("T", " "),
        ]
        table.rows.append([Cell(text) for text in texts])
    return table
