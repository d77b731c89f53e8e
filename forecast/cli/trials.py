"""Commands that try models out and keep no run: backtest, compare."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from forecast.cli.main import app
from forecast.cli.options import AsJson, Quiet, RequireSkill, RunsDir, with_settings
from forecast.cli.sources import SourceArgument
from forecast.models.catalogue import COMPARED

# What a trial has no use for: it makes no newest forecast, and nobody looks into its networks.
_NO_USE = ("refit", "track_gradients")

SettingsFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Settings from a TOML file.")]


@app.command()
@with_settings("data", "training", "network", "intervals", "read", without=_NO_USE)
def backtest(
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
        str | None, typer.Argument(metavar="[ROWS]", help="For a run: rows to forecast, if not its own.")
    ] = None,
    windows: Annotated[
        int | None, typer.Option(min=1, help="Origins, the newest. (default: all of the test span)", show_default=False)
    ] = None,
    step: Annotated[int, typer.Option(min=1, help="Steps of the clock from one origin to the next.")] = 1,
    span: Annotated[
        str, typer.Option(help="What a later fit learns from: expanding (all rows before) or sliding (as many).")
    ] = "expanding",
    refit: Annotated[
        str, typer.Option(metavar="never|K", help="Fit anew after every K origins; a run is never fitted again.")
    ] = "never",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write every forecast here, as CSV in the long format.")
    ] = None,
    config: SettingsFile = None,
    require_skill: RequireSkill = None,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Forecast from many origins, each time knowing only what came before, and score all of that.

    Without options these are all origins of the test span, one step apart, forecast by one fit to what lies before it.
    """
    from forecast.cli.console import ConsoleProgress, out, print_json, say
    from forecast.cli.tables import scores
    from forecast.evaluation.requirements import check_references, demand, requirement_of
    from forecast.evaluation.scoring import kept_origins
    from forecast.models.catalogue import configure
    from forecast.runs.csv_tables import frame_to_csv
    from forecast.runs.files import check_output, write_output
    from forecast.workflows import backtesting
    from forecast.workflows.forecasting import find
    from forecast.workflows.networks import references_of

    check_output(output)
    progress = ConsoleProgress(quiet)
    requirements = [requirement_of(text) for text in require_skill or ()]
    with progress.heeding_signals():
        given = settings or config or not backtesting.names_run(source, runs_dir)
        asked = configure(settings, config) if given else None
        check_references(requirements, references_of(asked or find(source, runs_dir=runs_dir).config))
        evaluation = backtesting.backtest(
            source,
            asked,
            windows=windows,
            step=step,
            span=span,  # type: ignore[arg-type]  # checked there
            refit=_refit(refit),
            new_rows=new_rows,
            runs_dir=runs_dir,
            progress=progress,
        )
    metrics = evaluation.metrics
    if output is not None:
        write_output(output, frame_to_csv(evaluation.forecasts))
        progress.note(f"forecasts: {output}, {len(evaluation.forecasts):,} rows{kept_origins(metrics)}")
    if as_json:
        print_json(metrics)
    else:
        say(metrics["verdict"], strong=True)
        out.print(scores(metrics, f"{source}: {_origins(metrics)}"))
    demand(requirements, metrics, "" if output is None else f"The forecasts are in {output}.")


def _refit(text: str) -> int | None:
    """After how many origins to fit anew; None for never."""
    from forecast.errors import ConfigError

    if text == "never":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"--refit takes never or a number of origins. Received: {text!r}.", "For example: --refit 30")
    return int(text)


def _origins(metrics: Mapping[str, Any]) -> str:
    """From where was forecast, in words."""
    about, horizon = metrics["backtest"], metrics["horizon"]
    origins = f"{about['origins']:,} origin{'s' if about['origins'] > 1 else ''}"
    fits = "" if about["run"] else ", one fit" if len(about["fits"]) == 1 else f", {len(about['fits'])} fits"
    return f"{origins}, {_span(about)}, {horizon} step{'s' if horizon > 1 else ''} ahead{fits}"


def _span(about: Mapping[str, Any]) -> str:
    """From the first origin to the last."""
    import numpy as np

    from forecast.data.panel import moment

    first, last = (moment(np.datetime64(about[name])) for name in ("first_origin", "last_origin"))
    return f"{first} … {last}" if first != last else first


@app.command()
@with_settings("data", "training", "network", "read", without=(*_NO_USE, "model", "cell", "baseline"))
def compare(
    source: SourceArgument,
    settings: dict[str, Any],
    models: Annotated[
        str, typer.Option(help="Presets with commas between them, or all; the vanilla RNN is always among them.")
    ] = ",".join(COMPARED),
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each model, which differ by their seed.")] = 3,
    classical_seconds: Annotated[
        float, typer.Option(min=0, help="Seconds for each of ETS, Theta and seasonal ARIMA; 0 leaves them out.")
    ] = 30.0,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the leaderboard here, as CSV.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw the leaderboard into this PNG file.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write a page into this HTML file.")] = None,
    config: SettingsFile = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train several models with several seeds on the same rows, and score all on the same windows.

    The validation error chooses, the test error is reported. Naive forecasts stand beside them. No run is kept.

    Classical forecasts are fitted anew for each window, so they are judged on as many as their time allows.
    """
    from forecast.cli.console import ConsoleProgress, out, print_json, say
    from forecast.cli.leaderboard import leaderboard, notes
    from forecast.runs.csv_tables import frame_to_csv
    from forecast.runs.files import check_output, write_output
    from forecast.workflows import comparing

    check_output(output)
    check_output(plot)
    check_output(report)
    progress = ConsoleProgress(quiet)
    with progress.heeding_signals():
        found = comparing.compare(
            source,
            models,
            settings,
            seeds=seeds,
            classical_seconds=classical_seconds,
            file=config,
            progress=progress,
        )
    if output is not None:
        write_output(output, frame_to_csv(found.leaderboard))
        progress.note(f"leaderboard: {output}")
    if plot is not None:
        from forecast import plots

        write_output(plot, plots.to_png(plots.plot_leaderboard(found.summary)))
        progress.note(f"plot: {plot}")
    if report is not None:
        from forecast.plots.comparison import comparison_page

        write_output(report, comparison_page(found.summary, shlex.join(["forecast", *sys.argv[1:]])).encode())
        progress.note(f"report: {report}")
    if as_json:
        print_json(found.summary)
        return
    summary = found.summary
    say(found.verdict, strong=True)
    if summary["classical"] is not None:
        say(summary["classical"]["verdict"])
    title = (
        f"{summary['title']}, {', '.join(summary['target'])}: {summary['n_windows']:,} test windows, "
        f"{_span(summary)}, {summary['horizon']} step{'s' if summary['horizon'] > 1 else ''} ahead"
    )
    out.print(leaderboard(summary, title, out.width))
    for note in notes(summary):
        say(note)
