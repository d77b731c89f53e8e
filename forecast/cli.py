"""The command ``forecast``: builds the program from `COMMANDS`, and turns errors into messages and exit codes."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer

from forecast.commands import COMMANDS
from forecast.commands.help import Command, Program
from forecast.errors import ConfigError, ForecastError

# Keras imports these where they are installed, for wrappers and galleries that no command uses: a quarter of what
# TensorFlow takes to import. With None in their place it takes them to be absent.
_NOT_USED = ("sklearn", "matplotlib.pyplot")

# What the parser raises; the module that defines it depends on the version of typer.
_UsageError: Any = typer.BadParameter.__base__


def build_program() -> typer.Typer:
    """The program with all its commands."""
    program = typer.Typer(
        name="forecast",
        cls=Program,
        help="Forecast weather, stocks and other regular series with recurrent networks, judged honestly.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    program.callback()(_start)
    for name in COMMANDS:
        command = import_module(f"forecast.commands.{name}").command
        program.command(name, cls=Command)(command)
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
    for name in _NOT_USED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    try:
        sys.exit(build_program()(standalone_mode=False))
    except ForecastError as error:
        _end(error)
    except typer.Abort:
        sys.exit(130)
    except _UsageError as error:
        if not sys.argv[1:]:
            error.show()  # the help
            sys.exit(ConfigError.exit_code)
        _end(ConfigError(error.format_message(), f"See: {error.ctx.command_path} --help" if error.ctx else ""))


def _end(error: ForecastError) -> NoReturn:
    from forecast.commands.console import print_error

    print_error(error, as_json="--json" in sys.argv[1:])
    sys.exit(error.exit_code)
