"""The command ``forecast``: builds the program from `COMMANDS`, and turns errors into messages and exit codes."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated

import typer

from forecast.commands import COMMANDS


def build_program() -> typer.Typer:
    """The program with all its commands."""
    program = typer.Typer(
        name="forecast",
        help="Forecast weather, stocks and other regular series with recurrent networks, judged honestly.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    program.callback()(_start)
    for name, panel in COMMANDS.items():
        command = import_module(f"forecast.commands.{name}").command
        program.command(name, rich_help_panel=panel)(command)
    return program


def _show_version(wanted: bool) -> None:
    if wanted:
        from forecast import __version__

        typer.echo(f"forecast {__version__}")
        raise typer.Exit


def _start(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


def main() -> None:
    """Run the command line; ends the process with the exit code that fits."""
    from forecast.errors import ForecastError

    try:
        build_program()()
    except ForecastError as error:
        from forecast.commands.console import print_error

        print_error(error)
        sys.exit(error.exit_code)
