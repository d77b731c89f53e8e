"""The command ``forecast``: gathers the commands, and turns errors into messages and exit codes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

app = typer.Typer(
    name="forecast",
    help="Forecast weather, stocks and other regular series with recurrent networks, judged honestly.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from forecast import __version__

        typer.echo(f"forecast {__version__}")
        raise typer.Exit


@app.callback()
def _start(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


def whole_app() -> typer.Typer:
    """The app with all its commands, which each module adds when it is imported."""
    from forecast.cli import inside, live, make, prove, record, sources, trials, use  # noqa: F401

    return app


def main() -> None:
    """Run the command line; ends the process with the exit code that fits."""
    from forecast.errors import ForecastError

    try:
        whole_app()()
    except ForecastError as error:
        from forecast.cli.console import print_error

        print_error(error)
        sys.exit(error.exit_code)
