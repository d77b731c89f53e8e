"""The command ``forecast``: builds the program from `COMMANDS`, and turns errors into messages and exit codes."""

from __future__ import annotations

import os
import re
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from forecast.commands import COMMANDS
from forecast.errors import DataError, ForecastError

# What the help calls the types of parameters.
_KINDS = {"<str>": "TEXT", "<list[str]>": "TEXT", "<path>": "PATH", "<int range>": "INTEGER", "<float>": "NUMBER",
          "<float range>": "NUMBER"}  # fmt: skip

# Files that options may name.
_MOST_OPTIONS = 2

# Keras imports these where they are installed, for wrappers and galleries that no command uses: a quarter of what
# TensorFlow takes to import. With None in their place it takes them to be absent.
_NOT_USED = ("sklearn", "matplotlib.pyplot")


class _Command(TyperCommand):
    """A command whose help breaks no option's name, however narrow the terminal is."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; of the files that a shell has put in place of a pattern, say what to do."""
        n_files = sum(os.path.isfile(argument) for argument in args)
        if n_files > sum(parameter.param_type_name == "argument" for parameter in self.params) + _MOST_OPTIONS:
            raise DataError(
                f"Here are {n_files:,} files: a shell puts them in place of a pattern.",
                "Name their folder, or quote the pattern: 'stations/*.csv'.",
            )
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the usage, what the command does, and its parameters below the names of their panels."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        panels: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            kind = "Arguments" if parameter.param_type_name == "argument" else "Options"
            if record := parameter.get_help_record(ctx):
                names = re.sub("<.+?>", lambda type_: _KINDS.get(type_[0], type_[0]), record[0])
                if kind == "Arguments":
                    names = names.removesuffix(" TEXT")
                panel = getattr(parameter, "rich_help_panel", None) or kind
                panels.setdefault(panel, []).append((names, record[1]))
        for name, records in panels.items():
            with formatter.section(name):
                formatter.write_dl(records)


def build_program() -> typer.Typer:
    """The program with all its commands."""
    program = typer.Typer(
        name="forecast",
        help="Forecast weather, stocks and other regular series with recurrent networks, judged honestly.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    program.callback()(_start)
    for name, panel in COMMANDS.items():
        command = import_module(f"forecast.commands.{name}").command
        program.command(name, cls=_Command, rich_help_panel=panel)(command)
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
        build_program()()
    except ForecastError as error:
        from forecast.commands.console import print_error

        print_error(error, as_json="--json" in sys.argv[1:])
        sys.exit(error.exit_code)
