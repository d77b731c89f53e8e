"""Commands about runs that are there: predict, evaluate, export, runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from forecast.cli.main import app
from forecast.cli.options import AsJson, Quiet, RequireSkill, RunsDir

if TYPE_CHECKING:
    from forecast.runs.run import Run

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Name or path of a run, or latest.")]
NewSource = Annotated[str | None, typer.Argument(metavar="[SOURCE]", help="New rows: a built-in name, a file, or -.")]


@app.command()
def predict(
    run: RunArgument,
    source: NewSource = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the CSV here.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the forecast into this PNG file.")] = None,
    paths: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Draw this many sample paths instead of the forecast.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides which paths.")] = 0,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Forecast the steps after the last row: of the data that a run was trained on, or of new ones."""
    from forecast.cli.console import ConsoleProgress, print_csv, print_json
    from forecast.data.panel import moment
    from forecast.errors import ConfigError
    from forecast.runs.csv_tables import frame_to_csv, records
    from forecast.runs.files import check_output, write_output
    from forecast.workflows import forecasting

    progress = ConsoleProgress(quiet)
    check_output(output)
    check_output(plot)
    if plot is not None and paths is not None:
        raise ConfigError(
            "--plot draws the forecast, and --paths asks for paths instead.", "Give one of them at a time."
        )
    found = forecasting.find(run, runs_dir=runs_dir)
    if paths is not None:
        forecast = forecasting.sample_paths(found, source, count=paths, seed=seed, progress=progress)
    elif plot is None:
        forecast = forecasting.predict(found, source, progress=progress)
    else:
        forecast, pictures = forecasting.predict_and_draw(found, source, progress=progress)
        for number, picture in enumerate(pictures):
            path = plot if number == 0 else plot.with_stem(f"{plot.stem}-{number + 1}")
            write_output(path, picture)
            progress.note(f"plot: {path}")
    age = forecasting.age_in_steps(forecast, found)
    if age > 2:
        newest = moment(forecast["cutoff"].max())
        progress.warn(f"the newest row is of {newest}, {age:,} steps ago; the forecast follows that row")
    if output is not None:
        write_output(output, frame_to_csv(forecast))
        progress.note(f"forecast: {output}")
    if as_json:
        print_json(records(forecast))
    elif output is None:
        print_csv(frame_to_csv(forecast))


@app.command()
def evaluate(
    run: RunArgument,
    source: NewSource = None,
    require_skill: RequireSkill = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Score a run on its test span, or on new rows that come after those that it was trained on."""
    from forecast.cli.console import ConsoleProgress, out, print_json, say
    from forecast.cli.tables import scores
    from forecast.evaluation.requirements import check_references, demand, requirement_of
    from forecast.workflows import forecasting

    requirements = [requirement_of(text) for text in require_skill or ()]
    found = forecasting.find(run, runs_dir=runs_dir)
    check_references(requirements, tuple(found.metrics["skill"]))
    metrics = forecasting.evaluate(found, source, progress=ConsoleProgress(quiet))
    if as_json:
        print_json(metrics)
    else:
        say(metrics["verdict"], strong=True)
        out.print(scores(metrics, f"{found.name}: {metrics['n_windows']:,} windows, {metrics['horizon']} steps ahead"))
    demand(requirements, metrics)


@app.command()
def export(
    run: RunArgument,
    format: Annotated[
        Literal["onnx", "keras", "saved-model"], typer.Option(help="What the network is written as.")
    ] = "onnx",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The folder to write. (default: RUN-FORMAT)")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a folder that was exported before.")] = False,
    runs_dir: RunsDir = None,
    quiet: Quiet = False,
) -> None:
    """Write a run's network for other programs, in the columns' own units: with a README, an example, and a program."""
    from forecast.cli.console import ConsoleProgress, say
    from forecast.workflows import exporting

    with ConsoleProgress(quiet).heeding_signals():
        say(str(exporting.export(run, output, format=format, overwrite=overwrite, runs_dir=runs_dir)))


@app.command()
def runs(runs_dir: RunsDir = None, as_json: AsJson = False) -> None:
    """List the runs with their scores."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from forecast.cli.console import out, plain, print_json, say
    from forecast.errors import RunError
    from forecast.runs.find import list_runs, resume_command, runs_folder, unfinished_runs

    folder = runs_folder(runs_dir)
    found = list_runs(folder)
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
        say(f"unfinished: {name}, continue with: {resume_command(name, folder)}")


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
