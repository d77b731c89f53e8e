"""The command ``forecast``: builds the program from `COMMANDS`, and turns errors into messages and exit codes."""

from __future__ import annotations

import errno
import gc
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer

from forecast.commands import COMMANDS
from forecast.commands.help import Command, Program
from forecast.errors import ConfigError, ForecastError, MachineError

# Keras imports these where they are installed, for wrappers and galleries that no command uses: a quarter of what
# TensorFlow takes to import. With None in their place it takes them to be absent.
_NOT_USED = ("sklearn", "matplotlib.pyplot")

# Objects that are made before garbage is looked for. After every 700, as Python does, that takes a tenth of a short
# command: imports make a million that stay.
_OBJECTS_BETWEEN = 50_000

# What the parser raises; the module that defines it depends on the version of typer.
_UsageError: Any = typer.BadParameter.__base__


def build_program(asked: Sequence[str] = ()) -> typer.Typer:
    """The program with the command that words ask for, or with all, whose options take ten times as long."""
    program = typer.Typer(
        name="forecast",
        cls=Program,
        help="Forecast weather, stocks and other regular series with recurrent networks, judged honestly.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    program.callback()(_start)
    for name in [word for word in asked[:1] if word in COMMANDS] or COMMANDS:
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
    gc.set_threshold(_OBJECTS_BETWEEN)
    try:
        code = build_program(sys.argv[1:])(standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code or 0)
    except ForecastError as error:
        _end(error)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            raise
        with suppress(OSError):
            sys.stdout.close()  # what is left in it can go nowhere
        _end(MachineError(f"Cannot write what was to be printed: {error.strerror}.", "Make room, and call it again."))
    except typer.Abort:
        sys.exit(130)
    except _UsageError as error:
        if not sys.argv[1:]:
            error.show()  # the help
            sys.exit(ConfigError.exit_code)
        _end(ConfigError(error.format_message(), f"See: {error.ctx.command_path} --help" if error.ctx else ""))


def _end(error: ForecastError) -> NoReturn:
    from forecast.commands.console import print_error
    from forecast.commands.typed import as_typed

    written: Callable[[str], str] = str
    for name in {*sys.argv[1:2]} & {*COMMANDS}:
        command: Any = typer.main.get_group(build_program([name])).commands[name]
        written = as_typed(command, sys.argv[2:])
    print_error(error, as_json="--json" in sys.argv[1:], written=written)
    sys.exit(error.exit_code)
