"""Backtest: forecast from many origins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from forecast.commands.options import (
    NOT_FOR_TRIALS,
    AddressOption,
    AsJson,
    EngineName,
    Quiet,
    RequireSkill,
    RunsDir,
    SettingsFile,
    WorkersOption,
    with_settings,
)

EXAMPLES = ("forecast backtest mine.csv --target temperature --windows 8 --step 24 --refit 4 -o rolled.csv",)


@with_settings("data", "training", "network", "intervals", "read", without=NOT_FOR_TRIALS)
def command(
    settings: dict[str, Any],
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE|RUN",
            help="A run, which is taken as it is; or a built-in name, a file, or - for standard input, to which "
            "networks are fitted. A name that both have is the run's.",
        ),
    ],
    new_rows: Annotated[
        str | None, typer.Argument(metavar="ROWS", help="For a run: rows to forecast, if not its own.")
    ] = None,
    windows: Annotated[
        int | None, typer.Option(min=1, help="Origins, the newest. (default: all of the test span)", show_default=False)
    ] = None,
    step: Annotated[int, typer.Option(min=1, help="Steps of the clock from one origin to the next.")] = 1,
    span: Annotated[
        str, typer.Option(help="What a later fit learns from: expanding (all rows before) or sliding (as many).")
    ] = "expanding",
    refit: Annotated[
        str,
        typer.Option(
            metavar="never|K",
            help="Fit again after every K origins, networks and the means among the references alike; a run is never "
            "fitted again.",
        ),
    ] = "never",
    audit: Annotated[
        bool, typer.Option("--audit", help="First prove that nothing before an origin knows what comes after it.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write every forecast here, in the long format, as .csv or .parquet."),
    ] = None,
    config: SettingsFile = None,
    engine_name: EngineName = None,
    workers: WorkersOption = None,
    address: AddressOption = None,
    require_skill: RequireSkill = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Forecast from many origins, each time knowing only what came before, and score all of that.

    Without options these are all origins of the test span, one step apart, forecast by one fit to what lies before it.
    """
    from forecast.commands.backtest.backtest import backtest, names_run
    from forecast.commands.console import ConsoleProgress, print_json, say
    from forecast.commands.requirements import check_references, demand_skill, parse_requirement
    from forecast.commands.tables import print_scores
    from forecast.engines import engine
    from forecast.models.catalogue import configure, references_of
    from forecast.plots.footnotes import thinning_note
    from forecast.runs.find import find
    from forecast.runs.table_files import check_table, write_table

    check_table(output)
    progress = ConsoleProgress(quiet)
    requirements = [parse_requirement(text) for text in require_skill or ()]
    with progress.stopping_on_signals(), engine(engine_name, workers, address) as side_by_side:
        given = settings or config or not names_run(source, runs_dir)
        asked = configure(settings, config) if given else None
        check_references(requirements, references_of(asked or find(source, runs_dir=runs_dir).config))
        evaluation = backtest(
            source,
            asked,
            windows=windows,
            step=step,
            span=span,  # type: ignore[arg-type]  # checked there
            refit=_refit(refit),
            audit=audit,
            engine=side_by_side,
            new_rows=new_rows,
            runs_dir=runs_dir,
            progress=progress,
        )
    metrics = evaluation.metrics
    if output is not None:
        write_table(output, evaluation.forecasts)
        progress.note(f"forecasts: {output}, {len(evaluation.forecasts):,} rows{thinning_note(metrics)}")
    if as_json:
        print_json(metrics)
    else:
        say(metrics["verdict"], strong=True)
        print_scores(metrics, f"{source}: {_describe_origins(metrics)}")
    demand_skill(requirements, metrics, "" if output is None else f"The forecasts are in {output}.")


def _refit(text: str) -> int | None:
    """After how many origins to fit anew; None for never."""
    from forecast.errors import ConfigError

    if text == "never":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"--refit takes never or a number of origins. Received: {text!r}.", "For example: --refit 30")
    return int(text)


def _describe_origins(metrics: Mapping[str, Any]) -> str:
    """How many origins there are, of which series, when, and how many fits.

    So: "5 origins, 2005-09-01 … 2006-05-01, 3 steps ahead".
    """
    from forecast.commands.tables import origins_span, steps_ahead

    backtest = metrics["backtest"]
    count, of_each = backtest.get("origins_of_each", backtest["origins"]), "origins_of_each" in backtest
    origins = f"{'up to ' if of_each and count > 1 else ''}{count:,} origin{'s' if count > 1 else ''}"
    n_series, n_forecast = backtest.get("series", 1), backtest.get("series_forecast", 1)
    if of_each or n_forecast < n_series:
        of_all = f"{n_forecast:,} of {n_series:,} series" if n_forecast < n_series else f"{n_series:,} series"
        origins += f" of {'each of ' if of_each else ''}{of_all}"
    n_fits = len(backtest["fits"])
    fits = "" if backtest["run"] else ", one fit" if n_fits == 1 else f", {n_fits} fits"
    return f"{origins}, {origins_span(backtest)}, {steps_ahead(metrics['horizon'])}{fits}"
