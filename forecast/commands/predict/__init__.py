"""Predict: forecast what follows the newest rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forecast.commands.options import (
    AddressOption,
    AsJson,
    EngineName,
    Keep,
    KnownForecasts,
    NewSource,
    Quiet,
    RunArgument,
    RunsDir,
    WorkersOption,
)

EXAMPLES = (
    "forecast predict mine",
    "forecast predict mine newer.csv -o next-day.csv",
    "forecast predict mine --plot next-day.png",
    "forecast predict mine --keep",
    "forecast predict mine --input 'newer*.csv' --output forecasts --workers 2",
)


def command(
    run: RunArgument,
    source: NewSource = None,
    known_forecasts: KnownForecasts = None,
    files: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="FOLDER|PATTERN",
            help="Forecast from each of these files, into the folder --output; what is done there is passed over.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write the forecast here, as .csv or .parquet; with --input those of all files."
        ),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the forecast into this PNG file.")] = None,
    paths: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Draw this many sample paths instead of the forecast.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides which paths.")] = 0,
    keep: Keep = False,
    engine_name: EngineName = None,
    workers: WorkersOption = None,
    address: AddressOption = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Forecast the steps after the last row: of the data that a run was trained on, or of new ones.

    On a terminal it is shown as a table, in a pipe it is CSV.
    """
    from forecast.commands.console import ConsoleProgress, out, print_csv, print_json, say
    from forecast.commands.predict.stored import stored_forecast, warn_of_age
    from forecast.errors import ConfigError
    from forecast.runs.csv_tables import frame_to_csv, to_records
    from forecast.runs.files import check_output, write_output
    from forecast.runs.find import find

    progress = ConsoleProgress(quiet)
    if files is not None:
        given = {
            "SOURCE": source,
            "--plot": plot,
            "--paths": paths,
            "--known-forecasts": known_forecasts,
        }
        if output is None or any(given.values()):
            what = next((name for name, value in given.items() if value), "")
            raise ConfigError(
                "--input writes forecasts into a folder." + (f" {what} does not go with it." if what else ""),
                f"Type: forecast predict {run} --input {files} --output forecasts",
            )
        from forecast.commands.predict.files import forecast_files
        from forecast.engines import engine

        with progress.stopping_on_signals(), engine(engine_name, workers, address) as side_by_side:
            done = forecast_files(find(run, runs_dir=runs_dir), files, output, side_by_side, progress, keep)
        if as_json:
            failed = {path: why.text("shell")[0] for path, why in done.failed.items()}
            print_json({"written": done.written, "passed_over": done.passed_over, "failed": failed})
        else:
            before = f", {done.passed_over:,} were there before" if done.passed_over else ""
            say(f"{done.written:,} forecasts written into {output}{before}")
        done.raise_if_failed(output)
        return
    if engine_name or workers or address:
        raise ConfigError(
            "--engine, --workers and --address forecast from many files side by side.",
            f"Name them: forecast predict {run} --input FOLDER --output FOLDER",
        )
    if output is not None:
        from forecast.runs.table_files import check_table, write_table

        check_table(output)
    check_output(plot)
    if plot is not None and paths is not None:
        raise ConfigError(
            "--plot draws the forecast, and --paths asks for paths instead.", "Give one of them at a time."
        )
    if keep and paths is not None:
        raise ConfigError(
            "--keep keeps the forecast, and --paths asks for paths instead.", "Give one of them at a time."
        )
    found = find(run, runs_dir=runs_dir)
    if known_forecasts is not None:
        from forecast.runs.rows import with_forecasts_of

        found = with_forecasts_of(found, known_forecasts)
    if source is None and plot is None and paths is None and not keep:
        forecast = stored_forecast(found, progress)
    else:
        from forecast.commands.predict.predict import predict, predict_and_draw, predict_into, sample_paths

        if source is not None and output is not None and not (plot or paths or as_json):
            warn_of_age(predict_into(output, found, source, progress, keep), found, progress)
            progress.note(f"forecast: {output}")
            return
        if paths is not None:
            forecast = sample_paths(found, source, count=paths, seed=seed, progress=progress)
        elif plot is None:
            forecast = predict(found, source, keep=keep, progress=progress)
        else:
            forecast, pictures = predict_and_draw(found, source, keep=keep, progress=progress)
            for number, picture in enumerate(pictures):
                path = plot if number == 0 else plot.with_stem(f"{plot.stem}-{number + 1}")
                write_output(path, picture)
                progress.note(f"plot: {path}")
    warn_of_age(forecast["cutoff"].max(), found, progress)
    if output is not None:
        write_table(output, forecast)
        progress.note(f"forecast: {output}")
    if as_json:
        print_json(to_records(forecast))
    elif output is None and paths is None and out.is_terminal:
        from forecast.commands.predict.predict import print_forecast

        print_forecast(forecast, found)
    elif output is None:
        print_csv(frame_to_csv(forecast))
